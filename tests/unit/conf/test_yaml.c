/* SPDX-License-Identifier: Apache-2.0 */
/* test_yaml.c - scalars, places, aliases and their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "conf/yaml.h"

static void load(const char *text, struct yaml_docs *out)
{
    struct err err = ERR_INIT;

    if (yaml_parse(text, strlen(text), out, &err) < 0)
        fail_msg("%s", err.text);
}

static void assert_tree(const char *text, const char *json)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;
    own_str char *found = NULL;

    load(text, &docs);
    found = json_dumps(docs.list[0].root, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(found, json);
}

static void plain_scalars_are_typed_only_when_nothing_is_lost(void **state)
{
    (void)state;
    assert_tree("[1, -2, 0, 007, +5, 0x1F, 1_000, 99999999999999999999, -0]",
                "[1,-2,0,\"007\",\"+5\",\"0x1F\",\"1_000\",\"99999999999999999999\",\"-0\"]");
    assert_tree("[1.5, -0.25, 1.5e3, 12e5, .5, 1., 1.2.3]",
                "[1.5,-0.25,1500.0,\"12e5\",\".5\",\"1.\",\"1.2.3\"]");
    assert_tree("[true, false, True, yes, no, on, null, ~, NULL, .inf, .nan]",
                "[true,false,\"True\",\"yes\",\"no\",\"on\",null,null,\"NULL\",\".inf\",\".nan\"]");
    assert_tree("[\"1\", 'true', \"\", 2026-12-01, 1:30:00, 12:30]",
                "[\"1\",\"true\",\"\",\"2026-12-01\",\"1:30:00\",\"12:30\"]");
    assert_tree("a:\nb: |\n  two\n  lines\n", "{\"a\":null,\"b\":\"two\\nlines\\n\"}");
    assert_tree("1: x\ntrue: y\n", "{\"1\":\"x\",\"true\":\"y\"}");
}

static void assert_mark(const struct yaml_doc *doc, const char *pointer, bool key, int line,
                        int column)
{
    struct yaml_mark mark = yaml_mark(doc, pointer, key);

    assert_int_equal(mark.line, line);
    assert_int_equal(mark.column, column);
}

static void keys_and_values_have_places(void **state)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;

    (void)state;
    load("name: é x\n"
         "é: {a/b: [1, 2], \"~\": 3}\n"
         "---\n"
         "list:\n"
         "  - k: v\n",
         &docs);
    assert_int_equal(docs.count, 2);
    assert_mark(&docs.list[0], "", false, 1, 1);
    assert_mark(&docs.list[0], "/name", false, 1, 7);
    assert_mark(&docs.list[0], "/name", true, 1, 1);
    assert_mark(&docs.list[0], "/é/a~1b/1", false, 2, 14); /* characters, not bytes */
    assert_mark(&docs.list[0], "/é/~0", true, 2, 18);
    assert_mark(&docs.list[0], "/é/missing", false, 2, 1);
    assert_mark(&docs.list[0], "/missing/deep", false, 1, 1);
    assert_mark(&docs.list[1], "/list/0/k", false, 5, 8);
    assert_mark(&docs.list[1], "/list/7", false, 4, 1);
}

static void an_alias_is_a_copy_with_its_own_place(void **state)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;
    json_t *a, *b;

    (void)state;
    load("a: &x {k: [1, 2]}\nb: *x\nc: &x 5\nd: *x\n", &docs);
    a = json_object_get(docs.list[0].root, "a");
    b = json_object_get(docs.list[0].root, "b");
    assert_true(json_equal(a, b));
    json_object_set_new(b, "k", json_integer(3));
    assert_true(json_is_array(json_object_get(a, "k")));
    assert_int_equal(json_integer_value(json_object_get(docs.list[0].root, "d")), 5);
    assert_mark(&docs.list[0], "/b", false, 2, 4);
    assert_mark(&docs.list[0], "/b/k/1", false, 1, 15);
}

