/* SPDX-License-Identifier: Apache-2.0 */
/* test_sim.c - the simulator against the textbook, and against itself. */
#include "base/own.h"
#include "lublin.h"
#include "sched/sim.h"
#include "world.h"

#define HOUR INT64_C(3600000)

/* ---- one cluster ------------------------------------------------------------------------------ */

static struct sched_shape cluster_shape = { .name = "cluster", .price_hour = -1 };
static struct sim_site cluster = { .name = "home", .tier = TIER_HOME, .shapes = &cluster_shape,
                                   .shape_count = 1, .max_workers = 1, .fixed = 1, .idle_ms = -1 };

static struct sim_options one_cluster(int cpus)
{
    const struct sched_params params = SCHED_PARAMS_DEFAULT;

    cluster_shape.room = (struct room){ .cpus = cpus, .memory = INT64_C(1) << 60,
                                        .disk = INT64_C(1) << 60 };
    return (struct sim_options){ .sites = &cluster, .site_count = 1, .params = params,
                                 .half_life_ms = 7 * 24 * HOUR, .seed = 1, .tick_ms = 1000 };
}

static void textbook(struct sim_options *options, bool backfill)
{
    options->params.order = SCHED_ORDER_AGE;
    options->params.backfill = backfill;
    options->params.reservations = 1;
    options->params.reserve_after_ms = 0;
    options->params.ahead_ms = 0;
}

/* The reference: second by second, in the words of the papers.  First come, first served; with
 * `easy`, a job may pass the head if it ends before the head can start, or leaves it its cpus. */
static void reference(const struct swf_trace *trace, int cpus, bool easy, int64_t *start)
{
    size_t done = 0;

    for (size_t i = 0; i < trace->count; i++)
        start[i] = -1;
    for (int64_t now = 0; done < trace->count; now += 1000) {
        int free = cpus;
        int64_t shadow = -1;
        int extra = 0;

        for (size_t i = 0; i < trace->count; i++)
            if (start[i] >= 0 && start[i] + trace->jobs[i].run_ms > now)
                free -= trace->jobs[i].cpus;
        for (size_t i = 0; i < trace->count && trace->jobs[i].submit_ms <= now; i++) {
            const struct swf_job *job = &trace->jobs[i];

            if (start[i] >= 0)
                continue;
            if (job->cpus <= free &&
                (shadow < 0 || now + job->walltime_ms <= shadow || job->cpus <= extra)) {
                if (shadow >= 0 && now + job->walltime_ms > shadow)
                    extra -= job->cpus;
                start[i] = now;
                free -= job->cpus;
                done++;
                continue;
            }
            if (!easy)
                break;
            if (shadow >= 0)
                continue;
            /* The head: when do enough of those that run end, by what they asked for? */
            for (int64_t t = now + 1; shadow < 0; t++) {
                int then = free;
                int64_t next = INT64_MAX;

                for (size_t k = 0; k < trace->count; k++) {
                    int64_t end = start[k] + trace->jobs[k].walltime_ms;

                    if (start[k] < 0 || start[k] + trace->jobs[k].run_ms <= now)
                        continue;
                    end = end > now ? end : now + 1;
                    if (end <= t)
                        then += trace->jobs[k].cpus;
                    else if (end < next)
                        next = end;
                }
                if (then >= job->cpus) {
                    shadow = t;
                    extra = then - job->cpus;
                } else {
                    t = next - 1;
                }
            }
        }
    }
}

static void equals_the_reference(bool easy)
{
    for (uint64_t seed = 1; seed <= 25; seed++) {
        struct lublin wish = { .jobs = 60, .cpus = 16, .users = 5, .load = 1.0 + 0.1 * (double)(seed % 5),
                               .overestimate = seed % 2 ? 3 : 0, .seed = seed };
        own_str char *text = lublin_trace(&wish);
        struct sim_options options = one_cluster(16);
        struct swf_trace trace;
        struct sim_result result;
        int64_t start[60];

        swf_parse(text, strlen(text), &trace);
        for (size_t i = 0; i < trace.count; i++) { /* short enough to go second by second */
            struct swf_job *job = &trace.jobs[i];

            job->run_ms = (job->run_ms / 1000 / 50 + 1) * 1000;
            job->walltime_ms = (job->walltime_ms / 1000 / 50 + 1) * 1000;
            job->submit_ms = job->submit_ms / 1000 / 50 * 1000;
            if (job->walltime_ms < job->run_ms)
                job->walltime_ms = job->run_ms;
        }
        textbook(&options, easy);
        reference(&trace, 16, easy, start);
        sim_run(&options, &trace, &result);
        for (size_t i = 0; i < trace.count; i++)
            if (result.each[i].start_ms != start[i])
                fail_msg("seed %llu job %zu: starts at %lld, reference %lld",
                         (unsigned long long)seed, i, (long long)result.each[i].start_ms,
                         (long long)start[i]);
        sim_result_free(&result);
        swf_free(&trace);
    }
}

static void first_come_first_served_is_the_textbooks(void **state)
{
    (void)state;
    equals_the_reference(false);
}

static void easy_backfill_is_the_textbooks(void **state)
{
    (void)state;
    equals_the_reference(true);
}

static void our_default_is_no_slower_than_easy(void **state)
{
    double ours = 0, easy = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct lublin wish = { .jobs = 3000, .cpus = 128, .users = 40, .load = 0.9,
                               .overestimate = 4, .seed = seed };
        own_str char *text = lublin_trace(&wish);
        struct sim_options options = one_cluster(128);
        struct swf_trace trace;
        struct sim_result result;

        swf_parse(text, strlen(text), &trace);
        sim_run(&options, &trace, &result);
        ours += result.mean_bounded_slowdown;
        sim_result_free(&result);
        textbook(&options, true);
        sim_run(&options, &trace, &result);
        easy += result.mean_bounded_slowdown;
        sim_result_free(&result);
        swf_free(&trace);
    }
    print_message("mean bounded slowdown: ours %.2f, EASY %.2f\n", ours / 4, easy / 4);
    assert_true(ours <= easy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_come_first_served_is_the_textbooks),
        cmocka_unit_test(easy_backfill_is_the_textbooks),
        cmocka_unit_test(our_default_is_no_slower_than_easy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
