/* SPDX-License-Identifier: Apache-2.0 */
/* burst.c - `spillway burst`: jobs of a cluster's own queue that run elsewhere. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"

static int run_ls(struct cli *cli, const struct args *args, struct err *err)
{
    static const struct column columns[] = {
        { "ID", true, false },   { "SITE", false, false }, { "HOME-ID", true, false },
        { "NAME", false, true }, { "USER", false, true },  { "STATE", false, false },
        { "JOB", true, false },  { "TAKEN", true, false }, { "WHY", false, true },
        { NULL, false, false },
    };
    own_table struct table *table = table_new(columns);
    own_json json_t *list = json_array();
    char text[SHORT_BYTES];
    size_t i;
    json_t *one;

    if (cli_get_all(cli, args_has(args, "all") ? "/v1/bursts?all=true" : "/v1/bursts", "bursts",
                    list, err) < 0)
        return -1;
    if (cli->json) {
        print_json(list);
        return EXIT_OK;
    }
    json_array_foreach(list, i, one)
    {
        table_cellf(table, "%lld", (long long)field_int(one, "id"));
        table_cell(table, field_text(one, "site"));
        table_cell(table, field_text(one, "home"));
        table_cell(table, field_text(one, "name"));
        table_cell(table, field_text(one, "user"));
        table_cell(table, field_text(one, "state"));
        if (field_int(one, "job") > 0)
            table_cellf(table, "%lld", (long long)field_int(one, "job"));
        else
            table_cell(table, "");
        table_cell(table, short_time(field_time(one, "taken"), clock_wall_ms(), text, sizeof text));
        table_cell(table, field_text(one, "why"));
    }
    table_print(table, &cli->term);
    return EXIT_OK;
}

static const struct option ls_options[] = {
    { "all", 'a', NULL, "those that have ended too", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static const struct command command_burst_ls = {
    .name = "ls",
    .help = "list the jobs that are away, and why each went",
    .synopsis = "[--all]",
    .options = ls_options,
    .example = "spillway burst ls --all",
    .run = run_ls,
};

static int check_id(const char *text, struct err *err)
{
    int64_t id;

    return parse_i64(text, 1, INT64_MAX, &id, err) < 0
               ? err_wrap(err, "the id of a burst (see `spillway burst ls`)")
               : 0;
}

static int run_show(struct cli *cli, const struct args *args, struct err *err)
{
    static const char *const fields[] = { "site",    "home",  "name",      "user",
                                          "project", "state", "submitted", "taken",
                                          "changed", "why",   NULL };
    own_json json_t *answer = NULL;

    if (check_id(args->words[0], err) < 0 ||
        cli_get(cli, &answer, err, "/v1/bursts/%s", args->words[0]) < 0)
        return -1;
    if (cli->json) {
        print_json(answer);
        return EXIT_OK;
    }
    for (const char *const *field = fields; *field; field++)
        printf("%-10s %s\n", *field, field_text(answer, *field));
    if (field_int(answer, "job") > 0)
        printf("%-10s %lld (see `spillway show`)\n", "job", (long long)field_int(answer, "job"));
    return EXIT_OK;
}

static const struct command command_burst_show = {
    .name = "show",
    .help = "one of them",
    .synopsis = "ID",
    .example = "spillway burst show 7",
    .exits = "0 shown, 3 no such one",
    .words_least = 1,
    .words_most = 1,
    .run = run_show,
};

static int run_release(struct cli *cli, const struct args *args, struct err *err)
{
    own_json json_t *list = json_array();

    for (size_t i = 0; i < args->word_count; i++) {
        own_str char *path = NULL;
        own_json json_t *answer = NULL;

        if (check_id(args->words[i], err) < 0)
            return -1;
        path = xasprintf("/v1/bursts/%s/release", args->words[i]);
        if (cli_post(cli, path, NULL, &answer, err) < 0)
            return err_wrap(err, "%s", args->words[i]);
        json_array_append(list, answer);
        if (!cli->json)
            printf("burst %s: will run at home\n", args->words[i]);
    }
    if (cli->json)
        print_json(list);
    return EXIT_OK;
}

static const struct command command_burst_release = {
    .name = "release",
    .help = "end what runs elsewhere and let the original run at home",
    .synopsis = "ID...",
    .example = "spillway burst release 7",
    .exits = "0 done, 3 no such one, 5 it has ended",
    .words_least = 1,
    .words_most = -1,
    .run = run_release,
};

static const struct command *const subs[] = { &command_burst_ls, &command_burst_show,
                                              &command_burst_release, NULL };

const struct command command_burst = {
    .name = "burst",
    .help = "jobs of a cluster's own queue that run elsewhere",
    .synopsis = "COMMAND ...",
    .text = "A site with `burst:` in the site file has waiting jobs of its own queue run elsewhere "
            "when they would start sooner there.  They end at home with their results in place.",
    .example = "spillway burst ls",
    .subs = subs,
};
