/* SPDX-License-Identifier: Apache-2.0 */
/* test_timer.c - broker/cron/timer.c: the thread wakes for what is added, and stops when told. */
#include "../store/fixture.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "cron/plan.h"
#include "cron/timer.h"

static int64_t add(struct fixture *f, const char *name, const char *rule)
{
    own_str char *spec =
        xasprintf("{\"name\":\"%s\",\"command\":[\"true\"],\"schedule\":%s}", name, rule);
    struct schedule_put put = { .name = name,
                                .project = "genomics",
                                .user = "ada",
                                .rule = rule,
                                .spec = spec,
                                .mark_utc = clock_wall_ms() / 1000 - 1,
                                .mark_local = CRON_NEVER };

    assert_ok(f, store_schedule_put(f->store, &put, 1, &f->err));
    return put.id;
}

struct told {
    pthread_mutex_t lock;
    pthread_cond_t some;
    int count;
    int64_t job;
};

static void on_ended(void *arg, const struct schedule_row *row, const struct ended_run *run)
{
    struct told *told = arg;

    assert_string_equal(row->name, "often");
    pthread_mutex_lock(&told->lock);
    told->count++;
    told->job = run->job;
    pthread_cond_signal(&told->some);
    pthread_mutex_unlock(&told->lock);
}

static bool take_job(void *arg, const struct firing_row *row)
{
    if (row->job)
        *(int64_t *)arg = row->job; /* the oldest comes last */
    return true;
}

static int64_t first_job(struct fixture *f, int64_t id)
{
    int64_t job = 0;

    for (int i = 0; i < 3000 && !job; i++) {
        assert_ok(f, store_firings(f->store, id, INT64_MAX, 1000, take_job, &job, &f->err));
        if (!job)
            clock_sleep_ms(10);
    }
    assert_true(job > 0);
    return job;
}

static void fires_what_is_added_and_tells_of_the_end(void **state)
{
    struct fixture *f = *state;
    struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER };
    struct timer_options options = { .store = f->store, .ended = on_ended, .arg = &told };
    struct timer *timer = NULL;
    int64_t id, job, worker;

    assert_ok(f, timer_start(&options, &timer, &f->err));
    id = add(f, "often", "{\"cron\":\"* * * * * *\"}");
    job = first_job(f, id);
    worker = worker_ready(f, "w");
    ends(f, worker, lease(f, job, 0, worker), TASK_FAILED);
    pthread_mutex_lock(&told.lock);
    while (told.count == 0) /* the runner's limit ends a wait that is in vain */
        pthread_cond_wait(&told.some, &told.lock);
    assert_int_equal(told.job, job);
    pthread_mutex_unlock(&told.lock);
    assert_int_equal(store_schedule_rm(f->store, id, "ada", &f->err), 0);
    timer_stop(timer);
    /* Nobody is called any more. */
    add(f, "later", "{\"cron\":\"* * * * * *\"}");
}

static void stops_at_once_with_nothing_to_do(void **state)
{
    struct fixture *f = *state;
    struct timer_options options = { .store = f->store };
    struct timer *timer = NULL;

    add(f, "seldom", "{\"cron\":\"0 0 29 2 *\"}");
    assert_ok(f, timer_start(&options, &timer, &f->err));
    timer_stop(timer);
    timer_stop(NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_up, fixture_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fires_what_is_added_and_tells_of_the_end),
        TEST(stops_at_once_with_nothing_to_do),
    };

    log_open("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
