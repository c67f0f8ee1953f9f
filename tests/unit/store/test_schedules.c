/* SPDX-License-Identifier: Apache-2.0 */
/* test_schedules.c - broker/store/schedules.c and firings.c: versions, and that an instant makes
 * one job, whatever else happens. */
#include "fixture.h"

#include <sqlite3.h>

#include "store/schedules.h"

#define NEVER (-(INT64_C(1) << 59))

static struct schedule_put nightly(const char *spec)
{
    return (struct schedule_put){ .name = "nightly",
                                  .project = "genomics",
                                  .user = "ada",
                                  .rule = "{\"cron\":\"0 3 * * *\"}",
                                  .spec = spec,
                                  .mark_utc = 100,
                                  .mark_local = NEVER };
}

static struct schedule_put add(struct fixture *f, struct schedule_put put)
{
    assert_ok(f, store_schedule_put(f->store, &put, 1, &f->err));
    return put;
}

static bool keep_row(void *arg, const struct schedule_row *row)
{
    struct schedule_row *out = arg;

    *out = *row;
    out->name = out->project = out->user = out->rule = out->spec = NULL;
    out->paused_why = row->paused_why ? "set" : NULL;
    return true;
}

static struct schedule_row row_of(struct fixture *f, int64_t id)
{
    struct schedule_row row = { .id = 0 };

    assert_ok(f, store_schedule(f->store, id, keep_row, &row, &f->err));
    return row;
}

static enum firing_action go(void *arg, const struct firing_state *state, const char **why)
{
    struct firing_state *seen = arg;

    (void)why;
    if (seen)
        *seen = *state;
    return FIRING_GO;
}

static enum firing_action pass_over(void *arg, const struct firing_state *state, const char **why)
{
    (void)arg;
    *why = "because";
    return state->active ? FIRING_SKIP : FIRING_GO;
}

static enum firing_action behind(void *arg, const struct firing_state *state, const char **why)
{
    (void)arg;
    (void)why;
    return state->active ? FIRING_BEHIND : FIRING_GO;
}

static enum firing_action behind_success(void *arg, const struct firing_state *state,
                                         const char **why)
{
    (void)arg;
    (void)why;
    return state->active ? FIRING_BEHIND_SUCCESS : FIRING_GO;
}

static enum firing_action replace(void *arg, const struct firing_state *state, const char **why)
{
    (void)arg;
    (void)why;
    return state->active ? FIRING_REPLACE : FIRING_GO;
}

/* One firing of a plain job; the mark goes to its instant. */
static struct firing fire(struct fixture *f, const struct schedule_put *put, int64_t instant,
                          firing_decide *decide, void *arg)
{
    struct new_job job = plain_job("nightly");
    struct firing firing = { .schedule = put->id,
                             .version = put->version,
                             .instant = instant,
                             .mark_utc = instant,
                             .mark_local = instant + 3600,
                             .jobs = &job,
                             .job_count = 1,
                             .decide = decide,
                             .arg = arg };

    assert_ok(f, store_fire(f->store, &firing, 1, &f->err));
    firing.schedule = firing.result == FIRING_DONE ? job.id : 0; /* what the tests ask for */
    firing.jobs = NULL;
    return firing;
}

static void end_job(struct fixture *f, int64_t worker, int64_t job, enum task_state state)
{
    ends(f, worker, lease(f, job, 0, worker), state);
}

static size_t settle(struct fixture *f, int64_t now_ms, struct ended_run *last)
{
    struct ended_run *runs = NULL;
    size_t count = 0;

    assert_ok(f, store_firings_settle(f->store, now_ms, &runs, &count, &f->err));
    if (count && last)
        *last = runs[count - 1];
    free(runs);
    return count;
}

