/* SPDX-License-Identifier: Apache-2.0 */
/* container.c - command lines for apptainer, podman and docker.
 *
 * The working directory and TMPDIR are seen in the container at their own paths.  The environment
 * goes by name, not by value: a command line can be read by everyone on the machine. */
#include "container.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>

#define PATH_BYTES 4096

enum runtime { APPTAINER, PODMAN, DOCKER, RUNTIMES };

static const struct {
    const char *program;
    enum runtime runtime;
} programs[] = { { "apptainer", APPTAINER },
                 { "singularity", APPTAINER },
                 { "podman", PODMAN },
                 { "docker", DOCKER } };

static const char *find_program(struct arena *arena, const char *path, const char *name)
{
    for (const char *at = path;; at++) {
        size_t part = strcspn(at, ":");
        const char *full = arena_printf(arena, "%.*s/%s", (int)part, at, name);

        if (part && access(full, X_OK) == 0)
            return full;
        at += part;
        if (!*at)
            return NULL;
    }
}

struct words {
    char **list;
    size_t count;
};

static void put(struct words *words, const char *word)
{
    words->list[words->count++] = (char *)word;
}

static bool is_file_or_url(const char *image)
{
    size_t length = strlen(image);

    return strstr(image, "://") || image[0] == '/' || strncmp(image, "./", 2) == 0 ||
           (length > 4 && strcmp(image + length - 4, ".sif") == 0);
}

static void put_apptainer(struct words *words, struct attempt *a)
{
    struct arena *arena = &a->agent->scratch;

    put(words, "exec");
    put(words, "--bind");
    put(words, arena_printf(arena, "%s,%s", a->place->job.path, a->place->tmp.path));
    if (a->script) {
        put(words, "--bind");
        put(words, arena_printf(arena, "%s/script:%s/script:ro", a->place->path, a->place->path));
    }
    put(words, "--pwd");
    put(words, a->place->job.path);
    if (a->gpus)
        put(words, "--nv");
    put(words, is_file_or_url(a->container) ? a->container
                                            : arena_printf(arena, "docker://%s", a->container));
}

/* Names of the agent's own making stay outside: the image has its own PATH and HOME. */
static void put_environment(struct words *words, struct arena *arena, char **env)
{
    static const char *const outside[] = { "PATH=", "HOME=", "USER=", "LOGNAME=", "PWD=" };

    for (; *env; env++) {
        bool skip = false;

        for (size_t i = 0; i < array_len(outside); i++)
            skip |= strncmp(*env, outside[i], strlen(outside[i])) == 0;
        if (skip)
            continue;
        put(words, "--env");
        put(words, arena_printf(arena, "%.*s", (int)strcspn(*env, "="), *env));
    }
}

static void put_volume(struct words *words, struct arena *arena, const char *path, const char *mode)
{
    put(words, "--volume");
    put(words, arena_printf(arena, "%s:%s%s", path, path, mode));
}

static void put_oci(struct words *words, struct attempt *a, enum runtime runtime, char **env)
{
    struct arena *arena = &a->agent->scratch;

    put(words, "run");
    put(words, "--rm");
    put(words, "--init");
    put(words, "--name");
    put(words, a->container_rm);
    put_volume(words, arena, a->place->job.path, "");
    put_volume(words, arena, a->place->tmp.path, "");
    if (a->script)
        put_volume(words, arena, arena_printf(arena, "%s/script", a->place->path), ":ro");
    put(words, "--workdir");
    put(words, a->place->job.path);
    if (runtime == DOCKER) { /* else the outputs would be root's */
        put(words, "--user");
        put(words, arena_printf(arena, "%d:%d", (int)geteuid(), (int)getegid()));
    }
    if (a->need.memory) {
        put(words, "--memory");
        put(words, arena_printf(arena, "%" PRId64, a->need.memory));
    }
    if (a->gpus && runtime == DOCKER) {
        put(words, "--gpus");
        put(words, arena_printf(arena, "\"device=%s\"", env_gpus(a->agent, a->gpus)));
    } else if (a->gpus) {
        put(words, "--device");
        put(words, "nvidia.com/gpu=all");
    }
    put_environment(words, arena, env);
    put(words, a->container);
}

char **container_argv(struct attempt *a, char **argv, char ***env, struct err *err)
{
    struct arena *arena = &a->agent->scratch;
    const char *found = NULL;
    struct words words = { .count = 0 };
    size_t most = 64, i = 0;

    while (i < array_len(programs) &&
           !(found = find_program(arena, a->agent->path, programs[i].program)))
        i++;
    if (!found) {
        err_set(err, FAULT_NOT_FOUND,
                "container %s: this worker has none of apptainer, podman and docker; use an image "
                "that has one, or drop `container:`",
                a->container);
        return NULL;
    }
    for (char **at = argv; *at; at++)
        most++;
    for (char **at = *env; *at; at++)
        most += 2;
    words.list = arena_alloc(arena, most * sizeof *words.list);
    put(&words, found);
    if (programs[i].runtime == APPTAINER) {
        put_apptainer(&words, a);
    } else {
        a->container_rm = xasprintf("spillway-%s-%" PRId64, a->agent->boot.worker, a->id);
        put_oci(&words, a, programs[i].runtime, *env);
    }
    while (*argv)
        put(&words, *argv++);
    return words.list;
}

/* podman and docker: 125 is the runtime's own; apptainer: 255, and says FATAL. */
const char *container_fault(struct attempt *a)
{
    const char *said = buf_text(&a->logs[1].head);

    if (a->container_rm && a->exit_code == 125)
        return "the container runtime could not run the image; what it said is in stderr";
    if (!a->container_rm && a->exit_code == 255 && strstr(said, "FATAL:"))
        return "apptainer could not run the image; what it said is in stderr";
    return NULL;
}

/* Not waited for: it is taken in with the other children, and is harmless when there is nothing. */
void container_end(struct attempt *a)
{
    struct arena *arena = &a->agent->scratch;
    own_str char *name = take_ptr(a->container_rm);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    const char *program;
    pid_t pid;

    if (!name || (a->stop == REASON_NONE && !a->signal))
        return;
    program = find_program(arena, a->agent->path, "podman");
    if (!program)
        program = find_program(arena, a->agent->path, "docker");
    if (!program)
        return;
    posix_spawn_file_actions_init(&actions);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    if (posix_spawn(&pid, program, &actions, &attributes,
                    (char *[]){ (char *)program, "rm", "--force", name, NULL }, environ) == 0)
        map_put(&a->agent->helpers, (uint64_t)pid, a->agent);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
}
