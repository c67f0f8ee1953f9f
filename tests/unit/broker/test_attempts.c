/* SPDX-License-Identifier: Apache-2.0 */
/* test_attempts.c - who pays for an attempt that ended, and whether the task runs again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those that it needs */
#include <cmocka.h>

#include "attempts.h"

static const struct budgets budgets = { .infra = 3, .preempt = 5, .backoff_ms = 1000 };

static struct job_spec spec_of(int user)
{
    return (struct job_spec){
        .retries_user = user, .retries_infra = -1, .retries_preempt = -1, .backoff_ms = 30000
    };
}

static struct report judged(const struct task_row *task, const struct job_spec *spec,
                            enum task_state state, enum reason reason, int exit_code)
{
    struct report report = {
        .attempt = 7, .state = state, .reason = reason, .exit_code = exit_code
    };

    attempt_judge(task, spec, &budgets, 1000000, &report);
    return report;
}

static void success_is_success(void **state)
{
    struct task_row task = { .cancel_asked = true };
    struct job_spec spec = spec_of(0);

    (void)state;
    /* also when a cancel came too late to stop it */
    assert_int_equal(judged(&task, &spec, TASK_SUCCEEDED, REASON_NONE, 0).next, TASK_SUCCEEDED);
}

static void a_lost_worker_costs_the_user_nothing(void **state)
{
    struct task_row task = { .user_retries = 0 };
    struct job_spec spec = spec_of(0);
    struct report report = judged(&task, &spec, TASK_FAILED, REASON_LOST, -1);

    (void)state;
    assert_int_equal(report.next, TASK_PENDING);
    assert_int_equal(report.budget, BLAME_INFRA);
    assert_int_equal(report.not_before_ms, 0); /* the first goes elsewhere at once */
    task.infra_retries = 1;
    assert_true(judged(&task, &spec, TASK_FAILED, REASON_LOST, -1).not_before_ms >= 1001000);
    task.infra_retries = 3;
    assert_int_equal(judged(&task, &spec, TASK_FAILED, REASON_LOST, -1).next, TASK_FAILED);
}

static void every_infrastructure_reason_is_ours(void **state)
{
    static const enum reason ours[] = { REASON_BOOT, REASON_IMAGE, REASON_NETWORK, REASON_LOST };
    struct task_row task = { .user_retries = 0 };
    struct job_spec spec = spec_of(0);

    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_int_equal(judged(&task, &spec, TASK_FAILED, ours[i], -1).budget, BLAME_INFRA);
    assert_int_equal(judged(&task, &spec, TASK_FAILED, REASON_PREEMPTED, -1).budget, BLAME_PREEMPT);
}

static void the_user_pays_for_her_own_faults(void **state)
{
    static const enum reason hers[] = { REASON_USER_EXIT, REASON_SIGNAL,   REASON_WALLTIME,
                                        REASON_MEMORY,    REASON_STAGE_IN, REASON_STAGE_OUT,
                                        REASON_NO_IMAGE };
    struct task_row task = { .user_retries = 1 };
    struct job_spec spec = spec_of(1);

    (void)state;
    for (size_t i = 0; i < sizeof hers / sizeof *hers; i++) {
        struct report report = judged(&task, &spec, TASK_FAILED, hers[i], 1);

        assert_int_equal(report.next, TASK_FAILED);
        assert_int_equal(report.budget, BLAME_USER);
    }
    task.user_retries = 0;
    assert_int_equal(judged(&task, &spec, TASK_FAILED, REASON_USER_EXIT, 1).next, TASK_PENDING);
}

static void only_named_exits_are_retried(void **state)
{
    int exits[] = { 75 };
    struct task_row task = { .user_retries = 0 };
    struct job_spec spec = spec_of(5);

    (void)state;
    spec.retry_on_exit = exits;
    spec.retry_on_exit_count = 1;
    assert_int_equal(judged(&task, &spec, TASK_FAILED, REASON_USER_EXIT, 75).next, TASK_PENDING);
    assert_int_equal(judged(&task, &spec, TASK_FAILED, REASON_USER_EXIT, 1).next, TASK_FAILED);
    assert_int_equal(judged(&task, &spec, TASK_FAILED, REASON_WALLTIME, -1).next, TASK_FAILED);
}

static void back_off_grows_and_is_bounded(void **state)
{
    struct task_row task = { .user_retries = 0 };
    struct job_spec spec = spec_of(1000);
    int64_t before = 0;

    (void)state;
    for (task.user_retries = 0; task.user_retries < 40; task.user_retries++) {
        int64_t wait =
            judged(&task, &spec, TASK_FAILED, REASON_USER_EXIT, 1).not_before_ms - 1000000;

        assert_true(wait >= before || wait >= 3600000);
        assert_true(wait <= 3600000 + 3600000 / 4);
        before = wait < 3600000 ? wait : before;
    }
}

static void a_cancelled_task_ends_cancelled_whatever_it_died_of(void **state)
{
    struct task_row task = { .cancel_asked = true };
    struct job_spec spec = spec_of(9);

    (void)state;
    assert_int_equal(judged(&task, &spec, TASK_FAILED, REASON_SIGNAL, -1).next, TASK_CANCELLED);
    assert_int_equal(judged(&task, &spec, TASK_FAILED, REASON_LOST, -1).next, TASK_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_is_success),
        cmocka_unit_test(a_lost_worker_costs_the_user_nothing),
        cmocka_unit_test(every_infrastructure_reason_is_ours),
        cmocka_unit_test(the_user_pays_for_her_own_faults),
        cmocka_unit_test(only_named_exits_are_retried),
        cmocka_unit_test(back_off_grows_and_is_bounded),
        cmocka_unit_test(a_cancelled_task_ends_cancelled_whatever_it_died_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
