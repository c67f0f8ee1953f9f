/* SPDX-License-Identifier: Apache-2.0 */
/* submit.c - checks a submission whole and makes the rows of it. */
#include "api/submit.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "api/decode.h"
#include "api/problem.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/map.h"
#include "base/own.h"
#include "base/parse.h"

#define VERDICT_MS    2000
#define VERDICTS_MOST 4096

static void add_error(json_t *errors, size_t job, const char *pointer, const char *text,
                      const char *suggestion)
{
    own_str char *whole = xasprintf("/jobs/%zu%s", job, pointer);
    json_t *entry = json_pack("{s:s, s:s}", "pointer", whole, "detail", text);

    if (entry && suggestion)
        json_object_set_new(entry, "suggestion", json_string(suggestion));
    if (entry)
        json_array_append_new(errors, entry);
}

/* ---- one job */

static void check_blobs(const struct job_spec *spec, size_t number, json_t *errors)
{
    for (size_t i = 0; i < spec->input_count; i++) {
        const struct input *input = &spec->inputs[i];
        char pointer[40];

        if (input->sha256 || !input_is_blob(input))
            continue;
        snprintf(pointer, sizeof pointer, "/inputs/%zu", i);
        add_error(
            errors, number, pointer, "this file was not uploaded",
            "PUT it to /v1/blobs/SHA256 and name that sha256 here; `spillway submit` does so");
    }
}

static void read_job(struct submit *submit, const json_t *document, size_t number,
                     const struct policy *policy, const struct caller *caller, json_t *errors)
{
    struct described *job = &submit->jobs[number];
    struct problems problems = { .list = NULL };
    struct err err = ERR_INIT;
    const char *project;

    if (described_read(document, job, &problems) < 0) {
        own_str char *prefix = xasprintf("/jobs/%zu", number);

        problem_errors(errors, &problems, prefix);
        problems_free(&problems);
        return;
    }
    problems_free(&problems);
    project = job->spec.project ? job->spec.project : submit->default_project;
    if (policy_may_use(policy, caller, project, &err) < 0)
        add_error(errors, number, "/project", err.text, NULL);
    check_blobs(&job->spec, number, errors);
    described_row(job, project, submit->user, &submit->rows[number]);
    if (strlen(job->text) > JOB_BYTES_MOST)
        add_error(errors, number, "", "larger than 1 MiB", "put large data into inputs");
}

/* ---- the whole */

static int unknown_key(const char *key, const char *const *keys, struct err *err)
{
    const char *near = nearest_word(key, keys);

    return near ? err_set(err, FAULT_INVALID, "unknown key '%.40s': did you mean '%s'?", key, near)
                : err_set(err, FAULT_INVALID, "unknown key '%.40s'", key);
}

static int read_list(struct submit *submit, const json_t **list, struct err *err)
{
    if (json_opt_array(submit->root, "jobs", list, err) < 0)
        return -1;
    submit->count = json_array_size(*list);
    if (submit->count == 0)
        return err_set(err, FAULT_INVALID, "jobs: a list of at least one description is needed");
    if (submit->count > SUBMIT_JOBS_MOST)
        return err_set(err, FAULT_INVALID, "jobs: at most %d in one request", SUBMIT_JOBS_MOST);
    return 0;
}

/* *at is the key that a fault is about. */
static int read_frame(struct submit *submit, const json_t **list, const char **at, struct err *err)
{
    static const char *const keys[] = { "jobs", "dry_run", "anyway", NULL };
    json_t *value;

    json_object_foreach(submit->root, *at, value)
    {
        size_t i = 0;

        while (keys[i] && strcmp(keys[i], *at) != 0)
            i++;
        if (!keys[i])
            return unknown_key(*at, keys, err);
    }
    *at = "dry_run";
    if (json_opt_bool(submit->root, *at, &submit->dry_run, err) < 0)
        return -1;
    *at = "anyway";
    if (json_opt_bool(submit->root, *at, &submit->anyway, err) < 0)
        return -1;
    *at = "jobs";
    return read_list(submit, list, err);
}

static int tell_errors(const json_t *errors, struct err *err)
{
    const json_t *first = json_array_get(errors, 0);
    size_t count = json_array_size(errors);
    const char *where = json_string_value(json_object_get(first, "pointer"));
    const char *what = json_string_value(json_object_get(first, "detail"));

    if (count == 1)
        return err_set(err, FAULT_INVALID, "%s: %s; nothing was queued", where ? where : "",
                       what ? what : "");
    return err_set(err, FAULT_INVALID, "%s: %s, and %zu more; nothing was queued",
                   where ? where : "", what ? what : "", count - 1);
}

