/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent.c - what agents may do over the API, and what not: another worker's attempts. */
#include "world.h"

#include <fcntl.h>

#include "spillway/wire.h"

/* A worker of ours that has joined; returns its session. */
struct agent {
    int64_t id;
    char name[96], session[128];
};

static void join(struct world *w, struct agent *agent, const char *secret)
{
    struct new_worker worker = { .site = "nowhere", .shape = "any", .name_stem = "test" };
    own_str char *body = NULL;
    struct err err = ERR_INIT;

    sha256_of(secret, strlen(secret), worker.join_hash);
    if (store_worker_add(broker_store(w->broker), &worker, &err) < 0)
        fail_msg("%s", err.text);
    agent->id = worker.id;
    snprintf(agent->name, sizeof agent->name, "%s", worker.name);
    body = xasprintf("{\"worker\":\"%s\",\"token\":\"%s\",\"version\":\"0\",\"nonce\":\"%032d\","
                     "\"facts\":{\"cpus\":4,\"memory_bytes\":1000000000}}",
                     worker.name, secret, 0);
    if (post(w, "/v1/agent/join", body) != 200)
        fail_msg("join: %s", buf_text(&w->body));
    snprintf(agent->session, sizeof agent->session, "%s", field(w, "session"));
}

/* A job, with one input, leased to the agent: the attempt's id. */
static int64_t lease(struct world *w, const struct agent *agent, const char *sha256)
{
    own_str char *body = xasprintf("{\"anyway\":true,\"jobs\":[{\"command\":[\"true\"],\"inputs\":["
                                   "{\"from\":\"a\",\"to\":\"a\","
                                   "\"sha256\":\"%s\"}]}]}",
                                   sha256);
    struct lease lease = { .worker = agent->id };
    struct err err = ERR_INIT;

    if (post(w, "/v1/jobs", body) != 201)
        fail_msg("submit: %s", buf_text(&w->body));
    lease.job = number(w, "jobs", "id");
    if (store_lease(broker_store(w->broker), &lease, 1, &err) < 0 || !lease.attempt)
        fail_msg("lease: %s", err.text);
    return lease.attempt;
}

static void upload(struct world *w, const char *text, char hex[SHA256_HEX])
{
    own_str char *path = NULL;

    sha256_hex_of(text, strlen(text), hex);
    path = xasprintf("/v1/blobs/%s?size=%zu", hex, strlen(text));
    assert_int_equal(ask(w, (struct ask){ .method = "PUT", .path = path, .body = text }), 201);
}

