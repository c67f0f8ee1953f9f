/* SPDX-License-Identifier: Apache-2.0 */
/* sched_bench.c - what a pass of the scheduler costs at the design point: a million tasks in 1,000
 * classes, 100 sites, 5,000 workers.
 *
 * CPU time of the one thread, so that a busy machine does not count.  Prints "NAME VALUE UNIT
 * RATIO" lines; the ratio is the value to its limit (below 1: within). */
#include "base/own.h"
#include "bench.h"
#include "sched/sched.h"

#define CLASSES  1000
#define SITES    100
#define WORKERS  5000
#define SHAPES   8
#define PROJECTS 30
#define USERS    120
#define ROUNDS   25

static struct sched_class *classes;
static struct sched_option *options;
static struct sched_site *sites;
static struct sched_shape shapes[SITES][SHAPES];
static struct sched_quota quotas[SITES][4];
static struct sched_boot boots[SITES][1];
static struct sched_worker *workers;
static struct sched_run *runs;
static struct sched_project *projects;
static struct sched_user *users;
static struct names names = NAMES_INIT;
static char site_names[SITES][16];
static struct sched_snapshot snap;

#define GIB ((int64_t)1 << 30)

static void make_site(int s)
{
    snprintf(site_names[s], sizeof site_names[s], "site%d", s);
    boots[s][0] =
        (struct sched_boot){ .shape = -1, .mean_ms = 60000 + s * 1000, .high_ms = 300000 };
    for (int i = 0; i < SHAPES; i++)
        shapes[s][i] = (struct sched_shape){ .name = "shape",
                                             .room = { .cpus = 1 << (i % 5),
                                                       .memory = (4 << (i % 5)) * GIB,
                                                       .disk = 100 * GIB,
                                                       .gpus = i >= 6 ? 1 : 0 },
                                             .gpu_model = i >= 6 ? names_number(&names, "V100") : 0,
                                             .gpu_memory = 16 * GIB,
                                             .price_hour = s < 70 ? 0 : 0.05 * (1 << (i % 5)) };
    quotas[s][0] = (struct sched_quota){
        .name = "instances", .kind = SCHED_QUOTA_WORKERS, .limit = 60, .ours = 50
    };
    quotas[s][1] = (struct sched_quota){
        .name = "cores", .kind = SCHED_QUOTA_CORES, .limit = 220, .ours = 200
    };
    quotas[s][2] = (struct sched_quota){
        .name = "memory", .kind = SCHED_QUOTA_MEMORY, .limit = 1000 * GIB, .ours = 800 * GIB
    };
    quotas[s][3] = (struct sched_quota){ .name = "gpus:V100",
                                         .kind = SCHED_QUOTA_GPUS,
                                         .gpu_model = names_number(&names, "V100"),
                                         .limit = 4 };
    sites[s] = (struct sched_site){ .name = site_names[s],
                                    .generation = (uint64_t)s + 1,
                                    .tier = s < 10   ? TIER_HOME
                                            : s < 70 ? TIER_PARTNER
                                                     : TIER_COMMERCIAL,
                                    .phase = PHASE_PRODUCTION,
                                    .any_project = true,
                                    .shapes = shapes[s],
                                    .shape_count = SHAPES,
                                    .probed_ms = 1,
                                    .quotas = quotas[s],
                                    .quota_count = 4,
                                    .max_workers = -1,
                                    .overflow_after_ms = 600000,
                                    .idle_ms = 300000,
                                    .wait_ms = -1,
                                    .boots = boots[s],
                                    .boot_count = 1 };
}

static void make_class(int c)
{
    options[c] = (struct sched_option){
        .need = { .cpus = 1 + c % 4, .memory = (c % 3) * 2 * GIB, .gpus = c % 50 == 0 },
        .nodes = 1,
        .walltime_ms = 3600000
    };
    classes[c] = (struct sched_class){ .id = c + 1,
                                       .generation = (uint64_t)c + 1,
                                       .options = &options[c],
                                       .option_count = 1,
                                       .tier = c % 4 ? TIER_COMMERCIAL : TIER_PARTNER,
                                       .project = c % USERS % PROJECTS,
                                       .user = c % USERS,
                                       .ready = 1000,
                                       .running = 20,
                                       .oldest_ms = 1000000000 - c * 1000,
                                       .served_ms = 1000000000 - c,
                                       .cost_left = -1,
                                       .run_ms = 600000 + c,
                                       .run_high_ms = 1200000 };
}

