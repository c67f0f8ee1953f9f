/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_script.c - batch scripts with #SBATCH and #SPILLWAY lines, and sbatch's command line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "conf/expand.h"
#include "conf/job.h"
#include "conf/script.h"

#define WORDS_MOST 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same bytes as words of a command line, and as a script of sbatch's own. */
static void as_sbatch(const uint8_t *data, size_t size)
{
    own_str char *copy = xstrndup((const char *)data, size), *plain = job_escape(copy, false);
    const struct job_vars vars = { .name = "n" };
    own_str char *back = job_expand(plain, &vars);
    const char *words[WORDS_MOST + 1] = { NULL };
    struct sbatch_call call = { 0 };
    struct script script;
    char *at = copy;
    size_t count = 0;

    if (strncmp(back, (const char *)data, strlen(back)) != 0)
        abort(); /* what was escaped did not come back */
    while (count < WORDS_MOST && (words[count] = strsep(&at, " \n")))
        count++;
    words[count] = NULL;
    count = sbatch_option_words(words);
    if (sbatch_parse((const char *)data, size, "script", INT64_C(1796108400000), words, count,
                     &call, &script) < 0 &&
        script.faults.count == 0)
        abort();
    sbatch_call_free(&call);
    script_free(&script);
}

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
    as_sbatch(data, size);
    return 0;
}
