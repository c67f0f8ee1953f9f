/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - what Slurm's commands print, read.  Pure; what cannot be read is left out, never
 * guessed. */
#ifndef SPILLWAY_SLURM_TEXT_H
#define SPILLWAY_SLURM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spillway/site_driver.h"

#define GPU_TYPES_MOST 8

/* Of one type in a node, or asked for by a job; type "" where the cluster gives none. */
struct slurm_gpus {
    char type[64];
    int count, used;
};

/* A line of `scontrol show node -d -o`. */
struct slurm_node {
    char partitions[512]; /* "batch,gpu" */
    int cpus, cpus_used;
    int64_t memory, memory_used; /* MiB */
    struct slurm_gpus gpus[GPU_TYPES_MOST];
    int gpu_types;
    bool usable;
};

/* A line of `scontrol show partition -o`. */
struct slurm_partition {
    char name[128];
    bool is_default, up;
    int64_t max_minutes; /* 0: no limit */
};

/* A line of squeue in the format SLURM_QUEUE_FORMAT, with SLURM_TIME_FORMAT=%s. */
struct slurm_job {
    char id[64], state[32], reason[128], name[128], comment[128], partition[128];
    int64_t submitted_ms;
    int64_t start_ms; /* when it began, or is expected to; 0: Slurm does not say */
    int cpus;
    struct slurm_gpus gpus[GPU_TYPES_MOST];
    int gpu_types;
};
#define SLURM_QUEUE_FORMAT "%i|%T|%V|%C|%b|%j|%k|%r|%S|%P"

/* Pilots of one array are called "spillway-1a2b3c4d-7+": member 3 of it is worker
 * "spillway-1a2b3c4d-10".  `id` is squeue's, "12_3"; any other name is left alone. */
void slurm_member_name(char *name, size_t size, const char *id);
/* The number at the end of a worker's name, and where it begins; -1: it has none. */
int64_t slurm_name_number(const char *name, size_t *prefix);

/* False: not such a line. */
bool slurm_node_read(const char *line, struct slurm_node *out);
bool slurm_partition_read(const char *line, struct slurm_partition *out);
bool slurm_job_read(const char *line, struct slurm_job *out);

/* "gpu:V100:2(S:0-1),gpu:1"; what is not a GPU is left out. */
int slurm_gres_read(const char *text, struct slurm_gpus *out, int most);
/* "1-00:00:00", "30:00", "UNLIMITED"; minutes, 0 for no limit, -1 when it is none of these. */
int64_t slurm_minutes(const char *text);
bool slurm_in_list(const char *list, const char *word);

enum instance_state slurm_state(const struct slurm_job *job, enum fault *fault);

#endif
