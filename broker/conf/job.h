/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - a job description: what a user may write, checked and with its units resolved.
 *
 * One checker serves every door.  YAML (conf/yaml.h) and JSON from the API both arrive as a jansson
 * tree; the checker reports each fault with a JSON pointer ("/resources/memory"), which the command
 * line turns into file, line and column through the marks that the YAML loader kept.  Pure: no I/O.
 */
#ifndef SPILLWAY_CONF_JOB_H
#define SPILLWAY_CONF_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "spillway/placement.h"

#define JOB_BYTES_MOST   (1024 * 1024) /* one description, as JSON */
#define JOB_TASKS_MOST   10000000      /* members of one array */
#define JOB_NAME_MOST    128           /* bytes */
#define JOB_INPUTS_MOST  10000
#define JOB_OPTIONS_MOST 16 /* members of resources.any_of */
#define WORKDIR_PARTS    2  /* of a working directory's path, that the scheduler sees */

/* Array indices as written: "0-99", "1-10:2", "3,5,9-12".  Ascending, no index twice. */
struct index_range {
    int64_t first, last, step;
    int64_t position; /* of `first` among all indices */
};
struct index_set {
    struct index_range *ranges;
    size_t count;
    int64_t size; /* indices in all */
};
int index_set_parse(const char *text, struct index_set *out, struct err *err);
void index_set_free(struct index_set *set);
int64_t index_set_nth(const struct index_set *set, int64_t position); /* 0 <= position < size */
int64_t index_set_find(const struct index_set *set, int64_t index);   /* position, or -1 */
/* "0-99,200-300:2", one form however it was written.  Owned by the caller. */
char *index_set_text(const struct index_set *set);

/* A number that may be open upwards: "4" or "4+". */
struct amount {
    int64_t least;
    bool open;
};

/* One way to run the job.  Zero: not asked for. */
struct resources {
    struct amount cpus;   /* default 1 */
    struct amount memory; /* bytes; 0: no limit set, none enforced */
    struct amount disk;   /* bytes */
    int gpus;
    char **gpu_models;   /* NULL-terminated, or NULL: any */
    int64_t gpu_memory;  /* bytes, of each GPU */
    int nodes;           /* 1, or the size of a gang */
    int64_t walltime_ms; /* 0: none */
};

enum on_outcome { ON_SUCCESS, ON_FAILURE, ON_ANY };

struct dependency {
    int64_t job; /* id of an earlier job; 0 when `name` is used */
    char *name;  /* a job earlier in the same file (or submission), by its name */
    enum on_outcome on;
    bool each; /* task i waits for task i (both arrays of the same indices) */
};

struct input {
    char *from;   /* path on the submitter's side, or https:// URL */
    char *to;     /* relative path in the job's directory */
    char *sha256; /* lower-case hex; of the content, always set once the client has uploaded it */
    int64_t size; /* bytes; -1 unknown */
    int mode;     /* permission bits, 0 unknown; written as octal text, mode: "0755" */
};

struct limit_use { /* limits: [license-x, {name: db, count: 2}] */
    char *name;
    int64_t count;
};

struct placement {
    char **prefer, **exclude, **require; /* site names; NULL-terminated or NULL */
    enum tier tier;                      /* the furthest; default commercial */
    char **jurisdiction;
    bool cloud_act_free; /* cloud_act: false */
    enum objective objective;
    double max_cost; /* < 0: no ceiling */
};

struct job_spec {
    char *name;    /* never NULL: defaults to the command's base name */
    char *project; /* NULL: the user's default */
    char **argv;   /* NULL-terminated; NULL when `script` is set */
    char *script;
    struct resources *options; /* at least one; several: resources.any_of */
    size_t option_count;
    bool options_ordered;   /* resources.ordered: take the first that can run */
    struct index_set array; /* size 0: not an array */
    int64_t array_parallel; /* the N of "%N"; 0: no limit */
    struct input *inputs;
    size_t input_count;
    char **outputs;     /* globs; NULL-terminated or NULL */
    char **environment; /* "NAME=value"; NULL-terminated or NULL */
    char *image, *container;
    char **arguments; /* of `script`; NULL-terminated or NULL */
    char *workdir;    /* an absolute path that the site must share; NULL: a place of its own */
    char *out_file, *err_file; /* with `workdir`: where output goes there; NULL: to the log */
    bool append;               /* to these, not from their start */
    struct dependency *after;
    size_t after_count;
    int retries_user, retries_infra,
        retries_preempt; /* infra and preempt: -1: the broker's default */
    int *retry_on_exit;  /* retry only on these; NULL: on any */
    size_t retry_on_exit_count;
    int64_t backoff_ms;
    int signal_early; /* signal sent `signal_before_ms` before walltime; 0: none */
    int64_t signal_before_ms;
    int64_t grace_ms; /* SIGTERM to SIGKILL */
    struct limit_use *limits;
    size_t limit_count;
    struct placement placement;
    int64_t deadline_ms;   /* wall time; 0: none */
    int64_t not_before_ms; /* begin: */
    int priority;          /* -1000 .. 1000; larger first */
    bool hold;
    json_t *notify, *schedule; /* checked, kept as they are; NULL when absent */
};

/* Faults found in one document.  Bounded: past PROBLEMS_MOST only the count grows. */
#define PROBLEMS_MOST 100
struct problem {
    char *pointer;    /* RFC 6901 into the document */
    char *text;       /* "unknown key 'memroy'" */
    char *suggestion; /* "did you mean 'memory'?", or NULL */
    bool at_key;      /* it is the key that is wrong, not its value */
};
struct problems {
    struct problem *list;
    size_t count, dropped;
};
void problems_add(struct problems *problems, const char *pointer, const char *suggestion,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
void problems_free(struct problems *problems);

/* Check `document` whole.  0: *out is filled, no problem found.  -1: every problem is in
 * `problems`, *out is empty. */
int job_spec_parse(const json_t *document, struct job_spec *out, struct problems *problems);
void job_spec_free(struct job_spec *spec);

/* What the scheduler sees of a job, as canonical JSON: jobs with equal keys are of one class. Holds
 * project, user, priority, resources, image, container, placement and limits.  Owned by the caller.
 */
char *job_class_key(const struct job_spec *spec, const char *project, const char *user);
/* Of a job that is submitted: one with a ceiling on its cost is a class of its own, so that what its
 * tasks cost can be told from what others' do. */
char *job_class_key_new(const struct job_spec *spec, const char *project, const char *user);
/* The first two parts of an absolute path, "/home/ann" of "/home/ann/run/7": all that the scheduler
 * sees of a `workdir`, for a directory for each job must not make a class for each.  Owned by the
 * caller. */
char *workdir_root(const char *path);
/* The other way, at start: a spec with only those fields set. */
int job_class_parse(const char *key, struct job_spec *out, char **project, char **user,
                    struct err *err);

/* The keys of one level ("", "resources", ...), NULL-terminated: for suggestions, completion and
 * the test that holds docs/job.schema.json against the parser. */
const char *const *job_keys(const char *level);

#endif
