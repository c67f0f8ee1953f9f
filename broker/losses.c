/* SPDX-License-Identifier: Apache-2.0 */
/* losses.c - attempts that end without a word of their agent. */
#include "losses.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"

#define TASKS_MOST 1000 /* of a class that lose an attempt at once */

static void complain(const char *what, const struct err *err)
{
    log_error("%s: %s", what, err->text);
}

/* The site's own words; owned by the caller. */
static char *words_of(const struct losses *losses, const char *name, const char *otherwise)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct worker_row row;

    /* The rest, line by line, is the diagnosis, which stays with the worker. */
    if (store_worker_find(losses->store, name, &row, &strings, NULL) == 0 && row.detail)
        return xstrndup(row.detail, strcspn(row.detail, "\n"));
    return xstrdup(otherwise);
}

/* Memory is the job's own fault only where it was alone; a machine that was taken back is nobody's.
 */
static enum reason reason_of(const struct lost_worker *worker)
{
    if (worker->reason == REASON_PREEMPTED ||
        (worker->reason == REASON_MEMORY && worker->tasks == 1))
        return worker->reason;
    return REASON_LOST;
}

void losses_worker(const struct losses *losses, const struct lost_worker *worker)
{
    enum reason reason = reason_of(worker);
    own_str char *words = reason == REASON_LOST
                              ? xstrdup("its worker is gone")
                              : words_of(losses, worker->name, "its worker is gone");
    struct err err = ERR_INIT;

    if (store_worker_lost(losses->store, worker->id, reason, words, attempts_judge, losses->budgets,
                          &err) < 0)
        complain("a lost worker's attempts", &err);
}

void losses_lease(const struct losses *losses, const struct lease *lease, enum reason reason,
                  const char *detail)
{
    struct report report = { .attempt = lease->attempt,
                             .state = TASK_FAILED,
                             .reason = reason,
                             .detail = detail,
                             .exit_code = -1,
                             .finished_ms = clock_wall_ms() };
    struct err err = ERR_INIT;

    report.logs[0].sha256 = report.logs[1].sha256 = "";
    if (store_report(losses->store, lease->worker, &report, 1, attempts_judge, losses->budgets,
                     &err) < 0)
        complain("an attempt that nobody can run", &err);
}

static size_t pick(const struct losses *losses, const struct lost_worker *worker,
                   struct lease *leases)
{
    own_mem struct pick *picks = xcalloc(TASKS_MOST, sizeof *picks);
    struct queue *queue = losses->queue;
    struct qclass *class;
    int64_t count = 0;

    pthread_mutex_lock(&queue->lock);
    if ((class = queue_class(queue, worker->class_id)))
        count = queue_pick(queue, class, TASKS_MOST, picks);
    pthread_mutex_unlock(&queue->lock);
    for (int64_t i = 0; i < count; i++)
        leases[i] = (struct lease){
            .job = picks[i].job, .index = picks[i].index, .worker = worker->id, .refused = true
        };
    return (size_t)count;
}

void losses_class(const struct losses *losses, const struct lost_worker *worker)
{
    own_mem struct lease *leases = xcalloc(TASKS_MOST, sizeof *leases);
    own_str char *words = words_of(losses, worker->name, "its image cannot run here");
    size_t count = pick(losses, worker, leases);
    struct err err = ERR_INIT;

    if (count && store_lease(losses->store, leases, count, &err) < 0)
        complain("attempts that nobody can run", &err);
    for (size_t i = 0; i < count; i++) {
        struct pick back = { .job = leases[i].job, .index = leases[i].index };

        if (leases[i].attempt) {
            losses_lease(losses, &leases[i], worker->reason, words);
            continue;
        }
        pthread_mutex_lock(&losses->queue->lock);
        queue_unpick(losses->queue, &back);
        pthread_mutex_unlock(&losses->queue->lock);
    }
}
