/* SPDX-License-Identifier: Apache-2.0 */
/* show.c - `spillway show`: all that is known of one job or task. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "cli/task.h"
#include "spillway/state.h"

static const struct option options[] = {
    { "description", 'd', NULL, "only the description, as it was submitted (JSON)",
      COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static void line(const char *key, const char *value)
{
    own_str char *safe = safe_text(value);

    if (*value)
        printf("%-12s %s\n", key, safe);
}

static void time_line(const char *key, const json_t *task, const char *field)
{
    char text[SHORT_BYTES];
    int64_t at = field_time(task, field), now = clock_wall_ms();

    if (at)
        line(key, short_time(at, now, text, sizeof text));
}

/* "3 running, 90 pending, 7 succeeded" */
static void put_counts(const json_t *task, struct buf *out)
{
    for (int state = 0; state < TASK_STATE_COUNT; state++) {
        const char *name = task_state_name((enum task_state)state);
        int64_t count = task_count(task, name);

        if (count)
            buf_printf(out, "%s%lld %s", out->length ? ", " : "", (long long)count, name);
    }
}

static void print_state(const json_t *task)
{
    own_str char *reason = task_reason(task);
    own_buf struct buf text = BUF_INIT(0);

    buf_puts(&text, field_text(task, "state"));
    if (*reason && strcmp(reason, field_text(task, "state")) != 0)
        buf_printf(&text, ": %s", reason);
    line("state", buf_text(&text));
    line("why", field_text(task, "detail"));
    if (json_object_get(task, "counts")) {
        buf_clear(&text);
        put_counts(task, &text);
        line("tasks", buf_text(&text));
    }
}

/* Of an array: the first task in the worst state that any is in. */
static int add_worst(struct cli *cli, json_t *job, struct err *err)
{
    static const enum task_state worst[] = { TASK_FAILED, TASK_UNREACHABLE, TASK_CANCELLED };
    own_json json_t *answer = NULL;
    const char *state = NULL;

    if (!json_object_get(job, "counts"))
        return 0;
    for (size_t i = 0; !state && i < array_len(worst); i++)
        if (task_count(job, task_state_name(worst[i])))
            state = task_state_name(worst[i]);
    if (!state)
        return json_object_set_new(job, "worst", json_null());
    if (cli_get(cli, &answer, err, "/v1/jobs?job=%s&state=%s&limit=1", field_text(job, "id"),
                state) < 0)
        return -1;
    return json_object_set(job, "worst", json_array_get(json_object_get(answer, "tasks"), 0));
}

static void print_worst(const json_t *worst)
{
    own_str char *outcome = NULL, *text = NULL;

    if (!json_is_object(worst))
        return;
    outcome = task_end(worst);
    text = xasprintf("%s %s", field_text(worst, "id"), outcome);
    line("worst", text);
}

static void print_figures(const json_t *task)
{
    char text[SHORT_BYTES];

    if (field_time(task, "started"))
        line("elapsed", task_elapsed(task, clock_wall_ms(), text, sizeof text));
    if (!json_is_null(json_object_get(task, "cpu_seconds")) && field_time(task, "finished")) {
        snprintf(text, sizeof text, "%.2f s", field_real(task, "cpu_seconds"));
        line("cpu time", text);
    }
    if (field_int(task, "max_rss_bytes"))
        line("memory", short_bytes(field_int(task, "max_rss_bytes"), text, sizeof text));
}

static void print_retries(const json_t *task)
{
    own_buf struct buf text = BUF_INIT(0);
    static const struct {
        const char *key, *word;
    } budgets[] = { { "user_retries_used", "of its own" },
                    { "infra_retries_used", "for faults of sites" },
                    { "preempt_retries_used", "for machines taken back" } };

    for (size_t i = 0; i < array_len(budgets); i++)
        if (field_int(task, budgets[i].key))
            buf_printf(&text, "%s%lld %s", text.length ? ", " : "",
                       (long long)field_int(task, budgets[i].key), budgets[i].word);
    line("retries", buf_text(&text));
}

static void print_dependencies(const json_t *task)
{
    const json_t *list = json_object_get(task, "dependencies");
    size_t i;
    json_t *on;

    json_array_foreach(list, i, on)
    {
        own_str char *text =
            xasprintf("%lld (%s)%s%s", (long long)field_int(on, "job"), field_text(on, "on"),
                      *field_text(on, "state") ? ": " : "", field_text(on, "state"));

        line(i ? "" : "after", text);
    }
}

static const struct column attempt_columns[] = {
    { "ATTEMPT", true, false }, { "STATE", false, false }, { "REASON", false, false },
    { "SITE", false, false },   { "WORKER", false, true }, { "STARTED", true, false },
    { "ELAPSED", true, false }, { "DETAIL", false, true }, { NULL, false, false },
};

