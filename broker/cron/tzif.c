/* SPDX-License-Identifier: Apache-2.0 */
/* tzif.c - reads a TZif file (RFC 8536).
 *
 * Counts are checked against the bytes there are before anything is allocated, and every index
 * against what it points into.  Files that count leap seconds ("right/...") are refused: the
 * system's clock does not. */
#include <string.h>

#include "base/own.h"
#include "cron/civil.h"
#include "cron/tzif.h"

#define HEADER_BYTES 44
#define TYPE_BYTES   6

struct reader {
    const unsigned char *at, *end;
};

struct counts {
    uint32_t is_utc, is_std, leaps, times, types, names;
};

static uint64_t big_endian(const unsigned char *s, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | s[i];
    return value;
}

static const unsigned char *take(struct reader *in, size_t bytes)
{
    const unsigned char *at = in->at;

    if ((size_t)(in->end - in->at) < bytes)
        return NULL;
    in->at += bytes;
    return at;
}

static int read_header(struct reader *in, struct counts *out, int *version, struct err *err)
{
    const unsigned char *s = take(in, HEADER_BYTES);

    if (!s || memcmp(s, "TZif", 4) != 0)
        return err_set(err, FAULT_INVALID, "not a TZif file");
    *version = s[4] ? s[4] - '0' : 1;
    out->is_utc = (uint32_t)big_endian(s + 20, 4);
    out->is_std = (uint32_t)big_endian(s + 24, 4);
    out->leaps = (uint32_t)big_endian(s + 28, 4);
    out->times = (uint32_t)big_endian(s + 32, 4);
    out->types = (uint32_t)big_endian(s + 36, 4);
    out->names = (uint32_t)big_endian(s + 40, 4);
    if (*version < 1 || *version > 9)
        return err_set(err, FAULT_INVALID, "unknown version of the TZif format");
    if (out->times > TZ_TIMES_MOST || out->types < 1 || out->types > 256 || out->names < 1 ||
        out->names > TZ_NAMES_MOST || out->leaps > 4096 ||
        (out->is_utc && out->is_utc != out->types) || (out->is_std && out->is_std != out->types))
        return err_set(err, FAULT_INVALID, "TZif header with impossible counts");
    return 0;
}

static size_t body_bytes(const struct counts *n, size_t word)
{
    return n->times * (word + 1) + n->types * TYPE_BYTES + n->names + n->leaps * (word + 4) +
           n->is_std + n->is_utc;
}

void tz_push(struct zone *zone, int64_t at, uint16_t kind)
{
    if (zone->count == zone->room) {
        zone->room = zone->room ? zone->room * 2 : 64;
        zone->times = xrealloc(zone->times, zone->room * sizeof *zone->times);
        zone->kinds = xrealloc(zone->kinds, zone->room * sizeof *zone->kinds);
    }
    zone->times[zone->count] = at;
    zone->kinds[zone->count++] = kind;
}

static int read_times(struct zone *zone, const unsigned char *s, const struct counts *n,
                      size_t word, struct err *err)
{
    const unsigned char *kinds = s + n->times * word;

    for (uint32_t i = 0; i < n->times; i++) {
        uint64_t bits = big_endian(s + i * word, word);
        int64_t at = word == 4 ? (int64_t)(int32_t)(uint32_t)bits : (int64_t)bits;

        if (kinds[i] >= n->types)
            return err_set(err, FAULT_INVALID, "transition %u names type %u of %u", i, kinds[i],
                           n->types);
        if (zone->count && at <= zone->times[zone->count - 1])
            return err_set(err, FAULT_INVALID, "transition %u does not come after the one before",
                           i);
        /* Old files begin with a transition at -2^59: "since ever". */
        if (at <= ZONE_PAST)
            zone->first = kinds[i];
        else if (at < ZONE_FUTURE)
            tz_push(zone, at, kinds[i]);
    }
    return 0;
}

static int read_types(struct zone *zone, const unsigned char *s, const struct counts *n,
                      struct err *err)
{
    zone->types = xcalloc(n->types + 2, sizeof *zone->types);
    for (uint32_t i = 0; i < n->types; i++, s += TYPE_BYTES) {
        struct tz_type *type = &zone->types[i];

        type->offset = (int32_t)(uint32_t)big_endian(s, 4);
        type->dst = s[4] != 0;
        type->name = s[5];
        if (type->offset < TZ_OFFSET_LEAST || type->offset > TZ_OFFSET_MOST)
            return err_set(err, FAULT_INVALID, "type %u: offset %d is out of range", i,
                           type->offset);
        if (s[4] > 1 || s[5] >= n->names)
            return err_set(err, FAULT_INVALID, "type %u is malformed", i);
    }
    zone->type_count = n->types;
    return 0;
}

static int read_body(struct zone *zone, struct reader *in, const struct counts *n, size_t word,
                     struct err *err)
{
    const unsigned char *s = take(in, body_bytes(n, word)), *types, *names;

    if (!s)
        return err_set(err, FAULT_INVALID, "TZif file ends too early");
    if (n->leaps)
        return err_set(
            err, FAULT_INVALID,
            "counts leap seconds, which the system's clock does not; use the zone of the "
            "same name without 'right/'");
    types = s + n->times * (word + 1);
    names = types + n->types * TYPE_BYTES;
    if (names[n->names - 1] != '\0')
        return err_set(err, FAULT_INVALID, "abbreviations do not end");
    zone->names = xmalloc(n->names);
    memcpy(zone->names, names, n->names);
    zone->name_bytes = n->names;
    if (read_times(zone, s, n, word, err) < 0)
        return -1;
    return read_types(zone, types, n, err);
}

/* "\nRULE\n" */
static int read_footer(struct zone *zone, struct reader *in, struct err *err)
{
    char footer[TZ_FOOTER_MOST];
    const unsigned char *newline;
    size_t length;

    if (in->at == in->end || *in->at++ != '\n' ||
        !(newline = memchr(in->at, '\n', (size_t)(in->end - in->at))))
        return err_set(err, FAULT_INVALID, "TZif file without a footer");
    length = (size_t)(newline - in->at);
    if (length >= sizeof footer || memchr(in->at, '\0', length))
        return err_set(err, FAULT_INVALID, "TZif footer is malformed");
    memcpy(footer, in->at, length);
    footer[length] = '\0';
    return tz_rule_apply(zone, footer, err);
}

static int parse(struct zone *zone, struct reader *in, struct err *err)
{
    struct counts n = { 0 };
    int version = 0, again;

    if (read_header(in, &n, &version, err) < 0)
        return -1;
    if (version == 1)
        return read_body(zone, in, &n, 4, err);
    /* The first body repeats in 32 bits what the second says in 64. */
    if (!take(in, body_bytes(&n, 4)))
        return err_set(err, FAULT_INVALID, "TZif file ends too early");
    if (read_header(in, &n, &again, err) < 0 || read_body(zone, in, &n, 8, err) < 0)
        return -1;
    return read_footer(zone, in, err);
}

int zone_parse(const char *name, const void *data, size_t length, struct zone **out,
               struct err *err)
{
    struct reader in = { .at = data, .end = (const unsigned char *)data + length };
    own_zone struct zone *zone = xcalloc(1, sizeof *zone);

    zone->cycle_end = ZONE_FUTURE;
    snprintf(zone->name, sizeof zone->name, "%s", name);
    if (length > ZONE_FILE_MOST)
        return err_set(err, FAULT_INVALID, "larger than any TZif file");
    if (parse(zone, &in, err) < 0)
        return -1;
    *out = take_ptr(zone);
    return 0;
}
