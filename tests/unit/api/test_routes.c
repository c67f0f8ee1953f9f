/* SPDX-License-Identifier: Apache-2.0 */
/* test_routes.c - how paths find their routes, and that docs/openapi.yaml describes just these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "api/router.h"
#include "base/own.h"
#include "conf/yaml.h"

static enum route_found find(const char *method, const char *path, const struct route **out,
                             struct route_params *params)
{
    char allow[80];

    return route_find(api_routes, method, path, out, params, allow, sizeof allow);
}

static void assert_route(const char *method, const char *path, const char *pattern)
{
    const struct route *route = NULL;
    struct route_params params;

    if (find(method, path, &route, &params) != ROUTE_FOUND)
        fail_msg("%s %s: not found", method, path);
    assert_string_equal(route->pattern, pattern);
}

static void paths_find_their_routes(void **state)
{
    (void)state;
    assert_route("GET", "/v1/jobs", "/v1/jobs");
    assert_route("POST", "/v1/jobs", "/v1/jobs");
    assert_route("GET", "/v1/jobs/12.3", "/v1/jobs/{id}");
    assert_route("GET", "/v1/jobs/12/outputs", "/v1/jobs/{id}/outputs");
    assert_route("GET", "/v1/jobs/12/outputs/a/b/c", "/v1/jobs/{id}/outputs/{path*}");
    assert_route("GET", "/v1/jobs/12/logs/stdout", "/v1/jobs/{id}/logs/{stream}");
    assert_route("GET", "/healthz", "/healthz");
}

static void head_is_served_where_get_is(void **state)
{
    const struct route *route;
    struct route_params params;

    (void)state;
    assert_int_equal(find("HEAD", "/v1/jobs", &route, &params), ROUTE_FOUND);
    assert_string_equal(route->method, "GET");
    /* Unless it has a route of its own: GET of a blob is the agents', HEAD the users'. */
    assert_int_equal(find("HEAD", "/v1/blobs/00", &route, &params), ROUTE_FOUND);
    assert_string_equal(route->method, "HEAD");
    assert_int_equal(route->access, ACCESS_USER);
    assert_int_equal(find("GET", "/v1/blobs/00", &route, &params), ROUTE_FOUND);
    assert_int_equal(route->access, ACCESS_AGENT);
}

static void params_are_cut_out_undecoded(void **state)
{
    const struct route *route;
    struct route_params params;

    (void)state;
    assert_int_equal(find("GET", "/v1/jobs/1.2/outputs/a%2Fb/c", &route, &params), ROUTE_FOUND);
    assert_int_equal(params.count, 2);
    assert_int_equal(params.length[0], 3);
    assert_memory_equal(params.at[0], "1.2", 3);
    assert_int_equal(params.length[1], 7);
    assert_memory_equal(params.at[1], "a%2Fb/c", 7);
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char *const none[] = { "",
                                        "/",
                                        "/v1",
                                        "/v1/",
                                        "/v1/job",
                                        "/v1/jobs/",
                                        "/v1/jobs//",
                                        "//v1/jobs",
                                        "/v1/jobs/1/",
                                        "/v1/jobs/1/nope",
                                        "v1/jobs",
                                        "/v1/jobsx",
                                        "/v1/jobs/1/outputs/",
                                        "/healthz/",
                                        "/HEALTHZ" };
    const struct route *route;
    struct route_params params;

    (void)state;
    for (size_t i = 0; i < array_len(none); i++)
        if (find("GET", none[i], &route, &params) != ROUTE_NO_PATH)
            fail_msg("found: '%s'", none[i]);
}

static void other_methods_are_told_what_there_is(void **state)
{
    const struct route *route;
    struct route_params params;
    char allow[80];

    (void)state;
    assert_int_equal(
        route_find(api_routes, "DELETE", "/v1/jobs", &route, &params, allow, sizeof allow),
        ROUTE_NO_METHOD);
    assert_non_null(strstr(allow, "GET"));
    assert_non_null(strstr(allow, "HEAD"));
    assert_non_null(strstr(allow, "POST"));
    assert_int_equal(find("get", "/v1/jobs", &route, &params), ROUTE_NO_METHOD);
}