static void print_attempts(struct cli *cli, const json_t *attempts)
{
    own_table struct table *table = table_new(attempt_columns);
    int64_t now = clock_wall_ms();
    char text[SHORT_BYTES];
    size_t i;
    json_t *attempt;

    json_array_foreach(attempts, i, attempt)
    {
        own_str char *reason = task_reason(attempt);
        const char *state = field_text(attempt, "state");

        if (json_is_integer(json_object_get(attempt, "node")))
            table_cellf(table, "%lld node %lld", (long long)field_int(attempt, "attempt"),
                        (long long)field_int(attempt, "node"));
        else
            table_cellf(table, "%lld", (long long)field_int(attempt, "attempt"));
        table_cell_styled(table, state, style_of_state(state));
        table_cell(table, reason);
        table_cell(table, field_text(attempt, "site"));
        table_cell(table, field_text(attempt, "worker"));
        table_cell(table, short_time(field_time(attempt, "started"), now, text, sizeof text));
        table_cell(table, task_elapsed(attempt, now, text, sizeof text));
        table_cell(table, field_text(attempt, "detail"));
    }
    if (table_rows(table) == 0)
        return;
    putchar('\n');
    table_print(table, &cli->term);
}

/* What to type next. */
static void print_hint(const json_t *task)
{
    const char *state = field_text(task, "state"), *id = field_text(task, "id");

    if (json_object_get(task, "counts") && task_total(task) > 1)
        printf("\n`spillway ls --all %s` lists its tasks.\n", id);
    else if (strcmp(state, "pending") == 0)
        printf("\n`spillway explain %s` says why it waits.\n", id);
    else if (strcmp(state, "failed") == 0)
        printf("\n`spillway logs %s` shows what it wrote; `spillway retry %s` runs it again.\n", id,
               id);
}

static void print_task(struct cli *cli, const json_t *task, const json_t *attempts)
{
    line("id", field_text(task, "id"));
    line("name", field_text(task, "name"));
    line("project", field_text(task, "project"));
    line("user", field_text(task, "user"));
    print_state(task);
    print_worst(json_object_get(task, "worst"));
    line("array", field_text(task, "array"));
    print_dependencies(task);
    line("site", field_text(task, "site"));
    line("worker", field_text(task, "worker"));
    time_line("submitted", task, "submitted");
    time_line("started", task, "started");
    time_line("finished", task, "finished");
    print_figures(task);
    print_retries(task);
    print_attempts(cli, attempts);
    if (cli->term.out_is_tty)
        print_hint(task);
}

/* What no site can ever run as things are waits for no other reason: said here too. */
static int add_never(struct cli *cli, json_t *task, struct err *err)
{
    own_json json_t *answer = NULL;

    if (strcmp(field_text(task, "state"), "pending") != 0 || *field_text(task, "reason"))
        return 0;
    if (cli_get(cli, &answer, err, "/v1/jobs/%s/explain", field_text(task, "id")) < 0)
        return -1;
    if (json_is_true(json_object_get(answer, "never"))) {
        json_object_set(task, "reason", json_object_get(answer, "reason"));
        json_object_set(task, "detail", json_object_get(answer, "text"));
    }
    return 0;
}

static int show_one(struct cli *cli, const char *id, bool description, json_t *list,
                    struct err *err)
{
    own_json json_t *task = NULL, *attempts = NULL;

    if (cli_get(cli, &task, err, "/v1/jobs/%s", id) < 0)
        return err_wrap(err, "%s", id);
    if (description) {
        print_json(json_object_get(task, "description"));
        return 0;
    }
    if (add_worst(cli, task, err) < 0 || add_never(cli, task, err) < 0)
        return err_wrap(err, "%s", id);
    /* An array's attempts are its tasks'; they are shown with each of them. */
    if (!json_object_get(task, "counts") || task_total(task) == 1 || strchr(id, '.'))
        if (cli_get(cli, &attempts, err, "/v1/jobs/%s/attempts", id) < 0)
            return err_wrap(err, "%s", id);
    if (!cli->json) {
        print_task(cli, task, json_object_get(attempts, "attempts"));
        return 0;
    }
    if (attempts)
        json_object_set(task, "attempts", json_object_get(attempts, "attempts"));
    json_array_append(list, task);
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    own_json json_t *list = json_array();

    if (job_ids_check(args, err) < 0)
        return -1;
    for (size_t i = 0; i < args->word_count; i++) {
        if (i && !cli->json)
            putchar('\n');
        if (show_one(cli, args->words[i], args_has(args, "description"), list, err) < 0)
            return -1;
    }
    if (cli->json && json_array_size(list))
        print_json(args->word_count == 1 ? json_array_get(list, 0) : list);
    return EXIT_OK;
}

const struct command command_show = {
    .name = "show",
    .help = "all that is known of a job or a task",
    .synopsis = "[OPTIONS] ID...",
    .text =
        "Shows state, reason, place, times, figures and attempts of a job, or of one task of an "
        "array; of an array, how many tasks are in each state and the worst of them.  With --json, "
        "one object (a list, for several ids) with the fields of `ls` and the description, "
        "dependencies and attempts; of an array, counts and worst (a task, or null).",
    .options = options,
    .example = "spillway show 12.7\n"
               "spillway show --json 12 | jq .attempts",
    .exits = "0 done, 3 no such job",
    .words = COMPLETES_JOB,
    .words_least = 1,
    .words_most = -1,
    .run = run,
};
