/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_yaml.c - job files: YAML, its places, and what the checker says of each document. */
#include <stdint.h>
#include <stdlib.h>

#include "conf/job.h"
#include "conf/report.h"
#include "conf/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;
    struct err err = ERR_INIT;

    if (yaml_parse((const char *)data, size, &docs, &err) < 0)
        return 0;
    for (size_t i = 0; i < docs.count; i++) {
        own_buf struct buf text = BUF_INIT(0);
        struct problems problems = { 0 };
        struct job_spec spec;

        if (job_spec_parse(docs.list[i].root, &spec, &problems) < 0 && problems.count == 0)
            abort(); /* refused without a word */
        problems_text(&problems, &docs.list[i], "f", &text);
        for (size_t k = 0; k < problems.count; k++)
            if (yaml_mark(&docs.list[i], problems.list[k].pointer, false).line < 1)
                abort();
        problems_free(&problems);
        job_spec_free(&spec);
    }
    return 0;
}
