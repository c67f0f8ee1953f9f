/* SPDX-License-Identifier: Apache-2.0 */
/* test_script.c - batch scripts: what is honoured, what is warned of, what is a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "conf/expand.h"
#include "conf/job.h"
#include "conf/script.h"
#include "corpus.h"

#define NOW INT64_C(1796108400000) /* 2026-12-01T07:00:00Z */

/* Description (but for the script's text), warnings and faults, a line each. */
static char *outcome(const char *text, size_t length)
{
    struct buf out = BUF_INIT(0);
    struct script script;
    own_str char *dump = NULL;

    script_parse(text, length, "run.sh", NOW, &script);
    json_object_del(script.description, "script");
    dump = json_dumps(script.description, JSON_COMPACT | JSON_SORT_KEYS);
    buf_printf(&out, "%s\n", dump);
    for (size_t i = 0; i < script.warnings.count; i++)
        buf_printf(&out, "W%d: %s\n", script.warnings.list[i].line, script.warnings.list[i].text);
    for (size_t i = 0; i < script.faults.count; i++)
        buf_printf(&out, "F%d: %s\n", script.faults.list[i].line, script.faults.list[i].text);
    script_free(&script);
    return buf_take(&out);
}

static void assert_outcome(const char *text, const char *want)
{
    own_str char *found = outcome(text, strlen(text));

    assert_string_equal(found, want);
}

static void a_script_without_lines_is_its_text(void **state)
{
    struct script script;

    (void)state;
    assert_int_equal(script_parse("#!/bin/sh\necho\n", 15, "run.sh", NOW, &script), 0);
    assert_string_equal(json_string_value(json_object_get(script.description, "name")), "run.sh");
    assert_string_equal(json_string_value(json_object_get(script.description, "script")),
                        "#!/bin/sh\necho\n");
    script_free(&script);
}

static void own_lines_win_over_sbatch_lines(void **state)
{
    (void)state;
    assert_outcome("#!/bin/sh\n"
                   "#SPILLWAY --cpus 8 --name='a b' --input=x\n"
                   "#SBATCH --cpus-per-task=4 -J other\n",
                   "{\"inputs\":[\"x\"],\"name\":\"a b\",\"resources\":{\"cpus\":8}}\n");
}

static void lines_count_until_the_first_command(void **state)
{
    (void)state;
    assert_outcome("#!/bin/sh\n\n  # a comment\n#SBATCH -J a\n##SBATCH -J b\n# SBATCH -J c\n"
                   "#SBATCHX -J d\n  \nset -e\n#SBATCH -J e\n",
                   "{\"name\":\"a\"}\n");
}

static void words_are_split_as_a_shell_does(void **state)
{
    (void)state;
    assert_outcome("#SBATCH --job-name \"a \\\"b\" --comment='c # d' # --hold\n",
                   "{\"comment\":\"c # d\","
                   "\"name\":\"a \\\"b\"}\n");
    assert_outcome("#SBATCH --comment 'open\n",
                   "{\"name\":\"run.sh\"}\nF1: a quote is not closed\n");
}

static void tasks_and_cpus_become_cores(void **state)
{
    (void)state;
    assert_outcome("#SBATCH -n 4 -c2 --mem-per-cpu=1500\n",
                   "{\"name\":\"run.sh\",\"resources\":{\"cpus\":8,\"memory\":\"12000MiB\"}}\n"
                   "W1: 4 tasks are one job of 8 cores: the script starts them itself\n");
    assert_outcome("#SBATCH -N 2-4 --ntasks-per-node=1 -c 16\n",
                   "{\"name\":\"run.sh\",\"resources\":{\"cpus\":16,\"nodes\":2}}\n");
    assert_outcome(
        "#SBATCH --gpus-per-task=A100:2 -n1 --cpus-per-gpu=8 --mem-per-gpu=16G\n",
        "{\"name\":\"run.sh\",\"resources\":{\"cpus\":16,\"gpu_model\":\"A100\",\"gpus\":2,"
        "\"memory\":\"32GiB\"}}\n");
}

static void sizes_and_times_have_slurms_units(void **state)
{
    (void)state;
    assert_outcome("#SBATCH --mem=4096 -t 90 --tmp=10G\n",
                   "{\"name\":\"run.sh\",\"resources\":{\"disk\":\"10GiB\",\"memory\":\"4GiB\","
                   "\"walltime\":\"90m\"}}\n");
    assert_outcome("#SBATCH --mem=512M --time=1-12:00:00\n",
                   "{\"name\":\"run.sh\",\"resources\":{\"memory\":\"512MiB\",\"walltime\":\"1-12:"
                   "00:00\"}}\n");
    assert_outcome(
        "#SBATCH --mem=0 --time=UNLIMITED\n#SBATCH --mem=much\n#SBATCH --mem=99999999999T\n",
        "{\"name\":\"run.sh\"}\n"
        "W1: --mem=0 (all memory of the node) is ignored: say how much the job needs\n"
        "F2: --mem: 'much' is not a size; write it as 4G or 512M\n"
        "F3: --mem: '99999999999T' is not a size; write it as 4G or 512M\n");
}

