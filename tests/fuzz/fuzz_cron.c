/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_cron.c - libFuzzer: cron lines, and that what is taken fires in order and within bounds. */
#include <stddef.h>
#include <stdint.h>

#include "cron/civil.h"
#include "cron/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zone *zones[4];

static void load_zones(void)
{
    static const char *const names[] = { "UTC", "Europe/Paris", "Australia/Lord_Howe",
                                         "Pacific/Apia" };

    for (size_t i = 0; i < 4 && !zones[i]; i++)
        if (zone_load(names[i], &zones[i], NULL) < 0)
            abort();
}

static void walk(const struct cron *cron, const struct zone *zone, int64_t from)
{
    struct cron_mark mark = { from, CRON_NEVER };
    struct cron_time next, last;

    for (int i = 0; i < 8 && cron_next(cron, zone, mark, &next) == 0; i++) {
        if (next.utc <= mark.utc || next.utc > CIVIL_LAST_S)
            abort();
        if (cron_last(cron, zone, mark, next.utc, &last) || last.utc != next.utc)
            abort();
        mark = (struct cron_mark){ next.utc, next.local };
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[CRON_TEXT_MOST + 40];
    struct err err = ERR_INIT;
    struct cron cron;
    int64_t from;

    if (size < 5 || size - 5 >= sizeof text)
        return 0;
    load_zones();
    memcpy(text, data + 5, size - 5);
    text[size - 5] = '\0';
    from = (int64_t)((uint64_t)data[0] << 32 | (uint64_t)data[1] << 24 | (uint64_t)data[2] << 16);
    if (cron_parse(text, data[3], &cron, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    walk(&cron, zones[data[4] % 4], from);
    return 0;
}
