/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a real broker without sites, its API on a real socket, and a client. */
#ifndef SPILLWAY_TESTS_API_WORLD_H
#define SPILLWAY_TESTS_API_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "broker.h"
#include "net/hash.h"

#define PATIENCE_MS 20000

struct world {
    char dir[64];
    struct broker_conf conf;
    struct broker *broker;
    struct api *api;
    CURL *curl;
    /* the last answer */
    struct buf head, body;
    json_t *json;
};

/* ---- a client */

static size_t gather(char *data, size_t size, size_t count, void *arg)
{
    return buf_put(arg, data, size * count) < 0 ? 0 : size * count;
}

struct ask {
    const char *method, *path, *token, *header;
    const void *body;
    size_t length;
};

static long ask(struct world *w, struct ask ask)
{
    own_str char *url = xasprintf("http://spillway%s", ask.path);
    own_str char *auth = xasprintf("Authorization: Bearer %s", ask.token ? ask.token : "");
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    long status = 0;
    CURLcode rc;

    headers = curl_slist_append(headers, "Expect:");
    if (ask.token)
        headers = curl_slist_append(headers, auth);
    if (ask.header)
        headers = curl_slist_append(headers, ask.header);
    curl_easy_reset(w->curl);
    curl_easy_setopt(w->curl, CURLOPT_UNIX_SOCKET_PATH, api_socket(w->api));
    curl_easy_setopt(w->curl, CURLOPT_URL, url);
    curl_easy_setopt(w->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(w->curl, CURLOPT_CUSTOMREQUEST, ask.method);
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(w->curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    curl_easy_setopt(w->curl, CURLOPT_WRITEFUNCTION, gather);
    curl_easy_setopt(w->curl, CURLOPT_WRITEDATA, &w->body);
    curl_easy_setopt(w->curl, CURLOPT_HEADERFUNCTION, gather);
    curl_easy_setopt(w->curl, CURLOPT_HEADERDATA, &w->head);
    curl_easy_setopt(w->curl, CURLOPT_NOSIGNAL, 1L);
    if (strcmp(ask.method, "HEAD") == 0)
        curl_easy_setopt(w->curl, CURLOPT_NOBODY, 1L);
    if (ask.body) {
        curl_easy_setopt(w->curl, CURLOPT_POSTFIELDS, ask.body);
        curl_easy_setopt(w->curl, CURLOPT_POSTFIELDSIZE,
                         (long)(ask.length ? ask.length : strlen(ask.body)));
    }
    buf_clear(&w->head);
    buf_clear(&w->body);
    rc = curl_easy_perform(w->curl);
    curl_slist_free_all(headers);
    if (rc != CURLE_OK)
        fail_msg("%s %s: %s", ask.method, ask.path, curl_easy_strerror(rc));
    curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &status);
    json_decref(w->json);
    w->json = json_loadb(buf_text(&w->body), w->body.length, 0, NULL);
    return status;
}

__attribute__((unused)) static long get_as(struct world *w, const char *token, const char *path)
{
    return ask(w, (struct ask){ .method = "GET", .path = path, .token = token });
}

__attribute__((unused)) static long get(struct world *w, const char *path)
{
    return get_as(w, NULL, path);
}

__attribute__((unused)) static long post_as(struct world *w, const char *token, const char *path,
                                            const char *body)
{
    return ask(w, (struct ask){ .method = "POST", .path = path, .body = body, .token = token });
}

__attribute__((unused)) static long post(struct world *w, const char *path, const char *body)
{
    return post_as(w, NULL, path, body);
}

static const char *field(const struct world *w, const char *key)
{
    const char *text = json_string_value(json_object_get(w->json, key));

    return text ? text : "";
}

__attribute__((unused)) static int64_t number(const struct world *w, const char *list,
                                              const char *key)
{
    const json_t *object =
        list ? json_array_get(json_object_get(w->json, list), 0) : (const json_t *)w->json;

    return json_integer_value(json_object_get(object, key));
}

/* ---- a broker */

/* A held poll is looked at once a heartbeat. */
static const char CONF[] = "broker: {lease: {heartbeat: 500ms}}\n"
                           "sites: []\n";

__attribute__((unused)) static void start(struct world *w)
{
    struct err err = ERR_INIT;

    if (broker_open(&w->conf, &w->broker, &err) < 0 ||
        api_open(w->broker, &w->conf, &w->api, &err) < 0 || broker_start(w->broker, &err) < 0 ||
        api_start(w->api, &err) < 0)
        fail_msg("%s", err.text);
}

__attribute__((unused)) static void stop(struct world *w)
{
    api_stop(w->api);
    broker_close(w->broker);
    api_close(w->api);
    w->api = NULL;
}

__attribute__((unused)) static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);
    struct err err = ERR_INIT;

    snprintf(w->dir, sizeof w->dir, "%s/api.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(w->dir) ||
        broker_conf_parse(CONF, strlen(CONF), "test.yaml", &w->conf, &err) < 0) {
        print_error("%s\n", err.text);
        return -1;
    }
    free(w->conf.state);
    w->conf.state = xstrdup(w->dir);
    w->curl = curl_easy_init();
    start(w);
    *state = w;
    return 0;
}

__attribute__((unused)) static int tear_down(void **state)
{
    struct world *w = *state;

    if (w->api)
        stop(w);
    curl_easy_cleanup(w->curl);
    broker_conf_free(&w->conf);
    buf_free(&w->head);
    buf_free(&w->body);
    json_decref(w->json);
    io_remove_tree(w->dir, NULL);
    free(w);
    return 0;
}

static char *new_token(struct world *w, const char *user, const char *role, const char *projects)
{
    own_str char *body =
        xasprintf("{\"name\":\"%s\",\"user\":\"%s\",\"role\":\"%s\",\"projects\":[%s]}", user, user,
                  role, projects);

    assert_int_equal(post(w, "/v1/tokens", body), 201);
    return xstrdup(field(w, "token"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static int run_all(const struct CMUnitTest *tests, size_t count)
{
    log_open("test", LOG_LEVEL_ERROR);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return _cmocka_run_group_tests("api", tests, count, NULL, NULL);
}

#endif
