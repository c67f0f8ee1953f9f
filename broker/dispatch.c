/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c - one round: take in what changed, do what it asks, decide, carry out.
 *
 * The queue's lock is held while changes are applied and while decisions are made, never over a
 * commit or a call: what was decided is taken out of the snapshot first (plan.c). */
#include "dispatch.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "losses.h"
#include "plan.h"

#define SAVE_MS 20000 /* how often experience is written down */
#define PASS_US 1000  /* from one pass to the next: commits that come thick share one */

/* Changes on their way from the writer to us. */
struct batch {
    struct batch *next;
    struct arena arena;
    struct change *changes;
    size_t count;
};

struct dispatch {
    struct dispatch_options options;
    struct leases *leases;
    struct sched *sched;
    struct sched_decisions decisions;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* all below, to `stats` */
    pthread_cond_t wake;
    struct batch *first, **last;
    bool stop, poked, ticked;
    struct dispatch_stats stats;
    /* the thread's own */
    int64_t tick_mono_ms, agents_mono_ms, save_mono_ms, decide_wall_ms, pass_mono_us;
    int64_t *changed_workers;
    size_t changed_count;
    int64_t *joined; /* workers whose agents joined in this round */
    size_t joined_count;
};

struct dispatch *dispatch_new(const struct dispatch_options *options)
{
    struct dispatch *d = xcalloc(1, sizeof *d);

    d->options = *options;
    d->sched = sched_new(&d->options.params);
    d->leases = leases_new(options->store, &options->leases);
    d->last = &d->first;
    pthread_mutex_init(&d->lock, NULL);
    clock_cond_init(&d->wake);
    return d;
}

static void batch_free(struct batch *batch)
{
    arena_free(&batch->arena);
    free(batch->changes);
    free(batch);
}

