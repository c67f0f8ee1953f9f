/* SPDX-License-Identifier: Apache-2.0 */
/* sbatch_env.c - the environment and the output files of a job that comes through sbatch. */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "cli/slurm/sbatch.h"
#include "cli/slurm/slurm.h"
#include "conf/expand.h"
#include "conf/job.h"

#define MIB ((int64_t)1 << 20)

/* ---- ours ----------------------------------------------------------------------------------------
 */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_name(const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");

    return length && !name[length] && !isdigit((unsigned char)*name) && length <= 256;
}

/* What belongs to this shell, to this machine or to the job that we are called in. */
static bool stays(const char *name)
{
    static const char *const names[] = {
        "_",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "TMPDIR",
        "BASHPID",
        "CUDA_VISIBLE_DEVICES",
        "SSH_AUTH_SOCK",
        "SSH_TTY",
        "DBUS_SESSION_BUS_ADDRESS",
        "XDG_RUNTIME_DIR",
    };

    for (size_t i = 0; i < array_len(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    if (strcmp(name, "OMP_NUM_THREADS") == 0)
        return getenv("SPILLWAY_JOB_ID") != NULL;
    return begins(name, "SPILLWAY_") || begins(name, "SLURM_") || begins(name, "SLURMD_") ||
           begins(name, "SBATCH_");
}

/* A description is kept in the broker's database, where no credential belongs. */
static bool looks_secret(const char *name)
{
    static const char *const parts[] = { "TOKEN",      "SECRET",      "PASSWORD",
                                         "PASSWD",     "APIKEY",      "API_KEY",
                                         "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIAL" };

    for (size_t i = 0; i < array_len(parts); i++)
        if (strcasestr(name, parts[i]))
            return true;
    return false;
}

/* As it is: braces in it are no placeholders. */
static void set_plain(json_t *environment, const char *name, const char *value)
{
    own_str char *escaped = job_escape(value, false);

    json_object_set_new(environment, name, json_string(escaped));
}

static void export_all(json_t *environment)
{
    own_buf struct buf left = BUF_INIT(1024);

    for (char **at = environ; *at; at++) {
        const char *equals = strchr(*at, '=');
        own_str char *name = equals ? xstrndup(*at, (size_t)(equals - *at)) : NULL;

        if (!name || !is_name(name) || stays(name) || !utf8_valid(equals + 1, strlen(equals + 1)))
            continue;
        if (looks_secret(name))
            buf_printf(&left, "%s%s", left.length ? ", " : "", name);
        else
            set_plain(environment, name, equals + 1);
    }
    if (left.length)
        slurm_say("sbatch", "warning: ",
                  "not exported, as they may be secrets: %s; name them in --export to send them",
                  buf_text(&left));
}

/* "ALL,X=1,Y", "NONE", "X,Y" */
static void export_some(json_t *environment, const char *list)
{
    while (*list) {
        size_t length = strcspn(list, ",");
        own_str char *one = xstrndup(list, length);
        char *equals = strchr(one, '=');
        const char *value;

        list += length + (list[length] == ',');
        if (equals)
            *equals = '\0';
        value = equals ? equals + 1 : getenv(one);
        if (strcmp(one, "ALL") == 0)
            export_all(environment);
        else if (is_name(one) && value && !begins(one, "SPILLWAY_"))
            set_plain(environment, one, value);
    }
}

/* ---- Slurm's -------------------------------------------------------------------------------------
 */

static void set_number(json_t *environment, const char *name, int64_t value)
{
    json_object_set_new(environment, name, json_sprintf("%lld", (long long)value));
}

static void set_array(json_t *environment, const char *text)
{
    own_str char *indices = xstrndup(text, strcspn(text, "%"));
    struct index_set set;

    if (index_set_parse(indices, &set, NULL) < 0)
        return; /* the checker says what is wrong */
    set_number(environment, "SLURM_ARRAY_TASK_COUNT", set.size);
    set_number(environment, "SLURM_ARRAY_TASK_MIN", index_set_nth(&set, 0));
    set_number(environment, "SLURM_ARRAY_TASK_MAX", index_set_nth(&set, set.size - 1));
    set_number(environment, "SLURM_ARRAY_TASK_STEP", set.count == 1 ? set.ranges[0].step : 1);
    index_set_free(&set);
}

static void set_sizes(json_t *environment, const json_t *description,
                      const struct sbatch_call *call)
{
    const json_t *resources = json_object_get(description, "resources");
    int64_t nodes = call->nodes ? call->nodes : 1, bytes = 0;
    int64_t tasks = call->tasks ? call->tasks : call->tasks_per_node * nodes;

    set_number(environment, "SLURM_NNODES", nodes);
    set_number(environment, "SLURM_JOB_NUM_NODES", nodes);
    set_number(environment, "SLURM_TASKS_PER_NODE", tasks ? (tasks + nodes - 1) / nodes : 1);
    if (tasks) {
        set_number(environment, "SLURM_NTASKS", tasks);
        set_number(environment, "SLURM_NPROCS", tasks);
    }
    if (call->tasks_per_node)
        set_number(environment, "SLURM_NTASKS_PER_NODE", call->tasks_per_node);
    if (call->cpus_per_task)
        set_number(environment, "SLURM_CPUS_PER_TASK", call->cpus_per_task);
    if (call->memory_per_cpu)
        set_number(environment, "SLURM_MEM_PER_CPU", call->memory_per_cpu / MIB);
    else if (parse_bytes(field_text(resources, "memory"), &bytes, NULL) == 0)
        set_number(environment, "SLURM_MEM_PER_NODE", bytes / MIB);
    if (field_int(resources, "gpus"))
        set_number(environment, "SLURM_GPUS", field_int(resources, "gpus"));
}

static void set_slurm(json_t *environment, const json_t *description,
                      const struct sbatch_call *call, const char *submit_dir)
{
    const char *array = field_text(description, "array");
    const char *id = *array ? "{job}_{task}" : "{job}";
    char host[256] = "";

    json_object_set_new(environment, "SLURM_JOB_ID", json_string(id));
    json_object_set_new(environment, "SLURM_JOBID", json_string(id));
    set_plain(environment, "SLURM_JOB_NAME", field_text(description, "name"));
    set_plain(environment, "SLURM_SUBMIT_DIR", submit_dir);
    if (gethostname(host, sizeof host - 1) == 0)
        set_plain(environment, "SLURM_SUBMIT_HOST", host);
    set_plain(environment, "SLURM_JOB_USER", slurm_user());
    set_number(environment, "SLURM_JOB_UID", (int64_t)geteuid());
    set_plain(environment, "SLURM_CLUSTER_NAME", SLURM_PARTITION);
    set_plain(environment, "SLURM_JOB_PARTITION",
              call->partition ? call->partition : SLURM_PARTITION);
    if (*field_text(description, "project"))
        set_plain(environment, "SLURM_JOB_ACCOUNT", field_text(description, "project"));
    json_object_set_new(environment, "ENVIRONMENT", json_string("BATCH"));
    if (*array)
        set_array(environment, array);
    set_sizes(environment, description, call);
}

int sbatch_environment(json_t *description, const struct sbatch_call *call, const char *submit_dir,
                       struct err *err)
{
    own_json json_t *environment = json_object();
    const json_t *own = json_object_get(description, "environment");

    (void)err;
    if (!call->export)
        export_all(environment);
    else
        export_some(environment, call->export);
    if (json_is_object(own))
        json_object_update(environment, (json_t *)own);
    set_slurm(environment, description, call, submit_dir);
    json_object_set(description, "environment", environment);
    return 0;
}

/* ---- files ---------------------------------------------------------------------------------------
 */

static int put_letter(struct buf *out, char letter, const char *name, bool array, struct err *err)
{
    own_str char *plain = NULL;

    switch (letter) {
    case '%':
        return buf_putc(out, '%');
    case 'j':
    case 'J':
        return buf_puts(out, array ? "{job}_{task}" : "{job}");
    case 'A':
        return buf_puts(out, "{job}");
    case 'a':
        return buf_puts(out, array ? "{task}" : "4294967294"); /* as Slurm has it */
    case 'x':
        plain = job_escape(name, false);
        return buf_puts(out, plain);
    case 'u':
        return buf_puts(out, slurm_user());
    case 's':
        return buf_puts(out, "batch");
    case 'n':
    case 't':
        return buf_putc(out, '0');
    case 'b':
        return buf_puts(out, array ? "{task}" : "0");
    default:
        return err_set(err, FAULT_INVALID,
                       "the name of an output file may hold %%j %%A %%a %%x %%u %%s %%n %%t %%%%, "
                       "not %%%c",
                       letter ? letter : ' ');
    }
}

char *sbatch_pattern(const char *pattern, const char *name, bool array, struct err *err)
{
    own_str char *escaped = job_escape(pattern, false);
    own_buf struct buf out = BUF_INIT(0);

    if (strchr(pattern, '\\')) { /* nothing in it stands for anything */
        for (const char *s = escaped; *s; s++)
            if (*s != '\\')
                buf_putc(&out, *s);
        return buf_take(&out);
    }
    for (const char *s = escaped; *s; s++) {
        if (*s != '%') {
            buf_putc(&out, *s);
            continue;
        }
        s += 1 + strspn(s + 1, "0123456789");
        if (put_letter(&out, *s, name, array, err) < 0)
            return NULL;
    }
    return buf_take(&out);
}

int sbatch_files(json_t *description, const struct sbatch_call *call, struct err *err)
{
    bool array = json_object_get(description, "array");
    const char *name = field_text(description, "name");
    const char *usual = array ? "slurm-%A_%a.out" : "slurm-%j.out";
    own_str char *out = sbatch_pattern(call->output ? call->output : usual, name, array, err);
    own_str char *error = NULL;

    if (!out)
        return err_wrap(err, "--output");
    json_object_set_new(description, "stdout", json_string(out));
    if (call->error && !(error = sbatch_pattern(call->error, name, array, err)))
        return err_wrap(err, "--error");
    json_object_set_new(description, "stderr", json_string(error ? error : out));
    if (call->append)
        json_object_set_new(description, "append", json_true());
    return 0;
}