static void an_edit_is_a_new_version(void **state)
{
    struct fixture *f = *state;
    own_buf struct buf spec = BUF_INIT(0);
    struct schedule_put put = add(f, nightly("{\"command\":[\"a\"]}")), again;
    int64_t id = 0;

    assert_true(put.added);
    assert_int_equal(put.version, 1);
    again = add(f, nightly("{\"command\":[\"a\"]}"));
    assert_false(again.added || again.changed);
    assert_int_equal(again.id, put.id);
    /* The rule stays, so does the mark. */
    fire(f, &put, 1000, go, NULL);
    again = nightly("{\"command\":[\"b\"]}");
    again.mark_utc = 5000;
    again = add(f, again);
    assert_true(again.changed);
    assert_int_equal(again.version, 2);
    assert_int_equal(row_of(f, put.id).mark_utc, 1000);
    again.rule = "{\"cron\":\"0 4 * * *\"}";
    again.spec = "{\"command\":[\"c\"]}";
    again = add(f, again);
    assert_int_equal(again.version, 3);
    assert_int_equal(row_of(f, put.id).mark_utc, 5000);
    /* A version that ran is kept, one that did not is not. */
    assert_int_equal(store_schedule_spec(f->store, put.id, 1, &spec, &f->err), 0);
    assert_string_equal(buf_text(&spec), "{\"command\":[\"a\"]}");
    assert_int_equal(store_schedule_spec(f->store, put.id, 2, &spec, &f->err), 1);
    assert_int_equal(store_schedule_find(f->store, "ada", "nightly", &id, &f->err), 0);
    assert_int_equal(id, put.id);
    assert_int_equal(store_schedule_find(f->store, "bob", "nightly", &id, &f->err), 1);
}

static void an_instant_fires_once(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = add(f, nightly("{}"));
    struct firing firing = fire(f, &put, 1000, go, NULL);
    int64_t job = firing.schedule;

    assert_int_equal(firing.result, FIRING_DONE);
    assert_int_equal(firing.outcome, FIRING_FIRED);
    assert_true(job > 0);
    assert_int_equal(row_of(f, put.id).mark_utc, 1000);
    assert_int_equal(row_of(f, put.id).mark_local, 4600);
    assert_int_equal(row_of(f, put.id).last_job, job);
    assert_int_equal(fire(f, &put, 1000, go, NULL).result, FIRING_ALREADY);
    fixture_again(f);
    assert_int_equal(fire(f, &put, 1000, go, NULL).result, FIRING_ALREADY);
    assert_int_equal(fire(f, &put, 2000, go, NULL).result, FIRING_DONE);
    put.version = 9;
    assert_int_equal(fire(f, &put, 3000, go, NULL).result, FIRING_STALE);
}

static bool keep_firing(void *arg, const struct firing_row *row)
{
    struct firing_row *out = arg;

    *out = *row;
    out->why = row->why ? "set" : NULL;
    return false; /* the newest alone */
}

static struct firing_row newest(struct fixture *f, int64_t id)
{
    struct firing_row row = { .instant = -1 };

    assert_ok(f, store_firings(f->store, id, INT64_MAX, 10, keep_firing, &row, &f->err));
    return row;
}

static void what_was_missed_may_still_fire(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = add(f, nightly("{}"));
    struct firing missed = { .schedule = put.id,
                             .version = 1,
                             .instant = 3000,
                             .mark_utc = 3000,
                             .missed = 3,
                             .missed_first = 1000 };

    assert_ok(f, store_fire(f->store, &missed, 1, &f->err));
    assert_int_equal(missed.outcome, FIRING_MISSED);
    assert_int_equal(newest(f, put.id).missed, 3);
    assert_int_equal(newest(f, put.id).missed_first, 1000);
    assert_int_equal(fire(f, &put, 3000, go, NULL).result, FIRING_DONE);
    assert_int_equal(newest(f, put.id).outcome, FIRING_FIRED);
    assert_ok(f, store_fire(f->store, &missed, 1, &f->err));
    assert_int_equal(missed.result, FIRING_ALREADY);
}

