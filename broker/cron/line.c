/* SPDX-License-Identifier: Apache-2.0 */
/* line.c - reads a cron line into the sets that expr.c searches.
 *
 * Each field is a table row: its bounds, its names, and what it takes beyond numbers.  A fault
 * names the field and says what would be right. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "base/parse.h"
#include "cron/line.h"

enum field_kind { FIELD_SECOND, FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY };
#define FIELDS 6

static const char *const month_names[] = { "january",  "february", "march",  "april",     "may",
                                           "june",     "july",     "august", "september", "october",
                                           "november", "december", NULL };
static const char *const weekday_names[] = { "sunday",   "monday", "tuesday",  "wednesday",
                                             "thursday", "friday", "saturday", NULL };
#define NAME_LEAST 3 /* letters: "mon"; or the whole word */

static const struct field {
    const char *name;
    int least, most;
    int hash_most; /* H stays at or below: day 28 is in every month */
    const char *const *names;
    int first_name; /* the value of names[0] */
} fields[FIELDS] = {
    [FIELD_SECOND] = { "second", 0, 59, 59, NULL, 0 },
    [FIELD_MINUTE] = { "minute", 0, 59, 59, NULL, 0 },
    [FIELD_HOUR] = { "hour", 0, 23, 23, NULL, 0 },
    [FIELD_DAY] = { "day", 1, 31, 28, NULL, 0 },
    [FIELD_MONTH] = { "month", 1, 12, 12, month_names, 1 },
    [FIELD_WEEKDAY] = { "weekday", 0, 7, 6, weekday_names, 0 },
};

/* What one field came to. */
struct set {
    uint64_t bits;
    bool starred; /* some part begins with '*' or '?' */
    bool stepped; /* or is H/n, which follows real time as a step of '*' does */
};

struct parser {
    const struct field *field;
    enum field_kind kind;
    uint64_t seed;
    struct cron *cron; /* for what does not fit a set: L, W, # */
    struct set set;
    struct err *err;
};

/* ---- hashing --------------------------------------------------------------------------------- */

/* FNV-1a, then splitmix64's finish.  Part of the contract of H: never to be changed. */
uint64_t cron_seed(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
    return hash;
}

static int hashed(const struct parser *p, int range)
{
    uint64_t x = p->seed + 0x9e3779b97f4a7c15ULL * (uint64_t)(p->kind + 1);

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return (int)((x ^ x >> 31) % (uint64_t)range);
}

/* ---- one part of a list ---------------------------------------------------------------------- */

static int out_of_range(const struct parser *p, const char *text)
{
    return err_set(p->err, FAULT_INVALID, "%s: '%.40s' is not between %d and %d", p->field->name,
                   text, p->field->least, p->field->most);
}

/* "mno" is nearer to "mon" than to "monday". */
static const char *nearest_name(const struct parser *p, const char *text)
{
    char shorts[12][NAME_LEAST + 1];
    const char *words[13] = { NULL }, *near;

    if (!p->field->names)
        return NULL;
    for (int i = 0; p->field->names[i]; i++) {
        snprintf(shorts[i], sizeof shorts[i], "%s", p->field->names[i]);
        words[i] = shorts[i];
    }
    near = nearest_word(text, words);
    if (!near)
        near = nearest_word(text, p->field->names);
    for (int i = 0; near && p->field->names[i]; i++)
        if (strncmp(near, p->field->names[i], NAME_LEAST) == 0)
            return p->field->names[i];
    return NULL;
}

static int unknown_word(const struct parser *p, const char *text)
{
    const char *near = nearest_name(p, text);

    if (near)
        return err_set(p->err, FAULT_INVALID, "%s: unknown name '%.40s'; did you mean '%.3s'?",
                       p->field->name, text, near);
    if (p->field->names)
        return err_set(p->err, FAULT_INVALID,
                       "%s: '%.40s' is neither a number from %d to %d nor a name (%.3s, %.3s, ...)",
                       p->field->name, text, p->field->least, p->field->most, p->field->names[0],
                       p->field->names[1]);
    return err_set(p->err, FAULT_INVALID,
                   "%s: '%.40s' is not a number from %d to %d, nor '*', a range '2-5' or a step "
                   "'*/2'",
                   p->field->name, text, p->field->least, p->field->most);
}

