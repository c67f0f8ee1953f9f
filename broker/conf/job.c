/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - a job description, checked whole in one pass.
 *
 * The keys of each level are a table (reader.h); what depends on several keys is looked at
 * afterwards. The pieces are read in resources.c, inputs.c, parts.c and placement.c. */
#include "conf/job.h"

#include <pthread.h>
#include <string.h>

#include "base/own.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "conf/job_parts.h"

#define ARGUMENTS_MOST   100000
#define GRACE_DEFAULT_MS 10000

/* ---- command, script, array
 * -------------------------------------------------------------------------- */

/* A command's words; of a script's only what follows its name. */
static void read_argv(struct reader *r, const json_t *value, bool command, char ***out)
{
    size_t count = json_array_size(value), kept = 0;

    if ((count == 0 && command) || count > ARGUMENTS_MOST) {
        reader_problem(r, count ? NULL : "name the program: [./call.sh, \"{task}\"]",
                       count ? "has more than %d arguments" : "is empty", ARGUMENTS_MOST);
        return;
    }
    *out = xcalloc(count + 1, sizeof **out);
    for (size_t i = 0; i < count; i++) {
        char buffer[24];
        const char *text;

        reader_enter_at(r, i);
        text = read_plain(r, json_array_get(value, i), buffer);
        if (text && i == 0 && !*text && command)
            reader_problem(r, "name the program", "is empty");
        if (text)
            (*out)[kept++] = xstrdup(text);
        reader_leave(r);
    }
}

/* A list is run as it is, text by the shell. */
static void read_command(struct reader *r, const struct field *field, const json_t *value,
                         void *slot)
{
    struct job_spec *spec = slot;
    const char *text = json_string_value(value);

    (void)field;
    if (json_is_array(value)) {
        read_argv(r, value, true, &spec->argv);
    } else if (!text) {
        reader_problem_type(r, "a list of arguments, or text for the shell", value);
    } else if (!text[strspn(text, " \t\n")]) {
        reader_problem(r, "name the program", "is empty");
    } else {
        spec->argv = xcalloc(4, sizeof *spec->argv);
        spec->argv[0] = xstrdup("/bin/sh");
        spec->argv[1] = xstrdup("-c");
        spec->argv[2] = xstrdup(text);
    }
}

static void read_script(struct reader *r, const struct field *field, const json_t *value,
                        void *slot)
{
    struct job_spec *spec = slot;
    const char *text = json_string_value(value);

    (void)field;
    if (!text)
        reader_problem_type(r, "the text of a script", value);
    else if (!text[strspn(text, " \t\r\n")])
        reader_problem(r, "write the commands below 'script: |'", "is empty");
    else if (strstr(text, "\r\n"))
        reader_problem(r, "convert it with dos2unix",
                       "has line ends of Windows, which no interpreter here understands");
    else if (strncmp(text, "#!", 2) == 0)
        spec->script = xstrdup(text);
    else
        spec->script = xasprintf("#!/bin/sh\n%s", text);
}

static void read_arguments(struct reader *r, const struct field *field, const json_t *value,
                           void *slot)
{
    (void)field;
    if (json_is_array(value))
        read_argv(r, value, false, slot);
    else
        reader_problem_type(r, "a list of texts", value);
}

static bool is_full_path(const char *path)
{
    if (*path != '/')
        return false;
    while (*path) {
        size_t length = strcspn(++path, "/");

        if ((length == 1 && path[0] == '.') || (length == 2 && strncmp(path, "..", 2) == 0))
            return false;
        path += length;
    }
    return true;
}

/* "0-99%20": the part behind '%'. */
static bool read_parallel(struct reader *r, const char *text, struct job_spec *spec)
{
    struct err err = ERR_INIT;

    if (parse_i64(text, 1, JOB_TASKS_MOST, &spec->array_parallel, &err) == 0)
        return true;
    reader_problem(r, "write 0-99%20 for at most 20 tasks at a time", "%s", err.text);
    return false;
}

static void read_array(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    static const struct field size = { .least = 1, .most = JOB_TASKS_MOST };
    struct job_spec *spec = slot;
    struct err err = ERR_INIT;
    const char *text = json_string_value(value), *percent;
    own_str char *indices = NULL;
    char count[32];
    int64_t tasks = 0;

    (void)field;
    if (json_is_integer(value)) {
        read_i64(r, &size, value, &tasks);
        if (tasks == 0)
            return;
        snprintf(count, sizeof count, "0-%lld", (long long)tasks - 1);
        text = count;
    }
    if (!text) {
        reader_problem_type(r, "a set of indices such as \"0-99\"", value);
        return;
    }
    percent = strchr(text, '%');
    if (percent && !read_parallel(r, percent + 1, spec))
        return;
    indices = xstrndup(text, percent ? (size_t)(percent - text) : strlen(text));
    if (index_set_parse(indices, &spec->array, &err) < 0)
        reader_problem_err(r, &err);
}

