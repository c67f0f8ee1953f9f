/* SPDX-License-Identifier: Apache-2.0 */
/* task_json.h - TASK and its kin as JSON text (docs/http-api.md).  Pure. */
#ifndef SPILLWAY_API_TASK_JSON_H
#define SPILLWAY_API_TASK_JSON_H

#include "base/buf.h"
#include "store/store.h"

/* "1234", or "1234.7" for a member of an array. */
void task_id_put(struct buf *out, int64_t job, int64_t index, bool array);
/* "1234.[7-99]": positions first to first + count - 1 of the array; long lists of ranges are cut.
 */
void rest_id_put(struct buf *out, const struct job_row *job, int64_t first, int64_t count);

/* A TASK, closed. */
void task_put(struct buf *out, const struct ls_row *row);
/* The same of a job as a whole, left open: without the closing brace. */
void job_put(struct buf *out, const struct job_detail *detail);
void task_put_open(struct buf *out, const struct job_row *job, const struct task_row *task);
/* The state that stands for those of all its tasks. */
enum task_state job_state(const int64_t counts[TASK_STATE_COUNT]);

/* ,"key":value  with null for NULL, 0 times and the like. */
void put_str(struct buf *out, const char *key, const char *value);
void put_i64(struct buf *out, const char *key, int64_t value);
void put_i64_or_null(struct buf *out, const char *key, int64_t value, bool known);
void put_time(struct buf *out, const char *key, int64_t ms);
void put_state(struct buf *out, enum task_state state, enum reason reason);

#endif
