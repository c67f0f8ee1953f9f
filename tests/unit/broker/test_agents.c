/* SPDX-License-Identifier: Apache-2.0 */
/* test_agents.c - mailboxes, long polls and reports, against a real store; this file plays the
 * agent. */
#include "../store/fixture.h"

#include <stdatomic.h>

#include "agents.h"
#include "base/clock.h"
#include "base/json.h"

struct test {
    struct fixture *fixture;
    struct agents *agents;
    int64_t worker;
    char epoch[40];
    /* the last answer */
    atomic_int answers; /* counted last: it orders the two below */
    int status;
    json_t *body;
};

static void answer(void *arg, int status, char *body)
{
    struct test *t = arg;

    t->status = status;
    json_decref(t->body);
    t->body = json_loads(body, 0, NULL);
    free(body);
    t->answers++;
}

static uint64_t sync_call(struct test *t, const char *text)
{
    own_str char *full = xasprintf("{\"epoch\":\"%s\",%s}", t->epoch, text);
    json_t *body = json_loads(full, 0, NULL);
    uint64_t ticket;

    assert_non_null(body);
    ticket = agents_sync(t->agents, t->worker, body, answer, t);
    json_decref(body);
    return ticket;
}

/* Reports are answered from the writer's thread. */
static void wait_answers(struct test *t, int count)
{
    for (int i = 0; i < 5000 && t->answers < count; i++)
        clock_sleep_ms(1);
    assert_int_equal(t->answers, count);
    /* the mailbox's lock orders what the answer wrote before what we read */
    agents_flush(t->agents);
}

/* The broker's side anew, as after a restart; the agent learns its epoch. */
static void new_life(struct test *t)
{
    struct agents_options options = {
        .heartbeat_ms = 1000, .lease_ttl_ms = 10000, .orphan_ms = 1, .budgets = { 3, 3, 0 }
    };

    agents_free(t->agents);
    t->agents = agents_new(t->fixture->store, &options);
    sync_call(t, "\"wait_ms\":60000"); /* of another epoch: answered at once */
    assert_int_equal(t->answers, 1);
    snprintf(t->epoch, sizeof t->epoch, "%s", json_string_value(json_object_get(t->body, "epoch")));
    t->answers = 0;
}

static int up(void **state)
{
    struct test *t = xcalloc(1, sizeof *t);
    void *fixture = NULL;

    assert_int_equal(fixture_up(&fixture), 0);
    t->fixture = fixture;
    t->worker = worker_ready(t->fixture, "w");
    new_life(t);
    *state = t;
    return 0;
}

static int down(void **state)
{
    struct test *t = *state;
    void *fixture = t->fixture;

    agents_free(t->agents);
    json_decref(t->body);
    fixture_down(&fixture);
    free(t);
    return 0;
}

static size_t count_of(struct test *t, const char *key)
{
    return json_array_size(json_object_get(t->body, key));
}

static int64_t seq_of(struct test *t)
{
    return json_integer_value(json_object_get(t->body, "seq"));
}

static void a_held_poll_is_answered_by_mail(void **state)
{
    struct test *t = *state;

    assert_true(sync_call(t, "\"ack\":0,\"wait_ms\":60000") > 0);
    assert_int_equal(t->answers, 0);
    agents_lease(t->agents, t->worker, 5, xstrdup("{\"attempt\":5}"));
    agents_flush(t->agents);
    assert_int_equal(t->answers, 1);
    assert_int_equal(count_of(t, "leases"), 1);
}

static void mail_is_sent_again_until_acknowledged(void **state)
{
    struct test *t = *state;

    agents_lease(t->agents, t->worker, 5, xstrdup("{\"attempt\":5}"));
    agents_stop_attempt(t->agents, t->worker, 4, REASON_CANCELLED);
    sync_call(t, "\"ack\":0,\"wait_ms\":60000");
    assert_int_equal(count_of(t, "leases") + count_of(t, "cancel"), 2);
    sync_call(t, "\"ack\":0,\"wait_ms\":60000"); /* the answer was lost */
    assert_int_equal(count_of(t, "leases") + count_of(t, "cancel"), 2);
    assert_int_equal(t->answers, 2);
    sync_call(t, "\"ack\":2,\"wait_ms\":60000"); /* held: nothing new */
    assert_int_equal(t->answers, 2);
}

