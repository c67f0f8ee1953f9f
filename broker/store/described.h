/* SPDX-License-Identifier: Apache-2.0 */
/* described.h - from a job's description to the row that is stored. */
#ifndef SPILLWAY_STORE_DESCRIBED_H
#define SPILLWAY_STORE_DESCRIBED_H

#include <jansson.h>
#include <stdbool.h>

#include "conf/job.h"
#include "store/store.h"

/* What a row points to.  Owns all of it. */
struct described {
    struct job_spec spec;
    char *class_key;      /* described_row() makes it */
    char *text;           /* the description, compact */
    char *array, *notify; /* or NULL */
    const char **blobs;   /* NULL-terminated; they lie in `spec` */
};
/* Everything but the class key.  -1: `problems` says what is wrong, and *out needs no freeing. */
int described_read(const json_t *document, struct described *out, struct problems *problems);
/* `row` points into `from`, and to `project` and `user`. */
void described_row(struct described *from, const char *project, const char *user,
                   struct new_job *row);
void described_free(struct described *described);

/* Is its content a blob?  Not what the agent fetches, nor what an earlier job leaves. */
bool input_is_blob(const struct input *input);

#endif
