/* SPDX-License-Identifier: Apache-2.0 */
/* schedules.c - recurring jobs: added, listed, paused, triggered, removed.
 *
 * A description is checked as a submission is (submit.c); its schedule is checked here, so that a
 * rule that is kept can be used.  A name is its user's own: `user` in the query says whose, for
 * those who see others' schedules. */
#include <inttypes.h>
#include <string.h>

#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "api/submit.h"
#include "api/task_json.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/utf8.h"
#include "cron/civil.h"
#include "cron/coming.h"
#include "cron/run.h"
#include "store/schedules.h"

#define PAGE_MOST    10000
#define HISTORY_MOST 10000
#define NEXT_MOST    10000
#define REASON_MOST  200 /* bytes of a pause's reason */

/* ---- adding ---------------------------------------------------------------------------------- */

static void add_error(json_t *errors, size_t number, const char *key, const struct err *err)
{
    char pointer[120];
    const char *words = err->text, *colon = strstr(words, ": "), *cut;
    own_json json_t *entry = json_object();

    snprintf(pointer, sizeof pointer, "/jobs/%zu%s", number, key);
    /* "cron: hour: ..." begins with the key at fault. */
    if (colon && strcspn(words, " ") > (size_t)(colon - words) && !strchr(key + 1, '/')) {
        snprintf(pointer, sizeof pointer, "/jobs/%zu%s/%.*s", number, key, (int)(colon - words),
                 words);
        words = colon + 2;
    }
    cut = strstr(words, "; ");
    json_object_set_new(entry, "pointer", json_string(pointer));
    json_object_set_new(entry, "detail",
                        cut ? json_stringn(words, (size_t)(cut - words)) : json_string(words));
    if (cut)
        json_object_set_new(entry, "suggestion", json_string(cut + 2));
    json_array_append(errors, entry);
}

/* The documents from `first` on that run together: up to the next that has a schedule. */
static size_t group_length(const struct submit *submit, size_t first)
{
    size_t count = 1;

    while (first + count < submit->count && !submit->jobs[first + count].spec.schedule)
        count++;
    return count;
}

static bool is_earlier(const struct submit *submit, size_t first, size_t number, const char *name)
{
    for (size_t i = first; i < number; i++)
        if (strcmp(submit->rows[i].name, name) == 0)
            return true;
    return false;
}

/* What the store would refuse at each firing is refused now. */
static void check_follower(const struct submit *submit, size_t first, size_t number, json_t *errors)
{
    const struct job_spec *spec = &submit->jobs[number].spec;
    struct err err = ERR_INIT;

    if (spec->project && strcmp(spec->project, submit->rows[first].project) != 0) {
        err_set(&err, FAULT_INVALID,
                "'%s' is not the project '%s' of its schedule; leave it out, or give it a schedule "
                "of its own",
                spec->project, submit->rows[first].project);
        add_error(errors, number, "/project", &err);
    }
    if (is_earlier(submit, first, number, spec->name)) {
        err_set(&err, FAULT_INVALID, "'%s' stands here twice; give each its own name", spec->name);
        add_error(errors, number, "/name", &err);
    }
}

static void check_links(const struct submit *submit, size_t first, size_t number, json_t *errors)
{
    const struct job_spec *spec = &submit->jobs[number].spec;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < spec->after_count; i++) {
        const char *name = spec->after[i].name;
        char key[40];

        if (!name || is_earlier(submit, first, number, name))
            continue;
        snprintf(key, sizeof key, "/after/%zu", i);
        err_set(&err, FAULT_INVALID, "'%s' is no earlier job of the same schedule", name);
        add_error(errors, number, key, &err);
    }
}

static void check_group(const struct submit *submit, size_t first, size_t count, json_t *errors)
{
    struct err err = ERR_INIT;

    if (count > SCHEDULE_JOBS_MOST) {
        err_set(&err, FAULT_INVALID, "%zu documents recur together; at most %d may", count,
                SCHEDULE_JOBS_MOST);
        add_error(errors, first, "", &err);
        return;
    }
    for (size_t i = first; i < first + count; i++) {
        if (i > first)
            check_follower(submit, first, i, errors);
        check_links(submit, first, i, errors);
    }
}

