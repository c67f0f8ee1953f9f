/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - a suspended connection for each answer that grows. */
#include "api/stream.h"

#include <string.h>

#include "api/server.h"
#include "base/clock.h"

#define BLOCK ((size_t)32 * 1024)

static void rung(void *arg, enum ring why)
{
    struct stream *stream = arg;

    /* libmicrohttpd sees the end of a connection only when it writes to it: an idle stream would be
     * rung for it again and again. */
    stream->gone = why == RING_GONE;
    request_resume(stream->request);
}

/* False: the API stops. */
static bool wait_for_more(struct stream *stream, uint64_t seen)
{
    struct request *request = stream->request;
    struct watched *watched = &request->watched;

    if (!server_enter(request->api))
        return false;
    stream->rung = true;
    watched->events = true;
    watched->log = stream->log;
    watched->due_ms = clock_mono_ms() + stream->wait_ms;
    request_park(request);
    watch_add(request->api->watch, watched, seen);
    server_leave(request->api);
    return true;
}

static ssize_t send_ready(struct stream *stream, char *out, size_t most)
{
    size_t left = stream->ready.length - stream->sent, count = left < most ? left : most;

    memcpy(out, stream->ready.data + stream->sent, count);
    stream->sent += count;
    if (stream->sent == stream->ready.length) {
        buf_clear(&stream->ready);
        stream->sent = 0;
    }
    return (ssize_t)count;
}

static ssize_t read_stream(void *cls, uint64_t at, char *out, size_t most)
{
    struct stream *stream = cls;
    uint64_t seen = watch_seen(stream->request->api->watch);
    enum stream_more more = STREAM_MORE;

    (void)at;
    if (stream->gone)
        return MHD_CONTENT_READER_END_OF_STREAM;
    while (stream->ready.length == 0 && more == STREAM_MORE)
        more = stream->fill(stream);
    if (stream->ready.length == 0 && more == STREAM_WAIT && stream->rung && stream->beat &&
        stream->request->watched.due_ms <= clock_mono_ms())
        stream->beat(stream);
    stream->rung = false;
    if (stream->ready.length > 0)
        return send_ready(stream, out, most);
    if (more == STREAM_END || !wait_for_more(stream, seen))
        return MHD_CONTENT_READER_END_OF_STREAM;
    return 0;
}

static void free_stream(void *cls)
{
    struct stream *stream = cls;

    atomic_fetch_sub(&stream->api->counts.streams, 1);
    buf_free(&stream->ready);
    stream->free(stream);
}

static int room_for(struct request *request, struct err *err)
{
    struct api *api = request->api;
    int same = 0;

    pthread_mutex_lock(&api->peers_lock);
    list_each(at, &api->peers)
    {
        const struct peer *peer = list_item(at, struct peer, link);

        same += peer->streams && strcmp(peer->address, request->peer->address) == 0;
    }
    request->peer->streams = true;
    pthread_mutex_unlock(&api->peers_lock);
    if (same < STREAMS_EACH_MOST && atomic_load(&api->counts.streams) <= STREAMS_MOST)
        return 0;
    return err_set(
        err, FAULT_THROTTLED,
        "too many connections follow events or logs already (%d from here): end some, or "
        "poll with `after`",
        same);
}

int stream_reply(struct request *request, struct stream *stream, const char *type, struct err *err)
{
    struct MHD_Response *response;

    stream->api = request->api;
    stream->request = request;
    request->watched.fd = request->peer->fd;
    request->watched.ring = rung;
    request->watched.arg = stream;
    atomic_fetch_add(&request->api->counts.streams, 1);
    if (room_for(request, err) < 0) {
        free_stream(stream);
        return -1;
    }
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, stream,
                                                 free_stream);
    return reply_response(request, 200, type, response);
}
