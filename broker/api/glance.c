/* SPDX-License-Identifier: Apache-2.0 */
/* glance.c - what little an answer needs to know of the jobs it names. */
#include "api/glance.h"

#include "api/request.h"
#include "api/task_json.h"

#define MOST 4096

enum { SEEN = 1, EXISTS = 2, VISIBLE = 4, ARRAY = 8 };

void glances_free(struct glances *glances)
{
    map_fini(&glances->seen);
}

static uintptr_t look(struct glances *glances, int64_t job)
{
    own_buf struct buf strings = BUF_INIT(4 * (size_t)JOB_BYTES_MOST);
    struct job_detail detail;
    uintptr_t bits = SEEN;

    if (store_job(glances->store, job, &detail, &strings, NULL) != 0)
        return bits;
    bits |= EXISTS;
    bits |= caller_sees(glances->caller, detail.job.user, detail.job.project) ? VISIBLE : 0;
    return bits | (detail.job.array ? ARRAY : 0);
}

struct glance glance_at(struct glances *glances, int64_t job)
{
    uintptr_t bits = (uintptr_t)map_get(&glances->seen, (uint64_t)job);

    if (!bits) {
        if (glances->seen.count >= MOST) {
            map_fini(&glances->seen);
            glances->seen = (struct map)MAP_INIT;
        }
        bits = look(glances, job);
        map_put(&glances->seen, (uint64_t)job, (void *)bits);
    }
    return (struct glance){ .exists = (bits & EXISTS) != 0,
                            .visible = (bits & VISIBLE) != 0,
                            .array = (bits & ARRAY) != 0 };
}

void glance_put_id(struct glances *glances, struct buf *out, int64_t job, int64_t index)
{
    /* Only an array has an index above 0. */
    task_id_put(out, job, index, index > 0 || (index == 0 && glance_at(glances, job).array));
}
