/* SPDX-License-Identifier: Apache-2.0 */
/* broker.c - opens, starts and stops the parts in order; status.c and explain.c answer questions.
 */
#include "broker.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "internal.h"
#include "net/http.h"
#include "store/bursts.h"
#include "store/notices.h"

#define CARE_MS      5000
#define PRUNE_MS     600000
#define SITES_END_MS 2000 /* of calls to sites, once the broker ends */

static void changed(void *arg)
{
    struct broker *broker = arg;

    dispatch_poke(broker->dispatch);
}

static struct reconcile *reconcile_of(void *arg, int site)
{
    struct broker *broker = arg;

    return (size_t)site < broker->site_count ? broker->reconciles[site] : NULL;
}

static void events(void *arg)
{
    struct broker *broker = arg;
    void (*wake)(void *);
    void *wake_arg;

    pthread_mutex_lock(&broker->lock);
    wake = broker->events_wake;
    wake_arg = broker->events_arg;
    pthread_mutex_unlock(&broker->lock);
    if (wake)
        wake(wake_arg);
}

void broker_on_events(struct broker *broker, void (*wake)(void *arg), void *arg)
{
    pthread_mutex_lock(&broker->lock);
    broker->events_wake = wake;
    broker->events_arg = arg;
    pthread_mutex_unlock(&broker->lock);
}

void broker_sched_params(const struct broker_conf *conf, struct sched_params *out)
{
    struct sched_params params = SCHED_PARAMS_DEFAULT;

    if (conf->reserve_after_ms > 0)
        params.reserve_after_ms = conf->reserve_after_ms;
    *out = params;
}

/* ---- sites
 * ------------------------------------------------------------------------------------------- */

static void add_broken(struct broker *broker, const struct site_conf *conf, const char *why)
{
    broker->broken = xrealloc(broker->broken, (broker->broken_count + 1) * sizeof *broker->broken);
    broker->broken[broker->broken_count++] =
        (struct broken_site){ .conf = conf, .why = xstrdup(why) };
    log_error("site %s is left out: %s", conf->name, why);
}

static bool apply_mode(void *arg, const char *name, const char *mode)
{
    struct broker *broker = arg;

    for (size_t i = 0; i < broker->site_count; i++)
        if (strcmp(site_name(broker->sites[i]), name) == 0)
            site_set_mode(broker->sites[i], strcmp(mode, "draining") == 0   ? SITE_DRAINING
                                            : strcmp(mode, "disabled") == 0 ? SITE_DISABLED
                                                                            : SITE_ENABLED);
    return true;
}

/* A site that cannot be opened must not stop the broker, nor the other sites. */
static int sites_open(struct broker *broker, struct err *err)
{
    const struct broker_conf *conf = broker->conf;

    broker->sites = xcalloc(conf->site_count + 1, sizeof(struct site *));
    broker->reconciles = xcalloc(conf->site_count + 1, sizeof(struct reconcile *));
    for (size_t i = 0; i < conf->site_count && broker->site_count < SCHED_SITES_MOST; i++) {
        struct err why = ERR_INIT;

        if (site_open(&conf->sites[i], conf->state, &broker->sites[broker->site_count], &why) == 0)
            broker->site_count++;
        else
            add_broken(broker, &conf->sites[i], why.text);
    }
    world_configure(broker->world, conf, broker->sites, broker->site_count);
    return store_site_modes(broker->store, apply_mode, broker, err);
}

static char *agent_url(const struct broker *broker, const struct site *site)
{
    const struct site_conf *conf = site_conf_of(site);

    if (conf->url)
        return xstrdup(conf->url);
    if (site_traits(site)->single)
        return broker->conf->socket ? xasprintf("unix://%s", broker->conf->socket)
                                    : xasprintf("unix://%s/spillway.sock", broker->conf->state);
    if (broker->conf->url)
        return xstrdup(broker->conf->url);
    return xasprintf("https://%s", broker->conf->listen ? broker->conf->listen : "");
}

