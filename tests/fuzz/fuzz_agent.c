/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_agent.c - what a broker, or who sits between it and a worker, may send to an agent.
 *
 * The first byte chooses: bytes of an HTTP answer, the body of a sync's answer with the leases in
 * it, a boot payload. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../worker-agent/answer.h"
#include "../../worker-agent/attempt.h"
#include "../../worker-agent/boot.h"
#include "../../worker-agent/http.h"
#include "base/buf.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- HTTP ------------------------------------------------------------------------------------ */

static struct loop *loop;
static bool done;

static void on_done(struct http_request *request)
{
    (void)request;
    done = true;
    loop_stop(loop);
}

static void no_turn(void *arg)
{
    (void)arg;
}

static int listen_on(struct server *server)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/spillway-fuzz-agent.%d",
             (int)getpid());
    unlink(address.sun_path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0)
        abort();
    server->url =
        (struct url){ .scheme = URL_UNIX, .host = xstrdup(address.sun_path), .target = "" };
    return fd;
}

static void fuzz_http(const uint8_t *data, size_t size)
{
    static struct server server;
    static int listen_fd = -1;
    struct http_request request;
    struct http *http;
    int fd;

    if (listen_fd < 0)
        listen_fd = listen_on(&server);
    loop = loop_new(NULL);
    http = http_new(loop, NULL, &server, 1);
    http_request_init(&request, size & 1 ? "GET" : "HEAD", xstrdup("/"));
    request.done = on_done;
    request.answer_most = 4096;
    done = false;
    http_send(http, &request);
    fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    (void)!write(fd, data, size);
    shutdown(fd, SHUT_WR);
    loop_run(loop, no_turn, NULL);
    close(fd);
    if (!done || (request.status == 0 && !request.err.text[0]))
        abort(); /* ended without a word */
    http_request_fini(&request);
    http_free(http);
    loop_free(loop);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* A lease that is taken has a report that the broker can read. */
static void fuzz_lease(json_t *lease)
{
    struct err err = ERR_INIT;
    struct attempt *a = attempt_from_lease(NULL, lease, &err);
    own_str char *report = NULL;

    if (!a) {
        if (!err.text[0])
            abort();
        return;
    }
    a->reason = REASON_USER_EXIT;
    a->detail = xstrdup(a->task);
    report = attempt_report(a);
    json_decref(json_parse(report, strlen(report), &err));
    if (err.fault)
        abort();
    attempt_free(a);
}

static void fuzz_answer(const uint8_t *data, size_t size)
{
    own_answer struct answer answer = { .root = NULL };
    struct err err = ERR_INIT;
    json_t *lease;
    size_t i;

    if (answer_parse((const char *)data, size, &answer, &err) < 0) {
        if (!err.text[0])
            abort();
        return;
    }
    json_array_foreach(answer.leases, i, lease)
    {
        if (lease_id(lease))
            fuzz_lease(lease);
    }
}

static void fuzz_boot(const uint8_t *data, size_t size)
{
    own_boot struct boot boot = BOOT_INIT;
    struct err err = ERR_INIT;

    if (boot_parse((const char *)data, size, &boot, &err) < 0 && !err.text[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 60000)
        return 0;
    switch (data[0] % 3) {
    case 0:
        fuzz_http(data + 1, size - 1);
        break;
    case 1:
        fuzz_answer(data + 1, size - 1);
        break;
    default:
        fuzz_boot(data + 1, size - 1);
    }
    return 0;
}
