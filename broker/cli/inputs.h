/* SPDX-License-Identifier: Apache-2.0 */
/* inputs.h - a job's inputs on this side: found, hashed, brought to the broker.
 *
 * A directory becomes its files.  Links are followed only when they lead to a file inside the
 * directory that was named: what is sent is what the user can see she sends. */
#ifndef SPILLWAY_CLI_INPUTS_H
#define SPILLWAY_CLI_INPUTS_H

#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "base/own.h"
#include "cli/args.h"
#include "cli/describe.h"

#define INPUT_DEPTH_MOST 64 /* folders in folders */

struct upload {
    char sha256[65];
    char *path;
    int64_t size;
};

/* Files to bring, each content once. */
struct uploads {
    struct upload **list;
    size_t count;
    int64_t bytes;
    struct map by_hash;
};
#define UPLOADS_INIT            \
    {                           \
        .by_hash = MAP_INIT_STR \
    }
void uploads_free(struct uploads *uploads);
#define own_uploads own(uploads_free)

/* Replace the local inputs of a checked draft by {from, to, sha256, size, mode}, and note what has
 * to be brought.  Faults are printed with their place. */
int inputs_prepare(const struct args *args, struct draft *draft, struct uploads *uploads,
                   struct err *err);

struct cli;
/* Bring what the broker does not have; resumes what an earlier run left. */
int uploads_send(struct cli *cli, const struct uploads *uploads, struct err *err);

/* Whether an input's source is a path on this machine. */
bool input_is_local(const char *from);

#endif
