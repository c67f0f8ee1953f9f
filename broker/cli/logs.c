/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - `spillway logs`: what a task wrote, or writes.
 *
 * Following survives a restart of the broker: each stream is opened again at the byte where it
 * broke. */
#include "cli/logs.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/task.h"
#include "cli/watch.h"

#define PUMP_MS     1000
#define PASSES_MOST 5   /* over the end of a log, should a broker that stops cut it short */
#define AGAIN_MS    500 /* between two looks at a stream that ended before its attempt */

static const char *const stream_names[2] = { "stdout", "stderr" };

static const struct option options[] = {
    { "follow", 'f', NULL, "go on until the task has ended", COMPLETES_NOTHING },
    { "stdout", 0, NULL, "only standard output", COMPLETES_NOTHING },
    { "stderr", 0, NULL, "only standard error", COMPLETES_NOTHING },
    { "attempt", 0, "N", "of the Nth attempt (default: the last)", COMPLETES_NOTHING },
    { "node", 0, "N", "of node N of a task with `nodes:` (default: 0)", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

/* Where the bytes of one stream go. */
struct outlet {
    struct cli *cli;
    const char *name;
    FILE *file;
    bool filtered; /* it is a terminal */
    struct log_filter filter;
    int64_t offset;
    struct buf held; /* with --json: the start of a character */
    int64_t attempt;
    size_t *listed; /* with --json: how many objects the one list has; NULL: a line each */
};

static void outlet_init(struct outlet *outlet, struct cli *cli, int stream, bool apart)
{
    *outlet = (struct outlet){ .cli = cli, .name = stream_names[stream], .file = stdout };
    outlet->filter = (struct log_filter)LOG_FILTER_INIT;
    if (stream == 1 && apart)
        outlet->file = stderr;
    outlet->filtered = outlet->file == stdout ? cli->term.out_is_tty : cli->term.err_is_tty;
}

static json_t *log_object(const struct outlet *outlet, int64_t start, size_t length)
{
    const char *data = outlet->held.data;
    json_t *object = json_pack("{s:s, s:I}", "stream", outlet->name, "offset", (json_int_t)start);

    if (outlet->attempt > 0)
        json_object_set_new(object, "attempt", json_integer(outlet->attempt));
    if (utf8_valid(data, length) && !memchr(data, '\0', length)) {
        json_object_set_new(object, "text", json_stringn(data, length));
    } else {
        own_buf struct buf text = BUF_INIT(0);

        buf_put_base64(&text, data, length);
        json_object_set_new(object, "base64", json_string(buf_text(&text)));
    }
    return object;
}

/* Up to three bytes at the end may belong to a character that goes on in the next piece. */
static size_t whole_characters(const char *data, size_t length)
{
    for (size_t cut = 0; cut < 4 && cut <= length; cut++)
        if (utf8_valid(data, length - cut))
            return length - cut;
    return length;
}

static void print_in_list(struct outlet *outlet, const json_t *object)
{
    own_str char *text = json_dumps(object, JSON_COMPACT);

    printf("%s%s", (*outlet->listed)++ ? ",\n" : "[", text);
}

static void put_json(struct outlet *outlet, const char *data, size_t length, bool last)
{
    own_json json_t *object = NULL;
    int64_t start = outlet->offset - (int64_t)outlet->held.length;
    size_t whole;

    buf_put(&outlet->held, data, length);
    outlet->offset += (int64_t)length;
    whole =
        last ? outlet->held.length : whole_characters(buf_text(&outlet->held), outlet->held.length);
    if (whole == 0)
        return;
    object = log_object(outlet, start, whole);
    if (outlet->listed)
        print_in_list(outlet, object);
    else
        print_json_line(object);
    buf_drop_front(&outlet->held, whole);
}

static void put_log(struct outlet *outlet, const char *data, size_t length)
{
    if (outlet->cli->json) {
        put_json(outlet, data, length, false);
        return;
    }
    outlet->offset += (int64_t)length;
    if (outlet->filtered) {
        own_buf struct buf text = BUF_INIT(0);

        log_filter_put(&outlet->filter, data, length, &text);
        fwrite(buf_text(&text), 1, text.length, outlet->file);
    } else {
        fwrite(data, 1, length, outlet->file);
    }
}

static void tell_cut(const char *id, const char *name, int64_t cut)
{
    if (cut > 0)
        warn("%s: %" PRId64 " bytes of its %s lie beyond the log limit and were not kept", id, cut,
             name);
}

/* ---- all there is now --------------------------------------------------------------------------
 */

static bool sink_log(void *arg, const char *data, size_t length)
{
    put_log(arg, data, length);
    return !ferror(stdout);
}

static void log_path(struct buf *path, const struct log_view *view, int stream, int64_t attempt)
{
    buf_printf(path, "/v1/jobs/%s/logs/%s", view->id, stream_names[stream]);
    if (attempt > 0)
        buf_printf(path, "?attempt=%" PRId64, attempt);
    if (view->node > 0)
        buf_printf(path, "%cnode=%" PRId64, attempt > 0 ? '&' : '?', view->node);
}

/* What there is of one stream; *size: how much that was. */
static int print_stream(struct cli *cli, const struct log_view *view, int stream, size_t *listed,
                        int64_t *size, struct err *err)
{
    own_reply struct reply reply = REPLY_INIT;
    own_buf struct buf path = BUF_INIT(0);
    struct outlet outlet;
    struct call call = { .sink = sink_log, .arg = &outlet };
    int rc;

    outlet_init(&outlet, cli, stream, view->apart);
    outlet.listed = listed;
    log_path(&path, view, stream, view->attempt);
    call.path = buf_text(&path);
    rc = client_call(cli->client, &call, &reply, err);
    if (rc == 0 && cli->json)
        put_json(&outlet, "", 0, true);
    buf_free(&outlet.held);
    if (rc < 0)
        return err_wrap(err, "%s", view->id);
    fflush(outlet.file);
    tell_cut(view->id, stream_names[stream], reply.log_cut);
    *size += outlet.offset;
    return 0;
}

/* Nothing was written: perhaps because nothing has run. */
static int tell_waiting(struct cli *cli, const struct log_view *view, struct err *err)
{
    own_json json_t *task = NULL;

    if (cli_get(cli, &task, err, "/v1/jobs/%s", view->id) < 0)
        return -1;
    if (field_int(task, "attempt") > 0)
        return 0;
    if (task_ended(task))
        warn("%s never ran; it is %s", view->id, field_text(task, "state"));
    else
        warn("%s has not started; it is %s (`spillway logs -f %s` waits)", view->id,
             field_text(task, "state"), view->id);
    return 0;
}

/* All there is now. */
static int logs_print(struct cli *cli, const struct log_view *view, struct err *err)
{
    struct client *client;
    size_t listed = 0;
    int64_t size = 0;
    int rc = 0;

    if (cli_client(cli, &client, err) < 0)
        return -1;
    for (int stream = 0; rc == 0 && stream < 2; stream++)
        if (view->wanted[stream])
            rc = print_stream(cli, view, stream, &listed, &size, err);
    if (cli->json && (rc == 0 || listed))
        puts(listed ? "]" : "[]");
    return rc < 0 || size ? rc : tell_waiting(cli, view, err);
}

/* ---- as it comes -------------------------------------------------------------------------------
 */

struct following {
    struct cli *cli;
    const struct log_view *view;
    int64_t attempt; /* being followed */
    struct outlet outlets[2];
    struct stream *streams[2]; /* NULL: not wanted, over, or to be opened again */
    bool over[2];
    int64_t sizes[2], cuts[2]; /* of the logs, when they were last opened */
    struct patience patience[2];
};

static void open_stream(struct following *following, int i)
{
    own_buf struct buf path = BUF_INIT(0);

    log_path(&path, following->view, i, following->attempt);
    buf_printf(&path, "%cfollow=1&offset=%" PRId64, strchr(buf_text(&path), '?') ? '&' : '?',
               following->outlets[i].offset);
    following->streams[i] = stream_open(following->cli->client, buf_text(&path), false, NULL);
}

static void drain_stream(struct following *following, int i)
{
    struct buf *data = stream_data(following->streams[i]);

    if (!stream_connected(following->streams[i]))
        return;
    patience_rest(&following->patience[i]);
    if (!data->length)
        return;
    put_log(&following->outlets[i], data->data, data->length);
    fflush(following->outlets[i].file);
    buf_clear(data);
}

/* -1: refused, or the broker is gone for good. */
static int settle_stream(struct following *following, int i, struct err *err)
{
    struct stream *stream = following->streams[i];
    enum stream_end end = stream_state(stream);
    int rc = 0;

    if (end == STREAM_OPEN)
        return 0;
    if (end == STREAM_ENDED) {
        following->over[i] = true;
        following->sizes[i] = stream_header(stream, "Spillway-Log-Size");
        following->cuts[i] = stream_header(stream, "Spillway-Log-Cut");
    } else {
        stream_fault(stream, err);
        if (end == STREAM_REFUSED || patience_lose(&following->patience[i], following->cli) < 0)
            rc = -1;
    }
    stream_close(stream);
    following->streams[i] = NULL;
    return rc;
}

static bool all_over(const struct following *following)
{
    return (following->over[0] || !following->view->wanted[0]) &&
           (following->over[1] || !following->view->wanted[1]);
}

static int follow_turn(struct following *following, struct err *err)
{
    int64_t wait = PUMP_MS;

    for (int i = 0; i < 2; i++) {
        if (!following->view->wanted[i] || following->over[i] || following->streams[i])
            continue;
        if (patience_due(&following->patience[i]))
            open_stream(following, i);
        else
            wait = patience_wait(&following->patience[i], wait);
    }
    streams_pump(following->cli->client, wait);
    for (int i = 0; i < 2; i++) {
        if (!following->streams[i])
            continue;
        drain_stream(following, i);
        if (settle_stream(following, i, err) < 0)
            return -1;
    }
    return 0;
}

/* 1: interrupted, and that is the end. */
static int see_interrupt(struct cli *cli, const struct log_view *view, struct err *err)
{
    if (!view->interrupt || !*view->interrupt)
        return 0;
    return view->on_interrupt ? view->on_interrupt(cli, view->id, err) : 1;
}

/* Both streams to their ends.  1: interrupted. */
static int follow_streams(struct following *following, struct err *err)
{
    const struct log_view *view = following->view;
    int rc = 0;

    following->over[0] = following->over[1] = false;
    while (rc == 0 && !all_over(following)) {
        rc = follow_turn(following, err);
        if (rc == 0)
            rc = see_interrupt(following->cli, view, err);
    }
    return rc;
}

static bool has_begun(void *arg, const json_t *task)
{
    return task_ended(task) || field_int(task, "attempt") > *(const int64_t *)arg;
}

/* Until a later attempt has begun, *last is its number, or the task has ended, *last is unchanged.
 * 1: the time is up, or interrupted. */
static int wait_beyond(struct cli *cli, const struct log_view *view, int64_t *last,
                       int64_t timeout_ms, struct err *err)
{
    int64_t known = *last;
    struct watch watch = { .ids = &view->id,
                           .count = 1,
                           .enough = has_begun,
                           .arg = &known,
                           .timeout_ms = timeout_ms,
                           .interrupt = view->interrupt };
    int rc = watch_tasks(cli, &watch, err);

    if (rc == 0 && field_int(watch.tasks[0], "attempt") > *last)
        *last = field_int(watch.tasks[0], "attempt");
    watch_free(&watch);
    return rc;
}

static bool all_read(const struct following *following)
{
    for (int i = 0; i < 2; i++)
        if (following->view->wanted[i] && following->outlets[i].offset < following->sizes[i])
            return false;
    return true;
}

/* One attempt, to its end; *attempt becomes the next one's number where there is one.  A stream
 * that ends while its attempt goes on was ended by a broker that stopped, so what counts is what is
 * read once the attempt is known to be over.  1: interrupted. */
static int follow_to_end(struct following *following, int64_t *attempt, struct err *err)
{
    const struct log_view *view = following->view;
    int rc = follow_streams(following, err);

    while (rc == 0 && (rc = wait_beyond(following->cli, view, attempt, AGAIN_MS, err)) == 1) {
        rc = see_interrupt(following->cli, view, err);
        if (rc == 0)
            rc = follow_streams(following, err);
    }
    for (int pass = 0; rc == 0 && pass < PASSES_MOST; pass++) {
        if (pass)
            clock_sleep_ms(AGAIN_MS);
        rc = follow_streams(following, err);
        if (all_read(following))
            break;
    }
    return rc;
}

static int follow_attempt(struct cli *cli, const struct log_view *view, int64_t *attempt,
                          struct err *err)
{
    struct following following = { .cli = cli, .view = view, .attempt = *attempt };
    int rc;

    for (int i = 0; i < 2; i++) {
        outlet_init(&following.outlets[i], cli, i, view->apart);
        following.outlets[i].attempt = *attempt;
        following.patience[i].was_there = true; /* we have just spoken with it */
    }
    rc = follow_to_end(&following, attempt, err);
    for (int i = 0; i < 2; i++) {
        tell_cut(view->id, stream_names[i], following.cuts[i]);
        if (cli->json && rc == 0)
            put_json(&following.outlets[i], "", 0, true);
        buf_free(&following.outlets[i].held);
        stream_close(following.streams[i]);
    }
    return rc;
}

int logs_follow(struct cli *cli, const struct log_view *view, struct err *err)
{
    int64_t attempt = view->attempt, last = 0;
    struct client *client;
    int rc = 0;

    if (cli_client(cli, &client, err) < 0)
        return -1;
    while (!attempt && (rc = wait_beyond(cli, view, &attempt, 0, err)) == 1)
        if ((rc = see_interrupt(cli, view, err)) != 0)
            break;
    while (rc == 0 && attempt > last) {
        last = attempt;
        rc = follow_attempt(cli, view, &attempt, err);
        if (view->attempt)
            break; /* that one only */
    }
    return rc;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    struct log_view view = { .id = args->words[0] };
    int rc;

    if (job_ids_check(args, err) < 0 ||
        args_i64(args, "attempt", 1, INT32_MAX, &view.attempt, err) < 0 ||
        args_i64(args, "node", 0, INT32_MAX, &view.node, err) < 0)
        return -1;
    view.wanted[0] = args_has(args, "stdout") || !args_has(args, "stderr");
    view.wanted[1] = args_has(args, "stderr") || !args_has(args, "stdout");
    view.apart = view.wanted[0] && !cli->json; /* asked for alone, it is what a pipe wants */
    rc = args_has(args, "follow") ? logs_follow(cli, &view, err) : logs_print(cli, &view, err);
    return rc < 0 ? -1 : EXIT_OK;
}

const struct command command_logs = {
    .name = "logs",
    .help = "what a task wrote, or writes",
    .synopsis = "[OPTIONS] ID",
    .text =
        "Prints what a task wrote to standard output, then what it wrote to standard error; with "
        "-f both as they come, through retries and restarts of the broker.  Into a pipe or a file "
        "every byte is passed on as it is; on a terminal, control sequences other than colours "
        "are not.\n\nWith --json, a list of objects: stream, offset, and text (or base64); with "
        "-f, one a line.",
    .options = options,
    .example = "spillway logs -f 12.7\n"
               "spillway logs --stdout 12 > result.txt",
    .exits = "0 done, 3 no such task or attempt",
    .words = COMPLETES_JOB,
    .words_least = 1,
    .words_most = 1,
    .run = run,
};
