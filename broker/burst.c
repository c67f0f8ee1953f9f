/* SPDX-License-Identifier: Apache-2.0 */
/* burst.c - which jobs are taken from a site's own queue, and when; burst.h says what holds.
 *
 * A turn reads the site's queue once, takes what gains, and has each job of ours go as far as it goes
 * on what was read (burst_steps.c). */
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

#define SOON_MS    1000
#define WAIT_MOST  8 /* jobs of ours that wait for room elsewhere: no more is taken then */
#define KNOWN_MOST 10000

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

static void add_to_turn(struct turn *turn, struct away *away)
{
    turn->aways = xrealloc(turn->aways, (turn->away_count + 1) * sizeof(struct away *));
    turn->aways[turn->away_count++] = away;
}

static bool add_away(void *arg, const struct burst_row *row)
{
    struct turn *turn = arg;

    if (strcmp(row->site, turn->conf->name) == 0)
        add_to_turn(turn, away_new(row));
    return true;
}

static bool stopping(void *arg)
{
    struct burst *burst = arg;
    bool stop;

    pthread_mutex_lock(&burst->lock);
    stop = burst->stop;
    pthread_mutex_unlock(&burst->lock);
    return stop;
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

static char *known_key(const struct turn *turn, const struct home_job *job)
{
    return xasprintf("%s %s %lld", turn->conf->name, job->id, (long long)job->submitted_ms);
}

static struct known *known_of(struct burst *burst, const struct turn *turn,
                              const struct home_job *job)
{
    own_str char *key = known_key(turn, job);

    return map_get_str(&burst->known, key);
}

/* What was learnt of it is kept, also that it can never go. */
static void learn(struct burst *burst, const struct turn *turn, struct home_order *order)
{
    struct home_job *job = order->job;
    struct err *fault = &order->fault;
    struct known *known;

    if (order->rc > 0 || (order->rc < 0 && fault->fault != FAULT_INVALID))
        return;
    known = xcalloc(1, sizeof *known);
    known->key = known_key(turn, job);
    if (order->rc == 0 && !job->bound)
        known->spec = burst_describe(job, turn->conf->name, buf_text(order->script),
                                     order->script->length, !turn->conf->burst.receipt, fault);
    if (order->rc < 0 || (!job->bound && !known->spec))
        log_info("burst: site=\"%s\" job=\"%s\" stays: %s", turn->conf->name, job->id, fault->text);
    known->script = buf_take(order->script);
    known->job.out = swap_text(NULL, job->out);
    known->job.errors = swap_text(NULL, job->errors);
    map_put_str(&burst->known, known->key, known);
}

/* Those of which nothing is known yet are looked at, as many as one command takes. */
static void look_at(struct burst *burst, struct turn *turn, struct home_job *const *jobs,
                    size_t count)
{
    struct home_order orders[ORDERS_MOST];
    struct buf scripts[ORDERS_MOST];
    size_t looks = 0;

    if (burst->known.count >= KNOWN_MOST)
        known_clear(&burst->known);
    for (size_t i = 0; i < count && looks < ORDERS_MOST; i++) {
        if (known_of(burst, turn, jobs[i]))
            continue;
        scripts[looks] = (struct buf)BUF_INIT(SCRIPT_BYTES_MOST);
        orders[looks] = (struct home_order){ .job = jobs[i], .script = &scripts[looks] };
        looks++;
    }
    burst_call(turn, "look at a job", turn->home->detail, orders, looks, 0);
    for (size_t i = 0; i < looks; i++) {
        learn(burst, turn, &orders[i]);
        buf_free(&scripts[i]);
    }
}

static int take(struct turn *turn, struct home_job *job, const struct known *known,
                const char *user, const char *project, int64_t home_start, const char *why,
                struct err *err)
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
    detail = json_pack("{s:o, s:s, s:O, s:s, s:I}", "job", home_job_json(job), "why", why, "spec",
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
    add_to_turn(turn, away);
    return 0;
}

/* 1: taken. */
static int consider(struct burst *burst, struct turn *turn, struct home_job *job, struct err *err)
{
    const struct known *known = known_of(burst, turn, job);
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
    rc = take(turn, job, known, user, project, home_start, why, err);
    return rc < 0 ? -1 : rc == 0;
}

/* Those that the site file names and that were not away before.  Owned by the caller. */
static struct home_job **candidates(struct turn *turn, size_t *count)
{
    struct home_job **jobs = xcalloc(turn->waiting.count + 1, sizeof(struct home_job *));

    *count = 0;
    for (size_t i = 0; i < turn->waiting.count; i++) {
        struct home_job *job = &turn->waiting.list[i];

        if (burst_is_watched(&turn->conf->burst, job) &&
            store_burst_known(turn->broker->store, turn->conf->name, job->id, job->submitted_ms,
                              NULL) == 0)
            jobs[(*count)++] = job;
    }
    return jobs;
}

static void take_some(struct burst *burst, struct turn *turn, int64_t room)
{
    own_mem struct home_job **jobs = NULL;
    int64_t taken = 0;
    size_t count;

    if (room <= 0)
        return;
    jobs = candidates(turn, &count);
    look_at(burst, turn, jobs, count);
    for (size_t i = 0; i < count && taken < room && !stopping(burst); i++) {
        struct err err = ERR_INIT;
        int rc = consider(burst, turn, jobs[i], &err);

        if (rc < 0)
            log_error("burst: site=\"%s\" job=\"%s\": %s", turn->conf->name, jobs[i]->id, err.text);
        taken += rc > 0;
    }
}

/* ---- turns -------------------------------------------------------------------------------------
 */

static void take_turn(struct burst *burst, struct turn *turn)
{
    struct err err = ERR_INIT;
    int64_t room, waiting = 0;

    if (store_bursts(turn->broker->store, 0, false, add_away, turn, &err) < 0)
        log_error("burst: %s", err.text);
    room = turn->conf->burst.jobs_most - (int64_t)turn->away_count;
    for (size_t i = 0; i < turn->away_count; i++)
        waiting += away_waits(turn, turn->aways[i]);
    if (room > WAIT_MOST - waiting)
        room = WAIT_MOST - waiting;
    take_some(burst, turn, room);
    burst_steps(turn, stopping, burst);
    for (size_t i = 0; i < turn->away_count; i++)
        away_free(turn->aways[i]);
    free(turn->aways);
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
    void *self;

    turn.home = site_home(broker->sites[site], &self);
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
