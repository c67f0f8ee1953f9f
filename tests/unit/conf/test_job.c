/* SPDX-License-Identifier: Apache-2.0 */
/* test_job.c - what a job description becomes: values, defaults, classes, indices, placeholders. */
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
#include "conf/yaml.h"

/* The job of a YAML text; the test fails when there is a problem. */
static struct job_spec job(const char *text)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;
    struct problems problems = { 0 };
    struct err err = ERR_INIT;
    struct job_spec spec;

    if (yaml_parse(text, strlen(text), &docs, &err) < 0)
        fail_msg("%s", err.text);
    if (job_spec_parse(docs.list[0].root, &spec, &problems) < 0)
        fail_msg("%s: %s", problems.list[0].pointer, problems.list[0].text);
    return spec;
}

#define assert_words(list, ...)                                            \
    do {                                                                   \
        const char *const words_[] = { __VA_ARGS__, NULL };                \
        size_t i_ = 0;                                                     \
                                                                           \
        for (; words_[i_]; i_++)                                           \
            assert_string_equal((list)[i_] ? (list)[i_] : "", words_[i_]); \
        assert_null((list)[i_]);                                           \
    } while (0)

static void a_minimal_job_has_defaults(void **state)
{
    struct job_spec spec = job("command: [/opt/bin/call.sh, x]");

    (void)state;
    assert_string_equal(spec.name, "call.sh");
    assert_words(spec.argv, "/opt/bin/call.sh", "x");
    assert_null(spec.script);
    assert_int_equal(spec.option_count, 1);
    assert_int_equal(spec.options[0].cpus.least, 1);
    assert_int_equal(spec.options[0].gpus, 0);
    assert_int_equal(spec.options[0].nodes, 1);
    assert_int_equal(spec.array.size, 0);
    assert_int_equal(spec.retries_user, 0);
    assert_int_equal(spec.retries_infra, -1);
    assert_int_equal(spec.grace_ms, 10000);
    assert_int_equal(spec.placement.tier, TIER_COMMERCIAL);
    assert_true(spec.placement.max_cost < 0);
    assert_null(spec.environment);
    job_spec_free(&spec);
}

static void the_full_example_arrives_whole(void **state)
{
    own_buf struct buf text = BUF_INIT(0);
    struct job_spec spec;

    (void)state;
    assert_int_equal(buf_read_file(&text, "tests/data/jobs/good/reference.yaml", NULL), 0);
    spec = job(buf_text(&text));
    assert_string_equal(spec.name, "variant-calling");
    assert_string_equal(spec.project, "genomics");
    assert_words(spec.argv, "./call.sh", "{task}");
    assert_int_equal(spec.options[0].memory.least, INT64_C(8) << 30);
    assert_int_equal(spec.options[0].walltime_ms, 7200000);
    assert_words(spec.options[0].gpu_models, "V100");
    assert_int_equal(spec.array.size, 100);
    assert_int_equal(spec.array_parallel, 20);
    assert_int_equal(spec.input_count, 2);
    assert_string_equal(spec.inputs[0].to, "call.sh");
    assert_int_equal(spec.inputs[0].size, -1);
    assert_string_equal(spec.inputs[1].to, "ref.fa");
    assert_words(spec.outputs, "results/*.vcf.gz");
    assert_words(spec.environment, "THREADS=4");
    assert_int_equal(spec.after[0].job, 1230);
    assert_int_equal(spec.after[0].on, ON_SUCCESS);
    assert_int_equal(spec.retries_user, 2);
    assert_int_equal(spec.retry_on_exit[0], 75);
    assert_int_equal(spec.backoff_ms, 30000);
    assert_words(spec.placement.prefer, "scigne");
    assert_null(spec.placement.require);
    assert_words(spec.placement.jurisdiction, "FR", "EU");
    assert_true(spec.placement.cloud_act_free);
    assert_int_equal(spec.placement.objective, OBJECTIVE_TIME);
    assert_int_equal(spec.deadline_ms, INT64_C(1796108400000));
    assert_int_equal(spec.priority, 10);
    assert_string_equal(json_string_value(json_object_get(spec.schedule, "cron")), "0 3 * * 1-5");
    job_spec_free(&spec);
}

