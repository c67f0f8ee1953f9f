/* SPDX-License-Identifier: Apache-2.0 */
/* burst_steps.c - the steps of a job that is taken from a site's own queue.
 *
 * taken -> held -> ready -> running -> returning -> ending -> telling -> done, and from any of the
 * first five to `releasing` (it is to run at home after all) or `dropping` (its user was quicker).
 * Those in one state go on together: what must be asked of the site is one command for all. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "burst_parts.h"
#include "internal.h"
#include "store/described.h"

#define SOON_MS      1000
#define TRIES_MOST   8     /* of what may still be given up for running at home */
#define BACKOFF_MOST 60000 /* ms between tries */
#define SHELL_LACKS  126   /* and 127: the machine there lacks what the script calls */

/* ---- rows in memory ----------------------------------------------------------------------------
 */

static char *copy_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? xstrdup(text) : NULL;
}

json_t *home_job_json(const struct home_job *job)
{
    return json_pack("{s:s, s:s, s:s?, s:s, s:s?, s:s, s:s, s:s?, s:s?, s:b, s:I}", "id", job->id,
                     "user", job->user, "account", job->account, "partition", job->partition, "qos",
                     job->qos, "name", job->name, "folder", job->folder, "out", job->out, "errors",
                     job->errors, "mine", job->mine, "submitted_ms", (json_int_t)job->submitted_ms);
}

static void job_of_json(const json_t *object, struct home_job *out)
{
    *out = (struct home_job){
        .id = copy_of(object, "id"),
        .user = copy_of(object, "user"),
        .account = copy_of(object, "account"),
        .partition = copy_of(object, "partition"),
        .qos = copy_of(object, "qos"),
        .name = copy_of(object, "name"),
        .folder = copy_of(object, "folder"),
        .out = copy_of(object, "out"),
        .errors = copy_of(object, "errors"),
        .mine = json_is_true(json_object_get(object, "mine")),
        .submitted_ms = json_integer_value(json_object_get(object, "submitted_ms")),
    };
}

void away_free(struct away *away)
{
    free(away->site);
    free(away->home);
    free(away->user);
    free(away->project);
    free(away->name);
    free(away->why);
    json_decref(away->detail);
    home_job_free(&away->job);
    free(away);
}

struct away *away_new(const struct burst_row *row)
{
    struct away *away = xcalloc(1, sizeof *away);

    away->row = *row;
    away->row.site = away->site = xstrdup(row->site);
    away->row.home = away->home = xstrdup(row->home);
    away->row.user = away->user = xstrdup(row->user);
    away->row.project = away->project = xstrdup(row->project);
    away->row.name = away->name = xstrdup(row->name);
    away->row.why = away->why = xstrdup(row->why);
    away->detail = json_loads(row->detail, 0, NULL);
    away->row.detail = NULL;
    job_of_json(json_object_get(away->detail, "job"), &away->job);
    return away;
}

/* The step is on disk before it is done. */
static int step_to(struct turn *turn, struct away *away, enum burst_state state, const char *why,
                   struct err *err)
{
    own_str char *detail = json_dumps(away->detail, JSON_COMPACT);
    struct burst_row row = away->row;

    if (row.state != state) {
        if (!why && row.tries) /* what was in the way is gone */
            why = json_string_value(json_object_get(away->detail, "why"));
        row.tries = 0;
    }
    row.state = state;
    row.why = why ? why : away->why;
    row.detail = detail;
    if (store_burst_set(turn->broker->store, &row, err) < 0)
        return -1;
    if (away->row.state != state || why)
        log_info("burst: site=\"%s\" job=\"%s\" state=%s why=\"%s\"", away->site, away->home,
                 burst_state_name(state), row.why);
    turn->moved |= away->row.state != state;
    if (why) {
        free(away->why);
        away->why = xstrdup(why);
    }
    row.why = away->why;
    row.detail = NULL;
    row.changed_ms = clock_wall_ms();
    away->row = row;
    return 0;
}

/* It did not work; again later.  What was in the way is kept with the row. */
static int try_again(struct turn *turn, struct away *away, const struct err *fault, struct err *err)
{
    away->row.tries++;
    return step_to(turn, away, away->row.state, fault->text, err);
}

