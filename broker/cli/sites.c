/* SPDX-License-Identifier: Apache-2.0 */
/* sites.c - `spillway sites`: where there is room, and the operator's switches. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/probe.h"
#include "cli/sites.h"
#include "cli/table.h"

static const struct column columns[] = {
    { "NAME", false, false },  { "TYPE", false, false },  { "TIER", false, false },
    { "PHASE", false, false }, { "STATE", false, false }, { "WORKERS", true, false },
    { "BUSY", true, false },   { "TASKS", true, false },  { "DETAIL", false, true },
    { NULL, false, false },
};

static int name_check(const char *name, struct err *err)
{
    if (!*name || strlen(name) > 128 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                     "UVWXYZ0123456789-_.") != strlen(name))
        return err_set(err, FAULT_INVALID,
                       "'%.60s' is not the name of a site (see `spillway sites`)", name);
    return 0;
}

/* The operator's switch, unless the site itself is in trouble. */
static const char *state_of(const json_t *site)
{
    const char *mode = field_text(site, "mode"), *health = field_text(site, "health");

    if (strcmp(mode, "enabled") != 0 || !*health)
        return mode;
    return health;
}

void sites_print(struct cli *cli, const json_t *sites)
{
    own_table struct table *table = table_new(columns);
    size_t i;
    json_t *site;

    json_array_foreach(sites, i, site)
    {
        table_cell(table, field_text(site, "name"));
        table_cell(table, field_text(site, "type"));
        table_cell(table, field_text(site, "tier"));
        table_cell(table, field_text(site, "phase"));
        table_cell_styled(table, state_of(site), style_of_state(state_of(site)));
        table_cellf(table, "%lld", (long long)field_int(site, "workers"));
        table_cellf(table, "%lld", (long long)field_int(site, "busy"));
        table_cellf(table, "%lld", (long long)field_int(site, "tasks"));
        table_cell(table, field_text(site, "detail"));
    }
    table_print(table, &cli->term);
}

static int run_ls(struct cli *cli, const struct args *args, struct err *err)
{
    own_json json_t *answer = NULL;

    (void)args;
    if (cli_get(cli, &answer, err, "/v1/sites") < 0)
        return -1;
    if (cli->json)
        print_json(json_object_get(answer, "sites"));
    else
        sites_print(cli, json_object_get(answer, "sites"));
    return EXIT_OK;
}

static const struct column shape_columns[] = {
    { "SHAPE", false, false },  { "CPUS", true, false }, { "MEMORY", true, false },
    { "DISK", true, false },    { "GPUS", true, false }, { "MODEL", false, false },
    { "PRICE/H", true, false }, { NULL, false, false },
};

static void print_shapes(struct cli *cli, const json_t *shapes)
{
    own_table struct table *table = table_new(shape_columns);
    char text[SHORT_BYTES];
    size_t i;
    json_t *shape;

    json_array_foreach(shapes, i, shape)
    {
        const json_t *price = json_object_get(shape, "price_hour");

        table_cell(table, field_text(shape, "name"));
        table_cellf(table, "%lld", (long long)field_int(shape, "cpus"));
        table_cell(table, short_bytes(field_int(shape, "memory_bytes"), text, sizeof text));
        table_cell(table, short_bytes(field_int(shape, "disk_bytes"), text, sizeof text));
        table_cellf(table, "%lld", (long long)field_int(shape, "gpus"));
        table_cell(table, field_text(shape, "gpu_model"));
        if (json_is_number(price))
            table_cellf(table, "%.3f", json_number_value(price));
        else
            table_cell(table, NULL);
    }
    if (table_rows(table) == 0)
        return;
    putchar('\n');
    table_print(table, &cli->term);
}

static const struct column quota_columns[] = {
    { "QUOTA", false, false }, { "LIMIT", true, false },    { "OURS", true, false },
    { "OTHERS", true, false }, { "RESERVED", true, false }, { "FREE", true, false },
    { NULL, false, false },
};

