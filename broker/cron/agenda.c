/* SPDX-License-Identifier: Apache-2.0 */
/* agenda.c - what is due is read from the record afresh, made into jobs, and committed in batches.
 */
#include "cron/agenda.h"

#include <string.h>

#include "base/heap.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/own.h"
#include "cron/plan.h"
#include "cron/run.h"

#define BATCH_MOST 400 /* instants in one transaction, but for the last schedule's */
#define RETRY_S    2   /* after the store refused a batch */
#define WAIT_S     15  /* after a user had too many open tasks */

struct zone_use { /* one zone, shared by all schedules in it */
    struct zone *zone;
    char name[ZONE_NAME_MOST + 1];
};

struct entry {
    struct heap_item item; /* key: when the next run starts */
    int64_t id;
    struct plan plan;
    struct zone_use *zone;
    struct cron_mark mark;
    int version;
    char name[]; /* for the log */
};

struct agenda {
    struct store *store;
    struct agenda_hooks hooks;
    struct heap heap;
    struct map entries; /* id -> struct entry */
    struct map zones;   /* name -> struct zone_use */
    int64_t *untold;    /* ids whose next run is prepared for, and changed */
    size_t untold_count, untold_room;
};

struct agenda *agenda_new(struct store *store)
{
    struct agenda *agenda = xcalloc(1, sizeof *agenda);

    agenda->store = store;
    agenda->zones = (struct map)MAP_INIT_STR;
    return agenda;
}

void agenda_hook(struct agenda *agenda, const struct agenda_hooks *hooks)
{
    agenda->hooks = *hooks;
}

void agenda_free(struct agenda *agenda)
{
    struct entry *entry;
    struct zone_use *use;

    if (!agenda)
        return;
    for (size_t i = 0; (entry = map_next(&agenda->entries, &i));)
        free(entry);
    for (size_t i = 0; (use = map_next(&agenda->zones, &i));) {
        zone_free(use->zone);
        free(use);
    }
    map_fini(&agenda->entries);
    map_fini(&agenda->zones);
    heap_fini(&agenda->heap);
    free(agenda->untold);
    free(agenda);
}

size_t agenda_count(const struct agenda *agenda)
{
    return agenda->entries.count;
}

/* ---- entries --------------------------------------------------------------------------------- */

static struct zone_use *zone_of(struct agenda *agenda, const char *name, struct err *err)
{
    struct zone_use *use = map_get_str(&agenda->zones, name);
    struct zone *zone = NULL;

    if (use)
        return use;
    if (zone_load(name, &zone, err) < 0)
        return NULL;
    use = xcalloc(1, sizeof *use);
    use->zone = zone;
    snprintf(use->name, sizeof use->name, "%s", name);
    map_put_str(&agenda->zones, use->name, use);
    return use;
}

static void untold(struct agenda *agenda, const struct entry *entry)
{
    if (!entry->plan.prepare_ms || !agenda->hooks.coming)
        return;
    if (agenda->untold_count == agenda->untold_room) {
        agenda->untold_room = agenda->untold_room ? agenda->untold_room * 2 : 16;
        agenda->untold = xrealloc(agenda->untold, agenda->untold_room * sizeof *agenda->untold);
    }
    agenda->untold[agenda->untold_count++] = entry->id;
}

static void queue(struct agenda *agenda, struct entry *entry)
{
    struct cron_time next;

    untold(agenda, entry);
    if (plan_next(&entry->plan, entry->zone->zone, entry->mark, &next) == 0)
        heap_put(&agenda->heap, &entry->item, plan_start(&entry->plan, next.utc));
    else
        heap_del(&agenda->heap, &entry->item);
}

static void drop(struct agenda *agenda, int64_t id)
{
    struct entry *entry = map_del(&agenda->entries, (uint64_t)id);

    if (entry) {
        untold(agenda, entry);
        heap_del(&agenda->heap, &entry->item);
    }
    free(entry);
}

