/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - reads a schedule's description; finds what is due, what was missed, what comes next. */
#include "cron/plan.h"

#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cron/civil.h"

/* Instants looked at one by one; with more than that behind (a line that fires each second, a
 * broker that was down for days) the last ones are found by bisection. */
#define SCAN_MOST 10000

/* ---- reading --------------------------------------------------------------------------------- */

static const char *const overlap_words[] = { "skip", "queue", "replace", "allow", NULL };
static const char *const catch_up_words[] = { "latest", "none", "all", NULL };

const char *plan_zone(const json_t *schedule)
{
    const char *name = json_string_value(json_object_get(schedule, "timezone"));

    return name ? name : PLAN_ZONE_DEFAULT;
}

static int read_word(const json_t *schedule, const char *key, const char *const *words, int *out,
                     struct err *err)
{
    const char *text = NULL;

    if (json_opt_str(schedule, key, &text, err) < 0)
        return -1;
    for (int i = 0; text; i++) {
        if (!words[i])
            return err_set(err, FAULT_INVALID, "%s: unknown word '%.40s'", key, text);
        if (strcmp(words[i], text) != 0)
            continue;
        *out = i;
        break;
    }
    return 0;
}

static int read_span(const json_t *schedule, const char *key, int64_t *out_ms, struct err *err)
{
    const char *text = NULL;

    if (json_opt_str(schedule, key, &text, err) < 0)
        return -1;
    if (text && parse_span(text, out_ms, err) < 0)
        return err_wrap(err, "%s", key);
    return 0;
}

/* Whole seconds: instants have no finer grain. */
static int read_seconds(const json_t *schedule, const char *key, int64_t *out, struct err *err)
{
    int64_t ms = *out * 1000;

    if (read_span(schedule, key, &ms, err) < 0)
        return -1;
    if (ms % 1000)
        return err_set(err, FAULT_INVALID, "%s: give it in whole seconds", key);
    *out = ms / 1000;
    return 0;
}

static int read_instant(const json_t *schedule, const char *key, int64_t *out, struct err *err)
{
    const char *text = NULL;
    int64_t ms;

    if (json_opt_str(schedule, key, &text, err) < 0)
        return -1;
    if (!text)
        return 0;
    if (parse_time(text, &ms, err) < 0)
        return err_wrap(err, "%s", key);
    *out = ms / 1000 - (ms % 1000 < 0);
    return 0;
}

static int read_limits(const json_t *schedule, struct plan *plan, struct err *err)
{
    int64_t most = PLAN_CATCH_UP_MOST, pause_after = 0, keep = 0;
    const char *prepare = NULL;

    if (json_opt_i64(schedule, "catch_up_most", 1, 1000, &most, err) < 0 ||
        json_opt_i64(schedule, "pause_after", 1, 1000, &pause_after, err) < 0 ||
        json_opt_i64(schedule, "keep", 1, 100000, &keep, err) < 0 ||
        json_opt_bool(schedule, "after_success", &plan->after_success, err) < 0 ||
        json_opt_bool(schedule, "paused", &plan->paused, err) < 0 ||
        json_opt_str(schedule, "prepare", &prepare, err) < 0 ||
        read_seconds(schedule, "jitter", &plan->jitter_s, err) < 0 ||
        read_span(schedule, "late_after", &plan->late_ms, err) < 0)
        return -1;
    plan->catch_up_most = (int)most;
    plan->pause_after = (int)pause_after;
    plan->keep = (int)keep;
    plan->prepare_ms = -1;
    if (!prepare || strcmp(prepare, "auto") != 0) {
        plan->prepare_ms = 0;
        return read_span(schedule, "prepare", &plan->prepare_ms, err);
    }
    return 0;
}

