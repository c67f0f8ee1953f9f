/* SPDX-License-Identifier: Apache-2.0 */
/* queue.c - jobs and tasks as the scheduler's thread sees them.
 *
 * A task that nothing happened to is no object: a job counts them as those from next_position on.
 * Each change ends in recount(), which moves the job's share of its class's figures; that is the
 * only place where those are touched. */
#include "queue.h"

#include <string.h>

#include "base/own.h"
#include "queue_parts.h"

/* ---- life of the objects
 * ----------------------------------------------------------------------------- */

struct queue *queue_new(void)
{
    struct queue *queue = xcalloc(1, sizeof *queue);

    pthread_mutex_init(&queue->lock, NULL);
    queue->workers_by_name.strings = true;
    return queue;
}

static void each_free(struct each_wait *each)
{
    if (!each)
        return;
    free(each->open);
    free(each->ready);
    free(each);
}

static void tasks_free(struct queue *queue, struct list *tasks);

/* Made when first needed. */
static struct qparts *parts(struct qjob *job)
{
    if (job->parts)
        return job->parts;
    job->parts = xcalloc(1, sizeof *job->parts);
    job->parts->job = job;
    list_init(&job->parts->retries);
    list_init(&job->parts->returned);
    list_init(&job->parts->picks);
    list_init(&job->parts->dependents);
    return job->parts;
}

static void parts_free(struct queue *queue, struct qparts *of)
{
    list_each_safe(at, &of->dependents) free(list_item(at, struct edge, of));
    tasks_free(queue, &of->picks);
    tasks_free(queue, &of->returned);
    each_free(of->each);
    map_fini(&of->beyond);
    index_set_free(&of->array);
    free(of);
}

static void job_free(struct queue *queue, struct qjob *job)
{
    if (job->parts)
        parts_free(queue, job->parts);
    free(job);
}

static void class_free(struct qclass *class)
{
    job_spec_free(&class->spec);
    heap_fini(&class->ready_jobs);
    free(class->project);
    free(class->user);
    free(class);
}

