/* SPDX-License-Identifier: Apache-2.0 */
/* test_server.c - the API over a real socket, with a real broker that has no sites. */
#include "world.h"

#define ONE    "{\"anyway\":true,\"jobs\":[{\"name\":\"one\",\"command\":[\"true\"]}]}"
#define SHARED "{\"anyway\":true,\"jobs\":[{\"command\":[\"true\"],\"project\":\"shared\"}]}"

/* ---- what it does */

static void it_answers_before_anyone_is_known(void **state)
{
    struct world *w = *state;

    assert_int_equal(get(w, "/healthz"), 200);
    assert_int_equal(get(w, "/readyz"), 200);
    assert_int_equal(get(w, "/v1/version"), 200);
    assert_int_equal(number(w, NULL, "api"), 1);
    assert_int_equal(get(w, "/v1/openapi.json"), 200);
    assert_string_equal(field(w, "openapi"), "3.1.0");
    assert_non_null(strcasestr(buf_text(&w->head), "X-Content-Type-Options: nosniff"));
    assert_non_null(strcasestr(buf_text(&w->head), "Cache-Control: no-store"));
}

static void jobs_are_queued_listed_and_changed(void **state)
{
    struct world *w = *state;

    assert_int_equal(post(w, "/v1/jobs", ONE), 201);
    assert_int_equal(number(w, "jobs", "id"), 1);
    assert_int_equal(json_array_size(json_object_get(w->json, "warnings")), 1);
    assert_int_equal(get(w, "/v1/jobs"), 200);
    assert_int_equal(json_array_size(json_object_get(w->json, "tasks")), 1);
    assert_int_equal(get(w, "/v1/jobs/1"), 200);
    assert_string_equal(field(w, "state"), "pending");
    assert_int_equal(post(w, "/v1/jobs/1/hold", "{}"), 200);
    assert_int_equal(number(w, NULL, "tasks"), 1);
    assert_int_equal(get(w, "/v1/jobs/1"), 200);
    assert_string_equal(field(w, "state"), "held");
    assert_int_equal(post(w, "/v1/jobs/1/release", ""), 200);
    assert_int_equal(post(w, "/v1/jobs/1/cancel", "{}"), 200);
    assert_int_equal(get(w, "/v1/jobs/1"), 200);
    assert_string_equal(field(w, "state"), "cancelled");
    assert_int_equal(get(w, "/v1/jobs?state=cancelled"), 200);
    assert_int_equal(json_array_size(json_object_get(w->json, "tasks")), 1);
    assert_int_equal(get(w, "/v1/jobs/2"), 404);
    assert_int_equal(get(w, "/v1/jobs/1.3"), 404);
}

static void faults_name_their_field(void **state)
{
    struct world *w = *state;

    assert_int_equal(post(w, "/v1/jobs", "{\"jobs\":[{\"command\":[\"true\"],\"nmae\":\"x\"}]}"),
                     422);
    assert_string_equal(field(w, "field"), "/jobs/0/nmae");
    assert_int_equal(post(w, "/v1/jobs", "{\"job\":[]}"), 422);
    assert_string_equal(field(w, "field"), "/job");
    assert_int_equal(post(w, "/v1/jobs", "{}"), 422);
    assert_string_equal(field(w, "field"), "/jobs");
    assert_int_equal(get(w, "/v1/jobs?limit=many"), 400);
    assert_string_equal(field(w, "field"), "limit");
    assert_int_equal(get(w, "/v1/jobs?lmit=1"), 400);
    assert_string_equal(field(w, "field"), "lmit");
}

static void what_can_never_run_is_refused(void **state)
{
    struct world *w = *state;

    assert_int_equal(post(w, "/v1/jobs", "{\"jobs\":[{\"command\":[\"true\"]}]}"), 422);
    assert_string_equal(field(w, "field"), "/jobs/0");
    assert_int_equal(post(w, "/v1/jobs", "{\"dry_run\":true,\"jobs\":[{\"command\":[\"true\"]}]}"),
                     200);
    assert_int_equal(get(w, "/v1/jobs?all=1"), 200);
    assert_int_equal(json_array_size(json_object_get(w->json, "tasks")), 0);
}