/* As try_again(), but the job runs at home when it was tried often enough, or trying is no use. */
static int or_release(struct turn *turn, struct away *away, const struct err *fault,
                      struct err *err)
{
    own_str char *why = NULL;

    if (away->row.tries + 1 < TRIES_MOST && fault->fault != FAULT_INVALID &&
        fault->fault != FAULT_AUTH)
        return try_again(turn, away, fault, err);
    why = xasprintf("runs at home: %s", fault->text);
    return step_to(turn, away, BURST_RELEASING, why, err);
}

static bool is_due(const struct away *away)
{
    int64_t wait = away->row.tries ? SOON_MS << (away->row.tries < 7 ? away->row.tries : 7) : 0;

    return clock_wall_ms() >= away->row.changed_ms + (wait < BACKOFF_MOST ? wait : BACKOFF_MOST) ||
           clock_wall_ms() < away->row.changed_ms; /* the clock was set back */
}

/* ---- what the queue said -----------------------------------------------------------------------
 */

/* Held, by the listing at the turn's begin: it is as we left it. */
static bool is_held(const struct turn *turn, const struct away *away)
{
    for (size_t i = 0; i < turn->waiting.count; i++) {
        const struct home_job *job = &turn->waiting.list[i];

        if (strcmp(job->id, away->home) == 0 && job->submitted_ms == away->row.submitted_ms)
            return job->state == HOME_HELD;
    }
    return false;
}

static int drop(struct turn *turn, struct away *away, struct err *err)
{
    return step_to(turn, away, BURST_DROPPING, "its user released or ended it meanwhile", err);
}

/* ---- our job -----------------------------------------------------------------------------------
 */

struct order_of {
    struct described job;
    struct new_job row;
    struct submission submission;
    char *key;
    char digest[SHA256_HEX];
};

static void order_free(struct order_of *order)
{
    described_free(&order->job);
    free(order->key);
}

/* The same from the same row, however often. */
static int order_make(const struct away *away, struct order_of *order, struct err *err)
{
    const json_t *document = json_object_get(away->detail, "spec");
    struct problems problems = { .list = NULL };

    memset(order, 0, sizeof *order);
    if (described_read(document, &order->job, &problems) < 0) {
        err_set(err, FAULT_INVALID, "%s: %s", problems.count ? problems.list[0].pointer : "",
                problems.count ? problems.list[0].text : "not understood");
        problems_free(&problems);
        return -1;
    }
    problems_free(&problems);
    order->key =
        xasprintf("burst %s %s %lld", away->site, away->home, (long long)away->row.submitted_ms);
    free(order->job.text);
    order->job.text = json_canonical(document);
    sha256_hex_of(order->job.text, strlen(order->job.text), order->digest);
    described_row(&order->job, away->project, away->user, &order->row);
    order->submission = (struct submission){ .jobs = &order->row,
                                             .count = 1,
                                             .user = away->user,
                                             .key = order->key,
                                             .digest = order->digest };
    return 0;
}

static int submit(struct turn *turn, struct away *away, struct err *err)
{
    struct order_of order;
    int rc = order_make(away, &order, err);

    if (rc == 0)
        rc = store_submit(turn->broker->store, &order.submission, err);
    if (rc == 0)
        away->row.job = order.row.id;
    order_free(&order);
    return rc;
}

/* A broker that died between the submission and its row has a job that it does not know of. */
static int find_ours(struct turn *turn, struct away *away, struct err *err)
{
    struct order_of order;
    int rc;

    if (away->row.job || !json_object_get(json_object_get(away->detail, "spec"), "outputs"))
        return 0;
    rc = order_make(away, &order, err);
    if (rc == 0)
        rc = store_submission_find(turn->broker->store, &order.submission, err);
    if (rc == 0 && order.submission.repeated)
        away->row.job = order.row.id;
    order_free(&order);
    return rc;
}

static int our_task(struct turn *turn, const struct away *away, struct task_row *task,
                    struct buf *strings, struct err *err)
{
    struct target target = { away->row.job, 0 };
    int rc = store_task(turn->broker->store, target, task, strings, err);

    return rc == 1 ? err_set(err, FAULT_NOT_FOUND, "job %lld is gone", (long long)away->row.job)
                   : rc;
}

