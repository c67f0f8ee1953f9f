/* SPDX-License-Identifier: Apache-2.0 */
/* script.c - the option lines of a batch script.
 *
 * The lines are split into words as a shell would (quotes, backslash, '#' begins a comment), so
 * that what worked with sbatch works here. */
#include "conf/script.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "conf/job.h"
#include "conf/options.h"
#include "conf/script_parts.h"

#define WORDS_MOST  64
#define PLACES_MOST 1000

/* ---- notes and places
 * -------------------------------------------------------------------------------- */

static void note(struct script_notes *notes, int line, const char *format, va_list args)
{
    char raw[400], shown[400];

    if (notes->count >= SCRIPT_NOTES_MOST) {
        notes->dropped++;
        return;
    }
    if ((notes->count & (notes->count - 1)) == 0)
        notes->list =
            xrealloc(notes->list, (notes->count ? notes->count * 2 : 1) * sizeof *notes->list);
    vsnprintf(raw, sizeof raw, format, args);
    utf8_trim_end(raw);
    notes->list[notes->count++] =
        (struct script_note){ .line = line,
                              .text = xstrdup(text_for_terminal(raw, shown, sizeof shown)) };
}

void script_warn(struct script_reading *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note(&r->out->warnings, r->line, format, args);
    va_end(args);
}

void script_fault(struct script_reading *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note(&r->out->faults, r->line, format, args);
    va_end(args);
}

void script_place(struct script_reading *r, const char *key)
{
    struct script *out = r->out;

    if (out->place_count >= PLACES_MOST)
        return;
    if ((out->place_count & (out->place_count - 1)) == 0)
        out->places = xrealloc(out->places,
                               (out->place_count ? out->place_count * 2 : 1) * sizeof *out->places);
    out->places[out->place_count++] = (struct script_place){ .key = xstrdup(key), .line = r->line };
}

/* Does the pointer "/resources/walltime/..." lie at or below "resources.walltime"? */
static bool lies_below(const char *pointer, const char *key)
{
    while (*pointer == '/' && *key) {
        pointer++;
        for (; *key && *key != '.'; key++, pointer++)
            if (*key != *pointer)
                return false;
        key += *key == '.';
    }
    return !*key && (!*pointer || *pointer == '/');
}

int script_line_of(const struct script *script, const char *pointer)
{
    int line = 0;

    for (size_t i = 0; i < script->place_count; i++)
        if (lies_below(pointer, script->places[i].key))
            line = script->places[i].line; /* the last one won */
    return line;
}

void script_set(struct script_reading *r, const char *name, const char *value)
{
    const struct job_option *option = job_option_find(name);
    struct err err = ERR_INIT;

    if (job_option_set(option, value, r->now_ms, r->out->description, &err) < 0)
        script_fault(r, "%s", err.text);
    else
        script_place(r, option->key);
}

/* ---- words
 * ------------------------------------------------------------------------------------------- */

struct line_words {
    char *list[WORDS_MOST + 1];
    size_t count;
};

static void words_free(struct line_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->list[i]);
}

/* One word from *at on; quotes are taken off.  False: a quote is not closed. */
static bool take_word(const char **at, const char *end, struct buf *out)
{
    const char *s = *at;
    char quote = 0;

    for (; s < end && (quote || (*s != ' ' && *s != '\t')); s++) {
        if (quote ? *s == quote : *s == '"' || *s == '\'')
            quote = quote ? 0 : *s;
        else if (*s == '\\' && quote != '\'' && s + 1 < end)
            buf_putc(out, *++s);
        else
            buf_putc(out, *s);
    }
    *at = s;
    return !quote;
}

static bool split(struct script_reading *r, const char *s, const char *end, struct line_words *out)
{
    for (;;) {
        struct buf word = BUF_INIT(0);
        bool closed;

        while (s < end && (*s == ' ' || *s == '\t'))
            s++;
        if (s == end || *s == '#')
            return true;
        if (out->count == WORDS_MOST) {
            script_fault(r, "more than %d words", WORDS_MOST);
            return false;
        }
        closed = take_word(&s, end, &word);
        out->list[out->count++] = buf_take(&word);
        if (!closed) {
            script_fault(r, "a quote is not closed");
            return false;
        }
    }
}

/* ---- options
 * ----------------------------------------------------------------------------------------- */

/* "--name=value" or "--name"; *value is NULL when it holds none.  Cuts the word at '='. */
static char *long_name(char *word, char **value)
{
    char *equals = strchr(word, '=');

    *value = equals ? equals + 1 : NULL;
    if (equals)
        *equals = '\0';
    return word + 2;
}

