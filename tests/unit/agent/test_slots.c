/* SPDX-License-Identifier: Apache-2.0 */
/* test_slots.c - worker-agent/slots.c: what runs at once on a machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../worker-agent/slots.h"

static void cpus_bound_what_runs(void **state)
{
    struct slots slots = { .cpus = 4, .memory = 100 };
    struct need need = { .cpus = 2 };

    (void)state;
    slots_take(&slots, &need);
    assert_true(slots_fit(&slots, &need));
    slots_take(&slots, &need);
    assert_false(slots_fit(&slots, &need));
    slots_give(&slots, &need, 0);
    assert_true(slots_fit(&slots, &need));
}

static void none_asked_counts_as_one(void **state)
{
    struct slots slots = { .cpus = 2 };
    struct need need = { .cpus = 0 };

    (void)state;
    slots_take(&slots, &need);
    slots_take(&slots, &need);
    assert_int_equal(slots.cpus_used, 2);
    assert_false(slots_fit(&slots, &need));
}

static void memory_bounds_what_asks_for_it(void **state)
{
    struct slots slots = { .cpus = 100, .memory = 100 };
    struct need large = { .cpus = 1, .memory = 80 }, unlimited = { .cpus = 1 };

    (void)state;
    slots_take(&slots, &large);
    assert_false(slots_fit(&slots, &large));
    assert_true(slots_fit(&slots, &unlimited));
}

static void too_large_runs_alone(void **state)
{
    struct slots slots = { .cpus = 2, .memory = 10, .gpus = 1 };
    struct need huge = { .cpus = 64, .memory = 1000, .gpus = 8 }, small = { .cpus = 1 };
    uint64_t gpus;

    (void)state;
    assert_true(slots_fit(&slots, &huge));
    gpus = slots_take(&slots, &huge);
    assert_int_equal(gpus, 1);
    assert_false(slots_fit(&slots, &small));
    slots_give(&slots, &huge, gpus);
    assert_int_equal(slots.cpus_used, 0);
    assert_int_equal(slots.memory_used, 0);
    slots_take(&slots, &small);
    assert_false(slots_fit(&slots, &huge));
}

/* Whatever comes and goes, no GPU has two users and the sums agree. */
static void gpus_are_never_shared(void **state)
{
    struct slots slots = { .cpus = 64, .memory = 1 << 20, .gpus = 8 };
    struct {
        struct need need;
        uint64_t gpus;
        int used;
    } held[32] = { { .used = 0 } };
    uint32_t seed = 12345;

    (void)state;
    for (int step = 0; step < 20000; step++) {
        int i = (int)((seed = seed * 1664525 + 1013904223) >> 16) % 32;
        uint64_t all = 0;

        if (held[i].used) {
            slots_give(&slots, &held[i].need, held[i].gpus);
            held[i].used = 0;
        } else {
            held[i].need = (struct need){ .cpus = seed % 5, .gpus = (int)(seed >> 8) % 4 };
            if (slots_fit(&slots, &held[i].need)) {
                held[i].gpus = slots_take(&slots, &held[i].need);
                held[i].used = 1;
                assert_int_equal(__builtin_popcountll(held[i].gpus), held[i].need.gpus);
            }
        }
        for (int k = 0; k < 32; k++) {
            if (!held[k].used)
                continue;
            assert_int_equal(all & held[k].gpus, 0);
            all |= held[k].gpus;
        }
        assert_int_equal(all, slots.gpus_used);
        assert_true(slots.cpus_used <= slots.cpus);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpus_bound_what_runs),
        cmocka_unit_test(none_asked_counts_as_one),
        cmocka_unit_test(memory_bounds_what_asks_for_it),
        cmocka_unit_test(too_large_runs_alone),
        cmocka_unit_test(gpus_are_never_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