/* 1: it has surely ended, *succeeded says how; 0: it is asked to. */
static int end_ours(struct turn *turn, struct away *away, bool *succeeded, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct target target = { away->row.job, -1 };
    struct task_row task;

    *succeeded = false;
    if (find_ours(turn, away, err) < 0)
        return -1;
    if (!away->row.job)
        return 1;
    target.job = away->row.job;
    if (our_task(turn, away, &task, &strings, err) < 0)
        return err && err->fault == FAULT_NOT_FOUND ? 1 : -1;
    if (task_state_final(task.state)) {
        *succeeded = task.state == TASK_SUCCEEDED;
        return 1;
    }
    if (!task.cancel_asked &&
        store_cancel(turn->broker->store, target, REASON_CANCELLED, "given back", err) < 0)
        return -1;
    turn->moved = true;
    return 0;
}

/* ---- the end of a job --------------------------------------------------------------------------
 */

static void end_of(struct away *away)
{
    const json_t *end = json_object_get(away->detail, "end");

    snprintf(away->key, sizeof away->key, "%s-%lld", away->home, (long long)away->row.submitted_ms);
    away->end = (struct home_end){
        .key = away->key,
        .exit_code = (int)json_integer_value(json_object_get(end, "exit_code")),
        .signal = (int)json_integer_value(json_object_get(end, "signal")),
        .words = json_string_value(json_object_get(end, "words")),
    };
}

static json_t *end_json(const struct away *away, const struct task_row *task)
{
    const char *site = task->site ? task->site : "another site";
    json_t *words;

    if (task->exit_code >= 0)
        words = json_sprintf("spillway: ran at %s as job %lld, exit code %d", site,
                             (long long)away->row.job, task->exit_code);
    else
        words = json_sprintf("spillway: ran at %s as job %lld, ended by signal %d (%s)", site,
                             (long long)away->row.job, task->signal,
                             task->reason ? reason_name(task->reason) : "signal");
    return json_pack("{s:i, s:i, s:I, s:o}", "exit_code", task->exit_code, "signal", task->signal,
                     "attempt", (json_int_t)task->attempt, "words", words);
}

/* Whether the end is the job's own, to be told at home; or ours, and it runs there. */
static bool is_outcome(const struct task_row *task)
{
    if (task->state == TASK_SUCCEEDED)
        return true;
    return task->state == TASK_FAILED && task->attempt &&
           (task->reason == REASON_USER_EXIT || task->reason == REASON_SIGNAL ||
            task->reason == REASON_WALLTIME || task->reason == REASON_MEMORY) &&
           task->exit_code != SHELL_LACKS && task->exit_code != SHELL_LACKS + 1;
}

static int ours_ended(struct turn *turn, struct away *away, const struct task_row *task,
                      struct err *err)
{
    own_str char *why = NULL;

    if (is_outcome(task)) {
        json_object_set_new(away->detail, "end", end_json(away, task));
        return step_to(
            turn, away, BURST_RETURNING,
            json_string_value(json_object_get(json_object_get(away->detail, "end"), "words")), err);
    }
    if (task->exit_code == SHELL_LACKS || task->exit_code == SHELL_LACKS + 1)
        why = xasprintf("runs at home: a command it calls is not there at %s (exit code %d)",
                        task->site ? task->site : "another site", task->exit_code);
    else
        why = xasprintf("runs at home: job %lld is %s (%s)", (long long)away->row.job,
                        task_state_name(task->state),
                        task->reason ? reason_name(task->reason) : "no reason");
    return step_to(turn, away, BURST_RELEASING, why, err);
}

/* ---- the steps ---------------------------------------------------------------------------------
 *
 * Before the site is asked (1: it is to be), and after it has answered. */

typedef int before_step(struct turn *turn, struct away *away, struct err *err);
typedef int after_step(struct turn *turn, struct away *away, const struct home_order *order,
                       struct err *err);

static int asked_back(struct turn *turn, struct away *away, struct err *err)
{
    return step_to(turn, away, BURST_RELEASING, "runs at home: asked for", err);
}

static int after_hold(struct turn *turn, struct away *away, const struct home_order *order,
                      struct err *err)
{
    if (order->rc < 0)
        return or_release(turn, away, &order->fault, err);
    if (order->rc > 0)
        return step_to(turn, away, BURST_DROPPED, "it started at home before it was held", err);
    return step_to(turn, away, BURST_HELD, NULL, err);
}

