/* SPDX-License-Identifier: Apache-2.0 */
/* test_sim.c - the simulator against the textbook, and against itself. */
#include "base/own.h"
#include "lublin.h"
#include "sched/sim.h"
#include "world.h"

#define HOUR INT64_C(3600000)

/* ---- one cluster ------------------------------------------------------------------------------
 */

static struct sched_shape cluster_shape = { .name = "cluster", .price_hour = -1 };
static struct sim_site cluster = { .name = "home",
                                   .tier = TIER_HOME,
                                   .shapes = &cluster_shape,
                                   .shape_count = 1,
                                   .max_workers = 1,
                                   .fixed = 1,
                                   .idle_ms = -1 };

static struct sim_options one_cluster(int cpus)
{
    const struct sched_params params = SCHED_PARAMS_DEFAULT;

    cluster_shape.room =
        (struct room){ .cpus = cpus, .memory = INT64_C(1) << 46, .disk = INT64_C(1) << 46 };
    return (struct sim_options){ .sites = &cluster,
                                 .site_count = 1,
                                 .params = params,
                                 .half_life_ms = 7 * 24 * HOUR,
                                 .seed = 1,
                                 .tick_ms = 1000 };
}

static void textbook(struct sim_options *options, bool backfill)
{
    options->params.order = SCHED_ORDER_AGE;
    options->params.backfill = backfill;
    options->params.reservations = 1;
    options->params.reserve_after_ms = 0;
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
        struct lublin wish = { .jobs = 60,
                               .cpus = 16,
                               .users = 5,
                               .load = 1.0 + 0.1 * (double)(seed % 5),
                               .overestimate = seed % 2 ? 3 : 0,
                               .seed = seed };
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
        struct lublin wish = {
            .jobs = 3000, .cpus = 128, .users = 40, .load = 0.9, .overestimate = 4, .seed = seed
        };
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

/* ---- what must hold of every run --------------------------------------------------------------
 */

#define SITES 4

struct cloud {
    struct sched_shape shapes[SITES][2];
    struct sched_quota quotas[SITES][2];
    struct sim_site sites[SITES];
    struct sim_options options;
};

static void make_cloud(struct cloud *c)
{
    static const int64_t cores[SITES] = { 0, 24, 40, 64 };

    memset(c, 0, sizeof *c);
    c->options = one_cluster(32);
    c->sites[0] = cluster;
    for (int s = 1; s < SITES; s++) {
        for (int i = 0; i < 2; i++)
            c->shapes[s][i] =
                (struct sched_shape){ .name = i ? "m16" : "m4",
                                      .room = { i ? 16 : 4, INT64_C(1) << 46, INT64_C(1) << 46, 0 },
                                      .price_hour = s == 3 ? 0.05 * (i ? 16 : 4) : 0 };
        c->quotas[s][0] = (struct sched_quota){
            .name = "cores", .kind = SCHED_QUOTA_CORES, .limit = cores[s], .others = s == 2 ? 8 : 0
        };
        c->quotas[s][1] =
            (struct sched_quota){ .name = "workers", .kind = SCHED_QUOTA_WORKERS, .limit = 5 };
        c->sites[s] = (struct sim_site){ .name = s == 3 ? "paid" : "lent",
                                         .tier = s == 3 ? TIER_COMMERCIAL : TIER_PARTNER,
                                         .shapes = c->shapes[s],
                                         .shape_count = 2,
                                         .quotas = c->quotas[s],
                                         .quota_count = 2,
                                         .max_workers = -1,
                                         .boot_ms = 120000 * s,
                                         .boot_spread = 0.5,
                                         .boot_failures = 0.1,
                                         .lifetime_ms = 20 * HOUR,
                                         .teardown_ms = 30000,
                                         .overflow_after_ms = 300000,
                                         .idle_ms = 300000 };
    }
    c->options.sites = c->sites;
    c->options.site_count = SITES;
}

static void make_trace(struct swf_trace *trace, uint64_t seed, int jobs, double load)
{
    struct lublin wish = {
        .jobs = jobs, .cpus = 32, .users = 12, .load = load, .overestimate = 3, .seed = seed
    };
    own_str char *text = lublin_trace(&wish);

    swf_parse(text, strlen(text), trace);
}

/* From the starts and ends alone: at no time do more cpus run at a site than it may give. */
static void no_site_gives_more_than_it_has(const struct cloud *c, const struct swf_trace *trace,
                                           const struct sim_result *result)
{
    static const int64_t most[SITES] = { 32, 24, 32, 64 };

    (void)c;
    for (size_t i = 0; i < trace->count; i++) {
        int64_t at = result->each[i].start_ms, busy = 0;

        assert_true(at >= trace->jobs[i].submit_ms);
        assert_true(result->each[i].end_ms >= at + trace->jobs[i].run_ms);
        for (size_t k = 0; k < trace->count; k++)
            if (result->each[k].site == result->each[i].site && result->each[k].start_ms <= at &&
                result->each[k].start_ms + trace->jobs[k].run_ms > at)
                busy += trace->jobs[k].cpus;
        assert_true(busy <= most[result->each[i].site]);
    }
}

static void every_job_ends_once_whatever_breaks(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct cloud cloud;
        struct swf_trace trace;
        struct sim_result result;
        int64_t lost = 0, failed = 0;

        make_cloud(&cloud);
        cloud.options.seed = seed;
        make_trace(&trace, seed, 1500, 1.3);
        sim_run(&cloud.options, &trace, &result);
        assert_int_equal(result.jobs, (int64_t)trace.count);
        assert_int_equal(result.unplaced, 0);
        no_site_gives_more_than_it_has(&cloud, &trace, &result);
        for (int s = 1; s < SITES; s++) {
            lost += result.sites[s].workers_lost;
            failed += result.sites[s].boots_failed;
        }
        assert_true(lost > 0 && failed > 0 && result.overflowed > 0 && result.cost > 0);
        sim_result_free(&result);
        swf_free(&trace);
    }
}

