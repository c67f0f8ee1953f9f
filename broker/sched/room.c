/* SPDX-License-Identifier: Apache-2.0 */
/* room.c - sums with amounts of everything, with run times and with money. */
#include <math.h>

#include "sched/pass.h"

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

void room_add(struct room *sum, const struct room *part)
{
    sum->cpus = add(sum->cpus, part->cpus);
    sum->memory = add(sum->memory, part->memory);
    sum->disk = add(sum->disk, part->disk);
    sum->gpus = add(sum->gpus, part->gpus);
}

static int64_t clamp(int64_t value, int64_t most)
{
    return value < 0 ? 0 : value < most ? value : most;
}

void room_clamp(struct room *room, const struct room *most)
{
    room->cpus = clamp(room->cpus, most->cpus);
    room->memory = clamp(room->memory, most->memory);
    room->disk = clamp(room->disk, most->disk);
    room->gpus = clamp(room->gpus, most->gpus);
}

int64_t run_typical(const struct sched_params *params, const struct sched_class *class,
                    const struct sched_option *option)
{
    int64_t run = class->run_ms >= 0        ? class->run_ms
                  : option->walltime_ms > 0 ? option->walltime_ms
                                            : params->default_run_ms;

    if (option->walltime_ms > 0 && run > option->walltime_ms)
        run = option->walltime_ms;
    return run > 0 ? run : 1;
}

int64_t run_most(const struct sched_class *class, const struct sched_option *option)
{
    if (option->walltime_ms > 0)
        return option->walltime_ms;
    return class->run_high_ms;
}

int64_t run_safe(const struct sched_params *params, const struct sched_class *class,
                 const struct sched_option *option)
{
    int64_t most = run_most(class, option);

    return most >= 0 ? most : run_typical(params, class, option);
}

static double part(int64_t need, int64_t total)
{
    return total > 0 ? fmin((double)need / (double)total, 1) : 0;
}

double task_cost(double price_hour, const struct room *total, const struct room *need, int64_t ms)
{
    double share = fmax(part(need->cpus, total->cpus), part(need->memory, total->memory));

    share = fmax(share, part(need->gpus, total->gpus));
    return price_hour <= 0 ? 0 : price_hour * share * (double)ms / 3600000;
}