static int enter(struct agenda *agenda, const struct schedule_row *row, struct err *err)
{
    own_json json_t *rule = json_parse(row->rule, strlen(row->rule), err);
    struct plan plan;
    struct zone_use *zone;
    struct entry *entry;

    drop(agenda, row->id);
    if (row->paused != SCHEDULE_RUNS)
        return 0;
    if (!rule || plan_parse(rule, plan_seed(row->project, row->name), &plan, err) < 0 ||
        !(zone = zone_of(agenda, plan_zone(rule), err)))
        return err_wrap(err, "schedule '%s' of %s", row->name, row->user);
    entry = xcalloc(1, sizeof *entry + strlen(row->name) + 1);
    entry->id = row->id;
    entry->plan = plan;
    entry->zone = zone;
    entry->mark = (struct cron_mark){ row->mark_utc, row->mark_local };
    entry->version = row->version;
    memcpy(entry->name, row->name, strlen(row->name) + 1);
    map_put(&agenda->entries, (uint64_t)row->id, entry);
    queue(agenda, entry);
    return 0;
}

static bool enter_row(void *arg, const struct schedule_row *row)
{
    struct err err = ERR_INIT;

    if (enter(arg, row, &err) < 0)
        log_error("left out until it is mended: %s", err.text);
    return true;
}

int agenda_load(struct agenda *agenda, struct err *err)
{
    return store_schedules(agenda->store, 0, enter_row, agenda, err);
}

int agenda_reload(struct agenda *agenda, int64_t id, struct err *err)
{
    drop(agenda, id);
    return store_schedule(agenda->store, id, enter_row, agenda, err);
}

int64_t agenda_next(const struct agenda *agenda)
{
    const struct heap_item *first = heap_first(&agenda->heap);

    return first ? first->key : AGENDA_NEVER;
}

/* ---- what is due, made ready ----------------------------------------------------------------- */

struct batch {
    struct firing *firings;
    struct run **runs; /* of firings; NULL where there is no job */
    size_t count, room;
    struct entry **entries;
    struct cron_mark *marks; /* where they stand once the batch is committed */
    size_t entry_count, entry_room;
};

static void batch_fini(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->runs[i])
            run_free(batch->runs[i]);
        free(batch->runs[i]);
    }
    free(batch->firings);
    free(batch->runs);
    free(batch->entries);
    free(batch->marks);
}

static struct firing *batch_add(struct batch *batch, struct entry *entry, int64_t instant,
                                struct cron_mark mark)
{
    if (batch->count == batch->room) {
        batch->room = batch->room ? batch->room * 2 : 64;
        batch->firings = xrealloc(batch->firings, batch->room * sizeof *batch->firings);
        batch->runs = xrealloc(batch->runs, batch->room * sizeof(struct run *));
    }
    batch->runs[batch->count] = NULL;
    batch->firings[batch->count] = (struct firing){ .schedule = entry->id,
                                                    .version = entry->version,
                                                    .instant = instant,
                                                    .mark_utc = mark.utc,
                                                    .mark_local = mark.local,
                                                    .decide = run_decide,
                                                    .arg = &entry->plan };
    return &batch->firings[batch->count++];
}

static void batch_entry(struct batch *batch, struct entry *entry, struct cron_mark mark)
{
    if (batch->entry_count == batch->entry_room) {
        batch->entry_room = batch->entry_room ? batch->entry_room * 2 : 64;
        batch->entries = xrealloc(batch->entries, batch->entry_room * sizeof(struct entry *));
        batch->marks = xrealloc(batch->marks, batch->entry_room * sizeof *batch->marks);
    }
    batch->entries[batch->entry_count] = entry;
    batch->marks[batch->entry_count++] = mark;
}

static const char *shift_note(enum zone_fit fit)
{
    if (fit == ZONE_SKIPPED)
        return "the clock skipped its time";
    return fit == ZONE_TWICE ? "the clock showed its time twice" : NULL;
}

struct making { /* of one schedule */
    const struct agenda_hooks *hooks;
    struct batch *batch;
    struct entry *entry;
    const struct plan_due *due;
    struct open_most most; /* of its user */
    struct err denied;     /* its user may not use its project any more */
};

