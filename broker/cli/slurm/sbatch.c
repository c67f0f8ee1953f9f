/* SPDX-License-Identifier: Apache-2.0 */
/* sbatch.c - `sbatch`: a script to the broker, as a job that runs in the caller's directory.
 *
 * Users of sbatch have a file system that all machines share: the job runs where it was submitted,
 * its output appears there, and nothing is transferred.  A script that names its files (#SPILLWAY
 * --input, --output, --container) can go anywhere instead; its output is then kept by the broker. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/inputs.h"
#include "cli/slurm/sbatch.h"
#include "cli/slurm/slurm.h"
#include "cli/task.h"
#include "cli/watch.h"
#include "conf/expand.h"
#include "conf/job.h"

#define WORDS_MOST 1024

/* One call. */
struct submission {
    struct cli *cli;
    const char *words[WORDS_MOST]; /* options: of the environment, then of the command line */
    size_t word_count;
    const char *file;            /* NULL: --wrap, or standard input */
    const char *const *operands; /* behind the script's name */
    struct buf text;
    char name[JOB_NAME_MOST + 1];
    struct sbatch_call call;
    struct script script;
};

static void submission_fini(struct submission *s)
{
    buf_free(&s->text);
    sbatch_call_free(&s->call);
    script_free(&s->script);
}

/* ---- the script ----------------------------------------------------------------------------------
 */

static int add_word(struct submission *s, const char *word, struct err *err)
{
    if (s->word_count == WORDS_MOST)
        return err_set(err, FAULT_INVALID, "more than %d options", WORDS_MOST);
    s->words[s->word_count++] = word;
    return 0;
}

/* SBATCH_* variables win over the script's lines, the command line over both. */
static int take_variables(struct submission *s, struct err *err)
{
    static const char *const pairs[][2] = {
        { "SBATCH_ACCOUNT", "--account" },
        { "SBATCH_ARRAY_INX", "--array" },
        { "SBATCH_EXPORT", "--export" },
        { "SBATCH_GPUS", "--gpus" },
        { "SBATCH_GRES", "--gres" },
        { "SBATCH_JOB_NAME", "--job-name" },
        { "SBATCH_MEM_PER_CPU", "--mem-per-cpu" },
        { "SBATCH_MEM_PER_NODE", "--mem" },
        { "SBATCH_OPEN_MODE", "--open-mode" },
        { "SBATCH_OUTPUT", "--output" },
        { "SBATCH_ERROR", "--error" },
        { "SBATCH_PARTITION", "--partition" },
        { "SBATCH_TIMELIMIT", "--time" },
    };

    for (size_t i = 0; i < array_len(pairs); i++)
        if (getenv(pairs[i][0]) &&
            (add_word(s, pairs[i][1], err) < 0 || add_word(s, getenv(pairs[i][0]), err) < 0))
            return -1;
    return getenv("SBATCH_WAIT") ? add_word(s, "--wait", err) : 0;
}

