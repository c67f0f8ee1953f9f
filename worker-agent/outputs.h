/* SPDX-License-Identifier: Apache-2.0 */
/* outputs.h - which files below a working directory the job's `outputs:` mean.
 *
 * The directory's content is a stranger's: links are followed only where the kernel keeps us
 * inside. */
#ifndef AGENT_OUTPUTS_H
#define AGENT_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

struct output {
    char *path; /* relative to the working directory */
    int64_t size;
    int mode;
};

struct outputs {
    struct output *list;
    size_t count, room;
    int64_t bytes, name_bytes;
    const char *unmatched; /* the first pattern that matched nothing; NULL: all matched something */
};

/* A directory that matches stands for all files below it.  `bytes_most` 0: no limit. */
int outputs_find(int folder_fd, const char *const *patterns, size_t pattern_count,
                 int64_t bytes_most, struct outputs *out, struct err *err);
void outputs_free(struct outputs *outputs);
#define own_outputs own(outputs_free)
/* A regular file inside the folder, for reading; -1 with errno. */
int outputs_open(int folder_fd, const char *path);
/* Whether a directory may hold what `pattern` matches. */
bool outputs_may_hold(const char *pattern, const char *folder);

#endif
