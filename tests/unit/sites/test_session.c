/* SPDX-License-Identifier: Apache-2.0 */
/* test_session.c - broker/sites/openstack/session.c against services that stumble. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../net/loopback.h"
#include "base/clock.h"
#include "base/json.h"
#include "sites/openstack/session.h"

static atomic_int logins, asked;

static void log_in(struct loopback *server, int fd)
{
    own_str char *body = xasprintf(
        "{\"token\":{\"expires_at\":\"2999-01-01T00:00:00.000000Z\",\"project\":{\"id\":\"p\"},"
        "\"user\":{\"id\":\"u\",\"password_expires_at\":\"2998-01-01T00:00:00.000000\"},"
        "\"catalog\":[{\"type\":\"network\",\"endpoints\":[{\"interface\":\"public\","
        "\"region_id\":\"one\",\"url\":\"http://127.0.0.1:%d\"}]}]}}",
        server->port);

    atomic_fetch_add(&logins, 1);
    loopback_answer(fd, "201 Created\r\nX-Subject-Token: secret", body);
}

/* What the path says goes wrong, `asked` counts how often it was asked. */
static bool serve(struct loopback *server, int fd, const char *request)
{
    int before;

    if (strncmp(request, "POST /v3/auth/tokens ", 21) == 0) {
        log_in(server, fd);
        return true;
    }
    before = atomic_fetch_add(&asked, 1);
    if (!strstr(request, "X-Auth-Token: secret"))
        loopback_answer(fd, "400 Bad", "no token");
    else if (strstr(request, "/v2.0/stale"))
        loopback_answer(fd, before ? "200 OK" : "401 Unauthorized", "{}");
    else if (strstr(request, "/v2.0/refused"))
        loopback_answer(fd, "401 Unauthorized", "{}");
    else if (strstr(request, "/v2.0/stumbles"))
        loopback_answer(fd, before ? "200 OK" : "503 Busy", "{\"a\":1}");
    else if (strstr(request, "/v2.0/newer"))
        loopback_answer(fd, logins > 1 ? "200 OK" : "401 Unauthorized", "{}");
    else if (strstr(request, "/v2.0/down"))
        loopback_answer(fd, "500 Broken", "{}");
    else if (strstr(request, "/v2.0/cut"))
        loopback_answer(fd, "202 Accepted", "{\"port\": {\"id\"");
    else if (strstr(request, "/v2.0/dead"))
        return false;
    else
        loopback_answer(fd, "200 OK", "{\"a\":1}");
    return true;
}

static struct loopback *server;

static struct session *open_session(void)
{
    own_str char *text = xasprintf("{\"region_name\":\"one\",\"auth\":{\"auth_url\":"
                                   "\"http://127.0.0.1:%d\",\"username\":\"u\",\"password\":\"p\","
                                   "\"project_name\":\"g\"}}",
                                   server->port);
    own_json json_t *merged = json_loads(text, 0, NULL);
    struct session *session = NULL;
    struct cloud cloud;
    struct err err = ERR_INIT;

    if (cloud_read(merged, NULL, &cloud, &err) < 0 || session_new(&cloud, 0, 0, &session, &err) < 0)
        fail_msg("%s", err.text);
    return session;
}

static int set_up(void **state)
{
    atomic_store(&logins, 0);
    atomic_store(&asked, 0);
    server = loopback_start(serve);
    *state = open_session();
    return 0;
}

static int tear_down(void **state)
{
    session_free(*state);
    loopback_stop(server);
    return 0;
}

/* The call's fault, FAULT_NONE when it went well. */
static enum fault ask(struct session *session, const char *method, const char *path, bool *maybe)
{
    own_os_call struct os_call call = { .service = OS_NETWORK, .method = method, .path = path };
    struct err err = ERR_INIT;

    session_call(session, &call, clock_mono_ms() + 10000, &err);
    if (maybe)
        *maybe = call.maybe_done;
    return err.fault;
}

static void one_login_serves_many_calls(void **state)
{
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(*state, "GET", "/x", NULL), FAULT_NONE);
    assert_int_equal(logins, 1);
    assert_string_equal(session_project(*state), "p");
    assert_true(session_credential_end(*state) > clock_wall_ms()); /* a time without a zone */
}