static void text_is_run_by_the_shell_and_names_the_job(void **state)
{
    struct job_spec spec = job("command: \"/usr/bin/sort -u < a | head\"");

    (void)state;
    assert_words(spec.argv, "/bin/sh", "-c", "/usr/bin/sort -u < a | head");
    assert_string_equal(spec.name, "sort");
    job_spec_free(&spec);
    spec = job("command: [sleep, 30, true]");
    assert_words(spec.argv, "sleep", "30", "true");
    job_spec_free(&spec);
    spec = job("script: echo hello");
    assert_string_equal(spec.script, "#!/bin/sh\necho hello");
    assert_string_equal(spec.name, "script");
    job_spec_free(&spec);
    spec = job("command: [\"/x/a\\tb\"]"); /* no name for a terminal */
    assert_string_equal(spec.name, "job");
    job_spec_free(&spec);
}

static void alternatives_start_from_what_they_share(void **state)
{
    struct job_spec spec =
        job("command: [x]\n"
            "resources:\n"
            "  walltime: 2h\n"
            "  gpu_model: [V100, A100]\n"
            "  ordered: true\n"
            "  any_of: [{gpus: 2}, {gpus: 1, gpu_model: H100, walltime: 1h}, {cpus: 4+}]\n");

    (void)state;
    assert_int_equal(spec.option_count, 3);
    assert_true(spec.options_ordered);
    assert_int_equal(spec.options[0].gpus, 2);
    assert_words(spec.options[0].gpu_models, "V100", "A100");
    assert_int_equal(spec.options[0].walltime_ms, 7200000);
    assert_words(spec.options[1].gpu_models, "H100");
    assert_int_equal(spec.options[1].walltime_ms, 3600000);
    assert_int_equal(spec.options[2].gpus, 1); /* a model asks for one */
    assert_int_equal(spec.options[2].cpus.least, 4);
    assert_true(spec.options[2].cpus.open);
    job_spec_free(&spec);
}

/* Content that is here already needs no source, yet whoever reads the source finds one. */
static void an_input_of_known_content_needs_no_source(void **state)
{
    struct job_spec spec =
        job("command: [x]\ninputs: [{to: a/b, sha256: "
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}]\n");

    (void)state;
    assert_string_equal(spec.inputs[0].to, "a/b");
    assert_string_equal(spec.inputs[0].from, "./a/b");
    job_spec_free(&spec);
}

static void inputs_land_below_the_job(void **state)
{
    struct job_spec spec =
        job("command: [x]\n"
            "inputs: [./a/b.sh, data/, ../up/ref.fa, /abs/cat.csv, "
            "\"https://h.example/x/y.txt?v=1#z\", {from: t, to: ./bin/t, mode: \"0755\"}]\n"
            "outputs: [./x.txt, logs/]\n");

    (void)state;
    assert_string_equal(spec.inputs[0].from, "./a/b.sh");
    assert_string_equal(spec.inputs[0].to, "a/b.sh");
    assert_string_equal(spec.inputs[1].to, "data");
    assert_string_equal(spec.inputs[2].to, "ref.fa");
    assert_string_equal(spec.inputs[3].to, "cat.csv");
    assert_string_equal(spec.inputs[4].to, "y.txt");
    assert_string_equal(spec.inputs[5].to, "bin/t");
    assert_int_equal(spec.inputs[5].mode, 0755);
    assert_words(spec.outputs, "x.txt", "logs/**");
    job_spec_free(&spec);
}

static void short_forms_mean_the_long_ones(void **state)
{
    struct job_spec spec =
        job("command: [x]\n"
            "array: 3\n"
            "after: [12, \"13:failure\", prep, \"prep:any\", {job: 14, each: true}]\n"
            "retries: 3\n"
            "signal: USR1@120\n"
            "limits: [b, \"a:2\"]\n");

    (void)state;
    assert_int_equal(spec.array.size, 3);
    assert_int_equal(index_set_nth(&spec.array, 2), 2);
    assert_int_equal(spec.after[1].job, 13);
    assert_int_equal(spec.after[1].on, ON_FAILURE);
    assert_string_equal(spec.after[2].name, "prep");
    assert_int_equal(spec.after[3].on, ON_ANY);
    assert_true(spec.after[4].each);
    assert_int_equal(spec.retries_user, 3);
    assert_int_equal(spec.signal_early, 10);
    assert_int_equal(spec.signal_before_ms, 120000);
    assert_string_equal(spec.limits[0].name, "a"); /* in one order, whatever was written */
    assert_int_equal(spec.limits[0].count, 2);
    job_spec_free(&spec);
}

