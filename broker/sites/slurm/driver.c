/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - a Slurm cluster as a site, as one of its ordinary users sees it.
 *
 * A worker is a batch job (a pilot) that runs an agent.  It bears the worker's name, the broker's
 * UUID is its comment, and its files lie in workers/NAME on the cluster's file system.  The folder
 * is made before the job and removed after it: what squeue no longer shows but has a folder has
 * ended, and what has neither is gone.  Everything is asked in few commands, each for all workers
 * at once, and each under a time limit there, for Slurm's commands wait when its controller does
 * not answer. */
#include "sites/slurm/driver.h"

#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/parse.h"
#include "sites/remote.h"
#include "sites/slurm/home.h"
#include "sites/slurm/text.h"

#define SHAPES_MOST     60
#define NODES_MOST      100000
#define PARTITIONS_MOST 32
#define COMMAND_S       20                  /* of Slurm's commands, there */
#define AGENT_MEMORY    ((int64_t)64 << 20) /* of a pilot's memory, not lent to jobs */
#define PILOT_MINUTES   (4 * 60)
#define MIB             ((int64_t)1 << 20)

/* What a pilot of one shape asks for. */
struct pilot {
    char name[96], partition[128], gpu_type[64];
    int cpus, gpus;
    int64_t memory; /* MiB */
    int64_t minutes;
};

struct slurm {
    struct remote remote; /* comes first: home.c takes the one for the other */
    const char *account, *qos, *constraint;
    int64_t minutes;                   /* of a pilot */
    char wanted[PARTITIONS_MOST][128]; /* none: the cluster's default */
    size_t wanted_count;
    bool waits; /* one pilot may stand in the queue when nothing is free */
    struct pilot pilots[SHAPES_MOST];
    size_t pilot_count;
};

/* ---- configuration
 * -------------------------------------------------------------------------------
 */

static int read_partitions(struct slurm *slurm, const struct site_conf *conf, struct err *err)
{
    const json_t *list = site_conf_get(conf, "/partitions");
    const char *one = NULL;

    if (site_conf_str(conf, "/partition", &one, err) < 0)
        return -1;
    if (one)
        snprintf(slurm->wanted[slurm->wanted_count++], sizeof slurm->wanted[0], "%s", one);
    if (list && (!json_is_array(list) || one))
        return site_conf_error(conf, "/partitions", err,
                               one ? "give `partition` or `partitions`, not both"
                                   : "must be a list of names");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (!name || !*name || slurm->wanted_count == PARTITIONS_MOST)
            return site_conf_error(conf, "/partitions", err, "must be at most %d names",
                                   PARTITIONS_MOST);
        snprintf(slurm->wanted[slurm->wanted_count++], sizeof slurm->wanted[0], "%s", name);
    }
    return 0;
}

static int read_conf(struct slurm *slurm, const struct site_conf *conf, const char *dir,
                     struct err *err)
{
    static const char *const known[] = { "ssh",    "dir",        "path",       "agent",
                                         "tunnel", "partition",  "partitions", "account",
                                         "qos",    "constraint", "time",       "queue",
                                         NULL };
    int64_t time_ms = (int64_t)PILOT_MINUTES * 60000;

    slurm->waits = true;
    if (site_conf_only(conf, "", known, err) < 0 ||
        remote_open(&slurm->remote, conf, dir, err) < 0 || read_partitions(slurm, conf, err) < 0 ||
        site_conf_str(conf, "/account", &slurm->account, err) < 0 ||
        site_conf_str(conf, "/qos", &slurm->qos, err) < 0 ||
        site_conf_str(conf, "/constraint", &slurm->constraint, err) < 0 ||
        site_conf_bool(conf, "/queue", &slurm->waits, err) < 0 ||
        site_conf_span(conf, "/time", &time_ms, err) < 0)
        return -1;
    slurm->minutes = (time_ms + 59999) / 60000;
    return slurm->minutes > 0 ? 0 : site_conf_error(conf, "/time", err, "must be at least 1m");
}