void queue_free(struct queue *queue)
{
    void *value;

    if (!queue)
        return;
    for (size_t i = 0; (value = map_next(&queue->jobs, &i));)
        job_free(queue, value);
    for (size_t i = 0; (value = map_next(&queue->tasks, &i));) {
        nodes_release(queue, value);
        free(value);
    }
    for (size_t i = 0; (value = map_next(&queue->classes, &i));)
        class_free(value);
    for (size_t i = 0; (value = map_next(&queue->workers, &i));)
        worker_free(value);
    map_fini(&queue->tasks);
    map_fini(&queue->jobs);
    map_fini(&queue->classes);
    map_fini(&queue->workers);
    map_fini(&queue->workers_by_name);
    heap_fini(&queue->wakes);
    heap_fini(&queue->begins);
    heap_fini(&queue->deadlines);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

struct qclass *queue_class(const struct queue *queue, int64_t id)
{
    return map_get(&queue->classes, (uint64_t)id);
}

struct qjob *queue_job(const struct queue *queue, int64_t id)
{
    return map_get(&queue->jobs, (uint64_t)id);
}

struct qworker *queue_worker(const struct queue *queue, int64_t id)
{
    return id ? map_get(&queue->workers, (uint64_t)id) : NULL;
}

static int64_t position_of(const struct qjob *job, int64_t index)
{
    if (job->parts && job->parts->array.size)
        return index_set_find(&job->parts->array, index);
    return index == 0 ? 0 : -1;
}

static int64_t index_of(const struct qjob *job, int64_t position)
{
    return job->parts && job->parts->array.size ? index_set_nth(&job->parts->array, position) : 0;
}

struct qtask *queue_task(const struct queue *queue, int64_t id, int64_t index)
{
    struct qjob *job = queue_job(queue, id);
    int64_t position = job ? position_of(job, index) : -1;

    return position < 0 ? NULL : map_get(&queue->tasks, task_key(id, position));
}

/* ---- what is ready
 * ------------------------------------------------------------------------------------- */

static int64_t untouched(const struct qjob *job)
{
    return job->tasks - job->next_position - beyond_count(job);
}

static int64_t ready_of(const struct qjob *job)
{
    int64_t ready = job->retries_count;

    if (job->waits || begins_later(job))
        return 0;
    if (job->rest_state == TASK_PENDING)
        ready +=
            job->returned_count +
            (each_of(job) ? each_of(job)->ready_count - each_of(job)->ready_next : untouched(job));
    if (job->parallel && ready > job->parallel - job->active)
        ready = job->parallel > job->active ? job->parallel - job->active : 0;
    return ready;
}

static int64_t pending_of(const struct qjob *job)
{
    int64_t pending = job->retries_count + job->asleep_count;

    if (job->rest_state == TASK_PENDING)
        pending += job->returned_count + untouched(job);
    return pending;
}

static void recount(struct queue *queue, struct qjob *job)
{
    struct qclass *class = job->class;
    int64_t ready = ready_of(job), pending = pending_of(job);

    class->ready += ready - job->ready;
    class->pending += pending - job->pending;
    job->ready = (int32_t)ready;
    job->pending = (int32_t)pending;
    if (ready > 0 && !heap_has(&job->by_id))
        heap_put(&class->ready_jobs, &job->by_id, job->id);
    else if (ready == 0)
        heap_del(&class->ready_jobs, &job->by_id);
    class->generation = ++queue->generation;
}

/* Past positions that were touched already. */
static void skip_touched(struct qjob *job)
{
    while (beyond_count(job) && map_del(&job->parts->beyond, (uint64_t)job->next_position + 1))
        job->next_position++;
}

/* The position is no longer untouched. */
static void touch(struct qjob *job, int64_t position)
{
    if (position == job->next_position) {
        job->next_position++;
        skip_touched(job);
    } else if (position > job->next_position) {
        map_put(&parts(job)->beyond, (uint64_t)position + 1, job);
    }
}

/* What a task holds of which nothing else is known: what its class asks first. */
static struct grant asked(const struct qclass *class)
{
    const struct resources *want = class->spec.options;
    struct grant grant = { .cpus = 1 };

    if (class->spec.option_count) {
        grant.cpus = want->cpus.least;
        grant.memory = want->memory.least;
        grant.disk = want->disk.least;
        grant.gpus = want->gpus;
    }
    return grant;
}

/* Out of whatever list and figure its state had put the task in. */
static void task_leave(struct queue *queue, struct qtask *task)
{
    struct qjob *job = task->job;

    if (task->picked || is_active(task->state)) {
        job->active--;
        job->class->active--;
    } else if (task->state == TASK_PENDING && (heap_has(&task->wake) || task->waits)) {
        job->asleep_count--;
    } else if (task->state == TASK_PENDING && task->has_row) {
        job->retries_count--;
    } else if (task->state == TASK_PENDING) {
        job->returned_count--;
    }
    heap_del(&queue->wakes, &task->wake);
    list_del(&task->link);
    if (task->worker) {
        worker_use(queue, task->worker, &task->grant, -1);
        task->worker = NULL;
    }
    task->picked = task->waits = false;
}

static void task_enter_active(struct queue *queue, struct qtask *task, struct qworker *worker)
{
    task->job->active++;
    task->job->class->active++;
    task->worker = worker;
    if (task->grant.cpus == 0)
        task->grant = asked(task->job->class);
    if (worker) {
        worker_use(queue, worker, &task->grant, 1);
        list_add_tail(&worker->tasks, &task->link);
    }
}

static void task_enter_pending(struct queue *queue, struct qtask *task, int64_t not_before_ms)
{
    struct qjob *job = task->job;
    int64_t wait = not_before_ms - queue->time.now_wall_ms;

    if (!task->has_row) {
        list_add_tail(&parts(job)->returned, &task->link);
        job->returned_count++;
    } else if (each_of(job) && each_of(job)->open[task->position] && !task->attempt) {
        task->waits = true;
        job->asleep_count++;
    } else if (wait > 0) {
        /* Waits by the monotonic clock from here on, so that a clock set back does not stretch it.
         */
        heap_put(&queue->wakes, &task->wake, queue->time.now_mono_ms + wait);
        job->asleep_count++;
    } else {
        list_add_tail(&parts(job)->retries, &task->link);
        job->retries_count++;
    }
}

static struct qtask *task_new(struct queue *queue, struct qjob *job, int64_t position)
{
    struct qtask *task = xcalloc(1, sizeof *task);

    task->job = job;
    task->position = position;
    task->index = index_of(job, position);
    task->state = TASK_PENDING;
    list_init(&task->link);
    list_init(&task->nodes);
    map_put(&queue->tasks, task_key(job->id, position), task);
    return task;
}

static void task_free(struct queue *queue, struct qtask *task)
{
    nodes_release(queue, task);
    map_del(&queue->tasks, task_key(task->job->id, task->position));
    free(task);
}

static void tasks_free(struct queue *queue, struct list *tasks)
{
    list_each_safe(at, tasks) task_free(queue, list_item(at, struct qtask, link));
}

/* ---- dependencies
 * -------------------------------------------------------------------------------------- */

static bool holds(enum on_outcome wanted, enum on_outcome got)
{
    return wanted == ON_ANY || wanted == got;
}

/* One condition of one task of an `each` dependency is decided. */
static void each_decide(struct queue *queue, struct qjob *job, int64_t index, bool came_true,
                        struct queue_todo *todo)
{
    struct each_wait *each = each_of(job);
    int64_t position = position_of(job, index);
    struct qtask *task;

    if (!each || position < 0 || each->open[position] == EACH_NEVER || each->open[position] == 0)
        return;
    if (!came_true) {
        each->open[position] = EACH_NEVER;
        todo_end(todo, job->id, index, REASON_DEPENDENCY);
        return;
    }
    if (--each->open[position] > 0)
        return;
    task = map_get(&queue->tasks, task_key(job->id, position));
    if (!task && position >= job->next_position && !is_beyond(job, position)) {
        each->ready[each->ready_count++] = position;
    } else if (task && task->waits) {
        task_leave(queue, task);
        task_enter_pending(queue, task, 0);
    }
}

/* `index` < 0: the job as a whole. */
static void edge_resolve(struct queue *queue, const struct dependency_row *row, int64_t index,
                         enum on_outcome outcome, struct queue_todo *todo)
{
    struct qjob *job = queue_job(queue, row->job);

    if (!job || job->ended)
        return;
    if (row->each)
        each_decide(queue, job, index, holds(row->on, outcome), todo);
    else if (holds(row->on, outcome))
        job->waits--;
    else
        todo_end(todo, row->job, -1, REASON_DEPENDENCY);
    recount(queue, job);
}

static void each_prepare(struct qjob *job)
{
    struct each_wait *each = each_of(job);

    if (!each) {
        each = parts(job)->each = xcalloc(1, sizeof *each);
        each->open = xcalloc((size_t)job->tasks, 1);
        each->ready = xcalloc((size_t)job->tasks, sizeof *each->ready);
    }
    for (int64_t p = 0; p < job->tasks; p++)
        if (each->open[p] < EACH_NEVER - 1)
            each->open[p]++;
}

static void edge_link(struct qjob *on_job, const struct dependency_row *row)
{
    struct edge *edge = xcalloc(1, sizeof *edge);

    edge->row = *row;
    list_add_tail(&parts(on_job)->dependents, &edge->of);
}

/* Tasks of `on_job` that ended before the dependency was made: the store knows how. */
static void ask_each(const struct queue *queue, const struct qjob *job, const struct qjob *on_job,
                     const struct dependency_row *row, struct queue_todo *todo)
{
    for (int64_t p = 0; p < job->tasks; p++) {
        int64_t index = index_of(job, p), there = on_job ? position_of(on_job, index) : -1;
        bool touched = there >= 0 && (there < on_job->next_position || is_beyond(on_job, there));

        if (!on_job || there < 0 || (touched && !queue_task(queue, on_job->id, index)))
            todo_outcome(todo, row, index);
    }
}

static void apply_dependency(struct queue *queue, const struct dependency_row *row,
                             struct queue_todo *todo)
{
    struct qjob *job = queue_job(queue, row->job), *on_job = queue_job(queue, row->on_job);

    if (!job)
        return;
    if (row->each)
        each_prepare(job);
    else
        job->waits++;
    if (on_job)
        edge_link(on_job, row);
    if (row->each)
        ask_each(queue, job, on_job, row, todo);
    else if (!on_job)
        todo_outcome(todo, row, -1);
    recount(queue, job);
}

void queue_resolve(struct queue *queue, const struct todo_item *asked, int rc,
                   enum on_outcome outcome, struct queue_todo *todo)
{
    const struct dependency_row *row = &asked->dependency;

    if (rc == 1)
        return;  /* runs on: its own change will tell */
    if (rc == 2) /* no record of it any more: only "any" can still be said to hold */
        outcome = row->on == ON_SUCCESS ? ON_FAILURE : ON_SUCCESS;
    edge_resolve(queue, row, asked->target.index, outcome, todo);
}

/* A task of `job` ended: tell those that wait for it one by one. */
static void tell_each(struct queue *queue, struct qjob *job, int64_t index, enum on_outcome outcome,
                      struct queue_todo *todo)
{
    if (!job->parts)
        return;
    list_each(at, &job->parts->dependents)
    {
        const struct dependency_row *row = &list_item(at, struct edge, of)->row;

        if (row->each)
            edge_resolve(queue, row, index, outcome, todo);
    }
}

/* The job ended.  Those of its tasks that have no row ended as the rest did. */
static void tell_ended(struct queue *queue, struct qjob *job, enum on_outcome outcome,
                       struct queue_todo *todo)
{
    if (!job->parts)
        return;
    list_each_safe(at, &job->parts->dependents)
    {
        struct edge *edge = list_item(at, struct edge, of);

        list_del(&edge->of);
        if (!edge->row.each)
            edge_resolve(queue, &edge->row, -1, outcome, todo);
        for (int64_t p = job->next_position; edge->row.each && p < job->tasks; p++)
            if (!is_beyond(job, p))
                edge_resolve(queue, &edge->row, index_of(job, p), ON_FAILURE, todo);
        free(edge);
    }
}

/* ---- changes
 * -------------------------------------------------------------------------------------------- */

static void apply_class(struct queue *queue, int64_t id, const char *key)
{
    struct qclass *class;

    if (queue_class(queue, id))
        return;
    class = xcalloc(1, sizeof *class);
    class->id = id;
    /* Keys are our own words; one that a newer version wrote is a class that nothing fits. */
    if (job_class_parse(key, &class->spec, &class->project, &class->user, NULL) < 0) {
        class->project = xstrdup("");
        class->user = xstrdup("");
    }
    map_put(&queue->classes, (uint64_t)id, class);
}

static struct qjob *job_new(struct queue *queue, const struct job_row *row)
{
    struct qjob *job = xcalloc(1, sizeof *job);

    job->id = row->id;
    job->class = queue_class(queue, row->class_id);
    job->tasks = (int32_t)row->tasks;
    job->parallel = (int32_t)row->array_parallel;
    job->next_position = (int32_t)row->next_position;
    job->submitted_ms = row->submitted_ms;
    if (row->array && index_set_parse(row->array, &parts(job)->array, NULL) < 0)
        abort(); /* was checked before it was stored */
    map_put(&queue->jobs, (uint64_t)job->id, job);
    return job;
}

static void tell_rowless(struct queue *queue, struct qjob *job, struct list *tasks,
                         struct queue_todo *todo)
{
    list_each(at, tasks)
    {
        const struct qtask *task = list_item(at, struct qtask, link);

        if (!task->has_row)
            tell_each(queue, job, task->index, ON_FAILURE, todo);
    }
}

/* The rest ended.  Tasks that were picked but have no row ended with it: a lease for them that is
 * still on its way will be refused. */
static void end_rest(struct queue *queue, struct qjob *job, struct queue_todo *todo)
{
    if (!job->parts)
        return;
    tell_rowless(queue, job, &job->parts->picks, todo);
    tell_rowless(queue, job, &job->parts->returned, todo);
    list_each_safe(at, &job->parts->returned)
    {
        struct qtask *task = list_item(at, struct qtask, link);

        task_leave(queue, task);
        task_free(queue, task);
    }
}

static void job_ended(struct queue *queue, struct qjob *job, const struct job_row *row,
                      struct queue_todo *todo)
{
    job->ended = true;
    if (job->parts) {
        heap_del(&queue->begins, &job->parts->begin);
        heap_del(&queue->deadlines, &job->parts->deadline);
    }
    tell_ended(queue, job, row->succeeded == row->tasks ? ON_SUCCESS : ON_FAILURE, todo);
    recount(queue, job);
    map_del(&queue->jobs, (uint64_t)job->id);
    heap_del(&job->class->ready_jobs, &job->by_id);
    job_free(queue, job);
}

static void apply_job(struct queue *queue, const struct job_row *row, struct queue_todo *todo)
{
    struct qjob *job = queue_job(queue, row->id);
    bool added = !job;

    if (!job && row->finished_ms)
        return;
    if (!job)
        job = job_new(queue, row);
    if (added && row->not_before_ms > queue->time.now_wall_ms)
        heap_put(&queue->begins, &parts(job)->begin,
                 queue->time.now_mono_ms + row->not_before_ms - queue->time.now_wall_ms);
    if (row->deadline_ms && !heap_has(&parts(job)->deadline))
        heap_put(&queue->deadlines, &parts(job)->deadline, row->deadline_ms);
    if (task_state_final(row->rest_state) && !task_state_final(job->rest_state))
        end_rest(queue, job, todo);
    job->rest_state = (unsigned char)row->rest_state;
    if (row->finished_ms)
        job_ended(queue, job, row, todo);
    else
        recount(queue, job);
}

static void apply_task_active(struct queue *queue, struct qtask *task, const struct task_row *row,
                              struct queue_todo *todo)
{
    bool newly_asked = row->cancel_asked && !task->cancel_asked;

    task_enter_active(queue, task, queue_worker(queue, row->worker));
    task->attempt = row->attempt;
    task->started_ms = row->started_ms;
    task->cancel_asked = row->cancel_asked;
    if (newly_asked) {
        struct todo_item *item = todo_add(todo);

        item->kind = TODO_STOP_ATTEMPT;
        item->attempt = row->attempt;
        item->worker = row->worker;
        item->reason = row->reason == REASON_DEADLINE ? REASON_DEADLINE : REASON_CANCELLED;
        nodes_stop(task, item->reason, todo);
    }
}

/* A ready position got a row by other means (cancelled or held alone): it is not picked as
 * untouched. */
static void each_forget(struct qjob *job, int64_t position)
{
    struct each_wait *each = each_of(job);
    int64_t at = each->ready_next;

    while (at < each->ready_count && each->ready[at] != position)
        at++;
    if (at == each->ready_count)
        return;
    memmove(each->ready + at, each->ready + at + 1,
            (size_t)(each->ready_count - at - 1) * sizeof *each->ready);
    each->ready_count--;
}

static void apply_task(struct queue *queue, const struct task_row *row, struct queue_todo *todo)
{
    struct qjob *job = queue_job(queue, row->job);
    int64_t position = job ? position_of(job, row->index) : -1;
    struct qtask *task;

    if (position < 0)
        return;
    task = map_get(&queue->tasks, task_key(job->id, position));
    if (!task) {
        touch(job, position);
        if (each_of(job))
            each_forget(job, position);
        task = task_new(queue, job, position);
    } else {
        task_leave(queue, task);
    }
    if (!is_active(row->state) || row->attempt != task->attempt)
        nodes_release(queue, task);
    task->has_row = true;
    task->infra_retries = row->infra_retries;
    task->state = row->state;
    if (task_state_final(row->state)) {
        task_free(queue, task);
        tell_each(queue, job, row->index, row->state == TASK_SUCCEEDED ? ON_SUCCESS : ON_FAILURE,
                  todo);
    } else if (is_active(row->state)) {
        apply_task_active(queue, task, row, todo);
    } else {
        task->cancel_asked = false;
        task->attempt = row->attempt;
        task->grant = (struct grant){ .cpus = 0 };
        if (row->state == TASK_PENDING)
            task_enter_pending(queue, task, row->not_before_ms);
    }
    recount(queue, job);
}

void queue_apply(struct queue *queue, const struct change *change, struct queue_todo *todo)
{
    switch (change->kind) {
    case CHANGE_CLASS:
        apply_class(queue, change->class.id, change->class.key);
        break;
    case CHANGE_JOB:
        apply_job(queue, &change->job, todo);
        break;
    case CHANGE_DEPENDENCY:
        apply_dependency(queue, &change->dependency, todo);
        break;
    case CHANGE_TASK:
        apply_task(queue, &change->task, todo);
        break;
    case CHANGE_WORKER:
        worker_apply(queue, &change->worker);
        break;
    case CHANGE_NODE:
        nodes_apply(queue, &change->node, todo);
        break;
    }
}

/* ---- time
 * --------------------------------------------------------------------------------------------------
 */

static void wake_tasks(struct queue *queue)
{
    struct heap_item *item;

    while ((item = heap_first(&queue->wakes)) && item->key <= queue->time.now_mono_ms) {
        struct qtask *task = heap_owner(item, struct qtask, wake);

        task_leave(queue, task);
        task_enter_pending(queue, task, 0);
        recount(queue, task->job);
    }
}

static void begin_jobs(struct queue *queue)
{
    struct heap_item *item;

    while ((item = heap_first(&queue->begins)) && item->key <= queue->time.now_mono_ms) {
        heap_del(&queue->begins, item);
        recount(queue, heap_owner(item, struct qparts, begin)->job);
    }
}

static int64_t sooner(const struct heap *heap, int64_t than)
{
    const struct heap_item *item = heap_first(heap);

    return item && item->key < than ? item->key : than;
}

int64_t queue_tick(struct queue *queue, struct queue_todo *todo)
{
    struct heap_item *item;
    int64_t next;

    wake_tasks(queue);
    begin_jobs(queue);
    while ((item = heap_first(&queue->deadlines)) && item->key <= queue->time.now_wall_ms) {
        heap_del(&queue->deadlines, item);
        todo_end(todo, heap_owner(item, struct qparts, deadline)->job->id, -1, REASON_DEADLINE);
    }
    next = sooner(&queue->begins, sooner(&queue->wakes, INT64_MAX));
    /* A deadline is wall time: look again within a second, whatever is done to the clock. */
    if (item && next > queue->time.now_mono_ms + 1000)
        next = queue->time.now_mono_ms + 1000;
    return next;
}

/* ---- picking
 * ------------------------------------------------------------------------------------------------
 */

static struct qtask *next_ready(struct queue *queue, struct qjob *job)
{
    int64_t position = job->next_position;

    if (!list_empty(&parts(job)->retries))
        return list_item(job->parts->retries.next, struct qtask, link);
    if (!list_empty(&job->parts->returned))
        return list_item(job->parts->returned.next, struct qtask, link);
    if (each_of(job))
        position = each_of(job)->ready[each_of(job)->ready_next++];
    touch(job, position);
    return task_new(queue, job, position);
}

static void pick_one(struct queue *queue, struct qjob *job, struct pick *out)
{
    struct qtask *task = next_ready(queue, job);

    if (!list_empty(&task->link))
        task_leave(queue, task);
    task->picked = true;
    list_add_tail(&parts(job)->picks, &task->link);
    job->active++;
    job->class->active++;
    *out = (struct pick){ .job = job->id, .index = task->index, .task = task };
}

int64_t queue_pick(struct queue *queue, struct qclass *class, int64_t most, struct pick *out)
{
    int64_t count = 0;

    while (count < most) {
        struct heap_item *first = heap_first(&class->ready_jobs);
        struct qjob *job;

        if (!first)
            break;
        job = heap_owner(first, struct qjob, by_id);
        for (int64_t n = job->ready; n > 0 && count < most; n--)
            pick_one(queue, job, &out[count++]);
        recount(queue, job);
    }
    return count;
}

void queue_unpick(struct queue *queue, const struct pick *pick)
{
    struct qjob *job = queue_job(queue, pick->job);
    struct qtask *task = job ? queue_task(queue, pick->job, pick->index) : NULL;

    if (!task || !task->picked)
        return; /* a change came first and settled it */
    task_leave(queue, task);
    if (task->has_row || !task_state_final(job->rest_state))
        task_enter_pending(queue, task, 0);
    else
        task_free(queue, task);
    recount(queue, job);
}

/* ---- why not
 * -------------------------------------------------------------------------------------------------
 */

enum reason queue_wait_reason(const struct queue *queue, int64_t id, int64_t index)
{
    const struct qjob *job = queue_job(queue, id);
    const struct qtask *task = job ? queue_task(queue, id, index) : NULL;
    int64_t position = job ? index < 0 ? job->next_position : position_of(job, index) : -1;

    if (!job || position < 0)
        return REASON_NONE;
    if (task && heap_has(&task->wake))
        return REASON_BACKOFF;
    if (task && task->waits)
        return REASON_DEPENDENCY;
    if ((task && task->state == TASK_HELD) || (!task && job->rest_state == TASK_HELD))
        return REASON_HELD;
    if (!task && each_of(job) && position < job->tasks && each_of(job)->open[position])
        return REASON_DEPENDENCY;
    if (!task && job->waits)
        return REASON_DEPENDENCY;
    if (!task && begins_later(job))
        return REASON_BACKOFF;
    if (job->parallel && job->active >= job->parallel)
        return REASON_LIMIT;
    return REASON_NONE;
}
