/* SPDX-License-Identifier: Apache-2.0 */
/* change.c - `spillway cancel`, `hold`, `release`, `retry`: one call for each id. */
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"

/* Nothing touched is a conflict: the caller wanted something to change. */
static int change_one(struct cli *cli, const char *id, const char *verb, const char *path,
                      json_t **answer, struct err *err)
{
    own_json json_t *task = NULL;

    if (cli_post(cli, path, NULL, answer, err) < 0)
        return err_wrap(err, "%s", id);
    if (field_int(*answer, "tasks") > 0)
        return 0;
    if (cli_get(cli, &task, err, "/v1/jobs/%s", id) < 0)
        return err_wrap(err, "%s", id);
    return err_set(err, FAULT_CONFLICT, "%s: nothing to %s; it is %s", id, verb,
                   field_text(task, "state"));
}

/* All are tried, also when one fails; the last fault decides the exit code. */
static int change_all(struct cli *cli, const struct args *args, const char *verb, const char *done,
                      struct err *err)
{
    own_json json_t *list = json_array();
    int rc = EXIT_OK;

    if (job_ids_check(args, err) < 0)
        return -1;
    for (size_t i = 0; i < args->word_count; i++) {
        own_str char *path = xasprintf("/v1/jobs/%s/%s", args->words[i], verb);
        own_json json_t *answer = NULL;

        if (rc < 0)
            warn("%s", err->text);
        if (change_one(cli, args->words[i], verb, path, &answer, err) < 0) {
            rc = -1;
            if (client_unreachable(cli->client))
                break;
            continue;
        }
        json_array_append_new(list, json_pack("{s:s, s:I}", "id", args->words[i], "tasks",
                                              (json_int_t)field_int(answer, "tasks")));
        if (!cli->json)
            printf("%s: %lld %s %s\n", args->words[i], (long long)field_int(answer, "tasks"),
                   field_int(answer, "tasks") == 1 ? "task" : "tasks", done);
    }
    if (cli->json)
        print_json(list);
    return rc;
}

static int run_cancel(struct cli *cli, const struct args *args, struct err *err)
{
    return change_all(cli, args, "cancel", "cancelled", err);
}

static int run_hold(struct cli *cli, const struct args *args, struct err *err)
{
    return change_all(cli, args, "hold", "held", err);
}

static int run_release(struct cli *cli, const struct args *args, struct err *err)
{
    return change_all(cli, args, "release", "released", err);
}

static int run_retry(struct cli *cli, const struct args *args, struct err *err)
{
    return change_all(cli, args, "retry", "queued again", err);
}

#define EXITS "0 done, 3 no such job, 4 not yours to change, 5 not possible in its state"

const struct command command_cancel = {
    .name = "cancel",
    .help = "end jobs or tasks, waiting or running",
    .synopsis = "ID...",
    .text =
        "Ends jobs, or single tasks of arrays.  What waits is cancelled at once; what runs gets "
        "SIGTERM, and SIGKILL when its grace period is over.",
    .example = "spillway cancel 12 13.7",
    .exits = EXITS,
    .words = COMPLETES_JOB,
    .words_least = 1,
    .words_most = -1,
    .run = run_cancel,
};

const struct command command_hold = {
    .name = "hold",
    .help = "keep waiting jobs from starting",
    .synopsis = "ID...",
    .text =
        "Keeps what has not started from starting, until `spillway release`.  What runs, runs on.",
    .example = "spillway hold 12",
    .exits = EXITS,
    .words = COMPLETES_JOB,
    .words_least = 1,
    .words_most = -1,
    .run = run_hold,
};

const struct command command_release = {
    .name = "release",
    .help = "let held jobs start",
    .synopsis = "ID...",
    .text = "Lets jobs and tasks that were held, at their submission or by `spillway hold`, start.",
    .example = "spillway release 12",
    .exits = EXITS,
    .words = COMPLETES_JOB,
    .words_least = 1,
    .words_most = -1,
    .run = run_release,
};

const struct command command_retry = {
    .name = "retry",
    .help = "run failed or cancelled tasks again",
    .synopsis = "ID...",
    .text =
        "Queues the failed and cancelled tasks of a job again, with their retries unused.  Tasks "
        "that succeeded are left alone.",
    .example = "spillway retry 12",
    .exits = EXITS,
    .words = COMPLETES_JOB,
    .words_least = 1,
    .words_most = -1,
    .run = run_retry,
};
