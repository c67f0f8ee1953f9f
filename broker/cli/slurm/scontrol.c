/* SPDX-License-Identifier: Apache-2.0 */
/* scontrol.c - `scontrol`: shows jobs, holds, releases and requeues them. */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/slurm/slurm.h"

static const struct option options[] = {
    { "oneliner", 'o', NULL, "one line for each job", COMPLETES_NOTHING },
    { "details", 'd', NULL, "has no meaning here", COMPLETES_NOTHING },
    { "all", 'a', NULL, "has no meaning here", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

/* ---- show ----------------------------------------------------------------------------------------
 */

static const struct {
    const char *key, *field;
    bool new_line; /* before it */
} lines[] = {
    { "JobId", "JobID", false },      { "JobName", "JobName", false },
    { "UserId", "User", true },       { "Priority", "Priority", false },
    { "Account", "Account", false },  { "QOS", "QOS", false },
    { "JobState", "State", true },    { "Reason", "Reason", false },
    { "Restarts", "Restarts", true }, { "ExitCode", "ExitCode", false },
    { "RunTime", "Elapsed", true },   { "TimeLimit", "Timelimit", false },
    { "SubmitTime", "Submit", true }, { "StartTime", "Start", true },
    { "EndTime", "End", false },      { "Partition", "Partition", true },
    { "NodeList", "Nodes", true },    { "BatchHost", "BatchHost", false },
    { "NumNodes", "NumNodes", true }, { "NumCPUs", "NumCPUs", false },
    { "TRES", "ReqTRES", true },      { "MinMemoryNode", "MinMemory", true },
    { "Command", "Command", true },   { "WorkDir", "WorkDir", true },
    { "StdErr", "StdErr", true },     { "StdOut", "StdOut", true },
    { "Comment", "Comment", true },
};

static void put_job(struct slurm_row *row, bool one_line, struct buf *out)
{
    for (size_t i = 0; i < array_len(lines); i++) {
        own_buf struct buf value = BUF_INIT(0);
        own_str char *safe = NULL;

        slurm_put(row, lines[i].field, &value);
        safe = safe_text(buf_text(&value));
        if (i)
            buf_puts(out, lines[i].new_line && !one_line ? "\n   " : " ");
        buf_printf(out, "%s=%s", lines[i].key, *safe ? safe : "(null)");
        if (i == 0 && json_is_integer(json_object_get(row->task, "index")))
            buf_printf(out, " ArrayJobId=%lld ArrayTaskId=%lld",
                       (long long)field_int(row->task, "job"),
                       (long long)field_int(row->task, "index"));
    }
    buf_puts(out, one_line ? "\n" : "\n\n");
}

static int show_jobs(struct cli *cli, const char *id, bool one_line, struct err *err)
{
    struct slurm_query query = { .jobs = id, .ended = id != NULL };
    struct slurm_row row = { .cli = cli, .now_ms = clock_wall_ms(), .err = err };
    own_json json_t *tasks = json_array();
    own_buf struct buf out = BUF_INIT(0);
    json_t *task;
    size_t i;

    if (slurm_tasks(cli, &query, tasks, err) < 0)
        return slurm_load_fault(err);
    row.details = slurm_details_new();
    json_array_foreach(tasks, i, task)
    {
        row.task = task;
        put_job(&row, one_line, &out);
    }
    slurm_details_free(row.details);
    if (err->fault)
        return -1;
    fputs(json_array_size(tasks) ? buf_text(&out) : "No jobs in the system\n", stdout);
    return 0;
}

/* ---- change --------------------------------------------------------------------------------------
 */

/* "12", "12_7" and "JobId=12", several behind commas. */
static int change(struct cli *cli, const char *verb, const char *list, struct err *err)
{
    own_str char *copy = xstrdup(list);
    char *one, *rest = copy;

    while ((one = strsep(&rest, ","))) {
        own_slurm_id struct slurm_id id = { .job = 0 };
        own_str char *path = NULL;
        own_json json_t *answer = NULL;

        if (strncasecmp(one, "jobid=", 6) == 0)
            one += 6;
        if (slurm_id_parse(one, &id, err) < 0)
            return -1;
        if (id.indices && id.indices[strspn(id.indices, "0123456789")])
            return err_set(err, FAULT_INVALID, "%.40s: name one task at a time", one);
        path = xasprintf("/v1/jobs/%lld%s%s/%s", (long long)id.job, id.indices ? "." : "",
                         id.indices ? id.indices : "", verb);
        if (cli_post(cli, path, NULL, &answer, err) < 0)
            return err_wrap(err, "%s", one);
        if (field_int(answer, "tasks") == 0)
            return err_set(err, FAULT_CONFLICT,
                           "%s: Job/step already completing or completed, or not in a state for "
                           "this",
                           one);
    }
    return 0;
}

static int change_all(struct cli *cli, const char *verb, const struct args *args, struct err *err)
{
    if (args->word_count < 2)
        return err_set(err, FAULT_INVALID, "%s: which job?", args->words[0]);
    for (size_t i = 1; i < args->word_count; i++)
        if (change(cli, verb, args->words[i], err) < 0)
            return -1;
    return 0;
}

static int ping(struct cli *cli, struct err *err)
{
    own_json json_t *answer = NULL;

    if (cli_get(cli, &answer, err, "/v1/version") < 0)
        return -1;
    printf("Slurmctld(primary) at spillway %s is UP\n", field_text(answer, "version"));
    return 0;
}

static int show(struct cli *cli, const struct args *args, struct err *err)
{
    const char *what = args->word_count > 1 ? args->words[1] : "";
    const char *id = args->word_count > 2 ? args->words[2] : NULL;
    const char *equals = strchr(what, '=');
    own_str char *name = xstrndup(what, equals ? (size_t)(equals - what) : strlen(what));

    if (strcasecmp(name, "job") == 0 || strcasecmp(name, "jobs") == 0 ||
        strcasecmp(name, "jobid") == 0)
        return show_jobs(cli, equals ? equals + 1 : id, args_has(args, "oneliner"), err);
    return err_set(err, FAULT_INVALID,
                   "show %.40s: only 'show job' is there; see 'sinfo' and 'spillway sites'", what);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    static const struct {
        const char *name, *verb;
    } verbs[] = {
        { "hold", "hold" },
        { "uhold", "hold" },
        { "release", "release" },
        { "requeue", "retry" },
    };
    const char *word = args->word_count ? args->words[0] : "";

    if (strcasecmp(word, "show") == 0)
        return show(cli, args, err);
    if (strcasecmp(word, "ping") == 0)
        return ping(cli, err);
    for (size_t i = 0; i < array_len(verbs); i++)
        if (strcasecmp(word, verbs[i].name) == 0)
            return change_all(cli, verbs[i].verb, args, err);
    return err_set(err, FAULT_INVALID,
                   "'%.40s': only show job, hold, uhold, release, requeue and ping are there",
                   word);
}

const struct command command_scontrol = {
    .name = "scontrol",
    .help = "shows jobs, holds, releases and requeues them",
    .synopsis = "[OPTIONS] show job [ID] | hold ID | release ID | requeue ID | ping",
    .options = options,
    .example = "scontrol show job 12",
    .words_most = -1,
    .run = run,
};