static void overlap_is_decided_in_the_transaction(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = add(f, nightly("{}"));
    struct firing_state seen;
    struct firing firing;
    int64_t worker = worker_ready(f, "w"), first, second;

    first = fire(f, &put, 1000, go, &seen).schedule;
    assert_int_equal(seen.active, 0);
    firing = fire(f, &put, 2000, pass_over, NULL);
    assert_int_equal(firing.outcome, FIRING_SKIPPED);
    assert_int_equal(newest(f, put.id).job, 0);
    assert_non_null(newest(f, put.id).why);
    second = fire(f, &put, 3000, behind, NULL).schedule;
    assert_true(second > 0);
    fire(f, &put, 4000, go, &seen);
    assert_int_equal(seen.active, 2);
    assert_int_equal(seen.waiting, 2);
    assert_int_equal(seen.runs[0].job, second);
    end_job(f, worker, first, TASK_SUCCEEDED);
    firing = fire(f, &put, 5000, replace, NULL);
    assert_int_equal(firing.cancel_count, 2);
    assert_int_equal(firing.cancel[1].job, second);
}

static void ends_are_counted_and_pause(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = nightly("{}");
    struct ended_run run = { .state = TASK_PENDING };
    int64_t worker = worker_ready(f, "w");

    put.pause_after = 2;
    put = add(f, put);
    end_job(f, worker, fire(f, &put, 1000, go, NULL).schedule, TASK_SUCCEEDED);
    assert_int_equal(settle(f, 1, &run), 1);
    assert_int_equal(run.state, TASK_SUCCEEDED);
    assert_int_equal(run.success_s, 1000);
    assert_false(run.recovered);
    assert_int_equal(settle(f, 1, &run), 0);
    end_job(f, worker, fire(f, &put, 2000, go, NULL).schedule, TASK_FAILED);
    assert_int_equal(settle(f, 1, &run), 1);
    assert_int_equal(run.failures, 1);
    assert_int_equal(run.success_s, 1000);
    assert_false(run.paused);
    end_job(f, worker, fire(f, &put, 3000, go, NULL).schedule, TASK_FAILED);
    assert_int_equal(settle(f, 1, &run), 1);
    assert_true(run.paused);
    assert_int_equal(row_of(f, put.id).paused, SCHEDULE_FAILING);
    assert_int_equal(fire(f, &put, 4000, go, NULL).result, FIRING_STALE);
    assert_int_equal(
        store_schedule_pause(f->store, put.id, SCHEDULE_RUNS, NULL, 4500, NEVER, &f->err), 0);
    assert_int_equal(row_of(f, put.id).mark_utc, 4500);
    assert_int_equal(row_of(f, put.id).failures, 0);
    assert_int_equal(fire(f, &put, 5000, go, NULL).result, FIRING_DONE);
}

static void a_retry_by_hand_counts_as_recovery(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = add(f, nightly("{}"));
    struct firing_state seen;
    int64_t worker = worker_ready(f, "w"), job = fire(f, &put, 1000, go, NULL).schedule;

    end_job(f, worker, job, TASK_FAILED);
    assert_int_equal(settle(f, 1, NULL), 1);
    assert_int_equal(row_of(f, put.id).failures, 1);
    assert_int_equal(store_retry(f->store, (struct target){ job, -1 }, &f->err), 1);
    end_job(f, worker, job, TASK_SUCCEEDED);
    fire(f, &put, 2000, go, &seen);
    assert_int_equal(seen.last_job, job);
    assert_int_equal(seen.last_state, TASK_SUCCEEDED);
    assert_int_equal(row_of(f, put.id).failures, 0);
    assert_int_equal(row_of(f, put.id).success_s, 1000);
}

static void late_runs_are_told_once(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = nightly("{}");
    struct ended_run run = { .state = TASK_PENDING };
    int64_t later = 1000 * 1000 + 60001;

    put.late_ms = 60000;
    put = add(f, put);
    fire(f, &put, 1000, go, NULL);
    assert_int_equal(settle(f, later - 2, &run), 0);
    assert_int_equal(settle(f, later, &run), 1);
    assert_true(run.late);
    assert_true(newest(f, put.id).late);
    assert_int_equal(settle(f, later, &run), 0);
}

