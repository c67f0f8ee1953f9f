/* SPDX-License-Identifier: Apache-2.0 */
/* parts.c - the smaller levels of a job description: after, retries, signal, limits, environment.
 */
#include <string.h>

#include "base/own.h"
#include "base/parse.h"
#include "conf/job_parts.h"

#define AFTER_MOST       1000
#define LIMITS_MOST      32
#define ENVIRONMENT_MOST 10000
#define EXITS_MOST       256

/* ---- after
 * ------------------------------------------------------------------------------------------- */

const char *const outcome_words[] = { "success", "failure", "any", NULL };

/* 1230, "1230" or an earlier job's name. */
static void read_dependency_job(struct reader *r, const struct field *field, const json_t *value,
                                void *slot)
{
    struct dependency *dependency = slot;
    char buffer[24];
    const char *text;

    (void)field;
    if (json_is_string(value) ? !read_printable(r, value, JOB_NAME_MOST, "a job's id or name")
                              : !json_is_integer(value)) {
        if (!json_is_string(value))
            reader_problem_type(r, "a job's id, or the name of a job earlier in the file", value);
        return;
    }
    text = read_plain(r, value, buffer);
    if (parse_i64(text, 1, INT64_MAX, &dependency->job, NULL) == 0)
        return;
    if (json_is_integer(value) || strspn(text, "0123456789") == strlen(text))
        reader_problem(r, NULL, "%.40s is no job's id", text);
    else if (strspn(text, "0123456789.") == strlen(text))
        reader_problem(r, "name the whole job; 'each: true' ties task to task", "'%.40s' is a task",
                       text);
    else
        dependency->name = xstrdup(text);
}

static const struct field after_fields[] = {
    FIELD_SELF("job", read_dependency_job),
    FIELD("on", read_word, struct dependency, on, .words = outcome_words),
    FIELD("each", read_bool, struct dependency, each),
    { 0 },
};
const struct level after_level = { "after", after_fields, NULL };

/* "1230", "1230:failure", "prep:any". */
static void read_dependency_text(struct reader *r, const char *text, struct dependency *dependency)
{
    const char *colon = strrchr(text, ':');
    json_t *job;

    for (int i = 0; colon && outcome_words[i]; i++) {
        if (strcmp(colon + 1, outcome_words[i]) != 0)
            continue;
        dependency->on = (enum on_outcome)i;
        job = json_stringn(text, (size_t)(colon - text));
        read_dependency_job(r, NULL, job, dependency);
        json_decref(job);
        return;
    }
    if (colon && colon > text && strspn(text, "0123456789") == (size_t)(colon - text)) {
        reader_problem(r, "write success, failure or any behind the colon",
                       "unknown outcome '%.40s'", colon + 1);
        return;
    }
    job = json_string(text);
    read_dependency_job(r, NULL, job, dependency);
    json_decref(job);
}

static void read_dependency(struct reader *r, const json_t *value, struct dependency *dependency)
{
    size_t before = r->found;

    if (json_is_integer(value))
        read_dependency_job(r, NULL, value, dependency);
    else if (json_is_string(value))
        read_dependency_text(r, json_string_value(value), dependency);
    else if (json_is_object(value))
        read_level(r, &after_level, value, dependency);
    else
        reader_problem_type(r, "a job's id, or {job: ..., on: ...}", value);
    if (r->found == before && !dependency->job && !dependency->name)
        reader_problem(r, "say which: {job: 1230}", "needs 'job'");
}

void read_after(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct job_spec *spec = slot;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;

    (void)field;
    if (count > AFTER_MOST) {
        reader_problem(r, NULL, "has more than %d entries", AFTER_MOST);
        return;
    }
    spec->after = count ? xcalloc(count, sizeof *spec->after) : NULL;
    spec->after_count = count;
    for (size_t i = 0; i < count; i++) {
        if (json_is_array(value))
            reader_enter_at(r, i);
        read_dependency(r, json_is_array(value) ? json_array_get(value, i) : value,
                        &spec->after[i]);
        if (json_is_array(value))
            reader_leave(r);
    }
}

/* ---- retries
 * ----------------------------------------------------------------------------------------- */

