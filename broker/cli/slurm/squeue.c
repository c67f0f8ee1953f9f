/* SPDX-License-Identifier: Apache-2.0 */
/* squeue.c - `squeue`: tasks that have not ended, in a format of the caller's. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/slurm/slurm.h"

#define COLUMNS_MOST 64
#define FORMAT_BRIEF "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
#define FORMAT_LONG  "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R"
#define WIDTH_OF_O   20

static const struct option options[] = {
    { "noheader", 'h', NULL, "no line of headings", COMPLETES_NOTHING },
    { "format", 'o', "FORMAT", "columns, as \"%i %T\"", COMPLETES_NOTHING },
    { "Format", 'O', "NAMES", "columns by name, as JobID:10,State", COMPLETES_NOTHING },
    { "long", 'l', NULL, "more columns", COMPLETES_NOTHING },
    { "jobs", 'j', "IDS", "only these jobs", COMPLETES_NOTHING },
    { "job", 0, "IDS", "the same", COMPLETES_NOTHING },
    { "user", 'u', "USERS", "only jobs of these users", COMPLETES_NOTHING },
    { "me", 0, NULL, "only mine", COMPLETES_NOTHING },
    { "name", 'n', "NAMES", "only jobs of these names", COMPLETES_NOTHING },
    { "states", 't', "STATES", "only tasks in these states; all: ended ones too",
      COMPLETES_NOTHING },
    { "state", 0, "STATES", "the same", COMPLETES_NOTHING },
    { "account", 'A', "NAMES", "only jobs of these projects", COMPLETES_NOTHING },
    { "partition", 'p', "NAMES", "only jobs at these sites", COMPLETES_NOTHING },
    { "array", 'r', NULL, "a row for each task of an array", COMPLETES_NOTHING },
    { "start", 0, NULL, "only what waits", COMPLETES_NOTHING },
    { "all", 'a', NULL, "has no meaning here", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

/* Text, then a field. */
struct column {
    char *before;
    const struct slurm_field *field; /* NULL: text alone */
    int width;                       /* 0: as it is; negative: to the left */
};

struct format {
    struct column list[COLUMNS_MOST];
    size_t count;
};

static void format_free(struct format *format)
{
    for (size_t i = 0; i < format->count; i++)
        free(format->list[i].before);
}

/* "%.10i": a width without '.' is to the left, with one to the right. */
static int read_format(const char *text, struct format *out, struct err *err)
{
    own_buf struct buf before = BUF_INIT(0);

    for (const char *s = text; *s;) {
        struct column column = { .width = 0 };
        bool right = false;

        if (*s != '%' || !s[1]) {
            buf_putc(&before, *s++);
            continue;
        }
        for (s++; *s == '.' || *s == '-' || *s == '0'; s++)
            right = right || *s == '.';
        for (; isdigit((unsigned char)*s) && column.width < 1000; s++)
            column.width = column.width * 10 + (*s - '0');
        if (!right)
            column.width = -column.width;
        column.field = slurm_field_lettered(*s);
        if (!*s || !column.field || out->count == COLUMNS_MOST - 1)
            return err_set(err, FAULT_INVALID, "Invalid job format specification: %%%c", *s);
        s++;
        column.before = xstrdup(buf_text(&before));
        before.length = 0;
        buf_puts(&before, "");
        if (before.data)
            before.data[0] = '\0';
        out->list[out->count++] = column;
    }
    if (before.length)
        out->list[out->count++] = (struct column){ .before = xstrdup(buf_text(&before)) };
    return 0;
}

/* "JobID:10,State:.8" */
static int read_names(const char *text, struct format *out, struct err *err)
{
    while (*text) {
        size_t length = strcspn(text, ",");
        own_str char *one = xstrndup(text, length);
        char *colon = strchr(one, ':');
        struct column column = { .width = -WIDTH_OF_O };
        int64_t width = 0;

        if (colon) {
            bool right = colon[1] == '.';

            *colon = '\0';
            colon += 1 + right;
            if (parse_i64(colon, 1, 1000, &width, NULL) == 0)
                column.width = right ? (int)width : -(int)width;
        }
        column.field = slurm_field_named(one);
        if (!column.field || out->count == COLUMNS_MOST)
            return err_set(err, FAULT_INVALID, "Invalid job format specification: %.60s", one);
        column.before = xstrdup("");
        out->list[out->count++] = column;
        text += length + (text[length] == ',');
    }
    return 0;
}

static void put_columns(const struct format *format, struct slurm_row *row, struct buf *out)
{
    for (size_t i = 0; i < format->count; i++) {
        const struct column *column = &format->list[i];
        own_buf struct buf cell = BUF_INIT(0);

        buf_puts(out, column->before);
        if (!column->field)
            continue;
        if (row)
            column->field->put(row, &cell);
        else
            buf_puts(&cell, column->field->header);
        slurm_pad(out, buf_text(&cell), column->width, true);
    }
    buf_putc(out, '\n');
}

static int make_format(const struct args *args, struct format *format, struct err *err)
{
    const char *names = args_get(args, "Format"), *text = args_get(args, "format");

    if (names)
        return read_names(names, format, err);
    if (!text)
        text = getenv("SQUEUE_FORMAT");
    if (!text)
        text = args_has(args, "long") ? FORMAT_LONG : FORMAT_BRIEF;
    return read_format(text, format, err);
}

static void make_query(const struct args *args, struct slurm_query *query)
{
    const char *states = args_get(args, "states");

    *query = (struct slurm_query){
        .jobs = args_get(args, args_has(args, "jobs") ? "jobs" : "job"),
        .users = args_has(args, "me") ? slurm_user() : args_get(args, "user"),
        .names = args_get(args, "name"),
        .states = states ? states : args_get(args, "state"),
        .accounts = args_get(args, "account"),
        .partitions = args_get(args, "partition"),
        .expand = args_has(args, "array"),
    };
    if (args_has(args, "start"))
        query->states = "PENDING";
    query->ended = query->states && strcasecmp(query->states, "pending") != 0 &&
                   strcasecmp(query->states, "running") != 0;
    if (query->states && slurm_has_word(query->states, "all"))
        query->states = NULL;
}

static int print(struct cli *cli, const struct args *args, const struct format *format,
                 const json_t *tasks, struct err *err)
{
    own_buf struct buf out = BUF_INIT(0);
    struct slurm_row row = {
        .cli = cli, .now_ms = clock_wall_ms(), .details = slurm_details_new(), .err = err
    };
    json_t *task;
    size_t i;

    if (!args_has(args, "noheader"))
        put_columns(format, NULL, &out);
    json_array_foreach(tasks, i, task)
    {
        row.task = task;
        put_columns(format, &row, &out);
    }
    slurm_details_free(row.details);
    if (err->fault)
        return -1;
    fwrite(buf_text(&out), 1, out.length, stdout);
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    own_json json_t *tasks = json_array();
    struct format format = { .count = 0 };
    struct slurm_query query;
    int rc;

    make_query(args, &query);
    if (make_format(args, &format, err) < 0)
        rc = -1;
    else if (slurm_tasks(cli, &query, tasks, err) < 0)
        rc = slurm_load_fault(err);
    else
        rc = print(cli, args, &format, tasks, err);
    format_free(&format);
    return rc;
}

const struct command command_squeue = {
    .name = "squeue",
    .help = "lists tasks that have not ended",
    .synopsis = "[OPTIONS]",
    .options = options,
    .example = "squeue --me -h -o '%i %T'",
    .run = run,
};