static void a_refused_job_is_empty_and_problems_are_bounded(void **state)
{
    own_json json_t *document = json_object();
    struct problems problems = { 0 };
    struct job_spec spec;

    (void)state;
    for (int i = 0; i < PROBLEMS_MOST + 50; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        json_object_set_new(document, key, json_null());
    }
    assert_int_equal(job_spec_parse(document, &spec, &problems), -1);
    assert_int_equal(problems.count, PROBLEMS_MOST);
    assert_int_equal(problems.dropped, 51);
    assert_string_equal(problems.list[3].pointer, "/k3");
    assert_null(spec.name);
    assert_int_equal(spec.option_count, 0);
    problems_free(&problems);
}

static void pointers_are_escaped(void **state)
{
    own_json json_t *document =
        json_pack("{s:[s], s:{s:s}}", "command", "x", "environment", "a/b~c", "1");
    struct problems problems = { 0 };
    struct job_spec spec;

    (void)state;
    assert_int_equal(job_spec_parse(document, &spec, &problems), -1);
    assert_string_equal(problems.list[0].pointer, "/environment/a~1b~0c");
    assert_true(problems.list[0].at_key);
    problems_free(&problems);
}

/* ---- classes
 * ----------------------------------------------------------------------------------------- */

static void a_class_comes_back_as_it_went(void **state)
{
    struct job_spec spec =
        job("command: [x]\n"
            "priority: -3\n"
            "image: \"deb\\\"ian\"\n"
            "limits: [b, {name: a, count: 2}]\n"
            "resources: {cpus: 4+, disk: 1GiB, ordered: true, any_of: [{gpus: 1, gpu_model: "
            "[V100, A100], gpu_memory: 16GiB}, {memory: 3MiB+, nodes: 2, walltime: 1h}]}\n"
            "placement: {sites: {prefer: a, exclude: [b, c], require: d}, tier: partner, "
            "jurisdiction: FR, cloud_act: false, objective: cost, max_cost: 0.1}\n");
    own_str char *key = job_class_key(&spec, "p", "user"), *again = NULL;
    char *project, *user;
    struct job_spec back;
    struct err err = ERR_INIT;

    (void)state;
    if (job_class_parse(key, &back, &project, &user, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(project, "p");
    assert_string_equal(user, "user");
    assert_int_equal(back.priority, -3);
    assert_int_equal(back.option_count, 2);
    assert_true(back.options[1].memory.open);
    assert_int_equal(back.options[1].nodes, 2);
    assert_words(back.placement.exclude, "b", "c");
    assert_int_equal(back.placement.tier, TIER_PARTNER);
    again = job_class_key(&back, project, user);
    assert_string_equal(key, again);
    free(project);
    free(user);
    job_spec_free(&spec);
    job_spec_free(&back);
}

static void a_class_key_is_canonical_json(void **state)
{
    struct job_spec spec = job("command: [x]\nlimits: [b, a]\nresources: {gpus: 1, cpus: 2}");
    own_str char *key = job_class_key(&spec, "p", "u"), *canonical = NULL;
    own_json json_t *parsed = json_loads(key, 0, NULL);

    (void)state;
    canonical = json_canonical(parsed);
    assert_string_equal(key, canonical);
    job_spec_free(&spec);
}

static void what_a_class_does_not_hold_does_not_split_it(void **state)
{
    struct job_spec a = job("name: a\ncommand: [x]\nresources: {cpus: 1}\nenvironment: {A: 1}");
    struct job_spec b = job("command: [y, z]\nafter: [3]\nplacement: {sites: {require: []}}");
    own_str char *key_a = job_class_key(&a, "p", "u"), *key_b = job_class_key(&b, "p", "u");

    (void)state;
    assert_string_equal(key_a, key_b);
    job_spec_free(&a);
    job_spec_free(&b);
}

static void a_damaged_class_is_a_fault(void **state)
{
    static const char *const damaged[] = {
        "",
        "[]",
        "{}",
        "{\"options\":[]}",
        "{\"options\":[3]}",
        "{\"options\":[{\"cpus\":\"x+\"}]}",
        "{\"options\":[{}],\"placement\":{\"tier\":\"x\"}}",
        "{\"options\":[{\"gpu_model\":[1]}]}",
    };

    (void)state;
    for (size_t i = 0; i < array_len(damaged); i++) {
        struct job_spec spec;
        char *project, *user;

        assert_int_equal(job_class_parse(damaged[i], &spec, &project, &user, NULL), -1);
        assert_null(project);
        assert_null(spec.options);
    }
}

/* ---- indices
 * ----------------------------------------------------------------------------------------- */

static void positions_and_indices_agree(void **state)
{
    struct index_set set;

    (void)state;
    assert_int_equal(index_set_parse("3,5,9-12,20-41:5,100-199", &set, NULL), 0);
    assert_int_equal(set.size, 2 + 4 + 5 + 100);
    for (int64_t i = 0, before = -1; i < set.size; i++) {
        int64_t index = index_set_nth(&set, i);

        assert_true(index > before);
        assert_int_equal(index_set_find(&set, index), i);
        before = index;
    }
    assert_int_equal(index_set_find(&set, 4), -1);
    assert_int_equal(index_set_find(&set, 21), -1);
    assert_int_equal(index_set_find(&set, 41), -1); /* the step does not reach it */
    assert_int_equal(index_set_find(&set, 200), -1);
    assert_int_equal(index_set_find(&set, -1), -1);
    index_set_free(&set);
}

static void sets_that_make_no_sense_are_refused(void **state)
{
    static const char *const bad[] = { "",      ",",   "1,",           "1-",        "-1",
                                       "1-2-3", "a",   "5-1",          "1-9:0",     "1-5,5-9",
                                       "1,1",   "1 2", "0-4294967295", "0-10000000" };
    struct index_set set = { 0 };

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++)
        if (index_set_parse(bad[i], &set, NULL) == 0)
            fail_msg("'%s' was taken", bad[i]);
    assert_int_equal(set.size, 0);
}

/* ---- placeholders
 * ------------------------------------------------------------------------------------ */

static void placeholders_are_filled_and_other_braces_left(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "out-{task}.txt", "out-7.txt" },
        { "{job}/{index}/{name}", "1234/7/a b" },
        { "{{task}} {task}", "{task} 7" },
        { "{{{task}}}", "{{task}}" },
        { "${HOME} {x} { } {} {task", "${HOME} {x} { } {} {task" },
        { "awk '{{print}}'", "awk '{{print}}'" },
        { "{scheduled_time} {previous_success}", "T {previous_success}" },
        { "{\"a\": {task}}", "{\"a\": 7}" },
        { "", "" },
    };
    const struct job_vars vars = { .job = 1234, .index = 7, .name = "a b", .scheduled_time = "T" };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        own_str char *found = job_expand(cases[i].text, &vars);

        assert_string_equal(found, cases[i].want);
    }
    assert_false(job_expands("plain"));
    assert_true(job_expands("{task}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minimal_job_has_defaults),
        cmocka_unit_test(the_full_example_arrives_whole),
        cmocka_unit_test(text_is_run_by_the_shell_and_names_the_job),
        cmocka_unit_test(alternatives_start_from_what_they_share),
        cmocka_unit_test(an_input_of_known_content_needs_no_source),
        cmocka_unit_test(inputs_land_below_the_job),
        cmocka_unit_test(short_forms_mean_the_long_ones),
        cmocka_unit_test(a_refused_job_is_empty_and_problems_are_bounded),
        cmocka_unit_test(pointers_are_escaped),
        cmocka_unit_test(a_class_comes_back_as_it_went),
        cmocka_unit_test(a_class_key_is_canonical_json),
        cmocka_unit_test(what_a_class_does_not_hold_does_not_split_it),
        cmocka_unit_test(a_damaged_class_is_a_fault),
        cmocka_unit_test(positions_and_indices_agree),
        cmocka_unit_test(sets_that_make_no_sense_are_refused),
        cmocka_unit_test(placeholders_are_filled_and_other_braces_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
