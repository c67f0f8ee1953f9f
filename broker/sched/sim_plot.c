/* SPDX-License-Identifier: Apache-2.0 */
/* sim_plot.c - busy cpus by site over time, stacked, a strip for each outcome; SVG. */
#include <math.h>

#include "base/own.h"
#include "sched/sim.h"

#define WIDTH  900
#define HEIGHT 160
#define LEFT   70
#define STEPS  300

static const char *const colours[] = { "#4477aa", "#ee6677", "#228833", "#ccbb44",
                                       "#66ccee", "#aa3377", "#bbbbbb", "#000000" };

struct plot {
    const struct sim_options *options;
    const struct swf_trace *trace;
    int64_t from_ms, to_ms;
    double *busy; /* [step * sites + site]: mean busy cpus */
    double most;
};

/* Spread cpus x time of one job over the steps that it touches. */
static void add_job(struct plot *plot, const struct sim_job_result *job, int32_t cpus)
{
    double span = (double)(plot->to_ms - plot->from_ms) / STEPS;
    double start = (double)(job->start_ms - plot->from_ms) / span;
    double end = (double)(job->end_ms - plot->from_ms) / span;

    for (int i = start < 0 ? 0 : (int)start; i < STEPS && i < end; i++) {
        double from = start > i ? start : i, to = end < i + 1 ? end : i + 1;

        if (to > from)
            plot->busy[(size_t)i * plot->options->site_count + (size_t)job->site] +=
                cpus * (to - from);
    }
}

static void fill(struct plot *plot, const struct sim_result *result)
{
    size_t sites = plot->options->site_count;

    memset(plot->busy, 0, STEPS * sites * sizeof *plot->busy);
    for (size_t i = 0; i < result->count; i++)
        if (result->each[i].site >= 0 && result->each[i].start_ms >= 0)
            add_job(plot, &result->each[i], plot->trace->jobs[i].cpus);
    for (size_t i = 0; i < STEPS; i++) {
        double sum = 0;

        for (size_t s = 0; s < sites; s++)
            sum += plot->busy[i * sites + s];
        plot->most = sum > plot->most ? sum : plot->most;
    }
}

static void put_area(const struct plot *plot, size_t site, double top, struct buf *out)
{
    size_t sites = plot->options->site_count;

    buf_printf(out, "<path fill=\"%s\" d=\"", colours[site % array_len(colours)]);
    for (int i = 0; i < 2 * STEPS; i++) {
        int step = i < STEPS ? i : 2 * STEPS - 1 - i;
        double sum = 0;

        /* Forward along the upper edge, back along the lower. */
        for (size_t s = 0; s < site + (i < STEPS); s++)
            sum += plot->busy[(size_t)step * sites + s];
        buf_printf(out, "%c%.1f %.1f", i ? 'L' : 'M',
                   LEFT + (double)step * (WIDTH - LEFT - 10) / (STEPS - 1),
                   top + HEIGHT - (plot->most > 0 ? sum / plot->most : 0) * HEIGHT);
    }
    buf_puts(out, "Z\"/>\n");
}

static void put_text(struct buf *out, double x, double y, const char *anchor, const char *text)
{
    buf_printf(out, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">", x, y, anchor);
    for (const char *c = text; *c; c++)
        switch (*c) {
        case '<':
            buf_puts(out, "&lt;");
            break;
        case '>':
            buf_puts(out, "&gt;");
            break;
        case '&':
            buf_puts(out, "&amp;");
            break;
        default:
            buf_putc(out, *c);
        }
    buf_puts(out, "</text>\n");
}

static void put_strip(const struct plot *plot, const struct sim_outcome *outcome, double top,
                      struct buf *out)
{
    char text[96];

    for (size_t s = 0; s < plot->options->site_count; s++)
        put_area(plot, s, top, out);
    put_text(out, LEFT + 4, top + 14, "start", outcome->policy);
    snprintf(text, sizeof text, "%.0f cpus", plot->most);
    put_text(out, LEFT - 4, top + 12, "end", text);
    put_text(out, LEFT - 4, top + HEIGHT, "end", "0");
    buf_printf(out, "<path stroke=\"#888\" fill=\"none\" d=\"M%d %.0fV%.0fH%d\"/>\n", LEFT, top,
               top + HEIGHT, WIDTH - 10);
}

static void put_legend(const struct plot *plot, double top, struct buf *out)
{
    char text[96];
    double days = (double)(plot->to_ms - plot->from_ms) / 86400000;

    for (size_t s = 0; s < plot->options->site_count; s++) {
        double x = LEFT + (double)(s % 6) * 130, y = top + 18 * floor((double)s / 6);

        buf_printf(out, "<rect x=\"%.0f\" y=\"%.0f\" width=\"10\" height=\"10\" fill=\"%s\"/>\n", x,
                   y, colours[s % array_len(colours)]);
        put_text(out, x + 14, y + 10, "start", plot->options->sites[s].name);
    }
    snprintf(text, sizeof text, "%.2f days", days);
    put_text(out, WIDTH - 10, top - 6, "end", text);
}

int sim_plot(const struct sim_options *options, const struct swf_trace *trace,
             const struct sim_outcome *outcomes, size_t count, struct buf *out)
{
    struct plot plot = { .options = options, .trace = trace, .from_ms = INT64_MAX };
    double height =
        (double)count * (HEIGHT + 20) + 40 + 18.0 * floor((double)options->site_count / 6);
    own_mem double *busy = xcalloc(STEPS * options->site_count + 1, sizeof *busy);

    plot.busy = busy;
    for (size_t i = 0; i < trace->count; i++)
        if (trace->jobs[i].submit_ms < plot.from_ms)
            plot.from_ms = trace->jobs[i].submit_ms;
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < outcomes[k].result.count; i++)
            if (outcomes[k].result.each[i].end_ms > plot.to_ms)
                plot.to_ms = outcomes[k].result.each[i].end_ms;
    if (plot.to_ms <= plot.from_ms)
        plot.to_ms = plot.from_ms = 0, plot.to_ms = 1;
    /* One scale for all strips: first the most, then the drawing. */
    for (size_t k = 0; k < count; k++)
        fill(&plot, &outcomes[k].result);
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
               "font-family=\"sans-serif\" font-size=\"11\">\n"
               "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
               WIDTH, height);
    for (size_t k = 0; k < count; k++) {
        fill(&plot, &outcomes[k].result);
        put_strip(&plot, &outcomes[k], 10 + (double)k * (HEIGHT + 20), out);
    }
    put_legend(&plot, 10 + (double)count * (HEIGHT + 20) + 8, out);
    return buf_puts(out, "</svg>\n");
}
