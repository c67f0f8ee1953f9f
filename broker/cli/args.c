/* SPDX-License-Identifier: Apache-2.0 */
/* args.c - command lines by table. */
#include "cli/args.h"

#include <string.h>

#include "base/own.h"
#include "base/parse.h"

#define OPTIONS_MOST 128 /* of one command, for suggestions */

struct parser {
    const struct option *tables[3];
    struct args *out;
};

static const struct command *command_find(const struct command *const *commands, const char *name)
{
    for (; *commands; commands++)
        if (strcmp((*commands)->name, name) == 0)
            return *commands;
    return NULL;
}

static int command_unknown(const struct command *const *commands, const char *above,
                           const char *name, struct err *err)
{
    const char *names[64] = { NULL };
    const char *near;
    size_t count = 0;

    for (; *commands && count + 1 < array_len(names); commands++)
        if (!(*commands)->hidden)
            names[count++] = (*commands)->name;
    near = nearest_word(name, names);
    if (near)
        return err_set(err, FAULT_INVALID, "unknown command '%s%s%.60s'; did you mean '%s'?", above,
                       *above ? " " : "", name, near);
    return err_set(err, FAULT_INVALID, "unknown command '%s%s%.60s'; see `spillway help%s%s`",
                   above, *above ? " " : "", name, *above ? " " : "", above);
}

static const struct option *option_find(const struct parser *parser, const char *name,
                                        size_t length, char letter)
{
    for (size_t t = 0; t < array_len(parser->tables); t++)
        for (const struct option *o = parser->tables[t]; o && o->name; o++)
            if (letter ? o->letter == letter
                       : strlen(o->name) == length && memcmp(o->name, name, length) == 0)
                return o;
    return NULL;
}

static int option_unknown(const struct parser *parser, const char *name, size_t length,
                          struct err *err)
{
    own_str char *word = xstrndup(name, length < 60 ? length : 60);
    const char *names[OPTIONS_MOST] = { NULL };
    const char *near;
    size_t count = 0;

    for (size_t t = 0; t < array_len(parser->tables); t++)
        for (const struct option *o = parser->tables[t]; o && o->name; o++)
            if (count + 1 < array_len(names))
                names[count++] = o->name;
    near = nearest_word(word, names);
    if (near)
        return err_set(err, FAULT_INVALID, "unknown option '--%s'; did you mean '--%s'?", word,
                       near);
    return err_set(err, FAULT_INVALID, "unknown option '--%s'", word);
}

static void give(struct args *args, const struct option *option, const char *value)
{
    args->given = xrealloc(args->given, (args->given_count + 1) * sizeof *args->given);
    args->given[args->given_count++] = (struct given){ .option = option, .value = value };
}

static void add_word(struct args *args, const char *word)
{
    args->words = xrealloc(args->words, (args->word_count + 2) * sizeof *args->words);
    args->words[args->word_count++] = word;
    args->words[args->word_count] = NULL;
}

/* "--name", "--name=value"; returns how many arguments it took, or -1. */
static int take_long(struct parser *parser, char **argv, struct err *err)
{
    const char *name = argv[0] + 2;
    size_t length = strcspn(name, "=");
    const struct option *option = option_find(parser, name, length, 0);

    if (!option)
        return option_unknown(parser, name, length, err);
    if (!option->value) {
        if (name[length])
            return err_set(err, FAULT_INVALID, "--%s takes no value", option->name);
        give(parser->out, option, NULL);
        return 1;
    }
    if (name[length]) {
        give(parser->out, option, name + length + 1);
        return 1;
    }
    if (!argv[1])
        return err_set(err, FAULT_INVALID, "--%s needs a value: --%s %s", option->name,
                       option->name, option->value);
    give(parser->out, option, argv[1]);
    return 2;
}

/* "-f", "-n5", "-n 5", "-fa". */
static int take_short(struct parser *parser, char **argv, struct err *err)
{
    for (const char *s = argv[0] + 1; *s; s++) {
        const struct option *option = option_find(parser, "", 0, *s);

        if (!option)
            return err_set(err, FAULT_INVALID, "unknown option '-%c'", *s);
        if (!option->value) {
            give(parser->out, option, NULL);
            continue;
        }
        if (s[1]) {
            give(parser->out, option, s + 1);
            return 1;
        }
        if (!argv[1])
            return err_set(err, FAULT_INVALID, "-%c needs a value: -%c %s", *s, *s, option->value);
        give(parser->out, option, argv[1]);
        return 2;
    }
    return 1;
}