static int take_words(struct submission *s, const char *const *words, struct err *err)
{
    size_t count = sbatch_option_words(words);

    if (take_variables(s, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (add_word(s, words[i], err) < 0)
            return -1;
    words += count;
    if (*words && strcmp(*words, "--") == 0)
        words++;
    s->file = *words;
    s->operands = *words ? words + 1 : words;
    return 0;
}

static void print_notes(const struct submission *s, const struct script_notes *notes,
                        const char *kind)
{
    for (size_t i = 0; i < notes->count; i++) {
        if (notes->list[i].line)
            slurm_say("sbatch", kind, "%s:%d: %s", s->file ? s->file : "-", notes->list[i].line,
                      notes->list[i].text);
        else
            slurm_say("sbatch", kind, "%s", notes->list[i].text);
    }
}

/* The options alone: --wrap must be known before there is a text, and what is wrong with them be
 * said before a file is looked for. */
static int look_at_words(struct submission *s, char **wrap, struct err *err)
{
    struct sbatch_call call = { 0 };
    struct script script;
    int rc = sbatch_parse("", 0, "", clock_wall_ms(), s->words, s->word_count, &call, &script);

    print_notes(s, &script.faults, "error: ");
    *wrap = take_ptr(call.wrap);
    sbatch_call_free(&call);
    script_free(&script);
    return rc < 0 ? err_set(err, FAULT_INVALID, "Batch job submission failed") : 0;
}

static int read_text(struct submission *s, struct err *err)
{
    own_str char *wrap = NULL;
    const char *slash;

    s->text = (struct buf)BUF_INIT(SCRIPT_BYTES_MOST + 1);
    if (look_at_words(s, &wrap, err) < 0)
        return -1;
    if (wrap && s->file)
        return err_set(err, FAULT_INVALID, "Script arguments not permitted with --wrap option");
    if (wrap) {
        buf_printf(&s->text, "#!/bin/sh\n# This script was created by sbatch --wrap.\n\n%s\n",
                   wrap);
        snprintf(s->name, sizeof s->name, "wrap");
        return 0;
    }
    if (s->file ? buf_read_file(&s->text, s->file, err) < 0
                : buf_read_fd(&s->text, STDIN_FILENO, err) < 0)
        return err_wrap(err, "Unable to open file");
    slash = s->file ? strrchr(s->file, '/') : NULL;
    snprintf(s->name, sizeof s->name, "%.*s", JOB_NAME_MOST,
             slash     ? slash + 1
             : s->file ? s->file
                       : "sbatch");
    utf8_trim_end(s->name);
    if (s->text.length == 0)
        return err_set(err, FAULT_INVALID, "Batch script is empty!");
    if (strncmp(buf_text(&s->text), "#!", 2) != 0)
        return err_set(err, FAULT_INVALID,
                       "This does not look like a batch script.  The first line must start with #! "
                       "followed by the path to an interpreter.  For instance: #!/bin/sh");
    return 0;
}

/* ---- the description -----------------------------------------------------------------------------
 */

static bool names_its_files(const json_t *description)
{
    return json_object_get(description, "inputs") || json_object_get(description, "outputs") ||
           json_object_get(description, "container");
}

/* Where it runs; a folder that is not here is not there either. */
static int set_workdir(const struct submission *s, json_t *description, struct err *err)
{
    const char *dir = s->call.chdir ? s->call.chdir : ".", *pwd = getenv("PWD");
    own_str char *real = realpath(dir, NULL), *same = NULL;

    if (!real)
        return err_set(err, FAULT_INVALID, "--chdir: %s: %s", dir, strerror(errno));
    /* As the shell names it, when that is the same: links may lead elsewhere on another machine. */
    if (!s->call.chdir && pwd && (same = realpath(pwd, NULL)) && strcmp(same, real) == 0 &&
        !strstr(pwd, "/./") && !strstr(pwd, "/../"))
        json_object_set_new(description, "workdir", json_string(pwd));
    else
        json_object_set_new(description, "workdir", json_string(real));
    return 0;
}

/* What its sbatch says of a partition: a site, or all of them. */
static int set_partition(const struct submission *s, json_t *description, struct err *err)
{
    own_json json_t *answer = NULL, *require = json_array();
    json_t *placement = json_object_get(description, "placement");
    const json_t *site;
    size_t i;

    if (!s->call.partition || slurm_has_word(s->call.partition, SLURM_PARTITION))
        return 0;
    if (cli_get(s->cli, &answer, err, "/v1/sites") < 0)
        return -1;
    json_array_foreach(json_object_get(answer, "sites"), i, site)
    {
        if (slurm_has_word(s->call.partition, field_text(site, "name")))
            json_array_append_new(require, json_string(field_text(site, "name")));
    }
    if (json_array_size(require) == 0) {
        slurm_say("sbatch",
                  "warning: ", "--partition=%s is ignored: no site is called so; see 'sinfo'",
                  s->call.partition);
        return 0;
    }
    if (!placement) {
        placement = json_object();
        json_object_set_new(description, "placement", placement);
    }
    json_object_set_new(placement, "sites", json_pack("{s:O}", "require", require));
    return 0;
}

/* --dependency=singleton: after the end of all that bear this name now. */
static int set_singleton(const struct submission *s, json_t *description, struct err *err)
{
    struct slurm_query query = { .names = field_text(description, "name"), .users = slurm_user() };
    own_json json_t *tasks = json_array();
    json_t *after = json_object_get(description, "after"), *task;
    int64_t last = 0;
    size_t i;

    if (!s->call.singleton)
        return 0;
    if (slurm_tasks(s->cli, &query, tasks, err) < 0)
        return -1;
    if (!after) {
        after = json_array();
        json_object_set_new(description, "after", after);
    }
    json_array_foreach(tasks, i, task)
    {
        int64_t job = field_int(task, "job");

        if (job != last)
            json_array_append_new(after,
                                  json_pack("{s:I, s:s}", "job", (json_int_t)job, "on", "any"));
        last = job;
    }
    return 0;
}

static void set_operands(const struct submission *s, json_t *description)
{
    json_t *list = json_array();

    for (const char *const *at = s->operands; *at; at++) {
        own_str char *plain = job_escape(*at, false);

        json_array_append_new(list, json_string(plain));
    }
    if (json_array_size(list))
        json_object_set(description, "arguments", list);
    json_decref(list);
}

static int describe(struct submission *s, json_t *description, struct err *err)
{
    own_str char *here = getcwd(NULL, 0), *script = NULL;

    if (!here)
        return err_sys(err, "the current directory");
    if (json_object_get(description, "array")) {
        script = job_escape(buf_text(&s->text), true);
        json_object_set_new(description, "script", json_string(script));
    }
    set_operands(s, description);
    if (set_partition(s, description, err) < 0 || set_singleton(s, description, err) < 0 ||
        sbatch_environment(description, &s->call, here, err) < 0)
        return -1;
    if (!names_its_files(description))
        return set_workdir(s, description, err) < 0 ? -1 : sbatch_files(description, &s->call, err);
    if (s->call.output || s->call.error || s->call.chdir)
        slurm_say("sbatch", "warning: ",
                  "--output, --error and --chdir are ignored: the job names its files, so it may "
                  "run anywhere; see 'spillway logs' and 'spillway fetch'");
    return 0;
}

static int check(struct draft *draft, struct err *err)
{
    struct problems problems = { .count = 0 };

    if (job_spec_parse(draft->description, &draft->spec, &problems) == 0)
        return 0;
    for (size_t i = 0; i < problems.count; i++) {
        const char *pointer = problems.list[i].pointer;

        slurm_say("sbatch", "error: ", "%s%s%s", *pointer ? pointer + 1 : "", *pointer ? ": " : "",
                  problems.list[i].text);
    }
    problems_free(&problems);
    return err_set(err, FAULT_INVALID, "Batch job submission failed");
}

/* ---- to the broker -------------------------------------------------------------------------------
 */

static void say_refusal(const json_t *problem)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(problem, "errors"), i, one)
    {
        slurm_say("sbatch", "error: ", "%s: %s", field_text(one, "pointer"),
                  field_text(one, "detail"));
    }
    json_array_foreach(json_object_get(problem, "sites"), i, one)
    {
        slurm_say("sbatch", "error: ", "%s: %s", field_text(one, "site"), field_text(one, "text"));
    }
}

