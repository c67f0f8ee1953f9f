/* SPDX-License-Identifier: Apache-2.0 */
/* test_heat.c - the pure parts of broker/sites/heat: templates, and what a stack's state means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "sites/heat/heat.h"

#define HEAD "heat_template_version: 2018-08-31\nparameters:\n"
#define NAME "  name: {type: string}\n"
#define DATA "  user_data: {type: string, hidden: true}\n"

/* hot_load() of this text, with these constants of the site; "" for none wrong. */
static void assert_hot_of(enum stack_use use, const char *template, const char *parameters,
                          const char *wanted)
{
    char path[] = "/tmp/spillway-hot-XXXXXX";
    int fd = mkstemp(path);
    struct site_conf conf;
    struct hot hot = { .use = use };
    struct err err = ERR_INIT;
    int rc;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, template, strlen(template)), (ssize_t)strlen(template));
    close(fd);
    site_conf_init(&conf, "stacks", "heat");
    json_object_set_new(conf.driver, "template", json_string(path));
    if (parameters)
        json_object_set_new(conf.driver, "parameters", json_loads(parameters, 0, NULL));
    rc = hot_load(&conf, &hot, &err);
    if (*wanted) {
        assert_int_equal(rc, -1);
        if (!strstr(err.text, wanted))
            fail_msg("'%s' has no '%s'", err.text, wanted);
    } else {
        if (rc < 0)
            fail_msg("%s", err.text);
        assert_string_equal(hot.text, template);
        assert_true(hot_takes(&hot, "name"));
        assert_false(hot_takes(&hot, "anything"));
    }
    hot_fini(&hot);
    site_conf_fini(&conf);
    unlink(path);
}

static void assert_hot(const char *template, const char *parameters, const char *wanted)
{
    assert_hot_of(STACK_WORKER, template, parameters, wanted);
}

static void a_cluster_has_other_parameters(void **state)
{
    const char *parts = HEAD NAME "  nodes: {type: number}\n  network: {type: string}\n";
    const char *more = HEAD NAME "  flavor: {type: string}\n  image: {type: string}\n";

    (void)state;
    assert_hot_of(STACK_CLUSTER, parts, NULL, "");
    assert_hot_of(STACK_CLUSTER, parts, "{\"nodes\":3}", "is given by the broker");
    assert_hot_of(STACK_CLUSTER, more, "{\"flavor\":\"m1\",\"image\":\"x\"}", "");
    assert_hot_of(STACK_CLUSTER, more, NULL, "has no default");
    assert_hot_of(STACK_CLUSTER, HEAD DATA NAME, NULL, "'user_data' has no default");
}

static void a_template_is_checked_when_the_site_is_read(void **state)
{
    (void)state;
    assert_hot(HEAD NAME DATA, NULL, "");
    assert_hot(HEAD NAME DATA "  size: {type: number, default: 3}\n", NULL, "");
    assert_hot(HEAD NAME DATA "  size: {type: number}\n", "{\"size\":3}", "");
    assert_hot(HEAD NAME DATA "  size: {type: number}\n", NULL, "'size' has no default");
    assert_hot(HEAD NAME DATA, "{\"size\":3}", "the template has no such parameter");
    assert_hot(HEAD NAME DATA, "{\"name\":\"x\"}", "is given by the broker");
    assert_hot(HEAD NAME "  image: {type: string}\n", "{\"image\":\"x\"}", "");
    assert_hot(HEAD DATA, NULL, "no parameter 'name'");
    assert_hot(HEAD NAME "  user_data: {type: string}\n", NULL, "must be 'hidden: true'");
    assert_hot("parameters: {}\n", NULL, "no heat_template_version");
    assert_hot("heat_template_version: 2018-08-31\n", NULL, "no parameters");
    assert_hot("a: [\n", NULL, ":2:1:");
    assert_hot(HEAD NAME DATA, "[1]", "must be names and values");
}

static void a_template_that_is_missing_is_told(void **state)
{
    struct site_conf conf;
    struct hot hot = { .text = NULL };
    struct err err = ERR_INIT;

    (void)state;
    site_conf_init(&conf, "stacks", "heat");
    assert_int_equal(hot_load(&conf, &hot, &err), -1);
    assert_non_null(strstr(err.text, "needs 'template'"));
    json_object_set_new(conf.driver, "template", json_string("/nowhere/at/all"));
    assert_int_equal(hot_load(&conf, &hot, &err), -1);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    hot_fini(&hot);
    site_conf_fini(&conf);
}

static void each_state_of_a_stack_means_something(void **state)
{
    (void)state;
    assert_int_equal(stack_state("CREATE_IN_PROGRESS"), INSTANCE_BOOTING);
    assert_int_equal(stack_state("CREATE_COMPLETE"), INSTANCE_ACTIVE);
    assert_int_equal(stack_state("CREATE_FAILED"), INSTANCE_FAILED);
    assert_int_equal(stack_state("UPDATE_IN_PROGRESS"), INSTANCE_ACTIVE);
    assert_int_equal(stack_state("UPDATE_FAILED"), INSTANCE_FAILED);
    assert_int_equal(stack_state("CHECK_COMPLETE"), INSTANCE_ACTIVE);
    assert_int_equal(stack_state("DELETE_IN_PROGRESS"), INSTANCE_GONE);
    assert_int_equal(stack_state("DELETE_COMPLETE"), INSTANCE_GONE);
    assert_int_equal(stack_state("DELETE_FAILED"), INSTANCE_FAILED); /* begun anew */
    assert_int_equal(stack_state("ROLLBACK_COMPLETE"), INSTANCE_ACTIVE);
    assert_int_equal(stack_state("STRANGE"), INSTANCE_ACTIVE);
    assert_int_equal(stack_state(NULL), INSTANCE_ACTIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_template_is_checked_when_the_site_is_read),
        cmocka_unit_test(a_cluster_has_other_parameters),
        cmocka_unit_test(a_template_that_is_missing_is_told),
        cmocka_unit_test(each_state_of_a_stack_means_something),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
