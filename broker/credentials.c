/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.c - each look reads all schedules, so it is made seldom where they are many. */
#include "credentials.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/own.h"
#include "base/parse.h"
#include "cron/plan.h"
#include "cron/run.h"
#include "store/notices.h"
#include "store/schedules.h"

#define LOOK_MS     5000 /* from one look to the next, at least */
#define LOOK_FACTOR 50   /* and so many times what the last one took */

struct warning {
    int64_t end_ms, run_s;
    char site[];
};

struct credentials {
    int64_t due_mono_ms;  /* of the thread that checks */
    pthread_mutex_t lock; /* what is below */
    struct map warnings;  /* schedule -> struct warning */
};

static void clear(struct map *warnings)
{
    struct warning *warning;

    for (size_t i = 0; (warning = map_next(warnings, &i));)
        free(warning);
    map_fini(warnings);
    *warnings = (struct map)MAP_INIT;
}

struct credentials *credentials_new(void)
{
    struct credentials *credentials = xcalloc(1, sizeof *credentials);

    pthread_mutex_init(&credentials->lock, NULL);
    credentials->warnings = (struct map)MAP_INIT;
    return credentials;
}

void credentials_free(struct credentials *credentials)
{
    if (!credentials)
        return;
    clear(&credentials->warnings);
    pthread_mutex_destroy(&credentials->lock);
    free(credentials);
}

/* ---- which sites concern which jobs ---------------------------------------------------------- */

