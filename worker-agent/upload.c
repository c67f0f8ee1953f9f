/* SPDX-License-Identifier: Apache-2.0 */
/* upload.c - logs and outputs on their way to the broker.
 *
 * One request at a time for each attempt, in pieces, each at the offset that the broker has
 * reached: a cut connection costs a piece.  What the broker or the network cannot do now is tried
 * again, for hours if need be; what the broker refuses for good ends the matter. */
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "agent.h"
#include "backoff.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "outputs.h"
#include "spillway/wire.h"
#include "sync.h"
#include "url.h"

#define HASH_SLICE    (1024 * 1024) /* hashed in one turn of the loop */
#define MISMATCH_MOST 3

enum doing { DOING_NOTHING, DOING_LOG, DOING_HASH, DOING_HEAD, DOING_PUT };

struct upload {
    struct attempt *attempt;
    struct http_request request;
    enum doing doing;
    int log; /* of DOING_LOG */
    bool log_refused[2];
    bool final; /* the process has ended: go on to the report */
    bool collected;
    struct outputs outputs;
    size_t at;      /* the output at hand */
    int fd;         /* it, open; -1 */
    int64_t offset; /* hashed, then sent */
    struct digest digest;
    char hex[DIGEST_HEX];
    int mismatches;
    bool ask_first; /* the last try was cut: ask how far the broker is */
    struct later later;
    struct timer retry;
    struct backoff backoff;
};

static void go_on(struct upload *u);

static void upload_free(struct upload *u)
{
    if (u->doing == DOING_LOG || u->doing == DOING_HEAD || u->doing == DOING_PUT)
        http_cancel(&u->request);
    http_request_fini(&u->request);
    later_drop(&u->later);
    timer_clear(u->attempt->agent->loop, &u->retry);
    if (u->fd >= 0)
        close(u->fd);
    outputs_free(&u->outputs);
    u->attempt->upload = NULL;
    free(u);
}

void upload_stop(struct attempt *a)
{
    if (a->upload)
        upload_free(a->upload);
}

static void finish(struct upload *u)
{
    struct attempt *a = u->attempt;

    upload_free(u);
    lease_report(a);
}

