/* SPDX-License-Identifier: Apache-2.0 */
/* test_schema.c - docs/job.schema.json and the parser say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "conf/job.h"
#include "conf/yaml.h"
#include "corpus.h"

#define SCHEMA "docs/job.schema.json"

/* The schema's properties of each level of job_keys(). */
static const struct {
    const char *level, *pointer;
} levels[] = {
    { "", "properties" },
    { "resources", "properties/resources/properties" },
    { "resources.any_of", "properties/resources/properties/any_of/items/properties" },
    { "inputs", "$defs/input/properties" },
    { "after", "$defs/dependency/anyOf/2/properties" },
    { "retries", "properties/retries/anyOf/1/properties" },
    { "signal", "properties/signal/anyOf/1/properties" },
    { "limits", "$defs/limit/anyOf/1/properties" },
    { "placement", "properties/placement/properties" },
    { "placement.sites", "properties/placement/properties/sites/properties" },
    { "notify", "properties/notify/properties" },
    { "schedule", "properties/schedule/properties" },
};

static const json_t *at(const json_t *value, const char *pointer)
{
    while (*pointer) {
        size_t length = strcspn(pointer, "/");
        own_str char *key = xstrndup(pointer, length);

        value = json_is_array(value) ? json_array_get(value, strtoul(key, NULL, 10))
                                     : json_object_get(value, key);
        pointer += length + (pointer[length] == '/');
    }
    return value;
}

static void keys_and_properties_agree(void **state)
{
    own_json json_t *schema = json_load_file(SCHEMA, 0, NULL);

    (void)state;
    assert_non_null(schema);
    for (size_t i = 0; i < array_len(levels); i++) {
        const json_t *properties = at(schema, levels[i].pointer);
        const char *const *keys = job_keys(levels[i].level);
        size_t count = 0;

        assert_non_null(properties);
        assert_non_null(keys);
        for (; keys[count]; count++) {
            const json_t *property = json_object_get(properties, keys[count]);

            if (!property)
                fail_msg("the schema has no '%s' in '%s'", keys[count], levels[i].level);
            if (!json_object_get(property, "description"))
                fail_msg("'%s' in '%s' has no description", keys[count], levels[i].level);
        }
        assert_int_equal(count, json_object_size(properties));
    }
    assert_null(job_keys("nowhere"));
}

static void write_documents(void *arg, const char *path, const char *text, size_t length)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;
    FILE *out = arg;

    if (yaml_parse(text, length, &docs, NULL) < 0)
        return; /* no document, no verdict on it */
    for (size_t i = 0; i < docs.count; i++) {
        struct problems problems = { 0 };
        struct job_spec spec;
        bool good = job_spec_parse(docs.list[i].root, &spec, &problems) == 0;
        own_json json_t *line = json_pack(
            "{s:s, s:b, s:b, s:O}", "name", path, "good", good, "cannot_tell",
            !good && strstr(text, "# schema: cannot tell") != NULL, "document", docs.list[i].root);
        own_str char *dump = json_dumps(line, JSON_COMPACT);

        fprintf(out, "%s\n", dump);
        job_spec_free(&spec);
        problems_free(&problems);
    }
}

static void verdicts_agree(void **state)
{
    FILE *checker = popen("/usr/bin/python3 tests/lib/schema_check.py " SCHEMA, "w");

    (void)state;
    assert_non_null(checker);
    corpus_each("tests/data/jobs/good", write_documents, checker);
    corpus_each("tests/data/jobs/bad", write_documents, checker);
    assert_int_equal(pclose(checker), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_properties_agree),
        cmocka_unit_test(verdicts_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