static void same_input_same_output(void **state)
{
    struct buf first = BUF_INIT(0), again = BUF_INIT(0), other = BUF_INIT(0);

    (void)state;
    for (int round = 0; round < 3; round++) {
        struct cloud cloud;
        struct swf_trace trace;
        struct sim_outcome outcome = { .policy = "default" };
        struct buf *out = round == 0 ? &first : round == 1 ? &again : &other;

        make_cloud(&cloud);
        cloud.options.seed = round == 2 ? 99 : 7;
        make_trace(&trace, 3, 2000, 1.2);
        sim_run(&cloud.options, &trace, &outcome.result);
        sim_json(&cloud.options, &outcome, 1, out);
        sim_text(&cloud.options, &outcome, 1, out);
        sim_plot(&cloud.options, &trace, &outcome, 1, out);
        sim_result_free(&outcome.result);
        swf_free(&trace);
    }
    assert_string_equal(buf_text(&first), buf_text(&again));
    assert_string_not_equal(buf_text(&first), buf_text(&other));
    buf_free(&first);
    buf_free(&again);
    buf_free(&other);
}

/* ---- fairness and starvation -------------------------------------------------------------------
 */

static double wait_of_user(const struct swf_trace *trace, const struct sim_result *result,
                           int64_t user)
{
    double sum = 0;
    int count = 0;

    for (size_t i = 0; i < trace->count; i++)
        if (trace->user_ids[trace->jobs[i].user] == user) {
            sum += (double)(result->each[i].start_ms - trace->jobs[i].submit_ms);
            count++;
        }
    return sum / count / 1000;
}

static void put_jobs(struct buf *out, int *number, int count, int at, int run, int cpus, int user)
{
    for (int i = 0; i < count; i++)
        buf_printf(out, "%d %d -1 %d %d -1 -1 %d %d -1 1 %d %d -1 1 -1 -1 -1\n", ++*number, at, run,
                   cpus, cpus, run, user, user);
}

static double small_users_wait(int others, int cpus)
{
    struct buf text = BUF_INIT(0);
    struct sim_options options = one_cluster(cpus);
    struct swf_trace trace;
    struct sim_result result;
    int number = 0;
    double wait;

    /* Of many lengths, so that slots come free one by one. */
    for (int i = 0; i < others; i++)
        put_jobs(&text, &number, 1, 0, 31 + i * 7 % 60, 1, 1);
    put_jobs(&text, &number, 10, 615, 60, 1, 2);
    swf_parse(buf_text(&text), text.length, &trace);
    sim_run(&options, &trace, &result);
    wait = wait_of_user(&trace, &result, 2);
    sim_result_free(&result);
    swf_free(&trace);
    buf_free(&text);
    return wait;
}

static void a_user_of_ten_tasks_is_not_drowned_by_a_hundred_thousand(void **state)
{
    /* Alone with her share: half of the cluster. */
    double beside = small_users_wait(100000, 16), alone = small_users_wait(0, 8);

    (void)state;
    print_message("small user's wait: %.0f s beside 100,000 tasks, %.0f s alone on her share\n",
                  beside, alone);
    assert_true(beside <= 2 * alone);
}

static void a_wide_job_is_not_starved_by_a_stream_of_narrow_ones(void **state)
{
    struct buf text = BUF_INIT(0);
    struct sim_options options = one_cluster(16);
    struct swf_trace trace;
    struct sim_result result;
    int number = 0;

    (void)state;
    /* A narrow job of ten minutes every 20 s, for days: more than the cluster can take. */
    for (int at = 0; at < 200000; at += 20)
        put_jobs(&text, &number, 1, at, 600, 1, 1);
    put_jobs(&text, &number, 1, 5000, 600, 16, 2);
    swf_parse(buf_text(&text), text.length, &trace);
    sim_run(&options, &trace, &result);
    /* reserve_after, then what runs ends: no later than a narrow job's length after that. */
    assert_true(wait_of_user(&trace, &result, 2) <= 300 + 600 + 2);
    sim_result_free(&result);
    swf_free(&trace);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_come_first_served_is_the_textbooks),
        cmocka_unit_test(easy_backfill_is_the_textbooks),
        cmocka_unit_test(our_default_is_no_slower_than_easy),
        cmocka_unit_test(every_job_ends_once_whatever_breaks),
        cmocka_unit_test(same_input_same_output),
        cmocka_unit_test(a_user_of_ten_tasks_is_not_drowned_by_a_hundred_thousand),
        cmocka_unit_test(a_wide_job_is_not_starved_by_a_stream_of_narrow_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
