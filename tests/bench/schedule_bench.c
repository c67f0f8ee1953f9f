/* SPDX-License-Identifier: Apache-2.0 */
/* schedule_bench.c - what many schedules cost: memory, a tick with nothing due, many due at once.
 *
 *   schedule_bench DIR [SCHEDULES [DUE]]      DIR: a new directory on a real disk
 *
 * A copy of the agenda (broker/cron/agenda.c) on a real store; the time is an argument, so nothing
 * waits.  Prints one JSON object. */
#include <malloc.h>

#include "base/io.h"
#include "base/log.h"
#include "base/own.h"
#include "bench.h"
#include "cron/agenda.h"
#include "cron/plan.h"
#include "store/schedules.h"

#define BATCH 1000
#define TICKS 100000
#define NOW   INT64_C(1795478400) /* 2026-11-24T00:00:00Z */

static double now(void)
{
    return clock_at(CLOCK_MONOTONIC);
}

static _Noreturn void fault(const char *what, const struct err *err)
{
    fprintf(stderr, "schedule_bench: %s: %s\n", what, err->text);
    exit(1);
}

static void ignore(void *arg, const struct change *changes, size_t count)
{
    (void)arg, (void)changes, (void)count;
}

/* The first `due` fire at 03:00, the others at some minute of the day before that or after. */
static void add_all(struct store *store, int count, int due)
{
    static const char *const zones[] = { "Europe/Paris", "America/New_York", "UTC" };
    struct schedule_put list[BATCH];
    struct err err = ERR_INIT;

    for (int done = 0; done < count; done += BATCH) {
        int n = count - done < BATCH ? count - done : BATCH;

        for (int i = 0; i < n; i++) {
            int at = done + i;
            char *rule = at < due ? xstrdup("{\"cron\":\"0 3 * * *\",\"timezone\":\"UTC\"}")
                                  : xasprintf("{\"cron\":\"%d 12 * * *\",\"timezone\":\"%s\"}",
                                              at % 60, zones[at % 3]);

            list[i] = (struct schedule_put){
                .name = xasprintf("analysis-%d", at),
                .project = "genomics",
                .user = "ada",
                .rule = rule,
                .spec = xasprintf("{\"name\":\"analysis-%d\",\"command\":[\"./call.sh\","
                                  "\"{scheduled_time}\"],\"schedule\":%s}",
                                  at, rule),
                .mark_utc = NOW,
                .mark_local = CRON_NEVER,
            };
        }
        if (store_schedule_put(store, list, (size_t)n, &err) < 0)
            fault("add", &err);
        for (int i = 0; i < n; i++) {
            free((void *)(uintptr_t)list[i].name);
            free((void *)(uintptr_t)list[i].rule);
            free((void *)(uintptr_t)list[i].spec);
        }
    }
}

static double tick_idle_us(struct agenda *agenda)
{
    struct err err = ERR_INIT;
    double began = now();

    for (int i = 0; i < TICKS; i++)
        if (agenda_tick(agenda, NOW + 1, &err) != 0)
            fault("idle tick", &err);
    return (now() - began) / TICKS * 1e6;
}

static double fire_s(struct agenda *agenda)
{
    struct err err = ERR_INIT;
    double began = now();
    int rc;

    while ((rc = agenda_tick(agenda, NOW + 3 * 3600, &err)) > 0)
        ;
    if (rc < 0)
        fault("tick", &err);
    return now() - began;
}

static bool count_job(void *arg, const struct schedule_row *row)
{
    *(int64_t *)arg += row->last_job != 0;
    return true;
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 100000;
    int due = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 10000;
    struct store_options options = { .dir = argc > 1 ? argv[1] : ".", .on_changes = ignore };
    struct err err = ERR_INIT;
    struct store *store;
    struct agenda *agenda;
    size_t before;
    double load, idle, fire;
    int64_t fired = 0;

    log_open("schedule_bench", LOG_LEVEL_ERROR);
    if (io_mkdirs(options.dir, 0700, &err) < 0 || store_open(&options, &store, &err) < 0)
        fault("open", &err);
    add_all(store, count, due);
    before = mallinfo2().uordblks;
    agenda = agenda_new(store);
    load = now();
    if (agenda_load(agenda, &err) < 0)
        fault("load", &err);
    load = now() - load;
    before = mallinfo2().uordblks - before;
    idle = tick_idle_us(agenda);
    fire = fire_s(agenda);
    if (store_schedules(store, 0, count_job, &fired, &err) < 0)
        fault("count", &err);
    printf("{\"schedules\": %d, \"due\": %d, \"fired\": %lld, \"load_s\": %.3f, "
           "\"bytes_each\": %.0f, \"idle_tick_us\": %.4f, \"fire_s\": %.3f}\n",
           count, due, (long long)fired, load, (double)before / count, idle, fire);
    agenda_free(agenda);
    store_close(store);
    return 0;
}
