/* SPDX-License-Identifier: Apache-2.0 */
/* lublin.h - synthetic workloads after Lublin and Feitelson's model of rigid jobs (2003).
 *
 * Written from the published description: sizes are serial, powers of two, or anything, with a
 * two-stage uniform logarithm; run times hyper-gamma with a mix that depends on the size; arrivals
 * gamma within a daily cycle.  `load` scales the arrivals to that part of `cpus`. */
#ifndef SPILLWAY_TESTS_LUBLIN_H
#define SPILLWAY_TESTS_LUBLIN_H

#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/own.h"
#include "random.h"

struct lublin {
    int jobs, cpus, users;
    double load;
    double overestimate; /* requested time: up to so many times the run time; 0: exact */
    uint64_t seed;
};

/* Marsaglia and Tsang's method; shapes below one by the usual power. */
static inline double lublin_gamma(struct dice *dice, double shape, double scale)
{
    double d, c;

    if (shape < 1)
        return lublin_gamma(dice, shape + 1, scale) * pow(fmax(dice_unit(dice), 1e-300), 1 / shape);
    d = shape - 1.0 / 3;
    c = 1 / sqrt(9 * d);
    for (;;) {
        double u = fmax(dice_unit(dice), 1e-300), v;
        double x = sqrt(-2 * log(fmax(dice_unit(dice), 1e-300))) * cos(2 * M_PI * dice_unit(dice));

        v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v * scale;
    }
}

static inline int lublin_size(struct dice *dice, int cpus)
{
    double high = log2(cpus), low = 0.8, middle = high - 2.5, u, log_size;

    if (dice_unit(dice) < 0.244)
        return 1;
    middle = middle > low ? middle : (low + high) / 2;
    u = dice_unit(dice);
    log_size = dice_unit(dice) < 0.86 ? low + u * (middle - low) : middle + u * (high - middle);
    if (dice_unit(dice) < 0.576)
        log_size = round(log_size);
    return (int)fmax(1, fmin(cpus, round(exp2(log_size))));
}

static inline double lublin_run(struct dice *dice, int size)
{
    double p = fmin(fmax(-0.0054 * size + 0.78, 0), 1);
    double log_run =
        dice_unit(dice) < p ? lublin_gamma(dice, 4.2, 0.94) : lublin_gamma(dice, 312, 0.03);

    return fmin(fmax(exp(log_run), 1), 2.0 * 86400);
}

/* The relative rate of arrivals at an hour of the day: quiet nights, a peak in the afternoon. */
static inline double lublin_hour(double hour)
{
    double x = (hour - 13.5) / 6;

    return 0.25 + exp(-x * x);
}

/* A trace as SWF text. */
static inline char *lublin_trace(const struct lublin *wish)
{
    struct dice dice = { wish->seed };
    struct buf out = BUF_INIT(0);
    own_mem int *sizes = xcalloc((size_t)wish->jobs, sizeof *sizes);
    own_mem double *runs = xcalloc((size_t)wish->jobs, sizeof *runs);
    own_mem double *gaps = xcalloc((size_t)wish->jobs, sizeof *gaps);
    double area = 0, at = 0, span = 0, scale;

    for (int i = 0; i < wish->jobs; i++) {
        sizes[i] = lublin_size(&dice, wish->cpus);
        runs[i] = floor(lublin_run(&dice, sizes[i]));
        area += runs[i] * sizes[i];
        gaps[i] = lublin_gamma(&dice, 0.45, 1);
        span += gaps[i];
    }
    /* Arrivals last as long as the work would at this load. */
    scale = area / wish->load / wish->cpus / span;
    buf_printf(&out, "; Version: 2.2\n; MaxProcs: %d\n", wish->cpus);
    for (int i = 0; i < wish->jobs; i++) {
        double asked = runs[i] * (1 + wish->overestimate * dice_unit(&dice));
        long long user = dice_roll(&dice, 0, wish->users - 1);

        at += gaps[i] * scale / lublin_hour(fmod(at / 3600, 24)) * 0.75;
        buf_printf(&out, "%d %.0f -1 %.0f %d -1 -1 %d %.0f -1 1 %lld %lld -1 1 -1 -1 -1\n", i + 1,
                   floor(at), runs[i], sizes[i], sizes[i], ceil(asked), user + 1, user % 7 + 1);
    }
    return buf_take(&out);
}

#endif