static void a_key_makes_it_safe_to_repeat(void **state)
{
    struct ask again = {
        .method = "POST", .path = "/v1/jobs", .body = ONE, .header = "Idempotency-Key: night-1"
    };
    struct world *w = *state;

    assert_int_equal(ask(w, again), 201);
    assert_int_equal(ask(w, again), 200);
    assert_int_equal(number(w, "jobs", "id"), 1);
    again.body = SHARED;
    assert_int_equal(ask(w, again), 409);
    again.header = "Idempotency-Key: two words";
    assert_int_equal(ask(w, again), 400);
}

/* What SIGHUP brings. */
static void configure(struct world *w, const char *text)
{
    struct broker_conf conf = { .file = NULL };
    struct err err = ERR_INIT;

    if (broker_conf_parse(text, strlen(text), "test.yaml", &conf, &err) < 0)
        fail_msg("%s", err.text);
    api_reload(w->api, &conf);
    broker_conf_free(&conf);
}

static void open_tasks_are_bounded(void **state)
{
    struct world *w = *state;
    own_str char *alice = new_token(w, "alice", "user", "");
    own_str char *bob = new_token(w, "bob", "user", "");

    configure(w, "broker: {bounds: {open_tasks: 3}}\nusers: {alice: {max_open: 2}}\nsites: []\n");
    assert_int_equal(post_as(w, alice, "/v1/jobs", ONE), 201);
    assert_int_equal(post_as(w, alice, "/v1/jobs", ONE), 201);
    assert_int_equal(post_as(w, alice, "/v1/jobs", ONE), 429);
    assert_non_null(strstr(field(w, "detail"), "users.alice.max_open"));
    assert_non_null(strstr(buf_text(&w->head), "Retry-After: 60"));
    assert_int_equal(post_as(w, bob, "/v1/jobs", ONE), 201);
    assert_int_equal(post_as(w, bob, "/v1/jobs", ONE), 429);
    assert_non_null(strstr(field(w, "detail"), "broker.bounds.open_tasks"));
    assert_int_equal(post_as(w, alice, "/v1/jobs/1/cancel", "{}"), 200);
    assert_int_equal(post_as(w, alice, "/v1/jobs", ONE), 201);
    assert_int_equal(post_as(w, alice, "/v1/jobs",
                             "{\"anyway\":true,\"jobs\":[{\"command\":[\"true\"],\"array\":"
                             "\"0-4\"}]}"),
                     422);
}

static void the_rate_of_a_user_can_change(void **state)
{
    struct world *w = *state;
    own_str char *alice = new_token(w, "alice", "user", "");
    long last = 200;

    for (int i = 0; i < 20; i++)
        assert_int_equal(get_as(w, alice, "/v1/sites"), 200);
    configure(w, "broker: {http: {requests_per_second: 0.1}}\nsites: []\n");
    for (int i = 0; i < 20 && last == 200; i++)
        last = get_as(w, alice, "/v1/sites");
    assert_int_equal(last, 429);
    configure(w, CONF);
    assert_int_equal(get_as(w, alice, "/v1/sites"), 200);
}

static void many_jobs_in_one_body(void **state)
{
    own_buf struct buf body = BUF_INIT(0);
    struct world *w = *state;

    buf_puts(&body, "{\"anyway\":true,\"jobs\":[{\"command\":[\"true\"]}");
    for (int i = 0; i < 2999; i++)
        buf_puts(&body, ",{\"command\":[\"true\"]}");
    buf_puts(&body, "]}");
    assert_int_equal(post(w, "/v1/jobs", buf_text(&body)), 201);
    assert_int_equal(json_array_size(json_object_get(w->json, "jobs")), 3000);
    assert_int_equal(get(w, "/v1/jobs?limit=1000"), 200);
    assert_int_equal(json_array_size(json_object_get(w->json, "tasks")), 1000);
    assert_true(strlen(field(w, "cursor")) > 0);
}

