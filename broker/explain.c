/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - why a task is where it is, in words and figures. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "internal.h"

static json_t *time_or_null(int64_t ms)
{
    char text[FORMAT_BYTES];

    return ms > 0 ? json_string(format_time(ms, text, sizeof text)) : json_null();
}

static json_t *row_json(const struct sched_snapshot *snapshot, const struct sched_row *row)
{
    static const char *const tiers[] = { "home", "partner", "commercial" };
    const struct sched_site *site = &snapshot->sites[row->site];

    return json_pack(
        "{s:s, s:s, s:s, s:s?, s:s?, s:o, s:o}", "site", site->name, "tier", tiers[site->tier],
        "verdict", sched_verdict_name(row->verdict), "text", row->text, "fits_if", row->fits_if,
        "start", time_or_null(row->verdict == SCHED_NEVER ? 0 : row->start_ms), "cost",
        row->cost >= 0 && row->verdict != SCHED_NEVER ? json_real(row->cost) : json_null());
}

/* With the queue's lock held.  Broken sites get a row too: their fault is why nothing runs there.
 */
static json_t *rows_of(struct broker *broker, const struct qclass *class, bool *never, char **text)
{
    const struct sched_snapshot *snapshot =
        world_build(broker->world, broker->queue, class, clock_wall_ms());
    struct sched_params params;
    struct sched_rows rows = { .list = NULL };
    json_t *list;

    list = json_array();
    broker_sched_params(broker->conf, &params);
    sched_explain(&params, snapshot, world_place(broker->world, class), &rows);
    for (size_t i = 0; i < rows.count; i++)
        json_array_append_new(list, row_json(snapshot, &rows.list[i]));
    for (size_t i = 0; i < broker->broken_count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:n, s:n, s:n}", "site",
                                        broker->broken[i].conf->name, "tier",
                                        tier_name(broker->broken[i].conf->tier), "verdict", "down",
                                        "text", broker->broken[i].why, "fits_if", "start", "cost"));
    *never = rows.never;
    *text = rows.text ? xstrdup(rows.text) : NULL;
    sched_rows_free(&rows);
    return list;
}

int broker_explain_spec(struct broker *broker, const struct job_spec *spec, const char *project,
                        const char *user, json_t **out, bool *never, struct err *err)
{
    struct qclass class = { .id = WORLD_ASKED };
    own_str char *key = job_class_key(spec, project, user);
    own_str char *text = NULL;

    if (job_class_parse(key, &class.spec, &class.project, &class.user, err) < 0)
        return -1;
    class.ready = 1;
    pthread_rwlock_rdlock(&broker->sites_lock);
    pthread_mutex_lock(&broker->queue->lock);
    *out = rows_of(broker, &class, never, &text);
    world_forget(broker->world, &class);
    pthread_mutex_unlock(&broker->queue->lock);
    pthread_rwlock_unlock(&broker->sites_lock);
    job_spec_free(&class.spec);
    free(class.project);
    free(class.user);
    return 0;
}

/* A site that is further is used only where it is worth its overflow_after. */
static void take_best(const struct sched_snapshot *snapshot, const struct sched_rows *rows,
                      int64_t gain_ms, int64_t near_start_ms, struct best_start *out)
{
    int64_t most = INT64_MIN;

    *out = (struct best_start){ .start_ms = -1 };
    snprintf(out->why, sizeof out->why, "%.390s", rows->text ? rows->text : "none is there");
    for (size_t i = 0; i < rows->count; i++) {
        const struct sched_row *row = &rows->list[i];
        const struct sched_site *site = &snapshot->sites[row->site];
        int64_t need = gain_ms >= 0 ? gain_ms : site->overflow_after_ms;

        if (row->start_ms < 0 || row->verdict == SCHED_NEVER || row->verdict > SCHED_DISABLED ||
            near_start_ms - row->start_ms - need <= most)
            continue;
        most = near_start_ms - row->start_ms - need;
        snprintf(out->site, sizeof out->site, "%s", site->name);
        out->start_ms = row->start_ms;
        out->overflow_after_ms = site->overflow_after_ms;
    }
}

int broker_best_start(struct broker *broker, const struct job_spec *spec, const char *project,
                      const char *user, int64_t gain_ms, int64_t near_start_ms,
                      struct best_start *out, struct err *err)
{
    struct qclass class = { .id = WORLD_ASKED, .ready = 1 };
    own_str char *key = job_class_key(spec, project, user);
    const struct sched_snapshot *snapshot;
    struct sched_params params;
    struct sched_rows rows = { .list = NULL };

    if (job_class_parse(key, &class.spec, &class.project, &class.user, err) < 0)
        return -1;
    broker_sched_params(broker->conf, &params);
    pthread_mutex_lock(&broker->queue->lock);
    snapshot = world_build(broker->world, broker->queue, &class, clock_wall_ms());
    sched_explain(&params, snapshot, world_place(broker->world, &class), &rows);
    take_best(snapshot, &rows, gain_ms, near_start_ms, out);
    world_forget(broker->world, &class);
    pthread_mutex_unlock(&broker->queue->lock);
    sched_rows_free(&rows);
    job_spec_free(&class.spec);
    free(class.project);
    free(class.user);
    return 0;
}

