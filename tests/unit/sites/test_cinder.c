/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../net/loopback.h"
#include "base/clock.h"
#include "base/json.h"
#include "sites/openstack/openstack.h"

/* A Cinder that is asked one thing: what it answers is the test's.  `removed` is the last path that was
 * to be deleted. */
static const char *answers[4];
static atomic_int asked;
static char removed[200];

static void log_in(struct loopback *server, int fd)
{
    own_str char *body = xasprintf(
        "{\"token\":{\"expires_at\":\"2999-01-01T00:00:00.000000Z\",\"project\":{\"id\":\"p\"},"
        "\"user\":{\"id\":\"u\"},\"catalog\":[{\"type\":\"volumev3\",\"endpoints\":[{\"interface\":"
        "\"public\",\"region_id\":\"one\",\"url\":\"http://127.0.0.1:%d/v3/p\"}]}]}}",
        server->port);

    loopback_answer(fd, "201 Created\r\nX-Subject-Token: secret", body);
}

static bool serve(struct loopback *server, int fd, const char *request)
{
    int number;

    if (strncmp(request, "POST /v3/auth/tokens ", 21) == 0) {
        log_in(server, fd);
        return true;
    }
    if (strncmp(request, "DELETE ", 7) == 0) {
        snprintf(removed, sizeof removed, "%.*s", (int)strcspn(request + 7, " "), request + 7);
        loopback_answer(fd, "202 Accepted", "");
        return true;
    }
    number = atomic_fetch_add(&asked, 1);
    if (!answers[number < 3 ? number : 3])
        return false;
    loopback_answer(fd, "200 OK", answers[number < 3 ? number : 3]);
    return true;
}

static struct loopback *server;
static struct site_conf conf = { .name = "site" };

static int set_up(void **state)
{
    struct openstack *os = xcalloc(1, sizeof *os);
    own_str char *text = NULL;
    own_json json_t *merged = NULL;
    struct cloud cloud;
    struct err err = ERR_INIT;

    server = loopback_start(serve);
    text = xasprintf("{\"region_name\":\"one\",\"auth\":{\"auth_url\":\"http://127.0.0.1:%d\","
                     "\"username\":\"u\",\"password\":\"p\",\"project_name\":\"g\"}}",
                     server->port);
    merged = json_loads(text, 0, NULL);
    memset(answers, 0, sizeof answers);
    atomic_store(&asked, 0);
    removed[0] = '\0';
    if (cloud_read(merged, NULL, &cloud, &err) < 0 ||
        session_new(&cloud, 0, 0, &os->session, &err) < 0)
        fail_msg("%s", err.text);
    os->conf = &conf;
    snprintf(os->broker, sizeof os->broker, "BROKER");
    *state = os;
    return 0;
}

static int tear_down(void **state)
{
    struct openstack *os = *state;

    session_free(os->session);
    free(os);
    loopback_stop(server);
    return 0;
}

#define VOLUME(id, worker, status)                                                     \
    "{\"id\":\"" id "\",\"name\":\"x\",\"size\":2,\"status\":\"" status "\","          \
    "\"created_at\":\"2026-11-24T10:00:00.000000\",\"metadata\":{\"spillway-broker\":" \
    "\"BROKER\",\"spillway-worker\":\"" worker "\",\"spillway-role\":\"scratch\"}}"

static int64_t soon(void)
{
    return clock_mono_ms() + 10000;
}

static void volumes_of_all_pages_are_read_and_others_left_out(void **state)
{
    own_things struct things things = { .list = NULL };
    struct err err = ERR_INIT;

    answers[0] = "{\"volumes\":[" VOLUME("v1", "w1", "in-use") ",{\"id\":\"v2\",\"metadata\":{}}],"
                                                               "\"volumes_links\":[{}]}";
    answers[1] = "{\"volumes\":[{\"id\":7},null," VOLUME("v3", "w2", "available") "]}";
    assert_int_equal(cinder_volumes(*state, NULL, soon(), &things, &err), 0);
    assert_int_equal(asked, 2);
    assert_int_equal(things.count, 2);
    assert_string_equal(things.list[0].name, "w1");
    assert_string_equal(things.list[0].role, "scratch");
    assert_int_equal(things.list[0].size, 2);
    assert_string_equal(things.list[1].id, "v3");
    assert_true(things.list[1].created_ms > 0);
}