/* "5", "mon", "tuesday"; the whole of `text`. */
static int read_value(const struct parser *p, const char *text, int *out)
{
    size_t length = strlen(text);
    int value = 0;

    if (length && strspn(text, "0123456789") == length) {
        for (const char *s = text; *s && value < 1000; s++)
            value = value * 10 + (*s - '0');
        *out = value;
        if (value < p->field->least || value > p->field->most)
            return out_of_range(p, text);
        return 0;
    }
    for (int i = 0; p->field->names && p->field->names[i]; i++)
        if (strncasecmp(text, p->field->names[i], length) == 0 &&
            (length == NAME_LEAST || length == strlen(p->field->names[i]))) {
            *out = i + p->field->first_name;
            return 0;
        }
    return unknown_word(p, text);
}

/* "a-b".  Sunday may end a range of weekdays: it is 7 there. */
static int read_range(const struct parser *p, char *text, int *first, int *last)
{
    char *dash = strchr(text, '-');

    *dash = '\0';
    if (read_value(p, text, first) < 0 || read_value(p, dash + 1, last) < 0)
        return -1;
    if (p->kind == FIELD_WEEKDAY && *last == 0 && *first > 0)
        *last = 7;
    if (*first <= *last)
        return 0;
    return err_set(p->err, FAULT_INVALID,
                   "%s: '%.20s-%.20s' begins after it ends; write it as two "
                   "ranges, '%.20s-%d,%d-%.20s'",
                   p->field->name, text, dash + 1, text,
                   p->kind == FIELD_WEEKDAY ? 6 : p->field->most, p->field->least, dash + 1);
}

static int read_step(const struct parser *p, const char *text, int *out)
{
    int value = 0;

    if (!*text || strspn(text, "0123456789") != strlen(text))
        return err_set(p->err, FAULT_INVALID, "%s: step '%.20s' is not a number", p->field->name,
                       text);
    for (; *text && value < 1000; text++)
        value = value * 10 + (*text - '0');
    if (value < 1 || value > p->field->most)
        return err_set(p->err, FAULT_INVALID,
                       "%s: step %d is not between 1 and %d; for a longer interval use every:",
                       p->field->name, value, p->field->most);
    *out = value;
    return 0;
}

static void add_values(struct parser *p, int first, int last, int step)
{
    for (int value = first; value <= last; value += step)
        p->set.bits |= UINT64_C(1) << (p->kind == FIELD_WEEKDAY ? value % 7 : value);
}

/* "H", "H(a-b)", each perhaps with a step. */
static int read_hash(struct parser *p, char *text, int step)
{
    int first = p->field->least, last = p->field->hash_most, size;
    size_t length = strlen(text);

    if (text[1]) {
        if (text[1] != '(' || text[length - 1] != ')' || !memchr(text, '-', length))
            return err_set(p->err, FAULT_INVALID, "%s: '%.40s' is not H, H(a-b) or H/n",
                           p->field->name, text);
        text[length - 1] = '\0';
        if (read_range(p, text + 2, &first, &last) < 0)
            return -1;
    }
    size = last - first + 1;
    if (!step) {
        first += hashed(p, size);
        add_values(p, first, first, 1);
        return 0;
    }
    p->set.stepped |= !text[1];
    add_values(p, first + hashed(p, step < size ? step : size), last, step);
    return 0;
}

static int read_plain(struct parser *p, char *text, int step)
{
    int first = p->field->least, last = p->field->most;

    if (strcmp(text, "*") == 0) {
        p->set.starred = true;
        if (p->kind == FIELD_WEEKDAY)
            last = 6;
    } else if (strchr(text, '-')) {
        if (read_range(p, text, &first, &last) < 0)
            return -1;
    } else {
        if (read_value(p, text, &first) < 0)
            return -1;
        if (!step) /* with one: from here to the field's end */
            last = first;
    }
    add_values(p, first, last, step ? step : 1);
    return 0;
}

/* ---- L, W and # ------------------------------------------------------------------------------ */

