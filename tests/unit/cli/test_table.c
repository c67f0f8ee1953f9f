/* SPDX-License-Identifier: Apache-2.0 */
/* test_table.c - broker/cli/table.c: aligned columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <string.h>

#include "cli/table.h"

static const struct column columns[] = {
    { "ID", true, false },
    { "NAME", false, true },
    { "STATE", false, false },
    { NULL, false, false },
};
static const struct term plain = { .colour = false };
static const struct term colour = { .colour = true };

static void row(struct table *table, const char *id, const char *name, const char *state)
{
    table_cell(table, id);
    table_cell(table, name);
    table_cell_styled(table, state, STYLE_GOOD);
}

static void prints(const struct table *table, const struct term *term, int width,
                   const char *wanted)
{
    own_buf struct buf out = BUF_INIT(0);

    table_put(table, term, width, &out);
    assert_string_equal(buf_text(&out), wanted);
}

static void columns_are_aligned(void **state)
{
    own_table struct table *table = table_new(columns);

    (void)state;
    row(table, "7", "a", "running");
    row(table, "1234", "caf\303\251", "held");
    row(table, "", NULL, "x");
    assert_int_equal(table_rows(table), 3);
    prints(table, &plain, 0,
           "  ID  NAME  STATE\n"
           "   7  a     running\n"
           "1234  caf\303\251  held\n"
           "   -  -     x\n");
}

static void colour_does_not_count_as_width(void **state)
{
    own_table struct table *table = table_new(columns);

    (void)state;
    row(table, "7", "a", "ok");
    prints(table, &colour, 0,
           "\033[1mID\033[0m  \033[1mNAME\033[0m  \033[1mSTATE\033[0m\n"
           " 7  a     \033[32mok\033[0m\n");
}

static void on_a_narrow_terminal_names_give_way(void **state)
{
    own_table struct table *table = table_new(columns);

    (void)state;
    row(table, "7", "a-name-that-is-much-longer", "ok");
    prints(table, &plain, 30,
           "ID  NAME                 STATE\n"
           " 7  a-name-that-is-muc~  ok\n");
}

static void nothing_from_outside_acts_on_the_terminal(void **state)
{
    own_table struct table *table = table_new(columns);

    (void)state;
    row(table, "7", "x\033]0;t\007\ny", "ok");
    prints(table, &plain, 0,
           "ID  NAME                STATE\n"
           " 7  x\\x1b]0;t\\x07\\x0ay  ok\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned),
        cmocka_unit_test(colour_does_not_count_as_width),
        cmocka_unit_test(on_a_narrow_terminal_names_give_way),
        cmocka_unit_test(nothing_from_outside_acts_on_the_terminal),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