/* ---- who may */

static void a_user_sees_her_own_and_her_projects(void **state)
{
    struct world *w = *state;
    own_str char *alice = new_token(w, "alice", "user", "");
    own_str char *bob = new_token(w, "bob", "user", "\"shared\"");

    assert_int_equal(post_as(w, alice, "/v1/jobs", ONE), 201);
    assert_int_equal(post_as(w, alice, "/v1/jobs", SHARED), 201);
    assert_int_equal(get_as(w, alice, "/v1/jobs/1"), 200);
    assert_int_equal(get_as(w, bob, "/v1/jobs/1"), 404);
    assert_int_equal(get_as(w, bob, "/v1/jobs/2"), 200);
    assert_int_equal(get_as(w, bob, "/v1/jobs"), 200);
    assert_int_equal(json_array_size(json_object_get(w->json, "tasks")), 1);
    assert_int_equal(get_as(w, bob, "/v1/jobs?user=alice&project=shared"), 200);
    assert_int_equal(json_array_size(json_object_get(w->json, "tasks")), 1);
    assert_int_equal(post_as(w, bob, "/v1/jobs/1/cancel", "{}"), 404);
    assert_int_equal(get_as(w, bob, "/v1/jobs/1/explain"), 404);
    assert_int_equal(get_as(w, bob, "/v1/jobs/1/attempts"), 404);
    assert_int_equal(get_as(w, bob, "/v1/jobs/1/events"), 404);
    assert_int_equal(get_as(w, bob, "/v1/jobs/1/logs/stdout"), 404);
    assert_int_equal(get_as(w, bob, "/v1/jobs/1/outputs"), 404);
    assert_int_equal(get_as(w, bob, "/v1/jobs/1/outputs/a"), 404);
    assert_int_equal(get_as(w, bob, "/v1/events?limit=1000"), 200);
    for (size_t i = 0; i < json_array_size(json_object_get(w->json, "events")); i++)
        assert_int_not_equal(json_integer_value(json_object_get(
                                 json_array_get(json_object_get(w->json, "events"), i), "job")),
                             1);
    assert_int_equal(post_as(w, bob, "/v1/jobs",
                             "{\"anyway\":true,\"jobs\":[{\"command\":[\"x\"],\"project\":"
                             "\"shared\",\"after\":[{\"job\":1}]}]}"),
                     422);
    assert_string_equal(field(w, "field"), "/jobs/0/after/0");
}

static void roles_are_kept_apart(void **state)
{
    struct world *w = *state;
    own_str char *user = new_token(w, "u", "user", "");
    own_str char *oper = new_token(w, "o", "operator", "");

    assert_int_equal(post(w, "/v1/jobs", ONE), 201);
    assert_int_equal(get_as(w, oper, "/v1/jobs/1"), 200);
    assert_int_equal(get_as(w, user, "/v1/tokens"), 403);
    assert_int_equal(get_as(w, oper, "/v1/tokens"), 403);
    assert_int_equal(post_as(w, user, "/v1/sites/x/disable", "{}"), 403);
    assert_int_equal(post_as(w, oper, "/v1/sites/x/disable", "{}"), 404);
    assert_int_equal(post_as(w, oper, "/v1/doctor", "{\"check\":true}"), 403);
    assert_int_equal(post_as(w, user, "/v1/agent/sync", "{}"), 401);
    assert_int_equal(get_as(w, user,
                            "/v1/blobs/"
                            "0000000000000000000000000000000000000000000000000000000000000"
                            "000"),
                     401);
}

static void a_revoked_token_is_refused_at_once(void **state)
{
    struct world *w = *state;
    own_str char *user = new_token(w, "u", "user", "");

    assert_int_equal(get_as(w, user, "/v1/jobs"), 200);
    assert_int_equal(ask(w, (struct ask){ .method = "DELETE", .path = "/v1/tokens/1" }), 200);
    assert_int_equal(get_as(w, user, "/v1/jobs"), 401);
    assert_non_null(strcasestr(buf_text(&w->head), "WWW-Authenticate: Bearer"));
    assert_int_equal(get_as(w, "nobody's", "/v1/jobs"), 401);
    assert_int_equal(ask(w, (struct ask){ .method = "GET",
                                          .path = "/v1/jobs",
                                          .header = "Authorization: Basic YTpi" }),
                     401);
}

