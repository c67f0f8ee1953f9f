/* SPDX-License-Identifier: Apache-2.0 */
/* order.c - who is served first: fair share over projects, then users, then priority, then age.
 *
 * Serving is a conversation: the project that is furthest below its share is given as much as keeps
 * it so (at least one task), by its user who is furthest below hers, and so on until nothing fits.
 * Shares are of the dominant resource; what is held now counts as if held for charge_ms more, so
 * that two who start equal are served in turn. */
#include <math.h>

#include "base/own.h"
#include "sched/pass.h"
#include "sched/share.h"

static double key_of(const struct pass *pass, double usage, const struct room *held, double weight)
{
    double share = share_dominant(held, &pass->whole);

    return (usage + share * (double)pass->params->charge_ms / 1000) / (weight > 0 ? weight : 1e-9);
}

static void key_project(struct pass *pass, int project)
{
    const struct sched_project *p = &pass->snap->projects[project];

    pass->projects[project].key = key_of(pass, p->usage, &pass->projects[project].held, p->weight);
}

static void key_user(struct pass *pass, int user)
{
    const struct sched_user *u = &pass->snap->users[user];

    pass->users[user].key = key_of(pass, u->usage, &pass->users[user].held, u->weight);
}

/* ---- classes of one user --------------------------------------------------------------------- */

struct rank {
    int class_index;
    int priority;
    int64_t urgent_ms; /* its deadline when that is near, else NEVER_MS */
    int64_t oldest_ms, id;
};

static int by_age(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;

    if (x->oldest_ms != y->oldest_ms)
        return x->oldest_ms < y->oldest_ms ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_rank(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;

    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->urgent_ms != y->urgent_ms)
        return x->urgent_ms < y->urgent_ms ? -1 : 1;
    return by_age(a, b);
}

/* A deadline is near when little more than the run itself fits before it. */
static int64_t urgent_ms(const struct pass *pass, const struct sched_class *class)
{
    int64_t run;

    if (class->deadline_ms == 0)
        return NEVER_MS;
    run = run_safe(pass->params, class, &class->options[0]);
    if (class->deadline_ms - pass->now > 3 * run + 600000)
        return NEVER_MS;
    return class->deadline_ms;
}

static struct rank rank_of(const struct pass *pass, int class_index)
{
    const struct sched_class *class = &pass->snap->classes[class_index];

    return (struct rank){ .class_index = class_index,
                          .priority = class->priority,
                          .urgent_ms = urgent_ms(pass, class),
                          .oldest_ms = class->oldest_ms,
                          .id = class->id };
}

static void order_users(struct pass *pass)
{
    const struct sched_snapshot *snap = pass->snap;
    struct rank *ranks = pass_alloc(pass, pass->queue_count + 1, sizeof *ranks);
    size_t at = 0;
    int *list;

    pass->working = pass_alloc(pass, pass->queue_count + 1, sizeof *pass->working);
    for (size_t i = 0; i < pass->queue_count; i++) {
        int u = snap->classes[pass->queue[i]].user;

        if (pass->users[u].class_count++ == 0)
            pass->working[pass->working_count++] = u;
    }
    list = pass_alloc(pass, pass->queue_count + 1, sizeof *list);
    for (size_t i = 0; i < pass->working_count; i++) {
        struct pass_user *user = &pass->users[pass->working[i]];

        user->classes = list + at;
        at += user->class_count;
        user->class_count = 0;
    }
    for (size_t i = 0; i < pass->queue_count; i++) {
        struct pass_user *user = &pass->users[snap->classes[pass->queue[i]].user];

        user->classes[user->class_count++] = pass->queue[i];
    }
    for (size_t u = 0; u < pass->working_count; u++) {
        struct pass_user *user = &pass->users[pass->working[u]];

        for (size_t i = 0; i < user->class_count; i++)
            ranks[i] = rank_of(pass, user->classes[i]);
        if (user->class_count > 1)
            qsort(ranks, user->class_count, sizeof *ranks, by_rank);
        for (size_t i = 0; i < user->class_count; i++) {
            user->classes[i] = ranks[i].class_index;
            pass->classes[ranks[i].class_index].rank = (int)i;
        }
    }
}

