/* SPDX-License-Identifier: Apache-2.0 */
/* sim_report.c - what came out of a simulation: sums, JSON, and tables for people. */
#include <math.h>

#include "base/own.h"
#include "base/parse.h"
#include "sched/sim.h"

static const char *const tiers[] = { "home", "partner", "commercial" };

/* ---- sums ------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double nearest_rank(const double *sorted, size_t count, double part)
{
    size_t rank = (size_t)ceil(part * (double)count);

    return count ? sorted[rank ? rank - 1 : 0] : 0;
}

/* Waits count from when a job could have run: its submission, or what it follows. */
static int64_t could_run_ms(const struct swf_trace *trace, const struct sim_result *out, size_t job)
{
    const struct swf_job *j = &trace->jobs[job];
    int64_t after = j->after < 0 ? 0 : out->each[j->after].end_ms + j->think_ms;

    return after > j->submit_ms ? after : j->submit_ms;
}

void sim_sum(const struct sim_options *options, const struct swf_trace *trace,
             struct sim_result *out)
{
    own_mem double *waits = xcalloc(trace->count + 1, sizeof *waits);
    double wait_sum = 0, slowdown_sum = 0;
    int64_t first = INT64_MAX, last = 0;
    size_t count = 0;

    for (size_t i = 0; i < trace->count; i++) {
        const struct sim_job_result *each = &out->each[i];
        double wait, run = (double)trace->jobs[i].run_ms;

        first = trace->jobs[i].submit_ms < first ? trace->jobs[i].submit_ms : first;
        if (each->start_ms < 0)
            continue;
        wait = fmax((double)(each->start_ms - could_run_ms(trace, out, i)), 0);
        waits[count++] = wait;
        wait_sum += wait;
        slowdown_sum += fmax((wait + run) / fmax(run, SIM_BOUND_MS), 1);
        last = each->end_ms > last ? each->end_ms : last;
        out->overflowed += options->sites[each->site].tier > TIER_HOME;
    }
    out->unplaced = (int64_t)(trace->count - count);
    for (size_t s = 0; s < out->site_count; s++)
        out->cost += out->sites[s].cost;
    if (count == 0)
        return;
    qsort(waits, count, sizeof *waits, by_value);
    out->makespan_s = (double)(last - first) / 1000;
    out->mean_wait_s = wait_sum / (double)count / 1000;
    out->median_wait_s = nearest_rank(waits, count, 0.5) / 1000;
    out->p95_wait_s = nearest_rank(waits, count, 0.95) / 1000;
    out->mean_bounded_slowdown = slowdown_sum / (double)count;
}

static double utilisation(const struct sim_site_result *site)
{
    return site->cpu_hours > 0 ? site->busy_cpu_hours / site->cpu_hours : 0;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_site(const struct sim_site *site, const struct sim_site_result *result,
                      struct buf *out)
{
    buf_puts(out, "{\"name\": ");
    buf_put_json(out, site->name);
    buf_printf(out,
               ", \"tier\": \"%s\", \"jobs\": %lld, \"workers\": %lld, \"worker_hours\": %.4f, "
               "\"utilisation\": %.6f, \"cost\": %.4f, \"boots_failed\": %lld, "
               "\"workers_lost\": %lld}",
               tiers[site->tier], (long long)result->jobs, (long long)result->workers,
               result->worker_hours, utilisation(result), result->cost,
               (long long)result->boots_failed, (long long)result->workers_lost);
}

static void json_outcome(const struct sim_options *options, const struct sim_outcome *outcome,
                         bool named, struct buf *out)
{
    const struct sim_result *r = &outcome->result;

    buf_putc(out, '{');
    if (named) {
        buf_puts(out, "\"policy\": ");
        buf_put_json(out, outcome->policy);
        buf_puts(out, ", ");
    }
    buf_printf(out,
               "\"jobs\": %lld, \"makespan_s\": %.3f, \"mean_wait_s\": %.3f, "
               "\"median_wait_s\": %.3f, \"p95_wait_s\": %.3f, \"mean_bounded_slowdown\": %.6f, "
               "\"cost\": %.4f, \"sites\": [",
               (long long)r->jobs, r->makespan_s, r->mean_wait_s, r->median_wait_s, r->p95_wait_s,
               r->mean_bounded_slowdown, r->cost);
    for (size_t s = 0; s < r->site_count; s++) {
        buf_puts(out, s ? ", " : "");
        json_site(&options->sites[s], &r->sites[s], out);
    }
    buf_puts(out, "]}");
}

int sim_json(const struct sim_options *options, const struct sim_outcome *outcomes, size_t count,
             struct buf *out)
{
    if (count == 1) {
        json_outcome(options, &outcomes[0], false, out);
        return buf_putc(out, '\n');
    }
    buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_puts(out, i ? ",\n " : "");
        json_outcome(options, &outcomes[i], true, out);
    }
    return buf_puts(out, "]\n");
}

