/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - `spillway run`: submit, show the output as it comes, end as the job did. */
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/describe.h"
#include "cli/interrupt.h"
#include "cli/logs.h"
#include "cli/submit.h"
#include "cli/task.h"

static const struct option options[] = {
    { "anyway", 0, NULL, "queue it also when no site can ever run it as things are",
      COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static int exit_as(const json_t *task)
{
    const char *state = field_text(task, "state");
    int64_t code = field_int(task, "exit_code"), signal_number = field_int(task, "signal");

    if (strcmp(state, "succeeded") == 0)
        return EXIT_OK;
    if (signal_number > 0)
        return 128 + (int)signal_number;
    return code > 0 && code < 256 ? (int)code : EXIT_NO;
}

static void tell_end(const json_t *task)
{
    own_str char *words = task_end(task);

    if (strcmp(field_text(task, "state"), "succeeded") != 0 &&
        strcmp(field_text(task, "reason"), "user-exit") != 0)
        warn("job %s %s", field_text(task, "id"), words);
}

static int cancel(struct cli *cli, const char *id, struct err *err)
{
    own_str char *path = xasprintf("/v1/jobs/%s/cancel", id);

    warn("cancelling job %s; interrupt again to leave it to itself", id);
    interrupted = 0;
    return cli_post(cli, path, NULL, NULL, err);
}

static int follow(struct cli *cli, const char *id, struct err *err)
{
    struct log_view view = { .id = id,
                             .wanted = { true, true },
                             .apart = true,
                             .interrupt = &interrupted,
                             .on_interrupt = cancel };
    own_json json_t *task = NULL;

    catch_interrupts();
    if (logs_follow(cli, &view, err) < 0 || cli_get(cli, &task, err, "/v1/jobs/%s", id) < 0)
        return -1;
    if (cli->json)
        print_json_line(task);
    else
        tell_end(task);
    return exit_as(task);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    own_drafts struct drafts drafts = { .list = NULL };
    own_json json_t *answer = NULL;
    own_str char *id = NULL;

    if (drafts_usage(args, err) > 0)
        return usage_fault(args, err);
    if (drafts_read(args, &drafts, err) < 0 || drafts_check(args, &drafts, err) < 0)
        return -1;
    if (drafts.count != 1 || drafts.list[0].spec.array.size > 0) {
        err_set(err, FAULT_INVALID,
                "run is for one job of one task; use `spillway submit --wait` for more");
        return usage_fault(args, err);
    }
    if (submit_drafts(cli, args, &drafts, &answer, err) < 0)
        return -1;
    id = xasprintf("%lld",
                   (long long)field_int(json_array_get(json_object_get(answer, "jobs"), 0), "id"));
    progress(&cli->term, "job %s queued", id);
    progress_end(&cli->term);
    return follow(cli, id, err);
}

const struct command command_run = {
    .name = "run",
    .help = "submit, show the output as it comes, end as the job did",
    .synopsis = "[OPTIONS] -- CMD... | [OPTIONS] FILE | [OPTIONS] SCRIPT [ARG...]",
    .text =
        "Queues one job, waits for it, passes its standard output and standard error on, and "
        "exits with its exit code, or with 128 and the number of the signal that ended it.  "
        "Interrupted (Ctrl-C), it cancels the job; interrupted again, it leaves the job to "
        "itself.\n\nWith --json, the output comes as with `logs -f --json`, then the job's object.",
    .options = options,
    .more_options = job_option_table,
    .example = "spillway run --cpus 2 --memory 4GiB -- make -j2",
    .exits = "the job's own; 1 when it ended without one; else as `spillway help` says",
    .words = COMPLETES_FILE,
    .words_most = -1,
    .takes_rest = true,
    .run = run,
};
