/* SPDX-License-Identifier: Apache-2.0 */
/* manual.c - `spillway help`, and the manual pages, from the tables that the parser uses.
 *
 * docs/man/spillway.1 and spillway-submit.1 are what `spillway __manual` prints; a test holds them
 * to it. */
#include <ctype.h>
#include <string.h>

#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"

static const struct command *find(const struct command *const *list, const char *name)
{
    for (; list && *list; list++)
        if (strcmp((*list)->name, name) == 0 && !(*list)->hidden)
            return *list;
    return NULL;
}

static int run_help(struct cli *cli, const struct args *args, struct err *err)
{
    own_buf struct buf text = BUF_INIT(0);
    const struct command *command = NULL;

    (void)cli;
    for (size_t i = 0; i < args->word_count; i++) {
        const struct command *next = find(command ? command->subs : commands, args->words[i]);

        if (!next)
            return err_set(err, FAULT_NOT_FOUND, "no command '%.60s'; `spillway help` lists them",
                           args->words[i]);
        command = next;
    }
    if (command)
        help_command(commands, command, global_options, &text);
    else
        help_overview(commands, global_options, &text);
    fputs(buf_text(&text), stdout);
    return EXIT_OK;
}

const struct command command_help = {
    .name = "help",
    .help = "say what a command does",
    .synopsis = "[COMMAND [SUB-COMMAND]]",
    .example = "spillway help submit",
    .exits = "0 done, 3 no such command",
    .words = COMPLETES_COMMAND,
    .words_most = 2,
    .run = run_help,
};

/* ---- mdoc --------------------------------------------------------------------------------------
 */

#define LINE_MOST 72

/* One word; what roff would act on is quoted. */
static void put_word(struct buf *out, const char *word, size_t length)
{
    if (*word == '.' && length > 0)
        buf_puts(out, "\\&");
    for (size_t i = 0; i < length; i++) {
        if (word[i] == '\\')
            buf_puts(out, "\\e");
        else if (word[i] == '-')
            buf_puts(out, "\\-");
        else if (word[i] == '`')
            buf_puts(out, "\\(ga");
        else if (word[i] == '\'')
            buf_puts(out, "\\(aq");
        else
            buf_putc(out, word[i]);
    }
}

static bool ends_sentence(const char *at)
{
    return (at[-1] == '.' || at[-1] == '?') && at[0] == ' ' && at[1] == ' ';
}

/* Running text, filled; a new sentence starts a new line, as mdoc wants it. */
static void put_text(struct buf *out, const char *text)
{
    size_t start = out->length;

    while (*text) {
        size_t length = strcspn(text, " \n");

        if (out->length > start && out->length - start + 1 + length > LINE_MOST) {
            buf_putc(out, '\n');
            start = out->length;
        }
        if (out->length > start)
            buf_putc(out, ' ');
        put_word(out, text, length);
        text += length;
        if (strncmp(text, "\n\n", 2) == 0)
            buf_puts(out, "\n.Pp");
        if (*text == '\n' || (*text && length && ends_sentence(text))) {
            buf_putc(out, '\n');
            start = out->length;
        }
        text += strspn(text, " \n");
    }
    buf_putc(out, '\n');
}

static void put_options(struct buf *out, const struct option *options)
{
    if (!options || !options->name)
        return;
    buf_puts(out, ".Bl -tag -width Ds\n");
    for (; options->name; options++) {
        buf_puts(out, ".It ");
        if (options->letter)
            buf_printf(out, "Fl %c , ", options->letter);
        buf_printf(out, "Fl \\-%s", options->name);
        if (options->value)
            buf_printf(out, " Ar %s", options->value);
        buf_putc(out, '\n');
        put_text(out, options->help);
    }
    buf_puts(out, ".El\n");
}

