/* SPDX-License-Identifier: Apache-2.0 */
/* test_gpu.c - worker-agent/gpu.c: which cards are ours to give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../worker-agent/facts.h"

static int lent(const char *visible, char first[8])
{
    struct gpu gpus[3] = { { .id = "0" }, { .id = "1" }, { .id = "2" } };
    int count = gpus_lent(gpus, 3, visible);

    snprintf(first, 8, "%.7s", gpus[0].id);
    return count;
}

static void only_what_was_lent_is_used(void **state)
{
    char first[8];

    (void)state;
    assert_int_equal(lent(NULL, first), 3);
    assert_int_equal(lent("1,2", first), 2);
    assert_string_equal(first, "1");
    assert_int_equal(lent("", first), 0);
    /* names that we do not know, or numbers of a count that is not ours */
    assert_int_equal(lent("GPU-8932f937-d72c", first), 3);
    assert_int_equal(lent("7", first), 3);
}

static void a_line_of_the_tool_is_read(void **state)
{
    struct gpu gpu;

    (void)state;
    assert_true(gpu_from_line("0, Tesla V100-SXM2-16GB, 16384", &gpu));
    assert_string_equal(gpu.model, "Tesla V100-SXM2-16GB");
    assert_false(gpu_from_line("no devices were found", &gpu));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_was_lent_is_used),
        cmocka_unit_test(a_line_of_the_tool_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