static long call(struct world *w, const struct agent *agent, const char *method, const char *body,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
static long call(struct world *w, const struct agent *agent, const char *method, const char *body,
                 const char *format, ...)
{
    own_str char *path = NULL;
    va_list args;

    va_start(args, format);
    assert_true(vasprintf(&path, format, args) > 0);
    va_end(args);
    return ask(
        w, (struct ask){ .method = method, .path = path, .body = body, .token = agent->session });
}

/* The agent's program lies beside the daemon's, here beside the test's. */
static char *lay_program(const char *suffix, const char *text)
{
    char self[400] = "";
    struct err err = ERR_INIT;
    char *path;

    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    *strrchr(self, '/') = '\0';
    path = xasprintf("%s/spillway-agent%s", self, suffix);
    if (io_replace_file(path, 0755, text, strlen(text), &err) < 0)
        fail_msg("%s", err.text);
    return path;
}

static void the_program_is_for_who_may_join(void **state)
{
    own_str char *plain = lay_program("", "this machine's");
    own_str char *other = lay_program("-riscv64", "another's");
    struct world *w = *state;
    struct new_worker worker = { .site = "nowhere", .shape = "any", .name_stem = "boots" };
    own_str char *user = new_token(w, "alice", "user", "");
    struct ask fetch = { .method = "GET", .path = "/v1/agent/binary/riscv64", .token = "join-me" };
    char hex[SHA256_HEX];
    struct agent a;

    sha256_of("join-me", 7, worker.join_hash);
    assert_int_equal(store_worker_add(broker_store(w->broker), &worker, NULL), 0);
    for (int again = 0; again < 2; again++) { /* it is not used up */
        assert_int_equal(ask(w, fetch), 200);
        assert_string_equal(buf_text(&w->body), "another's");
        sha256_hex_of("another's", 9, hex);
        assert_non_null(strstr(buf_text(&w->head), hex));
    }
    fetch.header = "Range: bytes=2-4";
    assert_int_equal(ask(w, fetch), 206);
    assert_string_equal(buf_text(&w->body), "oth");
    assert_int_equal(get_as(w, "join-me", "/v1/agent/binary/vax"), 404);
    assert_int_equal(get_as(w, "join-me", "/v1/agent/binary/..%2fspillwayd"), 404);
    assert_int_equal(get(w, "/v1/agent/program"), 200);
    assert_string_equal(buf_text(&w->body), "this machine's");

    assert_int_equal(get(w, "/v1/agent/binary/riscv64"), 403);
    assert_int_equal(get_as(w, "join-us", "/v1/agent/binary/riscv64"), 403);
    assert_int_equal(get_as(w, user, "/v1/agent/binary/riscv64"), 403);
    join(w, &a, "join-then");
    assert_int_equal(get_as(w, "join-then", "/v1/agent/binary/riscv64"), 403);
    assert_int_equal(get_as(w, a.session, "/v1/agent/binary/riscv64"), 200);
    unlink(plain);
    unlink(other);
}

struct stalled {
    struct world world; /* a client of its own */
    const struct agent *agent;
    int64_t attempt;
};

static void *send_into_stall(void *arg)
{
    struct stalled *stalled = arg;

    call(&stalled->world, stalled->agent, "PUT", "held",
         "/v1/attempts/%" PRId64 "/log/stdout?offset=0", stalled->attempt);
    return NULL;
}

/* A pipe that nobody reads stands for a disk that does not answer: whoever opens it waits. */
static void a_stalled_disk_holds_nobody_else(void **state)
{
    struct world *w = *state;
    struct stalled stalled = { .world = { .broker = w->broker } };
    own_str char *folder = NULL, *path = NULL;
    own_fd int reader = -1;
    pthread_t thread;
    char hex[SHA256_HEX];
    struct agent a;

    stop(w);
    w->conf.http.threads = 1;
    start(w);
    join(w, &a, "secret-a");
    upload(w, "input", hex);
    stalled.agent = &a;
    stalled.attempt = lease(w, &a, hex);
    stalled.world.api = w->api;
    stalled.world.curl = curl_easy_init();
    folder = xasprintf("%s/logs/%" PRId64, w->dir, stalled.attempt / 1000);
    path = xasprintf("%s/%" PRId64 ".0", folder, stalled.attempt);
    mkdir(folder, 0700);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pthread_create(&thread, NULL, send_into_stall, &stalled), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(get(w, "/healthz"), 200);
        usleep(30000);
    }
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    pthread_join(thread, NULL);
    curl_easy_cleanup(stalled.world.curl);
    buf_free(&stalled.world.head);
    buf_free(&stalled.world.body);
    json_decref(stalled.world.json);
}

static void logs_go_on_where_they_stopped(void **state)
{
    struct world *w = *state;
    char hex[SHA256_HEX];
    struct agent a;
    int64_t attempt;

    join(w, &a, "secret-a");
    upload(w, "input", hex);
    attempt = lease(w, &a, hex);
    assert_int_equal(
        call(w, &a, "PUT", "hello ", "/v1/attempts/%" PRId64 "/log/stdout?offset=0", attempt), 200);
    assert_int_equal(number(w, NULL, "size"), 6);
    assert_int_equal(
        call(w, &a, "PUT", "world", "/v1/attempts/%" PRId64 "/log/stdout?offset=0", attempt), 409);
    assert_int_equal(number(w, NULL, "size"), 6);
    assert_int_equal(
        call(w, &a, "PUT", "world", "/v1/attempts/%" PRId64 "/log/stdout?offset=6", attempt), 200);
    assert_int_equal(get(w, "/v1/jobs/1/logs/stdout"), 200);
    assert_string_equal(buf_text(&w->body), "hello world");
    assert_int_equal(get(w, "/v1/jobs/1/logs/stdout?offset=6"), 200);
    assert_string_equal(buf_text(&w->body), "world");
    assert_non_null(strcasestr(buf_text(&w->head), "Spillway-Attempt: 1"));
    assert_int_equal(call(w, &a, "PUT", "x", "/v1/attempts/%" PRId64 "/log/other", attempt), 404);
}