static int sites_start(struct broker *broker, struct err *err)
{
    for (size_t i = 0; i < broker->site_count; i++) {
        own_str char *url = agent_url(broker, broker->sites[i]);
        struct reconcile_options options = { .store = broker->store,
                                             .queue = broker->queue,
                                             .site = broker->sites[i],
                                             .url = url,
                                             .pin = broker->pin,
                                             .orphan_ms = broker->conf->orphan_ms,
                                             .changed = changed,
                                             .arg = broker };

        if (reconcile_start(&options, &broker->reconciles[i], err) < 0)
            return -1;
    }
    return 0;
}

/* A site that does not answer holds nobody up: what is under way has a moment to end. */
static void sites_stop(struct broker *broker)
{
    http_end_by(clock_mono_ms() + SITES_END_MS);
    for (size_t i = 0; i < broker->site_count; i++) {
        reconcile_stop(broker->reconciles[i]);
        broker->reconciles[i] = NULL;
    }
}

static void sites_close(struct broker *broker)
{
    for (size_t i = 0; i < broker->site_count; i++)
        site_close(broker->sites[i]);
    for (size_t i = 0; i < broker->broken_count; i++)
        free(broker->broken[i].why);
    free(broker->sites);
    free(broker->reconciles);
    free(broker->broken);
    broker->sites = NULL;
    broker->reconciles = NULL;
    broker->broken = NULL;
    broker->site_count = broker->broken_count = 0;
    http_end_by(0);
}

/* ---- care
 * ---------------------------------------------------------------------------------------------- */

static void prune(struct broker *broker)
{
    const struct broker_conf *conf = broker->conf;
    struct retention rule = { conf->retention.jobs_ms, conf->retention.logs_ms,
                              conf->retention.blobs_ms, conf->retention.events_ms };
    struct pruned pruned = { .jobs = 0 };
    struct err err = ERR_INIT;

    if (store_prune(broker->store, &rule, clock_wall_ms(), &pruned, &err) < 0 ||
        (rule.jobs_ms &&
         store_bursts_prune(broker->store, clock_wall_ms() - rule.jobs_ms, &err) < 0))
        log_error("pruning: %s", err.text);
    else if (pruned.jobs || pruned.logs || pruned.blobs || pruned.events)
        log_info("pruned by rule: jobs=%lld logs=%lld blobs=%lld events=%lld bytes=%lld",
                 (long long)pruned.jobs, (long long)pruned.logs, (long long)pruned.blobs,
                 (long long)pruned.events, (long long)pruned.bytes);
}

static void tell_operator(struct broker *broker)
{
    const char *webhook = broker->conf->notify.webhook, *mail = broker->conf->notify.mail;
    own_json json_t *notify = json_object();
    own_str char *text = NULL;

    if (webhook)
        json_object_set_new(notify, "webhook", json_string(webhook));
    if (mail)
        json_object_set_new(notify, "mail", json_string(mail));
    text = json_dumps(notify, JSON_COMPACT);
    store_set_operator(broker->store, text);
}

/* Credentials that end soon, against what schedules will make. */
static void check_credentials(struct broker *broker)
{
    struct credential_site sites[SCHED_SITES_MOST];
    int64_t now = clock_wall_ms();
    size_t count = 0;

    if (!credentials_due(broker->credentials))
        return;
    for (size_t i = 0; i < broker->site_count; i++) {
        struct site_offer *offer = site_offer(broker->sites[i]);
        int64_t end = offer->probe.credential_end_ms;
        struct site_health health;

        site_health(broker->sites[i], &health);
        if (end && end - now <= CREDENTIAL_AHEAD_MS && health.mode == SITE_ENABLED)
            sites[count++] = (struct credential_site){ site_conf_of(broker->sites[i]), end };
        site_offer_put(broker->sites[i], offer);
    }
    credentials_look(broker->credentials, broker->store, broker->conf, sites, count);
}

