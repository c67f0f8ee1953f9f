/* SPDX-License-Identifier: Apache-2.0 */
/* burst.c - the steps of a job that is taken from a site's own queue; burst.h says what holds.
 *
 * taken -> held -> ready -> running -> returning -> ending -> telling -> done, and from any of the
 * first five to `releasing` (it is to run at home after all) or `dropping` (its user was quicker).
 * A turn reads the site's queue once and takes each job of ours as far as it goes. */
#include "burst.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/parse.h"
#include "burst_parts.h"
#include "conf/script.h"
#include "internal.h"
#include "store/described.h"

#define SOON_MS      1000
#define TRIES_MOST   8     /* of what may still be given up for running at home */
#define BACKOFF_MOST 60000 /* ms between tries */
#define TAKE_MOST    4     /* in one turn */
#define LOOK_MOST    16    /* jobs looked at closely in one turn */
#define WAIT_MOST    8     /* jobs of ours that wait for room elsewhere: no more is taken then */
#define KNOWN_MOST   10000
#define SHELL_LACKS  126 /* and 127: the machine there lacks what the script calls */

/* A job that was looked at and did not gain. */
struct known {
    char *key;
    struct home_job job;
    char *script;
    json_t *spec; /* NULL: never to go */
};

struct burst {
    struct broker *broker;
    struct map known; /* the thread's own */
    int64_t *due;     /* mono, of each site */
    char **faults;    /* told last, of each site */
    pthread_t thread;
    pthread_mutex_t lock; /* stop */
    pthread_cond_t wake;
    bool stop;
};

/* ---- rows in memory ----------------------------------------------------------------------------
 */

static char *copy_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? xstrdup(text) : NULL;
}

static json_t *job_json(const struct home_job *job)
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

static void away_free(struct away *away)
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

static struct away *away_new(const struct burst_row *row)
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

struct aways {
    const char *site;
    struct away **list;
    size_t count;
};