/* ---- the document
 * ------------------------------------------------------------------------------------ */

static const struct field job_fields[] = {
    FIELD("name", read_text, struct job_spec, name, .most = JOB_NAME_MOST),
    FIELD("project", read_text, struct job_spec, project, .most = 64, .good = is_site_name,
          .want = "a project's name (letters, digits, '.', '_', '-')"),
    FIELD_SELF("comment", read_text), /* for people: shown with the description */
    FIELD_SELF("command", read_command),
    FIELD_SELF("script", read_script),
    FIELD_SELF("resources", read_resources),
    FIELD_SELF("array", read_array),
    FIELD_SELF("inputs", read_inputs),
    FIELD_SELF("outputs", read_outputs),
    FIELD_SELF("environment", read_environment),
    FIELD("image", read_text, struct job_spec, image, .most = 255),
    FIELD("container", read_text, struct job_spec, container, .most = 512),
    FIELD("arguments", read_arguments, struct job_spec, arguments),
    FIELD("workdir", read_text, struct job_spec, workdir, .most = 4000, .good = is_full_path,
          .want = "a full path without '.' and '..', such as /home/ann/run"),
    FIELD("stdout", read_text, struct job_spec, out_file, .most = 4000),
    FIELD("stderr", read_text, struct job_spec, err_file, .most = 4000),
    FIELD("append", read_bool, struct job_spec, append),
    FIELD_SELF("after", read_after),
    FIELD_SELF("retries", read_retries),
    FIELD_SELF("signal", read_signal),
    FIELD("grace", read_span, struct job_spec, grace_ms, BETWEEN(0, 86400000)),
    FIELD_SELF("limits", read_limits),
    FIELD_SELF("placement", read_placement),
    FIELD("deadline", read_time, struct job_spec, deadline_ms),
    FIELD("begin", read_time, struct job_spec, not_before_ms),
    FIELD("priority", read_int, struct job_spec, priority, BETWEEN(-1000, 1000)),
    FIELD("hold", read_bool, struct job_spec, hold),
    FIELD_SELF("notify", read_notify),
    FIELD_SELF("schedule", read_schedule),
    { 0 },
};
static const struct level job_level = { "", job_fields, &resources_level };

static const struct level *const levels[] = {
    &job_level,       &resources_level,       &any_of_level, &inputs_level,
    &after_level,     &retries_level,         &signal_level, &limits_level,
    &placement_level, &placement_sites_level, &notify_level, &schedule_level,
};

static void spec_init(struct job_spec *spec)
{
    *spec = (struct job_spec){
        .retries_infra = -1,
        .retries_preempt = -1,
        .grace_ms = GRACE_DEFAULT_MS,
    };
    placement_init(&spec->placement);
}

static void check_command(struct reader *r, const json_t *document)
{
    bool command = json_object_get(document, "command"),
         script = json_object_get(document, "script");

    if (command && script)
        reader_problem(r, "leave one of them out", "has both 'command' and 'script'");
    if (!command && !script)
        reader_problem(r, "add command: [PROGRAM, ARGUMENTS...]",
                       "needs 'command' or 'script': there is nothing to run");
}

static void refuse_key(struct reader *r, const json_t *document, const char *key, const char *hint,
                       const char *words)
{
    if (!json_object_get(document, key))
        return;
    reader_enter(r, key);
    reader_problem(r, hint, "%s", words);
    reader_leave(r);
}

/* In a directory that is shared, files are where they are. */
static void check_workdir(struct reader *r, const json_t *document, const struct job_spec *spec)
{
    static const char *const not_there[] = { "inputs", "outputs", "container" };
    static const char *const only_there[] = { "stdout", "stderr", "append" };

    for (size_t i = 0; spec->workdir && i < array_len(not_there); i++)
        refuse_key(r, document, not_there[i], "leave one of them out",
                   "does not go with 'workdir': such a job runs among the files of its directory");
    for (size_t i = 0; !spec->workdir && i < array_len(only_there); i++)
        refuse_key(r, document, only_there[i], "add workdir: /DIRECTORY, or see 'spillway logs'",
                   "goes with 'workdir' only; the broker keeps what other jobs print");
    if (!spec->script)
        refuse_key(r, document, "arguments", "put them behind the command",
                   "goes with 'script' only");
}

static void check_signal(struct reader *r, const struct job_spec *spec)
{
    char before[FORMAT_BYTES];

    for (size_t i = 0; spec->signal_early && i < spec->option_count; i++) {
        if (!spec->options[i].walltime_ms || spec->signal_before_ms < spec->options[i].walltime_ms)
            continue;
        reader_enter(r, "signal");
        reader_problem(r, "send it later, or ask for a longer walltime",
                       "%s before the end is before the start",
                       format_span(spec->signal_before_ms, before, sizeof before));
        reader_leave(r);
        return;
    }
}