static void who_fails_too_often_is_put_off(void **state)
{
    struct world *w = *state;
    long status = 401;

    for (int i = 0; i < 100 && status == 401; i++)
        status = get_as(w, "guess", "/v1/jobs");
    assert_int_equal(status, 429);
    assert_non_null(strcasestr(buf_text(&w->head), "Retry-After:"));
    /* Without a token the same user is served as ever. */
    assert_int_equal(get(w, "/v1/jobs"), 200);
}

static void tokens_are_checked(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"name\":\"a\"}",
        "{\"name\":\"a\",\"user\":\"\"}",
        "{\"name\":\"a\",\"user\":\"b\",\"role\":\"root\"}",
        "{\"name\":\"a\",\"user\":\"b\",\"projects\":\"p\"}",
        "{\"name\":\"a\",\"user\":\"b\",\"projects\":[\"p,q\"]}",
        "{\"name\":\"a\",\"user\":\"b\",\"expires\":\"yesterday\"}",
        "{\"name\":\"a\",\"user\":\"b\",\"expires\":\"2020-01-01T00:00:00Z\"}",
        "{\"name\":\"a\",\"user\":\"b\\nc\"}",
        "{\"name\":\"a\",\"user\":\"b\",\"rolle\":\"user\"}",
    };
    struct world *w = *state;

    for (size_t i = 0; i < array_len(bad); i++)
        if (post(w, "/v1/tokens", bad[i]) != 422)
            fail_msg("%s: %s", bad[i], buf_text(&w->body));
}

/* ---- files */

static long put(struct world *w, const char *who, const char *path, const char *data, size_t length)
{
    return ask(w,
               (struct ask){
                   .method = "PUT", .path = path, .token = who, .body = data, .length = length });
}

static void content_is_sent_in_pieces(void **state)
{
    struct world *w = *state;
    own_str char *other = new_token(w, "other", "user", "");
    static const char data[] = "the quick brown fox";
    own_str char *path = NULL, *first = NULL, *second = NULL;
    char hex[SHA256_HEX];

    sha256_hex_of(data, 19, hex);
    path = xasprintf("/v1/blobs/%s", hex);
    first = xasprintf("%s?offset=0&size=19", path);
    second = xasprintf("%s?offset=10&size=19", path);
    assert_int_equal(ask(w, (struct ask){ .method = "HEAD", .path = path }), 404);
    assert_non_null(strcasestr(buf_text(&w->head), "Upload-Offset: 0"));
    assert_int_equal(put(w, NULL, second, data + 10, 9), 409);
    assert_int_equal(number(w, NULL, "size"), 0);
    assert_int_equal(put(w, NULL, first, data, 10), 200);
    assert_int_equal(number(w, NULL, "size"), 10);
    assert_int_equal(put(w, NULL, first, data, 10), 409);
    assert_int_equal(number(w, NULL, "size"), 10);
    assert_int_equal(put(w, NULL, second, data + 10, 9), 201);
    assert_int_equal(put(w, NULL, first, data, 10), 201); /* hers already */
    assert_int_equal(ask(w, (struct ask){ .method = "HEAD", .path = path }), 200);
    /* Knowing the hash is not having the content. */
    assert_int_equal(ask(w, (struct ask){ .method = "HEAD", .path = path, .token = other }), 404);
}

