/* SPDX-License-Identifier: Apache-2.0 */
/* completion.c - `spillway completion bash|zsh`, from the tables that the parser uses.
 *
 * Names that only the broker knows (ids, sites, workers) are asked of it while one types, by the
 * hidden command __complete; it is quiet when no broker answers. */
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "conf/options.h"
#include "spillway/state.h"

static const char *const kinds[] = {
    [COMPLETES_NOTHING] = "",     [COMPLETES_FILE] = "file",        [COMPLETES_DIR] = "dir",
    [COMPLETES_JOB] = "jobs",     [COMPLETES_SITE] = "sites",       [COMPLETES_WORKER] = "workers",
    [COMPLETES_STATE] = "states", [COMPLETES_COMMAND] = "commands",
};

/* ---- what the shells need to know: a case for each command -------------------------------------
 */

static void put_option_words(struct buf *out, const struct option *options)
{
    for (; options && options->name; options++)
        buf_printf(out, " --%s", options->name);
}

/* One of a few words, where the description's key takes only such. */
static void put_value_kind(struct buf *out, const struct option *option, bool is_key)
{
    const struct job_option *key = is_key ? job_option_find(option->name) : NULL;
    const char *choices = key ? key->values : NULL;

    buf_puts(out, choices ? ":" : kinds[option->completes]);
    for (const char *s = choices; s && *s; s++)
        buf_putc(out, *s == ' ' ? ',' : *s);
}

static void put_value_kinds(struct buf *out, const struct option *options, bool are_keys)
{
    for (; options && options->name; options++) {
        if (!options->value)
            continue;
        buf_printf(out, " --%s=", options->name);
        put_value_kind(out, options, are_keys);
        if (!options->letter)
            continue;
        buf_printf(out, " -%c=", options->letter);
        put_value_kind(out, options, are_keys);
    }
}

/* 'ls') swopts=' --all' swvals=' --limit= --state=states --x=:a,b' swwords='jobs' ;; and where the
 * words are sub-commands, swwords=':show drain'.  The names are such as mean nothing to zsh. */
static void put_case(struct buf *out, const char *above, const struct command *command)
{
    const struct option *more = command->more_options ? command->more_options() : NULL;

    buf_printf(out, "    '%s%s%s')\n        swopts='", above, *above ? " " : "", command->name);
    put_option_words(out, command->options);
    put_option_words(out, more);
    put_option_words(out, global_options);
    buf_puts(out, "'\n        swvals='");
    put_value_kinds(out, command->options, false);
    put_value_kinds(out, more, true);
    put_value_kinds(out, global_options, false);
    buf_puts(out, "'\n        swwords='");
    for (const struct command *const *sub = command->subs; sub && *sub; sub++)
        buf_printf(out, "%s%s", sub == command->subs ? ":" : " ", (*sub)->name);
    if (!command->subs)
        buf_puts(out, kinds[command->words]);
    buf_puts(out, "' ;;\n");
    for (const struct command *const *sub = command->subs; sub && *sub; sub++)
        put_case(out, command->name, *sub);
}

/* Sets options, values and words for "$1", a command's full name. */
static void put_tables(struct buf *out)
{
    buf_puts(out, "_spillway_tables() {\n    swopts='' swvals='' swwords=''\n    case \"$1\" in\n");
    buf_puts(out, "    '')\n        swopts='");
    put_option_words(out, global_options);
    buf_puts(out, "'\n        swvals='");
    put_value_kinds(out, global_options, false);
    buf_puts(out, "'\n        swwords=':");
    for (const struct command *const *c = commands; *c; c++)
        if (!(*c)->hidden)
            buf_printf(out, "%s%s", c == commands ? "" : " ", (*c)->name);
    buf_puts(out, "' ;;\n");
    for (const struct command *const *c = commands; *c; c++)
        if (!(*c)->hidden)
            put_case(out, "", *c);
    buf_puts(out, "    esac\n}\n\n");
}

/* What both shells run: from the words before the cursor to the candidates in `found`. */
static const char common[] =
    "# The command (and sub-command) among the words, into `name`; whether \"--\" came, into "
    "`rest`.\n"
    "_spillway_find() {\n"
    "    name='' rest=''\n"
    "    local word skip='' swopts swvals swwords\n"
    "    _spillway_tables ''\n"
    "    for word in \"$@\"; do\n"
    "        if [ -n \"$skip\" ]; then skip=''; continue; fi\n"
    "        case \"$word\" in\n"
    "        --) rest=1; return ;;\n"
    "        -*)\n"
    "            case \"$swvals \" in *\" $word=\"*) skip=1 ;; esac ;;\n"
    "        *)\n"
    "            case \"$swwords\" in\n"
    "            :*)\n"
    "                case \" ${swwords#:} \" in\n"
    "                *\" $word \"*)\n"
    "                    name=\"${name:+$name }$word\"\n"
    "                    _spillway_tables \"$name\" ;;\n"
    "                esac ;;\n"
    "            esac ;;\n"
    "        esac\n"
    "    done\n"
    "}\n\n"
    "# Candidates for the current word, one a line: _spillway_candidates CURRENT WORDS-BEFORE...\n"
    "_spillway_candidates() {\n"
    "    local current=\"$1\" previous='' kind='' name rest swopts swvals swwords word\n"
    "    shift\n"
    "    _spillway_find \"$@\"\n"
    "    for previous in \"$@\"; do :; done\n"
    "    if [ -n \"$rest\" ]; then echo '<file>'; return; fi\n"
    "    _spillway_tables \"$name\"\n"
    "    case \"$previous\" in\n"
    "    -*)\n"
    "        case \"$swvals \" in\n"
    "        *\" $previous=\"*)\n"
    "            kind=\"${swvals#*\" $previous=\"}\"\n"
    "            _spillway_kind \"${kind%%' '*}\"\n"
    "            return ;;\n"
    "        esac ;;\n"
    "    esac\n"
    "    case \"$current\" in\n"
    "    -*) printf '%s\\n' $(echo $swopts) ;;\n"
    "    *)\n"
    "        case \"$swwords\" in\n"
    "        :*) printf '%s\\n' $(echo ${swwords#:}) ;;\n"
    "        *) _spillway_kind \"$swwords\" ;;\n"
    "        esac ;;\n"
    "    esac\n"
    "}\n\n"
    "_spillway_kind() {\n"
    "    case \"$1\" in\n"
    "    '') ;;\n"
    "    :*) printf '%s' \"${1#:}\" | tr ',' '\\n' ;;\n"
    "    file | dir) echo \"<$1>\" ;;\n"
    "    *) spillway __complete \"$1\" 2>/dev/null ;;\n"
    "    esac\n"
    "}\n\n";