static int before_fetch(struct turn *turn, struct away *away, struct err *err)
{
    return away->row.asked ? asked_back(turn, away, err) : 1;
}

/* What it is seen as must be newer than the hold: the next turn's listing. */
static int after_fetch(struct turn *turn, struct away *away, const struct home_order *order,
                       struct err *err)
{
    if (order->rc < 0)
        return or_release(turn, away, &order->fault, err);
    away->rests = true;
    return step_to(turn, away, BURST_READY, NULL, err);
}

static int step_ready(struct turn *turn, struct away *away, struct err *err)
{
    struct err fault = ERR_INIT;

    if (!is_held(turn, away))
        return drop(turn, away, err);
    if (away->row.asked)
        return asked_back(turn, away, err);
    if (submit(turn, away, &fault) < 0)
        return or_release(turn, away, &fault, err);
    return step_to(turn, away, BURST_RUNNING, NULL, err);
}

/* Nothing here is worth more than what home has promised. */
static bool is_too_late(const struct away *away, const struct task_row *task)
{
    int64_t home = json_integer_value(json_object_get(away->detail, "home_start"));

    return task->state == TASK_PENDING && home > 0 && clock_wall_ms() > home;
}

static int step_running(struct turn *turn, struct away *away, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct task_row task;

    if (our_task(turn, away, &task, &strings, err) < 0)
        return -1;
    if (!is_held(turn, away))
        return drop(turn, away, err);
    if (task_state_final(task.state))
        return ours_ended(turn, away, &task, err);
    if (away->row.asked)
        return asked_back(turn, away, err);
    if (is_too_late(away, &task))
        return step_to(turn, away, BURST_RELEASING,
                       "runs at home: it would have started there by now", err);
    return 0;
}

/* There is a result: it is brought home however long that takes. */
static int before_bring(struct turn *turn, struct away *away, struct err *err)
{
    int64_t attempt =
        json_integer_value(json_object_get(json_object_get(away->detail, "end"), "attempt"));
    struct err fault = ERR_INIT;

    if (!is_held(turn, away))
        return drop(turn, away, err);
    if (away->row.asked)
        return asked_back(turn, away, err);
    end_of(away);
    if (burst_stage_results(turn, away, attempt, &fault) < 0)
        return try_again(turn, away, &fault, err);
    return 1;
}

static int after_bring(struct turn *turn, struct away *away, const struct home_order *order,
                       struct err *err)
{
    if (order->rc < 0)
        return try_again(turn, away, &order->fault, err);
    return step_to(turn, away, BURST_ENDING, away->end.words, err);
}

static int before_end(struct turn *turn, struct away *away, struct err *err)
{
    (void)turn;
    (void)err;
    end_of(away);
    return 1;
}

static int after_end(struct turn *turn, struct away *away, const struct home_order *order,
                     struct err *err)
{
    if (order->rc < 0)
        return try_again(turn, away, &order->fault, err);
    if (order->rc == 2)
        return step_to(turn, away, BURST_DROPPED,
                       "its results are home, but its user released it: it runs there too", err);
    turn->moved = true;
    return order->rc == 1 ? 0 : step_to(turn, away, BURST_TELLING, away->end.words, err);
}

static int after_account(struct turn *turn, struct away *away, const struct home_order *order,
                         struct err *err)
{
    struct err fault = order->fault;

    if (order->rc > 0)
        err_set(&fault, FAULT_UNAVAILABLE, "the accounts do not know of its end yet");
    if (order->rc != 0 && away->row.tries < TRIES_MOST)
        return try_again(turn, away, &fault, err);
    if (order->rc != 0)
        log_warn("burst: site=\"%s\" job=\"%s\" accounting: %s", away->site, away->home,
                 fault.text);
    return step_to(turn, away, BURST_DONE, away->end.words, err);
}

static int before_release(struct turn *turn, struct away *away, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct task_row task;
    bool succeeded;
    int rc = end_ours(turn, away, &succeeded, err);

    if (rc <= 0 || !succeeded || away->row.asked)
        return rc;
    /* It was quicker than the cancellation. */
    if (our_task(turn, away, &task, &strings, err) < 0)
        return -1;
    return ours_ended(turn, away, &task, err);
}

