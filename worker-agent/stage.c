/* SPDX-License-Identifier: Apache-2.0 */
/* stage.c - inputs on their way from the broker. */
#include "agent.h"

struct stage_cache {
    struct agent *agent;
};

struct stage_cache *stage_open(struct agent *agent, struct err *err)
{
    struct stage_cache *cache = xcalloc(1, sizeof *cache);

    (void)err;
    cache->agent = agent;
    return cache;
}

void stage_close(struct stage_cache *cache)
{
    free(cache);
}

void stage_start(struct attempt *a)
{
    (void)a;
}

void stage_stop(struct attempt *a)
{
    (void)a;
}
