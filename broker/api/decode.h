/* SPDX-License-Identifier: Apache-2.0 */
/* decode.h - what strangers put in a URL or a header, read strictly.  Pure. */
#ifndef SPILLWAY_API_DECODE_H
#define SPILLWAY_API_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

/* Undo percent-encoding.  Refused: a '%' without two hex digits, what decodes to a control
 * character (NUL among them) or to bad UTF-8, and more than `size` - 1 bytes. */
int url_decode(const char *text, size_t length, char *out, size_t size, struct err *err);

#define QUERY_MOST       12
#define QUERY_VALUE_MOST 1024

struct query {
    size_t count;
    struct {
        const char *name; /* of the route's list */
        char *value;
    } list[QUERY_MOST];
};
/* Add one parameter as it came; `known` is the route's list. */
int query_add(struct query *query, const char *const *known, const char *name, const char *value,
              struct err *err);
void query_free(struct query *query);
/* NULL when it was not given. */
const char *query_get(const struct query *query, const char *name);
/* Leave *out alone when it was not given. */
int query_i64(const struct query *query, const char *name, int64_t least, int64_t most,
              int64_t *out, struct err *err);
/* "1", "true" (or nothing after the name) and "0", "false". */
int query_bool(const struct query *query, const char *name, bool *out, struct err *err);
int query_time(const struct query *query, const char *name, int64_t *out_ms, struct err *err);
/* "running,failed" as a bit set. */
int query_states(const struct query *query, const char *name, unsigned *out, struct err *err);

/* "1234" (index -1) or "1234.7".  FAULT_NOT_FOUND: it cannot name anything. */
int target_parse(const char *text, struct target *out, struct err *err);

/* "bytes=A-B", "bytes=A-", "bytes=-N" of something of `size` bytes.  1: not a range that is served
 * here (several, another unit): answer with all.  FAULT_INVALID: it lies outside. */
int range_parse(const char *text, int64_t size, int64_t *first, int64_t *length, struct err *err);

/* An Idempotency-Key: 1 to 255 printable ASCII characters. */
bool key_is_fit(const char *key);
/* How deep `text` nests, without parsing it; strings are skipped. */
size_t json_depth(const char *text, size_t length);
/* A name as users, projects and tokens bear it: plain text of 1 to 128 bytes without ',' or '/'. */
bool name_is_fit(const char *name);

#endif