static void put_lines(struct buf *out, const char *lines)
{
    buf_puts(out, ".Bd -literal -offset indent\n");
    while (*lines) {
        size_t length = strcspn(lines, "\n");

        put_word(out, lines, length);
        buf_putc(out, '\n');
        lines += length + (lines[length] == '\n');
    }
    buf_puts(out, ".Ed\n");
}

static void put_command(struct buf *out, const char *above, const struct command *command,
                        bool with_more)
{
    buf_printf(out, ".Ss %s%s%s\n", above, *above ? " " : "", command->name);
    buf_printf(out, ".Nm spillway %s%s%s\n", above, *above ? " " : "", command->name);
    if (*command->synopsis)
        put_text(out, command->synopsis);
    buf_puts(out, ".Pp\n");
    put_text(out, command->text ? command->text : command->help);
    put_options(out, command->options);
    if (command->more_options && with_more)
        put_options(out, command->more_options());
    else if (command->more_options)
        buf_puts(out, ".Pp\nThe options that bear the names of a description\\(aqs keys are in\n"
                      ".Xr spillway-submit 1 .\n");
    if (command->example) {
        buf_puts(out, ".Pp\nExample:\n");
        put_lines(out, command->example);
    }
    if (command->exits) {
        buf_puts(out, ".Pp\nExit status:\n");
        put_text(out, command->exits);
    }
    for (const struct command *const *sub = command->subs; sub && *sub; sub++)
        put_command(out, command->name, *sub, with_more);
}

static const char head[] =
    ".\\\" SPDX-License-Identifier: Apache-2.0\n"
    ".\\\" Made by `spillway __manual`: change the tables in broker/cli, and make it again.\n";

static const char overview[] =
    ".Dd November 24, 2026\n"
    ".Dt SPILLWAY 1\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm spillway\n"
    ".Nd run jobs where there is room\n"
    ".Sh SYNOPSIS\n"
    ".Nm\n"
    ".Ar command\n"
    ".Op Ar options\n"
    ".Ar ...\n"
    ".Sh DESCRIPTION\n"
    ".Nm\n"
    "queues jobs at a broker,\n"
    ".Xr spillwayd 8 ,\n"
    "which runs them on this machine, on a cluster, at partner sites or in\n"
    "clouds, wherever there is room; watches them, and brings their results\n"
    "back.\n"
    ".Pp\n"
    "These options may stand with every command:\n";

static const char status[] =
    ".Sh ENVIRONMENT\n"
    ".Bl -tag -width Ds\n"
    ".It Ev SPILLWAY_URL\n"
    "Where the broker is:\n"
    ".Pa unix:///PATH/spillway.sock\n"
    "or\n"
    ".Pa https://HOST:PORT .\n"
    "Plain http is for this machine only.\n"
    "When it is not set,\n"
    ".Nm\n"
    "looks for\n"
    ".Pa spillway/spillway.sock\n"
    "below\n"
    ".Ev XDG_STATE_HOME\n"
    ".Pq or Pa ~/.local/state ,\n"
    "then for\n"
    ".Pa /run/spillway/spillway.sock .\n"
    ".It Ev SPILLWAY_TOKEN\n"
    "The token, where the broker is spoken with over the network.\n"
    "See also\n"
    ".Fl \\-token\\-file .\n"
    ".It Ev SPILLWAY_CACERT\n"
    "A file with the certificates of the authorities that are trusted for the\n"
    "broker, instead of the system\\(aqs.\n"
    ".It Ev SPILLWAY_PIN\n"
    "The SHA-256 of the broker\\(aqs certificate, as 64 hexadecimal digits: this\n"
    "very certificate is trusted, and no other.\n"
    "It is how a broker with a certificate that it made itself is used; the\n"
    "broker logs it at its start.\n"
    ".It Ev NO_COLOR\n"
    "When set, nothing is printed in colour.\n"
    ".El\n"
    ".Sh EXIT STATUS\n"
    ".Bl -tag -width Ds\n"
    ".It 0\n"
    "Done.\n"
    ".It 1\n"
    "No: a job that was waited for did not succeed, or a check found something.\n"
    ".It 2\n"
    "Wrong use of the command line.\n"
    ".It 3\n"
    "Not found, or not yours to see.\n"
    ".It 4\n"
    "Not allowed.\n"
    ".It 5\n"
    "Not possible in the state it is in.\n"
    ".It 6\n"
    "The broker cannot be reached.\n"
    ".It 7\n"
    "Invalid input: a job description, a value.\n"
    ".It 8\n"
    "The broker cannot serve now, or a time limit passed.\n"
    ".It 70\n"
    "An internal error.\n"
    ".El\n"
    ".Pp\n"
    ".Nm spillway run\n"
    "exits as its job did: with its exit code, or with 128 and the number of the\n"
    "signal that ended it.\n"
    ".Sh SEE ALSO\n"
    ".Xr spillway-submit 1 ,\n"
    ".Xr spillway-job 5 ,\n"
    ".Xr spillway-site 5 ,\n"
    ".Xr spillway-agent 8 ,\n"
    ".Xr spillwayd 8\n";