void dispatch_free(struct dispatch *d)
{
    if (!d)
        return;
    while (d->first) {
        struct batch *batch = d->first;

        d->first = batch->next;
        batch_free(batch);
    }
    sched_decisions_free(&d->decisions);
    sched_free(d->sched);
    leases_free(d->leases);
    free(d->changed_workers);
    free(d->joined);
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* ---- changes come in
 * ------------------------------------------------------------------------------------ */

static const char *keep(struct arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : NULL;
}

/* The queue reads few of the strings; only those are worth a copy. */
static void copy_change(struct arena *arena, const struct change *from, struct change *to)
{
    *to = *from;
    switch (from->kind) {
    case CHANGE_CLASS:
        to->class.key = keep(arena, from->class.key);
        break;
    case CHANGE_JOB:
        to->job.name = to->job.project = to->job.user = NULL;
        to->job.array = keep(arena, from->job.array);
        break;
    case CHANGE_TASK:
        to->task.worker_name = to->task.site = to->task.detail = NULL;
        break;
    case CHANGE_WORKER:
        to->worker.name = keep(arena, from->worker.name);
        to->worker.site = keep(arena, from->worker.site);
        to->worker.shape = keep(arena, from->worker.shape);
        to->worker.image = keep(arena, from->worker.image);
        to->worker.project = keep(arena, from->worker.project);
        to->worker.detail = keep(arena, from->worker.detail);
        to->worker.facts = keep(arena, from->worker.facts);
        break;
    case CHANGE_DEPENDENCY:
    case CHANGE_NODE:
        break;
    }
}

void dispatch_changes(void *arg, const struct change *changes, size_t count)
{
    struct dispatch *d = arg;
    struct batch *batch = xcalloc(1, sizeof *batch);

    batch->changes = xcalloc(count, sizeof *changes);
    batch->count = count;
    for (size_t i = 0; i < count; i++)
        copy_change(&batch->arena, &changes[i], &batch->changes[i]);
    pthread_mutex_lock(&d->lock);
    *d->last = batch;
    d->last = &batch->next;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
    d->options.events(d->options.arg);
}

void dispatch_poke(struct dispatch *d)
{
    pthread_mutex_lock(&d->lock);
    d->poked = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
}

void dispatch_tick(struct dispatch *d)
{
    pthread_mutex_lock(&d->lock);
    d->ticked = d->poked = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
}

static void set_time(struct queue *queue)
{
    queue->time.now_wall_ms = clock_wall_ms();
    queue->time.now_mono_ms = clock_mono_ms();
}

static void note_joined(struct dispatch *d, int64_t worker)
{
    d->joined = xrealloc(d->joined, (d->joined_count + 1) * sizeof *d->joined);
    d->joined[d->joined_count++] = worker;
}

/* How long before its join a worker began: a machine that was started for it has been up so long,
 * anything else has its agent's age. */
static int64_t began_before(const char *facts, int64_t took_ms)
{
    own_json json_t *object = facts ? json_loads(facts, 0, NULL) : NULL;
    int64_t up = json_integer_value(json_object_get(object, "uptime_ms"));

    return up > 0 && up < took_ms ? up : json_integer_value(json_object_get(object, "age_ms"));
}

/* An attempt of it may have ended, be it that another follows. */
static void learn_task(struct dispatch *d, const struct qtask *task, const struct task_row *row)
{
    int64_t now_ms = d->options.queue->time.now_wall_ms, run_ms = -1;

    if (row->infra_retries > task->infra_retries)
        world_failed(d->options.world, task, now_ms);
    if (row->attempt != task->attempt)
        return;
    if (task_state_final(row->state) && row->started_ms)
        run_ms = row->finished_ms - row->started_ms;
    else if (row->state == TASK_PENDING && task->started_ms)
        run_ms = now_ms - task->started_ms;
    if (run_ms >= 0)
        world_ran(d->options.world, task, run_ms, row->state == TASK_SUCCEEDED, now_ms);
}

/* Before the change is applied: what a task's end, or a worker's join, teaches. */
static void learn(struct dispatch *d, const struct change *change)
{
    struct queue *queue = d->options.queue;

    if (change->kind == CHANGE_TASK) {
        struct qtask *task = queue_task(queue, change->task.job, change->task.index);

        if (task && task->worker)
            learn_task(d, task, &change->task);
    } else if (change->kind == CHANGE_WORKER && change->worker.state == WORKER_GONE) {
        struct qworker *worker = queue_worker(queue, change->worker.id);

        if (worker)
            world_ended(d->options.world, worker, queue->time.now_wall_ms);
    } else if (change->kind == CHANGE_WORKER && change->worker.state == WORKER_READY) {
        struct qworker *worker = queue_worker(queue, change->worker.id);

        if (worker && !worker->joined_ms && change->worker.joined_ms > worker->created_ms)
            world_booted(
                d->options.world, worker, change->worker.joined_ms - worker->created_ms,
                began_before(change->worker.facts, change->worker.joined_ms - worker->created_ms));
        if (worker && !worker->joined_ms && change->worker.joined_ms)
            note_joined(d, worker->id);
    }
}

static void note_worker(struct dispatch *d, int64_t worker)
{
    d->changed_workers =
        xrealloc(d->changed_workers, (d->changed_count + 1) * sizeof *d->changed_workers);
    d->changed_workers[d->changed_count++] = worker;
}

static void apply_batch(struct dispatch *d, const struct batch *batch, struct queue_todo *todo)
{
    struct queue *queue = d->options.queue;

    pthread_mutex_lock(&queue->lock);
    set_time(queue);
    for (size_t i = 0; i < batch->count; i++) {
        learn(d, &batch->changes[i]);
        queue_apply(queue, &batch->changes[i], todo);
        if (batch->changes[i].kind == CHANGE_WORKER)
            note_worker(d, batch->changes[i].worker.id);
    }
    pthread_mutex_unlock(&queue->lock);
}

/* ---- what changes ask
 * ------------------------------------------------------------------------------------ */

static void complain(const char *what, const struct err *err)
{
    log_error("%s: %s", what, err->text);
}

static void do_outcome(struct dispatch *d, const struct todo_item *item, struct queue_todo *more)
{
    struct queue *queue = d->options.queue;
    enum on_outcome outcome = ON_FAILURE;
    struct err err = ERR_INIT;
    int rc = store_outcome(d->options.store, item->target, &outcome, &err);

    if (rc < 0) {
        complain("how a dependency ended", &err);
        return;
    }
    pthread_mutex_lock(&queue->lock);
    queue_resolve(queue, item, rc, outcome, more);
    pthread_mutex_unlock(&queue->lock);
}

static const char *words_of(enum reason reason)
{
    return reason == REASON_DEPENDENCY ? "a job it waits for did not end as it must"
           : reason == REASON_DEADLINE ? "its deadline passed"
                                       : NULL;
}

static void do_todo(struct dispatch *d, struct queue_todo *todo)
{
    for (size_t i = 0; i < todo->count; i++) {
        const struct todo_item item = todo->items[i]; /* the list may move */
        struct err err = ERR_INIT;

        switch (item.kind) {
        case TODO_OUTCOME:
            do_outcome(d, &item, todo);
            break;
        case TODO_END_TASKS:
            if (store_cancel(d->options.store, item.target, item.reason, words_of(item.reason),
                             &err) < 0 &&
                err.fault != FAULT_CONFLICT && err.fault != FAULT_NOT_FOUND)
                complain("ending tasks", &err);
            break;
        case TODO_STOP_ATTEMPT:
            agents_stop_attempt(d->options.agents, item.worker, item.attempt, item.reason);
            break;
        }
    }
    todo->count = 0;
}

/* ---- workers
 * ------------------------------------------------------------------------------------------------
 */

static void set_worker(struct dispatch *d, int64_t worker, enum worker_state state,
                       enum reason reason, const char *detail)
{
    struct err err = ERR_INIT;

    if (store_worker_set(d->options.store, worker, state, reason, detail, &err) < 0)
        complain("a worker's state", &err);
}

static struct reconcile *site_thread(struct dispatch *d, const char *site)
{
    struct reconcile *reconcile;

    for (int i = 0; i < SCHED_SITES_MOST; i++)
        if ((reconcile = d->options.reconcile_of(d->options.arg, i)) &&
            strcmp(reconcile_site(reconcile), site) == 0)
            return reconcile;
    return NULL;
}

static void poke_site(struct dispatch *d, const char *site)
{
    struct reconcile *reconcile = site_thread(d, site);

    if (reconcile)
        reconcile_poke(reconcile);
}

/* The site hears what its worker turned out to be. */
static void judge_joined(struct dispatch *d, int64_t id)
{
    struct queue *queue = d->options.queue;
    struct reconcile *reconcile = NULL;
    struct qworker *worker;
    struct err err = ERR_INIT;

    pthread_mutex_lock(&queue->lock);
    worker = queue_worker(queue, id);
    reconcile = worker ? site_thread(d, worker->site) : NULL;
    if (!reconcile || reconcile_joined(reconcile, worker, &err) == 0)
        id = 0;
    pthread_mutex_unlock(&queue->lock);
    if (id)
        set_worker(d, id, WORKER_DESTROYING, REASON_BOOT, err.text);
}

static struct losses losses_of(struct dispatch *d)
{
    return (struct losses){ .store = d->options.store,
                            .queue = d->options.queue,
                            .budgets = &d->options.budgets };
}

/* Its end is as good as there: what it held, or was made for, must not wait for it. */
static void lose_worker(struct dispatch *d, const struct lost_worker *lost, bool first)
{
    struct losses losses = losses_of(d);

    if (lost->tasks)
        losses_worker(&losses, lost);
    if (first && lost->class_id && !lost->joined &&
        (lost->reason == REASON_IMAGE || lost->reason == REASON_NO_IMAGE))
        losses_class(&losses, lost);
}

/* What a worker's new state asks of its agent and its site. */
static void follow_worker(struct dispatch *d, int64_t id)
{
    struct queue *queue = d->options.queue;
    struct qworker *worker;
    enum worker_state state = WORKER_GONE;
    own_str char *site = NULL, *name = NULL;
    struct lost_worker lost = { .id = id };
    bool first = false;

    pthread_mutex_lock(&queue->lock);
    if ((worker = queue_worker(queue, id))) {
        state = worker->state;
        site = xstrdup(worker->site);
        name = xstrdup(worker->name);
        lost.name = name;
        lost.tasks = worker->task_count;
        lost.class_id = worker->class_id;
        lost.reason = worker->reason;
        lost.joined = worker->joined_ms != 0;
        if (state == WORKER_DESTROYING && !worker->mourned)
            first = worker->mourned = true;
    }
    pthread_mutex_unlock(&queue->lock);
    if (state == WORKER_GONE) {
        struct losses losses = losses_of(d);

        agents_unwatch(d->options.agents, id);
        /* Its site was quicker than we, or we died in between: nobody else ends what it held. */
        losses_worker(&losses, &lost);
    } else if (state == WORKER_DRAINING) {
        agents_drain(d->options.agents, id);
        if (lost.tasks == 0)
            set_worker(d, id, WORKER_DESTROYING, REASON_NONE, NULL);
    } else if (state == WORKER_DESTROYING) {
        lose_worker(d, &lost, first);
        agents_exit(d->options.agents, id);
        poke_site(d, site);
    } else if (state == WORKER_READY) {
        agents_watch(d->options.agents, id);
    }
}

/* Drained workers that became empty. */
static void note_drained(struct dispatch *d)
{
    struct queue *queue = d->options.queue;
    struct qworker *worker;

    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; (worker = map_next(&queue->workers, &i));)
        if (worker->state == WORKER_DRAINING && worker->task_count == 0)
            note_worker(d, worker->id);
    pthread_mutex_unlock(&queue->lock);
}

