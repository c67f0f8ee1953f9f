/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - the jobs of recurring descriptions. */
#include "cron/run.h"

#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "conf/expand.h"
#include "cron/civil.h"

size_t run_documents(const json_t *description)
{
    return json_is_array(description) ? json_array_size(description) : json_is_object(description);
}

const json_t *run_document(const json_t *description, size_t number)
{
    if (json_is_array(description))
        return json_array_get(description, number);
    return number == 0 ? description : NULL;
}

void run_free(struct run *run)
{
    for (size_t i = 0; i < run->count; i++)
        described_free(&run->list[i]);
    free(run->list);
    free(run->rows);
    free(run->project);
    free(run->user);
    *run = (struct run){ .count = 0 };
}

/* ---- the variables of a run ------------------------------------------------------------------ */

/* Every text below `value`, keys apart. */
static void expand_below(json_t *value, const struct job_vars *vars)
{
    size_t i;
    const char *key;
    json_t *item;

    if (json_is_string(value) && job_expands(json_string_value(value))) {
        own_str char *text = job_expand_run(json_string_value(value), vars);

        json_string_set(value, text);
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            expand_below(item, vars);
        }
    } else if (json_is_object(value)) {
        json_object_foreach(value, key, item)
        {
            expand_below(item, vars);
        }
    }
}

static const char *stamp(const struct zone *zone, int64_t instant, char *out, size_t size)
{
    struct zone_span span;

    zone_span(zone, instant, &span);
    return civil_format(instant + span.offset, span.offset, out, size);
}

static json_t *describe(const json_t *description, const struct run_context *context)
{
    static const char *const keys[] = { "command", "script", "environment", "inputs", "outputs" };
    char scheduled[CIVIL_BYTES], success[CIVIL_BYTES] = "";
    struct job_vars vars = { .scheduled_time = scheduled, .previous_success = success };
    json_t *copy = json_deep_copy(description);

    stamp(context->zone, context->instant, scheduled, sizeof scheduled);
    if (context->success_s)
        stamp(context->zone, context->success_s, success, sizeof success);
    json_object_del(copy, "schedule");
    for (size_t i = 0; i < array_len(keys); i++)
        expand_below(json_object_get(copy, keys[i]), &vars);
    return copy;
}

/* ---- the jobs -------------------------------------------------------------------------------- */

static int make_one(const json_t *document, const struct run_context *context, struct run *run,
                    size_t number, struct err *err)
{
    own_json json_t *copy = describe(document, context);
    struct problems problems = { .list = NULL };
    struct described *job = &run->list[number];

    if (described_read(copy, job, &problems) < 0) {
        err_set(err, FAULT_INVALID, "its description is no longer understood: %s: %s",
                problems.count ? problems.list[0].pointer : "",
                problems.count ? problems.list[0].text : "");
        problems_free(&problems);
        return -1;
    }
    problems_free(&problems);
    /* That of the first is told of the run as a whole. */
    if (number == 0) {
        free(job->notify);
        job->notify = NULL;
    }
    described_row(job, run->project, run->user, &run->rows[number]);
    return 0;
}

int run_make(const json_t *description, const struct run_context *context, struct run *out,
             struct err *err)
{
    own_run struct run run = { .project = xstrdup(context->project),
                               .user = xstrdup(context->user) };

    run.count = run_documents(description);
    if (run.count < 1 || run.count > SCHEDULE_JOBS_MOST)
        return err_set(err, FAULT_INVALID, "its description has %zu documents", run.count);
    run.list = xcalloc(run.count, sizeof *run.list);
    run.rows = xcalloc(run.count, sizeof *run.rows);
    for (size_t i = 0; i < run.count; i++)
        if (make_one(run_document(description, i), context, &run, i, err) < 0)
            return -1;
    *out = run;
    run = (struct run){ .count = 0 };
    return 0;
}

/* ---- deciding -------------------------------------------------------------------------------- */

enum firing_action run_decide(void *arg, const struct firing_state *state, const char **why)
{
    const struct plan *plan = arg;

    switch (plan_overlap(plan, state->active, state->waiting)) {
    case PLAN_SKIP:
        *why = plan->overlap == OVERLAP_QUEUE ? "too many runs wait for the one before"
                                              : "the run before has not ended";
        return FIRING_SKIP;
    case PLAN_REPLACE:
        *why = "takes the place of the run before";
        return FIRING_REPLACE;
    case PLAN_BEHIND:
        return plan->after_success ? FIRING_BEHIND_SUCCESS : FIRING_BEHIND;
    case PLAN_FIRE:
        break;
    }
    if (!plan->after_success)
        return FIRING_GO;
    if (state->active)
        return FIRING_BEHIND_SUCCESS;
    if (state->last_job && state->last_state != TASK_SUCCEEDED) {
        *why = "the run before did not succeed (after_success); retry it, or trigger a new one";
        return FIRING_SKIP;
    }
    return FIRING_GO;
}

static int trigger_made(struct store *store, const struct schedule_row *row, struct run *run,
                        const char *by, int64_t now_s, struct err *err)
{
    own_str char *why = xasprintf("triggered by %s", by);
    struct firing firing = { .schedule = row->id,
                             .version = row->version,
                             .instant = now_s,
                             .manual = true,
                             .jobs = run->rows,
                             .job_count = run->count,
                             .most = &run->most,
                             .why = why };

    if (store_fire(store, &firing, 1, err) < 0)
        return -1;
    if (firing.result == FIRING_ALREADY)
        return err_set(err, FAULT_CONFLICT,
                       "'%s' has fired in this very second; try again in the next", row->name);
    if (firing.result == FIRING_STALE)
        return err_set(err, FAULT_CONFLICT, "'%s' was changed meanwhile; try again", row->name);
    if (firing.result == FIRING_WAITS || firing.outcome == FIRING_REFUSED) {
        *err = firing.refused;
        return -1;
    }
    return 0;
}

int run_trigger(struct store *store, const struct schedule_row *row, const char *by, int64_t now_s,
                const struct open_most *most, struct firing_run *out, struct err *err)
{
    own_json json_t *description = json_parse(row->spec, strlen(row->spec), err);
    own_run struct run run = { .count = 0 };
    own_zone struct zone *zone = NULL;
    struct run_context context = {
        .project = row->project, .user = row->user, .instant = now_s, .success_s = row->success_s
    };

    if (!description ||
        zone_load(plan_zone(json_object_get(run_document(description, 0), "schedule")), &zone,
                  err) < 0)
        return -1;
    context.zone = zone;
    if (run_make(description, &context, &run, err) < 0)
        return -1;
    run.most = *most;
    if (trigger_made(store, row, &run, by, now_s, err) < 0)
        return -1;
    *out = (struct firing_run){ run.rows[0].id, (int64_t)run.count };
    return 0;
}
