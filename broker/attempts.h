/* SPDX-License-Identifier: Apache-2.0 */
/* attempts.h - what an ended attempt means for its task: the three retry budgets.  Pure. */
#ifndef SPILLWAY_ATTEMPTS_H
#define SPILLWAY_ATTEMPTS_H

#include "conf/job.h"
#include "store/store.h"

struct budgets {
    int infra, preempt; /* where the job does not say */
    int64_t backoff_ms; /* of infrastructure faults */
};

/* Fills report->next, ->budget and ->not_before_ms.  `spec` holds the job's own budgets; `now_ms`
 * is wall time. */
void attempt_judge(const struct task_row *task, const struct job_spec *spec,
                   const struct budgets *budgets, int64_t now_ms, struct report *report);

/* A store_judge: `arg` is a const struct budgets. */
void attempts_judge(void *arg, const struct task_row *task, const char *spec,
                    struct report *report);

#endif
