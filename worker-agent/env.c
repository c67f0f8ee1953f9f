/* SPDX-License-Identifier: Apache-2.0 */
/* env.c - the environment of a job: a clean one, the job's own, and what it should know of itself.
 *
 * Of the agent's only PATH, HOME, USER and LANG are handed on.  SPILLWAY_* come last and cannot be
 * set by a description: SPILLWAY_WORKER and SPILLWAY_ATTEMPT are how a process is known to be ours
 * when its group no longer tells. */
#include <inttypes.h>

#include "agent.h"
#include "nodes.h"

struct list_of {
    struct arena *arena;
    char **entries;
    size_t count, most;
};

static bool has(const struct list_of *list, const char *entry)
{
    size_t length = strcspn(entry, "=");

    for (size_t i = 0; i < list->count; i++)
        if (strncmp(list->entries[i], entry, length + 1) == 0)
            return true;
    return false;
}

static void add(struct list_of *list, const char *name, const char *value)
{
    if (list->count < list->most)
        list->entries[list->count++] = arena_printf(list->arena, "%s=%s", name, value);
}

static void add_unless_set(struct list_of *list, const char *name, const char *value)
{
    char *entry = arena_printf(list->arena, "%s=%s", name, value);

    if (list->count < list->most && !has(list, entry))
        list->entries[list->count++] = entry;
}

static void add_number(struct list_of *list, const char *name, int64_t value)
{
    if (list->count < list->most)
        list->entries[list->count++] = arena_printf(list->arena, "%s=%" PRId64, name, value);
}

static const char *text_of(const json_t *lease, const char *key)
{
    const char *text = json_string_value(json_object_get(lease, key));

    return text ? text : "";
}

const char *env_gpus(struct agent *agent, uint64_t gpus)
{
    char *out = arena_strdup(&agent->scratch, "");

    for (int i = 0; i < agent->facts.gpu_count; i++)
        if (gpus >> i & 1)
            out = arena_printf(&agent->scratch, "%s%s%s", out, *out ? "," : "",
                               agent->facts.gpus[i].id);
    return out;
}

const char *env_get(char *const *env, const char *name, const char *otherwise)
{
    size_t length = strlen(name);

    for (; *env; env++)
        if (strncmp(*env, name, length) == 0 && (*env)[length] == '=')
            return *env + length + 1;
    return otherwise;
}

static void add_own(struct list_of *list, const struct agent *agent, const struct attempt *a)
{
    const json_t *job = json_object_get(a->lease, "job"),
                 *index = json_object_get(a->lease, "index");

    add_number(list, "SPILLWAY_JOB_ID", json_integer_value(job));
    add(list, "SPILLWAY_TASK_ID", a->task);
    add_number(list, "SPILLWAY_ARRAY_INDEX", json_integer_value(index));
    add(list, "SPILLWAY_JOB_NAME", text_of(a->lease, "name"));
    add(list, "SPILLWAY_PROJECT", text_of(a->lease, "project"));
    add_number(list, "SPILLWAY_ATTEMPT", a->id);
    add_number(list, "SPILLWAY_ATTEMPT_NUMBER",
               json_integer_value(json_object_get(a->lease, "number")));
    add_number(list, "SPILLWAY_CPUS", a->need.cpus > 0 ? a->need.cpus : 1);
    add_number(list, "SPILLWAY_MEMORY_BYTES", a->need.memory);
    add(list, "SPILLWAY_WORKER", agent->boot.worker);
}

/* Where the other nodes of its gang are. */
static void add_nodes(struct list_of *list, const struct attempt *a)
{
    size_t count = nodes_count(a);

    add_number(list, "SPILLWAY_NNODES", count ? (int64_t)count : 1);
    add_number(list, "SPILLWAY_NODE_RANK", nodes_rank(a));
    if (!count)
        return;
    add(list, "SPILLWAY_NODEFILE", arena_printf(list->arena, "%s/nodefile", a->place->tmp.path));
    add(list, "SPILLWAY_NODE0", nodes_host(a, 0));
}