/* ---- for people ------------------------------------------------------------------------------ */

static void text_span(struct buf *out, double seconds)
{
    char text[FORMAT_BYTES];

    buf_printf(out, " %14s",
               seconds < 10 ? format_span((int64_t)(seconds * 1000 + 0.5), text, sizeof text)
                            : format_span((int64_t)(seconds + 0.5) * 1000, text, sizeof text));
}

static void text_spans(struct buf *out, const char *what, const struct sim_outcome *outcomes,
                       size_t count, size_t offset)
{
    buf_printf(out, "%-26s", what);
    for (size_t i = 0; i < count; i++) {
        double seconds;

        memcpy(&seconds, (const char *)&outcomes[i].result + offset, sizeof seconds);
        text_span(out, seconds);
    }
    buf_putc(out, '\n');
}

static void text_reals(struct buf *out, const char *what, const struct sim_outcome *outcomes,
                       size_t count, size_t offset)
{
    buf_printf(out, "%-26s", what);
    for (size_t i = 0; i < count; i++) {
        double value;

        memcpy(&value, (const char *)&outcomes[i].result + offset, sizeof value);
        buf_printf(out, " %14.2f", value);
    }
    buf_putc(out, '\n');
}

static void text_counts(struct buf *out, const char *what, const struct sim_outcome *outcomes,
                        size_t count, size_t offset)
{
    buf_printf(out, "%-26s", what);
    for (size_t i = 0; i < count; i++) {
        int64_t value;

        memcpy(&value, (const char *)&outcomes[i].result + offset, sizeof value);
        buf_printf(out, " %14lld", (long long)value);
    }
    buf_putc(out, '\n');
}

static void text_sites(const struct sim_options *options, const struct sim_outcome *outcome,
                       struct buf *out)
{
    buf_printf(out, "\n%-16s %-10s %9s %8s %12s %6s %10s  (%s)\n", "site", "tier", "jobs",
               "workers", "worker-hours", "busy", "cost", outcome->policy);
    for (size_t s = 0; s < outcome->result.site_count; s++) {
        const struct sim_site_result *site = &outcome->result.sites[s];

        buf_printf(out, "%-16s %-10s %9lld %8lld %12.1f %5.1f%% %10.2f\n", options->sites[s].name,
                   tiers[options->sites[s].tier], (long long)site->jobs, (long long)site->workers,
                   site->worker_hours, 100 * utilisation(site), site->cost);
    }
}

#define FIELD(name) offsetof(struct sim_result, name)

int sim_text(const struct sim_options *options, const struct sim_outcome *outcomes, size_t count,
             struct buf *out)
{
    buf_printf(out, "%-26s", "policy");
    for (size_t i = 0; i < count; i++)
        buf_printf(out, " %14s", outcomes[i].policy);
    buf_putc(out, '\n');
    text_counts(out, "jobs", outcomes, count, FIELD(jobs));
    text_counts(out, "jobs no site can run", outcomes, count, FIELD(unplaced));
    text_counts(out, "jobs overflowed", outcomes, count, FIELD(overflowed));
    text_spans(out, "makespan", outcomes, count, FIELD(makespan_s));
    text_spans(out, "mean wait", outcomes, count, FIELD(mean_wait_s));
    text_spans(out, "median wait", outcomes, count, FIELD(median_wait_s));
    text_spans(out, "95th percentile wait", outcomes, count, FIELD(p95_wait_s));
    text_reals(out, "mean bounded slowdown", outcomes, count, FIELD(mean_bounded_slowdown));
    text_reals(out, "cost", outcomes, count, FIELD(cost));
    for (size_t i = 0; i < count; i++)
        text_sites(options, &outcomes[i], out);
    return buf_puts(out, "");
}