static void slurm_close(void *self)
{
    struct slurm *slurm = self;

    remote_close(&slurm->remote);
    free(slurm);
}

static int slurm_open(const struct site_conf *conf, const char *dir, void **self, struct err *err)
{
    struct slurm *slurm = xcalloc(1, sizeof *slurm);

    if (read_conf(slurm, conf, dir, err) < 0) {
        slurm_close(slurm);
        return -1;
    }
    *self = slurm;
    return 0;
}

/* ---- what there is
 * -------------------------------------------------------------------------------
 */

struct survey {
    struct slurm_partition partitions[PARTITIONS_MOST];
    size_t partition_count;
    struct slurm_node *nodes;
    size_t node_count;
    int cpus_ours; /* of running and waiting pilots */
    int cpus_ours_running;
    struct slurm_gpus gpus_ours[GPU_TYPES_MOST], gpus_running[GPU_TYPES_MOST];
    int types_ours, types_running;
};

static void put_squeue(struct buf *script)
{
    buf_printf(script, "SLURM_TIME_FORMAT=%%s timeout %d squeue -h -r -u \"$(id -un)\" -o '%s' || ",
               COMMAND_S, SLURM_QUEUE_FORMAT);
    buf_puts(script, "exit $?\n");
}

static bool is_wanted(const struct slurm *slurm, const struct slurm_partition *partition)
{
    for (size_t i = 0; i < slurm->wanted_count; i++)
        if (strcmp(slurm->wanted[i], partition->name) == 0)
            return partition->up;
    return slurm->wanted_count == 0 && partition->is_default && partition->up;
}

static void add_to(struct slurm_gpus *sums, int *count, const struct slurm_gpus *more, int types)
{
    for (int i = 0; i < types; i++) {
        int at = 0;

        while (at < *count && strcmp(sums[at].type, more[i].type) != 0)
            at++;
        if (at == GPU_TYPES_MOST)
            continue;
        if (at == *count) {
            sums[at] = (struct slurm_gpus){ .count = 0 };
            snprintf(sums[at].type, sizeof sums[at].type, "%s", more[i].type);
            ++*count;
        }
        sums[at].count += more[i].count;
        sums[at].used += more[i].used;
    }
}

static bool partition_counts(const struct survey *survey, const char *name)
{
    for (size_t i = 0; i < survey->partition_count; i++)
        if (slurm_in_list(name, survey->partitions[i].name))
            return true;
    return false;
}

/* Another site may be other partitions of this very cluster, with pilots of its own. */
static void survey_job(struct survey *survey, const struct slurm_job *job)
{
    enum fault fault;
    bool running = slurm_state(job, &fault) == INSTANCE_ACTIVE;

    if (strncmp(job->name, "spillway-", 9) != 0 || !partition_counts(survey, job->partition))
        return;
    survey->cpus_ours += job->cpus;
    add_to(survey->gpus_ours, &survey->types_ours, job->gpus, job->gpu_types);
    if (!running)
        return;
    survey->cpus_ours_running += job->cpus;
    add_to(survey->gpus_running, &survey->types_running, job->gpus, job->gpu_types);
}

static bool node_is_wanted(const struct survey *survey, const struct slurm_node *node)
{
    for (size_t i = 0; i < survey->partition_count; i++)
        if (slurm_in_list(node->partitions, survey->partitions[i].name))
            return true;
    return false;
}