static void a_refused_job_leaves_a_record(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = add(f, nightly("{}"));
    struct dependency after = { .job = 4711 };
    struct new_job jobs[2] = { plain_job("bad"), plain_job("good") };
    struct firing list[2] = {
        { .schedule = put.id,
          .version = 1,
          .instant = 1000,
          .mark_utc = 2000,
          .jobs = &jobs[0],
          .job_count = 1 },
        { .schedule = put.id,
          .version = 1,
          .instant = 2000,
          .mark_utc = 2000,
          .jobs = &jobs[1],
          .job_count = 1 },
    };

    jobs[0].after = &after;
    jobs[0].after_count = 1;
    assert_ok(f, store_fire(f->store, list, 2, &f->err));
    assert_int_equal(list[0].outcome, FIRING_REFUSED);
    assert_non_null(strstr(list[0].refused.text, "4711"));
    assert_int_equal(list[1].outcome, FIRING_FIRED);
    assert_int_equal(row_of(f, put.id).last_s, 2000);
}

/* ---- runs of several jobs -------------------------------------------------------------------- */

/* count, then total behind all of count, then told only when count fails. */
struct pipeline {
    struct dependency on[2];
    struct new_job jobs[3];
    struct firing firing;
};

static void pipeline_fire(struct fixture *f, const struct schedule_put *put, int64_t instant,
                          firing_decide *decide, struct pipeline *out)
{
    *out = (struct pipeline){
        .on = { { .name = (char *)(uintptr_t) "count", .on = ON_SUCCESS },
                { .name = (char *)(uintptr_t) "count", .on = ON_FAILURE } },
        .jobs = { plain_job("count"), plain_job("total"), plain_job("tell") },
        .firing = { .schedule = put->id,
                    .version = put->version,
                    .instant = instant,
                    .mark_utc = instant,
                    .before_utc = instant - 1,
                    .before_local = NEVER,
                    .jobs = out->jobs,
                    .job_count = 3,
                    .decide = decide },
    };
    for (int i = 0; i < 2; i++) {
        out->jobs[i + 1].after = &out->on[i];
        out->jobs[i + 1].after_count = 1;
    }
    assert_ok(f, store_fire(f->store, &out->firing, 1, &f->err));
}

static void fail_for_dependency(struct fixture *f, int64_t job)
{
    assert_int_equal(
        store_cancel(f->store, (struct target){ job, -1 }, REASON_DEPENDENCY, "", &f->err), 1);
}

static void a_run_ends_with_the_last_of_its_jobs(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = add(f, nightly("[{},{},{}]"));
    struct ended_run run = { .state = TASK_PENDING };
    struct firing_state seen;
    struct pipeline line;
    int64_t worker = worker_ready(f, "w");

    pipeline_fire(f, &put, 1000, NULL, &line);
    assert_int_equal(line.firing.outcome, FIRING_FIRED);
    assert_int_equal(newest(f, put.id).jobs, 3);
    assert_int_equal(newest(f, put.id).job, line.jobs[0].id);
    assert_int_equal(line.jobs[2].id, line.jobs[0].id + 2);
    end_job(f, worker, line.jobs[0].id, TASK_SUCCEEDED);
    assert_int_equal(settle(f, 1, &run), 0);
    fire(f, &put, 1500, go, &seen);
    assert_int_equal(seen.active, 1);
    assert_int_equal(seen.waiting, 0);
    /* What is to follow a failure never runs, and the run has succeeded all the same. */
    fail_for_dependency(f, line.jobs[2].id);
    end_job(f, worker, line.jobs[1].id, TASK_SUCCEEDED);
    assert_int_equal(settle(f, 1, &run), 1);
    assert_int_equal(run.job, line.jobs[0].id);
    assert_int_equal(run.state, TASK_SUCCEEDED);
    assert_int_equal(run.success_s, 1000);
}

