/* SPDX-License-Identifier: Apache-2.0 */
/* slots.h - how much of the machine is taken.  Pure. */
#ifndef AGENT_SLOTS_H
#define AGENT_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

/* What one attempt asks for; 0 cpus count as 1, 0 memory is not counted. */
struct need {
    int64_t cpus, memory;
    int gpus;
};

struct slots {
    int64_t cpus, memory; /* in all */
    int gpus;             /* at most 64 */
    int64_t cpus_used, memory_used;
    uint64_t gpus_used; /* a bit each */
    int running;
};

/* What is larger than the machine runs alone, rather than never: the broker placed it here. */
bool slots_fit(const struct slots *slots, const struct need *need);
/* Returns the GPUs given, a bit each. */
uint64_t slots_take(struct slots *slots, const struct need *need);
void slots_give(struct slots *slots, const struct need *need, uint64_t gpus);

#endif
