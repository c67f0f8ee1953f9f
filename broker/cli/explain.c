/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - `spillway explain`: why a task is where it is, site by site. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/explain.h"
#include "cli/table.h"

static const struct column columns[] = {
    { "SITE", false, false }, { "TIER", false, false }, { "VERDICT", false, false },
    { "START", true, false }, { "COST", true, false },  { "WHY", false, false },
    { NULL, false, false },
};

static void put_cost(struct table *table, const json_t *cost)
{
    if (json_is_number(cost))
        table_cellf(table, "%.2f", json_number_value(cost));
    else
        table_cell(table, json_string_value(cost));
}

void explain_print_sites(struct cli *cli, const json_t *sites)
{
    own_table struct table *table = table_new(columns);
    int64_t now = clock_wall_ms();
    char text[SHORT_BYTES];
    size_t i;
    json_t *site;

    json_array_foreach(sites, i, site)
    {
        const char *verdict = field_text(site, "verdict"), *fits = field_text(site, "fits_if");

        table_cell(table, field_text(site, "site"));
        table_cell(table, field_text(site, "tier"));
        table_cell_styled(table, verdict, style_of_state(verdict));
        table_cell(table, short_time(field_time(site, "start"), now, text, sizeof text));
        put_cost(table, json_object_get(site, "cost"));
        table_cellf(table, "%s%s%s%s", field_text(site, "text"), *fits ? " (would fit if: " : "",
                    fits, *fits ? ")" : "");
    }
    if (table_rows(table))
        table_print(table, &cli->term);
}

static void put_amounts(const json_t *decision, struct buf *out)
{
    char text[SHORT_BYTES];

    int64_t cpus = field_int(decision, "cpus"), gpus = field_int(decision, "gpus");

    buf_printf(out, "gets %lld %s", (long long)cpus, cpus == 1 ? "cpu" : "cpus");
    if (field_int(decision, "memory"))
        buf_printf(out, ", memory %s",
                   short_bytes(field_int(decision, "memory"), text, sizeof text));
    if (field_int(decision, "disk"))
        buf_printf(out, ", disk %s", short_bytes(field_int(decision, "disk"), text, sizeof text));
    if (gpus)
        buf_printf(out, ", %lld %s", (long long)gpus, gpus == 1 ? "GPU" : "GPUs");
}

/* What its last attempt was decided from. */
static void print_decision(const json_t *decision)
{
    own_buf struct buf out = BUF_INIT(0);
    own_str char *safe = NULL;
    char text[SHORT_BYTES];

    if (!json_is_object(decision))
        return;
    put_amounts(decision, &out);
    buf_printf(&out, " of shape %s", field_text(decision, "shape"));
    if (json_is_integer(json_object_get(decision, "gang")))
        buf_puts(&out, " on each of its nodes");
    buf_printf(&out, "; why: %s (%lld of its kind waited, %lld fitted there)",
               field_text(decision, "why"), (long long)field_int(decision, "ready"),
               (long long)field_int(decision, "free"));
    buf_printf(&out, "; expected to run %s",
               short_span(field_int(decision, "run_ms"), text, sizeof text));
    if (json_is_number(json_object_get(decision, "cost")))
        buf_printf(&out, ", at a cost of %.2f", field_real(decision, "cost"));
    buf_printf(&out, "; its project's share was %.3g", field_real(decision, "share"));
    safe = safe_text(buf_text(&out));
    printf("%s\n", safe);
}

static void print_one(struct cli *cli, const char *id, const json_t *answer)
{
    own_str char *text = safe_text(field_text(answer, "text"));
    const char *reason = field_text(answer, "reason");
    own_str char *state =
        xasprintf("%s%s%s", field_text(answer, "state"), *reason ? ": " : "", reason);
    own_str char *safe = safe_text(state);

    printf("%s is %s\n", id, safe);
    if (*text)
        printf("%s\n", text);
    print_decision(json_object_get(answer, "decision"));
    if (json_array_size(json_object_get(answer, "sites"))) {
        putchar('\n');
        explain_print_sites(cli, json_object_get(answer, "sites"));
    }
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    own_json json_t *list = json_array();

    if (job_ids_check(args, err) < 0)
        return -1;
    for (size_t i = 0; i < args->word_count; i++) {
        own_json json_t *answer = NULL;

        if (cli_get(cli, &answer, err, "/v1/jobs/%s/explain", args->words[i]) < 0)
            return err_wrap(err, "%s", args->words[i]);
        if (i && !cli->json)
            putchar('\n');
        if (cli->json)
            json_array_append(list, answer);
        else
            print_one(cli, args->words[i], answer);
    }
    if (cli->json)
        print_json(args->word_count == 1 ? json_array_get(list, 0) : list);
    return EXIT_OK;
}

const struct command command_explain = {
    .name = "explain",
    .help = "why a job waits, or why it runs where it runs",
    .synopsis = "ID...",
    .text =
        "Says for every site why a task is not running there (or that it is), with the figures it "
        "was decided from, what would make it fit, and when it is expected to start.",
    .example = "spillway explain 12",
    .exits = "0 done, 3 no such job",
    .words = COMPLETES_JOB,
    .words_least = 1,
    .words_most = -1,
    .run = run,
};