static void a_run_fails_with_any_of_its_jobs(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = add(f, nightly("[{},{},{}]"));
    struct ended_run run = { .state = TASK_PENDING };
    struct pipeline line;
    int64_t worker = worker_ready(f, "w");

    pipeline_fire(f, &put, 1000, NULL, &line);
    end_job(f, worker, line.jobs[0].id, TASK_FAILED);
    fail_for_dependency(f, line.jobs[1].id);
    end_job(f, worker, line.jobs[2].id, TASK_SUCCEEDED);
    assert_int_equal(settle(f, 1, &run), 1);
    assert_int_equal(run.state, TASK_FAILED);
    assert_int_equal(run.failures, 1);
    /* Mended by hand. */
    assert_int_equal(store_retry(f->store, (struct target){ line.jobs[0].id, -1 }, &f->err), 1);
    assert_int_equal(store_retry(f->store, (struct target){ line.jobs[1].id, -1 }, &f->err), 1);
    end_job(f, worker, line.jobs[0].id, TASK_SUCCEEDED);
    end_job(f, worker, line.jobs[1].id, TASK_SUCCEEDED);
    fire(f, &put, 2000, go, NULL);
    assert_int_equal(row_of(f, put.id).failures, 0);
}

static int64_t links_of(struct fixture *f, int64_t job)
{
    own_str char *path = xasprintf("%s/spillway.db", f->dir);
    sqlite3_stmt *stmt = NULL;
    sqlite3 *db = NULL;
    int64_t count;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT count(*) FROM dependencies WHERE job = ?", -1, &stmt, NULL),
        SQLITE_OK);
    sqlite3_bind_int64(stmt, 1, job);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    count = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return count;
}

static void the_next_run_waits_for_all_of_it(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = add(f, nightly("[{},{},{}]"));
    struct pipeline first, second;

    pipeline_fire(f, &put, 1000, NULL, &first);
    pipeline_fire(f, &put, 2000, behind, &second);
    assert_int_equal(links_of(f, second.jobs[0].id), 3);
    assert_int_equal(links_of(f, second.jobs[1].id), 1);
    pipeline_fire(f, &put, 3000, behind_success, &second);
    assert_int_equal(links_of(f, second.jobs[0].id), 3);
    assert_int_equal(links_of(f, second.jobs[2].id), 4);
    pipeline_fire(f, &put, 4000, replace, &second);
    assert_int_equal(second.firing.cancel_count, 3);
    assert_int_equal(second.firing.cancel[2].job, first.jobs[0].id);
    assert_int_equal(second.firing.cancel[2].jobs, 3);
    assert_int_equal(links_of(f, second.jobs[0].id), 9);
}

static void a_job_is_kept_until_its_run_has_ended(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = add(f, nightly("[{},{},{}]"));
    struct retention rule = { .jobs_ms = 1 };
    struct ended_run run = { .state = TASK_PENDING };
    struct pipeline line;
    struct pruned pruned;
    int64_t worker = worker_ready(f, "w"), far = INT64_C(1) << 50;

    pipeline_fire(f, &put, 1000, NULL, &line);
    end_job(f, worker, line.jobs[0].id, TASK_FAILED);
    fail_for_dependency(f, line.jobs[1].id);
    assert_ok(f, store_prune(f->store, &rule, far, &pruned, &f->err));
    assert_int_equal(pruned.jobs, 0);
    end_job(f, worker, line.jobs[2].id, TASK_SUCCEEDED);
    assert_int_equal(settle(f, 1, &run), 1);
    assert_int_equal(run.state, TASK_FAILED);
    assert_ok(f, store_prune(f->store, &rule, far, &pruned, &f->err));
    assert_int_equal(pruned.jobs, 3);
}

/* ---- more than its user may have open -------------------------------------------------------- */

