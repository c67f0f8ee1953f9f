/* SPDX-License-Identifier: Apache-2.0 */
/* sinfo.c - `sinfo`: the sites, each a partition, and one that stands for all of them. */
#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "cli/slurm/slurm.h"

#define FORMAT_USUAL "%9P %.5a %.10l %.6D %.6t %N"

static const struct option options[] = {
    { "noheader", 'h', NULL, "no line of headings", COMPLETES_NOTHING },
    { "format", 'o', "FORMAT", "columns, as \"%P %a\"", COMPLETES_NOTHING },
    { "partition", 'p', "NAMES", "only these", COMPLETES_NOTHING },
    { "summarize", 's', NULL, "has no meaning here", COMPLETES_NOTHING },
    { "long", 'l', NULL, "has no meaning here", COMPLETES_NOTHING },
    { "Node", 'N', NULL, "has no meaning here", COMPLETES_NOTHING },
    { "all", 'a', NULL, "has no meaning here", COMPLETES_NOTHING },
    { "exact", 'e', NULL, "has no meaning here", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

struct partition {
    const char *name;
    bool usual, up;
    int64_t workers, busy;
};

static void put_one(const struct partition *p, char letter, struct buf *out)
{
    switch (letter) {
    case 'P':
        buf_printf(out, "%s%s", p->name, p->usual ? "*" : "");
        break;
    case 'R':
        buf_puts(out, p->name);
        break;
    case 'a':
        buf_puts(out, p->up ? "up" : "down");
        break;
    case 'l':
    case 'L':
        buf_puts(out, "infinite");
        break;
    case 'D':
        buf_printf(out, "%lld", (long long)p->workers);
        break;
    case 'A':
        buf_printf(out, "%lld/%lld", (long long)p->busy, (long long)(p->workers - p->busy));
        break;
    case 'F':
        buf_printf(out, "%lld/%lld/0/%lld", (long long)p->busy, (long long)(p->workers - p->busy),
                   (long long)p->workers);
        break;
    case 't':
    case 'T':
        buf_puts(out, !p->up                     ? "down"
                      : p->busy && letter == 't' ? "mix"
                      : p->busy                  ? "mixed"
                                                 : "idle");
        break;
    case 'N':
        buf_puts(out, p->name);
        break;
    default:
        break;
    }
}

static const char *head_of(char letter)
{
    static const struct {
        char letter;
        const char *head;
    } heads[] = {
        { 'P', "PARTITION" },  { 'R', "PARTITION" },      { 'a', "AVAIL" },
        { 'l', "TIMELIMIT" },  { 'L', "DEFAULTTIME" },    { 'D', "NODES" },
        { 'A', "NODES(A/I)" }, { 'F', "NODES(A/I/O/T)" }, { 't', "STATE" },
        { 'T', "STATE" },      { 'N', "NODELIST" },
    };

    for (size_t i = 0; i < array_len(heads); i++)
        if (heads[i].letter == letter)
            return heads[i].head;
    return NULL;
}

/* `p` NULL: the headings. */
static int put_line(const char *format, const struct partition *p, struct buf *out, struct err *err)
{
    for (const char *s = format; *s;) {
        own_buf struct buf cell = BUF_INIT(0);
        int width = 0;
        bool right = false;

        if (*s != '%' || !s[1]) {
            buf_putc(out, *s++);
            continue;
        }
        for (s++; *s == '.' || *s == '#'; s++)
            right = right || *s == '.';
        for (; isdigit((unsigned char)*s) && width < 1000; s++)
            width = width * 10 + (*s - '0');
        if (!*s || !head_of(*s))
            return err_set(err, FAULT_INVALID, "Invalid node format specification: %c", *s);
        if (p)
            put_one(p, *s, &cell);
        else
            buf_puts(&cell, head_of(*s));
        slurm_pad(out, buf_text(&cell), right ? width : -width, true);
        s++;
    }
    buf_putc(out, '\n');
    return 0;
}

static int put_partition(const struct args *args, const char *format, const struct partition *p,
                         struct buf *out, struct err *err)
{
    const char *only = args_get(args, "partition");

    return only && !slurm_has_word(only, p->name) ? 0 : put_line(format, p, out, err);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *format = args_get(args, "format");
    own_json json_t *answer = NULL;
    own_buf struct buf head = BUF_INIT(0), rows = BUF_INIT(0);
    struct partition all = { .name = SLURM_PARTITION, .usual = true };
    const json_t *site;
    size_t i;

    if (!format)
        format = getenv("SINFO_FORMAT") ? getenv("SINFO_FORMAT") : FORMAT_USUAL;
    if (cli_get(cli, &answer, err, "/v1/sites") < 0)
        return -1;
    json_array_foreach(json_object_get(answer, "sites"), i, site)
    {
        struct partition one = { .name = field_text(site, "name"),
                                 .up = strcmp(field_text(site, "health"), "up") == 0 &&
                                       strcmp(field_text(site, "mode"), "enabled") == 0,
                                 .workers = field_int(site, "workers"),
                                 .busy = field_int(site, "busy") };

        all.up = all.up || one.up;
        all.workers += one.workers;
        all.busy += one.busy;
        if (put_partition(args, format, &one, &rows, err) < 0)
            return -1;
    }
    if ((!args_has(args, "noheader") && put_line(format, NULL, &head, err) < 0) ||
        put_partition(args, format, &all, &head, err) < 0)
        return -1;
    printf("%s%s", buf_text(&head), buf_text(&rows));
    return 0;
}

const struct command command_sinfo = {
    .name = "sinfo",
    .help = "lists the sites, as partitions",
    .synopsis = "[OPTIONS]",
    .options = options,
    .example = "sinfo -h -o '%P %a'",
    .run = run,
};
