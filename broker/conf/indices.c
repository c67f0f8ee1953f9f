/* SPDX-License-Identifier: Apache-2.0 */
/* indices.c - the members of an array job, kept as ranges: a million of them are one line. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/parse.h"
#include "conf/job.h"

#define RANGES_MOST 10000
#define INDEX_MOST  INT64_C(2147483647) /* fits where other batch systems keep it */

static const char *scan_index(const char *s, int64_t *out)
{
    int64_t value = 0;

    if (*s < '0' || *s > '9')
        return NULL;
    for (; *s >= '0' && *s <= '9'; s++)
        if ((value = value * 10 + (*s - '0')) > INDEX_MOST)
            return NULL;
    *out = value;
    return s;
}

/* "7", "0-99", "1-10:2" */
static const char *scan_range(const char *s, struct index_range *out)
{
    out->step = 1;
    if (!(s = scan_index(s, &out->first)))
        return NULL;
    out->last = out->first;
    if (*s == '-' && !(s = scan_index(s + 1, &out->last)))
        return NULL;
    if (*s == ':' && !(s = scan_index(s + 1, &out->step)))
        return NULL;
    return s;
}

static int64_t range_size(const struct index_range *range)
{
    return (range->last - range->first) / range->step + 1;
}

static int check_range(struct index_range *range, struct err *err)
{
    if (range->step == 0)
        return err_set(err, FAULT_INVALID, "a step of 0 never ends; leave ':0' out");
    if (range->last < range->first)
        return err_set(err, FAULT_INVALID, "range %lld-%lld runs backwards; write %lld-%lld",
                       (long long)range->first, (long long)range->last, (long long)range->last,
                       (long long)range->first);
    range->last = range->first + (range_size(range) - 1) * range->step;
    return 0;
}

static int by_first(const void *a, const void *b)
{
    const struct index_range *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

/* In order, nothing twice, positions set. */
static int settle(struct index_set *set, struct err *err)
{
    qsort(set->ranges, set->count, sizeof *set->ranges, by_first);
    for (size_t i = 0; i < set->count; i++) {
        struct index_range *range = &set->ranges[i];

        if (i && range->first <= range[-1].last)
            return err_set(err, FAULT_INVALID,
                           "index %lld: ranges overlap; each index may stand in one range only",
                           (long long)range->first);
        range->position = set->size;
        set->size += range_size(range);
        if (set->size > JOB_TASKS_MOST)
            return err_set(err, FAULT_INVALID, "more than %d tasks; split it into several jobs",
                           JOB_TASKS_MOST);
    }
    return 0;
}

/* All of `text` into `set`, which has room for as many ranges as there are commas, and one. */
static int scan_set(const char *text, struct index_set *set, struct err *err)
{
    const char *s = text;

    do {
        struct index_range range = { 0 };

        s = scan_range(s, &range);
        if (!s || (*s && *s != ','))
            return err_set(err, FAULT_INVALID,
                           "'%.40s' is no set of indices; write it as 0-99, 1-10:2 or 3,5,9-12",
                           text);
        if (check_range(&range, err) < 0)
            return -1;
        set->ranges[set->count++] = range;
    } while (*s++ == ',');
    return settle(set, err);
}

int index_set_parse(const char *text, struct index_set *out, struct err *err)
{
    struct index_set set = { 0 };
    size_t ranges = 1;

    for (const char *s = text; *s; s++)
        ranges += *s == ',';
    if (ranges > RANGES_MOST)
        return err_set(err, FAULT_INVALID, "more than %d ranges", RANGES_MOST);
    set.ranges = xcalloc(ranges, sizeof *set.ranges);
    if (scan_set(text, &set, err) < 0) {
        index_set_free(&set);
        return -1;
    }
    *out = set;
    return 0;
}

void index_set_free(struct index_set *set)
{
    free(set->ranges);
    *set = (struct index_set){ 0 };
}

int64_t index_set_nth(const struct index_set *set, int64_t position)
{
    size_t low = 0, high = set->count;

    assert(set->ranges);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (set->ranges[middle].position <= position)
            low = middle;
        else
            high = middle;
    }
    return set->ranges[low].first + (position - set->ranges[low].position) * set->ranges[low].step;
}

int64_t index_set_find(const struct index_set *set, int64_t index)
{
    size_t low = 0, high = set->count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (set->ranges[middle].first <= index)
            low = middle;
        else
            high = middle;
    }
    if (set->count == 0 || index < set->ranges[low].first || index > set->ranges[low].last ||
        (index - set->ranges[low].first) % set->ranges[low].step)
        return -1;
    return set->ranges[low].position + (index - set->ranges[low].first) / set->ranges[low].step;
}

char *index_set_text(const struct index_set *set)
{
    struct buf text = BUF_INIT(0);

    for (size_t i = 0; i < set->count; i++) {
        const struct index_range *range = &set->ranges[i];

        buf_printf(&text, "%s%" PRId64, i ? "," : "", range->first);
        if (range->last > range->first)
            buf_printf(&text, "-%" PRId64, range->last);
        if (range->last > range->first && range->step > 1)
            buf_printf(&text, ":%" PRId64, range->step);
    }
    return buf_take(&text);
}
