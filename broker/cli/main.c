/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the program `spillway`: finds the command, runs it, turns a fault into an exit code. */
#include <locale.h>
#include <string.h>

#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"

/* In the order in which a newcomer meets them. */
const struct command *const commands[] = {
    &command_submit,
    &command_run,
    &command_ls,
    &command_show,
    &command_explain,
    &command_logs,
    &command_fetch,
    &command_wait,
    &command_cancel,
    &command_hold,
    &command_release,
    &command_retry,
    &command_schedule,
    &command_notices,
    &command_burst,
    &command_sites,
    &command_workers,
    &command_top,
    &command_usage,
    &command_events,
    &command_simulate,
    &command_token,
    &command_doctor,
    &command_version,
    &command_completion,
    &command_help,
    &command_complete,
    &command_manual,
    NULL,
};

const struct option global_options[] = {
    { "url", 0, "URL", "where the broker is (default: SPILLWAY_URL, then its usual sockets)",
      COMPLETES_NOTHING },
    { "token-file", 0, "FILE", "holds the token (default: SPILLWAY_TOKEN)", COMPLETES_FILE },
    { "json", 0, NULL, "print one JSON document with stable fields", COMPLETES_NOTHING },
    { "no-color", 0, NULL, "no colours (also: NO_COLOR)", COMPLETES_NOTHING },
    { "help", 'h', NULL, "say what the command does", COMPLETES_NOTHING },
    { "version", 0, NULL, "print the version", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

int exit_code_of(const struct err *err, bool unreachable)
{
    switch (err->fault) {
    case FAULT_NONE:
        return EXIT_OK;
    case FAULT_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case FAULT_AUTH:
        return EXIT_NOT_ALLOWED;
    case FAULT_CONFLICT:
        return EXIT_CONFLICT;
    case FAULT_INVALID:
        return EXIT_INVALID;
    case FAULT_QUOTA:
    case FAULT_NO_CAPACITY:
    case FAULT_THROTTLED:
    case FAULT_UNAVAILABLE:
    case FAULT_TIMEOUT:
        return unreachable ? EXIT_UNREACHABLE : EXIT_UNAVAILABLE;
    case FAULT_INTERNAL:
    case FAULT_COUNT:
        break;
    }
    return EXIT_INTERNAL;
}

static void complain(const struct command *command, const struct err *err)
{
    own_str char *text = safe_text(err->text);
    own_buf struct buf name = BUF_INIT(0);

    if (command)
        command_full_name(commands, command, &name);
    fprintf(stderr, "spillway%s%s: %s\n", command ? " " : "", buf_text(&name), text);
}

int usage_fault(const struct args *args, const struct err *err)
{
    own_buf struct buf name = BUF_INIT(0);

    complain(args->command, err);
    if (args->command)
        command_full_name(commands, args->command, &name);
    fprintf(stderr, "Try `spillway %s%s--help`.\n", buf_text(&name), args->command ? " " : "");
    return EXIT_USAGE;
}

static int print_help(const struct command *command, FILE *file)
{
    own_buf struct buf text = BUF_INIT(0);

    if (command)
        help_command(commands, command, global_options, &text);
    else
        help_overview(commands, global_options, &text);
    fputs(buf_text(&text), file);
    return EXIT_OK;
}

static int run_command(struct cli *cli, const struct args *args)
{
    struct err err = ERR_INIT;
    int rc = args->command->run(cli, args, &err);

    progress_end(&cli->term);
    if (rc >= 0)
        return rc;
    complain(args->command, &err);
    return exit_code_of(&err, cli->client && client_unreachable(cli->client));
}

static int start(struct cli *cli, const struct args *args)
{
    if (args_has(args, "help"))
        return print_help(args->command, stdout);
    if (args_has(args, "version") && !args->command) {
        printf("spillway %s\n", SPILLWAY_VERSION);
        return EXIT_OK;
    }
    if (!args->command) {
        print_help(NULL, stderr);
        return EXIT_USAGE;
    }
    if (!args->command->run)
        return usage_fault(args, &(struct err){ .text = "which of its commands?" });
    cli->json = args_has(args, "json");
    cli->url = args_get(args, "url");
    cli->token_file = args_get(args, "token-file");
    return run_command(cli, args);
}

/* What was printed must have arrived: a full disk is no success. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    perror("spillway: standard output");
    return code == EXIT_OK ? EXIT_UNAVAILABLE : code;
}

int main(int argc, char **argv)
{
    struct cli cli = { .json = false };
    struct args args;
    struct err err = ERR_INIT;
    int code;

    (void)argc;
    if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX < 2)
        setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of characters */
    code = args_parse(commands, global_options, argv + 1, &args, &err);
    term_init(&cli.term, args_has(&args, "no-color"));
    if (code < 0)
        code = args_has(&args, "help") && args.command ? print_help(args.command, stdout)
                                                       : usage_fault(&args, &err);
    else
        code = start(&cli, &args);
    client_free(cli.client);
    args_free(&args);
    return finish(code);
}