/* "L", "L-3", "LW", "15W".  1: none of these. */
static int read_special_day(struct parser *p, const char *text)
{
    size_t length = strlen(text);
    char number[8];
    int value;

    if (strcasecmp(text, "L") == 0) {
        p->cron->last_days |= 1;
        return 0;
    }
    if (strcasecmp(text, "LW") == 0) {
        p->cron->workdays |= 1;
        return 0;
    }
    if (strncasecmp(text, "L-", 2) == 0) {
        value = (int)strtol(text + 2, NULL, 10);
        if (length > 4 || strspn(text + 2, "0123456789") != length - 2 || value < 1 || value > 30)
            return err_set(p->err, FAULT_INVALID,
                           "day: '%.20s' is not L-1 to L-30 (days before the month's last)", text);
        p->cron->last_days |= UINT32_C(1) << value;
        return 0;
    }
    if (length < 2 || length > sizeof number || toupper((unsigned char)text[length - 1]) != 'W')
        return 1;
    snprintf(number, sizeof number, "%.*s", (int)(length - 1), text);
    if (read_value(p, number, &value) < 0)
        return -1;
    p->cron->workdays |= UINT32_C(1) << value;
    return 0;
}

/* "5L", "friL", also "L5": the month's last; "5#2", "fri#2": its second.  1: none of these. */
static int read_special_weekday(struct parser *p, char *text)
{
    size_t length = strlen(text);
    char *mark = strchr(text, '#');
    int weekday, n = 0;

    if (strcasecmp(text, "L") == 0)
        return err_set(p->err, FAULT_INVALID,
                       "weekday: L needs a day before it, such as friL or 5L for the month's last "
                       "Friday");
    if (mark) {
        if (mark[1] < '1' || mark[1] > '5' || mark[2])
            return err_set(p->err, FAULT_INVALID,
                           "weekday: '%.20s': behind # comes 1 to 5, which of the month's it is",
                           text);
        n = mark[1] - '0';
    } else if (length == 2 && toupper((unsigned char)text[0]) == 'L') {
        mark = text + length;
        text++;
    } else if (length >= 2 && toupper((unsigned char)text[length - 1]) == 'L' &&
               !strchr(text, '-')) {
        mark = text + length - 1;
    } else {
        return 1;
    }
    *mark = '\0';
    if (read_value(p, text, &weekday) < 0)
        return -1;
    p->cron->nth_weekdays[n] |= (uint8_t)(1u << weekday % 7);
    return 0;
}

/* ---- fields and lines ------------------------------------------------------------------------ */

static int read_part(struct parser *p, char *text)
{
    char *slash = strchr(text, '/');
    int step = 0, rc = 1;

    if (!*text)
        return err_set(p->err, FAULT_INVALID, "%s: a list has an empty part; write it as '1,5'",
                       p->field->name);
    if (slash) {
        *slash = '\0';
        if (read_step(p, slash + 1, &step) < 0)
            return -1;
    }
    if (text[0] == 'H' || (text[0] == 'h' && !isalpha((unsigned char)text[1])))
        return read_hash(p, text, step);
    if (!step && p->kind == FIELD_DAY)
        rc = read_special_day(p, text);
    else if (!step && p->kind == FIELD_WEEKDAY)
        rc = read_special_weekday(p, text);
    if (rc <= 0)
        return rc;
    if (strcmp(text, "?") == 0 && (p->kind == FIELD_DAY || p->kind == FIELD_WEEKDAY))
        text[0] = '*';
    return read_plain(p, text, step);
}

static int read_field(struct parser *p, enum field_kind kind, char *text)
{
    p->kind = kind;
    p->field = &fields[kind];
    p->set = (struct set){ 0 };
    for (char *part = text, *comma; part; part = comma) {
        comma = strchr(part, ',');
        if (comma)
            *comma++ = '\0';
        if (read_part(p, part) < 0)
            return -1;
    }
    return 0;
}

