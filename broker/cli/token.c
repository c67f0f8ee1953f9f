/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - `spillway token`: who may speak with the broker over the network. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"

static const struct option add_options[] = {
    { "user", 'u', "USER", "whose jobs it is for (default: NAME)", COMPLETES_NOTHING },
    { "role", 'r', "ROLE", "user, operator or admin (default: user)", COMPLETES_NOTHING },
    { "project", 'p', "PROJECT", "also this project's jobs; may be repeated", COMPLETES_NOTHING },
    { "expires", 'e', "WHEN", "a time, or a span from now: 90d (default: never)",
      COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static int expiry(const struct args *args, json_t *body, struct err *err)
{
    const char *text = args_get(args, "expires");
    char time[FORMAT_BYTES];
    int64_t ms = 0, span = 0;

    if (!text)
        return 0;
    if (parse_span(text, &span, NULL) == 0)
        ms = clock_wall_ms() + span;
    else if (parse_time(text, &ms, err) < 0)
        return err_wrap(err, "--expires");
    json_object_set_new(body, "expires", json_string(format_time(ms, time, sizeof time)));
    return 0;
}

static int run_add(struct cli *cli, const struct args *args, struct err *err)
{
    const char *name = args->words[0], *user = args_get(args, "user"),
               *role = args_get(args, "role");
    own_json json_t *body = json_pack("{s:s, s:s, s:s, s:[]}", "name", name, "user",
                                      user ? user : name, "role", role ? role : "user", "projects");
    own_json json_t *answer = NULL;

    if (!body)
        return err_set(err, FAULT_INVALID, "names must be UTF-8");
    for (size_t i = 0; i < args->given_count; i++)
        if (strcmp(args->given[i].option->name, "project") == 0)
            json_array_append_new(json_object_get(body, "projects"),
                                  json_string(args->given[i].value));
    if (expiry(args, body, err) < 0 || cli_post(cli, "/v1/tokens", body, &answer, err) < 0)
        return -1;
    if (cli->json) {
        print_json(answer);
        return EXIT_OK;
    }
    printf("%s\n", field_text(answer, "token"));
    warn(
        "token %lld for %s; it is shown this once.  Use it as SPILLWAY_TOKEN, or keep it in a file "
        "for --token-file",
        (long long)field_int(answer, "id"), user ? user : name);
    return EXIT_OK;
}

static const struct column columns[] = {
    { "ID", true, false },      { "NAME", false, true },     { "USER", false, false },
    { "ROLE", false, false },   { "PROJECTS", false, true }, { "CREATED", true, false },
    { "EXPIRES", true, false }, { "USED", true, false },     { "STATE", false, false },
    { NULL, false, false },
};

static void put_projects(struct table *table, const json_t *projects)
{
    own_buf struct buf text = BUF_INIT(0);
    size_t i;
    json_t *project;

    json_array_foreach(projects, i, project)
    {
        buf_printf(&text, "%s%s", i ? "," : "", json_string_value(project));
    }
    table_cell(table, json_is_string(projects) ? json_string_value(projects) : buf_text(&text));
}

static const char *token_state(const json_t *token, int64_t now)
{
    int64_t expires = field_time(token, "expires");

    if (field_time(token, "revoked"))
        return "revoked";
    return expires && expires < now ? "expired" : "valid";
}

static int run_ls(struct cli *cli, const struct args *args, struct err *err)
{
    own_table struct table *table = table_new(columns);
    own_json json_t *answer = NULL;
    int64_t now = clock_wall_ms();
    char text[SHORT_BYTES];
    size_t i;
    json_t *token;

    (void)args;
    if (cli_get(cli, &answer, err, "/v1/tokens") < 0)
        return -1;
    if (cli->json) {
        print_json(json_object_get(answer, "tokens"));
        return EXIT_OK;
    }
    json_array_foreach(json_object_get(answer, "tokens"), i, token)
    {
        table_cellf(table, "%lld", (long long)field_int(token, "id"));
        table_cell(table, field_text(token, "name"));
        table_cell(table, field_text(token, "user"));
        table_cell(table, field_text(token, "role"));
        put_projects(table, json_object_get(token, "projects"));
        table_cell(table, short_time(field_time(token, "created"), now, text, sizeof text));
        table_cell(table, short_time(field_time(token, "expires"), now, text, sizeof text));
        table_cell(table, short_time(field_time(token, "used"), now, text, sizeof text));
        table_cell(table, token_state(token, now));
    }
    table_print(table, &cli->term);
    return EXIT_OK;
}

static int run_revoke(struct cli *cli, const struct args *args, struct err *err)
{
    struct client *client;

    if (cli_client(cli, &client, err) < 0)
        return -1;
    for (size_t i = 0; i < args->word_count; i++) {
        own_reply struct reply reply = REPLY_INIT;
        own_str char *path = NULL;
        struct call call = { .method = "DELETE" };
        int64_t id;

        if (parse_i64(args->words[i], 1, INT64_MAX, &id, err) < 0)
            return err_wrap(err, "the id of a token (see `spillway token ls`)");
        path = xasprintf("/v1/tokens/%lld", (long long)id);
        call.path = path;
        if (client_call(client, &call, &reply, err) < 0)
            return err_wrap(err, "token %s", args->words[i]);
        if (!cli->json)
            printf("token %s revoked\n", args->words[i]);
    }
    if (cli->json) {
        own_json json_t *object = json_pack("{s:i}", "revoked", (int)args->word_count);

        print_json(object);
    }
    return EXIT_OK;
}

static const struct command command_token_add = {
    .name = "add",
    .help = "make a token, and print it this once",
    .synopsis = "[OPTIONS] NAME",
    .text = "Makes a token, and prints it: the broker keeps only its hash.",
    .options = add_options,
    .example = "spillway token add --user alice --project genomics --expires 90d laptop",
    .exits = "0 done, 4 you are no administrator",
    .words_least = 1,
    .words_most = 1,
    .run = run_add,
};

static const struct command command_token_ls = {
    .name = "ls",
    .help = "list tokens",
    .synopsis = "",
    .example = "spillway token ls",
    .exits = "0 done, 4 you are no administrator",
    .run = run_ls,
};

static const struct command command_token_revoke = {
    .name = "revoke",
    .help = "make tokens useless",
    .synopsis = "ID...",
    .example = "spillway token revoke 3",
    .exits = "0 done, 3 no such token, 4 you are no administrator",
    .words_least = 1,
    .words_most = -1,
    .run = run_revoke,
};

static const struct command *const token_commands[] = { &command_token_add, &command_token_ls,
                                                        &command_token_revoke, NULL };

const struct command command_token = {
    .name = "token",
    .help = "who may use the broker over the network: add, ls, revoke",
    .synopsis = "COMMAND",
    .text =
        "Makes, lists and revokes the tokens with which people and programs use the broker over "
        "TLS.  On the broker's own socket nobody needs one.  For administrators.",
    .example = "spillway token add --user alice laptop\n"
               "spillway token ls",
    .exits = "0 done, 4 you are no administrator",
    .subs = token_commands,
};
