/* SPDX-License-Identifier: Apache-2.0 */
/* test_slurm_home.c - broker/sites/slurm/home_text.c, on lines as Slurm 22.05 prints them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/own.h"
#include "sites/slurm/home.h"

#define LINE(id, reason, start, user, nodes, dependency)                           \
    id "\037" reason "\0371780000000\037" start "\037" user "\037lab\037batch\037" \
       "normal\037" nodes "\037" dependency "\037/home/ada/w\037a | name\037away: me"

static bool read_line(const char *line, struct home_job *out)
{
    own_str char *copy = xstrdup(line);

    return home_job_read(copy, "ada", out);
}

static enum home_state state_of(const char *line)
{
    struct home_job job;
    enum home_state state;

    assert_true(read_line(line, &job));
    state = job.state;
    home_job_free(&job);
    return state;
}

static void a_waiting_job_is_read(void **state)
{
    struct home_job job;

    (void)state;
    assert_true(read_line(LINE("8", "Resources", "1780003600", "ada", "1", "(null)"), &job));
    assert_string_equal(job.id, "8");
    assert_string_equal(job.user, "ada");
    assert_string_equal(job.account, "lab");
    assert_string_equal(job.partition, "batch");
    assert_string_equal(job.folder, "/home/ada/w");
    assert_string_equal(job.name, "a | name");
    assert_string_equal(job.comment, "away: me");
    assert_true(job.submitted_ms == 1780000000000);
    assert_true(job.start_ms == 1780003600000);
    assert_true(job.mine);
    assert_int_equal(job.state, HOME_WAITS);
    home_job_free(&job);
    assert_true(read_line(LINE("8", "Priority", "N/A", "ben", "1", "(null)"), &job));
    assert_true(job.start_ms == -1);
    assert_false(job.mine);
    home_job_free(&job);
    assert_false(read_line("8\037Resources\037", &job));
    assert_false(read_line("", &job));
}

static void only_what_waits_for_room_may_go(void **state)
{
    (void)state;
    assert_int_equal(state_of(LINE("8", "QOSMaxCpuPerUserLimit", "N/A", "ada", "1", "(null)")),
                     HOME_WAITS);
    assert_int_equal(state_of(LINE("8", "JobHeldUser", "N/A", "ada", "1", "(null)")), HOME_HELD);
    assert_int_equal(state_of(LINE("8", "Dependency", "N/A", "ada", "1", "afterok:7")), HOME_STAYS);
    assert_int_equal(state_of(LINE("8", "BeginTime", "N/A", "ada", "1", "(null)")), HOME_STAYS);
    assert_int_equal(state_of(LINE("8", "Resources", "N/A", "ada", "2", "(null)")), HOME_STAYS);
    assert_int_equal(state_of(LINE("8_[1-9]", "Priority", "N/A", "ada", "1", "(null)")),
                     HOME_STAYS);
    assert_int_equal(state_of(LINE("8+0", "Priority", "N/A", "ada", "1", "(null)")), HOME_STAYS);
}

static const char detail[] =
    "JobId=8 JobName=x TRES=cpu=64 UserId=ada(1001) TimeLimit=1-00:10:00 StartTime=Unknown "
    "NumNodes=1 NumCPUs=4 ReqB:S:C:T=0:0:*:* TRES=cpu=4,mem=1.50G,node=1,billing=4,gres/gpu=2 "
    "Features=(null) OverSubscribe=OK Licenses=(null) Network=(null) ReqNodeList=(null) "
    "Command=/home/ada/w/job.sh -a b WorkDir=/home/ada/my w StdErr=/home/ada/my w/e-%j "
    "StdIn=/dev/null StdOut=out-%x-%4j%% Power= TresPerNode=gres:gpu:V100:2 ";

static struct home_job job_of(const char *line)
{
    struct home_job job = { .id = xstrdup("8"),
                            .user = xstrdup("ada"),
                            .name = xstrdup("x"),
                            .folder = xstrdup("/home/ada/my w") };

    home_detail_read(line, &job);
    return job;
}

static void the_details_are_read(void **state)
{
    struct home_job job = job_of(detail);

    (void)state;
    assert_int_equal(job.cpus, 4);
    assert_true(job.memory == (int64_t)1536 << 20);
    assert_int_equal(job.gpus, 2);
    assert_string_equal(job.gpu_model, "V100");
    assert_true(job.walltime_ms == (int64_t)(24 * 60 + 10) * 60000);
    assert_string_equal(job.errors, "/home/ada/my w/e-8");
    assert_string_equal(job.out, "/home/ada/my w/out-x-8%");
    assert_false(job.bound);
    home_job_free(&job);
}

static void what_is_bound_to_its_cluster_is_known(void **state)
{
    static const char *const binding[] = { "Features=skylake", "Licenses=matlab:1",
                                           "ReqNodeList=n[1-2]", "OverSubscribe=NO",
                                           "TRES=cpu=4,node=2" };

    (void)state;
    for (size_t i = 0; i < array_len(binding); i++) {
        own_str char *line = xasprintf("JobId=8 %s StdOut=/o", binding[i]);
        struct home_job job = job_of(line);

        assert_true(job.bound);
        home_job_free(&job);
    }
}

static void mail_is_for_an_address(void **state)
{
    struct home_job job =
        job_of("JobId=8 JobName=x MailUser=ada@lab.example MailType=BEGIN,FAIL Power=");

    (void)state;
    assert_string_equal(job.mail_to, "ada@lab.example");
    assert_int_equal(job.mail_on, MAIL_BEGIN | MAIL_FAIL);
    home_detail_read("JobId=8 JobName=x MailUser=ada MailType=END Power=", &job);
    assert_null(job.mail_to);
    home_detail_read("JobId=8 JobName=x Power=", &job);
    assert_int_equal(job.mail_on, 0);
    home_job_free(&job);
}

/* ---- several scripts, one command */

static void words_of_a_script_are_its_own(void **state)
{
    own_str char *text = xstrdup("one\n\nmark 0 \n\nmark 1 no such job\nthree\nmark 0");
    size_t left = strlen(text);
    struct home_part part;
    char *at = text;

    (void)state;
    assert_true(home_part_next(&at, &left, "mark", &part));
    assert_string_equal(part.text, "one\n");
    assert_int_equal(part.length, 4);
    assert_int_equal(part.status, 0);
    assert_string_equal(part.errors, "");
    assert_true(home_part_next(&at, &left, "mark", &part));
    assert_string_equal(part.text, "");
    assert_int_equal(part.status, 1);
    assert_string_equal(part.errors, "no such job");
    assert_false(home_part_next(&at, &left, "mark", &part)); /* its end is not whole */
}

static void a_status_that_is_none_ends_it(void **state)
{
    own_str char *text = xstrdup("one\nmark 256 \ntwo\nmark x\n");
    size_t left = strlen(text), none = 0;
    struct home_part part;
    char *at = text, *nothing = NULL;

    (void)state;
    assert_false(home_part_next(&at, &left, "mark", &part));
    assert_false(home_part_next(&nothing, &none, "mark", &part));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_waiting_job_is_read),
        cmocka_unit_test(only_what_waits_for_room_may_go),
        cmocka_unit_test(the_details_are_read),
        cmocka_unit_test(what_is_bound_to_its_cluster_is_known),
        cmocka_unit_test(mail_is_for_an_address),
        cmocka_unit_test(words_of_a_script_are_its_own),
        cmocka_unit_test(a_status_that_is_none_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