static void another_workers_attempt_is_out_of_reach(void **state)
{
    struct world *w = *state;
    char mine[SHA256_HEX], hers[SHA256_HEX];
    struct agent a, b;
    int64_t of_a, of_b;

    join(w, &a, "secret-a");
    join(w, &b, "secret-b");
    upload(w, "of a", mine);
    upload(w, "of b", hers);
    of_a = lease(w, &a, mine);
    of_b = lease(w, &b, hers);
    assert_int_equal(call(w, &b, "PUT", "x", "/v1/attempts/%" PRId64 "/log/stdout?offset=0", of_a),
                     403);
    assert_int_equal(call(w, &b, "PUT", "x",
                          "/v1/attempts/%" PRId64 "/outputs/f?offset=0&size=1&sha256=%s", of_a,
                          mine),
                     403);
    assert_int_equal(call(w, &b, "HEAD", NULL, "/v1/attempts/%" PRId64 "/outputs/f", of_a), 403);
    assert_int_equal(call(w, &b, "GET", NULL, "/v1/blobs/%s", mine), 403);
    assert_int_equal(call(w, &b, "PUT", "x", "/v1/attempts/999999/log/stdout?offset=0"), 403);
    assert_int_equal(call(w, &b, "GET", NULL, "/v1/blobs/%s", hers), 200);
    assert_string_equal(buf_text(&w->body), "of b");
    assert_int_equal(call(w, &b, "PUT", "x", "/v1/attempts/%" PRId64 "/log/stdout?offset=0", of_b),
                     200);
}

/* A session is no user's token, and a user's token no session. */
static void sessions_and_tokens_are_not_the_same(void **state)
{
    struct world *w = *state;
    own_str char *user = new_token(w, "u", "admin", "");
    struct agent a;

    join(w, &a, "secret-a");
    assert_int_equal(get_as(w, a.session, "/v1/jobs"), 401);
    assert_int_equal(get_as(w, a.session, "/v1/tokens"), 401);
    assert_int_equal(post_as(w, user, "/v1/agent/sync", "{}"), 401);
    assert_int_equal(post(w, "/v1/agent/sync", "{}"), 401);
}

static void a_join_token_works_once(void **state)
{
    struct world *w = *state;
    own_str char *again = NULL;
    struct agent a;

    join(w, &a, "secret-a");
    again = xasprintf("{\"worker\":\"%s\",\"token\":\"secret-a\",\"version\":\"0\",\"nonce\":"
                      "\"%032d\",\"facts\":{}}",
                      a.name, 7);
    assert_int_equal(post(w, "/v1/agent/join", again), 401);
    assert_int_equal(post(w, "/v1/agent/join", "{\"worker\":\"nobody\",\"token\":\"x\"}"), 401);
    assert_int_equal(post(w, "/v1/agent/join", "{}"), 422);
    assert_int_equal(post(w, "/v1/agent/join", "{"), 400);
    for (int i = 0; i < 100 && w->json; i++)
        if (post(w, "/v1/agent/join", again) == 429)
            return;
    fail_msg("guessing goes on for ever");
}