/* All documents as they are kept: one as it stands, several as a list. */
static char *group_text(const struct submit *submit, size_t first, size_t count)
{
    own_buf struct buf text = BUF_INIT(0);

    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s%s", i ? "," : count > 1 ? "[" : "", submit->jobs[first + i].text);
    if (count > 1)
        buf_putc(&text, ']');
    return xstrdup(buf_text(&text));
}

static const char **group_blobs(const struct submit *submit, size_t first, size_t count)
{
    const char **blobs;
    size_t found = 0;

    for (size_t i = first; i < first + count; i++)
        for (size_t k = 0; submit->jobs[i].blobs && submit->jobs[i].blobs[k]; k++)
            found++;
    blobs = xcalloc(found + 1, sizeof *blobs);
    found = 0;
    for (size_t i = first; i < first + count; i++)
        for (size_t k = 0; submit->jobs[i].blobs && submit->jobs[i].blobs[k]; k++)
            blobs[found++] = submit->jobs[i].blobs[k];
    return blobs;
}

/* The rule of one schedule made ready; a fault is added to `errors`. */
static void read_rule(const struct submit *submit, size_t number, int64_t now_s, struct plan *plan,
                      json_t *errors)
{
    const json_t *schedule = submit->jobs[number].spec.schedule;
    const struct new_job *row = &submit->rows[number];
    own_zone struct zone *zone = NULL;
    struct cron_mark mark = { now_s, CRON_NEVER };
    struct cron_time next;
    struct err err = ERR_INIT;

    if (!schedule)
        err_set(&err, FAULT_INVALID,
                "has no schedule; say when it is to run, as in schedule: "
                "{cron: \"0 3 * * *\"}, in the first document of those that run together");
    else if (plan_parse(schedule, plan_seed(row->project, row->name), plan, &err) == 0 &&
             zone_load(plan_zone(schedule), &zone, &err) < 0)
        err_wrap(&err, "timezone");
    else if (zone && plan_next(plan, zone, mark, &next) != 0)
        err_set(&err, FAULT_INVALID, "never fires from now on; see `spillway schedule next`");
    if (err.fault != FAULT_NONE)
        add_error(errors, number, schedule ? "/schedule" : "", &err);
    if (!name_is_fit(row->name)) {
        err_set(&err, FAULT_INVALID,
                "a schedule's name has 1 to 128 printable bytes, no ',' or '/'");
        add_error(errors, number, "/name", &err);
    }
}

/* What was made for one schedule, and where it stands in the request. */
struct group {
    size_t first, count;
    struct schedule_put *put;
};

static void read_group(const struct submit *submit, const struct group *group, int64_t now_s,
                       json_t *errors)
{
    const struct new_job *row = &submit->rows[group->first];
    const struct described *job = &submit->jobs[group->first];
    struct plan plan = { .seed = 0 };

    read_rule(submit, group->first, now_s, &plan, errors);
    check_group(submit, group->first, group->count, errors);
    *group->put = (struct schedule_put){
        .name = row->name,
        .project = row->project,
        .user = row->user,
        .spec = group_text(submit, group->first, group->count),
        .rule = job->spec.schedule ? json_canonical(job->spec.schedule) : NULL,
        .mark_utc = now_s,
        .mark_local = CRON_NEVER,
        .notify = job->notify,
        .blobs = group_blobs(submit, group->first, group->count),
        .paused = plan.paused,
        .pause_after = plan.pause_after,
        .keep = plan.keep,
        .late_ms = plan.late_ms,
    };
}

static void check_names(const struct group *groups, size_t count, json_t *errors)
{
    struct map names = MAP_INIT_STR;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < count; i++) {
        const struct schedule_put *put = groups[i].put;

        if (map_put_str(&names, put->name, (void *)(uintptr_t)put)) {
            err_set(&err, FAULT_INVALID, "'%s' stands here twice; give each its own name",
                    put->name);
            add_error(errors, groups[i].first, "/name", &err);
        }
    }
    map_fini(&names);
}

struct putting {
    struct schedule_put *list;
    struct group *groups; /* of list */
    size_t count;
};

static void putting_fini(struct putting *putting)
{
    for (size_t i = 0; i < putting->count; i++) {
        free((void *)(uintptr_t)putting->list[i].rule);
        free((void *)(uintptr_t)putting->list[i].spec);
        free((void *)(uintptr_t)putting->list[i].blobs);
    }
    free(putting->list);
    free(putting->groups);
}

