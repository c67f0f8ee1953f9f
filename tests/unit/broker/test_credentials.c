/* SPDX-License-Identifier: Apache-2.0 */
/* test_credentials.c - broker/credentials.c: ends of credentials against schedules in a store. */
#include "../store/fixture.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "credentials.h"
#include "cron/plan.h"
#include "store/notices.h"
#include "store/schedules.h"

#define DAY_MS ((int64_t)86400 * 1000)

static int64_t add(struct fixture *f, const char *name, const char *more, const char *rule)
{
    own_str char *spec =
        xasprintf("{\"name\":\"%s\",\"command\":[\"true\"]%s,\"schedule\":%s}", name, more, rule);
    struct schedule_put put = { .name = name,
                                .project = "genomics",
                                .user = "ada",
                                .rule = rule,
                                .spec = spec,
                                .mark_utc = clock_wall_ms() / 1000,
                                .mark_local = CRON_NEVER };

    assert_ok(f, store_schedule_put(f->store, &put, 1, &f->err));
    return put.id;
}

struct heard {
    int count;
    char target[64], event[1024];
};

static bool hear(void *arg, const struct notice_row *row)
{
    struct heard *heard = arg;

    heard->count++;
    snprintf(heard->target, sizeof heard->target, "%s", row->target);
    snprintf(heard->event, sizeof heard->event, "%s", row->event);
    assert_string_equal(row->user, ""); /* the operator's address is no business of hers */
    return true;
}

static struct heard notices(struct fixture *f)
{
    struct heard heard = { .count = 0 };

    assert_ok(f, store_notices(f->store, 0, hear, &heard, &f->err));
    return heard;
}

static void an_end_before_a_run_is_told_once(void **state)
{
    struct fixture *f = *state;
    struct credentials *credentials = credentials_new();
    struct broker_conf conf = { .file = NULL };
    struct site_conf cloud = { .name = (char *)"cloud", .tier = TIER_PARTNER };
    struct credential_site site = { &cloud, clock_wall_ms() + 3 * DAY_MS };
    int64_t nightly = add(f, "nightly", "", "{\"cron\":\"0 3 * * *\"}");
    int64_t home = add(f, "home", ",\"placement\":{\"tier\":\"home\"}", "{\"cron\":\"0 3 * * *\"}");
    int64_t once = add(f, "once", "", "{\"every\":\"1h\",\"end\":\"2000-01-01T00:00:00Z\"}");
    json_t *warning;

    store_set_operator(f->store, "{\"webhook\":\"https://ops.example/hook\"}");
    credentials_look(credentials, f->store, &conf, &site, 1);
    warning = credentials_warning(credentials, nightly);
    assert_non_null(warning);
    assert_string_equal(json_string_value(json_object_get(warning, "site")), "cloud");
    json_decref(warning);
    assert_null(credentials_warning(credentials, home)); /* it may not go there */
    assert_null(credentials_warning(credentials, once)); /* it has no run any more */
    assert_int_equal(notices(f).count, 1);
    assert_string_equal(notices(f).target, "https://ops.example/hook");
    assert_non_null(strstr(notices(f).event, "\"event\":\"credential\""));
    assert_non_null(strstr(notices(f).event, "\"site\":\"cloud\""));
    assert_non_null(strstr(notices(f).event, "nightly"));

    /* Also after a restart: the same end is not told again, a new one is. */
    credentials_free(credentials);
    fixture_again(f);
    store_set_operator(f->store, "{\"webhook\":\"https://ops.example/hook\"}");
    credentials = credentials_new();
    credentials_look(credentials, f->store, &conf, &site, 1);
    assert_int_equal(notices(f).count, 1);
    site.end_ms += DAY_MS;
    credentials_look(credentials, f->store, &conf, &site, 1);
    assert_int_equal(notices(f).count, 2);
    /* It was renewed: nothing is left to say. */
    credentials_look(credentials, f->store, &conf, NULL, 0);
    assert_null(credentials_warning(credentials, nightly));
    credentials_free(credentials);
}

static void a_paused_schedule_or_no_operator_is_no_notice(void **state)
{
    struct fixture *f = *state;
    struct credentials *credentials = credentials_new();
    struct broker_conf conf = { .file = NULL };
    struct site_conf cloud = { .name = (char *)"cloud", .tier = TIER_PARTNER };
    struct credential_site site = { &cloud, clock_wall_ms() + 3 * DAY_MS };
    int64_t id = add(f, "nightly", "", "{\"cron\":\"0 3 * * *\"}");

    assert_int_equal(store_schedule_pause(f->store, id, SCHEDULE_PAUSED, "by hand", 0, 0, &f->err),
                     0);
    store_set_operator(f->store, "{\"webhook\":\"https://ops.example/hook\"}");
    credentials_look(credentials, f->store, &conf, &site, 1);
    assert_null(credentials_warning(credentials, id));
    assert_int_equal(notices(f).count, 0);
    assert_int_equal(store_schedule_pause(f->store, id, SCHEDULE_RUNS, NULL, clock_wall_ms() / 1000,
                                          CRON_NEVER, &f->err),
                     0);
    store_set_operator(f->store, NULL);
    credentials_look(credentials, f->store, &conf, &site, 1);
    assert_int_equal(notices(f).count, 0);
    credentials_free(credentials);
}

static void rules_and_placement_say_whom_a_site_concerns(void **state)
{
    char *genomics[] = { (char *)"genomics", NULL }, *cloud_list[] = { (char *)"cloud", NULL };
    char *french[] = { (char *)"FR", NULL };
    struct broker_conf conf = { .file = NULL };
    struct site_conf site = { .name = (char *)"cloud", .tier = TIER_PARTNER };
    struct job_spec spec = { .placement = { .tier = TIER_COMMERCIAL } };

    (void)state;
    assert_true(credentials_concern(&conf, &site, &spec, "genomics"));
    site.projects = genomics;
    assert_true(credentials_concern(&conf, &site, &spec, "genomics"));
    assert_false(credentials_concern(&conf, &site, &spec, "climate"));
    spec.placement.exclude = cloud_list;
    assert_false(credentials_concern(&conf, &site, &spec, "genomics"));
    spec.placement.exclude = NULL;
    spec.placement.jurisdiction = french;
    assert_false(credentials_concern(&conf, &site, &spec, "genomics"));
    site.jurisdiction = french[0];
    assert_true(credentials_concern(&conf, &site, &spec, "genomics"));
    spec.placement.cloud_act_free = site.cloud_act = true;
    assert_false(credentials_concern(&conf, &site, &spec, "genomics"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_up, fixture_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_end_before_a_run_is_told_once),
        TEST(a_paused_schedule_or_no_operator_is_no_notice),
        cmocka_unit_test(rules_and_placement_say_whom_a_site_concerns),
    };

    log_open("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
