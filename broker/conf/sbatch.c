/* SPDX-License-Identifier: Apache-2.0 */
/* sbatch.c - what sbatch's options mean here.
 *
 * A table holds every option of sbatch(1) that a script may bear: those with a counterpart have a
 * function or the name of ours, the others the words of their warning.  Nothing is passed over in
 * silence. */
#include <string.h>

#include "base/own.h"
#include "base/parse.h"
#include "conf/options.h"
#include "conf/script_parts.h"

#define SPREAD "Spillway chooses where a job runs"
#define PLACED "cores and memory are bound by the site"
#define LAYOUT "a job is one process on one machine, which starts what it needs itself"
#define ALWAYS "it has no meaning here"

/* ---- values
 * ------------------------------------------------------------------------------------------ */

static bool take_number(struct script_reading *r, const char *option, const char *value,
                        int64_t *out)
{
    struct err err = ERR_INIT;

    if (parse_i64(value, 1, 10000000, out, &err) == 0)
        return true;
    script_fault(r, "--%s: %s", option, err.text);
    return false;
}

#define BYTES_MOST (INT64_C(1) << 60)

/* "4G", "4096", "512M": as sbatch reads it, MiB unless said. */
static bool take_size(struct script_reading *r, const char *option, const char *value, int64_t *out)
{
    static const char units[] = "KkMmGgTt";
    size_t digits = strspn(value, "0123456789");
    const char *rest = value + digits;
    int shift = 20;
    int64_t number = 0;
    char text[24];

    snprintf(text, sizeof text, "%.*s", (int)(digits < 23 ? digits : 23), value);
    if (*rest) {
        const char *unit = strchr(units, *rest);

        shift = unit ? 10 * ((int)(unit - units) / 2 + 1) : -1;
        rest += 1 + (rest[1] == 'B' || rest[1] == 'b');
    }
    if (shift < 0 || *rest ||
        parse_i64(text, 0, BYTES_MOST >> (shift < 0 ? 0 : shift), &number, NULL) < 0) {
        script_fault(r, "--%s: '%.40s' is not a size; write it as 4G or 512M", option, value);
        return false;
    }
    *out = number << shift;
    return true;
}

/* What is too large for any machine stays so: the checker of the description refuses it. */
static int64_t times(int64_t a, int64_t b)
{
    int64_t product;

    return __builtin_mul_overflow(a, b, &product) || product > BYTES_MOST ? BYTES_MOST : product;
}

static void set_bytes(struct script_reading *r, const char *option, int64_t bytes)
{
    char text[FORMAT_BYTES];

    script_set(r, option, format_bytes(bytes, text, sizeof text));
}

typedef void sbatch_set(struct script_reading *r, const char *value);

static void set_memory(struct script_reading *r, const char *value)
{
    int64_t bytes;

    if (!take_size(r, "mem", value, &bytes))
        return;
    r->sbatch.memory_per_cpu = 0; /* the last one counts */
    if (bytes)
        set_bytes(r, "memory", bytes);
    else
        script_warn(r, "--mem=0 (all memory of the node) is ignored: say how much the job needs");
}

static void set_memory_per_cpu(struct script_reading *r, const char *value)
{
    take_size(r, "mem-per-cpu", value, &r->sbatch.memory_per_cpu);
    r->sbatch.memory_line = r->line;
}

static void set_memory_per_gpu(struct script_reading *r, const char *value)
{
    take_size(r, "mem-per-gpu", value, &r->sbatch.memory_per_gpu);
    r->sbatch.memory_line = r->line;
}

static void set_disk(struct script_reading *r, const char *value)
{
    int64_t bytes;

    if (take_size(r, "tmp", value, &bytes) && bytes)
        set_bytes(r, "disk", bytes);
}

/* Minutes where there is no colon. */
static void set_walltime(struct script_reading *r, const char *value)
{
    char text[32];

    if (strcmp(value, "UNLIMITED") == 0 || strcmp(value, "INFINITE") == 0 ||
        strcmp(value, "0") == 0)
        return;
    if (*value && strspn(value, "0123456789") == strlen(value) && strlen(value) < 20)
        snprintf(text, sizeof text, "%sm", value);
    else
        snprintf(text, sizeof text, "%s", value);
    script_set(r, "walltime", text);
}

