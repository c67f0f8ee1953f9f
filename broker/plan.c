/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - from decisions to what is to be done.
 *
 * What was picked for a lease counts as active from then on, so a decision is not taken twice while
 * its commit is under way. */
#include "plan.h"

#include "base/own.h"

#define LEASES_MOST 512 /* of one decision */

struct taking {
    struct plan *plan;
    struct world *world;
    struct queue *queue;
    const struct sched_snapshot *snapshot;
};

static void add_lease(struct plan *plan, const struct pick *pick, const struct qworker *worker,
                      const struct sched_decision *decision, const char *why)
{
    struct grant grant = { decision->grant.cpus, decision->grant.memory, decision->grant.disk,
                           decision->grant.gpus, (unsigned)decision->option };

    if (plan->lease_count == plan->lease_room) {
        plan->lease_room = plan->lease_room ? plan->lease_room * 2 : 64;
        plan->leases = xrealloc(plan->leases, plan->lease_room * sizeof *plan->leases);
        plan->grants = xrealloc(plan->grants, plan->lease_room * sizeof *plan->grants);
    }
    pick->task->grant = grant;
    plan->grants[plan->lease_count] = grant;
    plan->leases[plan->lease_count++] = (struct lease){
        .job = pick->job, .index = pick->index, .worker = worker->id, .decision = why
    };
}

static const char *words_for(const struct taking *taking, const struct sched_decision *decision)
{
    own_buf struct buf text = BUF_INIT(0);

    sched_decision_json(taking->snapshot, decision, &text);
    return arena_strdup(&taking->plan->arena, buf_text(&text));
}

static void take_lease(const struct taking *taking, const struct sched_decision *decision)
{
    struct qclass *class = world_class(taking->world, decision->class_index);
    const struct qworker *worker = world_worker(taking->world, decision->worker);
    int64_t most = decision->count < LEASES_MOST ? decision->count : LEASES_MOST, count;
    own_mem struct pick *picks = xcalloc((size_t)most, sizeof *picks);
    const char *why;

    if (worker->state != WORKER_READY)
        return;
    why = words_for(taking, decision);
    count = queue_pick(taking->queue, class, most, picks);
    if (count)
        class->served_ms = taking->snapshot->now_ms;
    for (int64_t i = 0; i < count; i++)
        add_lease(taking->plan, &picks[i], worker, decision, why);
}

/* The hosts of a gang, as each of its nodes is told them: rank 0 first. */
static const char *hosts_of(const struct taking *taking, const struct sched_decision *first,
                            int nodes)
{
    own_buf struct buf text = BUF_INIT(0);

    for (int i = 0; i < nodes; i++) {
        const struct qworker *worker = world_worker(taking->world, first[i].worker);

        buf_puts(&text, i ? ",{\"host\":" : "[{\"host\":");
        buf_put_json(&text, worker->host ? worker->host : "localhost");
        buf_printf(&text, ",\"cpus\":%lld}", (long long)first[i].grant.cpus);
    }
    buf_putc(&text, ']');
    return arena_strdup(&taking->plan->arena, buf_text(&text));
}

/* Decisions of one gang lie side by side, rank 0 first: one task, a lease a node. */
static void take_gang(const struct taking *taking, const struct sched_decision *first, int nodes)
{
    struct qclass *class = world_class(taking->world, first->class_index);
    struct plan *plan = taking->plan;
    const char *hosts;
    struct pick pick;

    for (int i = 0; i < nodes; i++)
        if (world_worker(taking->world, first[i].worker)->state != WORKER_READY)
            return;
    if (queue_pick(taking->queue, class, 1, &pick) == 0)
        return;
    class->served_ms = taking->snapshot->now_ms;
    hosts = hosts_of(taking, first, nodes);
    for (int i = 0; i < nodes; i++) {
        struct lease *lease;

        add_lease(plan, &pick, world_worker(taking->world, first[i].worker), &first[i],
                  words_for(taking, &first[i]));
        lease = &plan->leases[plan->lease_count - 1];
        lease->nodes = nodes;
        lease->rank = i;
        lease->hosts = hosts;
    }
}

static void take_create(const struct taking *taking, const struct sched_decision *decision)
{
    const struct sched_snapshot *snapshot = taking->snapshot;
    const struct sched_site *site = &snapshot->sites[decision->site];
    const struct qclass *class = world_class(taking->world, decision->class_index);
    struct plan *plan = taking->plan;
    struct making *making;

    plan->makings = xrealloc(plan->makings, (plan->making_count + 1) * sizeof *plan->makings);
    making = &plan->makings[plan->making_count++];
    *making =
        (struct making){ .site = decision->site,
                         .shape = arena_strdup(&plan->arena, site->shapes[decision->shape].name),
                         .decision = words_for(taking, decision),
                         .class_id = decision->class_id,
                         .made_for = class ? class->id : 0,
                         .cost = decision->figures.cost < 0
                                     ? -1
                                     : decision->figures.cost /
                                           (double)(decision->count > 0 ? decision->count : 1),
                         .count = decision->count };
    if (decision->image)
        making->image = arena_strdup(&plan->arena, names_text(snapshot->names, decision->image));
    if (decision->project >= 0)
        making->project = arena_strdup(&plan->arena, snapshot->projects[decision->project].name);
    if (class && decision->class_id && class->spec.container)
        making->container = arena_strdup(&plan->arena, class->spec.container);
}

static void take_end(const struct taking *taking, const struct sched_decision *decision)
{
    struct plan *plan = taking->plan;

    plan->ends = xrealloc(plan->ends, (plan->end_count + 1) * sizeof *plan->ends);
    plan->ends[plan->end_count].worker = taking->snapshot->workers[decision->worker].id;
    plan->ends[plan->end_count].state =
        decision->kind == SCHED_DRAIN ? WORKER_DRAINING : WORKER_DESTROYING;
    plan->ends[plan->end_count++].why = sched_why_name(decision->why);
}

/* How many decisions were taken: of a gang, all of its nodes'. */
static size_t take(const struct taking *taking, const struct sched_decision *decision, size_t left)
{
    size_t nodes = 1;

    switch (decision->kind) {
    case SCHED_LEASE:
        while (decision->gang && nodes < left && decision[nodes].gang == decision->gang)
            nodes++;
        if (decision->gang)
            take_gang(taking, decision, (int)nodes);
        else
            take_lease(taking, decision);
        break;
    case SCHED_CREATE:
        take_create(taking, decision);
        break;
    case SCHED_DRAIN:
    case SCHED_DESTROY:
        take_end(taking, decision);
        break;
    default:
        break;
    }
    return nodes;
}

void plan_take(struct plan *plan, struct world *world, struct queue *queue,
               const struct sched_snapshot *snapshot, const struct sched_decisions *decisions)
{
    struct taking taking = { plan, world, queue, snapshot };

    for (size_t i = 0; i < decisions->count;)
        i += take(&taking, &decisions->list[i], decisions->count - i);
}

void plan_free(struct plan *plan)
{
    arena_free(&plan->arena);
    free(plan->leases);
    free(plan->grants);
    free(plan->makings);
    free(plan->ends);
}
