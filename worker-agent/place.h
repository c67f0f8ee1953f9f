/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - the directories in which attempts run: DIR/work/N, with job/ (the working directory)
 * and tmp/ (TMPDIR) in it.
 *
 * A place that an attempt left empty is used again as it is: making and removing directories would
 * be a good part of what a short job costs.  What was left in one is removed in slices, as a job
 * may have left a million files. */
#ifndef AGENT_PLACE_H
#define AGENT_PLACE_H

#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "loop.h"

struct places;

/* One of the two directories of a place, and how it was when it was last seen empty. */
struct place_folder {
    char *path;
    int fd;
    dev_t device;
    ino_t inode;
    struct timespec changed, seen;
};

struct place {
    struct list node;
    char *path;
    struct place_folder job, tmp;
};

/* Below `dir`; what is there from an earlier life is removed. */
struct places *places_open(struct loop *loop, const char *dir, struct err *err);
/* Removes nothing: DIR is removed as a whole by who made it. */
void places_close(struct places *places);
int place_take(struct places *places, struct place **out, struct err *err);
/* `clean`: nothing but the two directories was put beside them. */
void place_give(struct places *places, struct place *place, bool clean);

#endif