static void use_command(struct parser *parser, const struct command *command)
{
    parser->out->command = command;
    parser->tables[0] = command->options;
    parser->tables[1] = command->more_options ? command->more_options() : NULL;
}

/* The first word names the command, the second may name one of its subs. */
static int take_word(struct parser *parser, const struct command *const *commands, const char *word,
                     struct err *err)
{
    const struct command *command = parser->out->command;

    if (!command) {
        if (!(command = command_find(commands, word)))
            return command_unknown(commands, "", word, err);
        use_command(parser, command);
        return 1;
    }
    if (command->subs && parser->out->word_count == 0) {
        const struct command *sub = command_find(command->subs, word);

        if (!sub)
            return command_unknown(command->subs, command->name, word, err);
        use_command(parser, sub);
        return 1;
    }
    add_word(parser->out, word);
    return 1;
}

static int check_words(const struct command *const *commands, const struct args *args,
                       struct err *err)
{
    const struct command *command = args->command;
    own_buf struct buf name = BUF_INIT(0);

    if (!command)
        return 0;
    command_full_name(commands, command, &name);
    if (args->rest && !command->takes_rest && args->rest[0])
        return err_set(err, FAULT_INVALID, "'%s' takes nothing behind '--'", buf_text(&name));
    if (!args->rest && (int)args->word_count < command->words_least)
        return err_set(err, FAULT_INVALID, "too few arguments; usage: spillway %s %s",
                       buf_text(&name), command->synopsis);
    if (command->words_most >= 0 && (int)args->word_count > command->words_most)
        return err_set(err, FAULT_INVALID,
                       "'%.60s' is one argument too many; usage: spillway %s %s",
                       args->words[command->words_most], buf_text(&name), command->synopsis);
    return 0;
}

static int parse_all(struct parser *parser, const struct command *const *commands, char **argv,
                     struct err *err)
{
    while (*argv) {
        int took;

        if (strcmp(*argv, "--") == 0) {
            parser->out->rest = (const char *const *)(argv + 1);
            return 0;
        }
        if (strncmp(*argv, "--", 2) == 0)
            took = take_long(parser, argv, err);
        else if ((*argv)[0] == '-' && (*argv)[1])
            took = take_short(parser, argv, err);
        else
            took = take_word(parser, commands, *argv, err);
        if (took < 0)
            return -1;
        argv += took;
    }
    return 0;
}

int args_parse(const struct command *const *commands, const struct option *globals, char **argv,
               struct args *out, struct err *err)
{
    struct parser parser = { .tables = { NULL, NULL, globals }, .out = out };

    *out = (struct args){ .command = NULL };
    if (parse_all(&parser, commands, argv, err) < 0)
        return -1;
    if (args_has(out, "help"))
        return 0;
    return check_words(commands, out, err);
}

void args_free(struct args *args)
{
    free(args->given);
    free(args->words);
    *args = (struct args){ .command = NULL };
}

static const struct given *given_find(const struct args *args, const char *name)
{
    for (size_t i = args->given_count; i-- > 0;)
        if (strcmp(args->given[i].option->name, name) == 0)
            return &args->given[i];
    return NULL;
}

bool args_has(const struct args *args, const char *name)
{
    return given_find(args, name) != NULL;
}

const char *args_get(const struct args *args, const char *name)
{
    const struct given *given = given_find(args, name);

    return given ? given->value : NULL;
}

int args_i64(const struct args *args, const char *name, int64_t least, int64_t most, int64_t *out,
             struct err *err)
{
    const char *value = args_get(args, name);

    if (value && parse_i64(value, least, most, out, err) < 0)
        return err_wrap(err, "--%s", name);
    return 0;
}

int args_span(const struct args *args, const char *name, int64_t *out_ms, struct err *err)
{
    const char *value = args_get(args, name);

    if (value && parse_span(value, out_ms, err) < 0)
        return err_wrap(err, "--%s", name);
    return 0;
}