static void order_projects(struct pass *pass)
{
    const struct sched_snapshot *snap = pass->snap;
    int *list = pass_alloc(pass, pass->working_count + 1, sizeof *list);
    size_t at = 0;

    pass->busy = pass_alloc(pass, pass->working_count + 1, sizeof *pass->busy);
    for (size_t i = 0; i < pass->working_count; i++) {
        int p = snap->users[pass->working[i]].project;

        if (pass->projects[p].user_count++ == 0)
            pass->busy[pass->busy_count++] = p;
    }
    for (size_t i = 0; i < pass->busy_count; i++) {
        struct pass_project *project = &pass->projects[pass->busy[i]];

        project->users = list + at;
        at += project->user_count;
        project->user_count = 0;
    }
    for (size_t i = 0; i < pass->working_count; i++) {
        struct pass_project *project = &pass->projects[snap->users[pass->working[i]].project];

        project->users[project->user_count++] = pass->working[i];
    }
}

static void order_by_age(struct pass *pass)
{
    struct rank *ranks = pass_alloc(pass, pass->queue_count + 1, sizeof *ranks);

    for (size_t i = 0; i < pass->queue_count; i++)
        ranks[i] = rank_of(pass, pass->queue[i]);
    qsort(ranks, pass->queue_count, sizeof *ranks, by_age);
    for (size_t i = 0; i < pass->queue_count; i++)
        pass->queue[i] = ranks[i].class_index;
}

void order_make(struct pass *pass)
{
    const struct sched_snapshot *snap = pass->snap;

    if (pass->params->order == SCHED_ORDER_AGE) {
        order_by_age(pass);
        return;
    }
    for (size_t c = 0; c < snap->class_count; c++) {
        const struct sched_class *class = &snap->classes[c];
        int64_t held = class->running * class->options[0].nodes;

        if (held > 0) {
            room_take(&pass->users[class->user].held, &class->options[0].need, -held);
            room_take(&pass->projects[class->project].held, &class->options[0].need, -held);
        }
    }
    order_users(pass);
    order_projects(pass);
    for (size_t i = 0; i < pass->working_count; i++)
        key_user(pass, pass->working[i]);
    for (size_t i = 0; i < pass->busy_count; i++)
        key_project(pass, pass->busy[i]);
}

void order_charge(struct pass *pass, const struct sched_class *class, const struct room *need,
                  int64_t count)
{
    if (pass->params->order == SCHED_ORDER_AGE)
        return;
    room_take(&pass->users[class->user].held, need, -count);
    room_take(&pass->projects[class->project].held, need, -count);
    key_user(pass, class->user);
    key_project(pass, class->project);
}

/* ---- serving --------------------------------------------------------------------------------- */

/* A heap of indices by a key that only grows; ties by index. */
struct keyed {
    double key;
    int index;
};
struct keyed_heap {
    struct keyed *items;
    size_t count;
};

static bool before(const struct keyed *a, const struct keyed *b)
{
    return a->key < b->key || (a->key == b->key && a->index < b->index);
}

static void sink(struct keyed_heap *heap, size_t i)
{
    for (;;) {
        size_t least = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < heap->count; child++)
            if (before(&heap->items[child], &heap->items[least]))
                least = child;
        if (least == i)
            return;
        struct keyed swap = heap->items[i];
        heap->items[i] = heap->items[least];
        heap->items[least] = swap;
        i = least;
    }
}

static void heapify(struct keyed_heap *heap)
{
    for (size_t i = heap->count / 2; i-- > 0;)
        sink(heap, i);
}

static void drop_first(struct keyed_heap *heap)
{
    heap->items[0] = heap->items[--heap->count];
    sink(heap, 0);
}

/* Where the runner-up stands; infinite when there is none. */
static double second(const struct keyed_heap *heap)
{
    double key = INFINITY;

    for (size_t i = 1; i < 3 && i < heap->count; i++)
        key = fmin(key, heap->items[i].key);
    return key;
}

/* Tasks until the key has grown to `until`, at least one. */
static int64_t until_key(const struct pass *pass, double key, double until, double weight,
                         const struct room *need)
{
    double step = share_dominant(need, &pass->whole) * (double)pass->params->charge_ms / 1000 /
                  (weight > 0 ? weight : 1e-9);
    double count = step > 0 ? (until - key) / step : INFINITY;

    if (!(count < 1e15))
        return NO_LIMIT;
    return count < 1 ? 1 : (int64_t)count + 1;
}

static int64_t give(struct pass *pass, int class_index, int64_t want, enum serve mode)
{
    switch (mode) {
    case SERVE_SLOTS:
        return lease_some(pass, class_index, want, false);
    case SERVE_AHEAD:
        return lease_some(pass, class_index, want, true);
    case SERVE_CREATE:
        return create_some(pass, class_index, want);
    }
    return 0;
}

