/* SPDX-License-Identifier: Apache-2.0 */
/* schedule.c - `spillway schedule`: recurring jobs. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/describe.h"
#include "cli/schedule.h"
#include "cli/table.h"
#include "cron/coming.h"
#include "cron/plan.h"

#define NEXT_COUNT 10
#define NEXT_MOST  10000

/* ---- next: the coming times ------------------------------------------------------------------ */

/* A schedule made ready, under the name it is shown by. */
struct coming {
    const char *name; /* NULL: an expression from the command line */
    struct plan plan;
    struct zone *zone;
};

static void coming_fini(struct coming *coming)
{
    zone_free(coming->zone);
}

static int add_coming(const struct args *args, const struct coming *coming, json_t *list,
                      struct err *err)
{
    struct cron_mark mark = { clock_wall_ms() / 1000, CRON_NEVER };
    const char *from = args_get(args, "from");
    int64_t count = NEXT_COUNT;

    if (args_i64(args, "count", 1, NEXT_MOST, &count, err) < 0)
        return -1;
    if (from && coming_from(from, coming->zone, &mark.utc, err) < 0)
        return err_wrap(err, "--from");
    coming_list(&coming->plan, coming->zone, coming->name, mark, count, list);
    return 0;
}

/* The words of a cron line, quoted or not. */
static int next_of_words(const struct args *args, const char *const *words, json_t *list,
                         struct err *err)
{
    own(coming_fini) struct coming coming = { .name = NULL };
    own_buf struct buf line = BUF_INIT(4 * CRON_TEXT_MOST);
    own_json json_t *schedule = NULL;
    const char *zone = args_get(args, "timezone"), *name = args_get(args, "name");

    for (; *words; words++)
        if (buf_printf(&line, "%s%s", line.length ? " " : "", *words) < 0)
            return err_set(err, FAULT_INVALID, "the expression is too long");
    schedule = json_pack("{s:s}", "cron", buf_text(&line));
    if (!schedule)
        return err_set(err, FAULT_INVALID, "the expression is not UTF-8");
    if (plan_parse(schedule, plan_seed(NULL, name ? name : ""), &coming.plan, err) < 0 ||
        zone_load(zone ? zone : PLAN_ZONE_DEFAULT, &coming.zone, err) < 0)
        return -1;
    return add_coming(args, &coming, list, err);
}

/* The key that a plan's fault begins with, as a pointer into the description. */
static int draft_plan_fault(const struct args *args, const struct draft *draft, struct err *fault,
                            struct err *err)
{
    char pointer[80] = "/schedule";
    const char *colon = strstr(fault->text, ": "), *words = fault->text;
    char *cut;

    if (colon && strcspn(fault->text, " ") > (size_t)(colon - fault->text)) {
        snprintf(pointer, sizeof pointer, "/schedule/%.*s", (int)(colon - fault->text),
                 fault->text);
        words = colon + 2;
    }
    cut = strstr(fault->text, "; ");
    if (cut)
        *cut = '\0';
    draft_fault(args, draft, pointer, words, cut ? cut + 2 : NULL);
    return err_set(err, FAULT_INVALID, "the schedule has a fault");
}

static int next_of_draft(const struct args *args, const struct draft *draft, json_t *list,
                         struct err *err)
{
    own(coming_fini) struct coming coming = { .name = draft->spec.name };
    const json_t *schedule = draft->spec.schedule;
    struct err fault = ERR_INIT;

    if (plan_parse(schedule, plan_seed(draft->spec.project, draft->spec.name), &coming.plan,
                   &fault) < 0)
        return draft_plan_fault(args, draft, &fault, err);
    if (zone_load(plan_zone(schedule), &coming.zone, &fault) < 0) {
        err_wrap(&fault, "timezone");
        return draft_plan_fault(args, draft, &fault, err);
    }
    return add_coming(args, &coming, list, err);
}

static int next_of_file(const struct args *args, json_t *list, struct err *err)
{
    own_drafts struct drafts drafts = { .list = NULL };
    size_t found = 0;

    if (drafts_read(args, &drafts, err) < 0)
        return -1;
    if (drafts_check(args, &drafts, err) < 0)
        return err_set(err, FAULT_INVALID, "the description has faults");
    for (size_t i = 0; i < drafts.count; i++) {
        if (!drafts.list[i].spec.schedule)
            continue;
        found++;
        if (next_of_draft(args, &drafts.list[i], list, err) < 0)
            return -1;
    }
    if (!found)
        return err_set(err, FAULT_INVALID, "%s has no 'schedule:'; a cron line goes behind '--'",
                       args->words[0]);
    return 0;
}

