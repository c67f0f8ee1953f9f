/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - bytes in and out: uploads in pieces, blobs with ranges. */
#ifndef SPILLWAY_API_FILES_H
#define SPILLWAY_API_FILES_H

#include "api/request.h"

/* An upload on its way in; request->state. */
struct incoming {
    struct upload upload;
    char *owner, *sha256;
    int64_t offset; /* where the next piece goes */
    bool whole;     /* the owner has it already: pieces are dropped */
};

/* Begin one for `owner`: checks ?offset and ?size (at most `most`).  Once a request. */
int incoming_open(struct request *request, const char *owner, const char *sha256, int64_t most,
                  struct err *err);
int incoming_put(struct request *request, const void *data, size_t length, struct err *err);
/* All of this request's body is there: 200 {"size": N}, or 201 when that was the last piece. */
int incoming_end(struct request *request, struct err *err);

/* The reply is the file, which is taken, or the range of it that was asked for. */
int file_reply(struct request *request, int *fd, int64_t size, struct err *err);
/* The reply is the blob, or the range of it that was asked for. */
int blob_reply(struct request *request, const char *sha256, struct err *err);

#endif