/* Slow and pooled calls never run in place, and what asks nobody answers nothing of theirs. */
static void the_table_is_sound(void **state)
{
    (void)state;
    for (const struct route *route = api_routes; route->method; route++) {
        assert_non_null(route->handle);
        assert_int_not_equal(route->flags & (ROUTE_POOL | ROUTE_SLOW), ROUTE_POOL | ROUTE_SLOW);
        if (route->sink)
            assert_true(route->body_most > 0);
        if (strcmp(route->method, "GET") == 0)
            assert_int_equal(route->body_most, 0);
        if (strstr(route->pattern, "/sites/") && strcmp(route->method, "POST") == 0)
            assert_int_equal(route->access, ACCESS_OPERATOR);
        if (strstr(route->pattern, "/tokens") || strstr(route->pattern, "/doctor"))
            assert_int_equal(route->access, ACCESS_ADMIN);
    }
}

/* ---- docs/openapi.yaml */

static void load_document(struct yaml_docs *docs)
{
    struct err err = ERR_INIT;

    if (yaml_load("docs/openapi.yaml", docs, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(docs->count, 1);
}

static const json_t *described(const json_t *root, const struct route *route)
{
    char path[128], method[8];
    const char *star = strchr(route->pattern, '*');
    size_t length = star ? (size_t)(star - route->pattern) : strlen(route->pattern);

    snprintf(path, sizeof path, "%.*s%s", (int)length, route->pattern, star ? "}" : "");
    for (size_t i = 0; i <= strlen(route->method); i++)
        method[i] = route->method[i] >= 'A' ? (char)(route->method[i] | 0x20) : '\0';
    return json_object_get(json_object_get(json_object_get(root, "paths"), path), method);
}

static bool has_parameter(const json_t *operation, const char *name)
{
    const json_t *list = json_object_get(operation, "parameters");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *in = json_string_value(json_object_get(one, "in"));

        if (in && strcmp(in, "query") == 0 &&
            strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
            return true;
    }
    return false;
}

static size_t count_parameters(const json_t *operation)
{
    const json_t *list = json_object_get(operation, "parameters");
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *in = json_string_value(json_object_get(json_array_get(list, i), "in"));

        count += in && strcmp(in, "query") == 0;
    }
    return count;
}

static void the_document_describes_every_route(void **state)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;

    (void)state;
    load_document(&docs);
    for (const struct route *route = api_routes; route->method; route++) {
        const json_t *operation = described(docs.list[0].root, route);
        size_t known = 0;

        if (!operation)
            fail_msg("docs/openapi.yaml lacks %s %s", route->method, route->pattern);
        for (; route->query && route->query[known]; known++)
            if (!has_parameter(operation, route->query[known]))
                fail_msg("%s %s lacks ?%s", route->method, route->pattern, route->query[known]);
        if (count_parameters(operation) != known)
            fail_msg("%s %s describes parameters that it does not take", route->method,
                     route->pattern);
    }
}

static void the_document_describes_nothing_else(void **state)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;
    size_t routes = 0, operations = 0;
    const char *path, *key;
    json_t *item, *value;

    (void)state;
    load_document(&docs);
    for (const struct route *route = api_routes; route->method; route++)
        routes++;
    /* cppcheck-suppress unknownMacro */
    json_object_foreach(json_object_get(docs.list[0].root, "paths"), path, item)
        json_object_foreach(item, key, value) operations += strcmp(key, "parameters") != 0;
    assert_int_equal(operations, routes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_their_routes),
        cmocka_unit_test(head_is_served_where_get_is),
        cmocka_unit_test(params_are_cut_out_undecoded),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(other_methods_are_told_what_there_is),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(the_document_describes_every_route),
        cmocka_unit_test(the_document_describes_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