static void survey_line(const struct slurm *slurm, struct survey *survey, const char *line)
{
    struct slurm_partition partition;
    struct slurm_node node;
    struct slurm_job job;

    if (slurm_partition_read(line, &partition)) {
        if (is_wanted(slurm, &partition) && survey->partition_count < PARTITIONS_MOST)
            survey->partitions[survey->partition_count++] = partition;
    } else if (slurm_node_read(line, &node)) {
        if (!node_is_wanted(survey, &node) || survey->node_count == NODES_MOST)
            return;
        survey->nodes = xrealloc(survey->nodes, (survey->node_count + 1) * sizeof *survey->nodes);
        survey->nodes[survey->node_count++] = node;
    } else if (slurm_job_read(line, &job)) {
        survey_job(survey, &job);
    }
}

/* For each line of `text`, which is cut. */
static char *next_line(char **at)
{
    char *line = *at, *end;

    if (!line || !*line)
        return NULL;
    end = line + strcspn(line, "\n");
    *at = *end ? end + 1 : end;
    *end = '\0';
    return line;
}

static int take_survey(struct slurm *slurm, struct survey *survey, int64_t deadline_mono_ms,
                       struct err *err)
{
    own_buf struct buf script = BUF_INIT(0), out = BUF_INIT(REMOTE_OUTPUT_MOST);
    char *at, *line;

    /* Partitions first: they say which nodes count. */
    buf_printf(&script,
               "timeout %d scontrol -a show partition -o || exit $?\n"
               "timeout %d scontrol -a show node -d -o || exit $?\n",
               COMMAND_S, COMMAND_S);
    put_squeue(&script);
    if (remote_run(&slurm->remote, buf_text(&script), &out, deadline_mono_ms, err) < 0)
        return -1;
    at = out.data;
    while ((line = next_line(&at)))
        survey_line(slurm, survey, line);
    if (survey->partition_count == 0)
        return err_set(err, FAULT_INVALID, "%s: %s%s is not a partition that is up",
                       ssh_name(slurm->remote.ssh),
                       slurm->wanted_count ? "partition " : "no default partition; name one: ",
                       slurm->wanted_count ? slurm->wanted[0] : "`partition`");
    return 0;
}

/* ---- shapes
 * --------------------------------------------------------------------------------------
 */

static bool pilot_known(const struct slurm *slurm, const char *name)
{
    for (size_t i = 0; i < slurm->pilot_count; i++)
        if (strcmp(slurm->pilots[i].name, name) == 0)
            return true;
    return false;
}

static void add_pilot(struct slurm *slurm, const struct slurm_partition *partition,
                      const struct slurm_gpus *gpus, int gpu_count, int cpus, int64_t memory)
{
    struct pilot pilot = { .cpus = cpus, .gpus = gpu_count, .memory = memory };

    if (slurm->pilot_count == SHAPES_MOST || cpus < 1 || memory * MIB <= AGENT_MEMORY)
        return;
    pilot.minutes = slurm->minutes;
    if (partition->max_minutes && partition->max_minutes < pilot.minutes)
        pilot.minutes = partition->max_minutes;
    snprintf(pilot.partition, sizeof pilot.partition, "%s", partition->name);
    if (gpu_count) {
        snprintf(pilot.gpu_type, sizeof pilot.gpu_type, "%s", gpus->type);
        snprintf(pilot.name, sizeof pilot.name, "%.20s-%.16sx%d-c%d-m%lld", partition->name,
                 *gpus->type ? gpus->type : "gpu", gpu_count, cpus, (long long)memory);
    } else {
        snprintf(pilot.name, sizeof pilot.name, "%.32s-c%d-m%lld", partition->name, cpus,
                 (long long)memory);
    }
    if (!pilot_known(slurm, pilot.name))
        slurm->pilots[slurm->pilot_count++] = pilot;
}

/* Parts of a node that halve from one to the next, each with its share of all the node has; a node
 * with GPUs is parted by these. */