/* The user's first class that can still be served, or -1. */
static int next_class(struct pass *pass, struct pass_user *user)
{
    while (user->next < user->class_count) {
        struct pass_class *pc = &pass->classes[user->classes[user->next]];

        if (pc->left > 0 && !pc->stuck && (pc->asks_gpus || !pass->gpus_only))
            return user->classes[user->next];
        user->next++;
    }
    return -1;
}

/* There is nothing for it in this pass: it waits before those that are served after it. */
static void get_stuck(struct pass *pass, int class_index, enum serve mode)
{
    pass->classes[class_index].stuck = true;
    if (mode == SERVE_SLOTS && !pass->gpus_only)
        pass->ahead[pass->ahead_count++] = class_index;
}

static void serve_user(struct pass *pass, int project, int user, int class_index,
                       const double until[2], enum serve mode)
{
    const struct sched_snapshot *snap = pass->snap;
    struct pass_class *pc = &pass->classes[class_index];
    const struct room *need = &pc->class->options[0].need;
    int64_t want = until_key(pass, pass->projects[project].key, until[0],
                             snap->projects[project].weight, need);
    int64_t mine = until_key(pass, pass->users[user].key, until[1], snap->users[user].weight, need);

    want = mine < want ? mine : want;
    if (want > pc->left)
        want = pc->left;
    if (give(pass, class_index, want, mode) == 0)
        get_stuck(pass, class_index, mode);
}

static void serve_fair(struct pass *pass, enum serve mode)
{
    const struct sched_snapshot *snap = pass->snap;
    struct keyed_heap projects = { .items = pass_alloc(pass, pass->busy_count + 1,
                                                       sizeof(struct keyed)) };
    struct keyed_heap *users = pass_alloc(pass, snap->project_count + 1, sizeof *users);

    for (size_t i = 0; i < pass->busy_count; i++) {
        int p = pass->busy[i];
        const struct pass_project *project = &pass->projects[p];

        users[p].items = pass_alloc(pass, project->user_count, sizeof(struct keyed));
        for (size_t u = 0; u < project->user_count; u++) {
            pass->users[project->users[u]].next = 0;
            users[p].items[users[p].count++] =
                (struct keyed){ pass->users[project->users[u]].key, project->users[u] };
        }
        heapify(&users[p]);
        projects.items[projects.count++] = (struct keyed){ project->key, p };
    }
    heapify(&projects);
    while (projects.count) {
        int p = projects.items[0].index, u, c;

        if (users[p].count == 0) {
            drop_first(&projects);
            continue;
        }
        u = users[p].items[0].index;
        c = next_class(pass, &pass->users[u]);
        if (c < 0) {
            drop_first(&users[p]);
            continue;
        }
        serve_user(pass, p, u, c, (double[]){ second(&projects), second(&users[p]) }, mode);
        users[p].items[0].key = pass->users[u].key;
        sink(&users[p], 0);
        projects.items[0].key = pass->projects[p].key;
        sink(&projects, 0);
    }
}

/* First come, first served: whoever finds no room reserves it, and without backfill stops the rest.
 */
static void serve_age(struct pass *pass, enum serve mode)
{
    for (size_t i = 0; i < pass->queue_count; i++) {
        struct pass_class *pc = &pass->classes[pass->queue[i]];

        while (pc->left > 0 && !pc->stuck)
            if (give(pass, pass->queue[i], pc->left, mode) == 0)
                get_stuck(pass, pass->queue[i], mode);
        if (pc->left == 0 || mode != SERVE_SLOTS)
            continue;
        if (pass->now - pc->class->oldest_ms >= pass->params->reserve_after_ms)
            reserve_class(pass, pass->queue[i]);
        if (!pass->params->backfill)
            break;
    }
}

void order_serve(struct pass *pass, enum serve mode)
{
    if (!pass->ahead)
        pass->ahead = pass_alloc(pass, pass->queue_count + 1, sizeof *pass->ahead);
    for (size_t i = 0; i < pass->queue_count; i++)
        pass->classes[pass->queue[i]].stuck = false;
    if (pass->params->order == SCHED_ORDER_AGE)
        serve_age(pass, mode);
    else
        serve_fair(pass, mode);
}

void order_serve_gpus(struct pass *pass, enum serve mode)
{
    pass->gpus_only = true;
    order_serve(pass, mode);
    pass->gpus_only = false;
}
