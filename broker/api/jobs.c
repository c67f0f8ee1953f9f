/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.c - submitting jobs and changing them. */
#include <inttypes.h>
#include <string.h>

#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "api/submit.h"
#include "base/json.h"

#define ROOM_S 60 /* until tasks may have ended and made room for more */

/* ---- submit */

static void free_submit(void *state)
{
    submit_free(state);
    free(state);
}

int request_submission(struct request *request, struct err *err)
{
    struct submit *submit = xcalloc(1, sizeof *submit);
    struct policy *policy;
    json_t *root, *errors = NULL;
    int rc;

    request->state = submit;
    request->free_state = free_submit;
    root = request_json(request, err);
    if (!root)
        return -1;
    policy = api_policy(request->api);
    rc = submit_read(root, policy, request->caller, submit, &errors, err);
    policy_unref(policy);
    if (errors)
        request_errors(request, errors);
    return rc;
}

static int read_key(struct request *request, struct submit *submit, struct err *err)
{
    const char *key =
        MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Idempotency-Key");
    struct sha256 *hash;

    if (!key)
        return 0;
    if (!key_is_fit(key))
        return request_bad(request, err,
                           "Idempotency-Key: 1 to 255 printable ASCII characters are needed");
    submit->submission.key = submit->key = xstrdup(key);
    hash = sha256_new();
    sha256_add(hash, submit->user, strlen(submit->user) + 1);
    sha256_add(hash, request->body.data, request->body.length);
    sha256_end_hex(hash, submit->digest);
    submit->submission.digest = submit->digest;
    return 0;
}

/* A job that waits for another learns how that one ends: only for those who may see it. */
static int check_dependencies(struct request *request, const struct submit *submit, struct err *err)
{
    for (size_t i = 0; i < submit->count; i++) {
        const struct new_job *row = &submit->rows[i];

        for (size_t j = 0; j < row->after_count; j++) {
            own_buf struct buf strings = BUF_INIT(2 * JOB_BYTES_MOST);
            struct job_detail detail;
            char field[64];

            if (!row->after[j].job)
                continue;
            if (request_job(request, row->after[j].job, &detail, &strings, err) == 0)
                continue;
            snprintf(field, sizeof field, "/jobs/%zu/after/%zu", i, j);
            request_field(request, field);
            if (err->fault == FAULT_NOT_FOUND)
                err->fault = FAULT_INVALID;
            return -1;
        }
    }
    return 0;
}

static int never_runs(struct request *request, struct submit *submit, size_t number, json_t *sites,
                      struct err *err)
{
    char field[32];

    if (submit->anyway) {
        json_decref(sites);
        submit_warn(submit, "'%s' cannot run at any site as they are configured now",
                    submit->rows[number].name);
        return 0;
    }
    snprintf(field, sizeof field, "/jobs/%zu", number);
    request_field(request, field);
    request_extra(request, "sites", sites);
    return err_set(err, FAULT_INVALID,
                   "job '%s' can never run: no site offers what it asks for; see `sites`, ask for "
                   "less, or say \"anyway\" to have it wait for a site that will",
                   submit->rows[number].name);
}

/* Asked once for each class. */
int request_fits(struct request *request, struct submit *submit, struct err *err)
{
    struct verdicts *verdicts = request->api->verdicts;

    for (size_t i = 0; i < submit->count; i++) {
        const struct new_job *row = &submit->rows[i];
        json_t *sites = NULL;
        bool never = false;

        if (i > 0 && strcmp(row->class_key, submit->rows[i - 1].class_key) == 0)
            continue;
        if (verdicts_fits(verdicts, row->class_key))
            continue;
        if (broker_explain_spec(request->broker, &submit->jobs[i].spec, row->project, row->user,
                                &sites, &never, err) < 0)
            return -1;
        if (never) {
            if (never_runs(request, submit, i, sites, err) < 0)
                return -1;
            continue;
        }
        json_decref(sites);
        verdicts_add(verdicts, row->class_key);
    }
    return 0;
}

