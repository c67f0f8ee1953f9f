/* SPDX-License-Identifier: Apache-2.0 */
/* http_stream.h - answers without an end: GETs whose body is taken line by line as it comes.
 *
 * One thread at a time, but for http_streams_wake(). */
#ifndef SPILLWAY_NET_HTTP_STREAM_H
#define SPILLWAY_NET_HTTP_STREAM_H

#include "net/http.h"

struct http_streams;
struct http_stream;

/* One line, without its end; it may be changed in place.  -1: the stream is to be given up. */
typedef int http_line(void *arg, char *line, size_t length);

int http_streams_new(const struct http_options *options, struct http_streams **out,
                     struct err *err);
void http_streams_free(struct http_streams *streams); /* and all that are open */
void http_streams_identity(struct http_streams *streams, const char *cacert, const char *cert,
                           const char *key);
/* No network yet.  A line of more than `line_most` bytes ends it, as does `most_ms`. */
int http_stream_open(struct http_streams *streams, const char *url, const char *const *headers,
                     size_t line_most, int64_t most_ms, http_line *line, void *arg,
                     struct http_stream **out, struct err *err);
void http_stream_close(struct http_streams *streams, struct http_stream *stream);
/* Take in what has come, after at most `wait_ms`; lines are handed on from inside. */
void http_streams_turn(struct http_streams *streams, int64_t wait_ms);
void http_streams_wake(struct http_streams *streams); /* end a wait; any thread */
/* Whether it has ended: *status is the answer's (0: there was none), the words why in `err`, with
 * FAULT_NONE for one that the other side ended as it should.  The body of an answer that is not 2xx
 * is in *words. */
bool http_stream_ended(const struct http_stream *stream, long *status, const char **words,
                       int64_t *retry_after_ms, struct err *err);
/* The server has answered with a 2xx. */
bool http_stream_up(const struct http_stream *stream);

#endif
