/* SPDX-License-Identifier: Apache-2.0 */
/* sacct.c - `sacct`: tasks, ended ones too, with what they used. */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/slurm/slurm.h"
#include "conf/options.h"

#define COLUMNS_MOST 64
#define FORMAT_USUAL "JobID,JobName,Partition,Account,AllocCPUS,State,ExitCode"
#define FORMAT_BRIEF "JobID,State,ExitCode"

static const struct option options[] = {
    { "allocations", 'X', NULL, "no line for the batch step", COMPLETES_NOTHING },
    { "parsable", 'p', NULL, "fields parted and ended by '|'", COMPLETES_NOTHING },
    { "parsable2", 'P', NULL, "fields parted by '|'", COMPLETES_NOTHING },
    { "delimiter", 0, "TEXT", "instead of '|'", COMPLETES_NOTHING },
    { "noheader", 'n', NULL, "no line of headings", COMPLETES_NOTHING },
    { "format", 'o', "FIELDS", "such as JobID,State%20,MaxRSS", COMPLETES_NOTHING },
    { "brief", 'b', NULL, "id, state and exit code", COMPLETES_NOTHING },
    { "jobs", 'j', "IDS", "these jobs", COMPLETES_NOTHING },
    { "user", 'u', "USERS", "of these users", COMPLETES_NOTHING },
    { "uid", 0, "USERS", "the same", COMPLETES_NOTHING },
    { "allusers", 'a', NULL, "of all users", COMPLETES_NOTHING },
    { "name", 0, "NAMES", "of these names", COMPLETES_NOTHING },
    { "state", 's', "STATES", "in these states", COMPLETES_NOTHING },
    { "accounts", 'A', "NAMES", "of these projects", COMPLETES_NOTHING },
    { "partition", 'r', "NAMES", "at these sites", COMPLETES_NOTHING },
    { "starttime", 'S', "TIME", "not ended before then (default: today's midnight)",
      COMPLETES_NOTHING },
    { "endtime", 'E', "TIME", "submitted before then", COMPLETES_NOTHING },
    { "duplicates", 'D', NULL, "has no meaning here", COMPLETES_NOTHING },
    { "allclusters", 'L', NULL, "has no meaning here", COMPLETES_NOTHING },
    { "array", 0, NULL, "a row for each task of an array", COMPLETES_NOTHING },
    { "helpformat", 'e', NULL, "name the fields", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

struct report {
    const struct slurm_field *fields[COLUMNS_MOST];
    const char *heads[COLUMNS_MOST];
    int widths[COLUMNS_MOST];
    size_t count;
    const char *parted; /* NULL: in columns */
    bool ended;         /* the last field too */
};

static const char *const known[] = {
    "Account",  "AllocCPUS", "AllocNodes", "AllocTRES",       "AveRSS",    "Cluster",
    "Comment",  "CPUTime",   "CPUTimeRAW", "DerivedExitCode", "Elapsed",   "ElapsedRaw",
    "Eligible", "End",       "ExitCode",   "JobID",           "JobIDRaw",  "JobName",
    "MaxRSS",   "NCPUS",     "NNodes",     "NodeList",        "Partition", "Priority",
    "QOS",      "Reason",    "ReqCPUS",    "ReqMem",          "ReqNodes",  "ReqTRES",
    "Restarts", "Start",     "State",      "Submit",          "Timelimit", "TotalCPU",
    "UID",      "User",      "WorkDir",
};

/* "State%20", "State%-20" */
static int add_field(struct report *report, char *word, struct err *err)
{
    char *percent = strchr(word, '%');
    int64_t width = 0;
    size_t i = 0;

    if (percent)
        *percent++ = '\0';
    while (i < array_len(known) && strcasecmp(known[i], word) != 0)
        i++;
    if (i == array_len(known) || report->count == COLUMNS_MOST)
        return err_set(err, FAULT_INVALID, "Invalid field requested: \"%.60s\"", word);
    report->heads[report->count] = known[i];
    report->fields[report->count] =
        slurm_field_named(strcmp(known[i], "State") == 0 ? "StateBy" : known[i]);
    report->widths[report->count] = report->fields[report->count]->width;
    if (percent && parse_i64(percent, -1000, 1000, &width, NULL) == 0)
        report->widths[report->count] = (int)width;
    report->count++;
    return 0;
}

static int make_report(const struct args *args, struct report *report, struct err *err)
{
    const char *format = args_get(args, "format"), *delimiter = args_get(args, "delimiter");
    own_str char *copy = NULL;
    char *one, *rest;

    if (!format)
        format = getenv("SACCT_FORMAT");
    if (!format)
        format = args_has(args, "brief") ? FORMAT_BRIEF : FORMAT_USUAL;
    copy = xstrdup(format);
    rest = copy;
    while ((one = strsep(&rest, ",")))
        if (*one && add_field(report, one, err) < 0)
            return -1;
    if (args_has(args, "parsable") || args_has(args, "parsable2"))
        report->parted = delimiter ? delimiter : "|";
    report->ended = args_has(args, "parsable") && !args_has(args, "parsable2");
    return 0;
}

/* `row` NULL: the headings. */
static void put_line(const struct report *report, struct slurm_row *row, struct buf *out)
{
    for (size_t i = 0; i < report->count; i++) {
        own_buf struct buf cell = BUF_INIT(0);

        if (row)
            report->fields[i]->put(row, &cell);
        else
            buf_puts(&cell, report->heads[i]);
        if (report->parted) {
            own_str char *safe = safe_text(buf_text(&cell));

            buf_printf(out, "%s%s", safe,
                       i + 1 < report->count || report->ended ? report->parted : "");
            continue;
        }
        slurm_pad(out, buf_text(&cell), report->widths[i], true);
        buf_putc(out, ' ');
    }
    buf_putc(out, '\n');
}

static void put_head(const struct report *report, struct buf *out)
{
    put_line(report, NULL, out);
    for (size_t i = 0; !report->parted && i < report->count; i++) {
        for (int n = abs(report->widths[i]); n > 0; n--)
            buf_putc(out, '-');
        buf_puts(out, i + 1 < report->count ? " " : " \n");
    }
}

/* ---- which ---------------------------------------------------------------------------------------
 */

static int64_t midnight(int64_t now_ms)
{
    time_t now = (time_t)(now_ms / 1000);
    struct tm tm;

    if (!localtime_r(&now, &tm))
        return 0;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return (int64_t)mktime(&tm) * 1000;
}

static int read_window(const struct args *args, int64_t now_ms, int64_t *from, int64_t *to,
                       struct err *err)
{
    const char *start = args_get(args, "starttime"), *end = args_get(args, "endtime");
    char text[64];

    *from = args_has(args, "jobs") ? 0 : midnight(now_ms);
    *to = INT64_MAX;
    if (start && strncmp(start, "now-", 4) == 0) { /* "now-7days": as "now+", the other way */
        snprintf(text, sizeof text, "now+%.50s", start + 4);
        if (job_option_time(text, now_ms, from, err) < 0)
            return err_wrap(err, "--starttime");
        *from = 2 * now_ms - *from;
    } else if (start && job_option_time(start, now_ms, from, err) < 0) {
        return err_wrap(err, "--starttime");
    }
    if (end && job_option_time(end, now_ms, to, err) < 0)
        return err_wrap(err, "--endtime");
    return 0;
}

static bool is_within(const json_t *task, int64_t from, int64_t to)
{
    int64_t finished = field_time(task, "finished");

    return (!finished || finished >= from) && field_time(task, "submitted") <= to;
}

static const char *users_of(const struct args *args)
{
    if (args_has(args, "allusers") || args_has(args, "jobs"))
        return args_get(args, "user");
    if (args_has(args, "user"))
        return args_get(args, "user");
    return args_has(args, "uid") ? args_get(args, "uid") : slurm_user();
}

static void put_task(const struct args *args, const struct report *report, struct slurm_row *row,
                     struct buf *out)
{
    row->step = false;
    put_line(report, row, out);
    if (args_has(args, "allocations") || !field_time(row->task, "started"))
        return;
    row->step = true;
    put_line(report, row, out);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    struct slurm_query query = { .jobs = args_get(args, "jobs"),
                                 .users = users_of(args),
                                 .names = args_get(args, "name"),
                                 .states = args_get(args, "state"),
                                 .accounts = args_get(args, "accounts"),
                                 .partitions = args_get(args, "partition"),
                                 .expand = args_has(args, "array"),
                                 .ended = true };
    own_json json_t *tasks = json_array();
    own_buf struct buf out = BUF_INIT(0);
    struct slurm_row row = { .cli = cli, .now_ms = clock_wall_ms(), .err = err };
    struct report report = { .count = 0 };
    int64_t from, to;
    json_t *task;
    size_t i;

    for (i = 0; args_has(args, "helpformat") && i < array_len(known); i++)
        printf("%s\n", known[i]);
    if (args_has(args, "helpformat"))
        return 0;
    if (make_report(args, &report, err) < 0 || read_window(args, row.now_ms, &from, &to, err) < 0 ||
        slurm_tasks(cli, &query, tasks, err) < 0)
        return -1;
    row.details = slurm_details_new();
    if (!args_has(args, "noheader"))
        put_head(&report, &out);
    json_array_foreach(tasks, i, task)
    {
        row.task = task;
        if (is_within(task, from, to))
            put_task(args, &report, &row, &out);
    }
    slurm_details_free(row.details);
    if (err->fault)
        return -1;
    fwrite(buf_text(&out), 1, out.length, stdout);
    return 0;
}

const struct command command_sacct = {
    .name = "sacct",
    .help = "lists tasks, ended ones too, and what they used",
    .synopsis = "[OPTIONS]",
    .options = options,
    .example = "sacct -nPX -j 12 -o JobID,State,ExitCode",
    .run = run,
};