/* A limit below 0 is none; memory is in bytes. */
static void put_figure(struct table *table, const json_t *row, const char *key)
{
    int64_t value = field_int(row, key);
    char text[SHORT_BYTES];

    if (json_is_null(json_object_get(row, key)))
        table_cell(table, NULL);
    else if (value < 0)
        table_cell(table, strcmp(key, "limit") == 0 ? "none" : NULL);
    else if (strcmp(field_text(row, "name"), "memory") == 0)
        table_cell(table, short_bytes(value, text, sizeof text));
    else
        table_cellf(table, "%lld", (long long)value);
}

static void print_quotas(struct cli *cli, const json_t *quotas)
{
    own_table struct table *table = table_new(quota_columns);
    size_t i;
    json_t *row;

    json_array_foreach(quotas, i, row)
    {
        table_cell(table, field_text(row, "name"));
        put_figure(table, row, "limit");
        put_figure(table, row, "ours");
        put_figure(table, row, "others");
        put_figure(table, row, "reserved");
        put_figure(table, row, "free");
    }
    if (table_rows(table) == 0)
        return;
    putchar('\n');
    table_print(table, &cli->term);
}

static const struct column image_columns[] = {
    { "IMAGE", false, true },    { "ID", false, false },  { "VISIBILITY", false, false },
    { "CREATED", false, false }, { "SIZE", true, false }, { NULL, false, false },
};

static void print_images(struct cli *cli, const json_t *images)
{
    own_table struct table *table = table_new(image_columns);
    char text[SHORT_BYTES];
    size_t i;
    json_t *image;

    json_array_foreach(images, i, image)
    {
        table_cell(table, field_text(image, "name"));
        table_cell(table, field_text(image, "id"));
        table_cell(table, field_text(image, "visibility"));
        table_cellf(table, "%.10s", field_text(image, "created"));
        table_cell(table, short_bytes(field_int(image, "size_bytes"), text, sizeof text));
    }
    if (table_rows(table) == 0)
        return;
    putchar('\n');
    table_print(table, &cli->term);
}

static const struct column upload_columns[] = {
    { "BROUGHT", false, true }, { "FROM", false, true }, { "STATE", false, false },
    { "WHY", false, true },     { NULL, false, false },
};

/* Images that the site file says to bring there. */
static void print_uploads(struct cli *cli, const json_t *uploads)
{
    own_table struct table *table = table_new(upload_columns);
    size_t i;
    json_t *upload;

    json_array_foreach(uploads, i, upload)
    {
        table_cell(table, field_text(upload, "image"));
        table_cell(table, field_text(upload, "from"));
        table_cell(table, field_text(upload, "state"));
        table_cell(table, field_text(upload, "why"));
    }
    if (table_rows(table) == 0)
        return;
    putchar('\n');
    table_print(table, &cli->term);
}

static const struct column learned_columns[] = {
    { "LEARNED", false, true }, { "SEEN", true, false },   { "MEAN", true, false },
    { "95%", true, false },     { "FAULTS", true, false }, { "LAST FAULT", false, true },
    { NULL, false, false },
};

/* Boots and waits as times, breakers by their faults. */
static void print_learned(struct cli *cli, json_t *learned)
{
    own_table struct table *table = table_new(learned_columns);
    char text[SHORT_BYTES];
    const char *key;
    json_t *of;

    json_object_foreach(learned, key, of)
    {
        bool timed = json_object_get(of, "seen") != NULL;

        table_cell(table, key);
        if (timed)
            table_cellf(table, "%lld", (long long)field_int(of, "seen"));
        else
            table_cell(table, NULL);
        table_cell(table,
                   timed ? short_span((int64_t)field_real(of, "mean"), text, sizeof text) : NULL);
        table_cell(table,
                   timed ? short_span((int64_t)field_real(of, "high"), text, sizeof text) : NULL);
        if (timed)
            table_cell(table, NULL);
        else
            table_cellf(table, "%lld", (long long)field_int(of, "faults"));
        table_cell(table, field_text(of, "why"));
    }
    if (table_rows(table) == 0)
        return;
    putchar('\n');
    table_print(table, &cli->term);
}