static bool add_away(void *arg, const struct burst_row *row)
{
    struct aways *aways = arg;

    if (strcmp(row->site, aways->site) != 0)
        return true;
    aways->list = xrealloc(aways->list, (aways->count + 1) * sizeof(struct away *));
    aways->list[aways->count++] = away_new(row);
    return true;
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

static void end_of(const struct away *away, char *key, size_t size, struct home_end *out)
{
    const json_t *end = json_object_get(away->detail, "end");

    snprintf(key, size, "%s-%lld", away->home, (long long)away->row.submitted_ms);
    *out = (struct home_end){
        .key = key,
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
 */

static int step_taken(struct turn *turn, struct away *away, struct err *err)
{
    struct err fault = ERR_INIT;
    int rc = burst_hold(turn, away->home, &fault);

    if (rc < 0)
        return or_release(turn, away, &fault, err);
    if (rc > 0)
        return step_to(turn, away, BURST_DROPPED, "it started at home before it was held", err);
    return step_to(turn, away, BURST_HELD, NULL, err);
}

static int step_held(struct turn *turn, struct away *away, struct err *err)
{
    struct err fault = ERR_INIT;

    if (away->row.asked)
        return step_to(turn, away, BURST_RELEASING, "runs at home: asked for", err);
    if (burst_fetch(turn, away, &fault) < 0)
        return or_release(turn, away, &fault, err);
    return step_to(turn, away, BURST_READY, NULL, err);
}

static int step_ready(struct turn *turn, struct away *away, struct err *err)
{
    struct err fault = ERR_INIT;

    if (!is_held(turn, away))
        return drop(turn, away, err);
    if (away->row.asked)
        return step_to(turn, away, BURST_RELEASING, "runs at home: asked for", err);
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
        return step_to(turn, away, BURST_RELEASING, "runs at home: asked for", err);
    if (is_too_late(away, &task))
        return step_to(turn, away, BURST_RELEASING,
                       "runs at home: it would have started there by now", err);
    return 0;
}

/* There is a result: it is brought home however long that takes. */
static int step_returning(struct turn *turn, struct away *away, struct err *err)
{
    int64_t attempt =
        json_integer_value(json_object_get(json_object_get(away->detail, "end"), "attempt"));
    struct err fault = ERR_INIT;
    struct home_end end;
    char key[128];

    if (!is_held(turn, away))
        return drop(turn, away, err);
    if (away->row.asked)
        return step_to(turn, away, BURST_RELEASING, "runs at home: asked for", err);
    end_of(away, key, sizeof key, &end);
    if (burst_return(turn, away, attempt, &end, &fault) < 0)
        return try_again(turn, away, &fault, err);
    return step_to(turn, away, BURST_ENDING, end.words, err);
}

static int step_ending(struct turn *turn, struct away *away, struct err *err)
{
    struct err fault = ERR_INIT;
    struct home_end end;
    char key[128];
    int rc;

    end_of(away, key, sizeof key, &end);
    rc = burst_end(turn, &away->job, &end, &fault);
    if (rc < 0)
        return try_again(turn, away, &fault, err);
    if (rc == 2)
        return step_to(turn, away, BURST_DROPPED,
                       "its results are home, but its user released it: it runs there too", err);
    turn->moved = true;
    return rc == 1 ? 0 : step_to(turn, away, BURST_TELLING, end.words, err);
}

static int step_telling(struct turn *turn, struct away *away, struct err *err)
{
    struct err fault = ERR_INIT;
    struct home_end end;
    char key[128];
    int rc;

    end_of(away, key, sizeof key, &end);
    rc = burst_account(turn, &away->job, &end, &fault);
    if (rc > 0)
        err_set(&fault, FAULT_UNAVAILABLE, "the accounts do not know of its end yet");
    if (rc != 0 && away->row.tries < TRIES_MOST)
        return try_again(turn, away, &fault, err);
    if (rc != 0)
        log_warn("burst: site=\"%s\" job=\"%s\" accounting: %s", away->site, away->home,
                 fault.text);
    return step_to(turn, away, BURST_DONE, end.words, err);
}

static int step_releasing(struct turn *turn, struct away *away, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct err fault = ERR_INIT;
    struct task_row task;
    bool succeeded;
    int rc = end_ours(turn, away, &succeeded, err);

    if (rc <= 0)
        return rc;
    if (succeeded && !away->row.asked) { /* it was quicker than the cancellation */
        if (our_task(turn, away, &task, &strings, err) < 0)
            return -1;
        return ours_ended(turn, away, &task, err);
    }
    if (burst_release(turn, away->home, &fault) < 0)
        return try_again(turn, away, &fault, err);
    return step_to(turn, away, BURST_RELEASED, NULL, err);
}

static int step_dropping(struct turn *turn, struct away *away, struct err *err)
{
    bool succeeded;
    int rc = end_ours(turn, away, &succeeded, err);

    return rc <= 0 ? rc : step_to(turn, away, BURST_DROPPED, NULL, err);
}

typedef int step(struct turn *turn, struct away *away, struct err *err);
static step *const steps[BURST_DONE] = {
    [BURST_TAKEN] = step_taken,         [BURST_HELD] = step_held,
    [BURST_READY] = step_ready,         [BURST_RUNNING] = step_running,
    [BURST_RETURNING] = step_returning, [BURST_ENDING] = step_ending,
    [BURST_TELLING] = step_telling,     [BURST_RELEASING] = step_releasing,
    [BURST_DROPPING] = step_dropping,
};

static bool stopping(struct burst *burst)
{
    bool stop;

    pthread_mutex_lock(&burst->lock);
    stop = burst->stop;
    pthread_mutex_unlock(&burst->lock);
    return stop;
}

/* As far as it goes on what the listing said; what must be seen anew waits for the next turn. */
static void go_on(struct burst *burst, struct turn *turn, struct away *away)
{
    struct err err = ERR_INIT;
    enum burst_state before;

    if (!is_due(away))
        return;
    do {
        before = away->row.state;
        if (steps[before](turn, away, &err) < 0) {
            log_error("burst: site=\"%s\" job=\"%s\": %s", away->site, away->home, err.text);
            return;
        }
    } while (away->row.state != before && away->row.state < BURST_DONE &&
             away->row.state != BURST_READY && !stopping(burst));
}

/* ---- taking ------------------------------------------------------------------------------------
 */

static void known_free(struct known *known)
{
    free(known->key);
    home_job_free(&known->job);
    free(known->script);
    json_decref(known->spec);
    free(known);
}

static void known_clear(struct map *map)
{
    struct known *known;

    for (size_t i = 0; (known = map_next(map, &i));)
        known_free(known);
    map_fini(map);
    *map = (struct map)MAP_INIT_STR;
}

static char *swap_text(char *old, const char *text)
{
    free(old);
    return text ? xstrdup(text) : NULL;
}

/* What was learnt of it before; else it is looked at now.  NULL: not now. */
static struct known *look_at(struct burst *burst, struct turn *turn, struct home_job *job,
                             int *looks)
{
    own_str char *key =
        xasprintf("%s %s %lld", turn->conf->name, job->id, (long long)job->submitted_ms);
    own_buf struct buf script = BUF_INIT(SCRIPT_BYTES_MOST);
    struct known *known = map_get_str(&burst->known, key);
    struct err err = ERR_INIT;
    int rc;

    if (known || *looks >= LOOK_MOST)
        return known;
    ++*looks;
    rc = burst_detail(turn, job, &script, &err);
    if (rc > 0 || (rc < 0 && err.fault != FAULT_INVALID))
        return NULL;
    if (burst->known.count >= KNOWN_MOST)
        known_clear(&burst->known);
    known = xcalloc(1, sizeof *known);
    known->key = take_ptr(key);
    if (rc == 0 && !job->bound)
        known->spec = burst_describe(job, turn->conf->name, buf_text(&script), script.length,
                                     !turn->conf->burst.receipt, &err);
    if (rc < 0 || (!job->bound && !known->spec))
        log_info("burst: site=\"%s\" job=\"%s\" stays: %s", turn->conf->name, job->id, err.text);
    known->script = buf_take(&script);
    known->job.out = swap_text(NULL, job->out);
    known->job.errors = swap_text(NULL, job->errors);
    map_put_str(&burst->known, known->key, known);
    return known;
}

static int take(struct burst *burst, struct turn *turn, struct home_job *job,
                const struct known *known, const char *user, const char *project,
                int64_t home_start, const char *why, struct err *err)
{
    own_json json_t *detail = NULL;
    own_str char *text = NULL;
    struct burst_row row = { .site = turn->conf->name,
                             .home = job->id,
                             .submitted_ms = job->submitted_ms,
                             .state = BURST_TAKEN,
                             .user = user,
                             .project = project,
                             .name = job->name,
                             .why = why };
    struct away *away;
    int rc;

    job->out = swap_text(job->out, known->job.out);
    job->errors = swap_text(job->errors, known->job.errors);
    detail = json_pack("{s:o, s:s, s:O, s:s, s:I}", "job", job_json(job), "why", why, "spec",
                       known->spec, "script", known->script, "home_start", (json_int_t)home_start);
    text = json_dumps(detail, JSON_COMPACT);
    if (!text)
        return err_set(err, FAULT_INVALID, "its name, folder or script is not UTF-8");
    row.detail = text;
    rc = store_burst_add(turn->broker->store, &row, err);
    if (rc != 0)
        return rc;
    log_info("burst: site=\"%s\" job=\"%s\" state=taken why=\"%s\"", turn->conf->name, job->id,
             why);
    away = away_new(&row);
    away->row.changed_ms = clock_wall_ms();
    turn->moved = true;
    go_on(burst, turn, away);
    away_free(away);
    return 0;
}

/* 1: taken. */
static int consider(struct burst *burst, struct turn *turn, struct home_job *job, int *looks,
                    struct err *err)
{
    const struct known *known = look_at(burst, turn, job, looks);
    const char *project = burst_project(turn->broker->conf, job);
    own_str char *why = NULL;
    int64_t home_start = 0;
    char user[256];
    int rc;

    if (!known || !known->spec)
        return 0;
    burst_user(job, user, sizeof user);
    rc = burst_gains(turn, job, known->spec, project, user, &home_start, &why, err);
    if (rc <= 0)
        return rc;
    rc = take(burst, turn, job, known, user, project, home_start, why, err);
    return rc < 0 ? -1 : rc == 0;
}

static void take_some(struct burst *burst, struct turn *turn, int64_t room)
{
    int looks = 0, taken = 0;

    for (size_t i = 0; i < turn->waiting.count && taken < room && !stopping(burst); i++) {
        struct home_job *job = &turn->waiting.list[i];
        struct err err = ERR_INIT;
        int rc;

        if (!burst_is_watched(&turn->conf->burst, job) ||
            store_burst_known(turn->broker->store, turn->conf->name, job->id, job->submitted_ms,
                              &err) != 0)
            continue;
        rc = consider(burst, turn, job, &looks, &err);
        if (rc < 0)
            log_error("burst: site=\"%s\" job=\"%s\": %s", turn->conf->name, job->id, err.text);
        taken += rc > 0;
    }
}

/* ---- turns -------------------------------------------------------------------------------------
 */

/* Those that are under way but do not run yet. */
static bool is_waiting_elsewhere(struct turn *turn, const struct away *away)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct task_row task;

    if (away->row.state < BURST_RUNNING)
        return true;
    return away->row.state == BURST_RUNNING && our_task(turn, away, &task, &strings, NULL) == 0 &&
           task.state == TASK_PENDING;
}

static void take_turn(struct burst *burst, struct turn *turn)
{
    struct aways aways = { .site = turn->conf->name };
    struct err err = ERR_INIT;
    int64_t open = 0, waiting = 0, room;

    if (store_bursts(turn->broker->store, 0, false, add_away, &aways, &err) < 0)
        log_error("burst: %s", err.text);
    for (size_t i = 0; i < aways.count; i++) {
        if (!stopping(burst))
            go_on(burst, turn, aways.list[i]);
        open += aways.list[i]->row.state < BURST_DONE;
        waiting += is_waiting_elsewhere(turn, aways.list[i]);
        away_free(aways.list[i]);
    }
    free(aways.list);
    room = turn->conf->burst.jobs_most - open;
    if (room > WAIT_MOST - waiting)
        room = WAIT_MOST - waiting;
    take_some(burst, turn, room < TAKE_MOST ? room : TAKE_MOST);
}

/* A site that does not answer is told of once. */
static void tell_fault(struct burst *burst, size_t site, const char *words)
{
    if (burst->faults[site] && strcmp(burst->faults[site], words) == 0)
        return;
    if (*words)
        log_warn("burst: %s", words);
    burst->faults[site] = swap_text(burst->faults[site], words);
}

static void look(struct burst *burst, size_t site)
{
    struct broker *broker = burst->broker;
    struct turn turn = { .broker = broker,
                         .reconcile = broker->reconciles[site],
                         .conf = site_conf_of(broker->sites[site]) };
    struct err err = ERR_INIT;

    if (burst_waiting(&turn, &err) == 0) {
        tell_fault(burst, site, "");
        take_turn(burst, &turn);
    } else {
        tell_fault(burst, site, err.text);
    }
    home_jobs_free(&turn.waiting);
    burst->due[site] = clock_mono_ms() + (turn.moved ? SOON_MS : turn.conf->burst.every_ms);
}

static int64_t next_due(const struct burst *burst)
{
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < burst->broker->site_count; i++)
        if (site_conf_of(burst->broker->sites[i])->burst.on && burst->due[i] < next)
            next = burst->due[i];
    return next;
}

static void *run(void *arg)
{
    struct burst *burst = arg;

    while (!stopping(burst)) {
        int64_t next = next_due(burst);
        struct timespec until = clock_cond_until(next);

        pthread_mutex_lock(&burst->lock);
        while (!burst->stop && clock_mono_ms() < next)
            pthread_cond_timedwait(&burst->wake, &burst->lock, &until);
        pthread_mutex_unlock(&burst->lock);
        for (size_t i = 0; i < burst->broker->site_count && !stopping(burst); i++)
            if (site_conf_of(burst->broker->sites[i])->burst.on && clock_mono_ms() >= burst->due[i])
                look(burst, i);
    }
    return NULL;
}

static void burst_free(struct burst *burst)
{
    known_clear(&burst->known);
    for (size_t i = 0; i < burst->broker->site_count; i++)
        free(burst->faults[i]);
    free(burst->faults);
    free(burst->due);
    pthread_cond_destroy(&burst->wake);
    pthread_mutex_destroy(&burst->lock);
    free(burst);
}

int burst_start(struct broker *broker, struct burst **out, struct err *err)
{
    struct burst *burst;
    bool any = false;

    for (size_t i = 0; i < broker->site_count; i++)
        any |= site_conf_of(broker->sites[i])->burst.on;
    if (!any)
        return 0;
    burst = xcalloc(1, sizeof *burst);
    burst->broker = broker;
    burst->known = (struct map)MAP_INIT_STR;
    burst->due = xcalloc(broker->site_count, sizeof *burst->due);
    burst->faults = xcalloc(broker->site_count, sizeof *burst->faults);
    pthread_mutex_init(&burst->lock, NULL);
    clock_cond_init(&burst->wake);
    errno = pthread_create(&burst->thread, NULL, run, burst);
    if (errno) {
        burst_free(burst);
        return err_sys(err, "start a thread");
    }
    *out = burst;
    return 0;
}

void burst_stop(struct burst *burst)
{
    if (!burst)
        return;
    pthread_mutex_lock(&burst->lock);
    burst->stop = true;
    pthread_cond_broadcast(&burst->wake);
    pthread_mutex_unlock(&burst->lock);
    pthread_join(burst->thread, NULL);
    burst_free(burst);
}
