/* SPDX-License-Identifier: Apache-2.0 */
/* wait.c - `spillway wait`: until jobs have ended. */
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/task.h"
#include "cli/wait.h"
#include "cli/watch.h"

static const struct option options[] = {
    { "timeout", 't', "SPAN", "give up after this long, exit 8 (default: never)",
      COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static void tell(const json_t *task)
{
    own_str char *id = safe_text(field_text(task, "id"));
    own_str char *words = task_end(task), *safe = safe_text(words);

    if (task_total(task) > 1)
        fprintf(stderr, "%s: %lld of %lld tasks did not succeed; see `spillway ls --all %s`\n", id,
                (long long)(task_total(task) - task_count(task, "succeeded")),
                (long long)task_total(task), id);
    else
        fprintf(stderr, "%s: %s; see `spillway logs %s`\n", id, safe, id);
}

int wait_for(struct cli *cli, const char *const *ids, size_t count, int64_t timeout_ms,
             struct err *err)
{
    own_json json_t *list = json_array();
    struct watch watch = { .ids = ids, .count = count, .timeout_ms = timeout_ms, .progress = true };
    int rc = watch_tasks(cli, &watch, err);
    bool all = true;

    for (size_t i = 0; rc >= 0 && i < count; i++) {
        bool good = task_succeeded(watch.tasks[i]);

        all = all && good;
        json_array_append(list, watch.tasks[i]);
        if (!good && !cli->json && rc == 0)
            tell(watch.tasks[i]);
    }
    watch_free(&watch);
    if (rc < 0)
        return -1;
    if (cli->json)
        print_json(list);
    if (rc == 1)
        return err_set(err, FAULT_TIMEOUT, "not all have ended in the time given; they run on");
    return all ? EXIT_OK : EXIT_NO;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    int64_t timeout = 0;

    if (job_ids_check(args, err) < 0 || args_span(args, "timeout", &timeout, err) < 0)
        return -1;
    return wait_for(cli, args->words, args->word_count, timeout, err);
}

const struct command command_wait = {
    .name = "wait",
    .help = "wait until jobs have ended",
    .synopsis = "[OPTIONS] ID...",
    .text = "Waits until the jobs or tasks have ended.  A broker that restarts meanwhile is waited "
            "for.",
    .options = options,
    .example = "spillway wait 12 13 && echo both succeeded\n"
               "spillway wait --timeout 2h 12",
    .exits = "0 all succeeded, 1 any did not, 3 no such job, 8 the time is up",
    .words = COMPLETES_JOB,
    .words_least = 1,
    .words_most = -1,
    .run = run,
};