static void print_site(struct cli *cli, const json_t *site)
{
    print_object(site);
    print_quotas(cli, json_object_get(site, "quota"));
    print_shapes(cli, json_object_get(site, "shapes"));
    print_images(cli, json_object_get(json_object_get(site, "more"), "images"));
    print_uploads(cli, json_object_get(json_object_get(site, "more"), "uploads"));
    print_learned(cli, json_object_get(site, "learned"));
}

static int call(struct cli *cli, const char *name, const char *verb, const json_t *body,
                json_t **answer, struct err *err)
{
    own_str char *path = NULL;

    if (name_check(name, err) < 0)
        return -1;
    path = xasprintf("/v1/sites/%s/%s", name, verb);
    return cli_post(cli, path, body, answer, err) < 0 ? err_wrap(err, "%s", name) : 0;
}

/* One site's answer, put behind the others; `verb` NULL: all that is known of it. */
static int ask_one(struct cli *cli, const char *name, const char *verb, const json_t *body,
                   json_t *answers, struct err *err)
{
    json_t *answer = NULL;

    if (verb ? call(cli, name, verb, body, &answer, err) < 0
             : name_check(name, err) < 0 || cli_get(cli, &answer, err, "/v1/sites/%s", name) < 0)
        return -1;
    json_array_append_new(answers, answer);
    return 0;
}

/* The site that is named, or each there is.  All are asked, also when one is in trouble; the last
 * fault counts. */
static int ask(struct cli *cli, const struct args *args, const char *verb, const json_t *body,
               json_t *answers, struct err *err)
{
    own_json json_t *all = NULL;
    json_t *site;
    size_t i;
    int rc = 0;

    if (args->word_count)
        return ask_one(cli, args->words[0], verb, body, answers, err);
    if (cli_get(cli, &all, err, "/v1/sites") < 0)
        return -1;
    json_array_foreach(json_object_get(all, "sites"), i, site)
    {
        if (rc < 0)
            warn("%s", err->text);
        rc = ask_one(cli, field_text(site, "name"), verb, body, answers, err) < 0 ? -1 : rc;
    }
    return rc;
}

/* One object for the site that was named, a list for all. */
static void print_answers(const struct args *args, const json_t *answers)
{
    const json_t *one = json_array_get(answers, 0);

    if (!args->word_count)
        print_json(answers);
    else if (one)
        print_json(one);
}

static int show_sites(struct cli *cli, const struct args *args, const char *verb, struct err *err)
{
    own_json json_t *answers = json_array();
    int rc = ask(cli, args, verb, NULL, answers, err);
    json_t *site;
    size_t i;

    if (cli->json) {
        print_answers(args, answers);
        return rc;
    }
    json_array_foreach(answers, i, site)
    {
        if (i)
            putchar('\n');
        print_site(cli, site);
    }
    return rc;
}

static int run_show(struct cli *cli, const struct args *args, struct err *err)
{
    return show_sites(cli, args, NULL, err);
}