static void set_cpus(struct script_reading *r, const char *value)
{
    take_number(r, "cpus-per-task", value, &r->sbatch.cpus_per_task);
    r->sbatch.tasks_line = r->line;
}

static void set_tasks(struct script_reading *r, const char *value)
{
    take_number(r, "ntasks", value, &r->sbatch.tasks);
    r->sbatch.tasks_line = r->line;
}

static void set_tasks_per_node(struct script_reading *r, const char *value)
{
    take_number(r, "ntasks-per-node", value, &r->sbatch.tasks_per_node);
    r->sbatch.tasks_line = r->line;
}

/* "2" or "2-4": the least will do. */
static void set_nodes(struct script_reading *r, const char *value)
{
    char least[24];

    snprintf(least, sizeof least, "%.*s", (int)strcspn(value, "-"), value);
    take_number(r, "nodes", least, &r->sbatch.nodes);
    r->sbatch.nodes_line = r->line;
}

/* ---- GPUs
 * -------------------------------------------------------------------------------------------- */

static void set_cpus_per_gpu(struct script_reading *r, const char *value)
{
    take_number(r, "cpus-per-gpu", value, &r->sbatch.cpus_per_gpu);
    r->sbatch.tasks_line = r->line;
}

static void set_gpus_per_task(struct script_reading *r, const char *value)
{
    const char *colon = strrchr(value, ':');

    if (!take_number(r, "gpus-per-task", colon ? colon + 1 : value, &r->sbatch.gpus_per_task))
        return;
    script_set(r, "gpus", value);
    r->sbatch.tasks_line = r->line;
}

static void set_gpus(struct script_reading *r, const char *value)
{
    if (strchr(value, ','))
        script_fault(r, "--gpus: several kinds in one job; write #SPILLWAY --gpu-model A,B for "
                        "any of them");
    else
        script_set(r, "gpus", value);
}

/* "gpu", "gpu:2", "gpu:V100:2", and others behind commas. */
static void set_gres(struct script_reading *r, const char *value)
{
    while (*value) {
        size_t length = strcspn(value, ",");
        char one[128];

        snprintf(one, sizeof one, "%.*s", (int)length, value);
        if (strcmp(one, "gpu") == 0)
            script_set(r, "gpus", "1");
        else if (strncmp(one, "gpu:", 4) == 0)
            script_set(r, "gpus", one + 4);
        else if (strcmp(one, "none") != 0)
            script_warn(r, "--gres=%s is ignored: only GPUs can be asked for", one);
        value += length + (value[length] == ',');
    }
}

/* ---- when
 * -------------------------------------------------------------------------------------------- */

/* One of "afterok:12:13" or "singleton". */
static void add_dependency(struct script_reading *r, char *one)
{
    static const struct {
        const char *name, *outcome;
    } kinds[] = {
        { "afterok", "success" },
        { "afternotok", "failure" },
        { "afterany", "any" },
        { "aftercorr", "success" },
    };
    char *id = strchr(one, ':'), *next;
    size_t kind = 0;

    if (id)
        *id++ = '\0';
    while (kind < array_len(kinds) && strcmp(kinds[kind].name, one) != 0)
        kind++;
    if (r->call && strcmp(one, "singleton") == 0) {
        r->call->singleton = true;
        return;
    }
    if (kind == array_len(kinds) || !id) {
        (r->call ? script_fault
                 : script_warn)(r,
                                "--dependency=%.40s%s only afterok, afternotok, afterany and "
                                "aftercorr have a counterpart",
                                one, r->call ? ":" : " is ignored:");
        return;
    }
    for (; id; id = next) {
        json_t *after = json_object_get(r->out->description, "after");
        int64_t job;

        if ((next = strchr(id, ':')))
            *next++ = '\0';
        if (strlen(id) > 2 && strcmp(id + strlen(id) - 2, "_*") == 0)
            id[strlen(id) - 2] = '\0'; /* all of an array */
        if (parse_i64(id, 1, INT64_MAX, &job, NULL) < 0) {
            script_fault(r, "--dependency: '%.40s' is no job's id", id);
            return;
        }
        if (!after)
            json_object_set_new(r->out->description, "after", after = json_array());
        json_array_append_new(after, json_pack("{s:I, s:s, s:b}", "job", (json_int_t)job, "on",
                                               kinds[kind].outcome, "each",
                                               strcmp(one, "aftercorr") == 0));
    }
    script_place(r, "after");
}

