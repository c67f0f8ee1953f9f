/* SPDX-License-Identifier: Apache-2.0 */
/* test_pace.c - so many calls at once, then so many a second, and how many there were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/pace.h"

static void a_burst_then_the_pace(void **state)
{
    struct pace pace;

    (void)state;
    pace_init(&pace, 2, 3, 1000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pace_take(&pace, 1000), 0);
    assert_int_equal(pace_take(&pace, 1000), 501);
    assert_int_equal(pace_take(&pace, 1501), 0);
    assert_true(pace_take(&pace, 1502) > 0);
    assert_int_equal(pace_take(&pace, 100000), 0); /* no more than the burst gathers */
    assert_int_equal(pace_take(&pace, 100000), 0);
    assert_int_equal(pace_take(&pace, 100000), 0);
    assert_true(pace_take(&pace, 100000) > 0);
    pace_fini(&pace);
}

static void the_last_minute_is_counted(void **state)
{
    struct pace pace;

    (void)state;
    pace_init(&pace, 1000, 1000, 5000);
    assert_int_equal(pace_minute(&pace, 5000), 0);
    for (int i = 0; i < 90; i++) /* one a second */
        assert_int_equal(pace_take(&pace, 5000 + i * 1000), 0);
    assert_int_equal(pace_minute(&pace, 94000), 60);
    assert_int_equal(pace_minute(&pace, 94000 + 30000), 30);
    assert_int_equal(pace_minute(&pace, 94000 + 59000), 1);
    assert_int_equal(pace_minute(&pace, 94000 + 60000), 0);
    assert_int_equal(pace_minute(&pace, INT64_C(1) << 40), 0);
    pace_fini(&pace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_then_the_pace),
        cmocka_unit_test(the_last_minute_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