static int dry_run(struct request *request, const struct submit *submit, struct err *err)
{
    own_json json_t *jobs = json_array();

    for (size_t i = 0; i < submit->count; i++) {
        const struct new_job *row = &submit->rows[i];
        json_t *sites = NULL;
        bool never = false;

        if (broker_explain_spec(request->broker, &submit->jobs[i].spec, row->project, row->user,
                                &sites, &never, err) < 0)
            return -1;
        json_array_append_new(jobs,
                              json_pack("{s:s, s:I, s:b, s:o}", "name", row->name, "tasks",
                                        (json_int_t)row->tasks, "never", never, "sites", sites));
    }
    return reply_json(request, 200,
                      json_pack("{s:O, s:o}", "jobs", jobs, "warnings",
                                submit->warnings ? json_incref(submit->warnings) : json_array()));
}

static int reply_ids(struct request *request, struct err *err)
{
    const struct submit *submit = request->state;
    struct buf *out = &request->reply.body;

    (void)err;
    buf_puts(out, "{\"jobs\":[");
    for (size_t i = 0; i < submit->count; i++) {
        const struct new_job *row = &submit->rows[i];

        buf_printf(out, "%s{\"id\":%" PRId64 ",\"name\":", i ? "," : "", row->id);
        buf_put_json(out, row->name);
        buf_printf(out, ",\"tasks\":%" PRId64 "}", row->tasks);
    }
    buf_putc(out, ']');
    submit_put_warnings(submit, out);
    buf_putc(out, '}');
    if (!submit->submission.repeated)
        atomic_fetch_add(&request->api->counts.jobs, (int64_t)submit->count);
    return reply_body(request, submit->submission.repeated ? 200 : 201, NULL);
}

/* From the store's writer. */
static void submitted(void *arg, int rc, const struct err *err)
{
    struct request *request = arg;

    if (rc < 0 && err->fault == FAULT_THROTTLED)
        request->retry_s = ROOM_S;
    request_done(request, rc, err);
}

/* A repeat has the answer of the first time, whatever has become of the sites and of the jobs that
 * it waits for. */
static int look_up_key(struct request *request, struct submit *submit, struct err *err)
{
    if (read_key(request, submit, err) < 0)
        return -1;
    return submit->key && !submit->dry_run
               ? store_submission_find(request->api->store, &submit->submission, err)
               : 0;
}

static void warn_of_schedules(struct submit *submit)
{
    for (size_t i = 0; i < submit->count; i++)
        if (submit->jobs[i].spec.schedule)
            submit_warn(submit, "'%s' runs once, now; `spillway schedule add` makes it recur",
                        submit->rows[i].name);
}

int jobs_submit(struct request *request, struct err *err)
{
    struct submit *submit;

    if (request_submission(request, err) < 0)
        return -1;
    submit = request->state;
    warn_of_schedules(submit);
    if (look_up_key(request, submit, err) < 0)
        return -1;
    if (submit->submission.repeated)
        return reply_ids(request, err);
    if (check_dependencies(request, submit, err) < 0)
        return -1;
    if (submit->dry_run)
        return dry_run(request, submit, err);
    if (request_fits(request, submit, err) < 0)
        return -1;
    request->finish = reply_ids;
    if (!atomic_load(&request->parked)) /* a large one is on a thread of the pool already */
        request_park(request);
    store_submit_async(request->api->store, &submit->submission, submitted, request);
    return REQUEST_LATER;
}

/* ---- change */

static int touched(struct request *request, int64_t count)
{
    if (count < 0)
        return -1;
    buf_printf(&request->reply.body, "{\"tasks\":%" PRId64 "}", count);
    return reply_body(request, 200, NULL);
}

static int target_of(struct request *request, struct target *out, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(2 * JOB_BYTES_MOST);

    return request_target(request, out, NULL, &strings, err);
}

int job_cancel(struct request *request, struct err *err)
{
    struct target target;
    char detail[160];

    if (target_of(request, &target, err) < 0)
        return -1;
    snprintf(detail, sizeof detail, "cancelled by %.128s", request->caller->user);
    return touched(request,
                   store_cancel(request->api->store, target, REASON_CANCELLED, detail, err));
}

int job_hold(struct request *request, struct err *err)
{
    struct target target;

    if (target_of(request, &target, err) < 0)
        return -1;
    return touched(request, store_hold(request->api->store, target, err));
}

int job_release(struct request *request, struct err *err)
{
    struct target target;

    if (target_of(request, &target, err) < 0)
        return -1;
    return touched(request, store_release(request->api->store, target, err));
}

int job_retry(struct request *request, struct err *err)
{
    struct target target;

    if (target_of(request, &target, err) < 0)
        return -1;
    return touched(request, store_retry(request->api->store, target, err));
}