static void follow_workers(struct dispatch *d)
{
    note_drained(d);
    for (size_t i = 0; i < d->joined_count; i++)
        judge_joined(d, d->joined[i]);
    d->joined_count = 0;
    for (size_t i = 0; i < d->changed_count; i++)
        follow_worker(d, d->changed_workers[i]);
    d->changed_count = 0;
}

static void agent_news_of(void *arg, int64_t worker, enum agent_news news)
{
    struct dispatch *d = arg;
    struct err err = ERR_INIT;
    int rc = 0;

    switch (news) {
    case AGENT_SILENT:
    case AGENT_HEARD:
        rc = store_worker_silent(d->options.store, worker, news == AGENT_SILENT, &err);
        break;
    case AGENT_LOST:
        rc = store_worker_set(d->options.store, worker, WORKER_DESTROYING, REASON_LOST,
                              "its agent was silent for longer than its leases last", &err);
        break;
    case AGENT_LEAVING:
        rc = store_worker_set(d->options.store, worker, WORKER_DRAINING, REASON_PREEMPTED,
                              "its machine is being taken away", &err);
        break;
    }
    if (rc < 0)
        complain("a worker's state", &err);
}

/* ---- carrying out
 * -------------------------------------------------------------------------------------------- */

static void deliver(struct dispatch *d, struct plan *plan)
{
    struct queue *queue = d->options.queue;

    for (size_t i = 0; i < plan->lease_count; i++) {
        const struct lease *lease = &plan->leases[i];
        struct err err = ERR_INIT;
        char *text;

        if (!lease->attempt) {
            struct pick pick = { .job = lease->job, .index = lease->index };

            pthread_mutex_lock(&queue->lock);
            queue_unpick(queue, &pick);
            pthread_mutex_unlock(&queue->lock);
        } else if ((text = lease_text(d->leases, lease, &plan->grants[i], &err))) {
            agents_lease(d->options.agents, lease->worker, lease->attempt, text);
        } else {
            struct losses losses = losses_of(d);

            losses_lease(&losses, lease, REASON_STAGE_IN, err.text);
        }
    }
    agents_flush(d->options.agents);
}

