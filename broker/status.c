/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - sites and workers as people ask about them, and what operators do to them. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "internal.h"

#define PROBE_MS 60000

static json_t *time_or_null(int64_t ms)
{
    char text[FORMAT_BYTES];

    return ms > 0 ? json_string(format_time(ms, text, sizeof text)) : json_null();
}

static const char *mode_name(enum site_mode mode)
{
    return mode == SITE_ENABLED ? "enabled" : mode == SITE_DISABLED ? "disabled" : "draining";
}

struct counts {
    int64_t workers, busy, tasks;
};

static struct counts count_at(struct queue *queue, const char *site)
{
    struct counts counts = { .workers = 0 };
    struct qworker *worker;

    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; (worker = map_next(&queue->workers, &i));) {
        if (strcmp(worker->site, site) != 0)
            continue;
        counts.workers++;
        counts.busy += worker->task_count > 0;
        counts.tasks += worker->task_count;
    }
    pthread_mutex_unlock(&queue->lock);
    return counts;
}

static const char *health_word(const struct site_health *health, const struct site_offer *offer)
{
    if (!offer->probed_ms)
        return health->fault_ms ? "down" : "starting";
    return health->up ? "up" : "down";
}

/* "" while the end is far. */
static void credential_words(int64_t end_ms, char *out, size_t size)
{
    char stamp[FORMAT_BYTES];

    *out = '\0';
    if (end_ms && end_ms - clock_wall_ms() <= CREDENTIAL_AHEAD_MS)
        snprintf(out, size, "its credential ends at %s", format_time(end_ms, stamp, sizeof stamp));
}

static json_t *head_json(struct broker *broker, struct site *site)
{
    const struct site_conf *conf = site_conf_of(site);
    struct site_offer *offer = site_offer(site);
    struct counts counts = count_at(broker->queue, conf->name);
    struct site_health health;
    char ends[80];
    json_t *answer;
    int calls, most;

    site_health(site, &health);
    credential_words(offer->probe.credential_end_ms, ends, sizeof ends);
    answer = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:o, s:o}", "name", conf->name,
        "type", conf->type, "tier", tier_name(conf->tier), "phase", phase_name(conf->phase), "mode",
        mode_name(health.mode), "health", health_word(&health, offer), "detail",
        health.why[0] ? health.why
        : ends[0]     ? ends
                      : NULL,
        "workers", (json_int_t)counts.workers, "busy", (json_int_t)counts.busy, "tasks",
        (json_int_t)counts.tasks, "latency_ms", (json_int_t)offer->probe.latency_ms, "probed",
        time_or_null(offer->probed_ms), "credential_end",
        time_or_null(offer->probe.credential_end_ms));
    site_offer_put(site, offer);
    if (site_calls(site, &calls, &most)) {
        json_object_set_new(answer, "calls_minute", json_integer(calls));
        json_object_set_new(answer, "calls_minute_most", json_integer(most));
    }
    return answer;
}

static json_t *broken_json(struct broker *broker, const struct broken_site *broken)
{
    struct counts counts = count_at(broker->queue, broken->conf->name);

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "name",
                     broken->conf->name, "type", broken->conf->type ? broken->conf->type : "",
                     "tier", tier_name(broken->conf->tier), "phase",
                     phase_name(broken->conf->phase), "mode", "disabled", "health", "broken",
                     "detail", broken->why, "workers", (json_int_t)counts.workers, "busy",
                     (json_int_t)counts.busy, "tasks", (json_int_t)counts.tasks);
}

json_t *broker_sites(struct broker *broker)
{
    json_t *list = json_array();

    pthread_rwlock_rdlock(&broker->sites_lock);
    for (size_t i = 0; i < broker->site_count; i++)
        json_array_append_new(list, head_json(broker, broker->sites[i]));
    for (size_t i = 0; i < broker->broken_count; i++)
        json_array_append_new(list, broken_json(broker, &broker->broken[i]));
    left_sites(broker, list);
    pthread_rwlock_unlock(&broker->sites_lock);
    return list;
}

static struct site *site_find(struct broker *broker, const char *name, size_t *place)
{
    for (size_t i = 0; i < broker->site_count; i++) {
        if (strcmp(site_name(broker->sites[i]), name) != 0)
            continue;
        *place = i;
        return broker->sites[i];
    }
    return NULL;
}

static int no_site(const char *name, struct err *err)
{
    return err_set(err, FAULT_NOT_FOUND, "no site '%.60s'; `spillway sites` lists them", name);
}

