/* SPDX-License-Identifier: Apache-2.0 */
/* help.c - what --help says, from the tables that the parser uses. */
#include <string.h>

#include "base/own.h"
#include "cli/args.h"

#define HELP_COLUMN 28 /* where the text of an option starts */
#define HELP_WIDTH  80

/* `text` in lines of HELP_WIDTH, those after the first indented to `indent`; `at` is where the
 * first one starts. */
static void put_wrapped(struct buf *out, const char *text, size_t at, size_t indent)
{
    while (*text) {
        size_t length = strcspn(text, " \n");

        if (at > indent && at + 1 + length > HELP_WIDTH) {
            buf_printf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (at > indent) {
            buf_putc(out, ' ');
            at++;
        }
        buf_put(out, text, length);
        at += length;
        text += length;
        if (*text == '\n') {
            buf_printf(out, "\n%*s", (int)indent, "");
            at = indent;
        }
        text += *text != '\0';
    }
    buf_putc(out, '\n');
}

static void put_option(struct buf *out, const struct option *option)
{
    size_t start = out->length, width;

    if (option->letter)
        buf_printf(out, "  -%c, --%s", option->letter, option->name);
    else
        buf_printf(out, "      --%s", option->name);
    if (option->value)
        buf_printf(out, " %s", option->value);
    width = out->length - start;
    if (width + 2 > HELP_COLUMN)
        buf_printf(out, "\n%*s", HELP_COLUMN, "");
    else
        buf_printf(out, "%*s", (int)(HELP_COLUMN - width), "");
    put_wrapped(out, option->help, HELP_COLUMN, HELP_COLUMN);
}

static void put_options(struct buf *out, const char *heading, const struct option *options)
{
    if (!options || !options->name)
        return;
    buf_printf(out, "\n%s:\n", heading);
    for (; options->name; options++)
        put_option(out, options);
}

static void put_indented(struct buf *out, const char *heading, const char *lines)
{
    buf_printf(out, "\n%s:\n", heading);
    while (*lines) {
        size_t length = strcspn(lines, "\n");

        buf_printf(out, "  %.*s\n", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

static void put_commands(struct buf *out, const struct command *const *commands)
{
    for (; *commands; commands++) {
        if ((*commands)->hidden)
            continue;
        buf_printf(out, "  %-12s", (*commands)->name);
        put_wrapped(out, (*commands)->help, 14, 14);
    }
}

void command_full_name(const struct command *const *commands, const struct command *command,
                       struct buf *out)
{
    for (; *commands; commands++)
        for (const struct command *const *sub = (*commands)->subs; sub && *sub; sub++)
            if (*sub == command)
                buf_printf(out, "%s ", (*commands)->name);
    buf_puts(out, command->name);
}

void help_command(const struct command *const *commands, const struct command *command,
                  const struct option *globals, struct buf *out)
{
    buf_puts(out, "usage: spillway ");
    command_full_name(commands, command, out);
    buf_printf(out, "%s%s\n\n", *command->synopsis ? " " : "", command->synopsis);
    put_wrapped(out, command->text ? command->text : command->help, 0, 0);
    if (command->subs) {
        buf_puts(out, "\nCommands:\n");
        put_commands(out, command->subs);
    }
    put_options(out, "Options", command->options);
    if (command->more_options)
        put_options(out, "Options that bear the names of a description's keys",
                    command->more_options());
    put_options(out, "Options of every command", globals);
    if (command->example)
        put_indented(out, "Example", command->example);
    put_indented(out, "Exit codes",
                 command->exits ? command->exits
                                : "0 done, 2 wrong use; others: see `spillway help`");
}

void help_overview(const struct command *const *commands, const struct option *globals,
                   struct buf *out)
{
    buf_puts(out, "usage: spillway COMMAND [OPTIONS] ...\n\n"
                  "Spillway runs jobs where there is room: here, at partner sites, in clouds.\n\n"
                  "Commands:\n");
    put_commands(out, commands);
    put_options(out, "Options of every command", globals);
    buf_puts(out, "\n`spillway help COMMAND` says more.  The broker is found by SPILLWAY_URL "
                  "(unix:///PATH or\nhttps://HOST:PORT, with SPILLWAY_TOKEN), or else at its usual "
                  "sockets.\n");
    put_indented(out, "Example",
                 "spillway submit --cpus 4 --walltime 1h -- ./analyse.sh data.csv\n"
                 "spillway ls\n"
                 "spillway logs -f 1");
    put_indented(out, "Exit codes",
                 "0   done\n"
                 "1   no: a job did not succeed, a check found something\n"
                 "2   wrong use of the command line\n"
                 "3   not found, or not yours\n"
                 "4   not allowed\n"
                 "5   not possible in the state it is in\n"
                 "6   the broker cannot be reached\n"
                 "7   invalid input: a job description, a value\n"
                 "8   the broker cannot serve now, or a time limit passed\n"
                 "70  an internal error\n"
                 "`spillway run` exits as its job did: its code, or 128 and the signal's number.");
}