/* Only what the job did well so far can fail by its outputs. */
static void stage_out(struct upload *u, const char *format, const char *what)
{
    struct attempt *a = u->attempt;

    if (a->reason == REASON_NONE) {
        char text[1200];

        snprintf(text, sizeof text, format, what);
        a->reason = REASON_STAGE_OUT;
        free(a->detail);
        a->detail = xstrdup(text);
    }
    finish(u);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void try_again(struct timer *timer)
{
    go_on(list_item(timer, struct upload, retry));
}

static void wait_then_retry(struct upload *u)
{
    int64_t wait = backoff_next_ms(&u->backoff);

    if (u->request.retry_ms > wait)
        wait = u->request.retry_ms;
    if (u->backoff.tries == 3)
        log_warn("attempt %" PRId64 ": upload: %s (status %d); goes on trying", u->attempt->id,
                 u->request.err.text, u->request.status);
    u->ask_first = true;
    timer_set(u->attempt->agent->loop, &u->retry, clock_mono_ms() + wait);
}

static bool is_passing(int status)
{
    return status == 0 || status == 408 || status == 429 || status >= 500;
}

/* {"size": N} of an answer; -1: it has none. */
static int64_t answered_size(const struct http_request *request)
{
    own_json json_t *answer = json_parse(buf_text(&request->answer), request->answer.length, NULL);
    int64_t size = -1;

    if (json_opt_i64(answer, "size", 0, INT64_MAX, &size, NULL) < 0)
        return -1;
    return size;
}

static void begin(struct upload *u, enum doing doing, const char *method, char *target,
                  void (*done)(struct http_request *))
{
    struct agent *agent = u->attempt->agent;

    http_request_fini(&u->request);
    http_request_init(&u->request, method, target);
    u->request.token = agent->boot.session;
    u->request.done = done;
    u->doing = doing;
}

/* ---- logs ------------------------------------------------------------------------------------ */

static void log_sent(struct http_request *request)
{
    struct upload *u = list_item(request, struct upload, request);
    struct joblog *log = &u->attempt->logs[u->log];
    int64_t size = answered_size(request);

    u->doing = DOING_NOTHING;
    if (is_passing(request->status)) {
        wait_then_retry(u);
        return;
    }
    if ((request->status == 200 || request->status == 201 || request->status == 409) && size >= 0) {
        log->sent = size < log->size ? size : log->size;
        if (request->status == 409 && ++u->mismatches > 100) /* two minds about one log */
            u->log_refused[u->log] = true;
        if (request->status != 409)
            backoff_reset(&u->backoff);
    } else {
        log_warn("attempt %" PRId64 ": the broker refuses its log (status %d)", u->attempt->id,
                 request->status);
        u->log_refused[u->log] = true;
    }
    go_on(u);
}

static void send_log(struct upload *u, int which)
{
    struct joblog *log = &u->attempt->logs[which];
    int64_t length = log->size - log->sent;

    if (length > WIRE_PIECE_MOST)
        length = WIRE_PIECE_MOST;
    u->log = which;
    begin(u, DOING_LOG, "PUT",
          xasprintf("/v1/attempts/%" PRId64 "/log/%s?offset=%" PRId64, u->attempt->id,
                    which ? "stderr" : "stdout", log->sent),
          log_sent);
    u->request.type = "application/octet-stream";
    if (log->file_fd >= 0) {
        u->request.body_fd = log->file_fd;
        u->request.body_at = log->sent;
        u->request.body_length = length;
    } else {
        buf_put(&u->request.body, log->head.data + log->sent, (size_t)length);
    }
    http_send(u->attempt->agent->bulk, &u->request);
}

/* While it runs, all of it, so that it can be followed; at the end a short one goes with the
 * report. */
static bool log_is_due(const struct upload *u, int which)
{
    const struct joblog *log = &u->attempt->logs[which];

    return log->sent < log->size && !u->log_refused[which] &&
           (!u->final || log->size > WIRE_LOG_INLINE);
}

/* ---- outputs --------------------------------------------------------------------------------- */

static int collect(struct upload *u, struct err *err)
{
    const json_t *list = json_object_get(u->attempt->lease, "outputs"), *item;
    size_t count = json_array_size(list), i;
    own_mem const char **patterns = xcalloc(count + 1, sizeof *patterns);

    json_array_foreach(list, i, item)
    {
        patterns[i] = json_string_value(item);
    }
    u->collected = true;
    return count ? outputs_find(u->attempt->place->job.fd, patterns, count, u->attempt->output_most,
                                &u->outputs, err)
                 : 0;
}

static char *output_target(const struct upload *u, bool query)
{
    const struct output *output = &u->outputs.list[u->at];
    own_buf struct buf target = BUF_INIT(8192);

    buf_printf(&target, "/v1/attempts/%" PRId64 "/outputs/", u->attempt->id);
    url_put_path(&target, output->path);
    if (query)
        buf_printf(&target, "?offset=%" PRId64 "&size=%" PRId64 "&sha256=%s", u->offset,
                   output->size, u->hex);
    return buf_take(&target);
}

static void next_output(struct upload *u)
{
    const struct output *output = &u->outputs.list[u->at];
    struct attempt *a = u->attempt;

    if (!a->outputs)
        a->outputs = json_array();
    json_array_append_new(a->outputs, json_pack("{s:s, s:I, s:s, s:i}", "path", output->path,
                                                "size", (json_int_t)output->size, "sha256", u->hex,
                                                "mode", output->mode));
    close(take_fd(&u->fd));
    u->at++;
    u->mismatches = 0;
}

/* Read again from the start: the broker's copy and ours do not agree. */
static void rehash(struct upload *u)
{
    u->offset = 0;
    u->hex[0] = '\0';
    digest_init(&u->digest);
}

static void piece_sent(struct http_request *request)
{
    struct upload *u = list_item(request, struct upload, request);
    const struct output *output = &u->outputs.list[u->at];
    int64_t size = answered_size(request);
    char text[64];

    u->doing = DOING_NOTHING;
    if (request->status == 201) {
        backoff_reset(&u->backoff);
        next_output(u);
    } else if (is_passing(request->status)) {
        wait_then_retry(u);
        return;
    } else if (request->status == 422 && ++u->mismatches < MISMATCH_MOST) {
        rehash(u);
    } else if ((request->status == 200 || request->status == 409) && size >= 0 &&
               size <= output->size && ++u->mismatches < 1000000) {
        if (size != u->offset)
            backoff_reset(&u->backoff);
        u->offset = size;
    } else {
        snprintf(text, sizeof text, "status %d", request->status);
        log_warn("attempt %" PRId64 ": %s: the broker refuses the output (%s): %.200s",
                 u->attempt->id, output->path, text, buf_text(&request->answer));
        stage_out(u, "the broker refused an output: %s", output->path);
        return;
    }
    go_on(u);
}

static void offset_known(struct http_request *request)
{
    struct upload *u = list_item(request, struct upload, request);
    const struct output *output = &u->outputs.list[u->at];

    u->doing = DOING_NOTHING;
    if (is_passing(request->status)) {
        wait_then_retry(u);
        return;
    }
    u->ask_first = false;
    u->offset = request->offset >= 0 && request->offset <= output->size ? request->offset : 0;
    go_on(u);
}

static void send_piece(struct upload *u)
{
    const struct output *output = &u->outputs.list[u->at];
    int64_t length = output->size - u->offset;

    begin(u, DOING_PUT, "PUT", output_target(u, true), piece_sent);
    u->request.type = "application/octet-stream";
    u->request.body_fd = u->fd;
    u->request.body_at = u->offset;
    u->request.body_length = length > WIRE_PIECE_MOST ? WIRE_PIECE_MOST : length;
    http_send(u->attempt->agent->bulk, &u->request);
}

static void hash_some(struct later *later)
{
    struct upload *u = list_item(later, struct upload, later);
    static char data[HASH_SLICE];
    ssize_t got = pread(u->fd, data, sizeof data, u->offset);

    u->doing = DOING_NOTHING;
    if (got < 0) {
        stage_out(u, "an output cannot be read: %s", u->outputs.list[u->at].path);
        return;
    }
    digest_add(&u->digest, data, (size_t)got);
    u->offset += got;
    if (got == 0) { /* its end, wherever that is now */
        u->outputs.list[u->at].size = u->offset;
        digest_hex(&u->digest, u->hex);
        u->offset = 0;
    }
    go_on(u);
}

/* The next step for the output at hand. */
static void step_output(struct upload *u)
{
    const struct output *output = &u->outputs.list[u->at];

    if (u->fd < 0) {
        u->fd = outputs_open(u->attempt->place->job.fd, output->path);
        if (u->fd < 0) {
            stage_out(u, "an output cannot be opened: %s", output->path);
            return;
        }
        rehash(u);
    }
    if (!u->hex[0]) {
        u->doing = DOING_HASH;
        later_ask(u->attempt->agent->loop, &u->later);
    } else if (u->ask_first) {
        begin(u, DOING_HEAD, "HEAD", output_target(u, false), offset_known);
        http_send(u->attempt->agent->bulk, &u->request);
    } else {
        send_piece(u);
    }
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool wants_outputs(const struct attempt *a)
{
    return json_array_size(json_object_get(a->lease, "outputs")) && a->reason != REASON_CANCELLED &&
           a->reason != REASON_PREEMPTED && a->reason != REASON_LOST && a->reason != REASON_IMAGE;
}

static void go_on(struct upload *u)
{
    struct err err = ERR_INIT;

    if (u->doing != DOING_NOTHING || u->retry.slot)
        return;
    for (int i = 0; i < 2; i++)
        if (log_is_due(u, i)) {
            send_log(u, i);
            return;
        }
    if (!u->final)
        return;
    if (!u->collected && wants_outputs(u->attempt) && collect(u, &err) < 0) {
        stage_out(u, "%s", err.text);
        return;
    }
    if (u->at < u->outputs.count) {
        step_output(u);
        return;
    }
    if (u->outputs.unmatched && u->attempt->reason == REASON_NONE)
        stage_out(u, "no file matches the output pattern '%s'", u->outputs.unmatched);
    else
        finish(u);
}

static struct upload *upload_of(struct attempt *a)
{
    struct upload *u = a->upload;

    if (u)
        return u;
    u = xcalloc(1, sizeof *u);
    u->attempt = a;
    u->fd = -1;
    u->later.run = hash_some;
    u->retry.fire = try_again;
    u->backoff = (struct backoff){ .first_ms = 200, .most_ms = 30000 };
    http_request_init(&u->request, "PUT", NULL);
    a->upload = u;
    return u;
}

void upload_logs(struct attempt *a)
{
    if (a->logs[0].sent < a->logs[0].size || a->logs[1].sent < a->logs[1].size)
        go_on(upload_of(a));
}

void upload_start(struct attempt *a)
{
    if (!a->upload && a->logs[0].size <= WIRE_LOG_INLINE && a->logs[1].size <= WIRE_LOG_INLINE &&
        !wants_outputs(a)) {
        lease_report(a);
        return;
    }
    a->say_completing = true;
    sync_say(a);
    upload_of(a)->final = true;
    go_on(a->upload);
}
