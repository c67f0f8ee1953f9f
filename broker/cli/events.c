/* SPDX-License-Identifier: Apache-2.0 */
/* events.c - `spillway events`: what happened, and with -f what happens. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/follow.h"

#define LIMIT_DEFAULT 1000

static const struct option options[] = {
    { "follow", 'f', NULL, "go on with what happens from now on", COMPLETES_NOTHING },
    { "job", 'j', "ID", "only events of this job", COMPLETES_JOB },
    { "after", 0, "EVENT", "only events after this id", COMPLETES_NOTHING },
    { "limit", 'l', "N", "at most N events (default 1000)", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

/* "task.running  12.7  local  user-exit: words" */
static void print_event(struct cli *cli, const json_t *event)
{
    own_buf struct buf line = BUF_INIT(0);
    own_str char *safe = NULL;
    char at[SHORT_BYTES];
    const char *state = field_text(event, "state");

    if (cli->json) {
        print_json_line(event);
        return;
    }
    buf_printf(&line, "%-8s  %-16s",
               short_time(field_time(event, "time"), clock_wall_ms(), at, sizeof at),
               field_text(event, "kind"));
    if (*field_text(event, "task"))
        buf_printf(&line, "  %s", field_text(event, "task"));
    if (*state)
        buf_printf(&line, "  %s", state);
    if (*field_text(event, "site"))
        buf_printf(&line, "  at %s", field_text(event, "site"));
    if (*field_text(event, "reason"))
        buf_printf(&line, "  %s", field_text(event, "reason"));
    if (*field_text(event, "detail"))
        buf_printf(&line, ": %s", field_text(event, "detail"));
    safe = safe_text(buf_text(&line));
    printf("%s%s%s\n", style_begin(&cli->term, style_of_state(state)), safe,
           style_end(&cli->term, style_of_state(state)));
    fflush(stdout);
}

static int follow(struct cli *cli, const char *path, const char *after, struct err *err)
{
    own_follower struct follower *follower = NULL;
    struct client *client;
    int rc;

    if (cli_client(cli, &client, err) < 0)
        return -1;
    follower = follower_open(cli, path, after);
    for (;;) {
        json_t *event = NULL;

        rc = follower_next(follower, 60000, &event, err);
        if (rc < 0)
            return -1;
        if (rc == 1)
            print_event(cli, event);
        json_decref(event);
        if (ferror(stdout))
            return EXIT_OK;
    }
}

static int list(struct cli *cli, const struct args *args, const char *query, struct err *err)
{
    own_str char *cursor = args_get(args, "after") ? xstrdup(args_get(args, "after")) : NULL;
    own_json json_t *all = json_array();
    int64_t limit = LIMIT_DEFAULT;
    bool more = true;

    if (args_i64(args, "limit", 1, 10000000, &limit, err) < 0)
        return -1;
    while (more && (int64_t)json_array_size(all) < limit) {
        own_buf struct buf path = BUF_INIT(0);
        own_json json_t *answer = NULL;
        const json_t *events;
        int64_t want = limit - (int64_t)json_array_size(all);

        buf_printf(&path, "%s%climit=%lld", query, strchr(query, '?') ? '&' : '?',
                   (long long)(want < 1000 ? want : 1000));
        query_add(&path, "after", cursor);
        if (cli_get(cli, &answer, err, "%s", buf_text(&path)) < 0)
            return -1;
        events = json_object_get(answer, "events");
        more = json_array_size(events) > 0;
        json_array_extend(all, (json_t *)events);
        free(cursor);
        cursor = NULL;
        if (json_is_integer(json_object_get(answer, "cursor")))
            cursor = xasprintf("%lld", (long long)field_int(answer, "cursor"));
        else if (*field_text(answer, "cursor"))
            cursor = xstrdup(field_text(answer, "cursor"));
        more = more && cursor;
    }
    if ((int64_t)json_array_size(all) == limit && more && !args_has(args, "limit"))
        warn("there may be more; --limit N shows up to N, --after ID goes on from there");
    if (cli->json)
        print_json(all);
    for (size_t i = 0; !cli->json && i < json_array_size(all); i++)
        print_event(cli, json_array_get(all, i));
    return EXIT_OK;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    own_buf struct buf path = BUF_INIT(0);

    buf_puts(&path, "/v1/events");
    if (args_has(args, "job")) {
        if (job_id_check(args_get(args, "job"), err) < 0)
            return -1;
        query_add(&path, "job", args_get(args, "job"));
    }
    if (!args_has(args, "follow"))
        return list(cli, args, buf_text(&path), err);
    query_add(&path, "follow", "1");
    return follow(cli, buf_text(&path), args_get(args, "after"), err);
}

const struct command command_events = {
    .name = "events",
    .help = "what happened; with -f, what happens",
    .synopsis = "[OPTIONS]",
    .text = "Lists what happened to your jobs, oldest first; with -f, goes on with what happens, "
            "through restarts of the broker.  With --json a list, with -f too one object a line.",
    .options = options,
    .example = "spillway events -f --json | jq 'select(.state == \"failed\")'\n"
               "spillway events --job 12",
    .run = run,
};
