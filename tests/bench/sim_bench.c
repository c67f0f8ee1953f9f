/* SPDX-License-Identifier: Apache-2.0 */
/* sim_bench.c - the simulator's speed, and what the default policy is worth, on Lublin-model
 * traces.
 *
 *   sim_bench [speed] [easy] [overflow]     all of them when none is named
 *
 * Prints "NAME VALUE UNIT RATIO" lines.  Ratios: speed to 200,000 jobs a second (CPU time of one
 * thread); our mean bounded slowdown to EASY's; the default's slowdown and worker-hours abroad to
 * those of greedy. */
#include "../unit/sched/lublin.h"
#include "base/own.h"
#include "bench.h"
#include "sched/sim.h"

#define HOUR INT64_C(3600000)
#define ANY  (INT64_C(1) << 46)

static void read_trace(const struct lublin *wish, struct swf_trace *out)
{
    own_str char *text = lublin_trace(wish);

    swf_parse(text, strlen(text), out);
}

static struct sim_options options_of(const struct sim_site *sites, size_t count)
{
    const struct sched_params params = SCHED_PARAMS_DEFAULT;
    struct sim_options options = { .sites = sites,
                                   .site_count = count,
                                   .params = params,
                                   .half_life_ms = 7 * 24 * HOUR,
                                   .seed = 1,
                                   .tick_ms = 1000 };

    return options;
}

static void set_easy(struct sim_options *options)
{
    options->params.order = SCHED_ORDER_AGE;
    options->params.reservations = 1;
    options->params.reserve_after_ms = 0;
}

static struct sched_shape cluster_of(int64_t cpus)
{
    return (
        struct sched_shape){ .name = "cluster", .room = { cpus, ANY, ANY, 0 }, .price_hour = -1 };
}

static struct sim_site home_of(struct sched_shape *shape)
{
    return (struct sim_site){ .name = "home",
                              .tier = TIER_HOME,
                              .shapes = shape,
                              .shape_count = 1,
                              .max_workers = 1,
                              .fixed = 1,
                              .idle_ms = -1 };
}

/* ---- speed ------------------------------------------------------------------------------------
 */

#define SPEED_SITES 10
#define SPEED_JOBS  200000

static void bench_speed(void)
{
    static struct sched_shape shapes[SPEED_SITES];
    static struct sched_quota quotas[SPEED_SITES];
    struct sim_site sites[SPEED_SITES];
    struct lublin wish = {
        .jobs = SPEED_JOBS, .cpus = 128, .users = 200, .load = 7, .overestimate = 3, .seed = 11
    };
    struct sim_options options;
    struct swf_trace trace;
    struct sim_result result;
    double start, seconds, best = 0;

    for (int s = 0; s < SPEED_SITES; s++) {
        shapes[s] = cluster_of(s ? 128 : 512);
        sites[s] = home_of(&shapes[s]);
        if (s == 0)
            continue;
        quotas[s] =
            (struct sched_quota){ .name = "cores", .kind = SCHED_QUOTA_CORES, .limit = 128 };
        sites[s] = (struct sim_site){ .name = "partner",
                                      .tier = TIER_PARTNER,
                                      .shapes = &shapes[s],
                                      .shape_count = 1,
                                      .quotas = &quotas[s],
                                      .quota_count = 1,
                                      .max_workers = -1,
                                      .boot_ms = 120000 + s * 10000,
                                      .boot_spread = 0.3,
                                      .boot_failures = 0.01,
                                      .teardown_ms = 30000,
                                      .overflow_after_ms = 600000,
                                      .idle_ms = 300000 };
    }
    read_trace(&wish, &trace);
    options = options_of(sites, SPEED_SITES);
    for (int i = 0; i < 3; i++) {
        start = clock_at(CLOCK_THREAD_CPUTIME_ID);
        sim_run(&options, &trace, &result);
        seconds = clock_at(CLOCK_THREAD_CPUTIME_ID) - start;
        best = best == 0 || seconds < best ? seconds : best;
        if (i == 0)
            fprintf(stderr,
                    "speed: %lld passes, mean wait %.0f s, slowdown %.2f, overflowed %lld\n",
                    (long long)result.passes, result.mean_wait_s, result.mean_bounded_slowdown,
                    (long long)result.overflowed);
        sim_result_free(&result);
    }
    printf("sim_speed %.0f jobs/s %.3f\n", SPEED_JOBS / best, SPEED_JOBS / best / 200000);
    swf_free(&trace);
}

/* ---- against EASY ------------------------------------------------------------------------------
 */

static void bench_easy(void)
{
    struct sched_shape shape = cluster_of(128);
    struct sim_site home = home_of(&shape);
    double sums[2] = { 0, 0 };
    int better = 0, traces = 0;

    for (uint64_t seed = 1; seed <= 10; seed++)
        for (int load = 70; load <= 90; load += 10) {
            struct lublin wish = { .jobs = 10000,
                                   .cpus = 128,
                                   .users = 60,
                                   .load = load / 100.0,
                                   .overestimate = 4,
                                   .seed = seed };
            struct swf_trace trace;
            double slowdown[2];

            read_trace(&wish, &trace);
            for (int easy = 0; easy < 2; easy++) {
                struct sim_options options = options_of(&home, 1);
                struct sim_result result;

                if (easy)
                    set_easy(&options);
                sim_run(&options, &trace, &result);
                slowdown[easy] = result.mean_bounded_slowdown;
                sums[easy] += slowdown[easy];
                sim_result_free(&result);
            }
            better += slowdown[0] <= slowdown[1];
            traces++;
            swf_free(&trace);
        }
    printf("sim_slowdown_to_easy %.3f slowdown %.3f\n", sums[0] / traces, sums[0] / sums[1]);
    printf("sim_traces_no_slower_than_easy %d traces %.3f\n", better, (double)better / traces);
}

