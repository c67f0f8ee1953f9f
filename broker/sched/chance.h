/* SPDX-License-Identifier: Apache-2.0 */
/* chance.h - chance that follows from a seed (splitmix64), the same on every machine. */
#ifndef SPILLWAY_SCHED_CHANCE_H
#define SPILLWAY_SCHED_CHANCE_H

#include <math.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

/* In (0, 1). */
static inline double chance_unit(struct chance *chance)
{
    return ((double)(chance_next(chance) >> 12) + 0.5) / 4503599627370496.0;
}

/* Mean 0, variance 1 (Box and Muller). */
static inline double chance_normal(struct chance *chance)
{
    double radius = sqrt(-2 * log(chance_unit(chance)));

    return radius * cos(2 * M_PI * chance_unit(chance));
}

#endif