static void a_refused_token_is_renewed_once(void **state)
{
    assert_int_equal(ask(*state, "POST", "/stale", NULL), FAULT_NONE);
    assert_int_equal(logins, 2);
    assert_int_equal(asked, 2);
    assert_int_equal(ask(*state, "GET", "/refused", NULL), FAULT_AUTH);
    assert_int_equal(logins, 3);
    assert_int_equal(asked, 4);
}

static void reading_is_repeated_and_making_is_not(void **state)
{
    bool maybe = false;

    assert_int_equal(ask(*state, "GET", "/stumbles", NULL), FAULT_NONE);
    assert_int_equal(asked, 2);
    assert_int_equal(ask(*state, "DELETE", "/down", NULL), FAULT_UNAVAILABLE);
    assert_int_equal(asked, 5);
    assert_int_equal(ask(*state, "POST", "/down", &maybe), FAULT_UNAVAILABLE);
    assert_int_equal(asked, 6);
    assert_true(maybe);
}

static void a_lost_answer_may_have_been_carried_out(void **state)
{
    bool maybe = false;

    assert_int_equal(ask(*state, "POST", "/cut", &maybe), FAULT_UNAVAILABLE);
    assert_true(maybe);
    maybe = false;
    assert_int_equal(ask(*state, "POST", "/dead", &maybe), FAULT_UNAVAILABLE);
    assert_true(maybe);
}

/* On a connection that was idle before, too. */
static void what_is_made_is_asked_for_once(void **state)
{
    bool maybe = false;

    assert_int_equal(ask(*state, "GET", "/x", NULL), FAULT_NONE);
    assert_int_equal(ask(*state, "POST", "/dead", &maybe), FAULT_UNAVAILABLE);
    assert_true(maybe);
    assert_int_equal(asked, 2);
}

static struct os_call get(const char *path)
{
    return (struct os_call){ .service = OS_NETWORK, .method = "GET", .path = path };
}

static void of_many_at_once_each_has_its_own_outcome(void **state)
{
    struct os_call calls[] = { get("/x"), get("/down"), get("/y"), get("/cut") };
    struct err errs[4] = { ERR_INIT };

    calls[1].method = calls[3].method = "POST";
    session_calls(*state, calls, 4, clock_mono_ms() + 10000, errs);
    assert_int_equal(errs[0].fault, FAULT_NONE);
    assert_int_equal(errs[1].fault, FAULT_UNAVAILABLE);
    assert_int_equal(errs[2].fault, FAULT_NONE);
    assert_non_null(calls[2].answer);
    assert_int_equal(errs[3].fault, FAULT_UNAVAILABLE);
    assert_true(calls[3].maybe_done);
    assert_int_equal(asked, 4);
    for (int i = 0; i < 4; i++)
        os_call_fini(&calls[i]);
}

static void for_many_at_once_the_token_is_renewed_once(void **state)
{
    struct os_call calls[] = { get("/newer"), get("/x"), get("/newer"), get("/down") };
    struct err errs[4] = { ERR_INIT };

    calls[0].method = "POST";
    session_calls(*state, calls, 4, clock_mono_ms() + 10000, errs);
    assert_int_equal(errs[0].fault, FAULT_NONE);
    assert_int_equal(errs[1].fault, FAULT_NONE);
    assert_int_equal(errs[2].fault, FAULT_NONE);
    assert_int_equal(errs[3].fault, FAULT_UNAVAILABLE);
    assert_int_equal(logins, 2);
    assert_int_equal(asked, 2 + 1 + 2 + 3);
    for (int i = 0; i < 4; i++)
        os_call_fini(&calls[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_login_serves_many_calls),
        TEST(a_refused_token_is_renewed_once),
        TEST(reading_is_repeated_and_making_is_not),
        TEST(a_lost_answer_may_have_been_carried_out),
        TEST(what_is_made_is_asked_for_once),
        TEST(of_many_at_once_each_has_its_own_outcome),
        TEST(for_many_at_once_the_token_is_renewed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
