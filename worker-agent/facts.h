/* SPDX-License-Identifier: Apache-2.0 */
/* facts.h - what this machine can give: what the agent may use of it, not what it has. */
#ifndef AGENT_FACTS_H
#define AGENT_FACTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define GPUS_MOST 64

struct gpu {
    char id[64]; /* as CUDA_VISIBLE_DEVICES takes it: an index, or a UUID */
    char model[96];
    int64_t memory; /* bytes; 0: not known */
};

struct facts {
    int cpus;
    int64_t memory, disk; /* bytes */
    int64_t began_ms;     /* the machine's uptime then */
    char kernel[65], hostname[65], arch[65];
    char address[64]; /* towards the network; of loopback where there is none */
    struct gpu gpus[GPUS_MOST];
    int gpu_count;
};

/* `dir` is where the jobs' directories will be. */
void facts_find(const char *dir, struct facts *out);
/* As the join sends it; `cgroup` is "v2", "v1" or "none". */
json_t *facts_json(const struct facts *facts, const char *cgroup);

/* gpu.c: */
int gpus_find(struct gpu *out, int most);
/* Those that CUDA_VISIBLE_DEVICES (NULL: unset) leaves; moves them to the front. */
int gpus_lent(struct gpu *gpus, int count, const char *visible);
/* One line of `nvidia-smi --query-gpu=index,name,memory.total --format=csv,noheader,nounits`. */
bool gpu_from_line(const char *line, struct gpu *out);

#endif