static void dependencies_and_signals_have_counterparts(void **state)
{
    (void)state;
    assert_outcome(
        "#SBATCH -d afterok:12:13,afternotok:14,aftercorr:15\n#SBATCH --signal=B:USR1@120\n",
        "{\"after\":[{\"each\":false,\"job\":12,\"on\":\"success\"},{\"each\":false,\"job\":13,"
        "\"on\":\"success\"},{\"each\":false,\"job\":14,\"on\":\"failure\"},{\"each\":true,"
        "\"job\":15,\"on\":\"success\"}],\"name\":\"run.sh\",\"signal\":\"USR1@120\"}\n");
    assert_outcome(
        "#SBATCH -d singleton\n#SBATCH -d afterok:x\n",
        "{\"name\":\"run.sh\"}\n"
        "W1: --dependency=singleton is ignored: only afterok, afternotok, afterany and aftercorr "
        "have a counterpart\n"
        "F2: --dependency: 'x' is no job's id\n");
}

static void the_rest_that_is_honoured(void **state)
{
    (void)state;
    assert_outcome(
        "#SBATCH -A lab --nice=50 --licenses=matlab@srv:2,idl --export=NONE,A=b\n"
        "#SBATCH --mail-type=FAIL --mail-user=a@lab.example --no-requeue --requeue -H\n"
        "#SBATCH --gres=gpu:V100:2 --begin=now+2hours --array=0-9%3\n",
        "{\"array\":\"0-9%3\",\"begin\":\"2026-12-01T09:00:00.000Z\",\"environment\":{\"A\":\"b\"},"
        "\"hold\":true,\"limits\":[\"matlab:2\",\"idl\"],\"name\":\"run.sh\",\"notify\":{\"mail\":["
        "\"a@lab.example\"],\"on\":[\"failed\"]},\"priority\":-50,\"project\":\"lab\","
        "\"resources\":"
        "{\"gpu_model\":\"V100\",\"gpus\":2},\"retries\":{\"infra\":0,\"preempt\":0}}\n");
}

static void what_has_no_counterpart_is_named(void **state)
{
    (void)state;
    assert_outcome(
        "#SBATCH -p batch --exclusive\n#SBATCH -o out.%j\n#SBATCH --mail-type=END,ARRAY_TASKS\n",
        "{\"name\":\"run.sh\",\"notify\":{\"on\":[\"succeeded\",\"failed\",\"cancelled\"]}}\n"
        "W1: --partition is ignored: Spillway chooses where a job runs\n"
        "W1: --exclusive is ignored: ask for the cores and the memory that the job needs\n"
        "W2: the log is not written to 'out.%j': the broker keeps it; see 'spillway logs'\n"
        "W3: --mail-type=ARRAY_TASKS is ignored: only BEGIN, END, FAIL and ALL have a counterpart\n"
        "W3: --mail-type without --mail-user: say who is to be told\n");
}

static void what_neither_knows_is_a_fault(void **state)
{
    (void)state;
    assert_outcome(
        "#SBATCH --tme=3 -Z\n#SBATCH word\n#SBATCH --time\n#SPILLWAY --cpu 3\n#SPILLWAY x\n",
        "{\"name\":\"run.sh\"}\n"
        "F1: sbatch has no option --tme; did you mean --time?\n"
        "F1: sbatch has no option -Z\n"
        "F2: 'word' is no option\n"
        "F3: --time needs a value\n"
        "F4: unknown option --cpu; did you mean --cpus?\n"
        "F5: 'x': write options as --name value\n");
}

static void a_problem_found_later_has_its_line(void **state)
{
    const char *text = "#!/bin/sh\n#SBATCH -J a --mem=4\n#SPILLWAY --walltime 0s --env A=1\n";
    struct problems problems = { 0 };
    struct script script;
    struct job_spec spec;

    (void)state;
    assert_int_equal(script_parse(text, strlen(text), "run.sh", NOW, &script), 0);
    assert_int_equal(job_spec_parse(script.description, &spec, &problems), -1);
    assert_int_equal(script_line_of(&script, problems.list[0].pointer), 3);
    assert_int_equal(script_line_of(&script, "/resources/memory"), 2);
    assert_int_equal(script_line_of(&script, "/environment/A"), 3);
    assert_int_equal(script_line_of(&script, "/resources"), 0);
    assert_int_equal(script_line_of(&script, "/names"), 0);
    problems_free(&problems);
    script_free(&script);
}

