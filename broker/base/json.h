/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - reading JSON from strangers with jansson: typed, bounded, faults that name the field.
 *
 * The *_opt forms leave *out alone when the key is missing or null; the others fault. */
#ifndef SPILLWAY_JSON_H
#define SPILLWAY_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

static inline void json_free_(json_t **slot)
{
    json_decref(*slot);
}
#define own_json own(json_free_)

/* One document of at most `length` bytes; duplicate keys, NULs and trailing text are refused. */
json_t *json_parse(const char *text, size_t length, struct err *err);
/* Compact text, keys sorted: equal values have equal texts.  Owned by the caller. */
char *json_canonical(const json_t *value);

int json_get_str(const json_t *object, const char *key, const char **out, struct err *err);
int json_opt_str(const json_t *object, const char *key, const char **out, struct err *err);
int json_get_i64(const json_t *object, const char *key, int64_t least, int64_t most, int64_t *out,
                 struct err *err);
int json_opt_i64(const json_t *object, const char *key, int64_t least, int64_t most, int64_t *out,
                 struct err *err);
int json_opt_bool(const json_t *object, const char *key, bool *out, struct err *err);
/* NULL with no fault when missing. */
int json_opt_array(const json_t *object, const char *key, const json_t **out, struct err *err);
int json_opt_object(const json_t *object, const char *key, const json_t **out, struct err *err);

#endif