static void add_pilots(struct slurm *slurm, const struct slurm_partition *partition,
                       const struct slurm_node *node)
{
    for (int i = 0; i < node->gpu_types; i++)
        for (int n = node->gpus[i].count; n > 0; n /= 2)
            add_pilot(slurm, partition, &node->gpus[i], n, node->cpus * n / node->gpus[i].count,
                      node->memory * n / node->gpus[i].count);
    if (node->gpu_types)
        return;
    for (int n = node->cpus; n > 0; n /= 2)
        add_pilot(slurm, partition, NULL, 0, n, node->memory * n / node->cpus);
}

/* Nodes that are down count too: they come back, and a job that fits them need not be refused. */
static void make_pilots(struct slurm *slurm, const struct survey *survey)
{
    slurm->pilot_count = 0;
    for (size_t p = 0; p < survey->partition_count; p++)
        for (size_t n = 0; n < survey->node_count; n++)
            if (slurm_in_list(survey->nodes[n].partitions, survey->partitions[p].name))
                add_pilots(slurm, &survey->partitions[p], &survey->nodes[n]);
}

static struct shape shape_of(const struct pilot *pilot, const struct site_conf *conf)
{
    const struct shape_gpus *said = site_conf_gpus(conf, pilot->name);
    struct shape shape = { .cpus = pilot->cpus,
                           .memory = pilot->memory * MIB - AGENT_MEMORY,
                           .gpus = pilot->gpus };

    shape.name = xstrdup(pilot->name);
    if (pilot->gpus)
        shape.gpu_model = xstrdup(said ? said->model : *pilot->gpu_type ? pilot->gpu_type : "gpu");
    shape.gpu_memory = said ? said->memory : 0;
    shape.price_hour = site_conf_price(conf, pilot->name);
    return shape;
}

/* What others use; but when all is taken, room for one more pilot is left, which then waits its
 * turn in the cluster's queue. */
static int64_t others(const struct slurm *slurm, int64_t limit, int64_t used, int64_t running,
                      int64_t largest)
{
    int64_t theirs = used > running ? used - running : 0;

    if (slurm->waits && theirs > limit - running - largest)
        theirs = limit - running - largest;
    return theirs < 0 ? 0 : theirs;
}

static void add_quota(struct probe *probe, char *name, int64_t limit, int64_t ours, int64_t theirs)
{
    probe->quotas = xrealloc(probe->quotas, (probe->quota_count + 1) * sizeof *probe->quotas);
    probe->quotas[probe->quota_count++] =
        (struct quota){ .name = name, .limit = limit, .ours = ours, .others = theirs };
}

static int count_of(const struct slurm_gpus *gpus, int types, const char *type)
{
    for (int i = 0; i < types; i++)
        if (strcmp(gpus[i].type, type) == 0)
            return gpus[i].count;
    return 0;
}

static void gpu_quotas(const struct slurm *slurm, const struct survey *survey, struct probe *out)
{
    struct slurm_gpus all[GPU_TYPES_MOST];
    int types = 0;

    for (size_t i = 0; i < survey->node_count; i++)
        if (survey->nodes[i].usable)
            add_to(all, &types, survey->nodes[i].gpus, survey->nodes[i].gpu_types);
    for (int i = 0; i < types; i++) {
        const char *type = all[i].type;
        int running = count_of(survey->gpus_running, survey->types_running, type);

        add_quota(out, xasprintf("gpus:%s", *type ? type : "gpu"), all[i].count,
                  count_of(survey->gpus_ours, survey->types_ours, type),
                  others(slurm, all[i].count, all[i].used, running, 1));
    }
}

static void core_quota(const struct slurm *slurm, const struct survey *survey, struct probe *out)
{
    int64_t all = 0, used = 0, largest = 0;

    for (size_t i = 0; i < survey->node_count; i++) {
        if (!survey->nodes[i].usable)
            continue;
        all += survey->nodes[i].cpus;
        used += survey->nodes[i].cpus_used;
        if (survey->nodes[i].cpus > largest)
            largest = survey->nodes[i].cpus;
    }
    add_quota(out, xstrdup("cores"), all, survey->cpus_ours,
              others(slurm, all, used, survey->cpus_ours_running, largest));
}

