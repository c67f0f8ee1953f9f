/* SPDX-License-Identifier: Apache-2.0 */
/* slurm.h - the commands of Slurm, as far as programs that speak Slurm use them.
 *
 * One program, called by the name of a command.  Each is a client of the HTTP API and no more.  What
 * cannot be answered is a fault with a status that is not 0, and then nothing stands on standard
 * output: an empty list would read as "all have ended". */
#ifndef SPILLWAY_CLI_SLURM_H
#define SPILLWAY_CLI_SLURM_H

#include "cli/cli.h"

#define SLURM_PARTITION "spillway" /* stands for all sites: where a job goes that names none */

extern const struct command command_sbatch;   /* sbatch.c */
extern const struct command command_squeue;   /* squeue.c */
extern const struct command command_sacct;    /* sacct.c */
extern const struct command command_scancel;  /* scancel.c */
extern const struct command command_scontrol; /* scontrol.c */
extern const struct command command_sinfo;    /* sinfo.c */
extern const struct command command_srun;     /* srun.c */

/* ---- jobs.c: what there is */

/* "12", "12_7", "12_[1-3,7]", "12_*", with ".batch" behind it. */
struct slurm_id {
    int64_t job;
    char *indices; /* NULL: the whole job */
};
int slurm_id_parse(const char *text, struct slurm_id *out, struct err *err);
void slurm_id_free(struct slurm_id *id);
#define own_slurm_id own(slurm_id_free)

/* What is asked for; lists are comma-separated, NULL: all. */
struct slurm_query {
    const char *jobs, *users, *names, *states, *accounts, *partitions;
    bool ended;  /* ended tasks too */
    bool expand; /* a row for each task that waits */
};
/* Tasks of the API, oldest first, appended to `tasks`.  A job that is named and not known is
 * FAULT_NOT_FOUND. */
int slurm_tasks(struct cli *cli, const struct slurm_query *query, json_t *tasks, struct err *err);
/* Its fault in the words that programs look for; -1. */
int slurm_load_fault(struct err *err);
/* The calling user's name. */
const char *slurm_user(void);
/* Whether `word` is in a comma-separated list, whatever its case. */
bool slurm_has_word(const char *list, const char *word);

/* ---- fields.c: what is shown of them */

/* One row: a task, or the batch step of one. */
struct slurm_row {
    struct cli *cli;
    const json_t *task;
    bool step;
    int64_t now_ms;
    struct slurm_details *details; /* descriptions, fetched when a field needs them */
    struct err *err;               /* the fault of such a call */
};
struct slurm_details *slurm_details_new(void);
void slurm_details_free(struct slurm_details *details);

struct slurm_field {
    const char *name;   /* of sacct and of squeue -O */
    const char *header; /* of squeue */
    char letter;        /* of squeue -o; 0: none */
    int width;          /* of sacct; negative: to the left */
    void (*put)(struct slurm_row *row, struct buf *out);
};
const struct slurm_field *slurm_field_named(const char *name);
const struct slurm_field *slurm_field_lettered(char letter);
/* "PENDING", "OUT_OF_MEMORY": a word of Slurm's; and its short form. */
const char *slurm_state_of(const json_t *task);
const char *slurm_state_short(const char *state);
/* "3:0", "0:15" */
void slurm_exit_code(const json_t *task, struct buf *out);
/* The description of a row's job; NULL and row->err set when it cannot be had. */
const json_t *slurm_detail(struct slurm_row *row);
/* One field by its name, for scontrol. */
void slurm_put(struct slurm_row *row, const char *name, struct buf *out);
/* Pads or cuts to `width` (0: as it is; negative: to the left). */
void slurm_pad(struct buf *out, const char *text, int width, bool cut);

/* A message of the command: "sbatch: error: WORDS". */
void slurm_say(const char *command, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
