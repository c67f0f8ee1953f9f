/* SPDX-License-Identifier: Apache-2.0 */
/* random.h - numbers that follow from a seed (splitmix64), for worlds and traces. */
#ifndef SPILLWAY_TESTS_RANDOM_H
#define SPILLWAY_TESTS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}
/* least ... most */
static inline int64_t dice_roll(struct dice *dice, int64_t least, int64_t most)
{
    uint64_t range = (uint64_t)(most - least) + 1;

    return least + (int64_t)(range ? dice_next(dice) % range : dice_next(dice));
}
static inline bool dice_chance(struct dice *dice, int percent)
{
    return dice_roll(dice, 0, 99) < percent;
}
static inline double dice_unit(struct dice *dice)
{
    return (double)(dice_next(dice) >> 11) / 9007199254740992.0;
}

#endif