static int slurm_probe(void *self, int64_t deadline_mono_ms, struct probe *out, struct err *err)
{
    struct slurm *slurm = self;
    struct survey survey = { .nodes = NULL };

    if (remote_ready(&slurm->remote, deadline_mono_ms, err) < 0)
        return -1;
    if (take_survey(slurm, &survey, deadline_mono_ms, err) < 0) {
        free(survey.nodes);
        return -1;
    }
    make_pilots(slurm, &survey);
    out->shapes = xcalloc(slurm->pilot_count + 1, sizeof *out->shapes);
    for (size_t i = 0; i < slurm->pilot_count; i++)
        out->shapes[out->shape_count++] = shape_of(&slurm->pilots[i], slurm->remote.conf);
    core_quota(slurm, &survey, out);
    gpu_quotas(slurm, &survey, out);
    free(survey.nodes);
    return 0;
}

/* ---- workers
 * -------------------------------------------------------------------------------------
 */

static void put_option(struct buf *script, const char *option, const char *value)
{
    if (!value || !*value)
        return;
    buf_printf(script, " %s=", option);
    put_quoted(script, value);
}

static void put_sbatch(const struct slurm *slurm, const struct pilot *pilot, const char *name,
                       const char *broker, struct buf *script)
{
    buf_printf(script, "timeout %d sbatch --parsable --no-requeue --nodes=1 --ntasks=1", COMMAND_S);
    put_option(script, "--job-name", name);
    put_option(script, "--comment", broker);
    put_option(script, "--partition", pilot->partition);
    put_option(script, "--account", slurm->account);
    put_option(script, "--qos", slurm->qos);
    put_option(script, "--constraint", slurm->constraint);
    buf_printf(script, " --cpus-per-task=%d --mem=%lldM --time=%lld", pilot->cpus,
               (long long)pilot->memory, (long long)pilot->minutes);
    if (pilot->gpus)
        buf_printf(script, " --gres=gpu:%s%s%d", pilot->gpu_type, *pilot->gpu_type ? ":" : "",
                   pilot->gpus);
    /* Told a minute before the limit, an agent still says what became of its work. */
    if (pilot->minutes > 2)
        buf_puts(script, " --signal=B:TERM@60");
}

/* The job's own words stay out of its arguments: the payload lies in $W, for its owner alone. */
static void put_one(const struct slurm *slurm, const struct pilot *pilot, const struct order *order,
                    struct buf *script)
{
    put_sbatch(slurm, pilot, order->name, order->broker, script);
    buf_puts(script, " --output=\"$W/agent.log\" --chdir=\"$W\" --wrap=\"exec '");
    buf_puts(script, slurm->remote.agent_there);
    buf_puts(script, "' --boot '$W/boot.json'\" || { status=$?; rm -rf \"$W\"; exit $status; }\n");
}

/* Shell lines that leave in $queue "ID NAME" of our jobs, the members of arrays by their workers'
 * names. */
static void put_names(struct buf *script)
{
    buf_printf(script,
               "names() {\n"
               "    lines=$(timeout %d squeue -h -r -u \"$(id -un)\" -o '%%i|%%j') || return $?\n"
               "    queue=$(printf '%%s\\n' \"$lines\" | awk -F '|' '{\n"
               "        name = $2\n"
               "        if (name ~ /[0-9][+]$/ && split($1, id, \"_\") == 2) {\n"
               "            sub(/[+]$/, \"\", name)\n"
               "            match(name, /[0-9]+$/)\n"
               "            name = substr(name, 1, RSTART - 1) (substr(name, RSTART) + id[2])\n"
               "        }\n"
               "        print $1, name\n"
               "    }')\n}\n",
               COMMAND_S);
}

