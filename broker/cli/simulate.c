/* SPDX-License-Identifier: Apache-2.0 */
/* simulate.c - `spillway simulate`: what would have become of this workload, at these sites, under
 * that policy?  Asks the broker only for its own record (--from). */
#include "cli/simulate.h"

#include <string.h>

#include "base/io.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"

#define TRACE_BYTES_MOST ((size_t)1 << 30)
#define POLICIES_MOST    8

static const struct option options[] = {
    { "trace", 0, "FILE", "the workload, in the Standard Workload Format", COMPLETES_FILE },
    { "from", 0, "TIME", "instead of a trace: what the broker itself has run since then",
      COMPLETES_NOTHING },
    { "sites", 0, "FILE", "the sites, as in the broker's configuration", COMPLETES_FILE },
    { "policy", 0, "NAME|FILE",
      "default, home-only, greedy, fcfs, easy, or a YAML file; several are compared",
      COMPLETES_FILE },
    { "seed", 0, "N", "of boots and failures (default 1)", COMPLETES_NOTHING },
    { "plot", 0, "FILE", "write busy cpus by site over time as SVG", COMPLETES_FILE },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

/* All that was read, and what came out. */
struct simulation {
    struct broker_conf conf;
    struct swf_trace trace;
    struct sim_sites sites;
    struct sim_options options[POLICIES_MOST];
    struct sim_outcome outcomes[POLICIES_MOST];
    size_t count;
};

static void simulation_free(struct simulation *sim)
{
    for (size_t i = 0; i < sim->count; i++)
        sim_result_free(&sim->outcomes[i].result);
    sim_sites_free(&sim->sites);
    swf_free(&sim->trace);
    broker_conf_free(&sim->conf);
}

static void warn_lines(const char *path, const struct swf_trace *trace)
{
    own_str char *report = xstrdup(buf_text(&trace->report));
    char *rest = NULL;

    if (trace->malformed)
        warn("%s: %zu lines are no jobs:", path, trace->malformed);
    for (char *line = strtok_r(report, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        warn("%s: %s", path, line);
}

/* A day, or an instant; ms. */
static int read_from(const char *text, int64_t *out, struct err *err)
{
    own_str char *day = xasprintf("%sT00:00:00Z", text);

    if (strlen(text) == strlen("2026-12-01") ? parse_time(day, out, err) < 0
                                             : parse_time(text, out, err) < 0)
        return err_wrap(err, "--from");
    return 0;
}

static int read_text(struct cli *cli, const struct args *args, struct buf *text, struct err *err)
{
    const char *path = args_get(args, "trace"), *from = args_get(args, "from");
    int64_t from_ms = 0;

    if ((path == NULL) == (from == NULL))
        return err_set(err, FAULT_INVALID, "say --trace FILE, or --from TIME for the broker's own");
    if (from)
        return read_from(from, &from_ms, err) < 0 ? -1 : sim_journal(cli, from_ms, text, err);
    return strcmp(path, "-") == 0 ? buf_read_fd(text, 0, err) : buf_read_file(text, path, err);
}

/* A trace that is cut short or garbled is still told about, line by line. */
static int read_trace(struct cli *cli, const struct args *args, struct swf_trace *out,
                      struct err *err)
{
    own_buf struct buf text = BUF_INIT(TRACE_BYTES_MOST);
    const char *path = args_get(args, "trace");

    if (read_text(cli, args, &text, err) < 0)
        return -1;
    path = path ? path : "the broker's record";
    swf_parse(buf_text(&text), text.length, out);
    warn_lines(path, out);
    if (out->unstarted)
        warn(
            "%s: %zu jobs never ran (cancelled before they started, or without a run time) and are "
            "left out",
            path, out->unstarted);
    if (out->cut)
        warn("%s: %zu jobs ran longer than they had asked for and end at that time", path,
             out->cut);
    if (out->count == 0)
        return err_set(err, FAULT_INVALID, "%s: holds no job%s", path,
                       args_get(args, "trace") ? "; is it in the Standard Workload Format?"
                                               : " that has ended; take an earlier --from");
    return 0;
}

static int read_all(struct cli *cli, const struct args *args, struct simulation *sim,
                    struct err *err)
{
    const char *sites = args_get(args, "sites");

    if (!sites)
        return err_set(err, FAULT_INVALID, "say --sites FILE");
    if (read_trace(cli, args, &sim->trace, err) < 0 || broker_conf_load(sites, &sim->conf, err) < 0)
        return -1;
    if (sim_sites_of(&sim->conf, &sim->trace, &sim->sites, err) < 0)
        return err_wrap(err, "%s", sites);
    if (sim->sites.count == 0)
        return err_set(err, FAULT_INVALID, "%s: no site is enabled", sites);
    return 0;
}

static int add_policy(struct simulation *sim, const char *name, uint64_t seed, struct err *err)
{
    struct sim_options *options_of = &sim->options[sim->count];

    if (sim->count == POLICIES_MOST)
        return err_set(err, FAULT_INVALID, "at most %d policies are compared at a time",
                       POLICIES_MOST);
    *options_of = (struct sim_options){
        .sites = sim->sites.list, .site_count = sim->sites.count, .seed = seed, .tick_ms = 1000
    };
    if (sim_policy(name, &options_of->params, &options_of->half_life_ms, err) < 0)
        return -1;
    sim->outcomes[sim->count++].policy = name;
    return 0;
}

static int read_policies(const struct args *args, struct simulation *sim, struct err *err)
{
    int64_t seed = 1;

    if (args_i64(args, "seed", 0, INT64_MAX, &seed, err) < 0)
        return -1;
    for (size_t i = 0; i < args->given_count; i++)
        if (strcmp(args->given[i].option->name, "policy") == 0 &&
            add_policy(sim, args->given[i].value, (uint64_t)seed, err) < 0)
            return -1;
    return sim->count ? 0 : add_policy(sim, "default", (uint64_t)seed, err);
}

static int write_plot(const struct simulation *sim, const char *path, struct err *err)
{
    own_buf struct buf out = BUF_INIT(0);

    sim_plot(&sim->options[0], &sim->trace, sim->outcomes, sim->count, &out);
    return io_replace_file(path, 0644, out.data, out.length, err);
}

static int simulate(struct cli *cli, const struct args *args, struct simulation *sim,
                    struct err *err)
{
    const char *plot = args_get(args, "plot");
    own_buf struct buf out = BUF_INIT(0);

    if (read_all(cli, args, sim, err) < 0 || read_policies(args, sim, err) < 0)
        return -1;
    for (size_t i = 0; i < sim->count; i++) {
        sim_run(&sim->options[i], &sim->trace, &sim->outcomes[i].result);
        if (sim->outcomes[i].result.unplaced)
            warn("%lld jobs found no site that can run them under '%s'",
                 (long long)sim->outcomes[i].result.unplaced, sim->outcomes[i].policy);
    }
    if (cli->json)
        sim_json(&sim->options[0], sim->outcomes, sim->count, &out);
    else
        sim_text(&sim->options[0], sim->outcomes, sim->count, &out);
    if (plot && write_plot(sim, plot, err) < 0)
        return -1;
    fputs(buf_text(&out), stdout);
    return EXIT_OK;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    struct simulation sim = { .count = 0 };
    int rc = simulate(cli, args, &sim, err);

    simulation_free(&sim);
    return rc;
}

const struct command command_simulate = {
    .name = "simulate",
    .help = "replay a workload against sites and policies",
    .synopsis =
        "--trace FILE | --from TIME --sites FILE [--policy NAME|FILE]... [--seed N] [--plot FILE]",
    .text =
        "Replays a trace in the Standard Workload Format against the sites of a configuration, in "
        "virtual time, by the very scheduler that the broker runs, and prints waits, slowdown, "
        "utilisation, worker-hours and cost.  A site says what it has under `simulate:` "
        "(docs/placement.md); one that does not is guessed from its limits.  The same input and "
        "seed "
        "give the same output.",
    .options = options,
    .example = "spillway simulate --trace lab.swf --sites sites.yaml --policy home-only --policy "
               "default --plot busy.svg",
    .run = run,
};
