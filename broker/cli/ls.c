/* SPDX-License-Identifier: Apache-2.0 */
/* ls.c - `spillway ls`: tasks, unfinished ones unless asked otherwise. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "cli/task.h"
#include "conf/job.h"
#include "spillway/state.h"

#define PAGE_MOST     10000 /* the API's bound */
#define LIMIT_DEFAULT 1000

static const struct option options[] = {
    { "all", 'a', NULL, "ended tasks too", COMPLETES_NOTHING },
    { "state", 's', "A,B", "only tasks in these states", COMPLETES_STATE },
    { "name", 'n', "NAME", "only jobs of this name", COMPLETES_NOTHING },
    { "project", 'p', "PROJECT", "only jobs of this project", COMPLETES_NOTHING },
    { "user", 'u', "USER", "only jobs of this user", COMPLETES_NOTHING },
    { "limit", 'l', "N", "at most N rows, with --all the newest (default 1000)",
      COMPLETES_NOTHING },
    { "expand", 0, NULL, "a row for each task of an array, also of those that have not started",
      COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static const struct column columns[] = {
    { "ID", false, false },   { "NAME", false, true },      { "PROJECT", false, true },
    { "USER", false, false }, { "STATE", false, false },    { "REASON", false, false },
    { "SITE", false, false }, { "SUBMITTED", true, false }, { "ELAPSED", true, false },
    { NULL, false, false },
};

/* The indices of the job's array, as it was written. */
static int array_of(struct cli *cli, int64_t job, struct index_set *out, struct err *err)
{
    own_json json_t *answer = NULL;
    own_str char *text = NULL;

    if (cli_get(cli, &answer, err, "/v1/jobs/%lld", (long long)job) < 0)
        return -1;
    text = xstrdup(field_text(answer, "array"));
    text[strcspn(text, "%")] = '\0';
    return index_set_parse(text, out, err);
}

/* What is listed, and how much of it. */
struct listing {
    size_t limit;
    bool expand;
    bool newest_first; /* as it is fetched; it is shown oldest first */
};

/* "1234.[7-99]": one task for each index, up to `limit` in all.  The indices follow each other in
 * the array; of many ranges the id names only the first ones. */
static int add_rest(struct cli *cli, json_t *tasks, const json_t *rest,
                    const struct listing *listing, struct err *err)
{
    const char *id = field_text(rest, "id"), *open = strstr(id, ".[");
    struct index_set set = { .count = 0 };
    int64_t job = field_int(rest, "job"), first, count;

    if (array_of(cli, job, &set, err) < 0)
        return err_wrap(err, "%s", id);
    first = index_set_find(&set, strtoll(open + 2, NULL, 10));
    count = first < 0 ? 0 : field_int(rest, "tasks");
    if (count > set.size - first)
        count = set.size - first;
    for (int64_t i = 0; i < count && json_array_size(tasks) < listing->limit; i++) {
        int64_t index = index_set_nth(&set, first + (listing->newest_first ? count - 1 - i : i));
        own_str char *name = xasprintf("%lld.%lld", (long long)job, (long long)index);
        json_t *task = json_copy((json_t *)rest);

        json_object_set_new(task, "id", json_string(name));
        json_object_set_new(task, "index", json_integer(index));
        json_object_del(task, "tasks");
        json_array_append_new(tasks, task);
    }
    index_set_free(&set);
    return 0;
}

static int add_page(struct cli *cli, json_t *tasks, const json_t *page,
                    const struct listing *listing, struct err *err)
{
    size_t i;
    json_t *task;

    json_array_foreach(page, i, task)
    {
        if (json_array_size(tasks) >= listing->limit)
            return 0;
        if (listing->expand && strstr(field_text(task, "id"), ".[")) {
            if (add_rest(cli, tasks, task, listing, err) < 0)
                return -1;
        } else {
            json_array_append(tasks, task);
        }
    }
    return 0;
}

/* Page by page until the limit or the end; *more: there was no end. */
static int fetch_tasks(struct cli *cli, const char *query, const struct listing *listing,
                       json_t *tasks, bool *more, struct err *err)
{
    own_str char *cursor = NULL;

    do {
        own_buf struct buf path = BUF_INIT(0);
        own_json json_t *answer = NULL;
        size_t want = listing->limit - json_array_size(tasks);

        buf_printf(&path, "%s%climit=%zu", query, strchr(query, '?') ? '&' : '?',
                   want < PAGE_MOST ? want : PAGE_MOST);
        query_add(&path, "cursor", cursor);
        if (cli_get(cli, &answer, err, "%s", buf_text(&path)) < 0 ||
            add_page(cli, tasks, json_object_get(answer, "tasks"), listing, err) < 0)
            return -1;
        free(cursor);
        cursor = *field_text(answer, "cursor") ? xstrdup(field_text(answer, "cursor")) : NULL;
    } while (cursor && json_array_size(tasks) < listing->limit);
    *more = cursor != NULL;
    return 0;
}

static void turn(json_t *tasks)
{
    size_t count = json_array_size(tasks);

    for (size_t i = 0; i < count / 2; i++) {
        json_t *task = json_incref(json_array_get(tasks, i));

        json_array_set(tasks, i, json_array_get(tasks, count - 1 - i));
        json_array_set_new(tasks, count - 1 - i, task);
    }
}

/* Whoever asks for ended tasks wants the last ones, not those of last year. */
static bool wants_ended(const struct args *args)
{
    const char *states = args_get(args, "state");

    for (int state = 0; states && state < TASK_STATE_COUNT; state++)
        if (task_state_final((enum task_state)state) &&
            strstr(states, task_state_name((enum task_state)state)))
            return true;
    return args_has(args, "all");
}

static void say_more(const struct args *args, bool newest_first)
{
    if (!args_has(args, "limit") && newest_first)
        warn(
            "these are the newest %d; --limit N shows up to N rows, --state, --name, --project and "
            "--user narrow them down",
            LIMIT_DEFAULT);
    else if (!args_has(args, "limit"))
        warn("there are more; --limit N shows up to N rows");
}

static void print_tasks(struct cli *cli, const json_t *tasks)
{
    own_table struct table *table = table_new(columns);
    int64_t now = clock_wall_ms();
    char text[SHORT_BYTES];
    size_t i;
    json_t *task;

    json_array_foreach(tasks, i, task)
    {
        own_str char *reason = task_reason(task);

        table_cell(table, field_text(task, "id"));
        table_cell(table, field_text(task, "name"));
        table_cell(table, field_text(task, "project"));
        table_cell(table, field_text(task, "user"));
        table_cell_styled(table, field_text(task, "state"),
                          style_of_state(field_text(task, "state")));
        table_cell(table, reason);
        table_cell(table, field_text(task, "site"));
        table_cell(table, short_time(field_time(task, "submitted"), now, text, sizeof text));
        table_cell(table, task_elapsed(task, now, text, sizeof text));
    }
    table_print(table, &cli->term);
}

/* Nothing to list.  A job that was asked for by its id is there, or that is a mistake. */
static int tell_nothing(struct cli *cli, const struct args *args, struct err *err)
{
    own_json json_t *job = NULL;

    if (args->word_count) {
        if (cli_get(cli, &job, err, "/v1/jobs/%s", args->words[0]) < 0)
            return err_wrap(err, "%s", args->words[0]);
        if (task_ended(job) && !args_has(args, "all"))
            warn("%s has ended: %s; --all shows it", args->words[0], field_text(job, "state"));
    } else if (cli->term.err_is_tty && !cli->json) {
        fputs(args_has(args, "all") ? "No jobs.\n"
                                    : "No unfinished jobs (--all shows ended ones).\n",
              stderr);
    }
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    static const char *const keys[] = { "state", "name", "project", "user" };
    own_buf struct buf query = BUF_INIT(0);
    own_json json_t *tasks = json_array();
    struct listing listing = { .expand = args_has(args, "expand"),
                               .newest_first = wants_ended(args) };
    int64_t limit = LIMIT_DEFAULT;
    bool more = false;

    if (args_i64(args, "limit", 1, 10000000, &limit, err) < 0)
        return -1;
    buf_puts(&query, "/v1/jobs");
    if (args_has(args, "all"))
        query_add(&query, "all", "1");
    for (size_t i = 0; i < array_len(keys); i++)
        query_add(&query, keys[i], args_get(args, keys[i]));
    if (args->word_count) {
        if (job_id_check(args->words[0], err) < 0)
            return -1;
        query_add(&query, "job", args->words[0]);
    }
    if (listing.newest_first)
        query_add(&query, "order", "desc");
    listing.limit = (size_t)limit;
    if (fetch_tasks(cli, buf_text(&query), &listing, tasks, &more, err) < 0)
        return -1;
    if (listing.newest_first)
        turn(tasks);
    if (json_array_size(tasks) == 0 && tell_nothing(cli, args, err) < 0)
        return -1;
    if (cli->json)
        print_json(tasks);
    else if (json_array_size(tasks))
        print_tasks(cli, tasks);
    if (more)
        say_more(args, listing.newest_first);
    return EXIT_OK;
}

const struct command command_ls = {
    .name = "ls",
    .help = "list tasks that have not ended",
    .synopsis = "[OPTIONS] [JOB]",
    .text =
        "Lists tasks: those that have not ended, or with --all every one.  The tasks of an array "
        "that have not started are one row, such as 12.[7-99].  With JOB, only that job's.  The "
        "oldest come first; of ended ones, at most 1000 or --limit of the newest are shown.",
    .options = options,
    .example = "spillway ls --state running,pending --limit 50\n"
               "spillway ls --all --json | jq -r '.[] | select(.state == \"failed\") | .id'",
    .exits = "0 done, 2 wrong use, 3 no such job; others: see `spillway help`",
    .words = COMPLETES_JOB,
    .words_most = 1,
    .run = run,
};