static int post(struct submission *s, const json_t *description, json_t **answer, struct err *err)
{
    own_json json_t *body = json_pack("{s:[O]}", "jobs", description);
    own_str char *text = NULL;
    own_reply struct reply reply = REPLY_INIT;
    char key[40] = "sbatch-";
    struct client *client;
    struct call call = { .method = "POST", .path = "/v1/jobs", .key = key };

    io_random_hex(key + strlen(key), 16);
    if (s->call.test_only)
        json_object_set_new(body, "dry_run", json_true());
    text = json_dumps(body, JSON_COMPACT);
    if (!text)
        return err_set(err, FAULT_INTERNAL, "the request cannot be written as JSON");
    call.body = text;
    call.body_length = strlen(text);
    if (cli_client(s->cli, &client, err) < 0)
        return -1;
    if (client_call(client, &call, &reply, err) < 0) {
        say_refusal(reply.problem);
        return err_wrap(err, "Batch job submission failed");
    }
    *answer = json_parse(buf_text(&reply.body), reply.body.length, err);
    return *answer ? 0 : err_wrap(err, "the broker's answer");
}

/* --test-only: where it could run. */
static int tell_test(const json_t *answer)
{
    const json_t *job = json_array_get(json_object_get(answer, "jobs"), 0), *site;
    size_t i;

    json_array_foreach(json_object_get(job, "sites"), i, site)
    {
        slurm_say("sbatch", "", "%s: %s: %s", field_text(site, "site"), field_text(site, "verdict"),
                  field_text(site, "text"));
    }
    return field_true(job, "never") ? 1 : 0;
}

