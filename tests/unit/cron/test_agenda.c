/* SPDX-License-Identifier: Apache-2.0 */
/* test_agenda.c - broker/cron/agenda.c and run.c on a real store, with the time as an argument. */
#include "../store/fixture.h"

#include "base/json.h"
#include "base/log.h"
#include "cron/agenda.h"
#include "cron/civil.h"
#include "cron/plan.h"
#include "cron/run.h"
#include "store/schedules.h"

static int64_t at(const char *text)
{
    int64_t local = 0;

    assert_int_equal(civil_parse(text, &local, NULL), 0);
    return local;
}

/* Its id. */
static int64_t add(struct fixture *f, const char *name, const char *rule, const char *now)
{
    own_str char *spec = xasprintf("{\"name\":\"%s\",\"command\":[\"echo\",\"{scheduled_time}\","
                                   "\"{previous_success}\",\"{task}\"],\"schedule\":%s}",
                                   name, rule);
    struct schedule_put put = { .name = name,
                                .project = "genomics",
                                .user = "ada",
                                .rule = rule,
                                .spec = spec,
                                .mark_utc = at(now),
                                .mark_local = CRON_NEVER };

    assert_ok(f, store_schedule_put(f->store, &put, 1, &f->err));
    return put.id;
}

static struct agenda *load(struct fixture *f)
{
    struct agenda *agenda = agenda_new(f->store);

    assert_ok(f, agenda_load(agenda, &f->err));
    return agenda;
}

static void tick(struct fixture *f, struct agenda *agenda, const char *now)
{
    int rc;

    while ((rc = agenda_tick(agenda, at(now), &f->err)) > 0)
        ;
    assert_int_equal(rc, 0);
}

struct count {
    int fired, skipped, missed;
    int64_t job;
};

static bool count_firing(void *arg, const struct firing_row *row)
{
    struct count *count = arg;

    count->fired += row->outcome == FIRING_FIRED;
    count->skipped += row->outcome == FIRING_SKIPPED;
    count->missed += (int)row->missed;
    if (row->job && !count->job)
        count->job = row->job;
    return true;
}

static struct count history(struct fixture *f, int64_t id)
{
    struct count count = { 0 };

    assert_ok(f, store_firings(f->store, id, INT64_MAX, 100000, count_firing, &count, &f->err));
    return count;
}

static void end_job(struct fixture *f, struct agenda *agenda, int64_t job, enum task_state state)
{
    int64_t worker = worker_ready(f, "w");

    ends(f, worker, lease(f, job, 0, worker), state);
    assert_int_equal(agenda_settle(agenda, 1, NULL, NULL, &f->err), 0);
}

static void fires_on_time_and_goes_on_after_a_restart(void **state)
{
    struct fixture *f = *state;
    int64_t id =
        add(f, "nightly", "{\"cron\":\"0 3 * * *\",\"overlap\":\"allow\"}", "2026-11-24T00:00");
    struct agenda *agenda = load(f);

    assert_int_equal(agenda_next(agenda), at("2026-11-24T03:00"));
    tick(f, agenda, "2026-11-24T02:59:59");
    assert_int_equal(history(f, id).fired, 0);
    tick(f, agenda, "2026-11-24T03:00");
    tick(f, agenda, "2026-11-24T03:00");
    assert_int_equal(history(f, id).fired, 1);
    agenda_free(agenda);
    fixture_again(f);
    agenda = load(f);
    tick(f, agenda, "2026-11-24T03:00:30");
    assert_int_equal(history(f, id).fired, 1);
    tick(f, agenda, "2026-11-27T12:00");
    assert_int_equal(history(f, id).fired, 2);
    assert_int_equal(history(f, id).missed, 2);
    agenda_free(agenda);
}

