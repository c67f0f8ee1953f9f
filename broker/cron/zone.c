/* SPDX-License-Identifier: Apache-2.0 */
/* zone.c - finds a zone's file and answers zone.h's questions.
 *
 * Everything rests on zone_span(): the stretch around an instant with one offset.  Offsets lie
 * between -25h and 26h, so what the wall clock says at `local` is decided by the spans around it.
 */
#include "cron/zone.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/parse.h"
#include "cron/civil.h"
#include "cron/tzif.h"

#define NAMES_MOST 512 /* looked at for a suggestion, in one directory */

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    free(zone->times);
    free(zone->kinds);
    free(zone->types);
    free(zone->names);
    free(zone);
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

/* Transitions at or before `utc`. */
static size_t passed(const struct zone *zone, int64_t utc)
{
    size_t low = 0, high = zone->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->times[middle] <= utc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void zone_span(const struct zone *zone, int64_t utc, struct zone_span *out)
{
    int64_t shift = 0;
    size_t at;
    const struct tz_type *type;

    if (utc >= zone->cycle_end)
        shift = ((utc - zone->cycle_end) / CYCLE_S + 1) * CYCLE_S;
    at = passed(zone, utc - shift);
    type = &zone->types[at ? zone->kinds[at - 1] : zone->first];
    out->begin = at ? zone->times[at - 1] + shift : ZONE_PAST;
    out->end = at < zone->count ? zone->times[at] + shift : ZONE_FUTURE;
    out->offset = type->offset;
    out->dst = type->dst;
    out->abbreviation = zone->names + type->name;
}

int64_t zone_local(const struct zone *zone, int64_t utc)
{
    struct zone_span span;

    zone_span(zone, utc, &span);
    return utc + span.offset;
}

/* Whether `local` is shown again in a span that begins at `from` or later. */
static bool shown_again(const struct zone *zone, int64_t from, int64_t local)
{
    struct zone_span span = { .end = from };

    while (span.end < ZONE_FUTURE && span.end <= local - TZ_OFFSET_LEAST) {
        zone_span(zone, span.end, &span);
        if (local >= span.begin + span.offset && local < span.end + span.offset)
            return true;
    }
    return false;
}

int64_t zone_reach(const struct zone *zone, int64_t local, enum zone_fit *fit)
{
    struct zone_span span;
    int64_t utc;

    zone_span(zone, local - TZ_OFFSET_MOST, &span);
    while (span.end < ZONE_FUTURE && span.end + span.offset <= local)
        zone_span(zone, span.end, &span);
    utc = local - span.offset;
    if (utc < span.begin)
        utc = span.begin;
    if (!fit)
        return utc;
    if (utc + span.offset != local)
        *fit = ZONE_SKIPPED;
    else
        *fit = shown_again(zone, span.end, local) ? ZONE_TWICE : ZONE_ONCE;
    return utc;
}

int64_t zone_shown(const struct zone *zone, int64_t utc)
{
    struct zone_span span;
    int64_t most;

    zone_span(zone, utc, &span);
    most = utc + span.offset;
    while (span.begin > ZONE_PAST && span.begin > utc - (TZ_OFFSET_MOST - TZ_OFFSET_LEAST)) {
        int64_t before = span.begin - 1;

        zone_span(zone, before, &span);
        if (before + span.offset > most)
            most = before + span.offset;
    }
    return most;
}

/* ---- finding the file ------------------------------------------------------------------------ */

static const char *zone_dir(void)
{
    const char *dir = getenv("TZDIR");

    return dir && *dir ? dir : "/usr/share/zoneinfo";
}

/* "Europe/Paris": parts of letters, digits, '_', '+', '-'; so never "..", nor an absolute path. */
static bool name_fits(const char *name)
{
    const char *s = name;

    if (!*name || strlen(name) > ZONE_NAME_MOST)
        return false;
    for (; *s; s++) {
        if (*s == '/' && (s == name || s[-1] == '/' || !s[1]))
            return false;
        if (*s != '/' && !isalnum((unsigned char)*s) && !strchr("_+-", *s))
            return false;
    }
    return true;
}

struct names {
    char *list[NAMES_MOST + 1]; /* NULL-terminated */
    size_t count;
};

static void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
}