static void set_dependency(struct script_reading *r, const char *value)
{
    own_str char *copy = xstrdup(value);
    char *one, *rest = copy;

    json_object_del(r->out->description, "after"); /* the last one counts */
    if (strchr(value, '?')) {
        (r->call ? script_fault : script_warn)(
            r, r->call ? "--dependency: '?' (any of them) has no counterpart"
                       : "--dependency: '?' (any of them) has no counterpart; all of them are "
                         "waited for");
        for (char *c = copy; *c; c++)
            *c = *c == '?' ? ',' : *c;
    }
    while ((one = strsep(&rest, ",")))
        if (*one)
            add_dependency(r, one);
}

static void set_nice(struct script_reading *r, const char *value)
{
    int64_t nice = 100; /* as sbatch has it, when none is given */
    char text[24];

    if (value && *value && parse_i64(value, -2147483645, 2147483645, &nice, NULL) < 0) {
        script_fault(r, "--nice: '%.40s' is not a whole number", value);
        return;
    }
    nice = nice > 1000 ? 1000 : nice < -1000 ? -1000 : nice;
    snprintf(text, sizeof text, "%lld", (long long)-nice);
    script_set(r, "priority", text);
}

static void set_priority(struct script_reading *r, const char *value)
{
    int64_t number;

    if (parse_i64(value, -1000, 1000, &number, NULL) == 0)
        script_set(r, "priority", value);
    else
        script_warn(r, "--priority=%.40s is ignored: priorities here go from -1000 to 1000", value);
}

/* "B:USR1@120": the batch shell alone, or all its processes. */
static void set_signal(struct script_reading *r, const char *value)
{
    const char *colon = strrchr(value, ':');

    if (colon && strspn(value, "RB:") != (size_t)(colon - value) + 1)
        colon = NULL;
    script_set(r, "signal", colon ? colon + 1 : value);
}

static void set_no_requeue(struct script_reading *r, const char *value)
{
    (void)value;
    script_set(r, "retry-infra", "0");
    script_set(r, "retry-preempt", "0");
}

static void set_requeue(struct script_reading *r, const char *value)
{
    (void)r;
    (void)value; /* as it is done here anyway */
}

/* ---- environment, licenses, mail
 * --------------------------------------------------------------------- */

static void set_export(struct script_reading *r, const char *value)
{
    while (*value) {
        size_t length = strcspn(value, ",");
        own_str char *one = xstrndup(value, length);

        if (strcmp(one, "ALL") == 0)
            script_warn(r,
                        "--export=ALL is ignored: a job may run elsewhere, so name the variables "
                        "that it needs");
        else if (*one && strcmp(one, "NONE") != 0 && strcmp(one, "NIL") != 0)
            script_set(r, "env", one);
        value += length + (value[length] == ',');
    }
}

/* "matlab@server:2,idl" */
static void set_licenses(struct script_reading *r, const char *value)
{
    while (*value) {
        size_t length = strcspn(value, ",|"), name = strcspn(value, "@:,|");
        const char *count = memchr(value, ':', length);
        char one[160];

        snprintf(one, sizeof one, "%.*s%.*s", (int)name, value,
                 count ? (int)(length - (size_t)(count - value)) : 0, count ? count : "");
        if (length)
            script_set(r, "limit", one);
        value += length + (value[length] != '\0');
    }
}

static void set_mail_type(struct script_reading *r, const char *value)
{
    static const struct {
        const char *name, *events;
    } types[] = {
        { "BEGIN", "started" },
        { "END", "succeeded,failed,cancelled" },
        { "FAIL", "failed" },
        { "ALL", "started,succeeded,failed,cancelled" },
    };

    while (*value) {
        size_t length = strcspn(value, ","), i = 0;

        while (i < array_len(types) &&
               (strlen(types[i].name) != length || strncmp(types[i].name, value, length) != 0))
            i++;
        if (i < array_len(types)) {
            script_set(r, "notify", types[i].events);
            r->sbatch.told = true;
            r->sbatch.mail_line = r->line;
        } else if (strncmp(value, "NONE", length) != 0) {
            script_warn(r,
                        "--mail-type=%.*s is ignored: only BEGIN, END, FAIL and ALL have a "
                        "counterpart",
                        (int)(length < 40 ? length : 40), value);
        }
        value += length + (value[length] == ',');
    }
}

