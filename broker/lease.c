/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - from a description to what the agent is told.
 *
 * Placeholders are put in here, and inputs of the form "job:NAME/PATTERN" become the files that the
 * named earlier job has left: TO/PATH of a plain job, TO/INDEX/PATH of an array's task. */
#include "lease.h"

#include <string.h>
#include <strings.h>

#include "base/glob.h"
#include "base/json.h"
#include "base/own.h"
#include "conf/expand.h"
#include "spillway/wire.h"

struct leases {
    struct store *store;
    struct leases_options options;
    int64_t job; /* whose description is kept; 0: none */
    struct job_spec spec;
    struct buf user, project;
};

struct leases *leases_new(struct store *store, const struct leases_options *options)
{
    struct leases *leases = xcalloc(1, sizeof *leases);

    leases->store = store;
    leases->options = *options;
    return leases;
}

void leases_free(struct leases *leases)
{
    if (!leases)
        return;
    job_spec_free(&leases->spec);
    buf_free(&leases->user);
    buf_free(&leases->project);
    free(leases);
}

static int read_spec(struct leases *leases, int64_t job, struct err *err)
{
    own_buf struct buf text = BUF_INIT(0);
    struct problems problems = { .list = NULL };
    own_json json_t *document = NULL;
    int rc;

    if (leases->job == job)
        return 0;
    leases->job = 0;
    job_spec_free(&leases->spec);
    memset(&leases->spec, 0, sizeof leases->spec);
    buf_clear(&leases->user);
    buf_clear(&leases->project);
    rc = store_spec(leases->store, job, &text, &leases->user, &leases->project, err);
    if (rc == 1)
        return err_set(err, FAULT_NOT_FOUND, "job %lld has no record", (long long)job);
    if (rc < 0 || !(document = json_parse(buf_text(&text), text.length, err)))
        return -1;
    rc = job_spec_parse(document, &leases->spec, &problems);
    if (rc < 0)
        err_set(err, FAULT_INTERNAL, "job %lld: its description is no longer understood: %s",
                (long long)job, problems.count ? problems.list[0].text : "");
    problems_free(&problems);
    if (rc == 0)
        leases->job = job;
    return rc;
}

/* ---- files of earlier jobs
 * ----------------------------------------------------------------------- */

struct gather {
    struct leases *leases;
    struct buf *out;
    const struct input *input;
    const char *pattern;
    char **blobs; /* of what was found; NULL-terminated */
    size_t found;
    bool is_array;
    int64_t index; /* of the task whose files are being listed */
    struct err *err;
    int rc;
};

static void put_input(struct buf *out, const char *to, const char *sha256, int64_t size, int mode)
{
    buf_puts(out, out->data[out->length - 1] == '[' ? "{\"to\":" : ",{\"to\":");
    buf_put_json(out, to);
    buf_printf(out, ",\"sha256\":\"%s\",\"size\":%lld,\"mode\":%d}", sha256, (long long)size, mode);
}

static bool gather_output(void *arg, const struct output_row *row)
{
    struct gather *gather = arg;
    own_str char *to = NULL;
    const char *folder = gather->input->to;
    bool as_file = !glob_is_pattern(gather->pattern) && !gather->is_array;

    if (!glob_match(gather->pattern, row->path))
        return true;
    if (as_file && folder[0] && folder[strlen(folder) - 1] != '/')
        to = xstrdup(folder);
    else if (gather->is_array)
        to = xasprintf("%s/%lld/%s", folder, (long long)gather->index, row->path);
    else
        to = xasprintf("%s/%s", folder, row->path);
    put_input(gather->out, to, row->sha256, row->size, row->mode);
    gather->blobs = xrealloc(gather->blobs, (gather->found + 2) * sizeof(char *));
    gather->blobs[gather->found++] = xstrdup(row->sha256);
    gather->blobs[gather->found] = NULL;
    return true;
}

static bool gather_task(void *arg, const struct ls_row *row)
{
    struct gather *gather = arg;

    gather->is_array = row->job.array != NULL;
    gather->index = row->task.index;
    if (row->task.state == TASK_SUCCEEDED && row->task.attempt)
        gather->rc = store_outputs(gather->leases->store, row->task.attempt, gather_output, gather,
                                   gather->err);
    return gather->rc == 0;
}

/* Which of the jobs that this one waits for is meant: by id, or by name. */
struct find_job {
    struct store *store;
    const char *name;
    size_t length;
    int64_t found;
};

