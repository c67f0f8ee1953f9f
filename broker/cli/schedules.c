/* SPDX-License-Identifier: Apache-2.0 */
/* schedules.c - `spillway schedule add|ls|show|pause|resume|trigger|history|rm`: what the broker
 * keeps. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/schedule.h"
#include "cli/submit.h"
#include "cli/table.h"

void schedule_path(const struct args *args, const char *name, const char *verb, struct buf *out)
{
    buf_puts(out, "/v1/schedules/");
    query_escape(out, name);
    if (verb)
        buf_printf(out, "/%s", verb);
    query_add(out, "user", args_get(args, "user"));
}

int schedule_next_kept(struct cli *cli, const struct args *args, json_t **out, struct err *err)
{
    own_buf struct buf path = BUF_INIT(0);
    own_json json_t *answer = NULL;

    schedule_path(args, args->words[0], "next", &path);
    query_add(&path, "count", args_get(args, "count"));
    query_add(&path, "from", args_get(args, "from"));
    if (cli_get(cli, &answer, err, "%s", buf_text(&path)) < 0)
        return -1;
    *out = json_incref(json_object_get(answer, "times"));
    return *out ? 0 : err_set(err, FAULT_INTERNAL, "the broker's answer has no times");
}

/* ---- add ------------------------------------------------------------------------------------- */

/* Documents without a schedule run with the one before them, which is of the same file. */
static int check_files(const struct args *args, const struct drafts *drafts, struct err *err)
{
    for (size_t i = 0; i < drafts->count; i++) {
        const struct draft *draft = &drafts->list[i];

        if (draft->spec.schedule || (i > 0 && draft->source == draft[-1].source))
            continue;
        draft_fault(args, draft, "", "has no schedule",
                    "say when it is to run, as in schedule: {cron: \"0 3 * * *\"}, in the first of "
                    "the documents that run together");
        return err_set(err, FAULT_INVALID, "the description has a fault; nothing was added");
    }
    return 0;
}

static int run_add(struct cli *cli, const struct args *args, struct err *err)
{
    own_drafts struct drafts drafts = { .list = NULL };
    own_json json_t *answer = NULL;
    const json_t *list;
    size_t i;
    json_t *one;

    if (drafts_read(args, &drafts, err) < 0 || drafts_check(args, &drafts, err) < 0 ||
        check_files(args, &drafts, err) < 0 ||
        submit_drafts_to(cli, args, &drafts, "/v1/schedules", &answer, err) < 0)
        return -1;
    list = json_object_get(answer, "schedules");
    if (cli->json) {
        print_json(list);
        return EXIT_OK;
    }
    json_array_foreach(list, i, one)
    {
        own_str char *name = safe_text(field_text(one, "name"));

        printf("schedule %s: %s, version %lld\n", name,
               strcmp(field_text(one, "result"), "same") == 0 ? "as it was"
                                                              : field_text(one, "result"),
               (long long)field_int(one, "version"));
    }
    return EXIT_OK;
}