/* No such file here: one that the broker keeps. */
static int next_of_name(struct cli *cli, const struct args *args, json_t *list, struct err *err)
{
    own_json json_t *times = NULL;

    if (schedule_next_kept(cli, args, &times, err) < 0)
        return err_wrap(err, "%s (no such file here, so asked of the broker)", args->words[0]);
    json_array_extend(list, times);
    return 0;
}

static void print_coming(struct cli *cli, const json_t *list)
{
    static const struct column columns[] = {
        { "LOCAL", false, false },
        { "UTC", false, false },
        { "NOTE", false, true },
        { NULL, false, false },
    };
    own_table struct table *table = table_new(columns);
    size_t i;
    json_t *entry;

    json_array_foreach((json_t *)(uintptr_t)list, i, entry)
    {
        table_cellf(table, "%s %s", field_text(entry, "local"), field_text(entry, "abbreviation"));
        table_cell(table, field_text(entry, "time"));
        table_cell(table, field_text(entry, "note"));
    }
    table_print(table, &cli->term);
}

static int run_next(struct cli *cli, const struct args *args, struct err *err)
{
    own_json json_t *list = json_array();
    const char *word = args->word_count ? args->words[0] : NULL;
    int rc = 0;

    if (args->rest && args->rest[0] && !word)
        rc = next_of_words(args, args->rest, list, err);
    else if (!word || args->rest)
        return err_set(err, FAULT_INVALID, "give a job file, or a cron line behind '--'");
    else if (strchr(word, ' ') || word[0] == '@')
        rc = next_of_words(args, args->words, list, err);
    else if (strcmp(word, "-") != 0 && !strchr(word, '/') && access(word, F_OK) != 0)
        rc = next_of_name(cli, args, list, err);
    else
        rc = next_of_file(args, list, err);
    if (rc < 0)
        return -1;
    if (cli->json)
        print_json(list);
    else if (json_array_size(list) == 0)
        puts("nothing more to come");
    else
        print_coming(cli, list);
    return EXIT_OK;
}

static const struct option next_options[] = {
    { "count", 'n', "N", "so many times (default 10)", COMPLETES_NOTHING },
    { "from", 0, "TIME",
      "those after TIME (default: now); with an offset, as in "
      "2026-12-01T08:00:00+01:00, or by the schedule's own clock",
      COMPLETES_NOTHING },
    { "timezone", 0, "ZONE", "of a cron line, such as Europe/Paris (default UTC)",
      COMPLETES_NOTHING },
    { "name", 0, "NAME", "of a cron line: what H is hashed from", COMPLETES_NOTHING },
    { "user", 'u', "USER", "of NAME: whose (for those who see others')", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static const struct command command_schedule_next = {
    .name = "next",
    .help = "show the coming times, in the schedule's zone and in UTC",
    .synopsis = "[OPTIONS] FILE | NAME | -- CRON LINE",
    .text =
        "Shows when a schedule will fire, without adding anything.  A job file needs no broker; a "
        "NAME is a schedule that the broker keeps.  Times that daylight saving skips or repeats "
        "are remarked on.",
    .options = next_options,
    .example = "spillway schedule next nightly.yaml -n 3\n"
               "spillway schedule next --timezone Europe/Paris -- '30 2 * * mon-fri'",
    .exits = "0 done, 2 wrong use, 7 the schedule is not valid",
    .words = COMPLETES_FILE,
    .words_least = 0,
    .words_most = 1,
    .takes_rest = true,
    .run = run_next,
};

static const struct command *const schedule_commands[] = {
    &command_schedule_add,     &command_schedule_ls,
    &command_schedule_show,    &command_schedule_next,
    &command_schedule_pause,   &command_schedule_resume,
    &command_schedule_trigger, &command_schedule_history,
    &command_schedule_rm,      NULL,
};

const struct command command_schedule = {
    .name = "schedule",
    .help = "recurring jobs: add, list, see coming times, pause, run now",
    .synopsis = "COMMAND ...",
    .text = "A job file with a `schedule:` recurs once it is added.  docs/schedules.md has the "
            "whole of "
            "what a schedule can say.",
    .example = "spillway schedule add nightly.yaml\nspillway schedule ls",
    .subs = schedule_commands,
};