static void content_that_is_something_else_is_refused(void **state)
{
    struct world *w = *state;
    own_str char *path = xasprintf("/v1/blobs/%064d?offset=0&size=4", 0);

    assert_int_equal(put(w, NULL, path, "fake", 4), 422);
    assert_int_equal(put(w, NULL, path, "faked", 5), 422);
    assert_int_equal(put(w, NULL, "/v1/blobs/xyz?offset=0&size=4", "fake", 4), 400);
    free(path);
    path = xasprintf("/v1/blobs/%064d?offset=0", 0);
    assert_int_equal(put(w, NULL, path, "fake", 4), 400);
    free(path);
    path = xasprintf("/v1/blobs/%064d?offset=0&size=9000000000000000000", 0);
    assert_int_equal(put(w, NULL, path, "fake", 4), 413);
}

/* ---- streams */

struct follower {
    struct world *w;
    pthread_t thread;
    int fd;
    struct buf seen;
    pthread_mutex_t lock; /* seen */
    atomic_bool ended;
};

static void *follow(void *arg)
{
    struct follower *f = arg;
    char piece[4096];
    ssize_t got;

    while ((got = recv(f->fd, piece, sizeof piece, 0)) > 0) {
        pthread_mutex_lock(&f->lock);
        buf_put(&f->seen, piece, (size_t)got);
        pthread_mutex_unlock(&f->lock);
    }
    atomic_store(&f->ended, true);
    return NULL;
}

