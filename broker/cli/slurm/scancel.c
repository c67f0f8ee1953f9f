/* SPDX-License-Identifier: Apache-2.0 */
/* scancel.c - `scancel`: ends jobs and tasks, by id or by what they have in common. */
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/own.h"
#include "cli/slurm/slurm.h"

static const struct option options[] = {
    { "user", 'u', "USERS", "jobs of these users", COMPLETES_NOTHING },
    { "me", 0, NULL, "mine", COMPLETES_NOTHING },
    { "name", 'n', "NAMES", "jobs of these names", COMPLETES_NOTHING },
    { "jobname", 0, "NAMES", "the same", COMPLETES_NOTHING },
    { "state", 't', "STATES", "tasks in these states", COMPLETES_NOTHING },
    { "account", 'A', "NAMES", "jobs of these projects", COMPLETES_NOTHING },
    { "partition", 'p', "NAMES", "jobs at these sites", COMPLETES_NOTHING },
    { "signal", 's', "SIGNAL", "TERM, KILL or INT: all end the job", COMPLETES_NOTHING },
    { "batch", 'b', NULL, "has no meaning here", COMPLETES_NOTHING },
    { "full", 'f', NULL, "has no meaning here", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

/* The API ends jobs; it has no way to send them other signals. */
static int check_signal(const char *name, struct err *err)
{
    static const char *const ends[] = { "TERM", "KILL", "INT", "15", "9", "2", NULL };

    if (!name)
        return 0;
    if (strncasecmp(name, "SIG", 3) == 0)
        name += 3;
    for (const char *const *end = ends; *end; end++)
        if (strcasecmp(*end, name) == 0)
            return 0;
    return err_set(err, FAULT_INVALID,
                   "--signal=%.20s: only TERM, KILL and INT can be sent, to end the job; #SBATCH "
                   "--signal sends others before the walltime ends",
                   name);
}

static int cancel_path(struct cli *cli, const char *id, struct err *err)
{
    own_str char *path = xasprintf("/v1/jobs/%s/cancel", id);

    return cli_post(cli, path, NULL, NULL, err);
}

/* "12" at once, of "12_[3-5]" each task that is left. */
static int cancel_id(struct cli *cli, const char *text, struct err *err)
{
    own_slurm_id struct slurm_id id = { .job = 0 };
    own_json json_t *tasks = json_array();
    struct slurm_query query = { .jobs = text, .expand = true };
    char job[24];
    json_t *task;
    size_t i;

    if (slurm_id_parse(text, &id, err) < 0)
        return -1;
    snprintf(job, sizeof job, "%lld", (long long)id.job);
    if (!id.indices)
        return cancel_path(cli, job, err);
    if (slurm_tasks(cli, &query, tasks, err) < 0)
        return -1;
    json_array_foreach(tasks, i, task)
    {
        if (cancel_path(cli, field_text(task, "id"), err) < 0)
            return -1;
    }
    return 0;
}

static int cancel_matching(struct cli *cli, const struct args *args, struct err *err)
{
    const char *name = args_get(args, "name");
    struct slurm_query query = { .users =
                                     args_has(args, "me") ? slurm_user() : args_get(args, "user"),
                                 .names = name ? name : args_get(args, "jobname"),
                                 .states = args_get(args, "state"),
                                 .accounts = args_get(args, "account"),
                                 .partitions = args_get(args, "partition") };
    own_json json_t *tasks = json_array();
    json_t *task;
    size_t i;

    /* What waits of an array is one row: expanded only where not all of it is meant. */
    query.expand = true;
    if (slurm_tasks(cli, &query, tasks, err) < 0)
        return -1;
    json_array_foreach(tasks, i, task)
    {
        if (cancel_path(cli, field_text(task, "id"), err) < 0)
            return -1;
    }
    return 0;
}

static bool is_selective(const struct args *args)
{
    static const char *const by[] = { "user",  "me",      "name",     "jobname",
                                      "state", "account", "partition" };

    for (size_t i = 0; i < array_len(by); i++)
        if (args_has(args, by[i]))
            return true;
    return false;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    int code = 0;

    if (check_signal(args_get(args, "signal"), err) < 0)
        return -1;
    if (args->word_count == 0 && !is_selective(args))
        return err_set(err, FAULT_INVALID, "No job identification provided");
    if (args->word_count == 0)
        return cancel_matching(cli, args, err);
    if (is_selective(args) && !args_has(args, "user") && !args_has(args, "me"))
        return err_set(err, FAULT_INVALID, "give either ids or --name, --state and the like");
    for (size_t i = 0; i < args->word_count; i++) {
        struct err one = ERR_INIT;

        if (cancel_id(cli, args->words[i], &one) == 0)
            continue;
        code = 1;
        if (!args_has(args, "quiet"))
            slurm_say("scancel", "error: ", "Kill job error on job id %s: %s", args->words[i],
                      one.fault == FAULT_NOT_FOUND ? "Invalid job id specified" : one.text);
    }
    return code;
}

const struct command command_scancel = {
    .name = "scancel",
    .help = "ends jobs and tasks",
    .synopsis = "[OPTIONS] [ID...]",
    .options = options,
    .example = "scancel 12 13_7 14_[0-3]",
    .words_most = -1,
    .run = run,
};
