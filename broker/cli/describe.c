/* SPDX-License-Identifier: Apache-2.0 */
/* describe.c - files, scripts and command lines to job descriptions. */
#include "cli/describe.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "conf/options.h"
#include "conf/script.h"
#include "conf/yaml.h"

#define OPTIONS_MOST 120

struct source {
    char *path;   /* as given; "<stdin>" for "-" */
    char *folder; /* with its '/'; "": here */
    bool is_script;
    struct yaml_docs docs;
    struct script script;
};

static void source_free(struct source *source)
{
    free(source->path);
    free(source->folder);
    if (source->is_script)
        script_free(&source->script);
    else
        yaml_docs_free(&source->docs);
    free(source);
}

void drafts_free(struct drafts *drafts)
{
    for (size_t i = 0; i < drafts->count; i++) {
        json_decref(drafts->list[i].description);
        job_spec_free(&drafts->list[i].spec);
    }
    for (size_t i = 0; i < drafts->source_count; i++)
        source_free(drafts->sources[i]);
    free(drafts->list);
    free(drafts->sources);
    *drafts = (struct drafts){ .list = NULL };
}

/* What only the broker knows the names of. */
static enum completes completes_of(const char *name)
{
    if (strcmp(name, "site") == 0 || strcmp(name, "prefer-site") == 0 ||
        strcmp(name, "exclude-site") == 0)
        return COMPLETES_SITE;
    if (strcmp(name, "after") == 0)
        return COMPLETES_JOB;
    return strcmp(name, "input") == 0 ? COMPLETES_FILE : COMPLETES_NOTHING;
}

static struct option option_of(const struct job_option *option, const char *name)
{
    return (struct option){ .name = name,
                            .value = option->word,
                            .help = option->help,
                            .completes = completes_of(option->name) };
}

