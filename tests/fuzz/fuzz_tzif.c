/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tzif.c - libFuzzer: files of time zones; what is taken must answer in order, for any time.
 */
#include <stddef.h>
#include <stdint.h>

#include "cron/civil.h"
#include "cron/expr.h"
#include "cron/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct zone *zone, int64_t utc)
{
    struct zone_span span;

    zone_span(zone, utc, &span);
    if (span.begin > utc || span.end <= utc || strlen(span.abbreviation) > 4096)
        abort();
    if (zone_shown(zone, utc) < utc + span.offset)
        abort();
    /* The clock reaches what it shows now at this moment, or did before. */
    if (zone_reach(zone, utc + span.offset, NULL) > utc)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    own_zone struct zone *zone = NULL;
    struct err err = ERR_INIT;
    struct cron_mark mark = { 0, CRON_NEVER };
    struct cron_time next;
    struct cron cron;

    if (zone_parse("fuzz", data, size, &zone, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    for (int64_t utc = CIVIL_FIRST_S; utc < CIVIL_LAST_S; utc += INT64_C(97) * 366 * 3600)
        check(zone, utc);
    if (cron_parse("*/7 2 29 2 *", 0, &cron, NULL) == 0 &&
        cron_next(&cron, zone, mark, &next) == 0 && next.utc <= 0)
        abort();
    return 0;
}