/* cron, every or at. */
static int read_when(const json_t *schedule, struct plan *plan, struct err *err)
{
    const char *line = NULL;
    int64_t every = 0, at = ZONE_FUTURE, anchor = 0;

    if (json_opt_str(schedule, "cron", &line, err) < 0 ||
        read_seconds(schedule, "every", &every, err) < 0 ||
        read_instant(schedule, "at", &at, err) < 0 ||
        read_instant(schedule, "anchor", &anchor, err) < 0)
        return -1;
    if (!!line + (every > 0) + (at != ZONE_FUTURE) != 1)
        return err_set(err, FAULT_INVALID, "write one of cron, every, at");
    if (line)
        return cron_parse(line, plan->seed, &plan->cron, err) < 0 ? err_wrap(err, "cron") : 0;
    if (every > 0)
        plan->cron = (struct cron){ .kind = CRON_EVERY, .every_s = every, .anchor = anchor };
    else
        plan->cron = (struct cron){ .kind = CRON_AT, .anchor = at };
    return 0;
}

int plan_parse(const json_t *schedule, uint64_t seed, struct plan *out, struct err *err)
{
    struct plan plan = { .seed = seed, .start = ZONE_PAST, .end = ZONE_FUTURE };
    int overlap = OVERLAP_SKIP, catch_up = CATCH_UP_LATEST;

    if (!json_is_object(schedule))
        return err_set(err, FAULT_INVALID, "must be a mapping with cron, every or at");
    if (read_when(schedule, &plan, err) < 0 ||
        read_word(schedule, "overlap", overlap_words, &overlap, err) < 0 ||
        read_word(schedule, "catch_up", catch_up_words, &catch_up, err) < 0 ||
        read_instant(schedule, "start", &plan.start, err) < 0 ||
        read_instant(schedule, "end", &plan.end, err) < 0 || read_limits(schedule, &plan, err) < 0)
        return -1;
    if (plan.end < plan.start)
        return err_set(err, FAULT_INVALID, "end: lies before start");
    plan.overlap = (enum overlap)overlap;
    plan.catch_up = (enum catch_up)catch_up;
    *out = plan;
    return 0;
}

uint64_t plan_seed(const char *project, const char *name)
{
    own_str char *text = xasprintf("%s/%s", project ? project : "", name);

    return cron_seed(text);
}

/* ---- what comes ------------------------------------------------------------------------------ */

int64_t plan_start(const struct plan *plan, int64_t instant)
{
    uint64_t x = plan->seed ^ (uint64_t)instant * 0x9e3779b97f4a7c15ULL;

    if (plan->jitter_s <= 0)
        return instant;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return instant + (int64_t)((x ^ x >> 31) % (uint64_t)(plan->jitter_s + 1));
}

int plan_next(const struct plan *plan, const struct zone *zone, struct cron_mark mark,
              struct cron_time *out)
{
    if (mark.utc < plan->start - 1)
        mark.utc = plan->start - 1;
    return cron_next(&plan->cron, zone, mark, out) || out->utc > plan->end;
}

static struct cron_mark mark_of(const struct cron_time *time)
{
    return (struct cron_mark){ time->utc, time->local };
}

/* ---- what is due ----------------------------------------------------------------------------- */

/* What has come: the last of the late ones, as many as catch_up lets fire, and those on time. */
struct gathered {
    struct cron_time *late;
    size_t room, late_count; /* late_count: of all that came; the last `room` are kept */
    struct cron_time *fire;
    size_t count, fire_room;
};

static void pass_over(struct plan_due *out, const struct cron_time *time)
{
    if (!out->missed++)
        out->missed_first = time->utc;
    out->missed_last = time->utc;
}

static void keep(struct gathered *all, const struct cron_time *time)
{
    if (all->count == all->fire_room) {
        all->fire_room = all->fire_room ? all->fire_room * 2 : 4;
        all->fire = xrealloc(all->fire, all->fire_room * sizeof *all->fire);
    }
    all->fire[all->count++] = *time;
}

