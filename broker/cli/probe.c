/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - `spillway sites probe`: the whole way of a worker, once, and how long each step took.
 *
 * It is an ordinary job that can run at that site alone, under a project of its own, so that nobody
 * else's worker takes it and its worker takes nobody else's job.  All but "active" is told by the
 * broker's own records; for that the site is asked about the worker again and again, and a worker
 * whose agent joined is active. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/explain.h"
#include "cli/interrupt.h"
#include "cli/probe.h"
#include "cli/table.h"
#include "cli/task.h"
#include "spillway/placement.h"

#define LOOK_MS      500
#define TIMEOUT_MS   1800000
#define FOLLOW_UP_MS 120000 /* for the worker to go, once the time is up */

enum step { ASKED, ORDERED, ACTIVE, JOINED, STARTED, ENDED, GONE, STEPS };

static const struct {
    const char *name, *words;
} steps[STEPS] = {
    [ASKED] = { "asked", "the site said what it could give" },
    [ORDERED] = { "ordered", "a worker was decided on" },
    [ACTIVE] = { "active", "the site says that it runs" },
    [JOINED] = { "joined", "its agent reported" },
    [STARTED] = { "started", "the job began" },
    [ENDED] = { "ended", "the job ended" },
    [GONE] = { "gone", "the site no longer shows the worker" },
};

struct walk {
    const char *site;
    char *job, *worker;
    json_t *task;                 /* as last seen */
    int64_t submitted_ms, end_ms; /* the latter: monotonic, when the time is up */
    int64_t at_ms[STEPS];         /* wall time; 0: not seen */
    int64_t asked_ms;             /* how long the site took to answer */
    bool was_there, failed;
    char why[300]; /* "": nothing went wrong */
};

static int submit(struct cli *cli, struct walk *walk, struct err *err)
{
    own_json json_t *body =
        json_pack("{s:[{s:s, s:s, s:[s], s:{s:i, s:s, s:s, s:s}, s:{s:i}, s:{s:{s:[s]}}}]}", "jobs",
                  "name", "probe", "project", PROBE_PROJECT, "command", "true", "resources", "cpus",
                  1, "memory", "64MiB", "disk", "1MiB", "walltime", "5m", "retries", "user", 0,
                  "placement", "sites", "require", walk->site);
    own_json json_t *answer = NULL;

    if (cli_post(cli, "/v1/jobs", body, &answer, err) < 0)
        return -1;
    walk->job = xasprintf(
        "%lld", (long long)field_int(json_array_get(json_object_get(answer, "jobs"), 0), "id"));
    return 0;
}

/* ---- looking --------------------------------------------------------------------------------- */

/* Before an attempt names it: the one that was made for our project. */
static int find_ordered(struct cli *cli, struct walk *walk, struct err *err)
{
    own_json json_t *answer = NULL;
    const json_t *worker;
    size_t i;

    if (cli_get(cli, &answer, err, "/v1/workers?all=1&limit=100&site=%s", walk->site) < 0)
        return -1;
    json_array_foreach(json_object_get(answer, "workers"), i, worker)
    {
        if (strcmp(field_text(worker, "project"), PROBE_PROJECT) != 0 ||
            field_time(worker, "created") < walk->submitted_ms)
            continue;
        walk->worker = xstrdup(field_text(worker, "name"));
        return 0;
    }
    return 0;
}

static int look_at_job(struct cli *cli, struct walk *walk, struct err *err)
{
    const char *worker;

    json_decref(take_ptr(walk->task));
    if (cli_get(cli, &walk->task, err, "/v1/jobs/%s", walk->job) < 0)
        return -1;
    walk->submitted_ms = field_time(walk->task, "submitted");
    walk->at_ms[STARTED] = field_time(walk->task, "started");
    walk->at_ms[ENDED] = field_time(walk->task, "finished");
    worker = field_text(walk->task, "worker");
    if (*worker && (!walk->worker || strcmp(walk->worker, worker) != 0)) {
        free(walk->worker);
        walk->worker = xstrdup(worker);
    }
    return walk->worker ? 0 : find_ordered(cli, walk, err);
}