static void check_after(struct reader *r, const struct job_spec *spec)
{
    for (size_t i = 0; i < spec->after_count; i++) {
        if (!spec->after[i].each || spec->array.size)
            continue;
        reader_enter(r, "after");
        reader_enter_at(r, i);
        reader_problem(r, "leave 'each' out, or make this job an array of the same indices",
                       "'each' ties task to task, but this job is no array");
        reader_leave(r);
        reader_leave(r);
    }
}

static void check_times(struct reader *r, const struct job_spec *spec)
{
    if (!spec->deadline_ms || !spec->not_before_ms || spec->deadline_ms > spec->not_before_ms)
        return;
    reader_enter(r, "deadline");
    reader_problem(r, "set it later, or let the job begin earlier", "is not after 'begin'");
    reader_leave(r);
}

/* "/opt/bin/call.sh" is called call.sh, text for the shell by its first word. */
static void default_name(struct job_spec *spec)
{
    const char *text = "script", *base;
    size_t length;
    bool shell;

    if (spec->name)
        return;
    shell = spec->argv && strcmp(spec->argv[0], "/bin/sh") == 0 && spec->argv[1] &&
            strcmp(spec->argv[1], "-c") == 0 && spec->argv[2];
    if (spec->argv)
        text = shell ? spec->argv[2] + strspn(spec->argv[2], " \t\n") : spec->argv[0];
    length = shell ? strcspn(text, " \t\n;|&<>") : strlen(text);
    for (base = text + length; base > text && base[-1] != '/';)
        base--;
    length -= (size_t)(base - text);
    spec->name = xstrndup(base, length < JOB_NAME_MOST ? length : JOB_NAME_MOST - 1);
    utf8_trim_end(spec->name);
    if (!*spec->name || !text_is_plain(spec->name, strlen(spec->name))) {
        free(spec->name);
        spec->name = xstrdup("job");
    }
}

int job_spec_parse(const json_t *document, struct job_spec *out, struct problems *problems)
{
    struct reader r = { .problems = problems };

    spec_init(out);
    read_level(&r, &job_level, document, out);
    if (json_is_object(document) && (r.found || !out->argv == !out->script))
        check_command(&r, document);
    if (r.found == 0) {
        if (out->option_count == 0) {
            out->options = xmalloc(sizeof *out->options);
            out->option_count = 1;
            resources_init(out->options);
            out->options->gpus = 0;
        }
        check_signal(&r, out);
        check_after(&r, out);
        check_inputs(&r, out);
        check_times(&r, out);
        check_workdir(&r, document, out);
    }
    if (r.found == 0) {
        default_name(out);
        return 0;
    }
    job_spec_free(out);
    return -1;
}

void job_spec_free(struct job_spec *spec)
{
    for (size_t i = 0; i < spec->option_count; i++)
        resources_fini(&spec->options[i]);
    for (size_t i = 0; i < spec->after_count; i++)
        free(spec->after[i].name);
    for (size_t i = 0; i < spec->limit_count; i++)
        free(spec->limits[i].name);
    inputs_free(spec->inputs, spec->input_count);
    index_set_free(&spec->array);
    placement_fini(&spec->placement);
    strings_free(spec->argv);
    strings_free(spec->outputs);
    strings_free(spec->environment);
    strings_free(spec->arguments);
    free(spec->workdir);
    free(spec->out_file);
    free(spec->err_file);
    free(spec->name);
    free(spec->project);
    free(spec->script);
    free(spec->options);
    free(spec->image);
    free(spec->container);
    free(spec->after);
    free(spec->retry_on_exit);
    free(spec->limits);
    json_decref(spec->notify);
    json_decref(spec->schedule);
    *spec = (struct job_spec){ 0 };
}

/* ---- the keys, for others
 * ---------------------------------------------------------------------------- */

#define KEYS_MOST 40

static const char *keys[array_len(levels)][KEYS_MOST];
static pthread_once_t keys_once = PTHREAD_ONCE_INIT;

static void fill_keys(void)
{
    for (size_t i = 0; i < array_len(levels); i++)
        for (size_t j = 0; levels[i]->fields[j].key && j + 1 < KEYS_MOST; j++)
            keys[i][j] = levels[i]->fields[j].key;
}

const char *const *job_keys(const char *level)
{
    pthread_once(&keys_once, fill_keys);
    for (size_t i = 0; i < array_len(levels); i++)
        if (strcmp(levels[i]->name, level) == 0)
            return keys[i];
    return NULL;
}