static void drain_is_said_once_and_does_not_spin(void **state)
{
    struct test *t = *state;

    agents_drain(t->agents, t->worker);
    sync_call(t, "\"wait_ms\":60000");
    assert_true(json_is_true(json_object_get(t->body, "drain")));
    sync_call(t, "\"wait_ms\":60000");
    assert_int_equal(t->answers, 1); /* held */
}

static void a_forgotten_poll_is_not_answered(void **state)
{
    struct test *t = *state;
    uint64_t ticket = sync_call(t, "\"wait_ms\":60000");

    agents_forget(t->agents, ticket);
    agents_lease(t->agents, t->worker, 5, xstrdup("{}"));
    agents_flush(t->agents);
    assert_int_equal(t->answers, 0);
}

static void a_report_is_settled_once_it_is_durable(void **state)
{
    struct test *t = *state;
    int64_t job = submit(t->fixture, plain_job("one"));
    int64_t attempt = lease(t->fixture, job, 0, t->worker);
    own_str char *text =
        xasprintf("\"reports\":[{\"attempt\":%lld,\"state\":\"finished\","
                  "\"exit_code\":0,\"logs\":{\"stdout\":{\"size\":2,\"data\":\"aGk=\"}}}]",
                  (long long)attempt);

    sync_call(t, text);
    wait_answers(t, 1);
    assert_int_equal(t->status, 200);
    assert_int_equal(count_of(t, "settled"), 1);
    assert_int_equal(task_of(t->fixture, job, 0).state, TASK_SUCCEEDED);
    sync_call(t, text); /* the answer was lost: said again, settled again, nothing changes */
    wait_answers(t, 2);
    assert_int_equal(count_of(t, "settled"), 1);
    assert_int_equal(job_of(t->fixture, job).done, 1);
}

static void what_the_agent_does_not_hold_is_taken_back(void **state)
{
    struct test *t = *state;
    int64_t never_heard = submit(t->fixture, plain_job("a"));
    int64_t ran = submit(t->fixture, plain_job("b"));

    lease(t->fixture, never_heard, 0, t->worker);
    tell(t->fixture, t->worker, report_of(lease(t->fixture, ran, 0, t->worker), TASK_RUNNING));
    new_life(t);
    sync_call(t, "\"held\":[],\"wait_ms\":60000");
    assert_int_equal(task_of(t->fixture, never_heard, 0).state, TASK_PENDING);
    assert_int_equal(task_of(t->fixture, never_heard, 0).infra_retries, 0);
    assert_int_equal(task_of(t->fixture, ran, 0).state, TASK_PENDING);
    assert_int_equal(task_of(t->fixture, ran, 0).infra_retries, 1);
}

static void what_is_on_its_way_to_the_mail_is_not_taken_back(void **state)
{
    struct test *t = *state;
    int64_t job = submit(t->fixture, plain_job("a"));

    lease(t->fixture, job, 0, t->worker); /* committed, and not yet in the mailbox */
    sync_call(t, "\"held\":[],\"wait_ms\":60000");
    assert_int_equal(task_of(t->fixture, job, 0).state, TASK_LEASED);
}

static void what_it_should_not_hold_is_stopped(void **state)
{
    struct test *t = *state;

    sync_call(t, "\"held\":[4711],\"wait_ms\":60000");
    assert_int_equal(count_of(t, "cancel"), 1);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(t->body, "cancel"), 0), "reason")),
                        "fenced");
    assert_int_equal(seq_of(t), 1);
}