static void set_mail_user(struct script_reading *r, const char *value)
{
    script_set(r, "notify-mail", value);
    r->sbatch.mail_to = true;
}

static void set_log(struct script_reading *r, const char *value)
{
    if (strcmp(value, "/dev/null") != 0)
        script_warn(r,
                    "the log is not written to '%.60s': the broker keeps it; see 'spillway logs'",
                    value);
}

/* ---- sbatch itself
 * ------------------------------------------------------------------------------------ */

void sbatch_call_free(struct sbatch_call *call)
{
    free(call->chdir);
    free(call->output);
    free(call->error);
    free(call->export);
    free(call->wrap);
    free(call->partition);
    *call = (struct sbatch_call){ 0 };
}

/* Whether the option is one that sbatch sees to. */
static bool call_takes(struct script_reading *r, const char *name, const char *value)
{
    struct sbatch_call *call = r->call;
    const struct {
        const char *name;
        char **text;
        bool *flag;
    } takes[] = {
        { "chdir", &call->chdir, NULL },
        { "output", &call->output, NULL },
        { "error", &call->error, NULL },
        { "export", &call->export, NULL },
        { "wrap", &call->wrap, NULL },
        { "partition", &call->partition, NULL },
        { "parsable", NULL, &call->parsable },
        { "wait", NULL, &call->wait },
        { "test-only", NULL, &call->test_only },
        { "quiet", NULL, &call->quiet },
        { "verbose", NULL, NULL },
    };

    if (strcmp(name, "open-mode") == 0) {
        call->append = *value == 'a';
        if (strcmp(value, "append") != 0 && strcmp(value, "truncate") != 0)
            script_fault(r, "--open-mode: write append or truncate");
        return true;
    }
    if (strcmp(name, "input") == 0 && strcmp(value, "/dev/null") == 0)
        return true;
    for (size_t i = 0; i < array_len(takes); i++) {
        if (strcmp(takes[i].name, name) != 0)
            continue;
        if (takes[i].flag)
            *takes[i].flag = true;
        if (takes[i].text) {
            free(*takes[i].text);
            *takes[i].text = xstrdup(value);
        }
        return true;
    }
    return false;
}

/* ---- the table
 * --------------------------------------------------------------------------------------- */

enum value_rule { VALUE_NONE, VALUE_MAY, VALUE_MUST };