static void commit_leases(struct dispatch *d, struct plan *plan)
{
    struct err err = ERR_INIT;

    if (plan->lease_count == 0)
        return;
    if (store_lease(d->options.store, plan->leases, plan->lease_count, &err) < 0) {
        complain("leases", &err);
        for (size_t i = 0; i < plan->lease_count; i++)
            plan->leases[i].attempt = 0;
        clock_sleep_ms(100); /* a full disk is not helped by trying at once */
        dispatch_poke(d);
    }
    deliver(d, plan);
}

/* Rows first, then the site's thread is told. */
static void make_workers(struct dispatch *d, const struct making *making)
{
    struct reconcile *reconcile = d->options.reconcile_of(d->options.arg, making->site);

    for (int64_t i = 0; reconcile && i < making->count; i++) {
        own_str char *stem = xasprintf("spillway-%.8s", store_uuid(d->options.store));
        struct new_worker worker = { .site = reconcile_site(reconcile),
                                     .shape = making->shape,
                                     .image = making->image,
                                     .project = making->project,
                                     .class_id = making->class_id,
                                     .decision = making->decision,
                                     .name_stem = stem };
        struct err err = ERR_INIT;
        char token[65];

        io_random_hex(token, 32);
        sha256_of(token, 64, worker.join_hash);
        if (store_worker_add(d->options.store, &worker, &err) < 0) {
            complain("a new worker", &err);
            return;
        }
        pthread_mutex_lock(&d->options.queue->lock);
        world_made(d->options.world, worker.id, making->made_for, making->cost);
        pthread_mutex_unlock(&d->options.queue->lock);
        reconcile_make(reconcile, &(struct make){ .worker = worker.id,
                                                  .name = worker.name,
                                                  .shape = making->shape,
                                                  .image = making->image,
                                                  .project = making->project,
                                                  .container = making->container,
                                                  .token = token });
    }
}