/* The firing was committed, but the broker died before it knew: the record says so. */
static void a_lost_answer_fires_nothing_twice(void **state)
{
    struct fixture *f = *state;
    int64_t id =
        add(f, "nightly", "{\"cron\":\"0 3 * * *\",\"overlap\":\"allow\"}", "2026-11-24T00:00");
    struct agenda *before = load(f), *after = load(f);

    tick(f, before, "2026-11-24T03:00");
    tick(f, after, "2026-11-24T03:00:05");
    assert_int_equal(history(f, id).fired, 1);
    assert_int_equal(agenda_next(after), at("2026-11-25T03:00"));
    agenda_free(before);
    agenda_free(after);
}

static json_t *spec_of(struct fixture *f, int64_t job)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct job_detail detail;

    assert_int_equal(store_job(f->store, job, &detail, &strings, &f->err), 0);
    return json_loads(detail.spec, 0, NULL);
}

static void variables_of_the_run_are_put_in(void **state)
{
    struct fixture *f = *state;
    int64_t id = add(f, "nightly", "{\"cron\":\"0 3 * * *\",\"timezone\":\"Europe/Paris\"}",
                     "2026-06-01T00:00");
    struct agenda *agenda = load(f);
    own_json json_t *first = NULL, *second = NULL;
    const json_t *command;

    tick(f, agenda, "2026-06-01T01:00");
    first = spec_of(f, history(f, id).job);
    command = json_object_get(first, "command");
    assert_string_equal(json_string_value(json_array_get(command, 1)), "2026-06-01T03:00:00+02:00");
    assert_string_equal(json_string_value(json_array_get(command, 2)), "");
    assert_string_equal(json_string_value(json_array_get(command, 3)), "{task}");
    assert_null(json_object_get(first, "schedule"));
    end_job(f, agenda, history(f, id).job, TASK_SUCCEEDED);
    tick(f, agenda, "2026-06-02T01:00");
    second = spec_of(f, history(f, id).job);
    command = json_object_get(second, "command");
    assert_string_equal(json_string_value(json_array_get(command, 2)), "2026-06-01T03:00:00+02:00");
    agenda_free(agenda);
}

static void overlap_skips_until_the_run_has_ended(void **state)
{
    struct fixture *f = *state;
    int64_t id = add(f, "nightly", "{\"cron\":\"0 3 * * *\"}", "2026-11-24T00:00");
    struct agenda *agenda = load(f);

    tick(f, agenda, "2026-11-24T03:00");
    tick(f, agenda, "2026-11-25T03:00");
    assert_int_equal(history(f, id).fired, 1);
    assert_int_equal(history(f, id).skipped, 1);
    end_job(f, agenda, history(f, id).job, TASK_FAILED);
    tick(f, agenda, "2026-11-26T03:00");
    assert_int_equal(history(f, id).fired, 2);
    agenda_free(agenda);
}

static void replace_cancels_what_ran(void **state)
{
    struct fixture *f = *state;
    int64_t id =
        add(f, "nightly", "{\"cron\":\"0 3 * * *\",\"overlap\":\"replace\"}", "2026-11-24T00:00");
    struct agenda *agenda = load(f);
    int64_t first;

    tick(f, agenda, "2026-11-24T03:00");
    first = history(f, id).job;
    tick(f, agenda, "2026-11-25T03:00");
    assert_int_equal(history(f, id).fired, 2);
    assert_int_equal(task_of(f, first, 0).state, TASK_CANCELLED);
    agenda_free(agenda);
}

static void a_failed_run_holds_those_that_need_its_success(void **state)
{
    struct fixture *f = *state;
    int64_t id =
        add(f, "nightly", "{\"cron\":\"0 3 * * *\",\"after_success\":true}", "2026-11-24T00:00");
    struct agenda *agenda = load(f);
    int64_t first;

    tick(f, agenda, "2026-11-24T03:00");
    first = history(f, id).job;
    end_job(f, agenda, first, TASK_FAILED);
    tick(f, agenda, "2026-11-25T03:00");
    assert_int_equal(history(f, id).skipped, 1);
    assert_int_equal(store_retry(f->store, (struct target){ first, -1 }, &f->err), 1);
    end_job(f, agenda, first, TASK_SUCCEEDED);
    tick(f, agenda, "2026-11-26T03:00");
    assert_int_equal(history(f, id).fired, 2);
    agenda_free(agenda);
}

