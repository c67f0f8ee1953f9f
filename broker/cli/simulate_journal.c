/* SPDX-License-Identifier: Apache-2.0 */
/* simulate_journal.c - what the broker itself has run, as a trace: one line a task that ended.
 *
 * Tasks come from the broker's list, page by page; what a job asked for, from its description, once
 * a job.  Users and projects are numbered in the order of appearance. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/simulate.h"
#include "sched/names.h"

#define PAGE       10000
#define TASKS_MOST 2000000

/* What a job asked for. */
struct wish {
    int64_t cpus, memory, walltime_ms;
};

struct journal {
    struct cli *cli;
    int64_t from_ms;
    struct buf *out;
    struct names people[2]; /* users, projects */
    struct map wishes;      /* job -> struct wish */
    size_t tasks;
};

static void journal_free(struct journal *journal)
{
    void *wish;

    for (size_t i = 0; (wish = map_next(&journal->wishes, &i));)
        free(wish);
    map_fini(&journal->wishes);
    names_free(&journal->people[0]);
    names_free(&journal->people[1]);
}

static int ask_wish(struct journal *journal, int64_t job, struct wish **out, struct err *err)
{
    own_json json_t *answer = NULL;
    struct problems problems = { .list = NULL };
    struct job_spec spec;
    struct wish *wish = map_get(&journal->wishes, (uint64_t)job);

    *out = wish;
    if (wish)
        return 0;
    if (cli_get(journal->cli, &answer, err, "/v1/jobs/%lld", (long long)job) < 0)
        return -1;
    *out = wish = xcalloc(1, sizeof *wish);
    map_put(&journal->wishes, (uint64_t)job, wish);
    wish->cpus = 1;
    if (job_spec_parse(json_object_get(answer, "description"), &spec, &problems) == 0) {
        const struct resources *want = &spec.options[0];

        wish->cpus =
            (want->cpus.least > 0 ? want->cpus.least : 1) * (want->nodes > 1 ? want->nodes : 1);
        wish->memory = want->memory.least;
        wish->walltime_ms = want->walltime_ms;
        job_spec_free(&spec);
    }
    problems_free(&problems);
    return 0;
}

/* A line as in a trace; times in seconds since `from`, to the millisecond. */
static int put_task(struct journal *journal, const json_t *task, struct err *err)
{
    int64_t submitted = field_time(task, "submitted"), started = field_time(task, "started");
    int64_t finished = field_time(task, "finished"), id = strtoll(field_text(task, "id"), NULL, 10);
    uint32_t user = names_number(&journal->people[0], field_text(task, "user"));
    uint32_t project = names_number(&journal->people[1], field_text(task, "project"));
    int64_t kib = -1;
    struct wish *wish;

    if (submitted < journal->from_ms || started == 0 || finished < started)
        return 0;
    if (ask_wish(journal, id, &wish, err) < 0)
        return -1;
    if (wish->memory > 0)
        kib = wish->memory / 1024 / wish->cpus;
    buf_printf(journal->out, "%zu %.3f %.3f %.3f %lld -1 -1 %lld ", ++journal->tasks,
               (double)(submitted - journal->from_ms) / 1000, (double)(started - submitted) / 1000,
               (double)(finished - started) / 1000, (long long)wish->cpus, (long long)wish->cpus);
    buf_printf(journal->out, "%.3f %lld 1 %u %u -1 -1 -1 -1 -1\n",
               wish->walltime_ms ? (double)wish->walltime_ms / 1000 : -1.0, (long long)kib, user,
               project);
    return 0;
}

static int put_page(void *arg, const json_t *answer, struct err *err)
{
    struct journal *journal = arg;
    json_t *task;
    size_t i;

    json_array_foreach(json_object_get(answer, "tasks"), i,
                       task) if (put_task(journal, task, err) < 0) return -1;
    if (journal->tasks > TASKS_MOST)
        return err_set(err, FAULT_INVALID,
                       "more than %d tasks have ended since then; take a later --from", TASKS_MOST);
    return 0;
}

int sim_journal(struct cli *cli, int64_t from_ms, struct buf *out, struct err *err)
{
    struct journal journal = { .cli = cli,
                               .from_ms = from_ms,
                               .out = out,
                               .people = { NAMES_INIT, NAMES_INIT },
                               .wishes = MAP_INIT };
    own_buf struct buf query = BUF_INIT(0);
    int rc;

    buf_printf(out, "; Version: 2.2\n; UnixStartTime: %lld\n", (long long)(from_ms / 1000));
    buf_printf(&query, "/v1/jobs?all=true&limit=%d", PAGE);
    rc = cli_pages(cli, buf_text(&query), put_page, &journal, err);
    journal_free(&journal);
    return rc;
}