static const char bash_end[] =
    "_spillway() {\n"
    "    local current=\"${COMP_WORDS[COMP_CWORD]}\" found\n"
    "    COMPREPLY=()\n"
    "    found=$(_spillway_candidates \"$current\" \"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n"
    "    case \"$found\" in\n"
    "    '<file>') compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
    "    '<dir>') compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$current\") ;;\n"
    "    *) mapfile -t COMPREPLY < <(compgen -W \"$found\" -- \"$current\") ;;\n"
    "    esac\n"
    "}\n"
    "complete -F _spillway spillway\n";

static const char zsh_end[] = "_spillway() {\n"
                              "    emulate -L zsh -o sh_word_split\n"
                              "    local found current=\"${words[CURRENT]}\"\n"
                              "    local -a before list\n"
                              "    before=(\"${(@)words[2,CURRENT-1]}\")\n"
                              "    found=$(_spillway_candidates \"$current\" \"${before[@]}\")\n"
                              "    case \"$found\" in\n"
                              "    '<file>') _files ;;\n"
                              "    '<dir>') _files -/ ;;\n"
                              "    *) list=(\"${(@f)found}\"); compadd -a list ;;\n"
                              "    esac\n"
                              "}\n"
                              "compdef _spillway spillway\n";

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    own_buf struct buf out = BUF_INIT(0);
    bool zsh = strcmp(args->words[0], "zsh") == 0;

    (void)cli;
    if (!zsh && strcmp(args->words[0], "bash") != 0)
        return err_set(err, FAULT_INVALID, "'%.40s': completion is there for bash and zsh",
                       args->words[0]);
    if (zsh)
        buf_puts(&out, "#compdef spillway\n");
    buf_printf(&out, "# Completion of spillway for %s; made by `spillway completion %s`.\n\n",
               args->words[0], args->words[0]);
    put_tables(&out);
    buf_puts(&out, common);
    buf_puts(&out, zsh ? zsh_end : bash_end);
    fputs(buf_text(&out), stdout);
    return EXIT_OK;
}

const struct command command_completion = {
    .name = "completion",
    .help = "print the completion script of a shell",
    .synopsis = "bash|zsh",
    .text =
        "Prints a script that completes commands, options, ids, sites and workers in bash or zsh.",
    .example = "spillway completion bash > ~/.local/share/bash-completion/completions/spillway\n"
               "source <(spillway completion zsh)",
    .words = COMPLETES_NOTHING,
    .words_least = 1,
    .words_most = 1,
    .run = run,
};

/* ---- what they ask while one types -------------------------------------------------------------
 */

#define LOOK_AT    10000 /* so many jobs are looked at */
#define NAMES_MOST 200

static void print_plain(const char *text)
{
    if (*text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "-_.") == strlen(text))
        printf("%s\n", text);
}

/* The `key` of the first objects of the list that is `name` in the answer. */
static void print_names(struct cli *cli, const char *path, const char *name, const char *key)
{
    own_json json_t *answer = NULL;
    struct err quiet = ERR_INIT;
    const json_t *list;

    if (cli_get(cli, &answer, &quiet, "%s", path) < 0)
        return;
    list = json_object_get(answer, name);
    for (size_t i = 0; i < json_array_size(list) && i < NAMES_MOST; i++)
        print_plain(field_text(json_array_get(list, i), key));
}

static int run_complete(struct cli *cli, const struct args *args, struct err *err)
{
    const char *kind = args->words[0];

    (void)err;
    if (strcmp(kind, "jobs") == 0) {
        own_str char *path = xasprintf("/v1/jobs?all=1&order=desc&limit=%d", LOOK_AT);

        print_names(cli, path, "tasks", "id");
    } else if (strcmp(kind, "sites") == 0) {
        print_names(cli, "/v1/sites", "sites", "name");
    } else if (strcmp(kind, "workers") == 0) {
        print_names(cli, "/v1/workers", "workers", "name");
    } else if (strcmp(kind, "states") == 0) {
        for (int state = 0; state < TASK_STATE_COUNT; state++)
            printf("%s\n", task_state_name((enum task_state)state));
    } else if (strcmp(kind, "commands") == 0) {
        for (const struct command *const *c = commands; *c; c++)
            if (!(*c)->hidden)
                printf("%s\n", (*c)->name);
    }
    return EXIT_OK;
}

const struct command command_complete = {
    .name = "__complete",
    .help = "names for the shell's completion",
    .synopsis = "KIND",
    .words_least = 1,
    .words_most = 1,
    .hidden = true,
    .run = run_complete,
};