/* ---- overflow ----------------------------------------------------------------------------------
 */

/* Home at 110 % load, two partner clouds with boot times and quotas, one commercial. */
struct overflow {
    struct sched_shape shapes[4][4];
    struct sched_quota quotas[4];
    struct sim_site sites[4];
};

static void make_overflow(struct overflow *o, int64_t after_ms)
{
    static const double prices[4] = { -1, 0, 0, 0.05 };
    static const int64_t cores[4] = { 0, 64, 96, 256 }, boots[4] = { 0, 180000, 400000, 90000 };
    static const char *const names[4] = { "home", "near", "far", "commercial" };

    o->shapes[0][0] = cluster_of(128);
    o->sites[0] = home_of(&o->shapes[0][0]);
    for (int s = 1; s < 4; s++) {
        for (int i = 0; i < 4; i++) {
            o->shapes[s][i] = cluster_of(INT64_C(4) << (i + (i == 3)));
            o->shapes[s][i].price_hour = prices[s] * (double)o->shapes[s][i].room.cpus;
        }
        o->quotas[s] =
            (struct sched_quota){ .name = "cores", .kind = SCHED_QUOTA_CORES, .limit = cores[s] };
        o->sites[s] = (struct sim_site){ .name = names[s],
                                         .tier = s < 3 ? TIER_PARTNER : TIER_COMMERCIAL,
                                         .shapes = o->shapes[s],
                                         .shape_count = 4,
                                         .quotas = &o->quotas[s],
                                         .quota_count = 1,
                                         .max_workers = -1,
                                         .boot_ms = boots[s],
                                         .boot_spread = 0.3,
                                         .boot_failures = 0.02,
                                         .teardown_ms = 30000,
                                         .overflow_after_ms = s < 3 ? after_ms : 2 * after_ms,
                                         .idle_ms = 300000 };
    }
}

struct sums {
    double slowdown, wait, cost, hours, core_hours, moved;
};

static void add_outcome(struct sums *sums, const struct sim_result *result, int count)
{
    sums->slowdown += result->mean_bounded_slowdown / count;
    sums->wait += result->mean_wait_s / count;
    sums->cost += result->cost / count;
    sums->moved += (double)result->overflowed / (double)result->jobs / count;
    for (int s = 1; s < 4; s++) {
        sums->hours += result->sites[s].worker_hours / count;
        sums->core_hours += result->sites[s].cpu_hours / count;
    }
}

static struct sums run_overflow(enum sched_overflow policy, int64_t after_ms)
{
    enum { SEEDS = 5 };
    struct overflow o;
    struct sums sums = { 0 };

    make_overflow(&o, after_ms);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct lublin wish = {
            .jobs = 5000, .cpus = 128, .users = 40, .load = 1.10, .overestimate = 3, .seed = seed
        };
        struct sim_options options = options_of(o.sites, 4);
        struct swf_trace trace;
        struct sim_result result;

        options.params.overflow = policy;
        options.seed = seed;
        read_trace(&wish, &trace);
        sim_run(&options, &trace, &result);
        add_outcome(&sums, &result, SEEDS);
        sim_result_free(&result);
        swf_free(&trace);
    }
    return sums;
}

static void tell_overflow(const char *name, const struct sums *s, const struct sums *greedy)
{
    printf("overflow_%s_slowdown %.2f slowdown %.3f\n", name, s->slowdown,
           s->slowdown / greedy->slowdown);
    printf("overflow_%s_worker_hours_abroad %.0f hours %.3f\n", name, s->hours,
           s->hours / greedy->hours);
    printf("overflow_%s_core_hours_abroad %.0f hours %.3f\n", name, s->core_hours,
           s->core_hours / greedy->core_hours);
    printf("overflow_%s_cost %.2f EUR %.3f\n", name, s->cost, s->cost / greedy->cost);
    printf("overflow_%s_mean_wait %.0f s %.3f\n", name, s->wait, s->wait / greedy->wait);
}

static void bench_overflow(void)
{
    static const int minutes[] = { 0, 5, 10, 20, 30, 60, 120, 240, 480 };
    struct sums greedy = run_overflow(SCHED_OVERFLOW_GREEDY, 0);
    struct sums home = run_overflow(SCHED_OVERFLOW_NEVER, 0);

    tell_overflow("home_only", &home, &greedy);
    tell_overflow("greedy", &greedy, &greedy);
    for (size_t i = 0; i < array_len(minutes); i++) {
        struct sums s = run_overflow(SCHED_OVERFLOW_GAIN, minutes[i] * INT64_C(60000));
        char name[32];

        snprintf(name, sizeof name, "after_%dm", minutes[i]);
        tell_overflow(name, &s, &greedy);
    }
}

static bool asked(int argc, char **argv, const char *what)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], what) == 0)
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    if (asked(argc, argv, "speed"))
        bench_speed();
    if (asked(argc, argv, "easy"))
        bench_easy();
    if (asked(argc, argv, "overflow"))
        bench_overflow();
    return 0;
}
