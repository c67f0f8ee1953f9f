/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_slurm.c - libFuzzer: lines of squeue and scontrol. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/own.h"
#include "sites/slurm/home.h"
#include "sites/slurm/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* `text` is cut. */
static void try_home(char *text)
{
    struct home_job job = { .id = NULL };
    own_str char *copy = xstrdup(text);

    if (!home_job_read(text, "me", &job))
        job = (struct home_job){
            .id = xstrdup("1"), .name = xstrdup("n"), .user = xstrdup("u"), .folder = xstrdup("/f")
        };
    home_detail_read(copy, &job);
    if (job.cpus < 1 || job.gpus < 0 || job.walltime_ms < 0)
        abort();
    home_job_free(&job);
}

static void try_parts(const uint8_t *data, size_t size)
{
    own_mem char *copy = xmalloc(size + 1);
    struct home_part part;
    char *at = copy;

    memcpy(copy, data, size);
    while (home_part_next(&at, &size, "M", &part))
        if (part.status < 0 || part.status > 255 || part.text[part.length] != '\0')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    own_str char *text = xstrndup((const char *)data, size);
    struct slurm_gpus gpus[GPU_TYPES_MOST];
    struct slurm_partition partition;
    struct slurm_node node;
    struct slurm_job job;
    enum fault fault;

    if (slurm_node_read(text, &node) &&
        (node.cpus < 0 || node.memory < 0 || node.gpu_types < 0 || node.gpu_types > GPU_TYPES_MOST))
        abort();
    if (slurm_partition_read(text, &partition) && partition.max_minutes < 0)
        abort();
    if (slurm_job_read(text, &job))
        slurm_state(&job, &fault);
    if (slurm_gres_read(text, gpus, GPU_TYPES_MOST) > GPU_TYPES_MOST)
        abort();
    try_home(text);
    try_parts(data, size);
    return 0;
}