static void anchors_end_with_their_document(void **state)
{
    const char *text = "a: &x 1\n---\nb: *x\n";
    struct yaml_docs docs = YAML_DOCS_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(yaml_parse(text, strlen(text), &docs, &err), -1);
    assert_string_equal(err.text, "3:4: no anchor &x before this");
    assert_int_equal(docs.count, 0);
}

static void what_is_not_utf8_is_named_where_it_stands(void **state)
{
    struct yaml_docs docs = YAML_DOCS_INIT;
    struct err err = ERR_INIT;
    const char text[] = "name: ok\ncomment: h\xc3\xa9 \xff\n";

    (void)state;
    assert_int_equal(yaml_parse(text, sizeof text - 1, &docs, &err), -1);
    assert_string_equal(err.text, "2:13: not UTF-8; save the file as UTF-8");
    assert_int_equal(yaml_parse("a: b\0c", 6, &docs, &err), -1);
    assert_non_null(strstr(err.text, "1:5: not YAML: control characters"));
}

static void size_depth_and_number_of_documents_are_bounded(void **state)
{
    own_buf struct buf text = BUF_INIT(0);
    struct yaml_docs docs = YAML_DOCS_INIT;
    struct err err = ERR_INIT;

    (void)state;
    for (int i = 0; i < YAML_DOCS_MOST + 1; i++)
        buf_puts(&text, "---\na\n");
    assert_int_equal(yaml_parse(text.data, text.length, &docs, &err), -1);
    assert_non_null(strstr(err.text, "more than 10000 documents"));
    buf_clear(&text);
    for (int i = 0; i < 100000; i++)
        buf_putc(&text, '[');
    assert_int_equal(yaml_parse(text.data, text.length, &docs, &err), -1);
    assert_non_null(strstr(err.text, "nested deeper"));
    assert_int_equal(yaml_parse("", YAML_BYTES_MOST + 1, &docs, &err), -1);
    assert_non_null(strstr(err.text, "larger than 16 MiB"));
}

static void aliases_do_not_dig_deeper(void **state)
{
    own_buf struct buf text = BUF_INIT(0);
    struct yaml_docs docs = YAML_DOCS_INIT;
    struct err err = ERR_INIT;

    (void)state;
    buf_puts(&text, "a: &a ");
    for (int i = 0; i < 80; i++)
        buf_putc(&text, i < 40 ? '[' : ']');
    buf_puts(&text, "\nb: ");
    for (int i = 0; i < 40; i++)
        buf_putc(&text, '[');
    buf_puts(&text, "*a");
    for (int i = 0; i < 40; i++)
        buf_putc(&text, ']');
    assert_int_equal(yaml_parse(text.data, text.length, &docs, &err), -1);
    assert_string_equal(err.text, "2:44: nested deeper than 64 levels");
}

static void a_file_names_itself(void **state)
{
    struct yaml_docs docs = YAML_DOCS_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(yaml_load("tests/data/jobs/bad/yaml-unknown-alias.yaml", &docs, &err), -1);
    assert_string_equal(err.text,
                        "tests/data/jobs/bad/yaml-unknown-alias.yaml:3:12: no anchor &common "
                        "before this");
    assert_int_equal(yaml_load("tests/data/none.yaml", &docs, &err), -1);
    assert_int_equal(err.fault, FAULT_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_scalars_are_typed_only_when_nothing_is_lost),
        cmocka_unit_test(keys_and_values_have_places),
        cmocka_unit_test(an_alias_is_a_copy_with_its_own_place),
        cmocka_unit_test(anchors_end_with_their_document),
        cmocka_unit_test(what_is_not_utf8_is_named_where_it_stands),
        cmocka_unit_test(size_depth_and_number_of_documents_are_bounded),
        cmocka_unit_test(aliases_do_not_dig_deeper),
        cmocka_unit_test(a_file_names_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