static void read_all(const struct submit *submit, struct putting *out, json_t *errors)
{
    int64_t now_s = clock_wall_ms() / 1000;

    out->list = xcalloc(submit->count, sizeof *out->list);
    out->groups = xcalloc(submit->count, sizeof *out->groups);
    for (size_t first = 0; first < submit->count; first += out->groups[out->count - 1].count) {
        struct group *group = &out->groups[out->count];

        *group = (struct group){ first, group_length(submit, first), &out->list[out->count] };
        out->count++;
        read_group(submit, group, now_s, errors);
    }
    check_names(out->groups, out->count, errors);
}

static int answer_added(struct request *request, const struct submit *submit,
                        const struct putting *putting)
{
    struct buf *out = &request->reply.body;
    unsigned status = 200;

    buf_puts(out, "{\"schedules\":[");
    for (size_t i = 0; i < putting->count; i++) {
        const struct schedule_put *put = &putting->list[i];

        status = put->added ? 201 : status;
        buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
        buf_put_json(out, put->name);
        put_i64(out, "version", put->version);
        put_str(out, "result", put->added ? "added" : put->changed ? "changed" : "same");
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
    submit_put_warnings(submit, out);
    buf_putc(out, '}');
    return reply_body(request, status, NULL);
}

static int put_all(struct request *request, struct submit *submit, struct err *err)
{
    own(putting_fini) struct putting putting = { .count = 0 };
    own_json json_t *errors = json_array();
    const json_t *first;

    read_all(submit, &putting, errors);
    first = json_array_get(errors, 0);
    if (first) {
        request_errors(request, json_incref(errors));
        return err_set(err, FAULT_INVALID, "%s: %s; nothing was added",
                       json_string_value(json_object_get(first, "pointer")),
                       json_string_value(json_object_get(first, "detail")));
    }
    if (request_fits(request, submit, err) < 0)
        return -1;
    if (!submit->dry_run &&
        store_schedule_put(request->api->store, putting.list, putting.count, err) < 0)
        return -1;
    return answer_added(request, submit, &putting);
}

int schedules_add(struct request *request, struct err *err)
{
    return request_submission(request, err) < 0 ? -1 : put_all(request, request->state, err);
}

/* A run's jobs: their ids follow each other. */
static void put_jobs(struct buf *out, const char *key, int64_t first, int64_t count)
{
    buf_printf(out, ",\"%s\":[", key);
    for (int64_t i = 0; first && i < count; i++)
        buf_printf(out, "%s%" PRId64, i ? "," : "", first + i);
    buf_putc(out, ']');
}

/* ---- one as JSON ----------------------------------------------------------------------------- */

static void put_seconds(struct buf *out, const char *key, int64_t seconds, bool known)
{
    char text[CIVIL_BYTES];

    put_str(out, key, known ? civil_format(seconds, CIVIL_UTC, text, sizeof text) : NULL);
}

static const char *state_name(const struct schedule_row *row, bool has_next)
{
    if (row->paused == SCHEDULE_PAUSED)
        return "paused";
    if (row->paused == SCHEDULE_FAILING)
        return "failing";
    return has_next ? "active" : "ended";
}

/* Zones of one answer: few, while schedules may be many. */
struct zones {
    struct broker *broker;
    struct map by_name;
};

static const struct zone *zone_get(struct zones *zones, const char *name)
{
    struct zone *zone = map_get_str(&zones->by_name, name);

    if (!zone && zone_load(name, &zone, NULL) == 0)
        map_put_str(&zones->by_name, zone_name(zone), zone);
    return zone;
}

static void zones_fini(struct zones *zones)
{
    struct zone *zone;

    for (size_t i = 0; (zone = map_next(&zones->by_name, &i));)
        zone_free(zone);
    map_fini(&zones->by_name);
}

static void put_last(struct buf *out, const struct schedule_row *row, const struct plan *plan)
{
    if (!row->last_job) {
        buf_puts(out, ",\"last\":null");
        return;
    }
    buf_printf(out, ",\"last\":{\"job\":%" PRId64, row->last_job);
    put_jobs(out, "jobs", row->last_job, row->last_jobs);
    put_seconds(out, "time", row->last_s, true);
    put_str(out, "state",
            row->last_state < 0 ? NULL : task_state_name((enum task_state)row->last_state));
    put_i64(out, "late_ms", row->last_at_ms - plan_start(plan, row->last_s) * 1000);
    buf_putc(out, '}');
}

static void put_credential(struct buf *out, struct broker *broker, int64_t id)
{
    own_json json_t *warning = broker_credential_warning(broker, id);
    own_str char *text = warning ? json_dumps(warning, JSON_COMPACT) : NULL;

    buf_printf(out, ",\"credential\":%s", text ? text : "null");
}

/* The first document, and those that run with it. */
static void put_description(struct buf *out, const char *spec)
{
    own_json json_t *documents = *spec == '[' ? json_parse(spec, strlen(spec), NULL) : NULL;
    own_str char *first = NULL, *rest = NULL;

    if (!documents) {
        buf_printf(out, ",\"description\":%s,\"with\":[]", spec);
        return;
    }
    first = json_dumps(json_array_get(documents, 0), JSON_COMPACT);
    json_array_remove(documents, 0);
    rest = json_dumps(documents, JSON_COMPACT);
    buf_printf(out, ",\"description\":%s,\"with\":%s", first ? first : "null", rest);
}

static void put_row(struct buf *out, const struct schedule_row *row, struct zones *zones)
{
    own_json json_t *rule = json_parse(row->rule, strlen(row->rule), NULL);
    const struct zone *zone = zone_get(zones, plan_zone(rule));
    int64_t now_s = clock_wall_ms() / 1000;
    struct cron_mark mark = { row->mark_utc, row->mark_local };
    struct cron_time next = { 0 };
    struct plan plan = { .seed = 0 };
    bool usable, has_next;

    /* Where the clock was set back, the timer goes on from now as well. */
    if (mark.utc > now_s)
        mark = (struct cron_mark){ now_s, CRON_NEVER };
    usable = zone && plan_parse(rule, plan_seed(row->project, row->name), &plan, NULL) == 0;
    has_next = usable && plan_next(&plan, zone, mark, &next) == 0;
    buf_puts(out, "{\"name\":");
    buf_put_json(out, row->name);
    put_str(out, "user", row->user);
    put_str(out, "project", row->project);
    put_str(out, "state", usable ? state_name(row, has_next) : "broken");
    put_str(out, "why", row->paused_why);
    put_i64(out, "version", row->version);
    put_time(out, "created", row->created_ms);
    put_time(out, "updated", row->updated_ms);
    put_str(out, "timezone", plan_zone(rule));
    put_seconds(out, "next", plan_start(&plan, next.utc), has_next && !row->paused);
    put_last(out, row, &plan);
    put_i64(out, "failures", row->failures);
    put_seconds(out, "previous_success", row->success_s, row->success_s != 0);
    put_credential(out, zones->broker, row->id);
    buf_printf(out, ",\"schedule\":%s", row->rule);
    if (row->spec)
        put_description(out, row->spec);
    buf_putc(out, '}');
}

/* ---- the list -------------------------------------------------------------------------------- */

struct listing {
    struct page page;
    struct zones zones;
    const char *user; /* NULL: all that the caller sees */
};

static bool list_row(void *arg, const struct schedule_row *row)
{
    struct listing *listing = arg;
    struct request *request = listing->page.request;

    if (!caller_sees(request->caller, row->user, row->project) ||
        (listing->user && strcmp(listing->user, row->user) != 0))
        return true;
    if (!page_takes(&listing->page, row->id))
        return false;
    put_row(&request->reply.body, row, &listing->zones);
    return true;
}

int schedules_list(struct request *request, struct err *err)
{
    struct listing listing = { .page = { .request = request, .limit = 1000, .most = PAGE_MOST },
                               .zones = { request->api->broker, MAP_INIT_STR },
                               .user = query_get(&request->query, "user") };
    int rc;

    if (page_begin(&listing.page, "schedules", 0, err) < 0)
        return -1;
    rc = store_schedules(request->api->store, listing.page.after, list_row, &listing, err);
    zones_fini(&listing.zones);
    return rc < 0 ? -1 : page_end(&listing.page);
}

/* ---- one of them ----------------------------------------------------------------------------- */

/* What a handler does with the row; returns 0, or -1 with a fault. */
typedef int with_row(struct request *request, const struct schedule_row *row, struct err *err);

struct visit {
    struct request *request;
    with_row *with;
    struct err *err;
    bool found;
    int rc;
};

static bool visit_row(void *arg, const struct schedule_row *row)
{
    struct visit *visit = arg;

    if (!caller_sees(visit->request->caller, row->user, row->project))
        return false;
    visit->found = true;
    visit->rc = visit->with(visit->request, row, visit->err);
    return false;
}

static int find_and(struct request *request, with_row *with, struct err *err)
{
    const char *user = query_get(&request->query, "user"), *name = request->params[0];
    struct visit visit = { .request = request, .with = with, .err = err };
    int64_t id = 0;
    int rc;

    user = user ? user : request->caller->user;
    rc = store_schedule_find(request->api->store, user, name, &id, err);
    if (rc < 0 || (rc == 0 && store_schedule(request->api->store, id, visit_row, &visit, err) < 0))
        return -1;
    if (!visit.found)
        return err_set(err, FAULT_NOT_FOUND,
                       "no schedule '%.128s' of %.128s; see `spillway schedule ls`", name, user);
    return visit.rc;
}

static int show(struct request *request, const struct schedule_row *row, struct err *err)
{
    struct zones zones = { request->api->broker, MAP_INIT_STR };
    own_buf struct buf spec = BUF_INIT(2 * JOB_BYTES_MOST);
    struct schedule_row shown = *row;
    int64_t version = row->version;
    int rc;

    if (query_i64(&request->query, "version", 1, INT32_MAX, &version, err) < 0)
        return -1;
    if (version != row->version) {
        rc = store_schedule_spec(request->api->store, row->id, (int)version, &spec, err);
        if (rc != 0)
            return rc < 0 ? -1
                          : err_set(err, FAULT_NOT_FOUND,
                                    "'%s' has no version %" PRId64 ", or its runs were pruned",
                                    row->name, version);
        shown.spec = buf_text(&spec);
        shown.version = (int)version;
    }
    put_row(&request->reply.body, &shown, &zones);
    zones_fini(&zones);
    return reply_body(request, 200, NULL);
}

int schedule_show(struct request *request, struct err *err)
{
    return find_and(request, show, err);
}

static int next(struct request *request, const struct schedule_row *row, struct err *err)
{
    own_json json_t *rule = json_parse(row->rule, strlen(row->rule), err);
    own_json json_t *list = json_array();
    own_zone struct zone *zone = NULL;
    const char *from = query_get(&request->query, "from");
    struct cron_mark mark = { clock_wall_ms() / 1000, CRON_NEVER };
    struct plan plan;
    int64_t count = 10;

    if (!rule || query_i64(&request->query, "count", 1, NEXT_MOST, &count, err) < 0 ||
        plan_parse(rule, plan_seed(row->project, row->name), &plan, err) < 0 ||
        zone_load(plan_zone(rule), &zone, err) < 0)
        return -1;
    if (from && coming_from(from, zone, &mark.utc, err) < 0) {
        request_field(request, "from");
        return err_wrap(err, "from");
    }
    coming_list(&plan, zone, row->name, mark, count, list);
    return reply_json(request, 200, json_pack("{s:O}", "times", list));
}

int schedule_next(struct request *request, struct err *err)
{
    return find_and(request, next, err);
}

/* ---- history --------------------------------------------------------------------------------- */

static bool put_firing(void *arg, const struct firing_row *row)
{
    static const char *const outcomes[] = { "fired", "skipped", "refused", "missed", "waiting" };
    struct page *page = arg;
    struct buf *out = &page->request->reply.body;
    bool is_known = (size_t)row->outcome < array_len(outcomes);

    if (!page_takes(page, row->instant))
        return false;
    buf_printf(out, "{\"version\":%d", row->version);
    put_seconds(out, "time", row->instant, true);
    put_time(out, "at", row->at_ms);
    put_str(out, "outcome", is_known ? outcomes[row->outcome] : NULL);
    put_i64_or_null(out, "job", row->job, row->job != 0);
    put_jobs(out, "jobs", row->job, row->jobs);
    put_str(out, "state", row->state < 0 ? NULL : task_state_name((enum task_state)row->state));
    put_time(out, "ended", row->job ? row->ended_ms : 0);
    buf_printf(out, ",\"manual\":%s,\"late\":%s", row->manual ? "true" : "false",
               row->late ? "true" : "false");
    put_i64(out, "missed", row->missed);
    put_seconds(out, "missed_first", row->missed_first, row->missed != 0);
    put_str(out, "why", row->why);
    buf_putc(out, '}');
    return true;
}

static int history(struct request *request, const struct schedule_row *row, struct err *err)
{
    struct page page = {
        .request = request, .limit = 100, .most = HISTORY_MOST, .after = INT64_MAX
    };

    if (page_begin(&page, "firings", INT64_MIN, err) < 0 ||
        store_firings(request->api->store, row->id, page.after, page.limit + 1, put_firing, &page,
                      err) < 0)
        return -1;
    return page_end(&page);
}

int schedule_history(struct request *request, struct err *err)
{
    return find_and(request, history, err);
}

/* ---- changes --------------------------------------------------------------------------------- */

static int answer(struct request *request, const struct schedule_row *row, const char *state)
{
    return reply_json(request, 200, json_pack("{s:s, s:s}", "name", row->name, "state", state));
}

static int set_pause(struct request *request, const struct schedule_row *row,
                     enum schedule_pause paused, const char *why, struct err *err)
{
    int rc = store_schedule_pause(request->api->store, row->id, paused, why, clock_wall_ms() / 1000,
                                  CRON_NEVER, err);

    if (rc > 0)
        return err_set(err, FAULT_NOT_FOUND, "schedule '%s' was removed meanwhile", row->name);
    log_info("schedule=\"%s\" of=\"%s\" %s by=\"%s\"", row->name, row->user,
             paused == SCHEDULE_RUNS ? "resumed" : "paused", request->caller->user);
    return rc < 0 ? -1 : answer(request, row, paused == SCHEDULE_RUNS ? "active" : "paused");
}

static int pause_row(struct request *request, const struct schedule_row *row, struct err *err)
{
    own_json json_t *body = request_json(request, err);
    const char *reason = NULL;
    char why[REASON_MOST + SCHEDULE_NAME_MOST + 16];

    if (!body || json_opt_str(body, "reason", &reason, err) < 0)
        return -1;
    snprintf(why, sizeof why, "by %.128s%s%.*s", request->caller->user, reason ? ": " : "",
             REASON_MOST, reason ? reason : "");
    utf8_trim_end(why);
    return set_pause(request, row, SCHEDULE_PAUSED, why, err);
}

int schedule_pause(struct request *request, struct err *err)
{
    return find_and(request, pause_row, err);
}

static int resume_row(struct request *request, const struct schedule_row *row, struct err *err)
{
    return set_pause(request, row, SCHEDULE_RUNS, NULL, err);
}

int schedule_resume(struct request *request, struct err *err)
{
    return find_and(request, resume_row, err);
}

static int trigger_row(struct request *request, const struct schedule_row *row, struct err *err)
{
    struct open_most most = api_open_most(request->api, row->user);
    struct firing_run run = { 0 };
    json_t *jobs;

    if (api_user_may(request->api, row->user, row->project, err) < 0)
        return -1;
    if (run_trigger(request->api->store, row, request->caller->user, clock_wall_ms() / 1000, &most,
                    &run, err) < 0)
        return -1;
    jobs = json_array();
    for (int64_t i = 0; i < run.jobs; i++)
        json_array_append_new(jobs, json_integer(run.job + i));
    return reply_json(
        request, 201,
        json_pack("{s:s, s:I, s:o}", "name", row->name, "job", (json_int_t)run.job, "jobs", jobs));
}

int schedule_trigger(struct request *request, struct err *err)
{
    return find_and(request, trigger_row, err);
}

static int rm_row(struct request *request, const struct schedule_row *row, struct err *err)
{
    if (store_schedule_rm(request->api->store, row->id, request->caller->user, err) < 0)
        return -1;
    log_info("schedule=\"%s\" of=\"%s\" removed by=\"%s\"", row->name, row->user,
             request->caller->user);
    return answer(request, row, "removed");
}

int schedule_rm(struct request *request, struct err *err)
{
    return find_and(request, rm_row, err);
}