/* What the site says of it; that it cannot be asked just now is no matter. */
static void look_at_machine(struct cli *cli, struct walk *walk)
{
    own_str char *path = xasprintf("/v1/workers/%s/inspect", walk->worker);
    own_json json_t *answer = NULL;
    struct err err = ERR_INIT;

    if (cli_post(cli, path, NULL, &answer, &err) == 0 &&
        strcmp(field_text(answer, "state"), "active") == 0)
        walk->at_ms[ACTIVE] = field_time(answer, "at");
}

static int look_at_worker(struct cli *cli, struct walk *walk, struct err *err)
{
    own_json json_t *worker = NULL;
    const char *state;

    if (!walk->worker)
        return 0;
    if (cli_get(cli, &worker, err, "/v1/workers/%s", walk->worker) < 0)
        return -1;
    state = field_text(worker, "state");
    walk->was_there = field_time(worker, "created") < walk->submitted_ms;
    if (walk->was_there)
        return 0;
    walk->at_ms[ORDERED] = field_time(worker, "created");
    walk->at_ms[JOINED] = field_time(worker, "joined");
    walk->at_ms[GONE] = field_time(worker, "gone");
    if (!walk->at_ms[ACTIVE] && !walk->at_ms[JOINED] && strcmp(state, "booting") == 0)
        look_at_machine(cli, walk);
    /* The site may be slower to answer than the agent is to come. */
    if (walk->at_ms[JOINED] && (!walk->at_ms[ACTIVE] || walk->at_ms[ACTIVE] > walk->at_ms[JOINED]))
        walk->at_ms[ACTIVE] = walk->at_ms[JOINED];
    if (!walk->at_ms[STARTED] && !walk->at_ms[ENDED] &&
        (strcmp(state, "destroying") == 0 || strcmp(state, "gone") == 0)) {
        walk->failed = true;
        snprintf(walk->why, sizeof walk->why, "%s: %s", field_text(worker, "reason"),
                 field_text(worker, "detail"));
    }
    return 0;
}

static const char *where(const struct walk *walk)
{
    int last = ASKED;

    for (int i = ASKED; i < STEPS; i++)
        if (walk->at_ms[i])
            last = i;
    return steps[last].words;
}

/* 1: one step is there that was waited for.  0: not yet.  -1: a fault. */
static int look(struct cli *cli, struct walk *walk, enum step until, struct err *err)
{
    if (look_at_job(cli, walk, err) < 0 || look_at_worker(cli, walk, err) < 0)
        return -1;
    progress(&cli->term, "%s: %s", walk->site, where(walk));
    return walk->failed || walk->at_ms[until] != 0;
}

static bool time_is_up(struct walk *walk)
{
    if (!interrupted && clock_mono_ms() < walk->end_ms)
        return false;
    walk->failed = true;
    snprintf(walk->why, sizeof walk->why, "%s",
             interrupted ? "interrupted" : "the time is up; --timeout gives more");
    return true;
}

static int look_until(struct cli *cli, struct walk *walk, enum step until, struct err *err)
{
    int rc;

    while ((rc = look(cli, walk, until, err)) == 0 && !time_is_up(walk))
        clock_sleep_ms(LOOK_MS);
    return rc < 0 ? -1 : 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void show_why(struct cli *cli, const struct walk *walk)
{
    own_json json_t *answer = NULL;
    struct err err = ERR_INIT;

    if (!cli->json && !walk->worker &&
        cli_get(cli, &answer, &err, "/v1/jobs/%s/explain", walk->job) == 0)
        explain_print_sites(cli, json_object_get(answer, "sites"));
}

/* Whatever became of it, nothing of it stays: its job, and the worker that was made for it. */
static int clear_away(struct cli *cli, struct walk *walk, struct err *err)
{
    own_str char *cancel = xasprintf("/v1/jobs/%s/cancel", walk->job);
    own_str char *drain = NULL;
    struct err why = ERR_INIT;

    if (!task_ended(walk->task)) {
        show_why(cli, walk);
        cli_post(cli, cancel, NULL, NULL, &why);
    }
    if (!walk->worker || walk->was_there)
        return 0;
    drain = xasprintf("/v1/workers/%s/drain", walk->worker);
    if (cli_post(cli, drain, NULL, NULL, err) < 0)
        return -1;
    if (walk->failed && !interrupted)
        walk->end_ms = clock_mono_ms() + FOLLOW_UP_MS;
    for (int rc = 0; !walk->at_ms[GONE] && !interrupted; clock_sleep_ms(LOOK_MS)) {
        rc = look_at_worker(cli, walk, err);
        if (rc < 0)
            return -1;
        progress(&cli->term, "%s: %s", walk->site, where(walk));
        if (!walk->at_ms[GONE] && clock_mono_ms() >= walk->end_ms) {
            walk->failed = true;
            snprintf(walk->why, sizeof walk->why, "worker %s is not gone yet", walk->worker);
            return 0;
        }
    }
    return 0;
}

static json_t *steps_json(const struct walk *walk)
{
    json_t *list = json_array();
    int64_t before = walk->submitted_ms;

    json_array_append_new(list, json_pack("{s:s, s:I}", "step", steps[ASKED].name, "took_ms",
                                          (json_int_t)walk->asked_ms));
    for (int i = ORDERED; i < STEPS; i++) {
        if (!walk->at_ms[i])
            continue;
        json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "step", steps[i].name, "took_ms",
                                              (json_int_t)(walk->at_ms[i] - before), "after_ms",
                                              (json_int_t)(walk->at_ms[i] - walk->submitted_ms)));
        before = walk->at_ms[i];
    }
    return list;
}

