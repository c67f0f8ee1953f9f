/* SPDX-License-Identifier: Apache-2.0 */
/* share.c - usage that decays, measured by the dominant resource. */
#include "sched/share.h"

#include <math.h>

static double part_of(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

double share_dominant(const struct room *part, const struct room *whole)
{
    double most = part_of(part->cpus, whole->cpus);

    most = fmax(most, part_of(part->memory, whole->memory));
    return fmax(most, part_of(part->gpus, whole->gpus));
}

double share_usage(const struct share *share, int64_t now_ms, int64_t half_life_ms)
{
    double age = (double)(now_ms - share->at_ms);

    if (half_life_ms <= 0 || age <= 0)
        return share->usage;
    return share->usage * exp2(-age / (double)half_life_ms);
}

void share_add(struct share *share, const struct room *part, const struct room *whole,
               int64_t held_ms, int64_t now_ms, int64_t half_life_ms)
{
    share->usage = share_usage(share, now_ms, half_life_ms);
    share->usage += share_dominant(part, whole) * (double)held_ms / 1000;
    share->at_ms = now_ms;
}
