/* SPDX-License-Identifier: Apache-2.0 */
/* notices.c - `spillway notices`: what was told to whom, what waits, and dead letters. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"

static int get_all(struct cli *cli, const struct args *args, json_t *list, struct err *err)
{
    own_buf struct buf query = BUF_INIT(0);

    buf_puts(&query, "/v1/notices");
    query_add(&query, "state", args_get(args, "state"));
    return cli_get_all(cli, buf_text(&query), "notices", list, err);
}

static int run_ls(struct cli *cli, const struct args *args, struct err *err)
{
    static const struct column columns[] = {
        { "ID", true, false },     { "CREATED", true, false }, { "STATE", false, false },
        { "EVENT", false, false }, { "JOB", true, false },     { "NAME", false, true },
        { "TARGET", false, true }, { "TRIES", true, false },   { "ERROR", false, true },
        { NULL, false, false },
    };
    own_table struct table *table = table_new(columns);
    own_json json_t *list = json_array();
    char text[SHORT_BYTES];
    size_t i;
    json_t *one;

    if (get_all(cli, args, list, err) < 0)
        return -1;
    if (cli->json) {
        print_json(list);
        return EXIT_OK;
    }
    json_array_foreach(list, i, one)
    {
        const json_t *event = json_object_get(one, "event");

        table_cellf(table, "%lld", (long long)field_int(one, "id"));
        table_cell(table,
                   short_time(field_time(one, "created"), clock_wall_ms(), text, sizeof text));
        table_cell(table, field_text(one, "state"));
        table_cell(table, field_text(event, "event"));
        table_cellf(table, "%lld", (long long)field_int(event, "job"));
        table_cell(table, field_text(event, "name"));
        table_cell(table, field_text(one, "target"));
        table_cellf(table, "%lld", (long long)field_int(one, "tries"));
        table_cell(table, field_text(one, "error"));
    }
    table_print(table, &cli->term);
    return EXIT_OK;
}

static const struct option ls_options[] = {
    { "state", 's', "STATE", "pending, done or dead alone", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static const struct command command_notices_ls = {
    .name = "ls",
    .help = "list what was told, what waits and what could not be delivered",
    .synopsis = "[--state STATE]",
    .options = ls_options,
    .example = "spillway notices ls --state dead",
    .run = run_ls,
};

static int run_replay(struct cli *cli, const struct args *args, struct err *err)
{
    own_json json_t *list = json_array();

    for (size_t i = 0; i < args->word_count; i++) {
        own_str char *path = NULL;
        own_json json_t *answer = NULL;
        int64_t id;

        if (parse_i64(args->words[i], 1, INT64_MAX, &id, err) < 0)
            return err_wrap(err, "the id of a notice (see `spillway notices ls`)");
        path = xasprintf("/v1/notices/%lld/replay", (long long)id);
        if (cli_post(cli, path, NULL, &answer, err) < 0)
            return err_wrap(err, "%s", args->words[i]);
        json_array_append(list, answer);
        if (!cli->json)
            printf("notice %s: tried again\n", args->words[i]);
    }
    if (cli->json)
        print_json(list);
    return EXIT_OK;
}

static const struct command command_notices_replay = {
    .name = "replay",
    .help = "try dead ones again, from now",
    .synopsis = "ID...",
    .example = "spillway notices replay 17",
    .exits = "0 done, 3 no such notice, 5 it is not dead",
    .words_least = 1,
    .words_most = -1,
    .run = run_replay,
};

static const struct command *const subs[] = { &command_notices_ls, &command_notices_replay, NULL };

const struct command command_notices = {
    .name = "notices",
    .help = "webhooks and mail: what was sent, dead letters",
    .synopsis = "COMMAND ...",
    .text = "Jobs and schedules with `notify:` tell of what happened to them.  What could not be "
            "delivered for hours is kept as dead.",
    .example = "spillway notices ls",
    .subs = subs,
};