static bool trigger(void *arg, const struct schedule_row *row)
{
    struct fixture *f = arg;
    struct open_most most = { -1, -1 };
    struct firing_run run = { 0 };

    assert_ok(f, run_trigger(f->store, row, "ada", at("2026-11-24T12:00"), &most, &run, &f->err));
    assert_true(run.job > 0);
    assert_int_equal(run.jobs, 1);
    return false;
}

static void paused_ones_fire_only_by_hand(void **state)
{
    struct fixture *f = *state;
    int64_t id = add(f, "nightly", "{\"cron\":\"0 3 * * *\"}", "2026-11-24T00:00");
    struct agenda *agenda = load(f);

    assert_int_equal(store_schedule_pause(f->store, id, SCHEDULE_PAUSED, "by ada", 0, 0, &f->err),
                     0);
    tick(f, agenda, "2026-11-24T03:00"); /* it does not know yet; the store refuses */
    assert_int_equal(history(f, id).fired, 0);
    assert_int_equal(agenda_count(agenda), 0);
    assert_ok(f, store_schedule(f->store, id, trigger, f, &f->err));
    assert_int_equal(history(f, id).fired, 1);
    agenda_free(agenda);
}

static void a_clock_set_back_and_forth_fires_each_instant_once(void **state)
{
    struct fixture *f = *state;
    int64_t id =
        add(f, "often", "{\"cron\":\"*/10 * * * *\",\"overlap\":\"allow\"}", "2026-11-24T00:00");
    struct agenda *agenda = load(f);

    tick(f, agenda, "2026-11-24T00:10");
    tick(f, agenda, "2026-11-24T00:20");
    agenda_clock_set(agenda, at("2026-11-24T00:05"));
    assert_int_equal(agenda_next(agenda), at("2026-11-24T00:10"));
    tick(f, agenda, "2026-11-24T00:10");
    tick(f, agenda, "2026-11-24T00:20");
    assert_int_equal(history(f, id).fired, 2);
    tick(f, agenda, "2026-11-24T00:30");
    assert_int_equal(history(f, id).fired, 3);
    agenda_free(agenda);
}

static void many_due_at_once_all_fire(void **state)
{
    struct fixture *f = *state;
    int64_t ids[1200];
    struct agenda *agenda;

    for (size_t i = 0; i < array_len(ids); i++) {
        char name[16];

        snprintf(name, sizeof name, "s%zu", i);
        ids[i] = add(f, name, "{\"cron\":\"0 3 * * *\"}", "2026-11-24T00:00");
    }
    agenda = load(f);
    assert_int_equal(agenda_tick(agenda, at("2026-11-24T03:00"), &f->err), 1); /* bounded */
    tick(f, agenda, "2026-11-24T03:00");
    for (size_t i = 0; i < array_len(ids); i++)
        assert_int_equal(history(f, ids[i]).fired, 1);
    agenda_free(agenda);
}

static void a_broken_rule_stops_no_other(void **state)
{
    struct fixture *f = *state;
    int64_t id;
    struct agenda *agenda;

    add(f, "broken", "{\"cron\":\"0 99 * * *\"}", "2026-11-24T00:00");
    id = add(f, "good", "{\"cron\":\"0 3 * * *\"}", "2026-11-24T00:00");
    agenda = load(f);
    assert_int_equal(agenda_count(agenda), 1);
    tick(f, agenda, "2026-11-24T03:00");
    assert_int_equal(history(f, id).fired, 1);
    agenda_free(agenda);
}

/* ---- hooks ----------------------------------------------------------------------------------- */

struct hooked {
    int told, gone;
    int64_t at_ms, tasks, prepare_ms;
    size_t classes;
    bool denied;
    int64_t most; /* open tasks of a user; 0: any number */
};

static void on_coming(void *arg, int64_t schedule, const struct coming_run *run)
{
    struct hooked *hooked = arg;

    (void)schedule;
    hooked->told++;
    hooked->gone += run == NULL;
    if (!run)
        return;
    assert_non_null(strstr(run->classes[0].class_key, "genomics"));
    hooked->at_ms = run->at_ms;
    hooked->classes = run->class_count;
    hooked->tasks = run->classes[0].tasks;
    hooked->prepare_ms = run->prepare_ms;
}