static const struct pilot *pilot_find(const struct slurm *slurm, const char *name)
{
    for (size_t i = 0; name && i < slurm->pilot_count; i++)
        if (strcmp(slurm->pilots[i].name, name) == 0)
            return &slurm->pilots[i];
    return NULL;
}

static int make_boot(struct slurm *slurm, const struct order *order, char **boot, struct err *err)
{
    const struct pilot *pilot = pilot_find(slurm, order->shape);
    struct shape shape;
    int rc;

    if (!pilot)
        return err_set(err, FAULT_NO_CAPACITY, "no node offers the shape %s any more",
                       order->shape);
    shape = shape_of(pilot, slurm->remote.conf);
    rc = remote_boot(&slurm->remote, order, &shape, order->deadline_mono_ms, boot, err);
    free(shape.name);
    free(shape.gpu_model);
    return rc;
}

static int slurm_create(void *self, const struct order *order, struct err *err)
{
    struct slurm *slurm = self;
    own_buf struct buf script = BUF_INIT(0), out = BUF_INIT(65536);
    own_str char *boot = NULL;

    if (make_boot(slurm, order, &boot, err) < 0)
        return -1;
    /* One that an earlier call has made is found by its name. */
    put_names(&script);
    buf_printf(&script,
               "names || exit $?\n"
               "! printf '%%s\\n' \"$queue\" | grep -q ' %s$' || exit 0\n",
               order->name);
    remote_put_boot(&slurm->remote, order->name, boot, &script);
    put_one(slurm, pilot_find(slurm, order->shape), order, &script);
    return remote_run(&slurm->remote, buf_text(&script), &out, order->deadline_mono_ms, err);
}

/* ---- many at once
 * ---------------------------------------------------------------------------------
 */

#define MEMBER_MOST 1000 /* MaxArraySize is 1001 where nobody has set it */

/* Those of one shape, one `sbatch --array` for all. */
struct flock {
    const struct order *orders[SITE_CREATES_MOST];
    struct err *errs[SITE_CREATES_MOST];
    size_t count;
    int64_t base; /* the worker's number that is member 0 */
    size_t prefix;
};

static bool joins(const struct flock *flock, const struct order *order)
{
    const struct order *first = flock->orders[0];
    size_t prefix;
    int64_t number = slurm_name_number(order->name, &prefix);

    return strcmp(order->shape, first->shape) == 0 && strcmp(order->broker, first->broker) == 0 &&
           prefix == flock->prefix && strncmp(order->name, first->name, prefix) == 0 &&
           number >= flock->base && number - flock->base <= MEMBER_MOST;
}

/* Member by member into "$@" and $members, but for those that an earlier call has made. */
static int put_members(struct slurm *slurm, const struct flock *flock, struct buf *script,
                       struct err *err)
{
    put_names(script);
    buf_puts(script, "names || exit $?\nhave=$(printf '%s\\n' \"$queue\" | sed 's/.* //')\n"
                     "members=\nset --\n");
    for (size_t i = 0; i < flock->count; i++) {
        const struct order *order = flock->orders[i];
        own_str char *boot = NULL;
        size_t prefix;

        if (make_boot(slurm, order, &boot, err) < 0)
            return -1;
        buf_printf(script, "if ! printf '%%s\\n' \"$have\" | grep -qx '%s'; then\n", order->name);
        remote_put_boot(&slurm->remote, order->name, boot, script);
        buf_printf(script, "set -- \"$@\" \"$W\"\nmembers=$members,%lld\nfi\n",
                   (long long)(slurm_name_number(order->name, &prefix) - flock->base));
    }
    buf_puts(script, "test -n \"$members\" || exit 0\n");
    return 0;
}