static void put_overview(struct buf *out)
{
    buf_puts(out, head);
    buf_puts(out, overview);
    put_options(out, global_options);
    buf_puts(out, ".Sh COMMANDS\n");
    for (const struct command *const *c = commands; *c; c++)
        if (!(*c)->hidden)
            put_command(out, "", *c, false);
    buf_puts(out, status);
}

static void put_submit(struct buf *out)
{
    buf_puts(out, head);
    buf_puts(out, ".Dd November 24, 2026\n"
                  ".Dt SPILLWAY-SUBMIT 1\n"
                  ".Os\n"
                  ".Sh NAME\n"
                  ".Nm spillway-submit\n"
                  ".Nd queue jobs\n"
                  ".Sh SYNOPSIS\n"
                  ".Nm spillway submit\n"
                  ".Op Ar options\n"
                  ".Ar file ...\n"
                  ".Nm spillway submit\n"
                  ".Op Ar options\n"
                  ".Ar script\n"
                  ".Op Ar argument ...\n"
                  ".Nm spillway submit\n"
                  ".Op Ar options\n"
                  ".Fl \\-\n"
                  ".Ar command\n"
                  ".Op Ar argument ...\n"
                  ".Sh DESCRIPTION\n");
    put_text(out, command_submit.text);
    put_options(out, command_submit.options);
    buf_puts(out,
             ".Pp\nThe options that follow bear the names of a description\\(aqs keys, see\n"
             ".Xr spillway-job 5 .\nThey may also stand in a script, in lines that start with\n"
             ".Ql #SPILLWAY ,\nbefore its first command.\n");
    put_options(out, command_submit.more_options());
    buf_puts(out, ".Pp\nThe options of every command are in\n.Xr spillway 1 .\n.Sh EXIT STATUS\n");
    put_text(out, command_submit.exits);
    buf_puts(out, ".Sh EXAMPLES\n");
    put_lines(out, command_submit.example);
    buf_puts(out, ".Sh SEE ALSO\n.Xr spillway 1 ,\n.Xr spillway-job 5\n");
}

static int run_manual(struct cli *cli, const struct args *args, struct err *err)
{
    own_buf struct buf out = BUF_INIT(0);

    (void)cli;
    if (strcmp(args->words[0], "spillway") == 0)
        put_overview(&out);
    else if (strcmp(args->words[0], "spillway-submit") == 0)
        put_submit(&out);
    else
        return err_set(err, FAULT_NOT_FOUND, "pages: spillway, spillway-submit");
    fputs(buf_text(&out), stdout);
    return EXIT_OK;
}

const struct command command_manual = {
    .name = "__manual",
    .help = "print a manual page (mdoc)",
    .synopsis = "PAGE",
    .words_least = 1,
    .words_most = 1,
    .hidden = true,
    .run = run_manual,
};