static bool is_named(void *arg, const struct dependency_row *row)
{
    struct find_job *find = arg;
    struct job_detail detail;
    own_buf struct buf strings = BUF_INIT(0);
    char id[24];

    snprintf(id, sizeof id, "%lld", (long long)row->on_job);
    if ((strlen(id) == find->length && memcmp(id, find->name, find->length) == 0) ||
        (store_job(find->store, row->on_job, &detail, &strings, NULL) == 0 &&
         strlen(detail.job.name) == find->length &&
         memcmp(detail.job.name, find->name, find->length) == 0))
        find->found = row->on_job;
    return !find->found;
}

/* "job:NAME/PATTERN" */
static int put_job_files(struct leases *leases, int64_t job, const struct input *input,
                         const struct job_vars *vars, struct buf *out, struct err *err)
{
    own_str char *from = job_expand(input->from + strlen("job:"), vars);
    char *slash = strchr(from, '/');
    struct find_job find = { .store = leases->store, .name = from };
    struct gather gather = { .leases = leases, .out = out, .input = input, .err = err };
    struct ls_filter filter = { .all = true, .limit = JOB_TASKS_MOST };
    own_buf struct buf cursor = BUF_INIT(0);
    int rc;

    if (!slash)
        return err_set(err, FAULT_INVALID, "input '%s' names no file: write job:NAME/PATTERN",
                       input->from);
    find.length = (size_t)(slash - from);
    gather.pattern = slash + 1;
    if (store_dependencies(leases->store, job, is_named, &find, err) < 0)
        return -1;
    if (!find.found)
        return err_set(err, FAULT_NOT_FOUND,
                       "input '%s': the job is not among those it waits for (after:)", input->from);
    filter.job = find.found;
    if (store_ls(leases->store, &filter, gather_task, &gather, &cursor, err) < 0 || gather.rc < 0)
        rc = -1;
    else if (!gather.found)
        rc = err_set(err, FAULT_NOT_FOUND, "input '%s': job %lld left no such file", input->from,
                     (long long)find.found);
    else
        rc = store_job_needs(leases->store, job, gather.blobs, err);
    for (size_t i = 0; i < gather.found; i++)
        free(gather.blobs[i]);
    free(gather.blobs);
    return rc;
}

/* ---- the parts of the text
 * -------------------------------------------------------------------------- */

static void put_text(struct buf *out, const char *text, const struct job_vars *vars)
{
    own_str char *expanded = NULL;

    if (!job_expands(text)) {
        buf_put_json(out, text);
        return;
    }
    expanded = job_expand(text, vars);
    buf_put_json(out, expanded);
}

static void put_list(struct buf *out, const char *key, char *const *list,
                     const struct job_vars *vars)
{
    buf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; list && list[i]; i++) {
        if (i)
            buf_putc(out, ',');
        put_text(out, list[i], vars);
    }
    buf_putc(out, ']');
}

static bool is_url(const char *from)
{
    return strncasecmp(from, "https://", 8) == 0 || strncasecmp(from, "http://", 7) == 0;
}

/* What the agent fetches itself; its size may be the other server's to say. */
static void put_url(struct buf *out, const struct input *input, const struct job_vars *vars)
{
    buf_puts(out, out->data[out->length - 1] == '[' ? "{\"url\":" : ",{\"url\":");
    put_text(out, input->from, vars);
    buf_puts(out, ",\"to\":");
    put_text(out, input->to, vars);
    if (input->sha256)
        buf_printf(out, ",\"sha256\":\"%s\"", input->sha256);
    if (input->size >= 0)
        buf_printf(out, ",\"size\":%lld", (long long)input->size);
    buf_printf(out, ",\"mode\":%d}", input->mode);
}

static int put_inputs(struct leases *leases, int64_t job, const struct job_vars *vars,
                      struct buf *out, struct err *err)
{
    buf_puts(out, ",\"inputs\":[");
    for (size_t i = 0; i < leases->spec.input_count; i++) {
        const struct input *input = &leases->spec.inputs[i];

        if (strncmp(input->from, "job:", 4) == 0) {
            if (put_job_files(leases, job, input, vars, out, err) < 0)
                return -1;
        } else if (is_url(input->from)) {
            put_url(out, input, vars);
        } else {
            put_input(out, input->to, input->sha256 ? input->sha256 : "", input->size, input->mode);
        }
    }
    return buf_putc(out, ']');
}

static void put_number(struct buf *out, const char *key, int64_t value)
{
    if (value)
        buf_printf(out, ",\"%s\":%lld", key, (long long)value);
}