static void read_on_exit(struct reader *r, const struct field *field, const json_t *value,
                         void *slot)
{
    static const struct field status = { .least = 1, .most = 255 };
    struct job_spec *spec = slot;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;

    (void)field;
    if (count < 1 || count > EXITS_MOST) {
        reader_problem(r, NULL, "must have 1 to %d exit statuses", EXITS_MOST);
        return;
    }
    spec->retry_on_exit = xcalloc(count, sizeof *spec->retry_on_exit);
    spec->retry_on_exit_count = count;
    for (size_t i = 0; i < count; i++) {
        if (json_is_array(value))
            reader_enter_at(r, i);
        read_int(r, &status, json_is_array(value) ? json_array_get(value, i) : value,
                 &spec->retry_on_exit[i]);
        if (json_is_array(value))
            reader_leave(r);
    }
}

static const struct field retries_fields[] = {
    FIELD("user", read_int, struct job_spec, retries_user, BETWEEN(0, 1000)),
    FIELD("infra", read_int, struct job_spec, retries_infra, BETWEEN(0, 1000)),
    FIELD("preempt", read_int, struct job_spec, retries_preempt, BETWEEN(0, 1000)),
    FIELD_SELF("on_exit", read_on_exit),
    FIELD("backoff", read_span, struct job_spec, backoff_ms, BETWEEN(0, 86400000)),
    { 0 },
};
const struct level retries_level = { "retries", retries_fields, NULL };

void read_retries(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct job_spec *spec = slot;

    (void)field;
    if (json_is_integer(value))
        read_int(r, &retries_fields[0], value, &spec->retries_user);
    else
        read_level(r, &retries_level, value, spec);
}

/* ---- signal
 * ------------------------------------------------------------------------------------------ */

#define SIGNAL_BEFORE_MS 60000 /* as sbatch has it */

/* "USR1", "SIGUSR1" or "10"; 0 when it is none. */
static int signal_number(const char *text)
{
    int64_t number;

    if (parse_i64(text, 1, 64, &number, NULL) == 0)
        return (int)number;
    if (strncmp(text, "SIG", 3) == 0)
        text += 3;
    for (int i = 1; i < 32; i++)
        if (sigabbrev_np(i) && strcmp(sigabbrev_np(i), text) == 0)
            return i;
    return 0;
}

static void set_signal(struct reader *r, const char *text, int *out)
{
    int number = signal_number(text);

    if (number)
        *out = number;
    else
        reader_problem(r, "write a name such as USR1, or a number", "'%.40s' is no signal", text);
}

static void read_signal_name(struct reader *r, const struct field *field, const json_t *value,
                             void *slot)
{
    char buffer[24];
    const char *text = read_plain(r, value, buffer);

    (void)field;
    if (text)
        set_signal(r, text, slot);
}

static const struct field signal_fields[] = {
    FIELD("name", read_signal_name, struct job_spec, signal_early),
    FIELD("number", read_int, struct job_spec, signal_early, BETWEEN(1, 64)),
    FIELD("before", read_span, struct job_spec, signal_before_ms, .least = 1000),
    { 0 },
};
const struct level signal_level = { "signal", signal_fields, NULL };

/* "USR1@120", "USR1@2m", "USR1". */
static void read_signal_text(struct reader *r, const char *text, struct job_spec *spec)
{
    struct err err = ERR_INIT;
    const char *at = strchr(text, '@');
    char name[16];
    int64_t seconds;

    if (!at) {
        set_signal(r, text, &spec->signal_early);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)(at - text), text);
    set_signal(r, name, &spec->signal_early);
    if (parse_i64(at + 1, 1, 86400 * 365, &seconds, NULL) == 0)
        spec->signal_before_ms = seconds * 1000;
    else if (parse_span(at + 1, &spec->signal_before_ms, &err) < 0)
        reader_problem_err(r, &err);
}

void read_signal(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct job_spec *spec = slot;
    size_t before = r->found;

    (void)field;
    spec->signal_before_ms = SIGNAL_BEFORE_MS;
    if (json_is_string(value)) {
        read_signal_text(r, json_string_value(value), spec);
        return;
    }
    read_level(r, &signal_level, value, spec);
    if (json_object_get(value, "name") && json_object_get(value, "number"))
        reader_problem(r, "leave one of them out", "has both 'name' and 'number'");
    else if (r->found == before && !spec->signal_early)
        reader_problem(r, "say which: {name: USR1, before: 2m}", "needs 'name'");
}