/* {"cores": what was decided and no probe has shown yet, ...} */
static json_t *reserved_at(struct broker *broker, size_t place)
{
    const struct sched_snapshot *snapshot;
    json_t *reserved = json_object();

    pthread_mutex_lock(&broker->queue->lock);
    snapshot = world_build(broker->world, broker->queue, NULL, clock_wall_ms());
    for (size_t i = 0; place < snapshot->site_count && i < snapshot->sites[place].quota_count;
         i++) {
        const struct sched_quota *quota = &snapshot->sites[place].quotas[i];

        /* Below the site's own lines stand those of what is lent, by the same names. */
        if (!json_object_get(reserved, quota->name))
            json_object_set_new(reserved, quota->name, json_integer(quota->reserved));
    }
    pthread_mutex_unlock(&broker->queue->lock);
    return reserved;
}

static json_t *quota_json(const struct quota *quota, int64_t reserved)
{
    int64_t left = quota->limit - quota->ours - quota->others - reserved;

    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "name", quota->name, "limit",
                     (json_int_t)quota->limit, "ours", (json_int_t)quota->ours, "others",
                     (json_int_t)quota->others, "reserved", (json_int_t)reserved, "free",
                     quota->limit < 0 ? json_null() : json_integer(left > 0 ? left : 0));
}

static void put_offer(struct site *site, const json_t *reserved, json_t *answer)
{
    struct site_offer *offer = site_offer(site);
    json_t *shapes = json_array(), *quotas = json_array(), *images = json_array();

    for (size_t i = 0; i < offer->probe.shape_count; i++) {
        const struct shape *shape = &offer->probe.shapes[i];
        struct breaker breaker;

        site_shape_breaker(site, shape->name, &breaker);
        json_array_append_new(
            shapes, json_pack("{s:s, s:i, s:I, s:I, s:i, s:s?, s:o, s:o, s:s?}", "name",
                              shape->name, "cpus", shape->cpus, "memory_bytes",
                              (json_int_t)shape->memory, "disk_bytes", (json_int_t)shape->disk,
                              "gpus", shape->gpus, "gpu_model", shape->gpu_model, "price_hour",
                              shape->price_hour >= 0 ? json_real(shape->price_hour) : json_null(),
                              "closed_until", time_or_null(breaker_closed_until(&breaker)),
                              "closed_why", breaker.why[0] ? breaker.why : NULL));
    }
    for (size_t i = 0; i < offer->probe.quota_count; i++)
        json_array_append_new(
            quotas,
            quota_json(&offer->probe.quotas[i],
                       json_integer_value(json_object_get(reserved, offer->probe.quotas[i].name))));
    for (size_t i = 0; offer->probe.images && offer->probe.images[i]; i++)
        json_array_append_new(images, json_string(offer->probe.images[i]));
    json_object_set_new(answer, "shapes", shapes);
    json_object_set_new(answer, "quota", quotas);
    json_object_set_new(answer, "images", images);
    if (offer->probe.more)
        json_object_set_new(answer, "more", json_deep_copy(offer->probe.more));
    site_offer_put(site, offer);
}

struct learning {
    const char *site;
    json_t *into;
};

/* "KIND/SITE" or "KIND/SITE/...": a prefix may be another site's too. */
static void add_learned(void *arg, const char *key, const char *value)
{
    const struct learning *learning = arg;
    const char *of = strchr(key, '/');
    size_t length = strlen(learning->site);
    json_t *figures;

    if (!of || strncmp(of + 1, learning->site, length) != 0 ||
        (of[1 + length] && of[1 + length] != '/') || !(figures = json_loads(value, 0, NULL)))
        return;
    json_object_set_new(learning->into, key, figures);
}

/* As it stands now, which the store will know within moments. */
static json_t *learned_json(struct broker *broker, const char *site)
{
    struct learning learning = { site, json_object() };

    pthread_mutex_lock(&broker->queue->lock);
    world_note_breakers(broker->world);
    experience_show(world_experience(broker->world), add_learned, &learning);
    pthread_mutex_unlock(&broker->queue->lock);
    return learning.into;
}

int broker_site_show(struct broker *broker, const char *name, json_t **out, struct err *err)
{
    own_json json_t *reserved = NULL;
    struct site *site;
    size_t place;
    int rc = 0;

    pthread_rwlock_rdlock(&broker->sites_lock);
    site = site_find(broker, name, &place);
    if (site) {
        *out = head_json(broker, site);
        reserved = reserved_at(broker, place);
        put_offer(site, reserved, *out);
    } else {
        rc = 1;
        for (size_t i = 0; rc && i < broker->broken_count; i++)
            if (strcmp(broker->broken[i].conf->name, name) == 0) {
                *out = broken_json(broker, &broker->broken[i]);
                rc = 0;
            }
    }
    if (rc == 0)
        json_object_set_new(*out, "learned", learned_json(broker, name));
    pthread_rwlock_unlock(&broker->sites_lock);
    return rc == 0 ? 0 : no_site(name, err);
}