static void note_pass(struct dispatch *d, int64_t began_us, const struct plan *plan)
{
    int64_t us = clock_mono_us() - began_us;

    pthread_mutex_lock(&d->lock);
    d->stats.passes++;
    d->stats.pass_us_sum += us;
    if (us > d->stats.pass_us_max)
        d->stats.pass_us_max = us;
    d->stats.leases += (int64_t)plan->lease_count;
    d->stats.creates += (int64_t)plan->making_count;
    pthread_mutex_unlock(&d->lock);
}

static void decide(struct dispatch *d)
{
    struct queue *queue = d->options.queue;
    const struct sched_snapshot *snapshot;
    struct plan plan = { .leases = NULL };
    int64_t began_us = clock_mono_us();

    pthread_mutex_lock(&queue->lock);
    set_time(queue);
    snapshot = world_build(d->options.world, queue, NULL, queue->time.now_wall_ms);
    sched_decide(d->sched, snapshot, &d->decisions);
    plan_take(&plan, d->options.world, queue, snapshot, &d->decisions);
    d->decide_wall_ms = d->decisions.wake_ms;
    pthread_mutex_unlock(&queue->lock);
    note_pass(d, began_us, &plan);
    commit_leases(d, &plan);
    for (size_t i = 0; i < plan.making_count; i++)
        make_workers(d, &plan.makings[i]);
    for (size_t i = 0; i < plan.end_count; i++)
        set_worker(d, plan.ends[i].worker, plan.ends[i].state, REASON_NONE, plan.ends[i].why);
    plan_free(&plan);
}

/* ---- the thread
 * -------------------------------------------------------------------------------------------------
 */

struct record {
    struct record *next;
    char *key, *value;
};

static void keep_record(void *arg, const char *key, const char *value)
{
    struct record **list = arg, *record = xcalloc(1, sizeof *record);

    record->key = xstrdup(key);
    record->value = xstrdup(value);
    record->next = *list;
    *list = record;
}

static void save_experience(struct dispatch *d)
{
    struct record *list = NULL;
    struct err err = ERR_INIT;

    pthread_mutex_lock(&d->options.queue->lock);
    world_note_breakers(d->options.world);
    experience_save(world_experience(d->options.world), keep_record, &list);
    pthread_mutex_unlock(&d->options.queue->lock);
    while (list) {
        struct record *record = list;

        list = record->next;
        if (store_learned_put(d->options.store, record->key, record->value, &err) < 0)
            complain("what was learnt", &err);
        free(record->key);
        free(record->value);
        free(record);
    }
    d->save_mono_ms = clock_mono_ms() + SAVE_MS;
}

/* What comes on its own is looked at at once; under load a pass takes in a millisecond's worth. */
static void space_passes(struct dispatch *d)
{
    int64_t left_us = d->pass_mono_us + PASS_US - clock_mono_us();
    struct timespec span = { .tv_nsec = left_us * 1000 };

    if (left_us > 0)
        nanosleep(&span, NULL);
    d->pass_mono_us = clock_mono_us();
}

/* Everything that has come in, or NULL when it was time that woke us. */
static struct batch *wait_for_changes(struct dispatch *d, bool *stop)
{
    int64_t until = d->tick_mono_ms < d->agents_mono_ms ? d->tick_mono_ms : d->agents_mono_ms;
    struct batch *batches;

    if (d->decide_wall_ms != INT64_MAX) {
        int64_t left = d->decide_wall_ms - clock_wall_ms();

        /* At least a little: a decision that wants to be asked again at once must not spin. */
        left = left < 10 ? 10 : left;
        if (clock_mono_ms() + left < until)
            until = clock_mono_ms() + left;
    }
    pthread_mutex_lock(&d->lock);
    while (!d->first && !d->stop && !d->poked) {
        struct timespec when = clock_cond_until(until);

        if (pthread_cond_timedwait(&d->wake, &d->lock, &when) == ETIMEDOUT)
            break;
    }
    pthread_mutex_unlock(&d->lock);
    space_passes(d);
    pthread_mutex_lock(&d->lock);
    batches = d->first;
    d->first = NULL;
    d->last = &d->first;
    if (d->ticked)
        d->agents_mono_ms = 0;
    d->poked = d->ticked = false;
    *stop = d->stop;
    pthread_mutex_unlock(&d->lock);
    return batches;
}