static void outputs_are_resumable_and_verified(void **state)
{
    struct world *w = *state;
    char hex[SHA256_HEX], input[SHA256_HEX];
    struct agent a;
    int64_t attempt;

    join(w, &a, "secret-a");
    upload(w, "input", input);
    attempt = lease(w, &a, input);
    sha256_hex_of("0123456789", 10, hex);
#define OUTPUT "/v1/attempts/%" PRId64 "/outputs/results/a%%20b.txt?offset=%d&size=10&sha256=%s"
    assert_int_equal(call(w, &a, "PUT", "01234", OUTPUT, attempt, 0, hex), 200);
    assert_int_equal(call(w, &a, "HEAD", NULL,
                          "/v1/attempts/%" PRId64 "/outputs/results/a%%20b.txt?sha256=%s", attempt,
                          hex),
                     200);
    assert_non_null(strcasestr(buf_text(&w->head), "Upload-Offset: 5"));
    assert_int_equal(call(w, &a, "PUT", "x", OUTPUT, attempt, 0, hex), 409);
    assert_int_equal(call(w, &a, "PUT", "56789", OUTPUT, attempt, 5, hex), 201);
    assert_int_equal(call(w, &a, "PUT", "0", OUTPUT, attempt, 0, hex), 201);
    sha256_hex_of("something else", 14, hex);
    assert_int_equal(call(w, &a, "PUT", "0123456789", OUTPUT, attempt, 0, hex), 422);
#undef OUTPUT
}

static void outputs_stay_below_the_job(void **state)
{
    static const char *const bad[] = { "..%2Fx", "a/../b", "%2Fetc%2Fpasswd", "a//b",       "./a",
                                       "a%00b",  "a%0ab",  "%2e%2e",          "a/%2e%2e/b", "a/" };
    struct world *w = *state;
    char input[SHA256_HEX];
    struct agent a;
    int64_t attempt;

    join(w, &a, "secret-a");
    upload(w, "input", input);
    attempt = lease(w, &a, input);
    for (size_t i = 0; i < array_len(bad); i++)
        if (call(w, &a, "PUT", "x", "/v1/attempts/%" PRId64 "/outputs/%s?offset=0&size=1&sha256=%s",
                 attempt, bad[i], input) != 400)
            fail_msg("%s: %s", bad[i], buf_text(&w->body));
}

static void a_sync_that_has_nothing_waits(void **state)
{
    struct world *w = *state;
    struct agent a;
    int64_t began;

    join(w, &a, "secret-a");
    assert_int_equal(post_as(w, a.session, "/v1/agent/sync",
                             "{\"epoch\":\"\",\"ack\":0,\"wait_ms\":0,\"held\":[]}"),
                     200);
    assert_true(strlen(field(w, "epoch")) > 0);
    began = clock_mono_ms();
    {
        own_str char *body =
            xasprintf("{\"epoch\":\"%s\",\"ack\":0,\"wait_ms\":200}", field(w, "epoch"));

        assert_int_equal(post_as(w, a.session, "/v1/agent/sync", body), 200);
    }
    assert_true(clock_mono_ms() - began >= 150);
}

/* It hangs up in the middle of a long poll: nothing is left behind, and a stop does not wait for
 * it. */
static void an_agent_that_hangs_up_is_forgotten(void **state)
{
    struct world *w = *state;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    own_str char *request = NULL, *body = NULL;
    struct agent a;
    int64_t began;

    join(w, &a, "secret-a");
    post_as(w, a.session, "/v1/agent/sync", "{\"epoch\":\"\",\"ack\":0,\"wait_ms\":0,\"held\":[]}");
    body = xasprintf("{\"epoch\":\"%s\",\"ack\":0,\"wait_ms\":60000}", field(w, "epoch"));
    request = xasprintf("POST /v1/agent/sync HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer %s\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        a.session, strlen(body), body);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", api_socket(w->api));
    for (int i = 0; i < 20; i++) {
        own_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
        if (i % 2)
            clock_sleep_ms(5);
    }
    assert_int_equal(get(w, "/healthz"), 200);
    began = clock_mono_ms();
    stop(w);
    assert_true(clock_mono_ms() - began < 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_program_is_for_who_may_join),      TEST(a_stalled_disk_holds_nobody_else),
        TEST(logs_go_on_where_they_stopped),        TEST(another_workers_attempt_is_out_of_reach),
        TEST(sessions_and_tokens_are_not_the_same), TEST(a_join_token_works_once),
        TEST(outputs_are_resumable_and_verified),   TEST(outputs_stay_below_the_job),
        TEST(a_sync_that_has_nothing_waits),        TEST(an_agent_that_hangs_up_is_forgotten),
    };

    return run_all(tests, array_len(tests));
}