static const struct option add_options[] = {
    { "anyway", 0, NULL, "add it also when no site can ever run it as things are",
      COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

const struct command command_schedule_add = {
    .name = "add",
    .help = "add recurring jobs, or change them",
    .synopsis = "FILE...",
    .text = "Adds the jobs of YAML files that have a `schedule:`, all or none; documents behind it "
            "without one run together with it.  Input files are brought to the broker now, and "
            "each run gets them as they are now.  Adding a name again makes a new version: runs "
            "keep the version that they began with.",
    .example = "spillway schedule add nightly.yaml",
    .exits = "0 added, 2 wrong use, 6 no broker, 7 a fault in the description, or no site can ever "
             "run it",
    .options = add_options,
    .words = COMPLETES_FILE,
    .words_least = 1,
    .words_most = -1,
    .run = run_add,
};

/* ---- ls and show ----------------------------------------------------------------------------- */

static int get_all(struct cli *cli, const struct args *args, json_t *list, struct err *err)
{
    own_buf struct buf query = BUF_INIT(0);

    buf_puts(&query, "/v1/schedules");
    query_add(&query, "user", args_get(args, "user"));
    return cli_get_all(cli, buf_text(&query), "schedules", list, err);
}

static const char *when_text(const json_t *schedule)
{
    static const char *const keys[] = { "cron", "every", "at" };
    const json_t *rule = json_object_get(schedule, "schedule");

    for (size_t i = 0; i < array_len(keys); i++)
        if (*field_text(rule, keys[i]))
            return field_text(rule, keys[i]);
    return "";
}

/* "succeeded", "running", "never ran". */
static const char *last_text(const json_t *last)
{
    if (!json_is_object(last))
        return "-";
    return *field_text(last, "state") ? field_text(last, "state") : "not ended";
}

static void put_row(struct table *table, const json_t *one, int64_t now)
{
    const json_t *last = json_object_get(one, "last");
    char text[SHORT_BYTES];

    table_cell(table, field_text(one, "name"));
    table_cell(table, field_text(one, "user"));
    table_cell(table, field_text(one, "state"));
    table_cell(table, when_text(one));
    table_cell(table, field_text(one, "timezone"));
    table_cell(table, short_time(field_time(one, "next"), now, text, sizeof text));
    table_cell(table, json_is_object(last)
                          ? short_time(field_time(last, "time"), now, text, sizeof text)
                          : "-");
    table_cell_styled(table, last_text(last), style_of_state(field_text(last, "state")));
    if (json_is_object(last))
        table_cell(table, short_span(field_int(last, "late_ms"), text, sizeof text));
    else
        table_cell(table, "-");
}

/* Once for each site: the schedules that it concerns are many. */
static void print_credentials(const json_t *list)
{
    own_json json_t *said = json_object();
    size_t i;
    json_t *one;

    json_array_foreach(list, i, one)
    {
        const json_t *credential = json_object_get(one, "credential");
        const char *site = field_text(credential, "site");
        own_str char *safe = safe_text(site), *name = safe_text(field_text(one, "name"));

        if (!json_is_object(credential) || json_object_get(said, site))
            continue;
        json_object_set_new(said, site, json_true());
        printf("The credential of site %s ends at %s, before a run of %s; renew it.\n", safe,
               field_text(credential, "end"), name);
    }
}

static int run_ls(struct cli *cli, const struct args *args, struct err *err)
{
    static const struct column columns[] = {
        { "NAME", false, true }, { "USER", false, false },    { "STATE", false, false },
        { "WHEN", false, true }, { "TIMEZONE", false, true }, { "NEXT", true, false },
        { "LAST", true, false }, { "OUTCOME", false, false }, { "LATE", true, false },
        { NULL, false, false },
    };
    own_table struct table *table = table_new(columns);
    own_json json_t *list = json_array();
    int64_t now = clock_wall_ms();
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
        put_row(table, one, now);
    }
    table_print(table, &cli->term);
    print_credentials(list);
    return EXIT_OK;
}

static const struct option user_options[] = {
    { "user", 'u', "USER", "whose schedules (for those who see others')", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

const struct command command_schedule_ls = {
    .name = "ls",
    .help = "list schedules: last and next run, outcome, lateness",
    .synopsis = "[--user USER]",
    .text = "Lists the schedules that you see.  NEXT and LAST are in this machine's local time; "
            "LATE is how long after its time the last run was queued.",
    .options = user_options,
    .example = "spillway schedule ls",
    .run = run_ls,
};

static int run_show(struct cli *cli, const struct args *args, struct err *err)
{
    own_buf struct buf path = BUF_INIT(0);
    own_json json_t *answer = NULL;

    schedule_path(args, args->words[0], NULL, &path);
    query_add(&path, "version", args_get(args, "version"));
    if (cli_get(cli, &answer, err, "%s", buf_text(&path)) < 0)
        return -1;
    if (cli->json)
        print_json(answer);
    else
        print_object(answer);
    return EXIT_OK;
}

static const struct option show_options[] = {
    { "user", 'u', "USER", "whose schedule (for those who see others')", COMPLETES_NOTHING },
    { "version", 0, "N", "as it was in an earlier version", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

#define EXITS "0 done, 3 no such schedule, 6 no broker"

const struct command command_schedule_show = {
    .name = "show",
    .help = "all that is known of one, with its description and inputs",
    .synopsis = "[--version N] NAME",
    .text = "Shows a schedule with its description.  Inputs bear the SHA-256 of their content: "
            "what a run of that version had.",
    .options = show_options,
    .example = "spillway schedule show nightly --json",
    .exits = EXITS,
    .words_least = 1,
    .words_most = 1,
    .run = run_show,
};

/* ---- history --------------------------------------------------------------------------------- */

/* "12", "12-14", "-": ids of one run follow each other. */
static const char *jobs_text(const json_t *one, char *out, size_t size)
{
    long long first = (long long)field_int(one, "job");
    size_t count = json_array_size(json_object_get(one, "jobs"));

    if (!first)
        return "-";
    if (count > 1)
        snprintf(out, size, "%lld-%lld", first, first + (long long)count - 1);
    else
        snprintf(out, size, "%lld", first);
    return out;
}

static void put_firing(struct table *table, const json_t *one, int64_t now)
{
    char text[SHORT_BYTES], jobs[48];
    int64_t missed = field_int(one, "missed");

    table_cell(table, short_time(field_time(one, "time"), now, text, sizeof text));
    if (missed > 1)
        table_cellf(table, "%s x%lld", field_text(one, "outcome"), (long long)missed);
    else
        table_cell(table, field_text(one, "outcome"));
    table_cell(table, jobs_text(one, jobs, sizeof jobs));
    table_cell_styled(table, field_text(one, "state"), style_of_state(field_text(one, "state")));
    table_cellf(table, "%lld", (long long)field_int(one, "version"));
    table_cell(table, field_text(one, "why"));
}

static int run_history(struct cli *cli, const struct args *args, struct err *err)
{
    static const struct column columns[] = {
        { "TIME", true, false },   { "OUTCOME", false, false }, { "JOBS", true, false },
        { "STATE", false, false }, { "VERSION", true, false },  { "WHY", false, true },
        { NULL, false, false },
    };
    own_table struct table *table = table_new(columns);
    own_buf struct buf path = BUF_INIT(0);
    own_json json_t *answer = NULL;
    const json_t *list;
    size_t i;
    json_t *one;

    schedule_path(args, args->words[0], "history", &path);
    query_add(&path, "limit", args_get(args, "limit"));
    if (cli_get(cli, &answer, err, "%s", buf_text(&path)) < 0)
        return -1;
    list = json_object_get(answer, "firings");
    if (cli->json) {
        print_json(list);
        return EXIT_OK;
    }
    json_array_foreach(list, i, one)
    {
        put_firing(table, one, clock_wall_ms());
    }
    table_print(table, &cli->term);
    return EXIT_OK;
}

static const struct option history_options[] = {
    { "user", 'u', "USER", "whose schedule (for those who see others')", COMPLETES_NOTHING },
    { "limit", 'n', "N", "so many, the newest (default 100)", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

const struct command command_schedule_history = {
    .name = "history",
    .help = "what it fired, skipped and missed, newest first",
    .synopsis = "[-n N] NAME",
    .text = "Shows each instant with its jobs, how they ended, and the version that ran; `show "
            "--version N` has that version's inputs.",
    .options = history_options,
    .example = "spillway schedule history -n 30 nightly",
    .exits = EXITS,
    .words_least = 1,
    .words_most = 1,
    .run = run_history,
};

/* ---- changes --------------------------------------------------------------------------------- */

/* One call for each name; all are tried, the last fault decides. */
static int change_all(struct cli *cli, const struct args *args, const char *method,
                      const char *verb, const json_t *body, struct err *err)
{
    own_str char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    own_json json_t *list = json_array();
    struct client *client;
    int rc = EXIT_OK;

    if (cli_client(cli, &client, err) < 0)
        return -1;
    for (size_t i = 0; i < args->word_count; i++) {
        own_buf struct buf path = BUF_INIT(0);
        own_json json_t *answer = NULL;
        struct call call = { .method = method, .body = text };
        char jobs[48];

        if (rc < 0)
            warn("%s", err->text);
        schedule_path(args, args->words[i], verb, &path);
        call.path = buf_text(&path);
        call.body_length = text ? strlen(text) : 0;
        if (client_json(client, &call, &answer, err) < 0) {
            rc = -1;
            continue;
        }
        json_array_append(list, answer);
        if (!cli->json && field_int(answer, "job"))
            printf("job %s queued: %s\n", jobs_text(answer, jobs, sizeof jobs), args->words[i]);
        else if (!cli->json)
            printf("schedule %s: %s\n", args->words[i], field_text(answer, "state"));
    }
    if (cli->json)
        print_json(list);
    return rc;
}

static int run_pause(struct cli *cli, const struct args *args, struct err *err)
{
    const char *reason = args_get(args, "reason");
    own_json json_t *body = reason ? json_pack("{s:s}", "reason", reason) : json_object();

    if (!body)
        return err_set(err, FAULT_INVALID, "--reason is not UTF-8");
    return change_all(cli, args, "POST", "pause", body, err);
}

static const struct option pause_options[] = {
    { "user", 'u', "USER", "whose schedule (for those who see others')", COMPLETES_NOTHING },
    { "reason", 0, "TEXT", "kept with it, for others to see", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

const struct command command_schedule_pause = {
    .name = "pause",
    .help = "fire nothing until it is resumed",
    .synopsis = "[--reason TEXT] NAME...",
    .text = "What runs goes on.  What comes due while it is paused is not made up for.",
    .options = pause_options,
    .example = "spillway schedule pause --reason 'storage is moved' nightly",
    .exits = EXITS,
    .words_least = 1,
    .words_most = -1,
    .run = run_pause,
};

static int run_resume(struct cli *cli, const struct args *args, struct err *err)
{
    return change_all(cli, args, "POST", "resume", NULL, err);
}

const struct command command_schedule_resume = {
    .name = "resume",
    .help = "go on from now, also after failures paused it",
    .synopsis = "NAME...",
    .options = user_options,
    .example = "spillway schedule resume nightly",
    .exits = EXITS,
    .words_least = 1,
    .words_most = -1,
    .run = run_resume,
};

static int run_trigger(struct cli *cli, const struct args *args, struct err *err)
{
    return change_all(cli, args, "POST", "trigger", NULL, err);
}

const struct command command_schedule_trigger = {
    .name = "trigger",
    .help = "run it once, now, also while it is paused",
    .synopsis = "NAME...",
    .text = "Queues one run now, whatever the rule and a pause say.  {scheduled_time} is now.",
    .options = user_options,
    .example = "spillway schedule trigger nightly",
    .exits = "0 queued, 3 no such schedule, 5 it fired in this very second, 6 no broker",
    .words_least = 1,
    .words_most = -1,
    .run = run_trigger,
};

static int run_rm(struct cli *cli, const struct args *args, struct err *err)
{
    return change_all(cli, args, "DELETE", NULL, NULL, err);
}

const struct command command_schedule_rm = {
    .name = "rm",
    .help = "remove it, with its history; its jobs stay",
    .synopsis = "NAME...",
    .options = user_options,
    .example = "spillway schedule rm nightly",
    .exits = EXITS,
    .words_least = 1,
    .words_most = -1,
    .run = run_rm,
};