/* `before`: the instant that is dealt with before it. */
static void make_run(struct making *making, const struct schedule_row *row,
                     const json_t *description, const struct cron_time *time,
                     const struct cron_mark *before)
{
    struct entry *entry = making->entry;
    struct run_context context = { .project = row->project,
                                   .user = row->user,
                                   .zone = entry->zone->zone,
                                   .instant = time->utc,
                                   .success_s = row->success_s };
    struct batch *batch = making->batch;
    struct firing *firing = batch_add(batch, entry, time->utc, making->due->mark);
    struct run *run = xcalloc(1, sizeof *run);
    struct err err = ERR_INIT;

    batch->runs[batch->count - 1] = run;
    firing->why = shift_note(time->fit);
    firing->before_utc = before->utc;
    firing->before_local = before->local;
    if (description && run_make(description, &context, run, &err) == 0) {
        run->most = making->most;
        firing->jobs = run->rows;
        firing->job_count = run->count;
        firing->most = &run->most;
    } else {
        log_error("schedule %s: %s", entry->name, err.text);
        firing->why = "its description is no longer understood; add it again";
    }
}

static bool make_runs(void *arg, const struct schedule_row *row)
{
    struct making *making = arg;
    struct cron_mark before = making->entry->mark;
    own_json json_t *description = NULL;

    if (making->hooks->may && !making->hooks->may(making->hooks->arg, row->user, row->project,
                                                  &making->most, &making->denied))
        return false;
    description = json_parse(row->spec, strlen(row->spec), NULL);
    for (size_t i = 0; i < making->due->count; i++) {
        const struct cron_time *time = &making->due->fire[i];

        make_run(making, row, description, time, &before);
        before = (struct cron_mark){ time->utc, time->local };
    }
    return false;
}

/* The schedule stands still, and what is due with it, until somebody resumes it. */
static int deny(struct agenda *agenda, const struct entry *entry, const struct err *why,
                struct err *err)
{
    log_warn("schedule paused: name=%s %s", entry->name, why->text);
    return store_schedule_deny(agenda->store, entry->id, why->text, err) < 0 ? -1 : 0;
}

static int make_ready(struct agenda *agenda, struct entry *entry, int64_t now_s,
                      struct batch *batch, struct err *err)
{
    struct plan_due due;
    struct making making = { .hooks = &agenda->hooks,
                             .batch = batch,
                             .entry = entry,
                             .due = &due,
                             .most = { -1, -1 },
                             .denied = ERR_INIT };
    int rc = 0;

    plan_due(&entry->plan, entry->zone->zone, entry->mark, now_s, &due);
    if (due.missed) {
        struct firing *firing = batch_add(batch, entry, due.missed_last, due.mark);

        firing->missed = due.missed;
        firing->missed_first = due.missed_first;
        firing->why = due.missed_more ? "and more before the last, not counted" : NULL;
    }
    if (due.count)
        rc = store_schedule(agenda->store, entry->id, make_runs, &making, err);
    free(due.fire);
    batch_entry(batch, entry, due.mark);
    if (rc == 0 && making.denied.fault == FAULT_AUTH)
        rc = deny(agenda, entry, &making.denied, err);
    return rc;
}

/* ---- committing ------------------------------------------------------------------------------ */

static void cancel_run(struct agenda *agenda, const struct firing_run *run)
{
    struct err err = ERR_INIT;

    for (int64_t i = run->jobs - 1; i >= 0; i--) {
        struct target target = { .job = run->job + i, .index = -1 };

        if (store_cancel(agenda->store, target, REASON_CANCELLED,
                         "its schedule's next run takes its place (overlap: replace)", &err) < 0)
            log_error("cancel job %lld: %s", (long long)target.job, err.text);
    }
}

static void cancel_replaced(struct agenda *agenda, const struct firing *firing)
{
    for (int i = 0; i < firing->cancel_count; i++)
        cancel_run(agenda, &firing->cancel[i]);
}

