/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - uploads in pieces, blobs with ranges. */
#include "api/files.h"

#include <inttypes.h>
#include <string.h>

#include "api/server.h"

/* ---- in */

static void free_incoming(void *state)
{
    struct incoming *incoming = state;

    free(incoming->owner);
    free(incoming->sha256);
    free(incoming);
}

static int read_place(struct request *request, int64_t most, int64_t *offset, int64_t *size,
                      struct err *err)
{
    request->fault_status = 400;
    *size = -1;
    *offset = 0;
    if (query_i64(&request->query, "offset", 0, INT64_MAX, offset, err) < 0 ||
        query_i64(&request->query, "size", 0, INT64_MAX, size, err) < 0)
        return -1;
    if (*size < 0)
        return err_set(err, FAULT_INVALID, "size: missing; say ?offset=N&size=TOTAL");
    if (*offset > *size)
        return err_set(err, FAULT_INVALID, "offset: lies beyond the size");
    request->fault_status = 413;
    if (*size > most)
        return err_set(err, FAULT_INVALID, "larger than the limit of %" PRId64 " bytes", most);
    request->fault_status = 0;
    return 0;
}

/* Where the client believes to be, against what is here. */
static int check_offset(struct request *request, int64_t offset, int64_t here, struct err *err)
{
    if (offset == here)
        return 0;
    request_extra(request, "size", json_integer(here));
    return err_set(err, FAULT_CONFLICT, "%" PRId64 " bytes are here: go on from there", here);
}

int incoming_open(struct request *request, const char *owner, const char *sha256, int64_t most,
                  struct err *err)
{
    struct store *store = request->api->store;
    struct incoming *incoming;
    int64_t offset, size, here = 0;

    if (!sha256 || !sha256_is_hex(sha256))
        return request_bad(request, err, "sha256: 64 lower-case hex digits are needed");
    if (read_place(request, most, &offset, &size, err) < 0)
        return -1;
    incoming = xcalloc(1, sizeof *incoming);
    incoming->owner = xstrdup(owner);
    incoming->sha256 = xstrdup(sha256);
    incoming->upload =
        (struct upload){ .owner = incoming->owner, .sha256 = incoming->sha256, .size = size };
    incoming->offset = offset;
    request->state = incoming;
    request->free_state = free_incoming;
    incoming->whole = store_blob_owned(store, owner, sha256);
    if (incoming->whole)
        return 0;
    if (store_upload_offset(store, &incoming->upload, &here, err) < 0)
        return -1;
    return check_offset(request, offset, here, err);
}

int incoming_put(struct request *request, const void *data, size_t length, struct err *err)
{
    struct incoming *incoming = request->state;
    int64_t at = incoming->offset;

    if (incoming->whole || length == 0)
        return 0;
    if ((int64_t)length > incoming->upload.size - at)
        return err_set(err, FAULT_INVALID, "more bytes than the size that was named, %" PRId64,
                       incoming->upload.size);
    if (store_upload_put(request->api->store, &incoming->upload, &at, data, length, err) < 0) {
        if (err->fault == FAULT_CONFLICT)
            request_extra(request, "size", json_integer(at));
        return -1;
    }
    incoming->offset += (int64_t)length;
    return 0;
}

int incoming_end(struct request *request, struct err *err)
{
    struct incoming *incoming = request->state;
    bool last = incoming->whole || incoming->offset == incoming->upload.size;

    if (last && !incoming->whole &&
        store_upload_finish(request->api->store, &incoming->upload, err) < 0)
        return -1;
    buf_printf(&request->reply.body, "{\"size\":%" PRId64 "}",
               incoming->whole ? incoming->upload.size : incoming->offset);
    return reply_body(request, last ? 201 : 200, NULL);
}

/* ---- out */

/* 206 for a part, 200 for all, or 416. */
static int choose_range(struct request *request, int64_t size, int64_t *first, int64_t *length,
                        unsigned *status, struct err *err)
{
    const char *range = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Range");
    int rc = range ? range_parse(range, size, first, length, err) : 1;

    *status = 206;
    if (rc < 0) {
        request->fault_status = 416;
        reply_header(request, "Content-Range", "bytes */%" PRId64, size);
        return -1;
    }
    if (rc == 0) {
        reply_header(request, "Content-Range", "bytes %" PRId64 "-%" PRId64 "/%" PRId64, *first,
                     *first + *length - 1, size);
        return 0;
    }
    *first = 0;
    *length = size;
    *status = 200;
    return 0;
}

int file_reply(struct request *request, int *fd, int64_t size, struct err *err)
{
    struct MHD_Response *response;
    int64_t first, length;
    unsigned status;

    if (choose_range(request, size, &first, &length, &status, err) < 0)
        return -1;
    response = MHD_create_response_from_fd_at_offset64((uint64_t)length, *fd, (uint64_t)first);
    if (!response)
        return err_set(err, FAULT_INTERNAL, "cannot answer with a file");
    take_fd(fd);
    reply_header(request, "Accept-Ranges", "bytes");
    return reply_response(request, status, "application/octet-stream", response);
}

int blob_reply(struct request *request, const char *sha256, struct err *err)
{
    int64_t size = 0;
    own_fd int fd = store_blob_open(request->api->store, sha256, &size, err);

    return fd < 0 ? -1 : file_reply(request, &fd, size, err);
}
