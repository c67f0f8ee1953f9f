/* SPDX-License-Identifier: Apache-2.0 */
/* follow.c - events as they happen, through restarts of the broker. */
#include "cli/follow.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/sse.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MOST_MS  5000
#define STEADY_MS        2000

void patience_rest(struct patience *patience)
{
    patience->was_there = true;
    patience->since_ms = 0;
    patience->told = false;
    if (clock_mono_ms() - patience->next_ms >
        STEADY_MS) /* not one that answers and breaks at once */
        patience->tries = 0;
}

int patience_lose(struct patience *patience, struct cli *cli)
{
    int64_t now = clock_mono_ms();
    int64_t wait = BACKOFF_FIRST_MS << (patience->tries < 6 ? patience->tries : 6);
    unsigned char jitter;

    if (!patience->was_there)
        return -1;
    if (!patience->since_ms)
        patience->since_ms = now;
    if (now - patience->since_ms > FOLLOW_PATIENCE_MS)
        return -1;
    if (patience->tries++ == 4 && !patience->told) {
        progress_end(&cli->term);
        warn("the broker does not answer; waiting for it to come back");
        patience->told = true;
    }
    io_random(&jitter, 1);
    wait = wait < BACKOFF_MOST_MS ? wait : BACKOFF_MOST_MS;
    patience->next_ms = now + wait + wait * jitter / 1024;
    return 0;
}

int64_t patience_wait(const struct patience *patience, int64_t most)
{
    int64_t left = patience->next_ms - clock_mono_ms();

    return left < 0 ? 0 : left < most ? left : most;
}

bool patience_due(const struct patience *patience)
{
    return clock_mono_ms() >= patience->next_ms;
}

struct follower {
    struct cli *cli;
    char *path;
    struct stream *stream; /* NULL: to be opened again */
    struct sse_event event;
    struct patience patience;
};

struct follower *follower_open(struct cli *cli, const char *path, const char *after)
{
    struct follower *follower = xcalloc(1, sizeof *follower);

    follower->cli = cli;
    follower->path = xstrdup(path);
    follower->event = (struct sse_event)SSE_EVENT_INIT;
    if (after)
        buf_puts(&follower->event.id, after);
    follower->stream = stream_open(cli->client, path, true, after);
    return follower;
}

void follower_close(struct follower *follower)
{
    if (!follower)
        return;
    stream_close(follower->stream);
    sse_event_free(&follower->event);
    free(follower->path);
    free(follower);
}

bool follower_connected(const struct follower *follower)
{
    return follower->stream && stream_connected(follower->stream);
}

static int next_waiting(struct follower *follower, json_t **event, struct err *err)
{
    if (!sse_next(stream_data(follower->stream), &follower->event))
        return 0;
    *event = json_parse(buf_text(&follower->event.data), follower->event.data.length, err);
    return *event ? 1 : err_wrap(err, "an event of the broker");
}

/* Events have no end: a broker that ends the stream is going away, and will be back. */
static int stream_over(struct follower *follower, struct err *err)
{
    enum stream_end end = stream_state(follower->stream);

    if (end == STREAM_OPEN)
        return 0;
    if (end == STREAM_ENDED)
        err_set(err, FAULT_UNAVAILABLE, "the broker ended the stream of events");
    else
        stream_fault(follower->stream, err);
    if (end == STREAM_REFUSED || patience_lose(&follower->patience, follower->cli) < 0)
        return -1;
    stream_close(follower->stream);
    follower->stream = NULL;
    return 0;
}

int follower_next(struct follower *follower, int64_t wait_ms, json_t **event, struct err *err)
{
    int rc;

    if (!follower->stream) {
        int64_t wait = patience_wait(&follower->patience, wait_ms);

        if (wait)
            clock_sleep_ms(wait);
        if (!patience_due(&follower->patience))
            return 0;
        follower->stream =
            stream_open(follower->cli->client, follower->path, true, buf_text(&follower->event.id));
    }
    if ((rc = next_waiting(follower, event, err)) != 0)
        return rc;
    streams_pump(follower->cli->client, wait_ms);
    if (stream_connected(follower->stream))
        patience_rest(&follower->patience);
    if ((rc = next_waiting(follower, event, err)) != 0)
        return rc;
    return stream_over(follower, err);
}
