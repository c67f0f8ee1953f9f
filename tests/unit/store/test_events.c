/* SPDX-License-Identifier: Apache-2.0 */
/* test_events.c - what happened, in order, resumable, for those who may see it. */
#include "fixture.h"

struct heard {
    char text[2000]; /* "id:kind:job " */
    int64_t last;
};

static bool hear(void *arg, const struct event_row *row)
{
    struct heard *heard = arg;
    size_t used = strlen(heard->text);

    snprintf(heard->text + used, sizeof heard->text - used, "%s:%lld ", row->kind,
             (long long)row->job);
    assert_true(row->id > heard->last);
    heard->last = row->id;
    return true;
}

static const char *events(struct fixture *f, struct event_filter filter, struct heard *heard)
{
    if (!filter.limit)
        filter.limit = 1000;
    *heard = (struct heard){ 0 };
    assert_ok(f, store_events(f->store, &filter, hear, heard, &f->err));
    return heard->text;
}

static void a_job_tells_its_story(void **state)
{
    struct fixture *f = *state;
    struct heard heard;
    int64_t worker = worker_ready(f, "w"), before = store_event_last(f->store);
    int64_t job = submit(f, plain_job("one")), attempt;

    submit(f, plain_job("other"));
    attempt = lease(f, job, 0, worker);
    tell(f, worker, report_of(attempt, TASK_RUNNING));
    ends(f, worker, attempt, TASK_SUCCEEDED);
    assert_string_equal(events(f, (struct event_filter){ .job = job }, &heard),
                        "job.submitted:1 task.leased:1 task.running:1 task.ended:1 job.ended:1 ");
    events(f, (struct event_filter){ .after = before }, &heard);
    assert_int_equal(heard.last, store_event_last(f->store));
    assert_int_equal(heard.last, before + 6);
}

/* One row for the jobs of a submission reads as one event each, from any place on. */
static void a_submission_is_as_many_events(void **state)
{
    struct fixture *f = *state;
    struct new_job jobs[5];
    struct submission submission = { .jobs = jobs, .count = 5, .user = "ada" };
    struct heard heard;

    for (int i = 0; i < 5; i++)
        jobs[i] = plain_job("many");
    jobs[4].project = "physics";
    assert_ok(f, store_submit(f->store, &submission, &f->err));
    submit(f, plain_job("after"));
    assert_string_equal(events(f, (struct event_filter){ 0 }, &heard),
                        "job.submitted:1 job.submitted:2 job.submitted:3 job.submitted:4 "
                        "job.submitted:5 job.submitted:6 ");
    assert_string_equal(events(f, (struct event_filter){ .after = 2, .limit = 3 }, &heard),
                        "job.submitted:3 job.submitted:4 job.submitted:5 ");
    for (int64_t job = 1; job <= 6; job++) {
        own_str char *one = xasprintf("job.submitted:%lld ", (long long)job);

        assert_string_equal(events(f, (struct event_filter){ .job = job }, &heard), one);
        assert_int_equal(heard.last, job);
        assert_string_equal(events(f, (struct event_filter){ .job = job, .after = job }, &heard),
                            "");
    }
    fixture_again(f);
    assert_int_equal(store_event_last(f->store), 6);
    submit(f, plain_job("later"));
    assert_int_equal(store_event_last(f->store), 7);
}

static void each_sees_her_own_and_her_projects(void **state)
{
    struct fixture *f = *state;
    const char *const projects[] = { "physics", NULL };
    struct new_job job = plain_job("x");
    struct event_row fault = {
        .kind = "site.fault", .index = -1, .site = "otc", .detail = "quota"
    };
    struct heard heard;

    submit(f, job);
    job.user = "bob";
    submit(f, job);
    job.project = "physics";
    submit(f, job);
    assert_ok(f, store_event_add(f->store, &fault, &f->err));
    assert_string_equal(events(f, (struct event_filter){ .user = "ada" }, &heard),
                        "job.submitted:1 ");
    assert_string_equal(
        events(f, (struct event_filter){ .user = "ada", .projects = projects }, &heard),
        "job.submitted:1 job.submitted:3 ");
    assert_string_equal(events(f, (struct event_filter){ 0 }, &heard),
                        "job.submitted:1 job.submitted:2 job.submitted:3 site.fault:0 ");
}

static void a_commit_that_only_added_events_wakes_too(void **state)
{
    struct fixture *f = *state;
    struct event_row fault = { .kind = "site.fault", .index = -1, .site = "otc" };

    assert_ok(f, store_event_add(f->store, &fault, &f->err));
    assert_int_equal(f->seen.empty, 1);
    assert_int_equal(store_event_last(f->store), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)
    const struct CMUnitTest tests[] = {
        TEST(a_job_tells_its_story),
        TEST(a_submission_is_as_many_events),
        TEST(each_sees_her_own_and_her_projects),
        TEST(a_commit_that_only_added_events_wakes_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
