/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_job.c - descriptions as the API takes them, and their way through a class key and back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "conf/expand.h"
#include "conf/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A class that comes back differently would split or merge jobs at the next start. */
static void check_class(const struct job_spec *spec)
{
    own_str char *key = job_class_key(spec, "p", "u"), *again = NULL, *project = NULL, *user = NULL;
    struct job_spec back;

    if (job_class_parse(key, &back, &project, &user, NULL) < 0)
        abort();
    again = job_class_key(&back, project, user);
    if (strcmp(key, again) != 0)
        abort();
    job_spec_free(&back);
}

static void check_array(const struct index_set *set)
{
    if (set->size == 0)
        return;
    for (int64_t i = 0; i < set->size; i += 1 + set->size / 16)
        if (index_set_find(set, index_set_nth(set, i)) != i)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct job_vars vars = { .job = 1, .index = 2, .name = "n" };
    own_json json_t *document = json_parse((const char *)data, size, NULL);
    struct problems problems = { 0 };
    struct job_spec spec;

    if (!document)
        return 0;
    if (job_spec_parse(document, &spec, &problems) == 0) {
        check_class(&spec);
        check_array(&spec.array);
        for (char **at = spec.argv; at && *at; at++)
            free(job_expand(*at, &vars));
    } else if (problems.count == 0) {
        abort(); /* refused without a word */
    }
    job_spec_free(&spec);
    problems_free(&problems);
    return 0;
}