static void tell(const struct entry *entry, const struct firing *firing)
{
    static const char *const words[] = { "fired", "skipped", "refused", "missed" };

    if (firing->result == FIRING_WAITS && firing->refused.fault != FAULT_NONE)
        log_info("schedule waits: name=%s instant=%lld %s", entry->name, (long long)firing->instant,
                 firing->refused.text);
    if (firing->result != FIRING_DONE)
        return;
    if (firing->outcome == FIRING_FIRED)
        log_debug("schedule fired: name=%s instant=%lld job=%lld", entry->name,
                  (long long)firing->instant, (long long)firing->jobs[0].id);
    else
        log_warn("schedule %s: name=%s instant=%lld %s", words[firing->outcome], entry->name,
                 (long long)firing->instant, firing->why ? firing->why : "");
}

/* Entries are in the batch in the order of their firings. */
static void settle_batch(struct agenda *agenda, struct batch *batch, int64_t now_s)
{
    struct err err = ERR_INIT;
    size_t at = 0;

    for (size_t i = 0; i < batch->entry_count; i++) {
        struct entry *entry = batch->entries[i];
        const struct firing *waits = NULL;
        int64_t id = entry->id;
        bool stale = false;

        for (; at < batch->count && batch->firings[at].schedule == id; at++) {
            tell(entry, &batch->firings[at]);
            cancel_replaced(agenda, &batch->firings[at]);
            stale |= batch->firings[at].result == FIRING_STALE;
            if (!waits && batch->firings[at].result == FIRING_WAITS)
                waits = &batch->firings[at];
        }
        entry->mark =
            waits ? (struct cron_mark){ waits->before_utc, waits->before_local } : batch->marks[i];
        queue(agenda, entry);
        if (waits)
            heap_put(&agenda->heap, &entry->item, now_s + WAIT_S);
        if (stale && agenda_reload(agenda, id, &err) < 0)
            log_error("schedule %lld: %s", (long long)id, err.text);
    }
}

static void try_again(struct agenda *agenda, struct batch *batch, int64_t now_s)
{
    for (size_t i = 0; i < batch->entry_count; i++)
        heap_put(&agenda->heap, &batch->entries[i]->item, now_s + RETRY_S);
}

int agenda_tick(struct agenda *agenda, int64_t now_s, struct err *err)
{
    own(batch_fini) struct batch batch = { .count = 0 };
    int rc = 0;

    while (rc == 0 && agenda_next(agenda) <= now_s && batch.count < BATCH_MOST) {
        struct entry *entry = heap_owner(heap_first(&agenda->heap), struct entry, item);

        heap_del(&agenda->heap, &entry->item);
        rc = make_ready(agenda, entry, now_s, &batch, err);
    }
    if (rc == 0 && batch.count)
        rc = store_fire(agenda->store, batch.firings, batch.count, err);
    if (rc < 0) {
        try_again(agenda, &batch, now_s);
        return -1;
    }
    settle_batch(agenda, &batch, now_s);
    return agenda_next(agenda) <= now_s;
}

/* ---- workers ahead of time ------------------------------------------------------------------- */

struct asking {
    struct agenda *agenda;
    struct entry *entry;
    struct cron_time next;
};

static void add_class(struct coming_run *coming, const struct new_job *row)
{
    size_t at = 0;

    while (at < coming->class_count && strcmp(coming->classes[at].class_key, row->class_key) != 0)
        at++;
    if (at == coming->class_count)
        coming->classes[coming->class_count++] = (struct coming_class){ row->class_key, 0 };
    coming->classes[at].tasks += row->tasks;
}

static bool waits_for_another(const struct job_spec *spec)
{
    for (size_t i = 0; i < spec->after_count; i++)
        if (spec->after[i].name)
            return true;
    return false;
}