static void what_is_no_text_is_refused(void **state)
{
    own_str char *found = outcome("#!\0x", 4), *odd = outcome("#!\xff", 3);

    (void)state;
    assert_string_equal(found, "{}\nF1: not a text file in UTF-8\n");
    assert_string_equal(odd, found);
}

static char *call_outcome(const char *text, const char *const *words, size_t count,
                          struct sbatch_call *call)
{
    struct buf out = BUF_INIT(0);
    struct script script;
    own_str char *dump = NULL;

    *call = (struct sbatch_call){ 0 };
    sbatch_parse(text, strlen(text), "run.sh", NOW, words, count, call, &script);
    json_object_del(script.description, "script");
    dump = json_dumps(script.description, JSON_COMPACT | JSON_SORT_KEYS);
    buf_puts(&out, dump);
    for (size_t i = 0; i < script.faults.count; i++)
        buf_printf(&out, " F%d: %s", script.faults.list[i].line, script.faults.list[i].text);
    script_free(&script);
    return buf_take(&out);
}

static void sbatch_itself_takes_what_scripts_only_warn_of(void **state)
{
    static const char *const words[] = { "-HW", "-o", "%j.txt",      "--chdir=/data",
                                         "-c",  "4",  "--wrap=true", "-dsingleton" };
    struct sbatch_call call;
    own_str char *found = call_outcome("#!/bin/sh\n#SBATCH -c 2 -n 3 -o other -J mine\n", words,
                                       sizeof words / sizeof words[0], &call);

    (void)state;
    assert_string_equal(found, "{\"hold\":true,\"name\":\"mine\",\"resources\":{\"cpus\":12}}");
    assert_string_equal(call.output, "%j.txt");
    assert_string_equal(call.chdir, "/data");
    assert_string_equal(call.wrap, "true");
    assert_true(call.wait && call.singleton && !call.parsable);
    assert_int_equal(call.cpus_per_task, 4);
    sbatch_call_free(&call);
}

static void what_sbatch_cannot_do_is_a_fault_there(void **state)
{
    static const char *const words[] = { "--dependency=after:12" };
    struct sbatch_call call;
    own_str char *found = call_outcome("#!/bin/sh\n", words, 1, &call);

    (void)state;
    assert_non_null(strstr(found, "F0: --dependency=after: only afterok"));
    sbatch_call_free(&call);
}

static void options_end_where_the_script_begins(void **state)
{
    static const char *const calls[][6] = {
        { "run.sh", "-n", "4", NULL },
        { "-n", "4", "run.sh", "-x", NULL },
        { "-n4", "--mem", "4G", "run.sh", NULL },
        { "--parsable", "-HQ", "run.sh", NULL },
        { "--mem=4G", "--", "run.sh", NULL },
        { "--wrap", "-n", NULL },
        { NULL },
    };
    static const size_t counts[] = { 0, 2, 3, 2, 1, 2, 0 };

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        assert_int_equal(sbatch_option_words(calls[i]), counts[i]);
}

static void escaped_text_comes_back(void **state)
{
    static const char *const texts[] = { "",
                                         "plain",
                                         "{task}",
                                         "{{task}}",
                                         "a{job}b{name}c",
                                         "{{{index}",
                                         "{scheduled_time} {other} {" };
    const struct job_vars vars = { .job = 12, .index = 7, .name = "fit" };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        own_str char *escaped = job_escape(texts[i], false), *back = job_expand(escaped, &vars);
        own_str char *script = job_escape(texts[i], true), *same = job_expand_script(script, &vars);

        assert_string_equal(back, texts[i]);
        assert_string_equal(same, texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sbatch_itself_takes_what_scripts_only_warn_of),
        cmocka_unit_test(what_sbatch_cannot_do_is_a_fault_there),
        cmocka_unit_test(options_end_where_the_script_begins),
        cmocka_unit_test(escaped_text_comes_back),
        cmocka_unit_test(a_script_without_lines_is_its_text),
        cmocka_unit_test(own_lines_win_over_sbatch_lines),
        cmocka_unit_test(lines_count_until_the_first_command),
        cmocka_unit_test(words_are_split_as_a_shell_does),
        cmocka_unit_test(tasks_and_cpus_become_cores),
        cmocka_unit_test(sizes_and_times_have_slurms_units),
        cmocka_unit_test(dependencies_and_signals_have_counterparts),
        cmocka_unit_test(the_rest_that_is_honoured),
        cmocka_unit_test(what_has_no_counterpart_is_named),
        cmocka_unit_test(what_neither_knows_is_a_fault),
        cmocka_unit_test(a_problem_found_later_has_its_line),
        cmocka_unit_test(what_is_no_text_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
