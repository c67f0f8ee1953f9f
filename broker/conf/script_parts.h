/* SPDX-License-Identifier: Apache-2.0 */
/* script_parts.h - what script.c and sbatch.c share. */
#ifndef SPILLWAY_CONF_SCRIPT_PARTS_H
#define SPILLWAY_CONF_SCRIPT_PARTS_H

#include <stdbool.h>

#include "conf/script.h"

/* Where the reading of a script stands. */
struct script_reading {
    struct script *out;
    int64_t now_ms;
    int line;
    struct sbatch_call *call; /* NULL: not for sbatch itself */
    /* of #SBATCH lines, which say together what one machine must have; 0: not said */
    struct sbatch {
        int64_t tasks, tasks_per_node, cpus_per_task, nodes, cpus_per_gpu, gpus_per_task;
        int64_t memory_per_cpu, memory_per_gpu; /* bytes */
        int tasks_line, nodes_line, memory_line, mail_line;
        bool told, mail_to; /* mail-type, mail-user */
    } sbatch;
};

void script_warn(struct script_reading *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void script_fault(struct script_reading *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Give a value to an option of options.h; a fault is noted with the line. */
void script_set(struct script_reading *r, const char *option, const char *value);
void script_place(struct script_reading *r, const char *key);

/* One word of options, short or long, and the word behind it (NULL: none); whether that was taken. */
bool sbatch_word(struct script_reading *r, const char *word, const char *next);
/* One option of an #SBATCH line.  Looks it up, takes its value from `value` ("--x=VALUE",
 * "-xVALUE") or, where it needs one and has none, from `next`.  Returns whether `next` was taken.
 */
bool sbatch_option(struct script_reading *r, const char *name, char letter, const char *value,
                   const char *next);
/* After the last line: what several options say together. */
void sbatch_settle(struct script_reading *r);

#endif