static void keep_field(struct parser *p)
{
    struct cron *cron = p->cron;
    bool wide = p->set.starred || p->set.stepped;

    switch (p->kind) {
    case FIELD_SECOND:
        cron->seconds = p->set.bits;
        break;
    case FIELD_MINUTE:
        cron->minutes = p->set.bits;
        cron->real_time |= wide;
        break;
    case FIELD_HOUR:
        cron->hours = (uint32_t)p->set.bits;
        cron->real_time |= wide;
        break;
    case FIELD_DAY:
        cron->days = (uint32_t)p->set.bits;
        cron->day_starred = p->set.starred;
        break;
    case FIELD_MONTH:
        cron->months = (uint16_t)p->set.bits;
        break;
    case FIELD_WEEKDAY:
        cron->weekdays = (uint8_t)p->set.bits;
        cron->weekday_starred = p->set.starred;
        break;
    }
}

/* A month is known by its length and its first weekday: all 28 kinds occur within 400 years. */
static bool can_fire(const struct cron *cron)
{
    static const int least[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    for (int month = 1; month <= 12; month++)
        for (int length = least[month - 1]; length <= least[month - 1] + (month == 2); length++)
            for (int first = 0; first < 7; first++)
                if ((cron->months >> month & 1) && cron_month_days(cron, length, first))
                    return true;
    return false;
}

static const struct {
    const char *name, *line;
} nicknames[] = {
    { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
    { "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
    { "@hourly", "0 * * * *" },
};

static int read_nickname(const char *text, const char **line, struct err *err)
{
    const char *names[array_len(nicknames) + 1] = { NULL };
    const char *near;

    for (size_t i = 0; i < array_len(nicknames); i++) {
        names[i] = nicknames[i].name;
        if (strcasecmp(text, nicknames[i].name) == 0) {
            *line = nicknames[i].line;
            return 0;
        }
    }
    near = nearest_word(text, names);
    return err_set(err, FAULT_INVALID, "unknown nickname '%.40s'; %s%s%s", text,
                   near ? "did you mean '" : "use @hourly, @daily, @weekly, @monthly or @yearly",
                   near ? near : "", near ? "'?" : "");
}

/* Words between blanks; more than six are counted, not kept. */
static size_t split(char *text, char *words[FIELDS])
{
    size_t count = 0;
    char *rest = NULL;

    for (char *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (count < FIELDS)
            words[count] = word;
        count++;
    }
    return count;
}

static int read_line(char *text, struct parser *p)
{
    char *words[FIELDS];
    size_t count = split(text, words), first;

    if (count != FIELDS && count != FIELDS - 1)
        return err_set(p->err, FAULT_INVALID,
                       "%zu field%s; write five (minute hour day month weekday), or six with the "
                       "second first",
                       count, count == 1 ? "" : "s");
    first = FIELDS - count;
    p->cron->seconds = 1;
    for (size_t i = 0; i < count; i++) {
        if (read_field(p, (enum field_kind)(first + i), words[i]) < 0)
            return -1;
        keep_field(p);
    }
    return 0;
}

/* Without blanks at either end, so that a nickname is one word. */
static int copy_line(const char *text, char *out, struct err *err)
{
    size_t length;

    text += strspn(text, " \t");
    length = strlen(text);
    while (length && strchr(" \t\n", text[length - 1]))
        length--;
    if (length > CRON_TEXT_MOST)
        return err_set(err, FAULT_INVALID, "longer than %d characters", CRON_TEXT_MOST);
    memcpy(out, text, length);
    out[length] = '\0';
    return 0;
}

int cron_parse(const char *text, uint64_t seed, struct cron *out, struct err *err)
{
    struct cron cron = { .kind = CRON_FIELDS };
    struct parser p = { .seed = seed, .cron = &cron, .err = err };
    char copy[CRON_TEXT_MOST + 1] = "";
    const char *line = copy;

    if (copy_line(text, copy, err) < 0)
        return -1;
    if (*copy == '@') {
        if (read_nickname(copy, &line, err) < 0)
            return -1;
        snprintf(copy, sizeof copy, "%s", line);
    }
    if (read_line(copy, &p) < 0)
        return -1;
    if (!can_fire(&cron))
        return err_set(err, FAULT_INVALID,
                       "day, month: '%.60s' never fires; no such day in any of these months", text);
    *out = cron;
    return 0;
}