static void what_is_too_much_now_waits(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = add(f, nightly("{}"));
    struct open_most most = { .of_user = 1, .of_all = -1 };
    struct new_job jobs[3] = { plain_job("a"), plain_job("b"), plain_job("c") };
    struct firing list[3];
    int64_t worker = worker_ready(f, "w");

    for (int i = 0; i < 3; i++)
        list[i] = (struct firing){ .schedule = put.id,
                                   .version = 1,
                                   .instant = 1000 * (i + 1),
                                   .mark_utc = 3000,
                                   .before_utc = 1000 * i + 1,
                                   .before_local = NEVER,
                                   .jobs = &jobs[i],
                                   .job_count = 1,
                                   .most = &most };
    assert_ok(f, store_fire(f->store, list, 3, &f->err));
    assert_int_equal(list[0].result, FIRING_DONE);
    assert_int_equal(list[1].result, FIRING_WAITS);
    assert_int_equal(list[2].result, FIRING_WAITS);
    assert_non_null(strstr(list[1].refused.text, "max_open"));
    assert_int_equal(newest(f, put.id).instant, 2000);
    assert_int_equal(newest(f, put.id).outcome, FIRING_WAITING);
    assert_int_equal(row_of(f, put.id).mark_utc, 1001);
    assert_ok(f, store_fire(f->store, &list[1], 2, &f->err));
    assert_int_equal(list[1].result, FIRING_WAITS);
    end_job(f, worker, jobs[0].id, TASK_SUCCEEDED);
    list[1].mark_utc = list[2].mark_utc = 3000;
    assert_ok(f, store_fire(f->store, &list[1], 1, &f->err));
    assert_int_equal(list[1].outcome, FIRING_FIRED);
    assert_int_equal(newest(f, put.id).job, jobs[1].id);
    assert_int_equal(row_of(f, put.id).mark_utc, 3000);
    /* More than there could ever be is refused, as a submission is. */
    most.of_user = 0;
    assert_ok(f, store_fire(f->store, &list[2], 1, &f->err));
    assert_int_equal(list[2].outcome, FIRING_REFUSED);
}

static void what_waits_is_late_once_and_passed_over_once(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = nightly("{}");
    struct open_most most = { .of_user = 1, .of_all = -1 };
    struct new_job job = plain_job("b");
    struct ended_run run = { .state = TASK_PENDING };
    struct firing firing = { .version = 1,
                             .instant = 2000,
                             .before_utc = 1500,
                             .jobs = &job,
                             .job_count = 1,
                             .most = &most };
    struct firing missed = { .version = 1, .instant = 2500, .missed = 2, .missed_first = 2000 };
    struct firing_row row = { 0 };
    int64_t later = INT64_C(2100000);

    put.late_ms = 60000;
    put = add(f, put);
    firing.schedule = missed.schedule = put.id;
    submit(f, plain_job("other"));
    assert_ok(f, store_fire(f->store, &firing, 1, &f->err));
    assert_int_equal(settle(f, later, &run), 1);
    assert_true(run.late);
    assert_int_equal(run.job, 0);
    assert_int_equal(settle(f, later, &run), 0);
    assert_ok(f, store_fire(f->store, &missed, 1, &f->err));
    assert_int_equal(newest(f, put.id).outcome, FIRING_MISSED);
    assert_ok(f, store_firings(f->store, put.id, 2500, 10, keep_firing, &row, &f->err));
    assert_int_equal(row.instant, 0);
}

static void a_pause_ends_what_waits(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = add(f, nightly("{}"));
    struct open_most most = { .of_user = 1, .of_all = -1 };
    struct new_job job = plain_job("b");
    struct firing firing = { .schedule = put.id,
                             .version = 1,
                             .instant = 2000,
                             .jobs = &job,
                             .job_count = 1,
                             .most = &most };

    submit(f, plain_job("other"));
    assert_ok(f, store_fire(f->store, &firing, 1, &f->err));
    assert_int_equal(newest(f, put.id).outcome, FIRING_WAITING);
    assert_int_equal(
        store_schedule_pause(f->store, put.id, SCHEDULE_RUNS, NULL, 3000, NEVER, &f->err), 0);
    assert_int_equal(newest(f, put.id).outcome, FIRING_SKIPPED);
}

