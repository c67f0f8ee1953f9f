/* SPDX-License-Identifier: Apache-2.0 */
/* submit.c - `spillway submit`: descriptions to the broker, all or none. */
#include "cli/submit.h"

#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/explain.h"
#include "cli/inputs.h"
#include "cli/wait.h"

#define KEY_MOST 255

static const struct option options[] = {
    { "wait", 0, NULL, "wait until all have ended; exit 1 when any did not succeed",
      COMPLETES_NOTHING },
    { "parsable", 0, NULL, "print the id alone, one a line for several jobs", COMPLETES_NOTHING },
    { "dry-run", 0, NULL, "queue nothing; say where it could run and what that is decided from",
      COMPLETES_NOTHING },
    { "anyway", 0, NULL, "queue it also when no site can ever run it as things are",
      COMPLETES_NOTHING },
    { "idempotency-key", 0, "KEY",
      "the same key and job, sent again, gives the ids of the first time", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

/* A command by path that is a file here but will not be there. */
static void warn_of_missing_program(const struct draft *draft)
{
    const char *program = draft->spec.argv ? draft->spec.argv[0] : "";
    const char *path = strncmp(program, "./", 2) == 0 ? program + 2 : program;

    if (draft->source || program[0] == '/' || !strchr(program, '/') || access(program, F_OK) != 0 ||
        draft->spec.container)
        return;
    for (size_t i = 0; i < draft->spec.input_count; i++) {
        size_t length = strlen(draft->spec.inputs[i].to);

        if (strncmp(path, draft->spec.inputs[i].to, length) == 0 &&
            (!path[length] || path[length] == '/'))
            return;
    }
    warn("%s is a file here, but none of the job's inputs; it will not be found without --input %s",
         program, path);
}

static int prepare(const struct args *args, struct drafts *drafts, struct uploads *uploads,
                   struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < drafts->count; i++) {
        warn_of_missing_program(&drafts->list[i]);
        if (inputs_prepare(args, &drafts->list[i], uploads, err) < 0)
            rc = -1; /* the others' faults are told too */
    }
    return rc;
}

static json_t *make_body(const struct args *args, const struct drafts *drafts)
{
    json_t *body = json_object(), *jobs = json_array();

    for (size_t i = 0; i < drafts->count; i++)
        json_array_append(jobs, drafts->list[i].description);
    json_object_set_new(body, "jobs", jobs);
    if (args_has(args, "dry-run"))
        json_object_set_new(body, "dry_run", json_true());
    if (args_has(args, "anyway"))
        json_object_set_new(body, "anyway", json_true());
    return body;
}

/* "/jobs/3/resources/memory": of which draft, and where in it. */
static const struct draft *draft_of(const struct drafts *drafts, const char *pointer,
                                    const char **rest)
{
    char *end;
    long long number;

    if (strncmp(pointer, "/jobs/", 6) != 0)
        return NULL;
    number = strtoll(pointer + 6, &end, 10);
    if (end == pointer + 6 || number < 0 || (size_t)number >= drafts->count ||
        (*end && *end != '/'))
        return NULL;
    *rest = end;
    return &drafts->list[number];
}

static void print_errors(const struct args *args, const struct drafts *drafts, const json_t *list)
{
    size_t i;
    json_t *one;

    json_array_foreach(list, i, one)
    {
        const char *pointer = field_text(one, "pointer"), *rest = "";
        const struct draft *draft = draft_of(drafts, pointer, &rest);

        if (draft)
            draft_fault(args, draft, rest, field_text(one, "detail"),
                        field_text(one, "suggestion"));
        else
            warn("%s: %s", pointer, field_text(one, "detail"));
    }
}

/* What the broker refuses, told where it stands in the files. */
static void explain_refusal(struct cli *cli, const struct args *args, const struct drafts *drafts,
                            const json_t *problem, struct err *err)
{
    const json_t *sites = json_object_get(problem, "sites"),
                 *errors = json_object_get(problem, "errors");
    size_t count = json_array_size(errors);
    const char *rest = "";
    const struct draft *draft = draft_of(drafts, field_text(problem, "field"), &rest);

    if (cli->json && problem)
        print_json(problem);
    if (count) {
        print_errors(args, drafts, errors);
        err_set(err, err->fault, "%zu %s, nothing was submitted", count,
                count == 1 ? "fault" : "faults");
    } else if (json_array_size(sites)) {
        if (!cli->json)
            explain_print_sites(cli, sites);
        err_set(err, err->fault,
                "no site can ever run '%s' as they are now; ask for less, or have it wait for one "
                "that can with --anyway",
                draft ? draft->spec.name : "it");
    }
}

/* A key of our own makes the request safe to repeat when its answer is lost. */
static int choose_key(const struct args *args, char out[KEY_MOST + 1], struct err *err)
{
    const char *given = args_get(args, "idempotency-key");

    if (!given) {
        char random[33];

        io_random_hex(random, 16);
        snprintf(out, KEY_MOST + 1, "cli-%s", random);
        return 0;
    }
    if (!*given || strlen(given) > KEY_MOST)
        return err_set(err, FAULT_INVALID, "--idempotency-key: must have 1 to %d characters",
                       KEY_MOST);
    for (const char *s = given; *s; s++)
        if (*s < '!' || *s > '~')
            return err_set(err, FAULT_INVALID,
                           "--idempotency-key: letters, digits and signs only, no spaces");
    snprintf(out, KEY_MOST + 1, "%s", given);
    return 0;
}

static int post(struct cli *cli, const struct args *args, const struct drafts *drafts,
                const char *path, json_t **answer, struct err *err)
{
    own_json json_t *body = make_body(args, drafts);
    own_str char *text = json_dumps(body, JSON_COMPACT);
    own_reply struct reply reply = REPLY_INIT;
    char key[KEY_MOST + 1];
    struct call call = { .method = "POST", .path = path, .body = text, .key = key };

    if (!text)
        return err_set(err, FAULT_INTERNAL, "the request cannot be written as JSON");
    if (choose_key(args, key, err) < 0)
        return -1;
    call.body_length = strlen(text);
    if (client_call(cli->client, &call, &reply, err) < 0) {
        explain_refusal(cli, args, drafts, reply.problem, err);
        return -1;
    }
    *answer = json_parse(buf_text(&reply.body), reply.body.length, err);
    return *answer ? 0 : err_wrap(err, "the broker's answer");
}

int submit_drafts(struct cli *cli, const struct args *args, struct drafts *drafts, json_t **answer,
                  struct err *err)
{
    return submit_drafts_to(cli, args, drafts, "/v1/jobs", answer, err);
}

int submit_drafts_to(struct cli *cli, const struct args *args, struct drafts *drafts,
                     const char *path, json_t **answer, struct err *err)
{
    own_uploads struct uploads uploads = UPLOADS_INIT;
    size_t i;
    json_t *warning;

    if (prepare(args, drafts, &uploads, err) < 0)
        return -1;
    /* What is only asked about needs no bytes there. */
    if (args_has(args, "dry-run"))
        uploads_free(&uploads);
    if (uploads_send(cli, &uploads, err) < 0 || post(cli, args, drafts, path, answer, err) < 0)
        return -1;
    json_array_foreach(json_object_get(*answer, "warnings"), i, warning)
    {
        warn("warning: %s", json_string_value(warning) ? json_string_value(warning)
                                                       : field_text(warning, "detail"));
    }
    return 0;
}

static int print_dry_run(struct cli *cli, const json_t *answer)
{
    const json_t *jobs = json_object_get(answer, "jobs");
    int code = EXIT_OK;
    size_t i;
    json_t *job;

    if (cli->json)
        print_json(jobs);
    json_array_foreach(jobs, i, job)
    {
        own_str char *name = safe_text(field_text(job, "name"));
        int64_t tasks = field_int(job, "tasks");

        if (field_true(job, "never"))
            code = EXIT_NO;
        if (cli->json)
            continue;
        printf("%s%s: %lld %s%s\n", i ? "\n" : "", name, (long long)tasks,
               tasks == 1 ? "task" : "tasks",
               field_true(job, "never") ? "; no site can ever run it as things are" : "");
        explain_print_sites(cli, json_object_get(job, "sites"));
    }
    return code;
}

static void print_queued(struct cli *cli, const struct args *args, const json_t *jobs)
{
    size_t i;
    json_t *job;

    if (cli->json) {
        if (!args_has(args, "wait"))
            print_json(jobs);
        return;
    }
    json_array_foreach(jobs, i, job)
    {
        own_str char *name = safe_text(field_text(job, "name"));
        int64_t tasks = field_int(job, "tasks");

        if (args_has(args, "parsable"))
            printf("%lld\n", (long long)field_int(job, "id"));
        else if (tasks > 1)
            printf("job %lld queued: %s, %lld tasks\n", (long long)field_int(job, "id"), name,
                   (long long)tasks);
        else
            printf("job %lld queued: %s\n", (long long)field_int(job, "id"), name);
    }
    fflush(stdout);
}

static int wait_for_jobs(struct cli *cli, const json_t *jobs, struct err *err)
{
    size_t count = json_array_size(jobs);
    own_mem char **ids = xcalloc(count + 1, sizeof *ids);
    int rc;

    for (size_t i = 0; i < count; i++)
        ids[i] = xasprintf("%lld", (long long)field_int(json_array_get(jobs, i), "id"));
    rc = wait_for(cli, (const char *const *)ids, count, 0, err);
    for (size_t i = 0; i < count; i++)
        free(ids[i]);
    return rc;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    own_drafts struct drafts drafts = { .list = NULL };
    own_json json_t *answer = NULL;
    const json_t *jobs;

    if (drafts_usage(args, err) > 0)
        return usage_fault(args, err);
    if (drafts_read(args, &drafts, err) < 0 || drafts_check(args, &drafts, err) < 0 ||
        submit_drafts(cli, args, &drafts, &answer, err) < 0)
        return -1;
    if (args_has(args, "dry-run"))
        return print_dry_run(cli, answer);
    jobs = json_object_get(answer, "jobs");
    print_queued(cli, args, jobs);
    return args_has(args, "wait") ? wait_for_jobs(cli, jobs, err) : EXIT_OK;
}

const struct command command_submit = {
    .name = "submit",
    .help = "queue jobs: a description, a script, or a command",
    .synopsis = "[OPTIONS] FILE... | [OPTIONS] SCRIPT [ARG...] | [OPTIONS] -- CMD...",
    .text =
        "Queues the jobs of YAML files (a file may hold several; all are queued or none), of a "
        "script with #SPILLWAY or #SBATCH lines, or of a command; '-' is standard input.  "
        "Options win over what the file says.  Input paths in a file start at the file's "
        "folder, those of --input here.\n\nEverything is checked first: each fault is told with "
        "file, line and column, and nothing is queued when there is any.",
    .options = options,
    .more_options = job_option_table,
    .example = "spillway submit --cpus 4 --walltime 2h --input call.sh -- ./call.sh a.bam\n"
               "spillway submit --array 0-99%20 job.yaml\n"
               "id=$(spillway submit --parsable job.sh) && spillway wait $id",
    .exits = "0 queued; 1 with --wait: any did not succeed, with --dry-run: one can never run;\n"
             "2 wrong use; 6 no broker; 7 a fault in the description",
    .words = COMPLETES_FILE,
    .words_most = -1,
    .takes_rest = true,
    .run = run,
};