static const struct option probe_options[] = {
    { "quick", 'q', NULL, "only ask it what it could give; make nothing there", COMPLETES_NOTHING },
    { "timeout", 't', "SPAN", "give up after this long (default: 30m)", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static int run_probe(struct cli *cli, const struct args *args, struct err *err)
{
    own_json json_t *answer = NULL;
    const char *name = args->word_count ? args->words[0] : NULL;
    int64_t timeout = 0;

    if (args_has(args, "quick"))
        return show_sites(cli, args, "probe", err);
    if (!name) {
        err_set(err, FAULT_INVALID, "name a site; or ask all what they could give, with --quick");
        return usage_fault(args, err);
    }
    if (args_span(args, "timeout", &timeout, err) < 0 ||
        call(cli, name, "probe", NULL, &answer, err) < 0)
        return -1;
    if (strcmp(field_text(answer, "mode"), "enabled") != 0)
        return err_set(err, FAULT_CONFLICT,
                       "site %s is %s: nothing is placed there; enable it first: spillway sites "
                       "enable %s",
                       name, field_text(answer, "mode"), name);
    return probe_whole_way(cli, name, field_int(answer, "took_ms"), timeout, err);
}

static int change_mode(struct cli *cli, const struct args *args, const char *verb,
                       const char *words, struct err *err)
{
    own_json json_t *list = json_array();

    for (size_t i = 0; i < args->word_count; i++) {
        own_json json_t *answer = NULL;

        if (call(cli, args->words[i], verb, NULL, &answer, err) < 0)
            return -1;
        json_array_append(list, answer);
        if (!cli->json)
            printf("%s: %s\n", args->words[i], words);
    }
    if (cli->json)
        print_json(list);
    return EXIT_OK;
}

static int run_enable(struct cli *cli, const struct args *args, struct err *err)
{
    return change_mode(cli, args, "enable", "enabled", err);
}

static int run_disable(struct cli *cli, const struct args *args, struct err *err)
{
    return change_mode(cli, args, "disable", "disabled; gets nothing new", err);
}

static int run_drain(struct cli *cli, const struct args *args, struct err *err)
{
    return change_mode(cli, args, "drain", "draining; gets nothing new, idle workers go", err);
}

/* ---- audit -------------------------------------------------------------------------------------
 */

static const struct option audit_options[] = {
    { "reap", 0, NULL, "remove what has no row here", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

static const struct column audit_columns[] = {
    { "KIND", false, false },  { "ID", false, false },    { "WORKER", false, false },
    { "STATE", false, false }, { "AGE", true, false },    { "COST", true, false },
    { "OWNED", false, false }, { "DETAIL", false, true }, { NULL, false, false },
};

static void put_cost(struct table *table, const json_t *one, const char *currency)
{
    const json_t *cost = json_object_get(one, "cost");

    if (json_is_number(cost))
        table_cellf(table, "%.2f %s", json_number_value(cost), currency);
    else
        table_cell(table, NULL);
}

static size_t print_audit(struct cli *cli, const json_t *answer)
{
    own_table struct table *table = table_new(audit_columns);
    char text[SHORT_BYTES];
    size_t strays = 0, i;
    json_t *one;

    json_array_foreach(json_object_get(answer, "resources"), i, one)
    {
        bool owned = field_true(one, "owned");

        strays += !owned;
        table_cell(table, field_text(one, "kind"));
        table_cell(table, field_text(one, "id"));
        table_cell(table, field_text(one, "worker"));
        table_cell(table, field_text(one, "state"));
        table_cell(table, json_is_null(json_object_get(one, "age_s"))
                              ? NULL
                              : short_span(field_int(one, "age_s") * 1000, text, sizeof text));
        put_cost(table, one, field_text(answer, "currency"));
        table_cell_styled(table, owned ? "yes" : "NO", owned ? STYLE_PLAIN : STYLE_BAD);
        table_cell(table, field_text(one, "detail"));
    }
    if (!cli->json && table_rows(table))
        table_print(table, &cli->term);
    json_array_foreach(json_object_get(answer, "findings"), i, one)
    {
        if (!cli->json && json_is_string(one))
            printf("finding: %s\n", json_string_value(one));
    }
    return strays;
}

/* How many are nobody's, and stay. */
static size_t tell_audit(struct cli *cli, const json_t *answer, bool named, bool reap)
{
    const char *site = field_text(answer, "site");
    size_t strays;

    if (!cli->json && !named)
        printf("%s:\n", site);
    strays = print_audit(cli, answer);
    if (cli->json)
        return reap ? 0 : strays;
    if (reap)
        printf("%lld removed\n", (long long)field_int(answer, "reaped"));
    else if (strays)
        warn("%s: %zu of them are owned by no worker of ours; --reap removes them", site, strays);
    return reap ? 0 : strays;
}

static int run_audit(struct cli *cli, const struct args *args, struct err *err)
{
    bool reap = args_has(args, "reap");
    own_json json_t *body = json_pack("{s:b}", "reap", reap), *answers = json_array();
    int rc = ask(cli, args, "audit", body, answers, err);
    size_t strays = 0, i;
    json_t *answer;

    json_array_foreach(answers, i, answer)
    {
        strays += tell_audit(cli, answer, args->word_count > 0, reap);
    }
    if (cli->json)
        print_answers(args, answers);
    if (rc < 0)
        return -1;
    return strays ? EXIT_NO : EXIT_OK;
}

/* ---- tables ------------------------------------------------------------------------------------
 */

#define EXITS "0 done, 3 no such site, 4 you are no operator"
static const struct command command_show_site = {
    .name = "show",
    .help = "all that is known of a site, or of each: quota, shapes, images",
    .synopsis = "[SITE]",
    .example = "spillway sites show local",
    .exits = EXITS,
    .words = COMPLETES_SITE,
    .words_most = 1,
    .run = run_show,
};

static const struct command command_probe = {
    .name = "probe",
    .help = "try the whole way: a worker, a small job, and the worker's end",
    .synopsis = "SITE | --quick [SITE]",
    .text = "Asks the site afresh, then has one worker made there for a small job, removes it, and "
            "tells how long each step took.  It works at sites of every phase, and at those that "
            "are kept to other projects.",
    .options = probe_options,
    .example = "spillway sites probe scigne\n"
               "spillway sites probe --quick local",
    .exits = "0 the whole way works, 1 it does not, 3 no such site, 4 you are no operator,\n"
             "5 the site is not enabled",
    .words = COMPLETES_SITE,
    .words_most = 1,
    .run = run_probe,
};

static const struct command command_enable = {
    .name = "enable",
    .help = "use sites again",
    .synopsis = "SITE...",
    .example = "spillway sites enable local",
    .exits = EXITS,
    .words = COMPLETES_SITE,
    .words_least = 1,
    .words_most = -1,
    .run = run_enable,
};

static const struct command command_disable = {
    .name = "disable",
    .help = "place nothing new there; what runs, runs on",
    .synopsis = "SITE...",
    .example = "spillway sites disable local",
    .exits = EXITS,
    .words = COMPLETES_SITE,
    .words_least = 1,
    .words_most = -1,
    .run = run_disable,
};

static const struct command command_drain = {
    .name = "drain",
    .help = "place nothing new there, and let idle workers go",
    .synopsis = "SITE...",
    .example = "spillway sites drain local",
    .exits = EXITS,
    .words = COMPLETES_SITE,
    .words_least = 1,
    .words_most = -1,
    .run = run_drain,
};

static const struct command command_audit = {
    .name = "audit",
    .help = "list what bears our mark at a site, or at each, and what of it nobody owns",
    .synopsis = "[--reap] [SITE]",
    .options = audit_options,
    .example = "spillway sites audit scigne",
    .exits = "0 all is owned, 1 something is not, 3 no such site, 4 you are no operator",
    .words = COMPLETES_SITE,
    .words_most = 1,
    .run = run_audit,
};

static const struct command *const site_commands[] = {
    &command_show_site, &command_probe, &command_enable, &command_disable, &command_drain,
    &command_audit,     NULL,
};

const struct command command_sites = {
    .name = "sites",
    .help = "list sites; show, probe, enable, disable, drain, audit",
    .synopsis = "[show|probe|enable|disable|drain|audit [SITE]]",
    .text = "Lists the sites where work can run, and how they are.",
    .example = "spillway sites\n"
               "spillway sites show scigne",
    .exits = EXITS,
    .subs = site_commands,
    .run = run_ls,
};