static void sort_in(struct gathered *all, const struct cron_time *time, bool late,
                    struct plan_due *out)
{
    if (!late && all->count < PLAN_ON_TIME_MOST) {
        keep(all, time);
        return;
    }
    if (all->room == 0) {
        pass_over(out, time);
        return;
    }
    if (all->late_count >= all->room)
        pass_over(out, &all->late[all->late_count % all->room]);
    all->late[all->late_count++ % all->room] = *time;
}

/* Where to go on so that `left` instants are left up to `until`. */
static struct cron_mark leap(const struct plan *plan, const struct zone *zone,
                             struct cron_mark mark, int64_t until, size_t left)
{
    struct cron_time last = { .utc = mark.utc, .local = mark.local };

    if (until > plan->end)
        until = plan->end;
    for (size_t i = 0; i <= left; i++) {
        if (cron_last(&plan->cron, zone, mark, until, &last))
            return mark;
        until = last.utc - 1;
    }
    return mark_of(&last);
}

/* On return out->mark stands behind the last instant that has come. */
static void gather(const struct plan *plan, const struct zone *zone, int64_t now,
                   struct gathered *all, struct plan_due *out)
{
    struct cron_time time;

    for (int64_t seen = 0; plan_next(plan, zone, out->mark, &time) == 0; seen++) {
        int64_t start = plan_start(plan, time.utc);

        if (start > now)
            return;
        sort_in(all, &time, now - start > PLAN_LATE_S, out);
        out->mark = mark_of(&time);
        if (seen == SCAN_MOST) {
            int64_t until = now - plan->jitter_s - PLAN_LATE_S - 1;
            struct cron_mark far = leap(plan, zone, out->mark, until, all->room);

            out->missed_more = far.utc > out->mark.utc;
            out->mark = far;
        }
    }
}

static int by_time(const void *a, const void *b)
{
    int64_t left = ((const struct cron_time *)a)->utc, right = ((const struct cron_time *)b)->utc;

    return (left > right) - (left < right);
}

/* The late ones join those on time; with catch_up: latest only when there are none. */
static void settle(const struct plan *plan, struct gathered *all, struct plan_due *out)
{
    size_t late = all->late_count < all->room ? all->late_count : all->room;
    bool drop = plan->catch_up == CATCH_UP_LATEST && all->count > 0;

    for (size_t i = 0; i < late; i++) {
        const struct cron_time *time = &all->late[(all->late_count - late + i) % all->room];

        if (drop)
            pass_over(out, time);
        else
            keep(all, time);
    }
    if (all->count)
        qsort(all->fire, all->count, sizeof *all->fire, by_time);
    out->fire = all->fire;
    out->count = all->count;
}

void plan_due(const struct plan *plan, const struct zone *zone, struct cron_mark mark, int64_t now,
              struct plan_due *out)
{
    struct gathered all = { .room = 1 };

    *out = (struct plan_due){ .mark = mark };
    if (now < mark.utc) {
        /* What the clock shows again may be due again; the store knows what was fired. */
        out->clock_back = true;
        out->mark = (struct cron_mark){ now, CRON_NEVER };
    }
    if (plan->catch_up == CATCH_UP_NONE)
        all.room = 0;
    else if (plan->catch_up == CATCH_UP_ALL)
        all.room = (size_t)plan->catch_up_most;
    all.late = xcalloc(all.room + 1, sizeof *all.late);
    gather(plan, zone, now, &all, out);
    settle(plan, &all, out);
    free(all.late);
    out->ended = plan_next(plan, zone, out->mark, &out->next) != 0;
}

enum plan_action plan_overlap(const struct plan *plan, int active, int waiting)
{
    if (active == 0 || plan->overlap == OVERLAP_ALLOW)
        return PLAN_FIRE;
    if (plan->overlap == OVERLAP_REPLACE)
        return PLAN_REPLACE;
    if (plan->overlap == OVERLAP_QUEUE && waiting < PLAN_QUEUE_MOST)
        return PLAN_BEHIND;
    return PLAN_SKIP;
}
