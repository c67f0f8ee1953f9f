/* SPDX-License-Identifier: Apache-2.0 */
/* test_args.c - broker/cli/args.c: command lines by table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/own.h"
#include "cli/args.h"

static const struct option globals[] = {
    { "json", 0, NULL, "as JSON", COMPLETES_NOTHING },
    { "help", 'h', NULL, "help", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};
static const struct option list_options[] = {
    { "all", 'a', NULL, "all of them", COMPLETES_NOTHING },
    { "limit", 'l', "N", "at most N", COMPLETES_NOTHING },
    { "timeout", 't', "SPAN", "so long", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};
static const struct option late_options[] = {
    { "cpus", 0, "N", "cores", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};
static const struct option *late(void)
{
    return late_options;
}
static const struct command list = {
    .name = "list", .help = "list", .synopsis = "[ID]", .options = list_options, .words_most = 1
};
static const struct command launch = { .name = "launch",
                                       .help = "launch",
                                       .synopsis = "-- CMD",
                                       .more_options = late,
                                       .words_most = -1,
                                       .takes_rest = true };
static const struct command show = {
    .name = "show", .help = "show", .synopsis = "NAME", .words_least = 1, .words_most = 1
};
static const struct command *const subs[] = { &show, NULL };
static const struct command places = {
    .name = "places", .help = "places", .synopsis = "", .options = list_options, .subs = subs
};
static const struct command secret = {
    .name = "__secret", .help = "", .synopsis = "", .hidden = true
};
static const struct command *const commands[] = { &list, &launch, &places, &secret, NULL };

static struct args parsed;
static struct err fault;

/* The words of a line, parted by blanks. */
static int parse(const char *line)
{
    static char copy[512];
    static char *words[40];
    char *rest = NULL;
    size_t count = 0;

    args_free(&parsed);
    fault = (struct err)ERR_INIT;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
        words[count++] = w;
    words[count] = NULL;
    return args_parse(commands, globals, words, &parsed, &fault);
}

static void refused(const char *line, const char *words)
{
    assert_int_equal(parse(line), -1);
    assert_int_equal(fault.fault, FAULT_INVALID);
    if (!strstr(fault.text, words))
        fail_msg("%s: got '%s', wanted '%s'", line, fault.text, words);
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    assert_int_equal(parse("--json list --limit 5 7 -a"), 0);
    assert_ptr_equal(parsed.command, &list);
    assert_true(args_has(&parsed, "json") && args_has(&parsed, "all"));
    assert_string_equal(args_get(&parsed, "limit"), "5");
    assert_int_equal(parsed.word_count, 1);
    assert_string_equal(parsed.words[0], "7");
}

static void all_forms_of_a_value(void **state)
{
    static const char *const lines[] = { "list --limit 9", "list --limit=9", "list -l 9",
                                         "list -l9",       "list -al9",      "list -al 9" };

    (void)state;
    for (size_t i = 0; i < array_len(lines); i++) {
        assert_int_equal(parse(lines[i]), 0);
        assert_string_equal(args_get(&parsed, "limit"), "9");
    }
    assert_int_equal(parse("list --limit 1 --limit=2"), 0);
    assert_string_equal(args_get(&parsed, "limit"), "2");
    assert_int_equal(parse("list --limit="), 0);
    assert_string_equal(args_get(&parsed, "limit"), "");
    assert_int_equal(parse("list --limit -5"), 0);
    assert_string_equal(args_get(&parsed, "limit"), "-5");
}

static void behind_two_dashes_nothing_is_ours(void **state)
{
    (void)state;
    assert_int_equal(parse("launch --cpus 4 -- prog --json -x --"), 0);
    assert_string_equal(parsed.rest[0], "prog");
    assert_string_equal(parsed.rest[1], "--json");
    assert_string_equal(parsed.rest[3], "--");
    assert_null(parsed.rest[4]);
    assert_false(args_has(&parsed, "json"));
    refused("list -- a", "nothing behind '--'");
}

static void a_dash_alone_is_a_word(void **state)
{
    (void)state;
    assert_int_equal(parse("launch -"), 0);
    assert_string_equal(parsed.words[0], "-");
}

static void sub_commands(void **state)
{
    (void)state;
    assert_int_equal(parse("places"), 0);
    assert_ptr_equal(parsed.command, &places);
    assert_int_equal(parse("places show here"), 0);
    assert_ptr_equal(parsed.command, &show);
    assert_string_equal(parsed.words[0], "here");
    refused("places shwo here", "did you mean 'show'");
    refused("places show", "too few arguments");
}

static void what_is_unknown_is_told_with_what_is_near(void **state)
{
    (void)state;
    refused("lits", "did you mean 'list'");
    refused("xyzzy", "unknown command 'xyzzy'");
    refused("list --limt 4", "did you mean '--limit'");
    refused("list --qqq", "unknown option '--qqq'");
    refused("list -q", "unknown option '-q'");
    refused("list --all=1", "takes no value");
    refused("list --limit", "needs a value");
    refused("list -l", "needs a value");
    refused("list 1 2", "one argument too many");
    refused("__secre", "unknown command '__secre'; see"); /* a hidden one is not proposed */
}

static void help_works_on_a_broken_line(void **state)
{
    (void)state;
    assert_int_equal(parse("places show --help"), 0);
    assert_true(args_has(&parsed, "help"));
    assert_int_equal(parse(""), 0);
    assert_null(parsed.command);
}

static void numbers_and_spans_name_their_option(void **state)
{
    int64_t value = 3;

    (void)state;
    assert_int_equal(parse("list --limit 12 --timeout 1h30m"), 0);
    assert_int_equal(args_i64(&parsed, "limit", 1, 100, &value, &fault), 0);
    assert_int_equal(value, 12);
    assert_int_equal(args_span(&parsed, "timeout", &value, &fault), 0);
    assert_int_equal(value, 5400000);
    assert_int_equal(parse("list --limit 0"), 0);
    assert_int_equal(args_i64(&parsed, "limit", 1, 100, &value, &fault), -1);
    assert_non_null(strstr(fault.text, "--limit"));
    assert_int_equal(value, 5400000);
    assert_int_equal(args_i64(&parsed, "none", 1, 100, &value, &fault), 0);
}

static void help_names_every_option(void **state)
{
    own_buf struct buf text = BUF_INIT(0);

    (void)state;
    help_command(commands, &launch, globals, &text);
    assert_non_null(strstr(buf_text(&text), "--cpus N"));
    assert_non_null(strstr(buf_text(&text), "--json"));
    assert_non_null(strstr(buf_text(&text), "-h, --help"));
    buf_clear(&text);
    help_command(commands, &show, globals, &text);
    assert_non_null(strstr(buf_text(&text), "usage: spillway places show NAME"));
    buf_clear(&text);
    help_overview(commands, globals, &text);
    assert_non_null(strstr(buf_text(&text), "  places"));
    assert_null(strstr(buf_text(&text), "__secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(all_forms_of_a_value),
        cmocka_unit_test(behind_two_dashes_nothing_is_ours),
        cmocka_unit_test(a_dash_alone_is_a_word),
        cmocka_unit_test(sub_commands),
        cmocka_unit_test(what_is_unknown_is_told_with_what_is_near),
        cmocka_unit_test(help_works_on_a_broken_line),
        cmocka_unit_test(numbers_and_spans_name_their_option),
        cmocka_unit_test(help_names_every_option),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    args_free(&parsed);
    return failed;
}
