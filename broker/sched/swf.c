/* SPDX-License-Identifier: Apache-2.0 */
/* swf.c - traces in the Standard Workload Format. */
#include "sched/swf.h"

#include <ctype.h>
#include <stdbool.h>

#include "base/map.h"
#include "base/own.h"

enum {
    NUMBER,
    SUBMIT,
    WAIT,
    RUN,
    PROCS,
    CPU,
    USED_MEMORY,
    ASKED_PROCS,
    ASKED_TIME,
    ASKED_MEMORY,
    STATUS,
    USER,
    GROUP,
    PROGRAM,
    QUEUE,
    PARTITION,
    BEFORE,
    THINK,
    FIELDS
};

#define TIME_MOST 4e9 /* seconds: more than a century is a slip */

struct parser {
    struct swf_trace *out;
    size_t room, line, ids_room[2];
    struct map users, projects;
    int64_t *before; /* field 17 of each job */
};

static void complain(struct parser *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void complain(struct parser *p, const char *format, ...)
{
    va_list args;

    if (p->out->malformed++ >= SWF_REPORTS_MOST)
        return;
    buf_printf(&p->out->report, "line %zu: ", p->line);
    va_start(args, format);
    buf_vprintf(&p->out->report, format, args);
    va_end(args);
    buf_puts(&p->out->report, ", skipped\n");
}

/* ---- headers --------------------------------------------------------------------------------- */

static void read_header(struct parser *p, const char *at, const char *end)
{
    struct swf_trace *out = p->out;
    const char *colon = memchr(at, ':', (size_t)(end - at));
    char *key;

    for (; at < end && (*at == ';' || isspace((unsigned char)*at)); at++)
        ;
    if (!colon || colon <= at || out->header_count >= 1000)
        return;
    key = xstrndup(at, (size_t)(colon - at));
    for (at = colon + 1; at < end && isspace((unsigned char)*at); at++)
        ;
    while (end > at && isspace((unsigned char)end[-1]))
        end--;
    out->headers = xrealloc(out->headers, (out->header_count + 1) * sizeof *out->headers);
    out->headers[out->header_count++] =
        (struct swf_header){ .key = key, .value = xstrndup(at, (size_t)(end - at)) };
}

const char *swf_header(const struct swf_trace *trace, const char *key)
{
    for (size_t i = 0; i < trace->header_count; i++)
        if (strcmp(trace->headers[i].key, key) == 0)
            return trace->headers[i].value;
    return NULL;
}

static int64_t header_number(const struct swf_trace *trace, const char *key)
{
    const char *value = swf_header(trace, key);
    long long number = value ? strtoll(value, NULL, 10) : 0;

    return number > 0 ? number : 0;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

/* One number: digits, a sign, a fraction.  Traces are ASCII and large, so this is by hand. */
static bool read_number(const char **at, const char *end, double *out)
{
    const char *c = *at;
    bool minus = c < end && *c == '-', any = false;
    double value = 0, unit = 1;

    c += minus || (c < end && *c == '+');
    for (; c < end && *c >= '0' && *c <= '9'; c++, any = true)
        value = value * 10 + (*c - '0');
    if (c < end && *c == '.')
        for (c++; c < end && *c >= '0' && *c <= '9'; c++, any = true)
            value += (*c - '0') * (unit /= 10);
    if (!any || (c < end && *c != ' ' && *c != '\t' && *c != '\r'))
        return false;
    *out = minus ? -value : value;
    *at = c;
    return true;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

static bool read_fields(struct parser *p, const char *at, const char *end, double *fields)
{
    int count = 0;

    for (at = skip_blanks(at, end); at < end; at = skip_blanks(at, end)) {
        if (count == FIELDS) {
            complain(p, "more than 18 fields");
            return false;
        }
        if (!read_number(&at, end, &fields[count])) {
            complain(p, "field %d is not a number", count + 1);
            return false;
        }
        count++;
    }
    if (count == FIELDS)
        return true;
    complain(p, "%d fields, 18 wanted", count);
    return false;
}

/* The trace's number of a user or a group as ours, from 0. */
static int32_t intern(struct parser *p, bool project, double id)
{
    struct map *map = project ? &p->projects : &p->users;
    int32_t *count = project ? &p->out->projects : &p->out->users;
    int64_t **ids = project ? &p->out->project_ids : &p->out->user_ids;
    int64_t number = id < 0 ? -1 : (int64_t)id;
    uintptr_t known = (uintptr_t)map_get(map, (uint64_t)number);

    if (known)
        return (int32_t)known - 1;
    if ((size_t)*count == p->ids_room[project]) {
        p->ids_room[project] = p->ids_room[project] ? p->ids_room[project] * 2 : 64;
        *ids = xrealloc(*ids, p->ids_room[project] * sizeof(**ids));
    }
    (*ids)[*count] = number;
    map_put(map, (uint64_t)number, (void *)(uintptr_t)(*count + 1));
    return (*count)++;
}

static bool plausible(struct parser *p, const double *f)
{
    double procs = f[ASKED_PROCS] > 0 ? f[ASKED_PROCS] : f[PROCS];

    if (f[SUBMIT] < 0 || f[SUBMIT] > TIME_MOST || f[RUN] > TIME_MOST || f[ASKED_TIME] > TIME_MOST ||
        f[THINK] > TIME_MOST || f[NUMBER] > 9e15 || f[USER] > 9e15 || f[GROUP] > 9e15 ||
        f[BEFORE] > 9e15) {
        complain(p, "a time or a number is out of range");
        return false;
    }
    if (procs <= 0 || procs > 1e8 || f[ASKED_MEMORY] > 1e15) {
        complain(p, "the number of processors or the memory is out of range");
        return false;
    }
    return true;
}

static void add_job(struct parser *p, const double *f)
{
    struct swf_trace *out = p->out;
    struct swf_job *job;

    if (f[RUN] < 0 || (f[STATUS] == 5 && f[RUN] <= 0)) {
        out->unstarted++;
        return;
    }
    if (out->count == p->room) {
        p->room = p->room ? p->room * 2 : 4096;
        out->jobs = xrealloc(out->jobs, p->room * sizeof(*out->jobs));
        p->before = xrealloc(p->before, p->room * sizeof(*p->before));
    }
    p->before[out->count] = f[BEFORE] > 0 ? (int64_t)f[BEFORE] : -1;
    job = &out->jobs[out->count++];
    *job = (struct swf_job){
        .number = (int64_t)f[NUMBER],
        .submit_ms = (int64_t)(f[SUBMIT] * 1000),
        .run_ms = f[RUN] > 0 ? (int64_t)(f[RUN] * 1000) : 1,
        .walltime_ms = f[ASKED_TIME] > 0 ? (int64_t)(f[ASKED_TIME] * 1000) : 0,
        .cpus = (int32_t)(f[ASKED_PROCS] > 0 ? f[ASKED_PROCS] : f[PROCS]),
        .user = intern(p, false, f[USER]),
        .project = intern(p, true, f[GROUP]),
        .after = -1,
        .think_ms = f[THINK] > 0 ? (int64_t)(f[THINK] * 1000) : 0,
    };
    if (f[ASKED_MEMORY] > 0)
        job->memory = (int64_t)(f[ASKED_MEMORY] * 1024 * job->cpus);
    if (job->walltime_ms && job->run_ms > job->walltime_ms) {
        job->run_ms = job->walltime_ms;
        out->cut++;
    }
}

/* ---- order and dependencies -------------------------------------------------------------------
 */

struct placed {
    struct swf_job job;
    int64_t before;
};

static int by_submit(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    if (x->job.submit_ms != y->job.submit_ms)
        return x->job.submit_ms < y->job.submit_ms ? -1 : 1;
    return x->job.number < y->job.number ? -1 : x->job.number > y->job.number;
}

/* A job may follow one of any place, but never itself or, through others, come before it: only
 * earlier places count, the rest is a slip of the trace. */
static void order_jobs(struct parser *p)
{
    struct swf_trace *out = p->out;
    own_mem struct placed *list = xcalloc(out->count + 1, sizeof *list);
    struct map places = MAP_INIT;

    for (size_t i = 0; p->before && i < out->count; i++)
        list[i] = (struct placed){ out->jobs[i], p->before[i] };
    qsort(list, out->count, sizeof *list, by_submit);
    for (size_t i = 0; i < out->count; i++) {
        uintptr_t place =
            list[i].before > 0 ? (uintptr_t)map_get(&places, (uint64_t)list[i].before) : 0;

        out->jobs[i] = list[i].job;
        out->jobs[i].after = (int32_t)place - 1;
        map_put(&places, (uint64_t)list[i].job.number, (void *)(uintptr_t)(i + 1));
    }
    map_fini(&places);
}

void swf_parse(const char *text, size_t length, struct swf_trace *out)
{
    struct parser p = { .out = out, .users = MAP_INIT, .projects = MAP_INIT };
    const char *at = text, *end = text + length;

    *out = (struct swf_trace){ .report = BUF_INIT(65536) };
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at)), *first;
        double fields[FIELDS];

        stop = stop ? stop : end;
        p.line++;
        first = skip_blanks(at, stop);
        if (first < stop && *first == ';')
            read_header(&p, first, stop);
        else if (first < stop && read_fields(&p, first, stop, fields) && plausible(&p, fields))
            add_job(&p, fields);
        at = stop + 1;
    }
    if (out->malformed > SWF_REPORTS_MOST)
        buf_printf(&out->report, "and %zu more\n", out->malformed - SWF_REPORTS_MOST);
    order_jobs(&p);
    out->start_ms = header_number(out, "UnixStartTime") * 1000;
    out->max_procs = header_number(out, "MaxProcs");
    map_fini(&p.users);
    map_fini(&p.projects);
    free(p.before);
}

void swf_free(struct swf_trace *trace)
{
    for (size_t i = 0; i < trace->header_count; i++) {
        free(trace->headers[i].key);
        free(trace->headers[i].value);
    }
    free(trace->headers);
    free(trace->jobs);
    free(trace->user_ids);
    free(trace->project_ids);
    buf_free(&trace->report);
    *trace = (struct swf_trace){ .jobs = NULL };
}