/* ---- limits
 * ------------------------------------------------------------------------------------------ */

static const struct field limits_fields[] = {
    FIELD("name", read_text, struct limit_use, name, .most = 64, .good = is_site_name,
          .want = "a limit's name (letters, digits, '.', '_', '-')"),
    FIELD("count", read_i64, struct limit_use, count, BETWEEN(1, 1000000)),
    { 0 },
};
const struct level limits_level = { "limits", limits_fields, NULL };

/* "license-x" or "license-x:2". */
static void read_limit(struct reader *r, const json_t *value, struct limit_use *use)
{
    struct err err = ERR_INIT;
    size_t before = r->found;
    const char *colon;
    json_t *name;

    use->count = 1;
    if (!json_is_string(value)) {
        read_level(r, &limits_level, value, use);
        if (r->found == before && !use->name)
            reader_problem(r, "say which: {name: license-x, count: 2}", "needs 'name'");
        return;
    }
    colon = strchr(json_string_value(value), ':');
    if (!colon) {
        read_text(r, &limits_fields[0], value, &use->name);
        return;
    }
    if (parse_i64(colon + 1, 1, 1000000, &use->count, &err) < 0)
        reader_problem_err(r, &err);
    name = json_stringn(json_string_value(value), (size_t)(colon - json_string_value(value)));
    read_text(r, &limits_fields[0], name, &use->name);
    json_decref(name);
}

static void refuse_twice(struct reader *r, const struct job_spec *spec, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (spec->limits[i].name && spec->limits[at].name &&
            strcmp(spec->limits[i].name, spec->limits[at].name) == 0)
            reader_problem(r, "give it one 'count'", "limit '%.64s' is named twice",
                           spec->limits[at].name);
}

/* Their order means nothing, so jobs that differ in it alone are of one class. */
static int by_name(const void *a, const void *b)
{
    const struct limit_use *x = a, *y = b;

    return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

void read_limits(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct job_spec *spec = slot;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;

    (void)field;
    if (count > LIMITS_MOST) {
        reader_problem(r, NULL, "has more than %d entries", LIMITS_MOST);
        return;
    }
    spec->limits = count ? xcalloc(count, sizeof *spec->limits) : NULL;
    spec->limit_count = count;
    for (size_t i = 0; i < count; i++) {
        if (json_is_array(value))
            reader_enter_at(r, i);
        read_limit(r, json_is_array(value) ? json_array_get(value, i) : value, &spec->limits[i]);
        refuse_twice(r, spec, i);
        if (json_is_array(value))
            reader_leave(r);
    }
    if (count > 1)
        qsort(spec->limits, count, sizeof *spec->limits, by_name);
}

/* ---- environment
 * ------------------------------------------------------------------------------------- */

static bool good_variable(struct reader *r, const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

    if (!*name || (*name >= '0' && *name <= '9') || strspn(name, letters) != strlen(name) ||
        strlen(name) > 256)
        reader_problem_key(r, "use letters, digits and '_', with no digit first",
                           "'%.64s' is no name of an environment variable", name);
    else if (strncmp(name, "SPILLWAY_", 9) == 0)
        reader_problem_key(r, "choose another name",
                           "names that begin with SPILLWAY_ are set for "
                           "the job by the broker");
    else
        return true;
    return false;
}

void read_environment(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    json_t *object = (json_t *)(uintptr_t)value;
    struct job_spec *spec = slot;
    size_t kept = 0;

    (void)field;
    if (!json_is_object(value)) {
        reader_problem_type(r, "a mapping of names to values", value);
        return;
    }
    if (json_object_size(value) > ENVIRONMENT_MOST) {
        reader_problem(r, NULL, "has more than %d variables", ENVIRONMENT_MOST);
        return;
    }
    spec->environment = xcalloc(json_object_size(value) + 1, sizeof *spec->environment);
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        char buffer[24];
        const char *name = json_object_iter_key(at), *text;

        reader_enter(r, name);
        text = read_plain(r, json_object_iter_value(at), buffer);
        if (good_variable(r, name) && text)
            spec->environment[kept++] = xasprintf("%s=%s", name, text);
        reader_leave(r);
    }
}