/* The job's exit code; of an array the highest; 1 for an end by signal or by us. */
static int code_of(const json_t *task)
{
    own_buf struct buf text = BUF_INIT(0);
    int64_t code = 0;

    if (strcmp(slurm_state_of(task), "COMPLETED") == 0)
        return 0;
    slurm_exit_code(task, &text);
    code = strtoll(buf_text(&text), NULL, 10);
    return code > 0 && code < 256 ? (int)code : 1;
}

static int wait_for_end(struct submission *s, int64_t job, struct err *err)
{
    own_str char *id = xasprintf("%lld", (long long)job);
    const char *ids[] = { id };
    struct watch watch = { .ids = ids, .count = 1 };
    struct slurm_query query = { .jobs = id, .ended = true };
    own_json json_t *tasks = json_array();
    int code = 0;
    json_t *task;
    size_t i;

    if (watch_tasks(s->cli, &watch, err) < 0)
        return -1;
    watch_free(&watch);
    if (slurm_tasks(s->cli, &query, tasks, err) < 0)
        return -1;
    json_array_foreach(tasks, i, task)
    {
        int one = code_of(task);

        code = one > code ? one : code;
    }
    return code;
}

static int submit(struct submission *s, struct err *err)
{
    struct args none = { .command = &command_sbatch };
    struct draft draft = { .description = s->script.description };
    own_uploads struct uploads uploads = UPLOADS_INIT;
    own_json json_t *answer = NULL;
    const json_t *warning;
    int64_t job;
    size_t i;
    int rc = check(&draft, err);

    if (rc == 0)
        rc = inputs_prepare(&none, &draft, &uploads, err);
    job_spec_free(&draft.spec);
    if (rc < 0 || (!s->call.test_only && uploads_send(s->cli, &uploads, err) < 0) ||
        post(s, draft.description, &answer, err) < 0)
        return -1;
    json_array_foreach(json_object_get(answer, "warnings"), i, warning)
    {
        slurm_say("sbatch", "warning: ", "%s",
                  json_is_string(warning) ? json_string_value(warning)
                                          : field_text(warning, "detail"));
    }
    if (s->call.test_only)
        return tell_test(answer);
    job = field_int(json_array_get(json_object_get(answer, "jobs"), 0), "id");
    printf(s->call.parsable ? "%lld\n" : "Submitted batch job %lld\n", (long long)job);
    fflush(stdout);
    return s->call.wait ? wait_for_end(s, job, err) : 0;
}

static int go(struct submission *s, const char *const *words, struct err *err)
{
    int rc;

    if (take_words(s, words, err) < 0 || read_text(s, err) < 0)
        return -1;
    rc = sbatch_parse(buf_text(&s->text), s->text.length, s->name, clock_wall_ms(), s->words,
                      s->word_count, &s->call, &s->script);
    if (!s->call.quiet)
        print_notes(s, &s->script.warnings, "warning: ");
    print_notes(s, &s->script.faults, "error: ");
    if (rc < 0)
        return err_set(err, FAULT_INVALID, "Batch job submission failed");
    if (describe(s, s->script.description, err) < 0)
        return -1;
    return submit(s, err);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    struct submission s = { .cli = cli };
    int rc = go(&s, args->rest, err);

    submission_fini(&s);
    return rc;
}

const struct command command_sbatch = {
    .name = "sbatch",
    .help = "queues a batch script",
    .synopsis = "[OPTIONS] SCRIPT [ARG...] | [OPTIONS] --wrap=COMMAND | [OPTIONS] <SCRIPT",
    .example = "sbatch -c 4 --mem=8G -t 2:00:00 -o log/%j.txt run.sh input.csv",
    .run = run,
};