static void a_lost_answer_is_looked_for(void **state)
{
    struct volume_wish wish = { .size = 2 };
    own_str char *id = NULL;
    struct err err = ERR_INIT;

    answers[1] = "{\"volumes\":[" VOLUME("v9", "w1", "creating") "]}";
    if (cinder_make(*state, "w1", "scratch", &wish, NULL, soon(), &id, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(id, "v9");
}

static void one_that_fails_is_not_waited_for(void **state)
{
    struct err err = ERR_INIT;

    answers[0] = "{\"volume\":" VOLUME("v1", "w1", "creating") "}";
    answers[1] = "{\"volume\":" VOLUME("v1", "w1", "error") "}";
    assert_int_equal(cinder_wait(*state, "v1", soon(), &err), -1);
    assert_int_equal(err.fault, FAULT_UNAVAILABLE);
    assert_non_null(strstr(err.text, "went to error"));
}

static void one_that_stays_creating_is_waited_for_until_the_deadline(void **state)
{
    struct err err = ERR_INIT;

    for (int i = 0; i < 4; i++)
        answers[i] = "{\"volume\":" VOLUME("v1", "w1", "creating") "}";
    assert_int_equal(cinder_wait(*state, "v1", clock_mono_ms() + 600, &err), -1);
    assert_int_equal(err.fault, FAULT_TIMEOUT);
    assert_non_null(strstr(err.text, "is still creating"));
}

static int remove_one(struct openstack *os, const char *status, struct err *err)
{
    char id[] = "v1", words[40];
    struct thing volume = { .kind = "volume", .id = id, .status = words };

    snprintf(words, sizeof words, "%s", status);
    removed[0] = '\0';
    return thing_delete(os, &volume, soon(), err);
}

static void only_what_can_go_is_told_to(void **state)
{
    struct err err = ERR_INIT;

    assert_int_equal(remove_one(*state, "available", &err), 0);
    assert_string_equal(removed, "/v3/p/volumes/v1");
    assert_int_equal(remove_one(*state, "deleting", &err), 0);
    assert_string_equal(removed, "");
    assert_int_equal(remove_one(*state, "creating", &err), -1);
    assert_int_equal(err.fault, FAULT_CONFLICT);
    assert_int_equal(remove_one(*state, "error_deleting", &err), -1);
    assert_string_equal(removed, "");
    assert_int_equal(remove_one(*state, "error", &err), 0);
    assert_string_equal(removed, "/v3/p/volumes/v1");
}

static void a_kept_volume_is_found_by_name_where_only_one_has_it(void **state)
{
    struct openstack *os = *state;
    own_str char *id = NULL;
    struct err err = ERR_INIT;

    os->volume_name = "reference";
    answers[0] = "{\"volumes\":[{\"id\":\"a\",\"name\":\"reference\"},{\"id\":\"b\"}]}";
    answers[1] = "{\"volumes\":[{\"id\":\"a\",\"name\":\"reference\"},"
                 "{\"id\":\"c\",\"name\":\"reference\"}]}";
    assert_int_equal(cinder_kept(os, soon(), &id, &err), 0);
    assert_string_equal(id, "a");
    assert_int_equal(cinder_kept(os, soon(), &id, &err), -1);
    assert_non_null(strstr(err.text, "several volumes"));
}

static void its_quota_is_split_between_us_and_others(void **state)
{
    own_things struct things things = { .list = NULL };
    struct servers servers = { .list = NULL };
    struct probe probe = { .latency_ms = 0 };
    struct openstack *os = *state;
    struct err err = ERR_INIT;

    os->scratch.size = 2;
    things_add(&things, "volume", "v1", "w1")->size = 2;
    answers[0] = "{\"limits\":{\"absolute\":{\"maxTotalVolumes\":10,\"totalVolumesUsed\":4,"
                 "\"maxTotalVolumeGigabytes\":-1,\"totalGigabytesUsed\":\"many\"}}}";
    assert_int_equal(session_ready(os->session, soon(), &err), 0);
    assert_int_equal(cinder_quota(os, &servers, &things, soon(), &probe, &err), 0);
    assert_int_equal(probe.quota_count, 2);
    assert_int_equal(probe.quotas[0].limit, 10);
    assert_int_equal(probe.quotas[0].ours, 1);
    assert_int_equal(probe.quotas[0].others, 3);
    assert_int_equal(probe.quotas[0].per_worker, 1);
    assert_int_equal(probe.quotas[1].limit, -1);
    assert_int_equal(probe.quotas[1].per_worker, 2);
    probe_free(&probe);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(volumes_of_all_pages_are_read_and_others_left_out),
        TEST(a_lost_answer_is_looked_for),
        TEST(one_that_fails_is_not_waited_for),
        TEST(one_that_stays_creating_is_waited_for_until_the_deadline),
        TEST(only_what_can_go_is_told_to),
        TEST(a_kept_volume_is_found_by_name_where_only_one_has_it),
        TEST(its_quota_is_split_between_us_and_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