static void own_options(struct script_reading *r, struct line_words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        char *word = words->list[i], *value, *name;
        const struct job_option *option;

        if (strncmp(word, "--", 2) != 0 || !word[2]) {
            script_fault(r, "'%.60s': write options as --name value", word);
            return;
        }
        name = long_name(word, &value);
        option = job_option_find(name);
        if (!option) {
            const char *near = job_option_nearest(name);

            script_fault(r, "unknown option --%.60s%s%s%s", name, near ? "; did you mean --" : "",
                         near ? near : "", near ? "?" : "");
            return;
        }
        if (option->word && !value && i + 1 < words->count)
            value = words->list[++i];
        script_set(r, option->name, value);
    }
}

static void sbatch_options(struct script_reading *r, struct line_words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->list[i], *next = i + 1 < words->count ? words->list[i + 1] : NULL;

        if (word[0] != '-' || !word[1] || (word[1] == '-' && !word[2])) {
            script_fault(r, "'%.60s' is no option", word);
            return;
        }
        i += sbatch_word(r, word, next);
    }
}

static bool starts(const char *s, const char *end, const char *with)
{
    size_t length = strlen(with);

    return (size_t)(end - s) > length && memcmp(s, with, length) == 0 &&
           (s[length] == ' ' || s[length] == '\t');
}

/* All lines of one kind, until the first that is neither blank nor a comment. */
static void read_lines(struct script_reading *r, const char *text, size_t length, const char *mark,
                       void (*options)(struct script_reading *, struct line_words *))
{
    const char *end = text + length;

    r->line = 0;
    for (const char *s = text; s < end;) {
        const char *eol = memchr(s, '\n', (size_t)(end - s)), *stop = eol ? eol : end;
        struct line_words words = { .count = 0 };
        const char *first = s;

        r->line++;
        if (stop > s && stop[-1] == '\r')
            stop--;
        while (first < stop && (*first == ' ' || *first == '\t'))
            first++;
        if (first < stop && *first != '#')
            return;
        if (starts(s, stop, mark) && split(r, s + strlen(mark), stop, &words))
            options(r, &words);
        words_free(&words);
        s = eol ? eol + 1 : end;
    }
}

static bool check_text(struct script_reading *r, const char *text, size_t length)
{
    r->line = 1;
    if (length > SCRIPT_BYTES_MOST)
        script_fault(r, "larger than %zu KiB; put what it needs into an input",
                     SCRIPT_BYTES_MOST >> 10);
    else if (memchr(text, '\0', length) || !utf8_valid(text, length))
        script_fault(r, "not a text file in UTF-8");
    else
        return true;
    return false;
}

static void command_line(struct script_reading *r, const char *const *words, size_t count)
{
    r->line = 0;
    for (size_t i = 0; i < count; i++)
        i += sbatch_word(r, words[i], i + 1 < count ? words[i + 1] : NULL);
}

static int parse(struct script_reading *r, const char *text, size_t length, const char *name,
                 const char *const *words, size_t word_count)
{
    struct script *out = r->out;
    size_t name_length = strlen(name);

    *out = (struct script){ .description = json_object() };
    if (!check_text(r, text, length))
        return -1;
    if (name_length && name_length <= JOB_NAME_MOST && text_is_plain(name, name_length))
        json_object_set_new(out->description, "name", json_string(name));
    json_object_set_new(out->description, "script", json_stringn(text, length));
    read_lines(r, text, length, "#SBATCH", sbatch_options);
    command_line(r, words, word_count);
    sbatch_settle(r);
    read_lines(r, text, length, "#SPILLWAY", own_options);
    return out->faults.count ? -1 : 0;
}

int script_parse(const char *text, size_t length, const char *name, int64_t now_ms,
                 struct script *out)
{
    struct script_reading r = { .out = out, .now_ms = now_ms };

    return parse(&r, text, length, name, NULL, 0);
}

int sbatch_parse(const char *text, size_t length, const char *name, int64_t now_ms,
                 const char *const *words, size_t word_count, struct sbatch_call *call,
                 struct script *out)
{
    struct script_reading r = { .out = out, .now_ms = now_ms, .call = call };

    return parse(&r, text, length, name, words, word_count);
}

static void notes_free(struct script_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        free(notes->list[i].text);
    free(notes->list);
}

void script_free(struct script *script)
{
    json_decref(script->description);
    notes_free(&script->warnings);
    notes_free(&script->faults);
    for (size_t i = 0; i < script->place_count; i++)
        free(script->places[i].key);
    free(script->places);
    *script = (struct script){ 0 };
}
