/* SPDX-License-Identifier: Apache-2.0 */
/* reports.h - what an agent reports of its attempts: from JSON to the store. */
#ifndef SPILLWAY_REPORTS_H
#define SPILLWAY_REPORTS_H

#include <jansson.h>

#include "store/store.h"

struct reports;
/* Checks all of "reports" in `body`, which need not outlive the call.  *out is NULL when there are
 * none. */
int reports_parse(const json_t *body, struct reports **out, struct err *err);
void reports_free(struct reports *reports);
size_t reports_count(const struct reports *reports); /* 0 for NULL */
/* `done` is called from the store's writer. */
void reports_commit(struct reports *reports, struct store *store, int64_t worker,
                    store_judge *judge, void *arg, store_done *done, void *done_arg);
/* `,"settled":[…]`, after the commit. */
void reports_put_settled(const struct reports *reports, struct buf *out);

#endif