static const struct sbatch_rule {
    const char *name;
    char letter;
    enum value_rule value;
    sbatch_set *set;
    const char *ours; /* an option of ours that takes the same value */
    const char *why;  /* neither: what the warning says */
} rules[] = {
    { "account", 'A', VALUE_MUST, NULL, "project", NULL },
    { "acctg-freq", 0, VALUE_MUST, NULL, NULL, "the agent measures at its own pace" },
    { "array", 'a', VALUE_MUST, NULL, "array", NULL },
    { "batch", 0, VALUE_MUST, NULL, NULL, SPREAD },
    { "bb", 0, VALUE_MUST, NULL, NULL, "there are no burst buffers; name inputs and outputs" },
    { "bbf", 0, VALUE_MUST, NULL, NULL, "there are no burst buffers; name inputs and outputs" },
    { "begin", 'b', VALUE_MUST, NULL, "begin", NULL },
    { "chdir", 'D', VALUE_MUST, NULL, NULL,
      "each job has a directory of its own; name what it needs with #SPILLWAY --input" },
    { "cluster-constraint", 0, VALUE_MUST, NULL, NULL, SPREAD },
    { "clusters", 'M', VALUE_MUST, NULL, NULL, SPREAD },
    { "comment", 0, VALUE_MUST, NULL, "comment", NULL },
    { "constraint", 'C', VALUE_MUST, NULL, NULL,
      "features are a site's own; ask for --gpu-model, --memory or --image" },
    { "container", 0, VALUE_MUST, NULL, NULL,
      "an OCI bundle is a folder of one machine; name an image with #SPILLWAY --container" },
    { "contiguous", 0, VALUE_NONE, NULL, NULL, LAYOUT },
    { "core-spec", 'S', VALUE_MUST, NULL, NULL, PLACED },
    { "cores-per-socket", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "cpu-freq", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "cpus-per-gpu", 0, VALUE_MUST, set_cpus_per_gpu, NULL, NULL },
    { "cpus-per-task", 'c', VALUE_MUST, set_cpus, NULL, NULL },
    { "deadline", 0, VALUE_MUST, NULL, "deadline", NULL },
    { "delay-boot", 0, VALUE_MUST, NULL, NULL, ALWAYS },
    { "dependency", 'd', VALUE_MUST, set_dependency, NULL, NULL },
    { "distribution", 'm', VALUE_MUST, NULL, NULL, LAYOUT },
    { "error", 'e', VALUE_MUST, set_log, NULL, NULL },
    { "exclude", 'x', VALUE_MUST, NULL, NULL, SPREAD },
    { "exclusive", 0, VALUE_MAY, NULL, NULL,
      "ask for the cores and the memory that the job needs" },
    { "export", 0, VALUE_MUST, set_export, NULL, NULL },
    { "export-file", 0, VALUE_MUST, NULL, NULL, "name the variables with #SPILLWAY --env" },
    { "extra", 0, VALUE_MUST, NULL, NULL, ALWAYS },
    { "extra-node-info", 'B', VALUE_MUST, NULL, NULL, PLACED },
    { "get-user-env", 0, VALUE_MAY, NULL, NULL, "name the variables with #SPILLWAY --env" },
    { "gid", 0, VALUE_MUST, NULL, NULL, "a job runs as its worker's user" },
    { "gpu-bind", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "gpu-freq", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "gpus", 'G', VALUE_MUST, set_gpus, NULL, NULL },
    { "gpus-per-node", 0, VALUE_MUST, set_gpus, NULL, NULL },
    { "gpus-per-socket", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "gpus-per-task", 0, VALUE_MUST, set_gpus_per_task, NULL, NULL },
    { "gres", 0, VALUE_MUST, set_gres, NULL, NULL },
    { "gres-flags", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "hint", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "hold", 'H', VALUE_NONE, NULL, "hold", NULL },
    { "ignore-pbs", 0, VALUE_NONE, set_requeue, NULL, NULL },
    { "input", 'i', VALUE_MUST, NULL, NULL,
      "standard input is empty; name the file with #SPILLWAY --input and read it in the script" },
    { "job-name", 'J', VALUE_MUST, NULL, "name", NULL },
    { "kill-on-invalid-dep", 0, VALUE_MUST, NULL, NULL,
      "a job whose dependency can never come true ends with reason 'dependency'" },
    { "licenses", 'L', VALUE_MUST, set_licenses, NULL, NULL },
    { "mail-type", 0, VALUE_MUST, set_mail_type, NULL, NULL },
    { "mail-user", 0, VALUE_MUST, set_mail_user, NULL, NULL },
    { "mcs-label", 0, VALUE_MUST, NULL, NULL, ALWAYS },
    { "mem", 0, VALUE_MUST, set_memory, NULL, NULL },
    { "mem-bind", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "mem-per-cpu", 0, VALUE_MUST, set_memory_per_cpu, NULL, NULL },
    { "mem-per-gpu", 0, VALUE_MUST, set_memory_per_gpu, NULL, NULL },
    { "mincpus", 0, VALUE_MUST, NULL, NULL, "ask for --cpus-per-task" },
    { "network", 0, VALUE_MUST, NULL, NULL, ALWAYS },
    { "nice", 0, VALUE_MAY, set_nice, NULL, NULL },
    { "no-kill", 'k', VALUE_MAY, NULL, NULL, LAYOUT },
    { "no-requeue", 0, VALUE_NONE, set_no_requeue, NULL, NULL },
    { "nodefile", 'F', VALUE_MUST, NULL, NULL, SPREAD },
    { "nodelist", 'w', VALUE_MUST, NULL, NULL, SPREAD },
    { "nodes", 'N', VALUE_MUST, set_nodes, NULL, NULL },
    { "ntasks", 'n', VALUE_MUST, set_tasks, NULL, NULL },
    { "ntasks-per-core", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "ntasks-per-gpu", 0, VALUE_MUST, NULL, NULL, LAYOUT },
    { "ntasks-per-node", 0, VALUE_MUST, set_tasks_per_node, NULL, NULL },
    { "ntasks-per-socket", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "open-mode", 0, VALUE_MUST, NULL, NULL, "each attempt has a log of its own" },
    { "output", 'o', VALUE_MUST, set_log, NULL, NULL },
    { "overcommit", 'O', VALUE_NONE, NULL, NULL, PLACED },
    { "oversubscribe", 's', VALUE_NONE, NULL, NULL, PLACED },
    { "parsable", 0, VALUE_NONE, NULL, NULL, "give --parsable to 'spillway submit' itself" },
    { "partition", 'p', VALUE_MUST, NULL, NULL, SPREAD },
    { "power", 0, VALUE_MUST, NULL, NULL, ALWAYS },
    { "prefer", 0, VALUE_MUST, NULL, NULL,
      "features are a site's own; see #SPILLWAY --prefer-site" },
    { "priority", 0, VALUE_MUST, set_priority, NULL, NULL },
    { "profile", 0, VALUE_MUST, NULL, NULL, "time and memory are always recorded" },
    { "propagate", 0, VALUE_MAY, NULL, NULL, "limits are those of the worker" },
    { "qos", 'q', VALUE_MUST, NULL, NULL, "see --priority and --project" },
    { "quiet", 'Q', VALUE_NONE, NULL, NULL, ALWAYS },
    { "reboot", 0, VALUE_NONE, NULL, NULL, ALWAYS },
    { "requeue", 0, VALUE_NONE, set_requeue, NULL, NULL },
    { "reservation", 0, VALUE_MUST, NULL, NULL, SPREAD },
    { "signal", 0, VALUE_MUST, set_signal, NULL, NULL },
    { "sockets-per-node", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "spread-job", 0, VALUE_NONE, NULL, NULL, LAYOUT },
    { "switches", 0, VALUE_MUST, NULL, NULL, SPREAD },
    { "test-only", 0, VALUE_NONE, NULL, NULL, "give --dry-run to 'spillway submit' itself" },
    { "thread-spec", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "threads-per-core", 0, VALUE_MUST, NULL, NULL, PLACED },
    { "time", 't', VALUE_MUST, set_walltime, NULL, NULL },
    { "time-min", 0, VALUE_MUST, NULL, NULL, "--time alone counts" },
    { "tmp", 0, VALUE_MUST, set_disk, NULL, NULL },
    { "tres-per-task", 0, VALUE_MUST, NULL, NULL, "ask for --cpus-per-task and --gpus" },
    { "uid", 0, VALUE_MUST, NULL, NULL, "a job runs as its worker's user" },
    { "use-min-nodes", 0, VALUE_NONE, NULL, NULL, LAYOUT },
    { "verbose", 'v', VALUE_NONE, NULL, NULL, ALWAYS },
    { "wait", 'W', VALUE_NONE, NULL, NULL, "give --wait to 'spillway submit' itself" },
    { "wait-all-nodes", 0, VALUE_MUST, NULL, NULL, "machines of one job always start together" },
    { "wckey", 0, VALUE_MUST, NULL, NULL, "see --project and --comment" },
    { "wrap", 0, VALUE_MUST, NULL, NULL, "a script already says what to run" },
};