int64_t broker_learned_wait(struct broker *broker, const char *name)
{
    const struct sched_snapshot *snapshot;
    int64_t wait = -1;

    pthread_mutex_lock(&broker->queue->lock);
    snapshot = world_build(broker->world, broker->queue, NULL, clock_wall_ms());
    for (size_t i = 0; i < snapshot->site_count; i++)
        if (strcmp(snapshot->sites[i].name, name) == 0)
            wait = snapshot->sites[i].wait_ms;
    pthread_mutex_unlock(&broker->queue->lock);
    return wait;
}

enum reason broker_wait_reason(struct broker *broker, struct target target)
{
    enum reason reason;

    pthread_mutex_lock(&broker->queue->lock);
    reason = queue_wait_reason(broker->queue, target.job, target.index);
    pthread_mutex_unlock(&broker->queue->lock);
    return reason;
}

/* ---- of a job
 * ------------------------------------------------------------------------------------- */

static const char *wait_words(enum reason reason)
{
    switch (reason) {
    case REASON_DEPENDENCY:
        return "waits for another job (after:); see `spillway show`";
    case REASON_HELD:
        return "held; `spillway release` lets it go";
    case REASON_BACKOFF:
        return "waits before its next attempt, or for its begin time";
    case REASON_LIMIT:
        return "as many of its array's tasks run as the array allows";
    default:
        return NULL;
    }
}

/* The decision of its last attempt. */
static bool last_decision(void *arg, const struct attempt_row *row)
{
    json_t **decision = arg;

    if (row->rank > 0)
        return true; /* with the one of rank 0 */
    json_decref(*decision);
    *decision = row->decision ? json_loads(row->decision, 0, NULL) : NULL;
    return true;
}

static json_t *placed(struct broker *broker, const struct target *target,
                      const struct task_row *task)
{
    json_t *answer = json_object(), *decision = NULL;
    own_str char *text = NULL;

    store_attempts(broker->store, *target, last_decision, &decision, NULL);
    if (task_state_final(task->state) && !task->attempt)
        text = xasprintf("%s before it ran", task_state_name(task->state));
    else
        text =
            xasprintf("%s: attempt %d on %s at %s", task_state_name(task->state), task->attempts,
                      task->worker_name ? task->worker_name : "?", task->site ? task->site : "?");
    json_object_set_new(answer, "text", json_string(text));
    json_object_set_new(answer, "decision", decision ? decision : json_null());
    json_object_set_new(answer, "sites", json_array());
    return answer;
}

static json_t *waiting(struct broker *broker, int64_t job, int64_t index, enum reason *reason)
{
    struct queue *queue = broker->queue;
    json_t *answer = json_object(), *rows = NULL;
    own_str char *text = NULL;
    struct qjob *qjob;
    bool never = false;

    pthread_rwlock_rdlock(&broker->sites_lock);
    pthread_mutex_lock(&queue->lock);
    qjob = queue_job(queue, job);
    *reason = queue_wait_reason(queue, job, index);
    if (qjob)
        rows = rows_of(broker, qjob->class, &never, &text);
    pthread_mutex_unlock(&queue->lock);
    pthread_rwlock_unlock(&broker->sites_lock);
    if (*reason == REASON_NONE)
        *reason = never ? REASON_NO_SITE : REASON_CAPACITY;
    if (wait_words(*reason)) {
        free(text);
        text = xstrdup(wait_words(*reason));
    }
    json_object_set_new(answer, "text", json_string(text ? text : "about to be looked at"));
    json_object_set_new(answer, "decision", json_null());
    json_object_set_new(answer, "sites", rows ? rows : json_array());
    json_object_set_new(answer, "never", json_boolean(never));
    return answer;
}

/* The task that stands for a whole job: of an array, its first without a row, or its last. */
static int pick_task(struct broker *broker, struct target *target, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct job_detail detail;
    struct index_set set = { .count = 0 };
    int64_t position;
    int rc = store_job(broker->store, target->job, &detail, &strings, err);

    if (rc != 0 || target->index >= 0)
        return rc;
    target->index = 0;
    if (!detail.job.array || index_set_parse(detail.job.array, &set, err) < 0)
        return 0;
    position = detail.job.next_position < set.size ? detail.job.next_position : set.size - 1;
    target->index = index_set_nth(&set, position);
    index_set_free(&set);
    return 0;
}

int broker_explain(struct broker *broker, struct target target, json_t **out, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct task_row task = { .state = TASK_PENDING };
    enum reason reason;
    int rc = pick_task(broker, &target, err);

    if (rc == 0)
        rc = store_task(broker->store, target, &task, &strings, err);
    if (rc == 1)
        return err_set(err, FAULT_NOT_FOUND, "no such job or task");
    if (rc < 0)
        return -1;
    reason = task.reason;
    if (task.state == TASK_PENDING || task.state == TASK_HELD)
        *out = waiting(broker, target.job, target.index, &reason);
    else
        *out = placed(broker, &target, &task);
    json_object_set_new(*out, "state", json_string(task_state_name(task.state)));
    json_object_set_new(*out, "reason", reason ? json_string(reason_name(reason)) : json_null());
    return 0;
}
