/* SPDX-License-Identifier: Apache-2.0 */
/* coming.c - when a schedule will fire, in its zone and in UTC, with what daylight saving does. */
#include "cron/coming.h"

#include "base/own.h"
#include "base/parse.h"
#include "cron/civil.h"

/* "the clock skips 02:30: runs when it goes on, at 03:00"; NULL: nothing to remark. */
static char *note_of(const struct cron_time *time, int64_t shown)
{
    char asked[CIVIL_BYTES], runs[CIVIL_BYTES];

    civil_format(time->local, CIVIL_BARE, asked, sizeof asked);
    civil_format(shown, CIVIL_BARE, runs, sizeof runs);
    if (time->fit == ZONE_SKIPPED)
        return xasprintf("%s does not exist there: runs at the first instant after the gap, %s",
                         asked, runs);
    if (time->fit == ZONE_TWICE)
        return xasprintf("%s exists twice there: runs once, at the first", asked);
    return NULL;
}

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, text ? json_string(text) : json_null());
}

static json_t *entry_of(const struct plan *plan, const struct zone *zone, const char *name,
                        const struct cron_time *time)
{
    struct zone_span span;
    char utc[CIVIL_BYTES], local[CIVIL_BYTES], start[CIVIL_BYTES];
    own_str char *note = NULL;
    json_t *entry = json_object();

    zone_span(zone, time->utc, &span);
    note = note_of(time, time->utc + span.offset);
    set_text(entry, "time", civil_format(time->utc, CIVIL_UTC, utc, sizeof utc));
    set_text(entry, "local",
             civil_format(time->utc + span.offset, span.offset, local, sizeof local));
    set_text(entry, "timezone", zone_name(zone));
    set_text(entry, "abbreviation", span.abbreviation);
    set_text(entry, "start",
             civil_format(plan_start(plan, time->utc), CIVIL_UTC, start, sizeof start));
    set_text(entry, "note", note);
    set_text(entry, "name", name);
    return entry;
}

void coming_list(const struct plan *plan, const struct zone *zone, const char *name,
                 struct cron_mark mark, int64_t count, json_t *list)
{
    struct cron_time time;

    while (count-- > 0 && plan_next(plan, zone, mark, &time) == 0) {
        json_array_append_new(list, entry_of(plan, zone, name, &time));
        mark = (struct cron_mark){ time.utc, time.local };
    }
}

int coming_from(const char *text, const struct zone *zone, int64_t *out, struct err *err)
{
    int64_t ms, local;

    if (parse_time(text, &ms, NULL) == 0) {
        *out = ms / 1000 - (ms % 1000 < 0);
        return 0;
    }
    if (civil_parse(text, &local, err) < 0)
        return -1;
    *out = zone_reach(zone, local, NULL);
    return 0;
}
