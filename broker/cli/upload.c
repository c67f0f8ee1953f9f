/* SPDX-License-Identifier: Apache-2.0 */
/* upload.c - files to the broker, by content: what it has is not sent, what broke off is gone on
 * with. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "cli/cli.h"
#include "cli/inputs.h"
#include "spillway/wire.h"

#define ROUNDS_MOST 5 /* of "offset is not what I have" for one file */

struct sending {
    struct cli *cli;
    int64_t sent, bytes; /* of all files together */
    char *piece;
};

/* 1: the broker has it all.  0: it has *offset bytes. */
static int ask(struct cli *cli, const struct upload *upload, int64_t *offset, struct err *err)
{
    own_reply struct reply reply = REPLY_INIT;
    own_str char *path = xasprintf("/v1/blobs/%s", upload->sha256);
    struct call call = { .method = "HEAD", .path = path, .wants_404 = true };
    int rc = client_call(cli->client, &call, &reply, err);

    if (rc < 0)
        return -1;
    *offset =
        reply.upload_offset > 0 && reply.upload_offset < upload->size ? reply.upload_offset : 0;
    return rc == 0;
}

static ssize_t read_piece(int fd, const struct upload *upload, int64_t offset, char *piece,
                          struct err *err)
{
    size_t want =
        upload->size - offset < WIRE_PIECE_MOST ? (size_t)(upload->size - offset) : WIRE_PIECE_MOST;
    size_t have = 0;

    while (have < want) {
        ssize_t got = pread(fd, piece + have, want - have, offset + (int64_t)have);

        if (got < 0)
            return err_sys(err, "read %s", upload->path);
        if (got == 0)
            return err_set(err, FAULT_CONFLICT, "%s became shorter while it was sent",
                           upload->path);
        have += (size_t)got;
    }
    return (ssize_t)have;
}

/* 1: complete.  0: *offset has moved.  2: the broker has another offset. */
static int put_piece(struct sending *sending, const struct upload *upload, int fd, int64_t *offset,
                     struct err *err)
{
    own_reply struct reply reply = REPLY_INIT;
    own_str char *path = NULL;
    struct call call = { .method = "PUT", .type = "application/octet-stream" };
    ssize_t length = read_piece(fd, upload, *offset, sending->piece, err);

    if (length < 0)
        return -1;
    path = xasprintf("/v1/blobs/%s?offset=%lld&size=%lld", upload->sha256, (long long)*offset,
                     (long long)upload->size);
    call.path = path;
    call.body = sending->piece;
    call.body_length = (size_t)length;
    if (client_call(sending->cli->client, &call, &reply, err) < 0) {
        if (reply.status == 409)
            return 2;
        if (reply.status == 422)
            return err_set(err, FAULT_CONFLICT, "%s changed while it was sent; submit again",
                           upload->path);
        return err_wrap(err, "upload %s", upload->path);
    }
    *offset += length;
    sending->sent += length;
    return reply.status == 201;
}

static int send_from(struct sending *sending, const struct upload *upload, int fd, int64_t *offset,
                     struct err *err)
{
    char sent[SHORT_BYTES], all[SHORT_BYTES];
    int rc;

    do {
        progress(&sending->cli->term, "sending %s of %s",
                 short_bytes(sending->sent, sent, sizeof sent),
                 short_bytes(sending->bytes, all, sizeof all));
        rc = put_piece(sending, upload, fd, offset, err);
    } while (rc == 0 && *offset < upload->size);
    return rc;
}

static int send_one(struct sending *sending, const struct upload *upload, struct err *err)
{
    own_fd int fd = open(upload->path, O_RDONLY | O_CLOEXEC);
    int64_t offset = 0;

    if (fd < 0)
        return err_sys(err, "open %s", upload->path);
    for (int round = 0; round < ROUNDS_MOST; round++) {
        int rc = ask(sending->cli, upload, &offset, err);

        if (rc != 0)
            return rc < 0 ? -1 : 0;
        rc = send_from(sending, upload, fd, &offset, err);
        if (rc == 1)
            return 0;
        if (rc < 0)
            return -1;
    }
    return err_set(err, FAULT_CONFLICT,
                   "%s: the broker does not agree on how much of it has come; submit again",
                   upload->path);
}

int uploads_send(struct cli *cli, const struct uploads *uploads, struct err *err)
{
    own_mem char *piece = uploads->count ? xmalloc(WIRE_PIECE_MOST) : NULL;
    struct sending sending = { .cli = cli, .bytes = uploads->bytes, .piece = piece };
    struct client *client;

    if (cli_client(cli, &client, err) < 0)
        return -1;
    for (size_t i = 0; i < uploads->count; i++)
        if (send_one(&sending, uploads->list[i], err) < 0)
            return -1;
    progress_end(&cli->term);
    return 0;
}