static const struct sbatch_rule *find_rule(const char *name, char letter)
{
    for (size_t i = 0; i < array_len(rules); i++)
        if (name ? strcmp(rules[i].name, name) == 0 : rules[i].letter == letter)
            return &rules[i];
    return NULL;
}

static void unknown_option(struct script_reading *r, const char *name, char letter)
{
    const char *names[array_len(rules) + 1] = { NULL }, *near;

    if (!name) {
        script_fault(r, "sbatch has no option -%c", letter);
        return;
    }
    for (size_t i = 0; i < array_len(rules); i++)
        names[i] = rules[i].name;
    near = nearest_word(name, names);
    script_fault(r, "sbatch has no option --%.60s%s%s%s", name, near ? "; did you mean --" : "",
                 near ? near : "", near ? "?" : "");
}

static void apply(struct script_reading *r, const struct sbatch_rule *rule, const char *value)
{
    if (rule->set)
        rule->set(r, value ? value : "");
    else if (rule->ours)
        script_set(r, rule->ours, value);
    else
        script_warn(r, "--%s is ignored: %s", rule->name, rule->why);
}

bool sbatch_option(struct script_reading *r, const char *name, char letter, const char *value,
                   const char *next)
{
    const struct sbatch_rule *rule = find_rule(name, letter);
    bool taken = false;

    if (!rule) {
        unknown_option(r, name, letter);
        return false;
    }
    if (rule->value == VALUE_MUST && !value) {
        value = next;
        taken = true;
    }
    if (rule->value == VALUE_MUST && !value)
        script_fault(r, "--%s needs a value", rule->name);
    else if (rule->value == VALUE_NONE && value)
        script_fault(r, "--%s takes no value", rule->name);
    else if (!r->call || !call_takes(r, rule->name, value ? value : ""))
        apply(r, rule, value);
    return taken && next;
}

