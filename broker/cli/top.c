/* SPDX-License-Identifier: Apache-2.0 */
/* top.c - `spillway top`: sites, and the tasks that run, redrawn each second. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/sites.h"
#include "cli/table.h"
#include "cli/task.h"

#define TASKS_MOST 200
#define DELAY_MS   1000

static const struct option options[] = {
    { "once", 0, NULL, "print it once, for scripts", COMPLETES_NOTHING },
    { "delay", 'd', "SPAN", "between two pictures (default 1s)", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static const struct column columns[] = {
    { "ID", false, false },     { "NAME", false, true },  { "USER", false, false },
    { "STATE", false, false },  { "SITE", false, false }, { "WORKER", false, true },
    { "ELAPSED", true, false }, { NULL, false, false },
};

struct picture {
    json_t *sites, *busy;
    bool more; /* than TASKS_MOST */
};

static void picture_free(struct picture *picture)
{
    json_decref(picture->sites);
    json_decref(picture->busy);
}

static int take_picture(struct cli *cli, struct picture *out, struct err *err)
{
    own_json json_t *sites = NULL, *busy = NULL;

    if (cli_get(cli, &sites, err, "/v1/sites") < 0 ||
        cli_get(cli, &busy, err, "/v1/jobs?state=leased,running,unreachable,completing&limit=%d",
                TASKS_MOST) < 0)
        return -1;
    out->sites = json_incref(json_object_get(sites, "sites"));
    out->busy = json_incref(json_object_get(busy, "tasks"));
    out->more = *field_text(busy, "cursor") != '\0';
    return 0;
}

static void print_busy(struct cli *cli, const struct picture *picture, size_t most)
{
    own_table struct table *table = table_new(columns);
    int64_t now = clock_wall_ms();
    char text[SHORT_BYTES];
    size_t i, all = json_array_size(picture->busy);
    json_t *task;

    json_array_foreach(picture->busy, i, task)
    {
        const char *state = field_text(task, "state");

        if (i == most)
            break;
        table_cell(table, field_text(task, "id"));
        table_cell(table, field_text(task, "name"));
        table_cell(table, field_text(task, "user"));
        table_cell_styled(table, state, style_of_state(state));
        table_cell(table, field_text(task, "site"));
        table_cell(table, field_text(task, "worker"));
        table_cell(table, task_elapsed(task, now, text, sizeof text));
    }
    printf("\n");
    if (all)
        table_print(table, &cli->term);
    else
        puts("Nothing runs.");
    if (picture->more || all > most)
        printf("... and more; `spillway ls` shows them all\n");
}

static void draw(struct cli *cli, const struct picture *picture, bool once)
{
    size_t above = json_array_size(picture->sites) + 4;
    size_t rows = term_rows() > 0 ? (size_t)term_rows() : 24;
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm local;
    char time[32];

    localtime_r(&now, &local);
    strftime(time, sizeof time, "%H:%M:%S", &local);
    if (!once)
        fputs("\033[H\033[J", stdout);
    printf("spillway  %s\n\n", time);
    sites_print(cli, picture->sites);
    print_busy(cli, picture, once ? SIZE_MAX : rows > above + 3 ? rows - above - 3 : 1);
    fflush(stdout);
}

static int one(struct cli *cli, bool once, struct err *err)
{
    own(picture_free) struct picture picture = { .sites = NULL };

    if (take_picture(cli, &picture, err) < 0)
        return -1;
    if (cli->json) {
        own_json json_t *object =
            json_pack("{s:O, s:O}", "sites", picture.sites, "tasks", picture.busy);

        print_json(object);
    } else {
        draw(cli, &picture, once);
    }
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    bool once = args_has(args, "once") || cli->json || !cli->term.out_is_tty;
    int64_t delay = DELAY_MS;

    if (args_span(args, "delay", &delay, err) < 0)
        return -1;
    if (delay < 100)
        return err_set(err, FAULT_INVALID, "--delay: at least 100ms");
    if (once)
        return one(cli, true, err) < 0 ? -1 : EXIT_OK;
    catch_interrupts();
    while (!interrupted && !ferror(stdout)) {
        if (one(cli, false, err) < 0)
            return interrupted ? EXIT_OK : -1;
        usleep((useconds_t)(delay * 1000)); /* ends early at a signal */
    }
    return EXIT_OK;
}

const struct command command_top = {
    .name = "top",
    .help = "sites and running tasks, redrawn each second",
    .synopsis = "[OPTIONS]",
    .text =
        "Shows the sites and the tasks that run, redrawn each second until Ctrl-C.  Where standard "
        "output is no terminal, and with --json, it is printed once.",
    .options = options,
    .example = "spillway top\n"
               "spillway top --json",
    .run = run,
};
