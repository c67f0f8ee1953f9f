/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.c - the files of cgroup v2, and of v1's memory controller. */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/own.h"
#include "base/parse.h"

#define FILE_MOST (1024 * 1024)

struct cgroups {
    char *folder; /* where we were */
    char *path;   /* ours, in it */
    char *leaf;   /* the agent's own, in that */
    bool v2;
    bool memory; /* groups in it can limit memory */
};

struct cgroup {
    char *path;
    bool v2;
    int procs_fd;
};

/* ---- files ----------------------------------------------------------------------------------- */

static bool read_text(const char *folder, const char *name, struct buf *out)
{
    own_str char *path = xasprintf("%s/%s", folder, name);

    buf_clear(out);
    return buf_read_file(out, path, NULL) == 0 && out->length;
}

static bool write_text(const char *folder, const char *name, const char *text)
{
    own_str char *path = xasprintf("%s/%s", folder, name);
    own_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* -1: no number there ("max", or no such file). */
static int64_t read_number(const char *folder, const char *name)
{
    own_buf struct buf text = BUF_INIT(FILE_MOST);
    int64_t value;

    if (!read_text(folder, name, &text))
        return -1;
    text.data[strcspn(text.data, " \n")] = '\0';
    return parse_i64(text.data, 0, INT64_MAX, &value, NULL) < 0 ? -1 : value;
}

/* The number behind `key` in a file of "key number" lines; -1: none. */
static int64_t read_keyed(const char *folder, const char *name, const char *key)
{
    own_buf struct buf text = BUF_INIT(FILE_MOST);
    size_t length = strlen(key);
    char *rest = NULL;
    int64_t value;

    if (!read_text(folder, name, &text))
        return -1;
    for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, key, length) == 0 && line[length] == ' ')
            return parse_i64(line + length + 1, 0, INT64_MAX, &value, NULL) < 0 ? -1 : value;
    return -1;
}

/* ---- where we are ---------------------------------------------------------------------------- */

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; (at = strstr(at, word)); at += length)
        if ((at == list || at[-1] == ',') && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

/* Mount point and root of a hierarchy, from lines such as
 * "36 35 0:31 / /sys/fs/cgroup/memory rw,... - cgroup cgroup rw,memory". */
static char *mount_of(const char *controller, char **root)
{
    own_buf struct buf text = BUF_INIT(FILE_MOST);
    char *rest = NULL;

    if (!read_text("/proc/self", "mountinfo", &text))
        return NULL;
    for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *tail = strstr(line, " - "), from[1024], at[1024], type[32], options[1024];

        if (!tail || sscanf(line, "%*s %*s %*s %1023s %1023s", from, at) != 2 ||
            sscanf(tail, " - %31s %*s %1023s", type, options) != 2)
            continue;
        if (controller ? strcmp(type, "cgroup") != 0 || !has_word(options, controller)
                       : strcmp(type, "cgroup2") != 0)
            continue;
        *root = xstrdup(from);
        return xstrdup(at);
    }
    return NULL;
}

/* Our own folder in the hierarchy of `controller`; NULL for v2's: lines "4:memory:/path",
 * "0::/path". */
static char *own_folder(const char *controller, char **mount_out)
{
    own_buf struct buf text = BUF_INIT(FILE_MOST);
    own_str char *root = NULL;
    own_str char *mount = mount_of(controller, &root);
    char *rest = NULL;

    if (!mount || !read_text("/proc/self", "cgroup", &text))
        return NULL;
    for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;

        if (!path)
            continue;
        *path++ = '\0';
        if (controller ? !has_word(names + 1, controller) : names[1] != '\0')
            continue;
        if (strcmp(root, "/") != 0 && strncmp(path, root, strlen(root)) == 0)
            path += strlen(root); /* the mount shows a part of the hierarchy */
        if (mount_out)
            *mount_out = xstrdup(mount);
        return xasprintf("%s%s", mount, strcmp(path, "/") == 0 ? "" : path);
    }
    return NULL;
}

/* Calls `each` on our folder and on those above it, up to the mount point. */
static void walk_up(const char *controller, void (*each)(const char *folder, void *arg), void *arg)
{
    own_str char *mount = NULL;
    own_str char *folder = own_folder(controller, &mount);
    char *slash;

    while (folder && strlen(folder) >= strlen(mount)) {
        each(folder, arg);
        slash = strrchr(folder, '/');
        if (!slash || slash == folder)
            return;
        *slash = '\0';
    }
}

