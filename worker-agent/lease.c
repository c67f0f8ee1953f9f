/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - the attempts that this agent has, from the lease to the settled report. */
#include <inttypes.h>

#include "agent.h"
#include "base/clock.h"
#include "base/log.h"
#include "limits.h"
#include "sync.h"

static void enter(struct agent *agent, struct attempt *a)
{
    map_put(&agent->attempts, (uint64_t)a->id, a);
    a->roster_row = roster_add(agent->roster, a->id);
}

static void give_back(struct attempt *a)
{
    a->phase = PHASE_FINISHED;
    a->say_returned = true;
    sync_say(a);
}

void lease_take_in(struct agent *agent, json_t *lease)
{
    struct err err = ERR_INIT;
    int64_t id = lease_id(lease);
    struct attempt *a;

    if (!id || map_get(&agent->attempts, (uint64_t)id) || sync_was_settled(agent->sync, id))
        return;
    a = attempt_from_lease(agent, lease, &err);
    if (!a) {
        own_str char *detail = xasprintf("the agent cannot read the lease: %s", err.text);

        a = attempt_bare(agent, id);
        enter(agent, a);
        agent->queued++;
        lease_finish(a, REASON_LOST, detail);
        return;
    }
    enter(agent, a);
    /* We run in that very image. */
    if (a->container && agent->boot.container && strcmp(a->container, agent->boot.container) == 0)
        a->container = NULL;
    if (agent->draining || agent->leaving) {
        give_back(a);
        return;
    }
    agent->queued++;
    if (json_array_size(json_object_get(lease, "inputs"))) {
        a->phase = PHASE_STAGING;
        stage_start(a);
        return;
    }
    a->phase = PHASE_READY;
    list_add_tail(&agent->ready, &a->node);
}

void lease_staged(struct attempt *a, const struct err *err)
{
    if (err && err->fault) {
        lease_finish(a, REASON_STAGE_IN, err->text);
        return;
    }
    a->phase = PHASE_READY;
    list_add_tail(&a->agent->ready, &a->node);
}

/* In order: a large one at the head is not overtaken for ever by small ones behind it. */
void lease_start_ready(struct agent *agent)
{
    while (!list_empty(&agent->ready) && !agent->leaving) {
        struct attempt *a = list_item(agent->ready.next, struct attempt, node);

        if (!slots_fit(&agent->slots, &a->need))
            return;
        list_del(&a->node);
        stage_stop(a); /* its part is done; another may be staged */
        a->gpus = slots_take(&agent->slots, &a->need);
        run_start(a);
        if (a->phase == PHASE_RUNNING) {
            agent->queued--;
            sync_say(a);
        } else {
            slots_give(&agent->slots, &a->need, a->gpus);
        }
    }
}

/* Drop what an ended attempt no longer needs; only its report stays. */
static void strip(struct attempt *a)
{
    if (a->place)
        place_give(a->agent->places, take_ptr(a->place), a->place_is_clean);
    if (a->lease)
        json_decref(take_ptr(a->lease));
    a->task = a->container = a->script = NULL;
    if (a->outputs)
        json_decref(take_ptr(a->outputs));
    joblog_free(&a->logs[0]);
    joblog_free(&a->logs[1]);
    a->logs[0].loop = a->logs[1].loop = NULL;
}

void lease_report(struct attempt *a)
{
    struct agent *agent = a->agent;

    if (a->phase == PHASE_COMPLETING)
        agent->active--;
    else
        agent->queued--;
    list_del(&a->node);
    a->phase = PHASE_FINISHED;
    a->report = attempt_report(a);
    if (a->logs[0].file_fd > 0 || a->logs[1].file_fd > 0)
        a->place_is_clean = false;
    strip(a);
    sync_say(a);
}

void lease_finish(struct attempt *a, enum reason reason, const char *detail)
{
    stage_stop(a);
    upload_stop(a);
    a->reason = reason;
    free(a->detail);
    a->detail = xstrdup(detail);
    if (!a->finished_wall_ms)
        a->finished_wall_ms = clock_wall_ms();
    limits_end(a);
    lease_report(a);
}

static const char *words_for(const char *why)
{
    if (strcmp(why, "deadline") == 0)
        return "its deadline passed";
    if (strcmp(why, "fenced") == 0)
        return "its lease is no longer current";
    return "cancelled";
}

static void stop(struct attempt *a, enum reason reason, const char *detail, int64_t grace_ms)
{
    switch (a->phase) {
    case PHASE_STAGING:
    case PHASE_READY:
    case PHASE_COMPLETING:
        lease_finish(a, reason, detail);
        break;
    case PHASE_RUNNING:
        run_stop(a, reason, detail, grace_ms);
        break;
    case PHASE_FINISHED:
        break;
    }
}

void lease_cancel(struct agent *agent, int64_t attempt, const char *why)
{
    struct attempt *a = map_get(&agent->attempts, (uint64_t)attempt);

    if (a)
        stop(a, REASON_CANCELLED, words_for(why), strcmp(why, "fenced") == 0 ? 0 : a->grace_ms);
}

void lease_settled(struct agent *agent, int64_t attempt)
{
    struct attempt *a = map_get(&agent->attempts, (uint64_t)attempt);

    if (!a)
        return;
    if (a->phase !=
        PHASE_FINISHED) { /* refused for good while it still runs: it is not ours any more */
        lease_cancel(agent, attempt, "fenced");
        return;
    }
    sync_settle(agent->sync, attempt);
    sync_forget(a);
    map_del(&agent->attempts, (uint64_t)attempt);
    roster_drop(agent->roster, a->roster_row);
    attempt_free(a);
}

void lease_drain(struct agent *agent)
{
    struct attempt *a;

    agent->draining = true;
    for (size_t i = 0; (a = map_next(&agent->attempts, &i));) {
        if (a->phase != PHASE_STAGING && a->phase != PHASE_READY)
            continue;
        stage_stop(a);
        list_del(&a->node);
        agent->queued--;
        strip(a);
        give_back(a);
    }
}

void lease_stop_all(struct agent *agent, enum reason reason, const char *detail, int64_t grace_ms)
{
    list_each_safe(at, &agent->running)
    {
        struct attempt *a = list_item(at, struct attempt, node);

        run_stop(a, reason, detail, a->grace_ms && a->grace_ms < grace_ms ? a->grace_ms : grace_ms);
    }
}