static int after_release(struct turn *turn, struct away *away, const struct home_order *order,
                         struct err *err)
{
    if (order->rc < 0)
        return try_again(turn, away, &order->fault, err);
    return step_to(turn, away, BURST_RELEASED, NULL, err);
}

static int step_dropping(struct turn *turn, struct away *away, struct err *err)
{
    bool succeeded;
    int rc = end_ours(turn, away, &succeeded, err);

    return rc <= 0 ? rc : step_to(turn, away, BURST_DROPPED, NULL, err);
}

static const struct {
    before_step *before;
    const char *what; /* is asked; NULL: nothing is */
    after_step *after;
} steps[BURST_DONE] = {
    [BURST_TAKEN] = { NULL, "hold", after_hold },
    [BURST_HELD] = { before_fetch, "fetch", after_fetch },
    [BURST_READY] = { step_ready, NULL, NULL },
    [BURST_RUNNING] = { step_running, NULL, NULL },
    [BURST_RETURNING] = { before_bring, "results", after_bring },
    [BURST_ENDING] = { before_end, "end the original", after_end },
    [BURST_TELLING] = { before_end, "accounting", after_account },
    [BURST_RELEASING] = { before_release, "release", after_release },
    [BURST_DROPPING] = { step_dropping, NULL, NULL },
};

static home_call *call_of(const struct site_home *home, enum burst_state state)
{
    switch (state) {
    case BURST_TAKEN:
        return home->hold;
    case BURST_RETURNING:
        return home->bring;
    case BURST_ENDING:
        return home->end;
    case BURST_TELLING:
        return home->account;
    default:
        return home->release;
    }
}

/* It goes on in the next turn. */
static void tell(struct away *away, const struct err *err)
{
    log_error("burst: site=\"%s\" job=\"%s\": %s", away->site, away->home, err->text);
    away->rests = true;
}

static void ask(struct turn *turn, enum burst_state state, struct away *const *group, size_t count)
{
    struct home_order orders[ORDERS_MOST];

    for (size_t i = 0; i < count; i++)
        orders[i] = (struct home_order){ .job = &group[i]->job, .end = &group[i]->end };
    if (state == BURST_HELD)
        burst_fetch(turn, group, orders, count);
    else
        burst_call(turn, steps[state].what, call_of(turn->home, state), orders, count, 0);
    for (size_t i = 0; i < count; i++) {
        struct err err = ERR_INIT;

        if (steps[state].after(turn, group[i], &orders[i], &err) < 0)
            tell(group[i], &err);
    }
}

static bool goes_on(const struct away *away, enum burst_state state)
{
    return away->row.state == state && !away->rests && is_due(away);
}

/* The next of those in this state, from *at on, that the site is to be asked for. */
static size_t gather(struct turn *turn, enum burst_state state, size_t *at, struct away **group)
{
    size_t count = 0;

    for (; *at < turn->away_count && count < ORDERS_MOST; ++*at) {
        struct away *away = turn->aways[*at];
        struct err err = ERR_INIT;
        int rc = 1;

        if (!goes_on(away, state))
            continue;
        if (steps[state].before)
            rc = steps[state].before(turn, away, &err);
        if (rc < 0)
            tell(away, &err);
        else if (rc > 0 && steps[state].after)
            group[count++] = away;
    }
    return count;
}

void burst_steps(struct turn *turn, bool (*stopping)(void *arg), void *arg)
{
    struct away *group[ORDERS_MOST];

    for (enum burst_state state = 0; state < BURST_DONE; state++)
        for (size_t at = 0, count; at < turn->away_count && !stopping(arg);) {
            count = gather(turn, state, &at, group);
            if (count)
                ask(turn, state, group, count);
        }
}

/* ---- those that wait ---------------------------------------------------------------------------
 */

bool away_waits(struct turn *turn, const struct away *away)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct task_row task;

    if (away->row.state < BURST_RUNNING)
        return true;
    return away->row.state == BURST_RUNNING && our_task(turn, away, &task, &strings, NULL) == 0 &&
           task.state == TASK_PENDING;
}
