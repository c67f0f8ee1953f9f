/* SPDX-License-Identifier: Apache-2.0 */
/* test_world.c - what the rules of the configuration become in the scheduler's snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* after those that it needs */
#include <cmocka.h>

#include "base/own.h"
#include "caps.h"
#include "world.h"

static const char CONF[] = "limits: {license: 3}\n"
                           "projects: {genomics: {max_tasks: 10}, \"*\": {max_tasks: 2}}\n"
                           "users: {ada: {max_tasks: 4}}\n"
                           "sites: []\n";

struct test {
    struct broker_conf conf;
    struct queue *queue;
    struct world *world;
};

static void configure(struct test *t, const char *text)
{
    struct broker_conf conf = { .file = NULL };
    struct err err = ERR_INIT;

    if (broker_conf_parse(text, strlen(text), "test.yaml", &conf, &err) < 0)
        fail_msg("%s", err.text);
    broker_conf_free(&t->conf);
    t->conf = conf;
    world_configure(t->world, &t->conf, NULL, 0);
}

static int up(void **state)
{
    struct test *t = xcalloc(1, sizeof *t);

    t->queue = queue_new();
    t->world = world_new();
    configure(t, CONF);
    *state = t;
    return 0;
}

static int down(void **state)
{
    struct test *t = *state;

    world_free(t->world);
    queue_free(t->queue);
    broker_conf_free(&t->conf);
    free(t);
    return 0;
}

/* A class of this project and user, of which so many run. */
static void add(struct test *t, int64_t id, const char *project, const char *user, int64_t active)
{
    struct job_spec spec = { 0 };
    struct problems problems = { .list = NULL };
    json_t *document = json_pack("{s:[s], s:[s]}", "command", "true", "limits", "license");
    struct queue_todo todo = { .items = NULL };
    own_str char *key = NULL;
    struct change change = { .kind = CHANGE_CLASS, .added = true, .class.id = id };

    assert_int_equal(job_spec_parse(document, &spec, &problems), 0);
    key = job_class_key(&spec, project, user);
    change.class.key = key;
    queue_apply(t->queue, &change, &todo);
    queue_class(t->queue, id)->active = active;
    queue_class(t->queue, id)->ready = 1;
    job_spec_free(&spec);
    json_decref(document);
    queue_todo_free(&todo);
}

static const struct sched_limit *limit(const struct sched_snapshot *snap, const char *name)
{
    for (size_t i = 0; i < snap->limit_count; i++)
        if (strcmp(snap->limits[i].name, name) == 0)
            return &snap->limits[i];
    fail_msg("no limit '%s'", name);
    return NULL;
}

static void max_tasks_are_limits_of_their_own(void **state)
{
    struct test *t = *state;
    const struct sched_snapshot *snap;

    add(t, 1, "genomics", "ada", 3);
    add(t, 2, "genomics", "bob", 5);
    add(t, 3, "physics", "ada", 1);
    snap = world_build(t->world, t->queue, NULL, 1000);
    assert_int_equal(limit(snap, "max_tasks of project genomics")->capacity, 10);
    assert_int_equal(limit(snap, "max_tasks of project genomics")->in_use, 8);
    assert_int_equal(limit(snap, "max_tasks of project physics")->capacity, 2);
    assert_int_equal(limit(snap, "max_tasks of project physics")->in_use, 1);
    assert_int_equal(limit(snap, "max_tasks of user ada")->capacity, 4);
    assert_int_equal(limit(snap, "max_tasks of user ada")->in_use, 4);
    assert_int_equal(limit(snap, "license")->in_use, 9);
    for (size_t i = 0; i < snap->class_count; i++)
        assert_int_equal(snap->classes[i].limit_count,
                         world_class(t->world, (int)i)->id == 2 ? 2 : 3);
}

static void a_rule_that_is_taken_away_binds_no_more(void **state)
{
    struct test *t = *state;
    const struct sched_snapshot *snap;

    add(t, 1, "genomics", "ada", 3);
    world_build(t->world, t->queue, NULL, 1000);
    configure(t, "projects: {genomics: {max_tasks: 20}}\nsites: []\n");
    snap = world_build(t->world, t->queue, NULL, 2000);
    assert_int_equal(limit(snap, "max_tasks of project genomics")->capacity, 20);
    assert_int_equal(snap->class_count, 1);
    assert_int_equal(snap->classes[0].limit_count, 2);
}

/* After a restart, what runs may be the first to name a limit. */
static void what_runs_alone_counts_too(void **state)
{
    struct test *t = *state;
    const struct sched_snapshot *snap;

    add(t, 1, "genomics", "ada", 3);
    queue_class(t->queue, 1)->ready = 0;
    snap = world_build(t->world, t->queue, NULL, 1000);
    assert_int_equal(limit(snap, "max_tasks of user ada")->in_use, 3);
}

/* However a job calls its limit, it is not another's. */
static void a_name_is_not_a_rule(void **state)
{
    struct test *t = *state;
    struct job_spec spec = { 0 };
    struct limit_use named = { .name = (char *)"physics", .count = 5 };
    struct sched_limit_use uses[1 + CAPS_RULES];
    struct caps caps = CAPS_INIT;

    spec.limits = &named;
    spec.limit_count = 1;
    assert_int_equal(caps_of(&caps, &t->conf, &spec, "physics", "eve", uses), 2);
    assert_int_not_equal(uses[0].limit, uses[1].limit);
    assert_int_equal(uses[1].count, 1);
    caps_free(&caps);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)
    const struct CMUnitTest tests[] = {
        TEST(max_tasks_are_limits_of_their_own),
        TEST(a_rule_that_is_taken_away_binds_no_more),
        TEST(what_runs_alone_counts_too),
        TEST(a_name_is_not_a_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
