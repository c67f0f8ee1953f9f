/* SPDX-License-Identifier: Apache-2.0 */
/* usage.c - `spillway usage`: who used how much where; `--shares`: who stands where in the fair
 * share. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "conf/options.h"

static const struct option options[] = {
    { "from", 0, "TIME", "from this time or day on, or a span ago: 7d (default: 30d)",
      COMPLETES_NOTHING },
    { "to", 0, "TIME", "up to this time (default: now)", COMPLETES_NOTHING },
    { "shares", 0, NULL, "the fair share of each project, and what it comes from",
      COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static const struct column columns[] = {
    { "PROJECT", false, true },   { "USER", false, false },     { "SITE", false, false },
    { "TASKS", true, false },     { "SUCCEEDED", true, false }, { "FAILED", true, false },
    { "CANCELLED", true, false }, { "CPU H", true, false },     { "CORE H", true, false },
    { "GPU H", true, false },     { NULL, false, false },
};

static void print_usage(struct cli *cli, const json_t *list)
{
    static const char *const texts[] = { "project", "user", "site" };
    static const char *const counts[] = { "tasks", "succeeded", "failed", "cancelled" };
    static const char *const hours[] = { "cpu_hours", "core_hours", "gpu_hours" };
    own_table struct table *table = table_new(columns);
    size_t i;
    json_t *row;

    json_array_foreach(list, i, row)
    {
        for (size_t c = 0; c < array_len(texts); c++)
            table_cell(table, field_text(row, texts[c]));
        for (size_t c = 0; c < array_len(counts); c++)
            table_cellf(table, "%lld", (long long)field_int(row, counts[c]));
        for (size_t c = 0; c < array_len(hours); c++)
            table_cellf(table, "%.2f", field_real(row, hours[c]));
    }
    table_print(table, &cli->term);
}

/* A time, or so long ago; in the API's form. */
static int time_option(const struct args *args, const char *name, int64_t usual, char *out,
                       size_t size, struct err *err)
{
    const char *text = args_get(args, name);
    int64_t now = clock_wall_ms(), ms = now - usual, span = 0;

    if (text && parse_span(text, &span, NULL) == 0)
        ms = now - span;
    else if (text && job_option_time(text, now, &ms, err) < 0)
        return err_wrap(err, "--%s", name);
    format_time(ms, out, size);
    return 0;
}

static const struct column share_columns[] = {
    { "PROJECT", false, true }, { "WEIGHT", true, false }, { "USAGE", true, false },
    { "USER", false, false },   { "WEIGHT", true, false }, { "USAGE", true, false },
    { "RUNNING", true, false }, { "CPUS", true, false },   { "WAITING", true, false },
    { NULL, false, false },
};

static int shares(struct cli *cli, struct err *err)
{
    static const char *const project[] = { "project_weight", "project_usage" };
    static const char *const user[] = { "user_weight", "user_usage" };
    own_table struct table *table = table_new(share_columns);
    own_json json_t *answer = NULL;
    const json_t *list;
    size_t i;
    json_t *row;

    if (cli_get(cli, &answer, err, "/v1/shares") < 0)
        return -1;
    list = json_is_array(answer) ? answer : json_object_get(answer, "shares");
    if (cli->json) {
        print_json(list);
        return EXIT_OK;
    }
    json_array_foreach(list, i, row)
    {
        table_cell(table, field_text(row, "project"));
        for (size_t c = 0; c < array_len(project); c++)
            table_cellf(table, "%.4g", field_real(row, project[c]));
        table_cell(table, field_text(row, "user"));
        for (size_t c = 0; c < array_len(user); c++)
            table_cellf(table, "%.4g", field_real(row, user[c]));
        table_cellf(table, "%lld", (long long)field_int(row, "running"));
        table_cellf(table, "%lld", (long long)field_int(row, "cpus"));
        table_cellf(table, "%lld", (long long)field_int(row, "waiting"));
    }
    table_print(table, &cli->term);
    return EXIT_OK;
}

#define MONTH_MS (INT64_C(30) * 86400000)

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    own_buf struct buf path = BUF_INIT(0);
    own_json json_t *answer = NULL;
    const json_t *list;
    char from[FORMAT_BYTES], to[FORMAT_BYTES];

    if (args_has(args, "shares"))
        return shares(cli, err);
    if (time_option(args, "from", MONTH_MS, from, sizeof from, err) < 0 ||
        time_option(args, "to", 0, to, sizeof to, err) < 0)
        return -1;
    buf_puts(&path, "/v1/usage");
    query_add(&path, "from", from);
    query_add(&path, "to", to);
    if (cli_get(cli, &answer, err, "%s", buf_text(&path)) < 0)
        return -1;
    list = json_object_get(answer, "usage");
    if (cli->json)
        print_json(list);
    else
        print_usage(cli, list);
    return EXIT_OK;
}

const struct command command_usage = {
    .name = "usage",
    .help = "who used how much, and where",
    .synopsis = "[OPTIONS]",
    .text =
        "Sums up the attempts that ended in a time: tasks, CPU hours, core hours (cores asked for "
        "times time) and GPU hours for each project, user and site.",
    .options = options,
    .example = "spillway usage --from 7d\n"
               "spillway usage --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z --json",
    .run = run,
};
