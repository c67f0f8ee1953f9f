/* SPDX-License-Identifier: Apache-2.0 */
/* workers.c - `spillway workers`: the machines, pods and processes that run agents. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"

#define LIST_MOST 10000 /* the API's bound */

static const struct option ls_options[] = {
    { "all", 'a', NULL, "those that are gone too", COMPLETES_NOTHING },
    { "site", 's', "SITE", "only those at this site", COMPLETES_SITE },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static const struct column columns[] = {
    { "NAME", false, false },   { "SITE", false, false },  { "SHAPE", false, true },
    { "STATE", false, false },  { "TASKS", true, false },  { "CREATED", true, false },
    { "REASON", false, false }, { "DETAIL", false, true }, { NULL, false, false },
};

static int name_check(const char *name, struct err *err)
{
    if (!*name || strlen(name) > 128 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                     "UVWXYZ0123456789-_.") != strlen(name))
        return err_set(err, FAULT_INVALID,
                       "'%.60s' is not the name of a worker (see `spillway "
                       "workers`)",
                       name);
    return 0;
}

static void print_list(struct cli *cli, const json_t *list)
{
    own_table struct table *table = table_new(columns);
    int64_t now = clock_wall_ms();
    char text[SHORT_BYTES];
    size_t i;
    json_t *worker;

    json_array_foreach(list, i, worker)
    {
        const char *state = field_text(worker, "state");

        table_cell(table, field_text(worker, "name"));
        table_cell(table, field_text(worker, "site"));
        table_cell(table, field_text(worker, "shape"));
        table_cell_styled(table, state, style_of_state(state));
        table_cellf(table, "%zu", json_array_size(json_object_get(worker, "attempts")));
        table_cell(table, short_time(field_time(worker, "created"), now, text, sizeof text));
        table_cell(table, field_text(worker, "reason"));
        table_cell(table, field_text(worker, "detail"));
    }
    table_print(table, &cli->term);
}

static int run_ls(struct cli *cli, const struct args *args, struct err *err)
{
    own_buf struct buf path = BUF_INIT(0);
    own_json json_t *answer = NULL;

    buf_printf(&path, "/v1/workers?limit=%d", LIST_MOST);
    if (args_has(args, "all"))
        query_add(&path, "all", "1");
    query_add(&path, "site", args_get(args, "site"));
    if (cli_get(cli, &answer, err, "%s", buf_text(&path)) < 0)
        return -1;
    if (json_array_size(json_object_get(answer, "workers")) == LIST_MOST)
        warn("only the first %d are shown; --site SITE shows those of one site", LIST_MOST);
    if (cli->json)
        print_json(json_object_get(answer, "workers"));
    else if (json_array_size(json_object_get(answer, "workers")))
        print_list(cli, json_object_get(answer, "workers"));
    else if (cli->term.err_is_tty)
        fputs("No workers.\n", stderr);
    return EXIT_OK;
}

static int run_show(struct cli *cli, const struct args *args, struct err *err)
{
    own_json json_t *answer = NULL;

    if (name_check(args->words[0], err) < 0 ||
        cli_get(cli, &answer, err, "/v1/workers/%s", args->words[0]) < 0)
        return -1;
    if (cli->json)
        print_json(answer);
    else
        print_object(answer);
    return EXIT_OK;
}

static int change(struct cli *cli, const struct args *args, bool remove, struct err *err)
{
    own_json json_t *list = json_array();
    struct client *client;

    if (cli_client(cli, &client, err) < 0)
        return -1;
    for (size_t i = 0; i < args->word_count; i++) {
        own_reply struct reply reply = REPLY_INIT;
        own_str char *path = NULL;
        struct call call = { .method = remove ? "DELETE" : "POST", .repeats = true };

        if (name_check(args->words[i], err) < 0)
            return -1;
        path = xasprintf("/v1/workers/%s%s", args->words[i], remove ? "" : "/drain");
        call.path = path;
        if (client_call(client, &call, &reply, err) < 0)
            return err_wrap(err, "%s", args->words[i]);
        json_array_append_new(list, json_string(args->words[i]));
        if (!cli->json)
            printf("%s: %s\n", args->words[i],
                   remove ? "will be removed; its tasks run elsewhere"
                          : "takes no new tasks, and goes when its own have ended");
    }
    if (cli->json)
        print_json(list);
    return EXIT_OK;
}

static int run_drain(struct cli *cli, const struct args *args, struct err *err)
{
    return change(cli, args, false, err);
}

static int run_rm(struct cli *cli, const struct args *args, struct err *err)
{
    return change(cli, args, true, err);
}

#define EXITS "0 done, 3 no such worker, 4 you are no operator"

static const struct command command_show_worker = {
    .name = "show",
    .help = "all that is known of a worker",
    .synopsis = "WORKER",
    .example = "spillway workers show spillway-1a2b3c4d-7",
    .exits = EXITS,
    .words = COMPLETES_WORKER,
    .words_least = 1,
    .words_most = 1,
    .run = run_show,
};

static const struct command command_drain_worker = {
    .name = "drain",
    .help = "give workers nothing new; they go when empty",
    .synopsis = "WORKER...",
    .example = "spillway workers drain spillway-1a2b3c4d-7",
    .exits = EXITS,
    .words = COMPLETES_WORKER,
    .words_least = 1,
    .words_most = -1,
    .run = run_drain,
};

static const struct command command_rm_worker = {
    .name = "rm",
    .help = "destroy workers; their tasks go back to the queue",
    .synopsis = "WORKER...",
    .text =
        "Destroys workers now.  Their tasks go back to the queue and run elsewhere; it costs their "
        "owners none of their retries.",
    .example = "spillway workers rm spillway-1a2b3c4d-7",
    .exits = EXITS,
    .words = COMPLETES_WORKER,
    .words_least = 1,
    .words_most = -1,
    .run = run_rm,
};

static const struct command *const worker_commands[] = { &command_show_worker,
                                                         &command_drain_worker, &command_rm_worker,
                                                         NULL };

const struct command command_workers = {
    .name = "workers",
    .help = "list workers; show, drain, rm",
    .synopsis = "[OPTIONS] | show|drain|rm WORKER...",
    .text = "Lists the workers: the VMs, pods, batch allocations and processes that run tasks.",
    .options = ls_options,
    .example = "spillway workers --site local\n"
               "spillway workers show spillway-1a2b3c4d-7",
    .exits = EXITS,
    .subs = worker_commands,
    .run = run_ls,
};