int broker_site_mode(struct broker *broker, const char *name, const char *mode, struct err *err)
{
    enum site_mode value = strcmp(mode, "enabled") == 0    ? SITE_ENABLED
                           : strcmp(mode, "disabled") == 0 ? SITE_DISABLED
                                                           : SITE_DRAINING;
    struct site *site;
    size_t place;
    int rc;

    pthread_rwlock_rdlock(&broker->sites_lock);
    site = site_find(broker, name, &place);
    rc = site ? store_site_set(broker->store, name, mode, err) : no_site(name, err);
    if (rc == 0)
        site_set_mode(site, value);
    pthread_rwlock_unlock(&broker->sites_lock);
    if (rc == 0)
        dispatch_poke(broker->dispatch);
    return rc;
}

int broker_site_probe(struct broker *broker, const char *name, json_t **out, struct err *err)
{
    int64_t began = clock_mono_ms();
    size_t place;
    int rc;

    pthread_rwlock_rdlock(&broker->sites_lock);
    rc = site_find(broker, name, &place) && broker->reconciles[place]
             ? reconcile_probe(broker->reconciles[place], began + PROBE_MS, err)
             : no_site(name, err);
    pthread_rwlock_unlock(&broker->sites_lock);
    if (rc < 0 || broker_site_show(broker, name, out, err) < 0)
        return -1;
    json_object_set_new(*out, "took_ms", json_integer(clock_mono_ms() - began));
    return 0;
}

int broker_site_audit(struct broker *broker, const char *name, bool reap, json_t **out,
                      struct err *err)
{
    size_t place;
    int rc;

    pthread_rwlock_rdlock(&broker->sites_lock);
    rc =
        site_find(broker, name, &place) && broker->reconciles[place]
            ? reconcile_audit(broker->reconciles[place], reap, clock_mono_ms() + PROBE_MS, out, err)
            : no_site(name, err);
    pthread_rwlock_unlock(&broker->sites_lock);
    return rc;
}

/* ---- workers
 * ---------------------------------------------------------------------------------------- */

/* *site is owned by the caller; NULL: not wanted. */
static int worker_find(struct broker *broker, const char *name, int64_t *id,
                       enum worker_state *state, char **site, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct worker_row row;
    int rc = store_worker_find(broker->store, name, &row, &strings, err);

    if (rc == 1)
        return err_set(err, FAULT_NOT_FOUND, "no worker '%.90s'; `spillway workers` lists them",
                       name);
    if (rc < 0)
        return -1;
    *id = row.id;
    *state = row.state;
    if (site)
        *site = xstrdup(row.site);
    return 0;
}

int broker_worker_drain(struct broker *broker, const char *name, struct err *err)
{
    enum worker_state state = WORKER_INTENT;
    int64_t id = 0;

    if (worker_find(broker, name, &id, &state, NULL, err) < 0)
        return -1;
    if (state == WORKER_DRAINING || state == WORKER_DESTROYING || state == WORKER_GONE)
        return 0;
    return store_worker_set(broker->store, id, WORKER_DRAINING, REASON_NONE,
                            "drained by an operator", err);
}

int broker_worker_rm(struct broker *broker, const char *name, struct err *err)
{
    enum worker_state state = WORKER_INTENT;
    int64_t id = 0;

    if (worker_find(broker, name, &id, &state, NULL, err) < 0)
        return -1;
    if (state == WORKER_DESTROYING || state == WORKER_GONE)
        return 0;
    return store_worker_set(broker->store, id, WORKER_DESTROYING, REASON_LOST,
                            "removed by an operator", err);
}

struct inspection {
    const char *name;
    enum instance_state state;
    struct buf detail;
};

static int inspect_on_its_thread(struct site *site, void *arg, struct err *err)
{
    struct inspection *one = arg;

    return site_inspect(site, one->name, clock_mono_ms() + PROBE_MS, &one->state, &one->detail,
                        err);
}

int broker_worker_inspect(struct broker *broker, const char *name, json_t **out, struct err *err)
{
    static const char *const states[] = { "booting", "active", "failed", "gone" };
    struct inspection one = { .name = name, .detail = BUF_INIT(4096) };
    enum worker_state state;
    own_str char *site = NULL;
    int64_t id;
    size_t place;
    int rc;

    if (worker_find(broker, name, &id, &state, &site, err) < 0 || !site)
        return -1;
    pthread_rwlock_rdlock(&broker->sites_lock);
    rc = site_find(broker, site, &place) && broker->reconciles[place]
             ? reconcile_call(broker->reconciles[place], inspect_on_its_thread, &one, err)
             : no_site(site, err);
    pthread_rwlock_unlock(&broker->sites_lock);
    if (rc == 0)
        *out = json_pack("{s:s, s:s, s:s?, s:o}", "name", name, "state", states[one.state],
                         "detail", one.detail.length ? buf_text(&one.detail) : NULL, "at",
                         time_or_null(clock_wall_ms()));
    buf_free(&one.detail);
    return rc;
}