const struct option *job_option_table(void)
{
    static struct option table[OPTIONS_MOST + 1];
    size_t count = 0;

    if (table[0].name)
        return table;
    for (const struct job_option *o = job_options; o->name && count + 1 < OPTIONS_MOST; o++) {
        table[count++] = option_of(o, o->name);
        if (o->alias && count < OPTIONS_MOST)
            table[count++] = option_of(o, o->alias);
    }
    return table;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static struct draft *add_draft(struct drafts *drafts, struct source *source, size_t document,
                               json_t *description)
{
    const json_t *inputs = json_object_get(description, "inputs");
    struct draft *draft;

    drafts->list = xrealloc(drafts->list, (drafts->count + 1) * sizeof *drafts->list);
    draft = &drafts->list[drafts->count++];
    *draft = (struct draft){ .description = description, .source = source, .document = document };
    draft->file_inputs = json_is_array(inputs) ? json_array_size(inputs) : inputs != NULL;
    return draft;
}

static struct source *add_source(struct drafts *drafts, const char *path, bool is_script)
{
    struct source *source = xcalloc(1, sizeof *source);
    const char *slash = strrchr(path, '/');

    source->path = xstrdup(strcmp(path, "-") == 0 ? "<stdin>" : path);
    source->folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup("");
    source->is_script = is_script;
    source->docs = (struct yaml_docs)YAML_DOCS_INIT;
    drafts->sources =
        xrealloc(drafts->sources, (drafts->source_count + 1) * sizeof(struct source *));
    drafts->sources[drafts->source_count++] = source;
    return source;
}

static int read_source(const char *path, struct buf *out, struct err *err)
{
    if (strcmp(path, "-") == 0)
        return buf_read_fd(out, STDIN_FILENO, err) < 0 ? err_wrap(err, "standard input") : 0;
    return buf_read_file(out, path, err);
}

static void print_notes(const struct source *source, const struct script_notes *notes,
                        const char *kind)
{
    own_str char *path = safe_text(source->path);

    for (size_t i = 0; i < notes->count; i++) {
        own_str char *text = safe_text(notes->list[i].text);

        fprintf(stderr, "%s:%d: %s%s\n", path, notes->list[i].line, kind, text);
    }
    if (notes->dropped)
        fprintf(stderr, "%s: %s%zu more of the kind\n", path, kind, notes->dropped);
}

/* Arguments make a script a file among the inputs, and the command that calls it. */
static int add_arguments(json_t *description, const char *path, const struct args *args,
                         struct err *err)
{
    own_str char *call = NULL;
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    json_t *command = json_array(), *inputs = json_object_get(description, "inputs");

    if (strcmp(path, "-") == 0) {
        json_decref(command);
        return err_set(err, FAULT_INVALID,
                       "a script from standard input takes no arguments; put "
                       "it into a file");
    }
    call = xasprintf("./%s", base);
    json_array_append_new(command, json_string(call));
    for (size_t i = 1; i < args->word_count; i++)
        json_array_append_new(command, json_string(args->words[i]));
    for (size_t i = 0; args->rest && args->rest[i]; i++)
        json_array_append_new(command, json_string(args->rest[i]));
    json_object_set_new(description, "command", command);
    json_object_del(description, "script");
    if (!inputs) {
        inputs = json_array();
        json_object_set_new(description, "inputs", inputs);
    }
    json_array_append_new(inputs,
                          json_pack("{s:s, s:s, s:s}", "from", base, "to", base, "mode", "0755"));
    return 0;
}

static int read_script(const struct args *args, const char *path, const struct buf *text,
                       struct drafts *out, struct err *err)
{
    struct source *source = add_source(out, path, true);
    const char *slash = strrchr(path, '/');
    const char *name = strcmp(path, "-") == 0 ? "stdin" : slash ? slash + 1 : path;
    int rc = script_parse(buf_text(text), text->length, name, clock_wall_ms(), &source->script);

    print_notes(source, &source->script.warnings, "warning: ");
    print_notes(source, &source->script.faults, "");
    if (rc < 0)
        return err_set(err, FAULT_INVALID, "nothing was submitted");
    if ((args->word_count > 1 || args->rest) &&
        add_arguments(source->script.description, path, args, err) < 0)
        return -1;
    add_draft(out, source, 0, json_incref(source->script.description));
    return 0;
}

static int read_yaml(const char *path, const struct buf *text, struct drafts *out, struct err *err)
{
    struct source *source = add_source(out, path, false);

    if (yaml_parse(buf_text(text), text->length, &source->docs, err) < 0) {
        own_str char *shown = safe_text(source->path), *words = safe_text(err->text);

        fprintf(stderr, "%s:%s\n", shown, words);
        return err_set(err, FAULT_INVALID, "nothing was submitted");
    }
    if (source->docs.count == 0)
        return err_set(err, FAULT_INVALID, "%s: there is no job description in it", source->path);
    for (size_t i = 0; i < source->docs.count; i++)
        add_draft(out, source, i, json_incref(source->docs.list[i].root));
    return 0;
}

/* Only the first file can be a script: what follows one are its arguments. */
static int read_files(const struct args *args, struct drafts *out, struct err *err)
{
    for (size_t i = 0; i < args->word_count; i++) {
        own_buf struct buf text = BUF_INIT(YAML_BYTES_MOST);

        if (read_source(args->words[i], &text, err) < 0)
            return err->fault != FAULT_NOT_FOUND
                       ? -1
                       : err_set(err, FAULT_NOT_FOUND,
                                 "%s: there is no such file (a command goes behind '--':  "
                                 "spillway %s -- %s)",
                                 args->words[i], args->command->name, args->words[i]);
        if (strncmp(buf_text(&text), "#!", 2) == 0 && i == 0)
            return read_script(args, args->words[0], &text, out, err);
        if (args->rest)
            return err_set(err, FAULT_INVALID,
                           "give either a file or a command behind '--', not both (a script may "
                           "have arguments; it starts with '#!')");
        if (read_yaml(args->words[i], &text, out, err) < 0)
            return -1;
    }
    return 0;
}

static void read_command(const struct args *args, struct drafts *out)
{
    json_t *description = json_object(), *command = json_array();

    for (size_t i = 0; args->rest && args->rest[i]; i++)
        json_array_append_new(command, json_string(args->rest[i]));
    json_object_set_new(description, "command", command);
    add_draft(out, NULL, 0, description);
}

static int apply_options(const struct args *args, json_t *description, struct err *err)
{
    int64_t now = clock_wall_ms();

    for (size_t i = 0; i < args->given_count; i++) {
        const struct job_option *option = job_option_find(args->given[i].option->name);

        if (option && option->word && !args->given[i].value)
            continue;
        if (option && job_option_set(option, args->given[i].value, now, description, err) < 0)
            return -1;
    }
    return 0;
}

int drafts_usage(const struct args *args, struct err *err)
{
    if (args->word_count || (args->rest && args->rest[0]))
        return 0;
    err_set(err, FAULT_INVALID,
            "what is to run?  Give a file, or a command behind '--':  spillway %s -- CMD",
            args->command->name);
    return 1;
}

int drafts_read(const struct args *args, struct drafts *out, struct err *err)
{
    for (size_t i = 0; args->rest && args->rest[i]; i++)
        if (!utf8_valid(args->rest[i], strlen(args->rest[i])))
            return err_set(err, FAULT_INVALID, "'%.60s' is not UTF-8", args->rest[i]);
    if (args->word_count) {
        if (read_files(args, out, err) < 0)
            return -1;
    } else {
        read_command(args, out);
    }
    for (size_t i = 0; i < out->count; i++)
        if (json_is_object(out->list[i].description) &&
            apply_options(args, out->list[i].description, err) < 0)
            return -1;
    return 0;
}

const char *draft_folder(const struct draft *draft, size_t input)
{
    return draft->source && input < draft->file_inputs ? draft->source->folder : "";
}

/* ---- faults ------------------------------------------------------------------------------------
 */

/* The option that wrote what `pointer` names; NULL: none did. */
static const char *option_behind(const struct args *args, const char *pointer)
{
    for (size_t i = args->given_count; i-- > 0;) {
        const struct job_option *option = job_option_find(args->given[i].option->name);
        size_t length;
        own_str char *path = NULL;

        if (!option || !option->key)
            continue;
        path = xasprintf("/%s", option->key);
        for (char *s = path; *s; s++)
            *s = *s == '.' ? '/' : *s;
        length = strlen(path);
        if (strncmp(pointer, path, length) == 0 && (!pointer[length] || pointer[length] == '/'))
            return args->given[i].option->name;
    }
    return NULL;
}

static void put_place(const struct draft *draft, const char *pointer, bool key, struct buf *out)
{
    const struct source *source = draft->source;
    own_str char *path = safe_text(source->path);

    if (source->is_script) {
        int number = script_line_of(&source->script, pointer);

        if (number)
            buf_printf(out, "%s:%d: ", path, number);
        else
            buf_printf(out, "%s: ", path);
    } else {
        struct yaml_mark at = yaml_mark(&source->docs.list[draft->document], pointer, key);

        buf_printf(out, "%s:%d:%d: ", path, at.line, at.column);
    }
}

void draft_fault(const struct args *args, const struct draft *draft, const char *pointer,
                 const char *text, const char *suggestion)
{
    const char *option = option_behind(args, pointer);
    own_buf struct buf line = BUF_INIT(0);
    own_str char *safe = NULL;

    if (option)
        buf_printf(&line, "--%s: ", option);
    else if (draft->source)
        put_place(draft, pointer, strncmp(text, "unknown key", 11) == 0, &line);
    if (*pointer && !option && strncmp(text, "unknown key", 11) != 0)
        buf_printf(&line, "%s: ", pointer + 1);
    buf_puts(&line, text);
    if (suggestion && *suggestion)
        buf_printf(&line, " (%s)", suggestion);
    safe = safe_text(buf_text(&line));
    fprintf(stderr, "%s\n", safe);
}

int drafts_check(const struct args *args, struct drafts *drafts, struct err *err)
{
    size_t faults = 0;

    for (size_t i = 0; i < drafts->count; i++) {
        struct problems problems = { .count = 0 };

        if (job_spec_parse(drafts->list[i].description, &drafts->list[i].spec, &problems) < 0)
            for (size_t p = 0; p < problems.count; p++)
                draft_fault(args, &drafts->list[i], problems.list[p].pointer, problems.list[p].text,
                            problems.list[p].suggestion);
        faults += problems.count + problems.dropped;
        problems_free(&problems);
    }
    if (faults)
        return err_set(err, FAULT_INVALID, "%zu %s, nothing was submitted", faults,
                       faults == 1 ? "fault" : "faults");
    return 0;
}