static void add_number_unless_set(struct list_of *list, const char *name, int64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, value);
    add_unless_set(list, name, text);
}

/* A script with #SBATCH lines was written for Slurm, and reads what Slurm would have set; a job that
 * came through our sbatch says so by its SLURM_JOB_ID.  That of an array's task must be its own:
 * scripts name files by it. */
static void add_slurm(struct list_of *list, const struct attempt *a)
{
    const char *script = text_of(a->lease, "script");
    int64_t job = json_integer_value(json_object_get(a->lease, "job")),
            index = json_integer_value(json_object_get(a->lease, "index")),
            number = json_integer_value(json_object_get(a->lease, "number"));
    bool array = strchr(a->task, '.');
    char host[256] = "";

    if (!strstr(script, "\n#SBATCH") && !has(list, "SLURM_JOB_ID="))
        return;
    add_unless_set(list, "SLURM_JOB_ID",
                   array ? arena_printf(list->arena, "%" PRId64 "_%" PRId64, job, index)
                         : arena_printf(list->arena, "%" PRId64, job));
    add_unless_set(list, "SLURM_JOB_NAME", text_of(a->lease, "name"));
    add_number_unless_set(list, "SLURM_CPUS_PER_TASK", a->need.cpus > 0 ? a->need.cpus : 1);
    add_number_unless_set(list, "SLURM_CPUS_ON_NODE", a->need.cpus > 0 ? a->need.cpus : 1);
    add_number_unless_set(list, "SLURM_RESTART_COUNT", number > 0 ? number - 1 : 0);
    add_number_unless_set(list, "SLURM_PROCID", nodes_rank(a));
    add_unless_set(list, "SLURM_LOCALID", "0");
    add_number_unless_set(list, "SLURM_NODEID", nodes_rank(a));
    add_number_unless_set(list, "SLURM_NNODES", nodes_count(a) ? (int64_t)nodes_count(a) : 1);
    if (gethostname(host, sizeof host - 1) == 0 && *host) {
        host[strcspn(host, ".")] = '\0';
        add_unless_set(list, "SLURM_JOB_NODELIST", host);
        add_unless_set(list, "SLURM_NODELIST", host);
        add_unless_set(list, "SLURMD_NODENAME", host);
    }
    if (array) {
        add_number_unless_set(list, "SLURM_ARRAY_JOB_ID", job);
        add_number_unless_set(list, "SLURM_ARRAY_TASK_ID", index);
    }
}

char **env_build(struct agent *agent, const struct attempt *a)
{
    const json_t *own = json_object_get(a->lease, "environment"), *item;
    struct list_of list = { .arena = &agent->scratch, .most = json_array_size(own) + 56 };
    const char *gpus = env_gpus(agent, a->gpus);
    size_t i;

    list.entries = arena_alloc(&agent->scratch, (list.most + 1) * sizeof *list.entries);
    json_array_foreach(own, i, item)
    {
        const char *entry = json_string_value(item);

        if (strncmp(entry, "SPILLWAY_", 9) != 0)
            list.entries[list.count++] = (char *)entry; /* lives as long as the lease */
    }
    add_unless_set(&list, "PATH", agent->path);
    add_unless_set(&list, "HOME", agent->home);
    add_unless_set(&list, "USER", agent->user);
    add_unless_set(&list, "LOGNAME", agent->user);
    add_unless_set(&list, "LANG", agent->lang);
    add_unless_set(&list, "TMPDIR", a->place->tmp.path);
    add_unless_set(&list, "PWD", a->workdir ? a->workdir : a->place->job.path);
    if (a->need.cpus > 0)
        add_unless_set(&list, "OMP_NUM_THREADS",
                       arena_printf(&agent->scratch, "%" PRId64, a->need.cpus));
    if (agent->facts.gpu_count) /* empty hides the cards from a job that asked for none */
        add_unless_set(&list, "CUDA_VISIBLE_DEVICES", gpus);
    add_slurm(&list, a);
    add_own(&list, agent, a);
    add_nodes(&list, a);
    add(&list, "SPILLWAY_GPUS", gpus);
    return list.entries;
}