static bool on_may(void *arg, const char *user, const char *project, struct open_most *most,
                   struct err *why)
{
    const struct hooked *hooked = arg;

    if (hooked->most)
        most->of_user = hooked->most;
    if (!hooked->denied)
        return true;
    err_set(why, FAULT_AUTH, "%s left %s", user, project);
    return false;
}

static struct agenda *load_hooked(struct fixture *f, struct hooked *hooked)
{
    struct agenda *agenda = agenda_new(f->store);
    struct agenda_hooks hooks = { .coming = on_coming, .may = on_may, .arg = hooked };

    agenda_hook(agenda, &hooks);
    assert_ok(f, agenda_load(agenda, &f->err));
    agenda_prepare(agenda);
    return agenda;
}

static void the_next_run_is_told_to_those_who_prepare_it(void **state)
{
    struct fixture *f = *state;
    struct hooked hooked = { .told = 0 };
    int64_t id =
        add(f, "nightly", "{\"cron\":\"0 3 * * *\",\"prepare\":\"10m\"}", "2026-11-24T00:00");
    struct agenda *agenda;

    add(f, "other", "{\"cron\":\"0 3 * * *\"}", "2026-11-24T00:00");
    agenda = load_hooked(f, &hooked);
    assert_int_equal(hooked.told, 1);
    assert_int_equal(hooked.at_ms, at("2026-11-24T03:00") * 1000);
    assert_int_equal(hooked.tasks, 1);
    assert_int_equal(hooked.prepare_ms, 600000);
    tick(f, agenda, "2026-11-24T02:00");
    agenda_prepare(agenda);
    assert_int_equal(hooked.told, 1);
    tick(f, agenda, "2026-11-24T03:00");
    agenda_prepare(agenda);
    assert_int_equal(hooked.told, 2);
    assert_int_equal(hooked.at_ms, at("2026-11-25T03:00") * 1000);
    assert_int_equal(store_schedule_pause(f->store, id, SCHEDULE_PAUSED, "", 0, 0, &f->err), 0);
    assert_ok(f, agenda_reload(agenda, id, &f->err));
    agenda_prepare(agenda);
    assert_int_equal(hooked.gone, 1);
    agenda_free(agenda);
}

/* ---- several documents ----------------------------------------------------------------------- */

static int64_t add_several(struct fixture *f, const char *rule, const char *now)
{
    own_str char *spec =
        xasprintf("[{\"name\":\"count\",\"array\":\"0-3\",\"command\":[\"a\",\"{scheduled_time}\"],"
                  "\"schedule\":%s},"
                  "{\"name\":\"also\",\"array\":\"0-1\",\"command\":[\"a\"]},"
                  "{\"name\":\"other\",\"resources\":{\"cpus\":2},\"command\":[\"a\"]},"
                  "{\"name\":\"total\",\"after\":[{\"job\":\"count\"}],"
                  "\"command\":[\"b\",\"{scheduled_time}\"],"
                  "\"notify\":{\"on\":[\"failed\"],\"mail\":[\"ada@lab.example\"]}}]",
                  rule);
    struct schedule_put put = { .name = "count",
                                .project = "genomics",
                                .user = "ada",
                                .rule = rule,
                                .spec = spec,
                                .mark_utc = at(now),
                                .mark_local = CRON_NEVER };

    assert_ok(f, store_schedule_put(f->store, &put, 1, &f->err));
    return put.id;
}