static bool tell_coming(void *arg, const struct schedule_row *row)
{
    struct asking *asking = arg;
    const struct entry *entry = asking->entry;
    const struct agenda_hooks *hooks = &asking->agenda->hooks;
    own_json json_t *description = json_parse(row->spec, strlen(row->spec), NULL);
    struct run_context context = { .project = row->project,
                                   .user = row->user,
                                   .zone = entry->zone->zone,
                                   .instant = asking->next.utc,
                                   .success_s = row->success_s };
    own_run struct run run = { .count = 0 };
    struct coming_run coming = { .at_ms = plan_start(&entry->plan, asking->next.utc) * 1000,
                                 .prepare_ms = entry->plan.prepare_ms };

    if (!description || run_make(description, &context, &run, NULL) < 0)
        return false; /* it is told of when it is due */
    for (size_t i = 0; i < run.count; i++)
        if (!waits_for_another(&run.list[i].spec))
            add_class(&coming, &run.rows[i]);
    hooks->coming(hooks->arg, row->id, &coming);
    return false;
}

void agenda_prepare(struct agenda *agenda)
{
    own_mem int64_t *ids = take_ptr(agenda->untold);
    size_t count = agenda->untold_count;
    struct err err = ERR_INIT;

    agenda->untold_count = agenda->untold_room = 0;
    for (size_t i = 0; i < count; i++) {
        struct asking asking = { .agenda = agenda,
                                 .entry = map_get(&agenda->entries, (uint64_t)ids[i]) };

        if (!asking.entry || plan_next(&asking.entry->plan, asking.entry->zone->zone,
                                       asking.entry->mark, &asking.next) != 0)
            agenda->hooks.coming(agenda->hooks.arg, ids[i], NULL);
        else if (store_schedule(agenda->store, ids[i], tell_coming, &asking, &err) < 0)
            log_error("workers ahead of a schedule: %s", err.text);
    }
}

/* ---- ends, clocks, zones --------------------------------------------------------------------- */

struct telling {
    agenda_ended *ended;
    void *arg;
    const struct ended_run *run;
};

static bool tell_end(void *arg, const struct schedule_row *row)
{
    const struct telling *telling = arg;

    telling->ended(telling->arg, row, telling->run);
    return false;
}

int agenda_settle(struct agenda *agenda, int64_t now_ms, agenda_ended *ended, void *arg,
                  struct err *err)
{
    struct telling telling = { .ended = ended, .arg = arg };
    own_mem struct ended_run *runs = NULL;
    size_t count;
    int rc = 0;

    if (store_firings_settle(agenda->store, now_ms, &runs, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (runs[i].paused) {
            struct entry *entry = map_get(&agenda->entries, (uint64_t)runs[i].schedule);

            log_warn("schedule paused: name=%s failures=%lld", entry ? entry->name : "",
                     (long long)runs[i].failures);
            drop(agenda, runs[i].schedule);
        }
        telling.run = &runs[i];
        if (ended && store_schedule(agenda->store, runs[i].schedule, tell_end, &telling, err) < 0)
            rc = -1;
    }
    return rc < 0 ? -1 : count == ENDED_MOST;
}

void agenda_clock_set(struct agenda *agenda, int64_t now_s)
{
    struct entry *entry;

    for (size_t i = 0; (entry = map_next(&agenda->entries, &i));) {
        if (entry->mark.utc > now_s)
            entry->mark = (struct cron_mark){ now_s, CRON_NEVER };
        queue(agenda, entry);
    }
}

size_t agenda_refresh_zones(struct agenda *agenda)
{
    struct zone_use *use;
    struct entry *entry;
    size_t changed = 0;

    for (size_t i = 0; (use = map_next(&agenda->zones, &i));) {
        struct err err = ERR_INIT;
        struct zone *zone = NULL;

        if (!zone_is_stale(use->zone))
            continue;
        if (zone_load(use->name, &zone, &err) < 0) {
            log_error("time zone %s stays as it was: %s", use->name, err.text);
            continue;
        }
        zone_free(use->zone);
        use->zone = zone;
        changed++;
    }
    for (size_t i = 0; changed && (entry = map_next(&agenda->entries, &i));)
        queue(agenda, entry);
    return changed;
}