static void follower_start(struct follower *f, struct world *w, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    own_str char *request = xasprintf("GET %s HTTP/1.1\r\nHost: s\r\n\r\n", path);

    *f = (struct follower){ .w = w, .seen = BUF_INIT(0) };
    pthread_mutex_init(&f->lock, NULL);
    f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", api_socket(w->api));
    assert_int_equal(connect(f->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(f->fd, request, strlen(request), 0), strlen(request));
    assert_int_equal(pthread_create(&f->thread, NULL, follow, f), 0);
}

static bool follower_sees(struct follower *f, const char *text)
{
    int64_t end = clock_mono_ms() + PATIENCE_MS;
    bool found = false;

    while (!found && clock_mono_ms() < end) {
        pthread_mutex_lock(&f->lock);
        found = strstr(buf_text(&f->seen), text) != NULL;
        pthread_mutex_unlock(&f->lock);
        if (!found)
            clock_sleep_ms(2);
    }
    return found;
}

static void follower_end(struct follower *f)
{
    shutdown(f->fd, SHUT_RDWR);
    pthread_join(f->thread, NULL);
    close(f->fd);
    buf_free(&f->seen);
    pthread_mutex_destroy(&f->lock);
}

static void events_come_as_they_happen(void **state)
{
    struct world *w = *state;
    struct follower f;

    follower_start(&f, w, "/v1/events?follow=1");
    assert_true(follower_sees(&f, "retry:"));
    assert_int_equal(post(w, "/v1/jobs", ONE), 201);
    assert_true(follower_sees(&f, "event: job.submitted"));
    assert_int_equal(post(w, "/v1/jobs/1/cancel", ""), 200);
    assert_true(follower_sees(&f, "event: job.ended"));
    follower_end(&f);
    /* From the start again: an id that was seen is where to go on. */
    follower_start(&f, w, "/v1/events?follow=1&after=0");
    assert_true(follower_sees(&f, "event: job.submitted"));
    assert_true(follower_sees(&f, "event: job.ended"));
    follower_end(&f);
}

static void a_log_that_will_never_come_ends(void **state)
{
    struct world *w = *state;
    struct follower f;

    assert_int_equal(post(w, "/v1/jobs", ONE), 201);
    assert_int_equal(get(w, "/v1/jobs/1/logs/stdout"), 200);
    assert_int_equal(w->body.length, 0);
    follower_start(&f, w, "/v1/jobs/1/logs/stdout?follow=1");
    assert_true(follower_sees(&f, "Spillway-Attempt: 0"));
    assert_int_equal(post(w, "/v1/jobs/1/cancel", ""), 200);
    assert_true(follower_sees(&f, "\r\n0\r\n"));
    follower_end(&f);
    assert_int_equal(get(w, "/v1/jobs/1/logs/stdlog"), 404);
    assert_int_equal(get(w, "/v1/jobs/1/logs/stdout?attempt=1"), 404);
}

static void a_stop_ends_the_streams(void **state)
{
    struct world *w = *state;
    struct follower f;
    int64_t end;

    follower_start(&f, w, "/v1/events?follow=1");
    assert_true(follower_sees(&f, "retry:"));
    stop(w);
    end = clock_mono_ms() + PATIENCE_MS;
    while (!atomic_load(&f.ended) && clock_mono_ms() < end)
        clock_sleep_ms(2);
    assert_true(atomic_load(&f.ended));
    follower_end(&f);
}

/* ---- strangers */

static void what_is_not_well_formed_is_400(void **state)
{
    static const char *const paths[] = {
        "/v1/jobs?stat=held", "/v1/jobs?limit=0",         "/v1/jobs?limit=x",   "/v1/jobs?all=2",
        "/v1/jobs?state=x",   "/v1/jobs?name=%00",        "/v1/jobs?name=%zz",  "/v1/jobs/%00",
        "/v1/jobs/1%0a2",     "/v1/jobs?limit=1&limit=2", "/v1/events?after=-1"
    };
    struct world *w = *state;

    for (size_t i = 0; i < array_len(paths); i++)
        if (get(w, paths[i]) != 400)
            fail_msg("%s: %s", paths[i], buf_text(&w->body));
    assert_int_equal(post(w, "/v1/jobs", "{"), 400);
    assert_int_equal(post(w, "/v1/jobs", "[]"), 400);
    assert_int_equal(post(w, "/v1/jobs", "{\"jobs\":1,\"jobs\":2}"), 400);
    assert_int_equal(post(w, "/v1/jobs", "{\"jobs\":[{\"name\":\"\xff\"}]}"), 400);
}

static void depth_and_size_are_bounded(void **state)
{
    own_buf struct buf deep = BUF_INIT(0), large = BUF_INIT(0);
    struct world *w = *state;

    for (int i = 0; i < 100000; i++)
        buf_putc(&deep, '[');
    assert_int_equal(post(w, "/v1/jobs", buf_text(&deep)), 400);
    for (int i = 0; i < 70000; i++)
        buf_putc(&large, ' ');
    assert_int_equal(post(w, "/v1/tokens", buf_text(&large)), 413);
    assert_int_equal(ask(w, (struct ask){ .method = "GET", .path = "/v1/jobs", .body = "x" }), 413);
    assert_int_equal(ask(w, (struct ask){ .method = "PATCH", .path = "/v1/jobs" }), 405);
    assert_int_equal(get(w, "/v1/../etc/passwd"), 404);
}

static void the_socket_appears_with_its_mode(void **state)
{
    struct world *w = *state;
    struct stat st;

    assert_int_equal(stat(api_socket(w->api), &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, w->conf.socket_mode);
    assert_null(api_pin(w->api));
    stop(w);
    assert_int_equal(stat(w->dir, &st), 0);
    start(w);
    assert_int_equal(get(w, "/healthz"), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_answers_before_anyone_is_known),
        TEST(jobs_are_queued_listed_and_changed),
        TEST(faults_name_their_field),
        TEST(what_can_never_run_is_refused),
        TEST(a_key_makes_it_safe_to_repeat),
        TEST(open_tasks_are_bounded),
        TEST(the_rate_of_a_user_can_change),
        TEST(many_jobs_in_one_body),
        TEST(a_user_sees_her_own_and_her_projects),
        TEST(roles_are_kept_apart),
        TEST(a_revoked_token_is_refused_at_once),
        TEST(who_fails_too_often_is_put_off),
        TEST(tokens_are_checked),
        TEST(content_is_sent_in_pieces),
        TEST(content_that_is_something_else_is_refused),
        TEST(events_come_as_they_happen),
        TEST(a_log_that_will_never_come_ends),
        TEST(a_stop_ends_the_streams),
        TEST(what_is_not_well_formed_is_400),
        TEST(depth_and_size_are_bounded),
        TEST(the_socket_appears_with_its_mode),
    };

    return run_all(tests, array_len(tests));
}