static void documents_run_together(void **state)
{
    struct fixture *f = *state;
    struct hooked hooked = { .told = 0 };
    int64_t id = add_several(f, "{\"cron\":\"0 3 * * *\",\"prepare\":\"10m\"}", "2026-11-24T00:00");
    struct agenda *agenda = load_hooked(f, &hooked);
    own_json json_t *last = NULL;
    int64_t first;

    /* Prepared for is what waits for nothing: six tasks of one class, one of another. */
    assert_int_equal(hooked.classes, 2);
    assert_int_equal(hooked.tasks, 6);
    tick(f, agenda, "2026-11-24T03:00");
    assert_int_equal(history(f, id).fired, 1);
    first = history(f, id).job;
    assert_int_equal(job_of(f, first).tasks, 4);
    assert_int_equal(job_of(f, first + 1).tasks, 2);
    last = spec_of(f, first + 3);
    assert_string_equal(json_string_value(json_array_get(json_object_get(last, "command"), 1)),
                        "2026-11-24T03:00:00+00:00");
    assert_null(json_object_get(last, "schedule"));
    agenda_free(agenda);
}

static void one_that_is_too_much_is_late_not_lost(void **state)
{
    struct fixture *f = *state;
    struct hooked hooked = { .most = 1 };
    int64_t id = add(f, "a", "{\"cron\":\"0 3 * * *\"}", "2026-11-24T00:00");
    int64_t other = add(f, "b", "{\"cron\":\"0 3 * * *\"}", "2026-11-24T00:00");
    struct agenda *agenda = load_hooked(f, &hooked);

    tick(f, agenda, "2026-11-24T03:00");
    assert_int_equal(history(f, id).fired + history(f, other).fired, 1);
    tick(f, agenda, "2026-11-24T03:10");
    assert_int_equal(history(f, id).fired + history(f, other).fired, 1);
    /* also for a broker that starts anew */
    agenda_free(agenda);
    fixture_again(f);
    end_job(f, agenda = load_hooked(f, &hooked),
            history(f, id).job ? history(f, id).job : history(f, other).job, TASK_SUCCEEDED);
    tick(f, agenda, "2026-11-24T05:00");
    assert_int_equal(history(f, id).fired, 1);
    assert_int_equal(history(f, other).fired, 1);
    assert_int_equal(agenda_next(agenda), at("2026-11-25T03:00"));
    agenda_free(agenda);
}

static bool take_pause(void *arg, const struct schedule_row *row)
{
    snprintf(arg, 64, "%d %s", (int)row->paused, row->paused_why ? row->paused_why : "");
    return true;
}

static void who_lost_the_project_fires_nothing(void **state)
{
    struct fixture *f = *state;
    struct hooked hooked = { .denied = true };
    int64_t id = add(f, "nightly", "{\"cron\":\"0 3 * * *\"}", "2026-11-24T00:00");
    int64_t other = add(f, "other", "{\"cron\":\"0 4 * * *\"}", "2026-11-24T00:00");
    struct agenda *agenda = load_hooked(f, &hooked);
    char paused[64] = "";

    tick(f, agenda, "2026-11-24T03:00");
    assert_int_equal(history(f, id).fired, 0);
    assert_ok(f, store_schedule(f->store, id, take_pause, paused, &f->err));
    assert_string_equal(paused, "1 ada left genomics");
    assert_ok(f, agenda_reload(agenda, id, &f->err));
    hooked.denied = false;
    tick(f, agenda, "2026-11-24T04:00");
    assert_int_equal(history(f, id).fired, 0);
    assert_int_equal(history(f, other).fired, 1);
    agenda_free(agenda);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_up, fixture_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fires_on_time_and_goes_on_after_a_restart),
        TEST(a_lost_answer_fires_nothing_twice),
        TEST(variables_of_the_run_are_put_in),
        TEST(overlap_skips_until_the_run_has_ended),
        TEST(replace_cancels_what_ran),
        TEST(a_failed_run_holds_those_that_need_its_success),
        TEST(paused_ones_fire_only_by_hand),
        TEST(a_clock_set_back_and_forth_fires_each_instant_once),
        TEST(many_due_at_once_all_fire),
        TEST(a_broken_rule_stops_no_other),
        TEST(the_next_run_is_told_to_those_who_prepare_it),
        TEST(documents_run_together),
        TEST(one_that_is_too_much_is_late_not_lost),
        TEST(who_lost_the_project_fires_nothing),
    };

    log_open("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