static int make_flock(struct slurm *slurm, const struct flock *flock, struct err *err)
{
    const struct order *first = flock->orders[0];
    own_buf struct buf script = BUF_INIT(0), out = BUF_INIT(65536);
    own_str char *name =
        xasprintf("%.*s%lld+", (int)flock->prefix, first->name, (long long)flock->base);

    if (put_members(slurm, flock, &script, err) < 0)
        return -1;
    /* Each finds its folder by its number in the array. */
    buf_puts(&script, "workers=${W%/*}\n");
    put_sbatch(slurm, pilot_find(slurm, first->shape), name, first->broker, &script);
    buf_printf(&script,
               " --array=\"${members#,}\" --output=/dev/null --chdir=\"$workers\" --wrap=\""
               "W='$workers'/%.*s\\$((%lld + SLURM_ARRAY_TASK_ID)) && cd \\\"\\$W\\\" && exec '%s' "
               "--boot \\\"\\$W/boot.json\\\" >\\\"\\$W/agent.log\\\" 2>&1\""
               " || { status=$?; rm -rf \"$@\"; exit $status; }\n",
               (int)flock->prefix, first->name, (long long)flock->base, slurm->remote.agent_there);
    return remote_run(&slurm->remote, buf_text(&script), &out, first->deadline_mono_ms, err);
}

static void finish_flock(struct slurm *slurm, struct flock *flock)
{
    struct err err = ERR_INIT;
    int rc = flock->count == 1 ? slurm_create(slurm, flock->orders[0], &err)
                               : make_flock(slurm, flock, &err);

    for (size_t i = 0; rc < 0 && i < flock->count; i++)
        *flock->errs[i] = err;
}

static void slurm_create_many(void *self, const struct order *orders, size_t count,
                              struct err *errs)
{
    bool done[SITE_CREATES_MOST] = { false };

    for (size_t i = 0; i < count; i++) {
        struct flock flock = { .count = 0 };

        if (done[i])
            continue;
        flock.orders[0] = &orders[i];
        flock.base = slurm_name_number(orders[i].name, &flock.prefix);
        for (size_t k = i; k < count; k++) {
            if (done[k] || (k != i && (flock.base < 0 || !joins(&flock, &orders[k]))))
                continue;
            done[k] = true;
            flock.orders[flock.count] = &orders[k];
            flock.errs[flock.count++] = &errs[k];
        }
        finish_flock(self, &flock);
    }
}

static void list_job(const struct slurm_job *job, struct resources_list *out)
{
    enum fault fault;
    enum instance_state state = slurm_state(job, &fault);
    bool expected = state == INSTANCE_BOOTING && job->start_ms;
    own_buf struct buf words = BUF_INIT(0);
    char start[FORMAT_BYTES];

    buf_printf(&words, "job %s is %s", job->id, job->state);
    if (job->reason[0] && strcmp(job->reason, "None") != 0)
        buf_printf(&words, " (%s)", job->reason);
    if (expected)
        buf_printf(&words, "; Slurm expects to start it at %s",
                   format_time(job->start_ms, start, sizeof start));
    resource_add(out, job->id, job->name, state, buf_text(&words), job->submitted_ms);
    out->list[out->count - 1].fault = fault;
    if (expected)
        out->list[out->count - 1].start_ms = job->start_ms;
}

static bool listed(const struct resources_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->list[i].name, name) == 0)
            return true;
    return false;
}

/* "folder NAME" lines follow the queue's. */
static void list_text(char *text, const char *broker, struct resources_list *out)
{
    struct slurm_job job;
    char *line;

    while ((line = next_line(&text))) {
        if (strncmp(line, "folder ", 7) == 0) {
            line += 7;
            if (remote_is_ours(line, broker) && !listed(out, line))
                resource_add(out, line, line, INSTANCE_FAILED, "its batch job has ended", 0);
        } else if (slurm_job_read(line, &job) && strcmp(job.comment, broker) == 0) {
            list_job(&job, out);
        }
    }
}

static int slurm_list(void *self, const char *broker, int64_t deadline_mono_ms,
                      struct resources_list *out, struct err *err)
{
    struct slurm *slurm = self;
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(REMOTE_OUTPUT_MOST);