static void names_read(const char *path, struct names *out)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir)
        return;
    while (out->count < NAMES_MOST && (entry = readdir(dir)))
        if (isupper((unsigned char)entry->d_name[0]))
            out->list[out->count++] = xstrdup(entry->d_name);
    closedir(dir);
}

/* "Europe/Pariss": near a name of the same area; "Paris": a name of any area.  "" when none. */
static void suggest(const char *name, char *out, size_t size)
{
    own(names_free) struct names areas = { .count = 0 };
    const char *slash = strchr(name, '/'), *area, *found = NULL;
    char path[512];

    *out = '\0';
    names_read(zone_dir(), &areas);
    if (!slash && (found = nearest_word(name, (const char *const *)areas.list))) {
        snprintf(out, size, "%s", found);
        return;
    }
    for (size_t i = 0; i < areas.count && !*out; i++) {
        own(names_free) struct names towns = { .count = 0 };

        area = areas.list[i];
        if (slash && (strncmp(area, name, (size_t)(slash - name)) != 0 || area[slash - name]))
            continue;
        snprintf(path, sizeof path, "%s/%s", zone_dir(), area);
        names_read(path, &towns);
        if ((found = nearest_word(slash ? slash + 1 : name, (const char *const *)towns.list)))
            snprintf(out, size, "%s/%s", area, found);
    }
}

static int unknown(const char *name, struct err *err)
{
    char near[2 * ZONE_NAME_MOST + 2];
    struct stat info;

    if (stat(zone_dir(), &info) < 0)
        return err_set(err, FAULT_NOT_FOUND,
                       "time zone '%s': no time zones in %s; install tzdata or set TZDIR", name,
                       zone_dir());
    suggest(name, near, sizeof near);
    if (*near)
        return err_set(err, FAULT_NOT_FOUND, "unknown time zone '%s'; did you mean '%s'?", name,
                       near);
    return err_set(err, FAULT_NOT_FOUND,
                   "unknown time zone '%s'; write an IANA name such as Europe/Paris or UTC", name);
}

static int load_utc(struct zone **out)
{
    struct zone *zone = xcalloc(1, sizeof *zone);

    snprintf(zone->name, sizeof zone->name, "UTC");
    zone->types = xcalloc(1, sizeof *zone->types);
    zone->type_count = 1;
    zone->names = xstrdup("UTC");
    zone->name_bytes = sizeof "UTC";
    zone->cycle_end = ZONE_FUTURE;
    *out = zone;
    return 0;
}

/* Differs when the file was replaced or written. */
static int64_t stamp_of(const struct stat *info)
{
    uint64_t stamp = (uint64_t)info->st_mtim.tv_sec * 1000000007 + (uint64_t)info->st_mtim.tv_nsec;

    stamp = stamp * 31 + (uint64_t)info->st_ino;
    stamp = stamp * 31 + (uint64_t)info->st_size;
    return (int64_t)(stamp | 1);
}

static int find_file(const char *name, char *path, size_t size, struct stat *info)
{
    if (snprintf(path, size, "%s/%s", zone_dir(), name) >= (int)size)
        return -1;
    return stat(path, info) == 0 && S_ISREG(info->st_mode) ? 0 : -1;
}

bool zone_is_stale(const struct zone *zone)
{
    char path[512];
    struct stat info;

    if (!zone->stamp)
        return false;
    return find_file(zone->name, path, sizeof path, &info) < 0 || stamp_of(&info) != zone->stamp;
}

int zone_load(const char *name, struct zone **out, struct err *err)
{
    own_buf struct buf data = BUF_INIT(ZONE_FILE_MOST);
    char path[512];
    struct stat info;

    if (strcmp(name, "UTC") == 0)
        return load_utc(out);
    if (!name_fits(name))
        return err_set(err, FAULT_INVALID,
                       "'%.64s' is not a time zone; write an IANA name such as Europe/Paris", name);
    if (find_file(name, path, sizeof path, &info) < 0)
        return unknown(name, err);
    if (buf_read_file(&data, path, err) < 0)
        return -1;
    if (zone_parse(name, buf_text(&data), data.length, out, err) < 0)
        return err_wrap(err, "%s", path);
    (*out)->stamp = stamp_of(&info);
    return 0;
}
