/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the program behind sbatch, squeue, scancel, sacct, sinfo, scontrol and srun: by what name
 * was it called? */
#include <locale.h>
#include <stdarg.h>
#include <string.h>

#include "base/own.h"
#include "cli/slurm/slurm.h"

static const struct command *const slurm_commands[] = {
    &command_sbatch, &command_squeue,   &command_sacct, &command_scancel,
    &command_sinfo,  &command_scontrol, &command_srun,  NULL,
};

/* Every one of Slurm's commands has these. */
static const struct option slurm_globals[] = {
    { "help", 0, NULL, "say what there is", COMPLETES_NOTHING },
    { "usage", 0, NULL, "the same", COMPLETES_NOTHING },
    { "version", 'V', NULL, "print the version", COMPLETES_NOTHING },
    { "quiet", 'Q', NULL, "say less", COMPLETES_NOTHING },
    { "verbose", 'v', NULL, "has no meaning here", COMPLETES_NOTHING },
    { "clusters", 'M', "NAMES", "has no meaning here", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

void slurm_say(const char *command, const char *kind, const char *format, ...)
{
    own_buf struct buf text = BUF_INIT(0);
    own_str char *safe = NULL;
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    safe = safe_text(buf_text(&text));
    fprintf(stderr, "%s: %s%s\n", command, kind, safe);
}

static void print_options(const struct option *options)
{
    for (; options && options->name; options++)
        printf("  %c%c%c --%s%s%s  %s\n", options->letter ? '-' : ' ',
               options->letter ? options->letter : ' ', options->letter ? ',' : ' ', options->name,
               options->value ? "=" : "", options->value ? options->value : "", options->help);
}

static int print_help(const struct command *command)
{
    printf("usage: %s %s\n\n%s (Spillway's, not Slurm's own)\n\n", command->name, command->synopsis,
           command->help);
    print_options(command->options);
    print_options(slurm_globals);
    if (command->example)
        printf("\nExample:\n%s\n", command->example);
    return 0;
}

/* Theirs end where the script or the command begins. */
static bool reads_itself(const struct command *command)
{
    return command == &command_sbatch || command == &command_srun;
}

static int parse(char **argv, const struct command *command, struct args *args, struct err *err)
{
    if (!reads_itself(command))
        return args_parse(slurm_commands, slurm_globals, argv, args, err);
    *args = (struct args){ .command = command, .rest = (const char *const *)argv + 1 };
    return 0;
}

static bool asks_for(const struct args *args, const char *name)
{
    own_str char *word = xasprintf("--%s", name);

    return args_has(args, name) ||
           (reads_itself(args->command) && args->rest[0] && strcmp(args->rest[0], word) == 0);
}

static int run(struct cli *cli, const struct command *command, const struct args *args)
{
    struct err err = ERR_INIT;
    int code;

    if (asks_for(args, "help") || asks_for(args, "usage"))
        return print_help(command);
    if (asks_for(args, "version")) {
        /* In the form that programs look for; the number is that of the Slurm it was held against. */
        printf("slurm-wlm 22.05.8 (Spillway %s)\n", SPILLWAY_VERSION);
        return 0;
    }
    code = command->run(cli, args, &err);
    if (code < 0)
        slurm_say(command->name, "error: ", "%s", err.text);
    return code < 0 ? 1 : code;
}

int main(int argc, char **argv)
{
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    const struct command *command = NULL;
    struct cli cli = { .json = false };
    struct args args = { .command = NULL };
    struct err err = ERR_INIT;
    int code = 1;

    if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX < 2)
        setlocale(LC_CTYPE, "C.UTF-8");
    if (argc && slash)
        argv[0] = (char *)slash + 1;
    if (argc > 1 && strcmp(argv[0], "spillway-slurm") == 0) /* spillway-slurm squeue ... */
        argv++;
    for (size_t i = 0; argc && slurm_commands[i]; i++)
        if (strcmp(slurm_commands[i]->name, argv[0]) == 0)
            command = slurm_commands[i];
    if (!command) {
        fputs(
            "spillway-slurm: call it as sbatch, squeue, sacct, scancel, sinfo, scontrol or srun\n",
            stderr);
        return 1;
    }
    term_init(&cli.term, true);
    if (parse(argv, command, &args, &err) < 0)
        slurm_say(command->name, "error: ", "%s; see '%s --help'", err.text, command->name);
    else
        code = run(&cli, command, &args);
    client_free(cli.client);
    args_free(&args);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        slurm_say(command->name, "error: ", "standard output cannot be written");
        return 1;
    }
    return code;
}