static void take_quota(int64_t quota, int64_t period, double *least)
{
    double cpus = quota > 0 && period > 0 ? (double)quota / (double)period : 0;

    if (cpus > 0 && (*least <= 0 || cpus < *least))
        *least = cpus;
}

static void quota_v2(const char *folder, void *arg)
{
    own_buf struct buf text = BUF_INIT(FILE_MOST);
    long long quota, period;

    if (read_text(folder, "cpu.max", &text) && sscanf(text.data, "%lld %lld", &quota, &period) == 2)
        take_quota(quota, period, arg);
}

static void quota_v1(const char *folder, void *arg)
{
    take_quota(read_number(folder, "cpu.cfs_quota_us"), read_number(folder, "cpu.cfs_period_us"),
               arg);
}

double cgroup_cpu_quota(void)
{
    double least = 0;

    walk_up(NULL, quota_v2, &least);
    walk_up("cpu", quota_v1, &least);
    return least;
}

static void take_limit(int64_t limit, int64_t *least)
{
    if (limit > 0 && (*least == 0 || limit < *least))
        *least = limit;
}

static void limit_v2(const char *folder, void *arg)
{
    take_limit(read_number(folder, "memory.max"), arg);
}

static void limit_v1(const char *folder, void *arg)
{
    take_limit(read_number(folder, "memory.limit_in_bytes"), arg);
}

int64_t cgroup_memory_limit(void)
{
    int64_t least = 0;

    walk_up(NULL, limit_v2, &least);
    walk_up("memory", limit_v1, &least);
    return least;
}

int64_t cgroup_oom_kills_here(void)
{
    own_str char *v2 = own_folder(NULL, NULL), *v1 = own_folder("memory", NULL);
    int64_t kills = v2 ? read_keyed(v2, "memory.events", "oom_kill") : -1;

    if (kills < 0 && v1)
        kills = read_keyed(v1, "memory.oom_control", "oom_kill");
    return kills < 0 ? 0 : kills;
}

/* ---- our groups ------------------------------------------------------------------------------ */

static void groups_free(struct cgroups *groups)
{
    free(groups->folder);
    free(groups->path);
    free(groups->leaf);
    free(groups);
}

static bool make_folder(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST;
}

/* Into our own leaf; on failure all is as before. */
static bool move_in(struct cgroups *groups)
{
    if (make_folder(groups->path) && make_folder(groups->leaf) &&
        write_text(groups->leaf, "cgroup.procs", "0"))
        return true;
    rmdir(groups->leaf);
    rmdir(groups->path);
    return false;
}

static struct cgroups *groups_in(const char *controller, const char *worker)
{
    own_str char *folder = own_folder(controller, NULL);
    struct cgroups *groups;
    char life[7];

    if (!folder)
        return NULL;
    groups = xcalloc(1, sizeof *groups);
    io_random_hex(life, 3); /* what ends an earlier life of this worker must not end this one */
    groups->path = xasprintf("%s/spillway-%s-%s", folder, worker, life);
    groups->leaf = xasprintf("%s/agent", groups->path);
    groups->folder = take_ptr(folder);
    groups->v2 = !controller;
    if (move_in(groups))
        return groups;
    groups_free(groups);
    return NULL;
}

static bool has_memory(const struct cgroups *groups)
{
    own_buf struct buf list = BUF_INIT(FILE_MOST);

    return read_text(groups->folder, "cgroup.controllers", &list) && strstr(list.data, "memory");
}

/* A group that has processes of its own, the root apart, cannot hand the controller down: we are
 * out of it now, but where others share it the first write fails. */
static bool enable_memory(const struct cgroups *groups)
{
    if (!groups->v2)
        return read_number(groups->path, "memory.limit_in_bytes") >= 0;
    return has_memory(groups) && write_text(groups->folder, "cgroup.subtree_control", "+memory") &&
           write_text(groups->path, "cgroup.subtree_control", "+memory");
}

struct cgroups *cgroups_open(const char *worker)
{
    struct cgroups *v2 = groups_in(NULL, worker), *v1;

