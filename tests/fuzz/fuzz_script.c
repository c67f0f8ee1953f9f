/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_script.c - batch scripts with #SBATCH and #SPILLWAY lines. */
#include <stdint.h>
#include <stdlib.h>

#include "conf/job.h"
#include "conf/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems problems = { 0 };
    struct script script;
    struct job_spec spec;

    if (script_parse((const char *)data, size, "script", INT64_C(1796108400000), &script) < 0 &&
        script.faults.count == 0)
        abort(); /* refused without a word */
    if (job_spec_parse(script.description, &spec, &problems) < 0)
        for (size_t i = 0; i < problems.count; i++)
            script_line_of(&script, problems.list[i].pointer);
    job_spec_free(&spec);
    problems_free(&problems);
    script_free(&script);
    return 0;
}
