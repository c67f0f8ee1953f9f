/* SPDX-License-Identifier: Apache-2.0 */
/* attempts.c - who pays for a fault, and whether the task runs again. */
#include "attempts.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/map.h"

#define BACKOFF_MOST_MS 3600000

/* first * 2^used, plus up to a quarter so that a thousand losses at once do not come back at once.
 * The spread is taken from the attempt's number: the same world gives the same times. */
static int64_t backoff(int64_t first_ms, int used, int64_t attempt)
{
    int64_t wait = first_ms;

    for (int i = 0; i < used && wait < BACKOFF_MOST_MS; i++)
        wait *= 2;
    if (wait > BACKOFF_MOST_MS)
        wait = BACKOFF_MOST_MS;
    return wait + (int64_t)(hash_u64((uint64_t)attempt) % (uint64_t)(wait / 4 + 1));
}

static bool retries_on(const struct job_spec *spec, const struct report *report)
{
    if (!spec->retry_on_exit_count)
        return true;
    for (size_t i = 0; i < spec->retry_on_exit_count; i++)
        if (report->reason == REASON_USER_EXIT && spec->retry_on_exit[i] == report->exit_code)
            return true;
    return false;
}

static void again_or_fail(struct report *report, bool again, enum blame budget,
                          int64_t not_before_ms)
{
    report->next = again ? TASK_PENDING : TASK_FAILED;
    report->budget = budget;
    report->not_before_ms = again ? not_before_ms : 0;
}

void attempt_judge(const struct task_row *task, const struct job_spec *spec,
                   const struct budgets *budgets, int64_t now_ms, struct report *report)
{
    int infra = spec->retries_infra >= 0 ? spec->retries_infra : budgets->infra;
    int preempt = spec->retries_preempt >= 0 ? spec->retries_preempt : budgets->preempt;

    report->budget = BLAME_NONE;
    report->not_before_ms = 0;
    if (report->state == TASK_SUCCEEDED) {
        report->next = TASK_SUCCEEDED;
        return;
    }
    if (task->cancel_asked || report->state == TASK_CANCELLED) {
        report->next = TASK_CANCELLED;
        return;
    }
    switch (reason_blame(report->reason)) {
    case BLAME_USER:
        again_or_fail(report, task->user_retries < spec->retries_user && retries_on(spec, report),
                      BLAME_USER,
                      now_ms + backoff(spec->backoff_ms, task->user_retries, report->attempt));
        break;
    case BLAME_PREEMPT:
        again_or_fail(report, task->preempt_retries < preempt, BLAME_PREEMPT, 0);
        break;
    default:
        /* The first loss goes elsewhere at once; only what keeps failing is slowed down. */
        again_or_fail(
            report, task->infra_retries < infra, BLAME_INFRA,
            task->infra_retries == 0
                ? 0
                : now_ms + backoff(budgets->backoff_ms, task->infra_retries - 1, report->attempt));
        break;
    }
}

void attempts_judge(void *arg, const struct task_row *task, const char *text, struct report *report)
{
    struct job_spec spec = { .retries_user = 0, .retries_infra = -1, .retries_preempt = -1 };
    struct problems problems = { .list = NULL };
    own_json json_t *document = NULL;

    /* Success needs no budgets: the description, which must be parsed for them, is left alone. */
    if (report->state != TASK_SUCCEEDED && text) {
        document = json_parse(text, strlen(text), NULL);
        if (document && job_spec_parse(document, &spec, &problems) < 0)
            spec = (struct job_spec){ .retries_infra = -1, .retries_preempt = -1 };
    }
    attempt_judge(task, &spec, arg, clock_wall_ms(), report);
    job_spec_free(&spec);
    problems_free(&problems);
}