static const struct column columns[] = {
    { "STEP", false, false }, { "TOOK", true, false }, { "AFTER", true, false },
    { "", false, true },      { NULL, false, false },
};

static void put_span(struct table *table, const json_t *step, const char *key)
{
    if (json_object_get(step, key))
        table_cellf(table, "%.2f s", (double)field_int(step, key) / 1000);
    else
        table_cell(table, NULL);
}

static const char *words_of(const char *name)
{
    for (int i = ASKED; i < STEPS; i++)
        if (strcmp(steps[i].name, name) == 0)
            return steps[i].words;
    return "";
}

static void print_steps(struct cli *cli, const json_t *list)
{
    own_table struct table *table = table_new(columns);
    const json_t *step;
    size_t i;

    json_array_foreach(list, i, step)
    {
        table_cell(table, field_text(step, "step"));
        put_span(table, step, "took_ms");
        put_span(table, step, "after_ms");
        table_cell(table, words_of(field_text(step, "step")));
    }
    table_print(table, &cli->term);
}

static int tell(struct cli *cli, struct walk *walk)
{
    bool good = !walk->failed && task_succeeded(walk->task);
    own_json json_t *list = steps_json(walk);
    own_str char *words = task_end(walk->task);

    if (cli->json) {
        own_json json_t *answer =
            json_pack("{s:s, s:s, s:s?, s:b, s:b, s:s?, s:O}", "site", walk->site, "job", walk->job,
                      "worker", walk->worker, "worker_was_there", walk->was_there, "succeeded",
                      good, "detail", walk->why[0] ? walk->why : NULL, "steps", list);

        print_json(answer);
        return good ? EXIT_OK : EXIT_NO;
    }
    print_steps(cli, list);
    if (walk->was_there)
        printf("worker %s was there already, so none was made\n", walk->worker);
    if (walk->why[0])
        warn("%s: %s", walk->site, walk->why);
    else if (!good)
        warn("job %s %s", walk->job, words);
    return good ? EXIT_OK : EXIT_NO;
}

static int whole_way(struct cli *cli, struct walk *walk, struct err *err)
{
    if (submit(cli, walk, err) < 0)
        return -1;
    catch_interrupts();
    if (look_until(cli, walk, ENDED, err) < 0 || clear_away(cli, walk, err) < 0)
        return -1;
    progress_end(&cli->term);
    return tell(cli, walk);
}

int probe_whole_way(struct cli *cli, const char *site, int64_t asked_ms, int64_t timeout_ms,
                    struct err *err)
{
    struct walk walk = { .site = site,
                         .asked_ms = asked_ms,
                         .end_ms = clock_mono_ms() + (timeout_ms ? timeout_ms : TIMEOUT_MS) };
    int rc = whole_way(cli, &walk, err);

    progress_end(&cli->term);
    json_decref(walk.task);
    free(walk.job);
    free(walk.worker);
    return rc;
}