static void put_limits(struct leases *leases, const struct grant *grant, struct buf *out)
{
    const struct job_spec *spec = &leases->spec;
    const struct resources *want =
        &spec->options[grant->alternative < spec->option_count ? grant->alternative : 0];
    int64_t walltime = want->walltime_ms ? want->walltime_ms : leases->options.walltime_ms;

    put_number(out, "cpus", grant->cpus);
    put_number(out, "memory_bytes", grant->memory);
    put_number(out, "disk_bytes", grant->disk);
    put_number(out, "gpus", grant->gpus);
    put_number(out, "walltime_ms", walltime);
    put_number(out, "signal", walltime ? spec->signal_early : 0);
    put_number(out, "signal_before_ms", walltime ? spec->signal_before_ms : 0);
    put_number(out, "grace_ms", spec->grace_ms);
    put_number(out, "log_most", leases->options.log_most);
    put_number(out, "output_most", leases->options.output_most);
}

/* Nodes of a gang may share the directory: each writes to a file of its own. */
static void put_file(struct buf *out, const char *key, const char *file, const struct lease *lease,
                     const struct job_vars *vars)
{
    own_str char *apart = NULL;

    if (!file)
        return;
    if (lease->rank > 0 && strncmp(file, "/dev/", 5) != 0)
        apart = xasprintf("%s.node-%d", file, lease->rank);
    buf_printf(out, ",\"%s\":", key);
    put_text(out, apart ? apart : file, vars);
}

static void put_workdir(struct buf *out, const struct job_spec *spec, const struct lease *lease,
                        const struct job_vars *vars)
{
    buf_puts(out, ",\"workdir\":");
    buf_put_json(out, spec->workdir);
    put_file(out, "stdout", spec->out_file, lease, vars);
    put_file(out, "stderr", spec->err_file, lease, vars);
    if (spec->append)
        buf_puts(out, ",\"append\":true");
}

/* What a node of a gang is told of the others. */
static void put_nodes(const struct lease *lease, struct buf *out)
{
    if (lease->nodes)
        buf_printf(out, ",\"rank\":%d,\"nodes\":%s", lease->rank, lease->hosts);
}

static void put_head(struct leases *leases, const struct lease *lease, const struct job_vars *vars,
                     struct buf *out)
{
    const struct job_spec *spec = &leases->spec;

    buf_printf(out, "{\"attempt\":%lld,\"job\":%lld,\"index\":%lld,\"number\":%d,\"task\":\"%lld",
               (long long)lease->attempt, (long long)lease->job, (long long)lease->index,
               lease->attempt_number, (long long)lease->job);
    if (spec->array.size)
        buf_printf(out, ".%lld", (long long)lease->index);
    buf_puts(out, "\",\"name\":");
    buf_put_json(out, spec->name);
    buf_puts(out, ",\"project\":");
    buf_put_json(out, buf_text(&leases->project));
    buf_puts(out, ",\"user\":");
    buf_put_json(out, buf_text(&leases->user));
    if (spec->script) {
        own_str char *script = spec->array.size ? job_expand_script(spec->script, vars) : NULL;

        buf_puts(out, ",\"script\":");
        buf_put_json(out, script ? script : spec->script);
        if (spec->arguments)
            put_list(out, "argv", spec->arguments, vars);
    } else {
        put_list(out, "argv", spec->argv, vars);
    }
    if (spec->container) {
        buf_puts(out, ",\"container\":");
        buf_put_json(out, spec->container);
    }
    if (spec->workdir)
        put_workdir(out, spec, lease, vars);
}

char *lease_text(struct leases *leases, const struct lease *lease, const struct grant *grant,
                 struct err *err)
{
    own_buf struct buf out = BUF_INIT(WIRE_BODY_MOST);
    struct job_vars vars = { .job = lease->job, .index = lease->index };

    if (read_spec(leases, lease->job, err) < 0)
        return NULL;
    vars.name = leases->spec.name;
    put_head(leases, lease, &vars, &out);
    put_list(&out, "environment", leases->spec.environment, &vars);
    put_list(&out, "outputs", leases->spec.outputs, &vars);
    put_limits(leases, grant, &out);
    put_nodes(lease, &out);
    if (put_inputs(leases, lease->job, &vars, &out, err) < 0)
        return NULL;
    buf_putc(&out, '}');
    if (out.failed) {
        err_set(err, FAULT_INVALID,
                "job %lld: command, environment and inputs are larger than %d bytes together",
                (long long)lease->job, WIRE_BODY_MOST);
        return NULL;
    }
    return buf_take(&out);
}