static void bad_reports_are_refused_whole(void **state)
{
    static const char *const bad[] = {
        "\"reports\":{}",
        "\"reports\":[1]",
        "\"reports\":[{}]",
        "\"reports\":[{\"attempt\":0,\"state\":\"running\"}]",
        "\"reports\":[{\"attempt\":1,\"state\":\"asleep\"}]",
        "\"reports\":[{\"attempt\":1,\"state\":\"finished\",\"exit_code\":256}]",
        "\"reports\":[{\"attempt\":1,\"state\":\"finished\",\"signal\":-1}]",
        "\"reports\":[{\"attempt\":1,\"state\":\"finished\",\"reason\":\"bored\"}]",
        "\"reports\":[{\"attempt\":1,\"state\":\"finished\",\"reason\":\"capacity\"}]",
        "\"reports\":[{\"attempt\":1,\"state\":\"finished\",\"exit_code\":0,"
        "\"logs\":{\"stdout\":{\"size\":9,\"data\":\"aGk=\"}}}]",
        "\"reports\":[{\"attempt\":1,\"state\":\"finished\",\"exit_code\":0,"
        "\"logs\":{\"stdout\":{\"size\":2,\"data\":\"a=k=\"}}}]",
        "\"reports\":[{\"attempt\":1,\"state\":\"finished\",\"exit_code\":0,"
        "\"outputs\":[{\"path\":\"../x\",\"size\":0,\"sha256\":\"\"}]}]",
        "\"reports\":[{\"attempt\":1,\"state\":\"finished\",\"exit_code\":0,"
        "\"outputs\":[{\"path\":\"x\",\"size\":-1,\"sha256\":\"\"}]}]",
        "\"ack\":-1",
        "\"wait_ms\":\"long\"",
        "\"held\":5",
    };
    struct test *t = *state;

    for (size_t i = 0; i < array_len(bad); i++) {
        sync_call(t, bad[i]);
        assert_int_equal(t->answers, (int)i + 1);
        assert_int_equal(t->status, 422);
    }
}

struct news {
    int silent, heard, lost, leaving;
};

static void count_news(void *arg, int64_t worker, enum agent_news news)
{
    struct news *seen = arg;

    (void)worker;
    seen->silent += news == AGENT_SILENT;
    seen->heard += news == AGENT_HEARD;
    seen->lost += news == AGENT_LOST;
    seen->leaving += news == AGENT_LEAVING;
}

static void a_silent_agent_is_noticed_then_lost(void **state)
{
    struct test *t = *state;
    struct news seen = { 0, 0, 0, 0 };
    int64_t now = clock_mono_ms();

    agents_tick(t->agents, now + 3500, count_news, &seen);
    assert_int_equal(seen.silent, 1);
    sync_call(t, "\"wait_ms\":0");
    agents_tick(t->agents, clock_mono_ms(), count_news, &seen);
    assert_int_equal(seen.heard, 1);
    agents_tick(t->agents, now + 11000, count_news, &seen);
    assert_int_equal(seen.lost, 1);
    agents_tick(t->agents, now + 99000, count_news, &seen);
    assert_int_equal(seen.lost, 1);
    sync_call(t, "\"wait_ms\":0,\"leaving\":\"preempted\"");
    agents_tick(t->agents, clock_mono_ms(), count_news, &seen);
    assert_int_equal(seen.leaving, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_held_poll_is_answered_by_mail, up, down),
        cmocka_unit_test_setup_teardown(mail_is_sent_again_until_acknowledged, up, down),
        cmocka_unit_test_setup_teardown(drain_is_said_once_and_does_not_spin, up, down),
        cmocka_unit_test_setup_teardown(a_forgotten_poll_is_not_answered, up, down),
        cmocka_unit_test_setup_teardown(a_report_is_settled_once_it_is_durable, up, down),
        cmocka_unit_test_setup_teardown(what_the_agent_does_not_hold_is_taken_back, up, down),
        cmocka_unit_test_setup_teardown(what_is_on_its_way_to_the_mail_is_not_taken_back, up, down),
        cmocka_unit_test_setup_teardown(what_it_should_not_hold_is_stopped, up, down),
        cmocka_unit_test_setup_teardown(bad_reports_are_refused_whole, up, down),
        cmocka_unit_test_setup_teardown(a_silent_agent_is_noticed_then_lost, up, down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