static bool has_word(char *const *words, const char *word)
{
    for (; words && *words; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

bool credentials_concern(const struct broker_conf *conf, const struct site_conf *site,
                         const struct job_spec *spec, const char *project)
{
    const struct project_rule *rule = broker_conf_project(conf, project);
    const struct placement *placement = &spec->placement;

    if ((placement->require && !has_word(placement->require, site->name)) ||
        has_word(placement->exclude, site->name) || site->tier > placement->tier)
        return false;
    if ((placement->jurisdiction &&
         !(site->jurisdiction && has_word(placement->jurisdiction, site->jurisdiction))) ||
        (placement->cloud_act_free && site->cloud_act))
        return false;
    if (spec->workdir && !site_conf_shares(site, spec->workdir))
        return false;
    if (site->projects && !has_word(site->projects, project))
        return false;
    if (!rule)
        return true;
    return site->tier <= (rule->may_overflow ? rule->tier : TIER_HOME) &&
           (!rule->sites || has_word(rule->sites, site->name));
}

/* ---- a look ---------------------------------------------------------------------------------- */

struct look {
    struct store *store;
    const struct broker_conf *conf;
    const struct credential_site *sites;
    size_t site_count;
    int64_t *schedules;
    size_t count, room;
    struct map warnings;
};

static bool keep_id(void *arg, const struct schedule_row *row)
{
    struct look *look = arg;

    if (row->paused != SCHEDULE_RUNS)
        return true;
    if (look->count == look->room) {
        look->room = look->room ? look->room * 2 : 64;
        look->schedules = xrealloc(look->schedules, look->room * sizeof *look->schedules);
    }
    look->schedules[look->count++] = row->id;
    return true;
}

static void warn(struct look *look, const struct schedule_row *row,
                 const struct credential_site *site, int64_t run_s)
{
    struct credential_end end = { .site = site->conf->name,
                                  .schedule = row->name,
                                  .user = row->user,
                                  .project = row->project,
                                  .end_ms = site->end_ms,
                                  .run_s = run_s };
    struct warning *old = map_get(&look->warnings, (uint64_t)row->id), *warning;
    struct err err = ERR_INIT;
    int rc = store_credential_ending(look->store, &end, &err);

    if (rc < 0)
        log_error("a credential's end: %s", err.text);
    else if (rc == 0)
        log_warn("credential ends: site=%s before a run of schedule=\"%s\"", end.site, row->name);
    if (old && old->end_ms <= end.end_ms)
        return;
    warning = xcalloc(1, sizeof *warning + strlen(end.site) + 1);
    warning->end_ms = end.end_ms;
    warning->run_s = run_s;
    memcpy(warning->site, end.site, strlen(end.site) + 1);
    free(map_put(&look->warnings, (uint64_t)row->id, warning));
}

/* The first run that comes once the credential is no more. */
static bool run_after(const struct schedule_row *row, const struct plan *plan,
                      const struct zone *zone, int64_t end_ms, int64_t *out)
{
    struct cron_mark mark = { end_ms / 1000, CRON_NEVER };
    struct cron_time next;

    if (row->mark_utc >= mark.utc)
        mark = (struct cron_mark){ row->mark_utc, row->mark_local };
    if (plan_next(plan, zone, mark, &next) != 0)
        return false;
    *out = next.utc;
    return true;
}

/* Whether any job of the run may go there. */
static bool concerns(const struct look *look, const struct credential_site *site,
                     const json_t *description, const char *project)
{
    bool found = false;

    for (size_t i = 0; !found && i < run_documents(description); i++) {
        struct job_spec spec = { .name = NULL };
        struct problems problems = { .list = NULL };

        if (job_spec_parse(run_document(description, i), &spec, &problems) == 0) {
            found = credentials_concern(look->conf, site->conf, &spec, project);
            job_spec_free(&spec);
        }
        problems_free(&problems);
    }
    return found;
}

static bool look_at(void *arg, const struct schedule_row *row)
{
    struct look *look = arg;
    own_json json_t *description = json_parse(row->spec, strlen(row->spec), NULL);
    const json_t *rule = json_object_get(run_document(description, 0), "schedule");
    own_zone struct zone *zone = NULL;
    struct plan plan;
    int64_t run_s;

    if (!rule || plan_parse(rule, plan_seed(row->project, row->name), &plan, NULL) < 0 ||
        zone_load(plan_zone(rule), &zone, NULL) < 0)
        return false;
    for (size_t i = 0; i < look->site_count; i++)
        if (run_after(row, &plan, zone, look->sites[i].end_ms, &run_s) &&
            concerns(look, &look->sites[i], description, row->project))
            warn(look, row, &look->sites[i], run_s);
    return false;
}

static void look_at_all(struct look *look)
{
    struct err err = ERR_INIT;

    if (store_schedules(look->store, 0, keep_id, look, &err) < 0)
        log_error("schedules and credentials: %s", err.text);
    for (size_t i = 0; i < look->count; i++)
        if (store_schedule(look->store, look->schedules[i], look_at, look, &err) < 0)
            log_error("schedules and credentials: %s", err.text);
    free(look->schedules);
}

bool credentials_due(const struct credentials *credentials)
{
    return clock_mono_ms() >= credentials->due_mono_ms;
}

void credentials_look(struct credentials *credentials, struct store *store,
                      const struct broker_conf *conf, const struct credential_site *sites,
                      size_t site_count)
{
    struct look look = {
        .store = store, .conf = conf, .sites = sites, .site_count = site_count, .warnings = MAP_INIT
    };
    int64_t began = clock_mono_ms(), took;
    struct map old;

    if (site_count)
        look_at_all(&look);
    pthread_mutex_lock(&credentials->lock);
    old = credentials->warnings;
    credentials->warnings = look.warnings;
    pthread_mutex_unlock(&credentials->lock);
    clear(&old);
    took = (clock_mono_ms() - began) * LOOK_FACTOR;
    credentials->due_mono_ms = clock_mono_ms() + (took > LOOK_MS ? took : LOOK_MS);
}

json_t *credentials_warning(struct credentials *credentials, int64_t schedule)
{
    const struct warning *warning;
    char end[FORMAT_BYTES], run[FORMAT_BYTES];
    json_t *answer = NULL;

    pthread_mutex_lock(&credentials->lock);
    warning = map_get(&credentials->warnings, (uint64_t)schedule);
    if (warning)
        answer = json_pack("{s:s, s:s, s:s}", "site", warning->site, "end",
                           format_time(warning->end_ms, end, sizeof end), "run",
                           format_time(warning->run_s * 1000, run, sizeof run));
    pthread_mutex_unlock(&credentials->lock);
    return answer;
}