/* A short flag with others behind it, as -HQ: the next one. */
static const char *bundled(const char *word)
{
    const struct sbatch_rule *rule = find_rule(NULL, word[1]);

    return rule && rule->value == VALUE_NONE && word[2] ? word + 1 : NULL;
}

bool sbatch_word(struct script_reading *r, const char *word, const char *next)
{
    const char *more;

    if (word[1] == '-') {
        const char *equals = strchr(word, '=');
        own_str char *name = xstrndup(word + 2, equals ? (size_t)(equals - word) - 2 : SIZE_MAX);

        return sbatch_option(r, name, 0, equals ? equals + 1 : NULL, next);
    }
    while ((more = bundled(word))) {
        sbatch_option(r, NULL, word[1], NULL, NULL);
        word = more;
    }
    return sbatch_option(r, NULL, word[1], word[2] ? word + 2 : NULL, next);
}

size_t sbatch_option_words(const char *const *words)
{
    size_t i = 0;

    for (; words[i] && words[i][0] == '-' && words[i][1]; i++) {
        const char *word = words[i], *more;
        const struct sbatch_rule *rule;
        bool has_value;

        if (strcmp(word, "--") == 0)
            return i;
        if (word[1] == '-') {
            own_str char *name = xstrndup(word + 2, strcspn(word + 2, "="));

            rule = find_rule(name, 0);
            has_value = strchr(word, '=');
        } else {
            while ((more = bundled(word)))
                word = more;
            rule = find_rule(NULL, word[1]);
            has_value = word[2];
        }
        if (rule && rule->value == VALUE_MUST && !has_value && words[i + 1])
            i++;
    }
    return i;
}

/* ---- what several say together
 * ----------------------------------------------------------------------- */

static int64_t resource(const struct script_reading *r, const char *key)
{
    return json_integer_value(
        json_object_get(json_object_get(r->out->description, "resources"), key));
}

/* Tasks on each machine: sbatch spreads `ntasks` over the nodes. */
static int64_t tasks_each(const struct sbatch *s)
{
    int64_t nodes = s->nodes ? s->nodes : 1;

    if (s->tasks_per_node)
        return s->tasks_per_node;
    return s->tasks ? (s->tasks + nodes - 1) / nodes : 1;
}

static void set_count(struct script_reading *r, const char *option, int64_t count)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)count);
    script_set(r, option, text);
}

void sbatch_settle(struct script_reading *r)
{
    struct sbatch *s = &r->sbatch;
    int64_t each = tasks_each(s), cpus = times(each, s->cpus_per_task ? s->cpus_per_task : 1);

    r->line = s->tasks_line;
    if (s->gpus_per_task)
        set_count(r, "gpus", times(s->gpus_per_task, each));
    if (s->cpus_per_gpu && resource(r, "gpus") > 0)
        cpus = times(s->cpus_per_gpu, resource(r, "gpus"));
    if (s->tasks || s->tasks_per_node || s->cpus_per_task || s->cpus_per_gpu || s->gpus_per_task)
        set_count(r, "cpus", cpus);
    if (each > 1 && !r->call)
        script_warn(r, "%lld tasks are one job of %lld cores: the script starts them itself",
                    (long long)each, (long long)cpus);
    r->line = s->nodes_line;
    if (s->nodes > 1)
        set_count(r, "nodes", s->nodes);
    r->line = s->memory_line;
    if (s->memory_per_cpu)
        set_bytes(r, "memory", times(s->memory_per_cpu, cpus));
    if (s->memory_per_gpu && resource(r, "gpus") > 0)
        set_bytes(r, "memory", times(s->memory_per_gpu, resource(r, "gpus")));
    if (r->call) {
        r->call->tasks = s->tasks;
        r->call->tasks_per_node = s->tasks_per_node;
        r->call->cpus_per_task = s->cpus_per_task;
        r->call->nodes = s->nodes;
        r->call->memory_per_cpu = s->memory_per_cpu;
    }
    r->line = s->mail_line;
    if (s->told && !s->mail_to)
        script_warn(r, "--mail-type without --mail-user: say who is to be told");
}
