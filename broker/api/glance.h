/* SPDX-License-Identifier: Apache-2.0 */
/* glance.h - of a job, only: may the caller see it, and is it an array?
 *
 * Remembered for the length of one answer, where the same few jobs come up again and again. */
#ifndef SPILLWAY_API_GLANCE_H
#define SPILLWAY_API_GLANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "api/auth.h"
#include "base/buf.h"
#include "base/map.h"
#include "store/store.h"

struct glances {
    struct store *store;
    const struct caller *caller;
    struct map seen;
};
#define GLANCES_INIT(store_, caller_)                            \
    {                                                            \
        .store = (store_), .caller = (caller_), .seen = MAP_INIT \
    }
void glances_free(struct glances *glances);
#define own_glances own(glances_free)

struct glance {
    bool exists, visible, array;
};
struct glance glance_at(struct glances *glances, int64_t job);
/* "1234.7" or "1234", as the job asks for. */
void glance_put_id(struct glances *glances, struct buf *out, int64_t job, int64_t index);

#endif