    if (v2 && enable_memory(v2)) {
        v2->memory = true;
        return v2;
    }
    v1 = groups_in("memory", worker);
    if (!v1)
        return v2;
    cgroups_close(v2);
    v1->memory = enable_memory(v1);
    return v1;
}

void cgroups_close(struct cgroups *groups)
{
    if (!groups)
        return;
    write_text(groups->folder, "cgroup.procs", "0");
    rmdir(groups->leaf);
    rmdir(groups->path);
    groups_free(groups);
}

const char *cgroups_kind(const struct cgroups *groups)
{
    return !cgroups_limit_memory(groups) ? "none" : groups->v2 ? "v2" : "v1";
}

bool cgroups_limit_memory(const struct cgroups *groups)
{
    return groups && groups->memory;
}

const char *cgroups_path(const struct cgroups *groups)
{
    return groups ? groups->path : NULL;
}

static bool limit(const struct cgroup *group, int64_t memory)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, memory);
    if (group->v2) {
        write_text(group->path, "memory.oom.group", "1");
        write_text(group->path, "memory.swap.max", "0");
        return write_text(group->path, "memory.max", text);
    }
    if (!write_text(group->path, "memory.limit_in_bytes", text))
        return false;
    write_text(group->path, "memory.memsw.limit_in_bytes",
               text); /* absent without swap accounting */
    return true;
}

struct cgroup *cgroup_new(const struct cgroups *groups, int64_t attempt, int64_t memory,
                          struct err *err)
{
    struct cgroup *group = xcalloc(1, sizeof *group);
    own_str char *procs = NULL;

    group->v2 = groups->v2;
    group->path = xasprintf("%s/%" PRId64, groups->path, attempt);
    group->procs_fd = -1;
    procs = xasprintf("%s/cgroup.procs", group->path);
    if (mkdir(group->path, 0755) == 0 || errno == EEXIST)
        group->procs_fd = open(procs, O_WRONLY | O_CLOEXEC);
    if (group->procs_fd >= 0 && limit(group, memory))
        return group;
    err_sys(err, "cgroup %s", group->path);
    cgroup_remove(group);
    return NULL;
}

int cgroup_procs_fd(const struct cgroup *group)
{
    return group->procs_fd;
}

static bool kill_listed(const char *folder)
{
    own_buf struct buf text = BUF_INIT(FILE_MOST);
    char *rest = NULL;
    int64_t pid;
    bool any = false;

    if (!read_text(folder, "cgroup.procs", &text))
        return false;
    for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (parse_i64(line, 2, INT32_MAX, &pid, NULL) == 0 && pid != getpid() &&
            kill((pid_t)pid, SIGKILL) == 0)
            any = true;
    }
    return any;
}

void cgroup_kill(const struct cgroup *group)
{
    if (!group->v2 || !write_text(group->path, "cgroup.kill", "1"))
        kill_listed(group->path);
}

int64_t cgroup_memory_peak(const struct cgroup *group)
{
    int64_t peak =
        read_number(group->path, group->v2 ? "memory.peak" : "memory.max_usage_in_bytes");

    return peak < 0 ? 0 : peak;
}

int64_t cgroup_oom_kills(const struct cgroup *group)
{
    int64_t kills =
        read_keyed(group->path, group->v2 ? "memory.events" : "memory.oom_control", "oom_kill");

    return kills < 0 ? 0 : kills;
}

bool cgroup_remove(struct cgroup *group)
{
    if (group->procs_fd >= 0)
        close(take_fd(&group->procs_fd));
    if (rmdir(group->path) < 0 && errno == EBUSY)
        return false;
    free(group->path);
    free(group);
    return true;
}

void cgroups_leave(const char *path)
{
    own_str char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');

    if (!slash)
        return;
    *slash = '\0';
    write_text(folder, "cgroup.procs", "0");
}

/* The leaf that we are in ourselves stays, empty but for us. */
static void reap_folder(const char *path)
{
    for (int tries = 0; tries < 50 && rmdir(path) < 0 && errno == EBUSY; tries++) {
        if (!kill_listed(path) && tries > 2)
            return;
        clock_sleep_ms(20);
    }
}

void cgroups_reap(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        own_str char *below = xasprintf("%s/%s", path, entry->d_name);

        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            reap_folder(below);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}