int submit_read(json_t *root, const struct policy *policy, const struct caller *caller,
                struct submit *out, json_t **errors, struct err *err)
{
    own_json json_t *found = json_array();
    const json_t *list = NULL;
    const char *at = NULL;

    *out = (struct submit){ .root = root, .user = xstrdup(caller->user) };
    out->default_project = xstrdup(policy_project(policy, caller));
    if (read_frame(out, &list, &at, err) < 0) {
        *errors =
            json_pack("[{s:o, s:s}]", "pointer", json_sprintf("/%s", at), "detail", err->text);
        return -1;
    }
    out->jobs = xcalloc(out->count, sizeof *out->jobs);
    out->rows = xcalloc(out->count, sizeof *out->rows);
    for (size_t i = 0; i < out->count && json_array_size(found) < SUBMIT_ERRORS_MOST; i++)
        read_job(out, json_array_get(list, i), i, policy, caller, found);
    if (json_array_size(found) > 0) {
        tell_errors(found, err);
        *errors = take_ptr(found);
        return -1;
    }
    out->most = policy_open_most(policy, out->user);
    out->submission = (struct submission){
        .jobs = out->rows, .count = out->count, .user = out->user, .most = &out->most
    };
    return 0;
}

void submit_free(struct submit *submit)
{
    for (size_t i = 0; submit->jobs && i < submit->count; i++)
        described_free(&submit->jobs[i]);
    free(submit->jobs);
    free(submit->rows);
    free(submit->user);
    free(submit->default_project);
    free(submit->key);
    json_decref(submit->root);
    json_decref(submit->warnings);
    *submit = (struct submit){ .root = NULL };
}

void submit_warn(struct submit *submit, const char *format, ...)
{
    own_str char *text = NULL;
    va_list args;

    if (json_array_size(submit->warnings) >= SUBMIT_ERRORS_MOST)
        return;
    if (!submit->warnings)
        submit->warnings = json_array();
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    json_array_append_new(submit->warnings, json_string(text));
}

void submit_put_warnings(const struct submit *submit, struct buf *out)
{
    own_str char *list =
        submit->warnings ? json_dumps(submit->warnings, JSON_COMPACT) : xstrdup("[]");

    buf_printf(out, ",\"warnings\":%s", list);
}

/* ---- verdicts */

struct verdict {
    int64_t until_ms;
    char key[];
};
struct verdicts {
    pthread_mutex_t lock;
    struct map known; /* lock */
};

struct verdicts *verdicts_new(void)
{
    struct verdicts *verdicts = xcalloc(1, sizeof *verdicts);

    pthread_mutex_init(&verdicts->lock, NULL);
    verdicts->known = (struct map)MAP_INIT_STR;
    return verdicts;
}

static void clear(struct verdicts *verdicts)
{
    struct verdict *verdict;

    for (size_t i = 0; (verdict = map_next(&verdicts->known, &i));)
        free(verdict);
    map_fini(&verdicts->known);
    verdicts->known = (struct map)MAP_INIT_STR;
}

void verdicts_free(struct verdicts *verdicts)
{
    if (!verdicts)
        return;
    clear(verdicts);
    pthread_mutex_destroy(&verdicts->lock);
    free(verdicts);
}

bool verdicts_fits(struct verdicts *verdicts, const char *class_key)
{
    const struct verdict *verdict;
    bool fits;

    pthread_mutex_lock(&verdicts->lock);
    verdict = map_get_str(&verdicts->known, class_key);
    fits = verdict && verdict->until_ms > clock_mono_ms();
    pthread_mutex_unlock(&verdicts->lock);
    return fits;
}

void verdicts_add(struct verdicts *verdicts, const char *class_key)
{
    size_t length = strlen(class_key) + 1;
    struct verdict *verdict = xmalloc(sizeof *verdict + length);

    verdict->until_ms = clock_mono_ms() + VERDICT_MS;
    memcpy(verdict->key, class_key, length);
    pthread_mutex_lock(&verdicts->lock);
    if (verdicts->known.count >= VERDICTS_MOST)
        clear(verdicts);
    free(map_del_str(&verdicts->known, verdict->key));
    map_put_str(&verdicts->known, verdict->key, verdict);
    pthread_mutex_unlock(&verdicts->lock);
}