/* ---- figures
 * ------------------------------------------------------------------------------------------ */

/* What a user's tasks hold and what of hers waits, as classes of the snapshot. */
static json_t *share_json(const struct sched_snapshot *snapshot, int user_place)
{
    const struct sched_user *user = &snapshot->users[user_place];
    const struct sched_project *project = &snapshot->projects[user->project];
    int64_t running = 0, waiting = 0, cpus = 0;

    for (size_t i = 0; i < snapshot->class_count; i++) {
        const struct sched_class *class = &snapshot->classes[i];

        if (class->user != user_place)
            continue;
        running += class->running;
        waiting += class->ready;
        cpus += class->running * class->options[0].need.cpus * class->options[0].nodes;
    }
    return json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:I, s:I, s:I}", "project", project->name,
                     "user", user->name, "project_weight", project->weight, "project_usage",
                     project->usage, "user_weight", user->weight, "user_usage", user->usage,
                     "running", (json_int_t)running, "cpus", (json_int_t)cpus, "waiting",
                     (json_int_t)waiting);
}

json_t *broker_shares(struct broker *broker)
{
    json_t *list = json_array();
    const struct sched_snapshot *snapshot;

    pthread_rwlock_rdlock(&broker->sites_lock);
    pthread_mutex_lock(&broker->queue->lock);
    snapshot = world_build_people(broker->world, broker->queue, clock_wall_ms());
    for (size_t i = 0; i < snapshot->user_count; i++)
        json_array_append_new(list, share_json(snapshot, (int)i));
    pthread_mutex_unlock(&broker->queue->lock);
    pthread_rwlock_unlock(&broker->sites_lock);
    return list;
}

static void put_queue_metrics(struct broker *broker, struct buf *out)
{
    struct queue *queue = broker->queue;
    int64_t ready = 0, pending = 0, active = 0;
    struct qclass *class;

    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; (class = map_next(&queue->classes, &i));) {
        ready += class->ready;
        pending += class->pending;
        active += class->active;
    }
    pthread_mutex_unlock(&queue->lock);
    buf_printf(
        out,
        "# HELP spillway_tasks Unfinished tasks by what they do.\n# TYPE spillway_tasks gauge\n"
        "spillway_tasks{state=\"ready\"} %lld\nspillway_tasks{state=\"pending\"} %lld\n"
        "spillway_tasks{state=\"active\"} %lld\n",
        (long long)ready, (long long)pending, (long long)active);
}

static void put_site_metrics(struct broker *broker, struct buf *out)
{
    buf_puts(out,
             "# HELP spillway_site_up Whether the site answers.\n# TYPE spillway_site_up gauge\n");
    for (size_t i = 0; i < broker->site_count; i++) {
        struct site_health health;

        site_health(broker->sites[i], &health);
        buf_printf(out, "spillway_site_up{site=\"%s\"} %d\n", site_name(broker->sites[i]),
                   health.up);
    }
    buf_puts(out, "# HELP spillway_site_workers Workers that exist there.\n"
                  "# TYPE spillway_site_workers gauge\n");
    for (size_t i = 0; i < broker->site_count; i++) {
        const char *name = site_name(broker->sites[i]);

        buf_printf(out, "spillway_site_workers{site=\"%s\"} %lld\n", name,
                   (long long)count_at(broker->queue, name).workers);
    }
}

void broker_metrics(struct broker *broker, struct buf *out)
{
    struct dispatch_stats stats;

    dispatch_stats(broker->dispatch, &stats);
    put_queue_metrics(broker, out);
    buf_printf(out,
               "# HELP spillway_sched_passes_total Scheduling passes.\n"
               "# TYPE spillway_sched_passes_total counter\nspillway_sched_passes_total %lld\n"
               "# HELP spillway_sched_seconds_total Time spent in them.\n"
               "# TYPE spillway_sched_seconds_total counter\nspillway_sched_seconds_total %.6f\n"
               "# HELP spillway_leases_total Leases given out.\n"
               "# TYPE spillway_leases_total counter\nspillway_leases_total %lld\n",
               (long long)stats.passes, (double)stats.pass_us_sum / 1e6, (long long)stats.leases);
    pthread_rwlock_rdlock(&broker->sites_lock);
    put_site_metrics(broker, out);
    pthread_rwlock_unlock(&broker->sites_lock);
}
