/* SPDX-License-Identifier: Apache-2.0 */
/* left.c - what is still at sites that are not in the configuration any more.
 *
 * Nobody looks after it: their credentials are not known.  So it is told, in the log and as a site of
 * its own, until it is gone; with its entry back, the site can be drained as it should have been. */
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "internal.h"

static bool is_configured(const struct broker *broker, const char *name)
{
    for (size_t i = 0; i < broker->conf->site_count; i++)
        if (strcmp(broker->conf->sites[i].name, name) == 0)
            return true;
    return false;
}

static json_t *left_at(json_t *sites, const char *name)
{
    json_t *site = json_object_get(sites, name);

    if (!site) {
        site = json_pack("{s:i, s:i, s:i, s:b}", "workers", 0, "busy", 0, "tasks", 0, "shared", 0);
        json_object_set_new(sites, name, site);
    }
    return site;
}

static void add(json_t *site, const char *key, int64_t count)
{
    json_object_set_new(site, key,
                        json_integer(json_integer_value(json_object_get(site, key)) + count));
}

static void take_kept(void *arg, const char *name)
{
    json_object_set_new(left_at(arg, name), "shared", json_true());
}

/* {"NAME": {"workers", "busy", "tasks", "shared"}} of sites that are not configured. */
static json_t *find_left(struct broker *broker)
{
    json_t *sites = json_object();
    struct qworker *worker;
    const char *name;
    json_t *site;
    void *next;

    sites_kept(broker->conf->state, take_kept, sites);
    pthread_mutex_lock(&broker->queue->lock);
    for (size_t i = 0; (worker = map_next(&broker->queue->workers, &i));) {
        site = left_at(sites, worker->site);
        add(site, "workers", 1);
        add(site, "busy", worker->task_count > 0);
        add(site, "tasks", worker->task_count);
    }
    pthread_mutex_unlock(&broker->queue->lock);
    json_object_foreach_safe(sites, next, name, site)
    {
        if (is_configured(broker, name))
            json_object_del(sites, name);
    }
    return sites;
}

static char *words_of(const char *name, const json_t *site)
{
    long long workers = json_integer_value(json_object_get(site, "workers"));
    own_str char *count =
        workers ? xasprintf("%lld worker%s", workers, workers > 1 ? "s" : "") : xstrdup("");
    bool shared = json_is_true(json_object_get(site, "shared"));

    return xasprintf("it is not in the configuration any more, but %s%s%s may still be there, and "
                     "nobody removes it: put the site back, `spillway sites drain %s`, and take it "
                     "out when `spillway sites audit %s` shows nothing",
                     count, workers && shared ? " and " : "", shared ? "a cluster" : "", name,
                     name);
}

void left_sites(struct broker *broker, json_t *list)
{
    own_json json_t *sites = find_left(broker);
    const char *name;
    json_t *site;

    json_object_foreach(sites, name, site)
    {
        own_str char *words = words_of(name, site);

        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:O, s:O, s:O}", "name", name, "type",
                      "", "tier", tier_name(TIER_HOME), "phase", phase_name(PHASE_PRODUCTION),
                      "mode", "disabled", "health", "removed", "detail", words, "workers",
                      json_object_get(site, "workers"), "busy", json_object_get(site, "busy"),
                      "tasks", json_object_get(site, "tasks")));
    }
}

void left_tell(struct broker *broker)
{
    own_json json_t *sites = find_left(broker);
    const char *name;
    json_t *site;

    json_object_foreach(sites, name, site)
    {
        own_str char *words = words_of(name, site);

        log_error("site %s: %s", name, words);
    }
}