static void take_in(struct dispatch *d, struct batch *batches)
{
    struct queue_todo todo = { .items = NULL };
    struct queue *queue = d->options.queue;

    while (batches) {
        struct batch *batch = batches;

        batches = batch->next;
        apply_batch(d, batch, &todo);
        batch_free(batch);
    }
    pthread_mutex_lock(&queue->lock);
    set_time(queue);
    d->tick_mono_ms = queue_tick(queue, &todo);
    pthread_mutex_unlock(&queue->lock);
    do_todo(d, &todo);
    queue_todo_free(&todo);
    agents_flush(d->options.agents);
}

static void *run(void *arg)
{
    struct dispatch *d = arg;
    bool stop = false;

    while (!stop) {
        struct batch *batches = wait_for_changes(d, &stop);
        int64_t now;

        take_in(d, batches);
        follow_workers(d);
        now = clock_mono_ms();
        if (now >= d->agents_mono_ms)
            d->agents_mono_ms = agents_tick(d->options.agents, now, agent_news_of, d);
        if (!stop)
            decide(d);
        if (stop || now >= d->save_mono_ms)
            save_experience(d);
    }
    return NULL;
}

/* ---- start and stop
 * ---------------------------------------------------------------------------------------------- */

struct loading {
    struct dispatch *dispatch;
    struct queue_todo todo;
};

static void load_changes(void *arg, const struct change *changes, size_t count)
{
    struct loading *loading = arg;
    struct dispatch *d = loading->dispatch;

    for (size_t i = 0; i < count; i++) {
        queue_apply(d->options.queue, &changes[i], &loading->todo);
        if (changes[i].kind == CHANGE_WORKER)
            note_worker(d, changes[i].worker.id);
    }
}

static bool load_learned(void *arg, const char *key, const char *value)
{
    experience_load(arg, key, value);
    return true;
}

/* An intent whose create call may or may not have left: nobody knows its token any more. */
static void drop_intents(struct dispatch *d)
{
    struct queue *queue = d->options.queue;
    struct qworker *worker;
    int64_t *ids = xcalloc(queue->workers.count + 1, sizeof *ids);
    size_t count = 0;

    for (size_t i = 0; (worker = map_next(&queue->workers, &i));)
        if (worker->state == WORKER_INTENT)
            ids[count++] = worker->id;
    for (size_t i = 0; i < count; i++)
        set_worker(d, ids[i], WORKER_DESTROYING, REASON_BOOT,
                   "the broker stopped before it was made");
    free(ids);
}

int dispatch_load(struct dispatch *d, struct err *err)
{
    struct loading loading = { .dispatch = d };
    struct queue *queue = d->options.queue;
    int rc;

    if (store_learned(d->options.store, "", load_learned, world_experience(d->options.world), err) <
        0)
        return -1;
    pthread_mutex_lock(&queue->lock);
    world_restore(d->options.world);
    set_time(queue);
    rc = store_load(d->options.store, load_changes, &loading, err);
    pthread_mutex_unlock(&queue->lock);
    if (rc == 0) {
        do_todo(d, &loading.todo);
        drop_intents(d);
    }
    queue_todo_free(&loading.todo);
    return rc;
}

int dispatch_start(struct dispatch *d, struct err *err)
{
    d->save_mono_ms = clock_mono_ms() + SAVE_MS;
    d->decide_wall_ms = INT64_MAX;
    errno = pthread_create(&d->thread, NULL, run, d);
    if (errno)
        return err_sys(err, "start the scheduler's thread");
    d->started = true;
    return 0;
}

void dispatch_stop(struct dispatch *d)
{
    if (!d || !d->started)
        return;
    pthread_mutex_lock(&d->lock);
    d->stop = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    d->started = d->stop = false;
}

void dispatch_stats(struct dispatch *d, struct dispatch_stats *out)
{
    pthread_mutex_lock(&d->lock);
    *out = d->stats;
    pthread_mutex_unlock(&d->lock);
}