static void *care_run(void *arg)
{
    struct broker *broker = arg;
    int64_t prune_mono_ms = clock_mono_ms() + PRUNE_MS;

    for (;;) {
        int64_t until = clock_mono_ms() + CARE_MS;
        bool stop;

        pthread_mutex_lock(&broker->lock);
        while (!broker->stop && clock_mono_ms() < until) {
            struct timespec when = clock_cond_until(until);

            pthread_cond_timedwait(&broker->wake, &broker->lock, &when);
        }
        stop = broker->stop;
        pthread_mutex_unlock(&broker->lock);
        if (stop)
            return NULL;
        pthread_rwlock_rdlock(&broker->sites_lock);
        check_credentials(broker);
        if (clock_mono_ms() >= prune_mono_ms) {
            prune(broker);
            prune_mono_ms = clock_mono_ms() + PRUNE_MS;
        }
        pthread_rwlock_unlock(&broker->sites_lock);
    }
}

/* ---- start and stop
 * --------------------------------------------------------------------------------------- */

/* The store's subscriber: the dispatch is made after the store that it reads. */
static void on_changes(void *arg, const struct change *changes, size_t count)
{
    struct broker *broker = arg;

    if (broker->dispatch)
        dispatch_changes(broker->dispatch, changes, count);
}

static void sooner(void *arg)
{
    struct broker *broker = arg;

    dispatch_tick(broker->dispatch);
}

static void parts_new(struct broker *broker)
{
    const struct broker_conf *conf = broker->conf;
    struct budgets budgets = { conf->retries_infra, conf->retries_preempt, conf->backoff_ms };
    struct agents_options agents = { .heartbeat_ms = conf->heartbeat_ms,
                                     .lease_ttl_ms = conf->lease_ttl_ms,
                                     .orphan_ms = conf->orphan_ms,
                                     .budgets = budgets,
                                     .sooner = sooner,
                                     .arg = broker };
    struct dispatch_options dispatch = { .store = broker->store,
                                         .queue = broker->queue,
                                         .world = broker->world,
                                         .reconcile_of = reconcile_of,
                                         .events = events,
                                         .arg = broker,
                                         .leases = { conf->log_most, conf->output_most,
                                                     conf->walltime_ms },
                                         .budgets = budgets };

    broker_sched_params(conf, &dispatch.params);
    broker->agents = agents_new(broker->store, &agents);
    dispatch.agents = broker->agents;
    broker->dispatch = dispatch_new(&dispatch);
}

int broker_open(const struct broker_conf *conf, struct broker **out, struct err *err)
{
    struct broker *broker = xcalloc(1, sizeof *broker);
    struct store_options store = {
        .dir = conf->state, .on_changes = on_changes, .arg = broker, .log_most = conf->log_most
    };

    broker->conf = conf;
    pthread_mutex_init(&broker->lock, NULL);
    pthread_rwlock_init(&broker->sites_lock, NULL);
    clock_cond_init(&broker->wake);
    broker->queue = queue_new();
    broker->world = world_new();
    broker->credentials = credentials_new();
    if (store_open(&store, &broker->store, err) < 0) {
        broker_close(broker);
        return -1;
    }
    parts_new(broker);
    tell_operator(broker);
    if (sites_open(broker, err) < 0 || dispatch_load(broker->dispatch, err) < 0) {
        broker_close(broker);
        return -1;
    }
    left_tell(broker);
    *out = broker;
    return 0;
}

void broker_set_pin(struct broker *broker, const char *pin)
{
    free(broker->pin);
    broker->pin = pin ? xstrdup(pin) : NULL;
}

int broker_start(struct broker *broker, struct err *err)
{
    if (sites_start(broker, err) < 0 || dispatch_start(broker->dispatch, err) < 0 ||
        burst_start(broker, &broker->burst, err) < 0)
        return -1;
    errno = pthread_create(&broker->care, NULL, care_run, broker);
    if (errno)
        return err_sys(err, "start a thread");
    pthread_mutex_lock(&broker->lock);
    broker->started = true;
    pthread_mutex_unlock(&broker->lock);
    return 0;
}

static void care_stop(struct broker *broker)
{
    bool started;

    pthread_mutex_lock(&broker->lock);
    started = broker->started;
    broker->stop = true;
    pthread_cond_broadcast(&broker->wake);
    pthread_mutex_unlock(&broker->lock);
    if (started)
        pthread_join(broker->care, NULL);
}

