/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.h - how long to wait before the next try: doubled each time, up to a limit, with a half
 * of it by chance, so that a thousand agents do not come back at once. */
#ifndef AGENT_BACKOFF_H
#define AGENT_BACKOFF_H

#include <stdint.h>

#include "base/io.h"

struct backoff {
    int64_t first_ms, most_ms;
    int tries;
};

static inline void backoff_reset(struct backoff *backoff)
{
    backoff->tries = 0;
}

static inline int64_t backoff_next_ms(struct backoff *backoff)
{
    int64_t span = backoff->first_ms << (backoff->tries < 20 ? backoff->tries : 20);
    uint32_t chance;

    if (span > backoff->most_ms || span <= 0)
        span = backoff->most_ms;
    backoff->tries++;
    io_random(&chance, sizeof chance);
    return span / 2 + (int64_t)(chance % (uint64_t)(span / 2 + 1));
}

#endif
