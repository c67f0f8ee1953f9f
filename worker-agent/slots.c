/* SPDX-License-Identifier: Apache-2.0 */
/* slots.c - sums of what runs. */
#include "slots.h"

#include <assert.h>

static int64_t cpus_of(const struct need *need)
{
    return need->cpus > 0 ? need->cpus : 1;
}

static int gpus_free(const struct slots *slots)
{
    return slots->gpus - __builtin_popcountll(slots->gpus_used);
}

bool slots_fit(const struct slots *slots, const struct need *need)
{
    if (slots->running == 0)
        return true;
    return cpus_of(need) <= slots->cpus - slots->cpus_used &&
           (need->memory <= 0 || need->memory <= slots->memory - slots->memory_used) &&
           need->gpus <= gpus_free(slots);
}

uint64_t slots_take(struct slots *slots, const struct need *need)
{
    uint64_t given = 0;
    int left = need->gpus;

    slots->running++;
    slots->cpus_used += cpus_of(need);
    slots->memory_used += need->memory;
    for (int i = 0; i < slots->gpus && left > 0; i++) {
        uint64_t bit = (uint64_t)1 << i;

        if (slots->gpus_used & bit)
            continue;
        given |= bit;
        left--;
    }
    slots->gpus_used |= given;
    return given;
}

void slots_give(struct slots *slots, const struct need *need, uint64_t gpus)
{
    assert(slots->running > 0);
    slots->running--;
    slots->cpus_used -= cpus_of(need);
    slots->memory_used -= need->memory;
    slots->gpus_used &= ~gpus;
}