void broker_close(struct broker *broker)
{
    if (!broker)
        return;
    care_stop(broker);
    burst_stop(broker->burst);
    if (broker->dispatch)
        dispatch_stop(broker->dispatch);
    sites_stop(broker);
    agents_free(broker->agents);
    store_close(broker->store);
    sites_close(broker);
    dispatch_free(broker->dispatch);
    world_free(broker->world);
    credentials_free(broker->credentials);
    queue_free(broker->queue);
    free(broker->pin);
    pthread_cond_destroy(&broker->wake);
    pthread_rwlock_destroy(&broker->sites_lock);
    pthread_mutex_destroy(&broker->lock);
    free(broker);
}

/* The scheduler's thread stands still meanwhile; jobs, workers and agents go on. */
int broker_reload(struct broker *broker, const struct broker_conf *conf, struct err *err)
{
    int rc;

    burst_stop(broker->burst);
    broker->burst = NULL;
    dispatch_stop(broker->dispatch);
    pthread_rwlock_wrlock(&broker->sites_lock);
    sites_stop(broker);
    pthread_mutex_lock(&broker->queue->lock);
    sites_close(broker);
    broker->conf = conf;
    tell_operator(broker);
    rc = sites_open(broker, err);
    pthread_mutex_unlock(&broker->queue->lock);
    left_tell(broker);
    if (rc == 0)
        rc = sites_start(broker, err);
    pthread_rwlock_unlock(&broker->sites_lock);
    if (dispatch_start(broker->dispatch, err) < 0)
        return -1;
    dispatch_poke(broker->dispatch);
    if (rc == 0)
        rc = burst_start(broker, &broker->burst, err);
    return rc;
}

static struct coming *coming_of(struct broker *broker, int64_t schedule,
                                const struct coming_run *run, int number, struct err *err)
{
    const struct coming_class *class = &run->classes[number];
    struct coming *coming = NULL;

    if (coming_new(schedule, number, class->class_key, &coming, err) < 0 ||
        store_class_find(broker->store, class->class_key, &coming->learnt_by, err) < 0) {
        coming_free(coming);
        return NULL;
    }
    coming->tasks = class->tasks;
    coming->at_ms = run->at_ms;
    coming->prepare_ms = run->prepare_ms;
    return coming;
}

void broker_coming(struct broker *broker, int64_t schedule, const struct coming_run *run)
{
    struct coming *list = NULL;
    struct err err = ERR_INIT;

    for (size_t i = 0; run && i < run->class_count; i++) {
        struct coming *coming = coming_of(broker, schedule, run, (int)i, &err);

        if (!coming) {
            log_error("workers ahead of a schedule: %s", err.text);
            coming_free(list);
            return;
        }
        coming->next = list;
        list = coming;
    }
    pthread_mutex_lock(&broker->queue->lock);
    world_coming(broker->world, schedule, list);
    pthread_mutex_unlock(&broker->queue->lock);
    dispatch_poke(broker->dispatch);
}

json_t *broker_credential_warning(struct broker *broker, int64_t schedule)
{
    return credentials_warning(broker->credentials, schedule);
}

struct store *broker_store(struct broker *broker)
{
    return broker->store;
}

bool broker_ready(struct broker *broker)
{
    bool ready;

    pthread_mutex_lock(&broker->lock);
    ready = broker->started && !broker->stop;
    pthread_mutex_unlock(&broker->lock);
    return ready;
}

/* ---- agents
 * ------------------------------------------------------------------------------------------------
 */

void broker_agent_join(struct broker *broker, const json_t *body, agent_answer *answer, void *arg)
{
    agents_join(broker->agents, body, answer, arg);
}

uint64_t broker_agent_sync(struct broker *broker, int64_t worker, const json_t *body,
                           agent_answer *answer, void *arg)
{
    return agents_sync(broker->agents, worker, body, answer, arg);
}

void broker_agent_forget(struct broker *broker, uint64_t ticket)
{
    agents_forget(broker->agents, ticket);
}