    if ((slurm->remote.dir ? remote_tunnel(&slurm->remote, deadline_mono_ms, err)
                           : remote_ready(&slurm->remote, deadline_mono_ms, err)) < 0)
        return -1;
    /* Folders first: a job that ends in between is then seen as running, not as gone. */
    buf_puts(&script, "cd ");
    put_quoted(&script, slurm->remote.dir);
    buf_puts(&script, "/workers || exit 1\nfolders=$(ls -1)\n");
    put_squeue(&script);
    buf_puts(&script, "for f in $folders; do echo \"folder $f\"; done\n");
    if (remote_run(&slurm->remote, buf_text(&script), &text, deadline_mono_ms, err) < 0)
        return -1;
    list_text(text.data, broker, out);
    return 0;
}

static int slurm_inspect(void *self, const char *name, int64_t deadline_mono_ms,
                         enum instance_state *out, struct buf *detail, struct err *err)
{
    struct slurm *slurm = self;
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(REMOTE_OUTPUT_MOST);
    struct slurm_job job;
    enum fault fault;
    char *at, *line;

    put_squeue(&script);
    if (remote_run(&slurm->remote, buf_text(&script), &text, deadline_mono_ms, err) < 0)
        return -1;
    *out = INSTANCE_GONE;
    at = text.data;
    while ((line = next_line(&at)))
        if (slurm_job_read(line, &job) && strcmp(job.name, name) == 0) {
            *out = slurm_state(&job, &fault);
            buf_printf(detail, "job %s is %s (%s)", job.id, job.state, job.reason);
        }
    return 0;
}

static int slurm_diagnose(void *self, const char *name, int64_t deadline_mono_ms, struct buf *out,
                          struct err *err)
{
    return remote_diagnose(&((struct slurm *)self)->remote, name, deadline_mono_ms, out, err);
}

/* The folder goes last and only after the job: as long as it is there, the list shows the worker.
 */
static int slurm_destroy(void *self, const char *name, int64_t deadline_mono_ms, struct err *err)
{
    struct slurm *slurm = self;
    own_buf struct buf script = BUF_INIT(0), out = BUF_INIT(65536);

    if (!slurm->remote.dir && remote_ready(&slurm->remote, deadline_mono_ms, err) < 0)
        return -1;
    put_names(&script);
    buf_printf(&script,
               "look() {\n    names || exit $?\n"
               "    left=$(printf '%%s\\n' \"$queue\" | sed -n 's/ %s$//p')\n}\n"
               "look\n"
               "test -z \"$left\" || timeout %d scancel $left || exit $?\n"
               "for i in 1 2 3 4 5 6; do\n"
               "    test -n \"$left\" || break\n    sleep 0.3\n    look\ndone\n"
               "test -z \"$left\" || exit 0\ncd ",
               name, COMMAND_S);
    put_quoted(&script, slurm->remote.dir);
    buf_printf(&script, "/workers && rm -rf './%s'\n", name);
    return remote_run(&slurm->remote, buf_text(&script), &out, deadline_mono_ms, err);
}

static void slurm_calls(void *self, int *last_minute, int *most)
{
    remote_calls(&((struct slurm *)self)->remote, last_minute, most);
}

static int slurm_watch_fd(void *self)
{
    return ssh_watch_fd(((struct slurm *)self)->remote.ssh);
}

const struct site_driver slurm_driver = {
    .type = "slurm",
    .settle_ms = 1000,
    .open = slurm_open,
    .close = slurm_close,
    .probe = slurm_probe,
    .create = slurm_create,
    .create_many = slurm_create_many,
    .list = slurm_list,
    .inspect = slurm_inspect,
    .diagnose = slurm_diagnose,
    .destroy = slurm_destroy,
    .watch_fd = slurm_watch_fd,
    .calls = slurm_calls,
    .home = &slurm_home,
};