static void history_is_pruned_by_count(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = nightly("{}");
    struct firing missed = { .version = 1, .missed = 1 };
    struct firing_row row = { 0 };

    put.keep = 1; /* what is kept at least counts */
    put = add(f, put);
    missed.schedule = put.id;
    for (int i = 0; i < SCHEDULE_KEEP_LEAST + 50; i++) {
        missed.instant = missed.missed_first = missed.mark_utc = 1000 + i;
        assert_ok(f, store_fire(f->store, &missed, 1, &f->err));
    }
    assert_ok(f, store_firings(f->store, put.id, 1050, 10, keep_firing, &row, &f->err));
    assert_int_equal(row.instant, 1049);
    row.instant = 0;
    assert_ok(f, store_firings(f->store, put.id, 1049, 10, keep_firing, &row, &f->err));
    assert_int_equal(row.instant, 0);
}

static void removed_is_gone_but_jobs_stay(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = add(f, nightly("{}"));
    int64_t job = fire(f, &put, 1000, go, NULL).schedule;

    assert_int_equal(store_schedule_rm(f->store, put.id, "ada", &f->err), 0);
    assert_int_equal(store_schedule_rm(f->store, put.id, "ada", &f->err), 1);
    assert_int_equal(row_of(f, put.id).id, 0);
    assert_int_equal(fire(f, &put, 2000, go, NULL).result, FIRING_STALE);
    assert_int_equal(job_of(f, job).id, job);
}

static void count_change(void *arg, int64_t id)
{
    (void)id;
    ++*(int *)arg;
}

static void changes_are_told(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put;
    int told = 0;

    store_on_schedules(f->store, count_change, &told);
    put = add(f, nightly("{}"));
    assert_int_equal(told, 1);
    add(f, nightly("{}"));
    assert_int_equal(told, 1);
    assert_int_equal(
        store_schedule_pause(f->store, put.id, SCHEDULE_PAUSED, "by ada", 0, 0, &f->err), 0);
    assert_int_equal(told, 2);
    fire(f, &put, 1000, go, NULL);
    assert_int_equal(told, 2);
    assert_int_equal(store_schedule_rm(f->store, put.id, "ada", &f->err), 0);
    assert_int_equal(told, 3);
}

static void only_what_was_uploaded_may_be_an_input(void **state)
{
    static const char *const blobs[] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", NULL
    };
    struct fixture *f = *state;
    struct schedule_put put = nightly("{}");

    put.blobs = blobs;
    assert_fault(f, FAULT_INVALID, store_schedule_put(f->store, &put, 1, &f->err));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_up, fixture_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_edit_is_a_new_version),
        TEST(an_instant_fires_once),
        TEST(what_was_missed_may_still_fire),
        TEST(overlap_is_decided_in_the_transaction),
        TEST(ends_are_counted_and_pause),
        TEST(a_retry_by_hand_counts_as_recovery),
        TEST(late_runs_are_told_once),
        TEST(a_refused_job_leaves_a_record),
        TEST(a_run_ends_with_the_last_of_its_jobs),
        TEST(a_run_fails_with_any_of_its_jobs),
        TEST(the_next_run_waits_for_all_of_it),
        TEST(a_job_is_kept_until_its_run_has_ended),
        TEST(what_is_too_much_now_waits),
        TEST(what_waits_is_late_once_and_passed_over_once),
        TEST(a_pause_ends_what_waits),
        TEST(history_is_pruned_by_count),
        TEST(removed_is_gone_but_jobs_stay),
        TEST(changes_are_told),
        TEST(only_what_was_uploaded_may_be_an_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