static void make_world(void)
{
    classes = xcalloc(CLASSES, sizeof *classes);
    options = xcalloc(CLASSES, sizeof *options);
    sites = xcalloc(SITES, sizeof *sites);
    workers = xcalloc(WORKERS, sizeof *workers);
    runs = xcalloc((size_t)4 * WORKERS, sizeof *runs);
    projects = xcalloc(PROJECTS, sizeof *projects);
    users = xcalloc(USERS, sizeof *users);
    for (int s = 0; s < SITES; s++)
        make_site(s);
    for (int c = 0; c < CLASSES; c++)
        make_class(c);
    for (int p = 0; p < PROJECTS; p++)
        projects[p] = (struct sched_project){ .name = "project",
                                              .weight = 1 + p % 3,
                                              .usage = p * 10.0,
                                              .tier = TIER_COMMERCIAL,
                                              .max_workers = -1,
                                              .money_limit = -1 };
    for (int u = 0; u < USERS; u++)
        users[u] =
            (struct sched_user){ .name = "user", .project = u % PROJECTS, .weight = 1, .usage = u };
    snap = (struct sched_snapshot){ .now_ms = 1000000000,
                                    .classes = classes,
                                    .class_count = CLASSES,
                                    .workers = workers,
                                    .worker_count = WORKERS,
                                    .sites = sites,
                                    .site_count = SITES,
                                    .runs = runs,
                                    .projects = projects,
                                    .project_count = PROJECTS,
                                    .users = users,
                                    .user_count = USERS,
                                    .names = &names };
}

/* Workers all idle, or all full with four tasks each. */
static void fill_workers(bool full)
{
    snap.run_count = 0;
    for (int w = 0; w < WORKERS; w++) {
        struct room total = { .cpus = 4, .memory = 16 * GIB, .disk = 100 * GIB };

        workers[w] = (struct sched_worker){ .id = w + 1,
                                            .site = w % SITES,
                                            .shape = 2,
                                            .state = WORKER_READY,
                                            .project = -1,
                                            .total = total,
                                            .free = total,
                                            .created_ms = 1,
                                            .idle_ms = full ? 0 : snap.now_ms - 1 };
        if (!full)
            continue;
        workers[w].free = (struct room){ .disk = 100 * GIB };
        workers[w].leases = 4;
        for (int i = 0; i < 4; i++)
            runs[snap.run_count++] =
                (struct sched_run){ .worker = w,
                                    .class_index = -1,
                                    .count = 1,
                                    .need = { .cpus = 1, .memory = 4 * GIB },
                                    .ends_ms = snap.now_ms + (w * 7919 + i * 104729) % 600000,
                                    .latest_ms = snap.now_ms + 3600000 };
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void print_ms(const char *name, double *seconds, double limit_ms)
{
    double median;

    qsort(seconds, ROUNDS, sizeof *seconds, by_value);
    median = seconds[ROUNDS / 2] * 1000;
    printf("%s %.3f ms %.3f\n", name, median, median / limit_ms);
}

static double one_pass(struct sched *sched, struct sched_decisions *out)
{
    double start = clock_at(CLOCK_THREAD_CPUTIME_ID);

    sched_decide(sched, &snap, out);
    return clock_at(CLOCK_THREAD_CPUTIME_ID) - start;
}

/* All workers idle, nothing remembered: every class is filtered, scored and packed anew. */
static void bench_full(struct sched_decisions *out)
{
    const struct sched_params params = SCHED_PARAMS_DEFAULT;
    double cold[ROUNDS], warm[ROUNDS];

    fill_workers(false);
    for (int i = 0; i < ROUNDS; i++) {
        struct sched *sched = sched_new(&params);

        cold[i] = one_pass(sched, out);
        snap.now_ms++;
        warm[i] = one_pass(sched, out);
        sched_free(sched);
    }
    fprintf(stderr, "full: %zu decisions\n", out->count);
    print_ms("sched_pass_full_cold", cold, 20);
    print_ms("sched_pass_full", warm, 20);
}

/* All workers full; in each round one task has ended. */
static void bench_event(const char *name, struct sched_decisions *out, double limit_ms)
{
    const struct sched_params params = SCHED_PARAMS_DEFAULT;
    struct sched *sched = sched_new(&params);
    double event[ROUNDS];

    fill_workers(true);
    one_pass(sched, out);
    for (int i = 0; i < ROUNDS; i++) {
        struct sched_worker *worker = &workers[(i * 997) % WORKERS];

        snap.now_ms += 10;
        worker->free.cpus = 1;
        worker->free.memory = 4 * GIB;
        event[i] = one_pass(sched, out);
        worker->free.cpus = worker->free.memory = 0;
    }
    fprintf(stderr, "%s: %zu decisions, first %s %s\n", name, out->count,
            out->count ? sched_kind_name(out->list[0].kind) : "-",
            out->count ? sched_why_name(out->list[0].why) : "-");
    print_ms(name, event, limit_ms);
    sched_free(sched);
}

int main(void)
{
    struct sched_decisions out = { .list = NULL };

    make_world();
    bench_full(&out);
    /* Quota left: each such pass starts some 200 workers. */
    bench_event("sched_pass_creating", &out, 20);
    for (int s = 0; s < SITES; s++)
        quotas[s][0].ours = quotas[s][0].limit;
    bench_event("sched_pass_event", &out, 1);
    /* The same, and classes that got nothing for long ask for reservations. */
    for (int c = 0; c < CLASSES; c++)
        classes[c].served_ms = 0, classes[c].oldest_ms = 1;
    bench_event("sched_pass_event_starved", &out, 1);
    sched_decisions_free(&out);
    names_free(&names);
    return 0;
}
