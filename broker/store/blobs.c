/* SPDX-License-Identifier: Apache-2.0 */
/* blobs.c - files named by their content: uploads, who owns what, outputs.
 *
 * An upload grows in a file named by its owner's hash and the content's, checked and made durable
 * before the commit that records it; a crash between leaves a file without a row, which pruning
 * removes.  No path is made of text from outside: hashes are checked to be hex digits.  Content
 * that is here already must still be sent by whoever wants to own it: knowing a hash is no proof.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io.h"
#include "store/internal.h"

static const char IS_OWNED[] = "SELECT 1 FROM blob_owners WHERE owner = ? AND sha256 = ?";
static const char OWNED_SIZE[] = "SELECT b.size FROM blob_owners o JOIN blobs b USING (sha256) "
                                 "WHERE o.owner = ? AND o.sha256 = ?";
static const char ADD_BLOB[] = "INSERT OR IGNORE INTO blobs (sha256, size, created) VALUES (?,?,?)";
static const char ADD_OWNER[] = "INSERT OR REPLACE INTO blob_owners (owner, sha256, at) "
                                "VALUES (?,?,?)";
static const char LIST_OUTPUTS[] =
    "SELECT path, sha256, size, mode FROM outputs WHERE attempt = ?1 "
    "AND (SELECT gang FROM attempts WHERE id = ?1) = 0 "
    "UNION ALL SELECT 'node-' || a.rank || '/' || o.path, o.sha256, o.size, o.mode "
    "FROM attempts a JOIN outputs o ON o.attempt = a.id WHERE a.gang > 0 AND a.gang = ?1 "
    "ORDER BY 1";

int blobs_open(struct store *store, struct err *err)
{
    own_str char *blobs = xasprintf("%s/blobs", store->dir);
    own_str char *uploads = xasprintf("%s/uploads", store->dir);

    return io_mkdirs(blobs, 0700, err) < 0 ? -1 : io_mkdirs(uploads, 0700, err);
}

char *blob_path(const struct store *store, const char *sha256)
{
    return xasprintf("%s/blobs/%.2s/%s", store->dir, sha256, sha256 + 2);
}

int blob_is_owned(struct conn *db, const char *owner, const char *sha256, struct err *err)
{
    int64_t found;

    return db_int(db, 0, &found, err, IS_OWNED, "tt", owner, sha256) < 0 ? -1 : found != 0;
}

bool store_blob_owned(struct store *store, const char *owner, const char *sha256)
{
    struct err err = ERR_INIT;
    own_reader struct reader reader = { store, reader_take(store, &err) };

    return reader.db && blob_is_owned(reader.db, owner, sha256, &err) > 0;
}

int store_blob_open(struct store *store, const char *sha256, int64_t *size, struct err *err)
{
    own_str char *path = NULL;
    struct stat st;
    int fd;

    if (!sha256_is_hex(sha256))
        return err_set(err, FAULT_INVALID, "not a SHA-256 in lower-case hex digits");
    path = blob_path(store, sha256);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, FAULT_NOT_FOUND,
                       "no content %s here; it was never sent, or removed by the retention rule",
                       sha256);
    if (fd < 0)
        return err_sys(err, "open %s", path);
    if (fstat(fd, &st) < 0) {
        err_sys(err, "stat %s", path);
        close(fd);
        return -1;
    }
    *size = st.st_size;
    return fd;
}

/* ---- uploads */

static int upload_check(const struct upload *upload, struct err *err)
{
    if (!sha256_is_hex(upload->sha256))
        return err_set(err, FAULT_INVALID, "not a SHA-256 in lower-case hex digits");
    if (upload->size < 0)
        return err_set(err, FAULT_INVALID, "a size cannot be negative");
    return 0;
}

static char *upload_path(const struct store *store, const struct upload *upload)
{
    char owner[SHA256_HEX];

    sha256_hex_of(upload->owner, strlen(upload->owner), owner);
    return xasprintf("%s/uploads/%.32s-%s", store->dir, owner, upload->sha256);
}

/* The size of a blob that the owner has; -1: has not. */
static int owned_size(struct store *store, const struct upload *upload, int64_t *size,
                      struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };

    if (!reader.db)
        return -1;
    return db_int(reader.db, -1, size, err, OWNED_SIZE, "tt", upload->owner, upload->sha256);
}

int store_upload_offset(struct store *store, const struct upload *upload, int64_t *offset,
                        struct err *err)
{
    own_str char *path = NULL;
    struct stat st;

    if (upload_check(upload, err) < 0 || owned_size(store, upload, offset, err) < 0)
        return -1;
    if (*offset >= 0)
        return 0;
    path = upload_path(store, upload);
    *offset = stat(path, &st) < 0 ? 0 : st.st_size;
    return 0;
}

/* The upload's file, locked against other calls, and its length. */
static int upload_open(const char *path, int64_t *length, struct err *err)
{
    own_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;

    if (fd < 0)
        return err_sys(err, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
        return errno == EWOULDBLOCK
                   ? err_set(err, FAULT_CONFLICT, "another call sends the same content; try again")
                   : err_sys(err, "lock %s", path);
    if (st.st_nlink == 0) /* finished, or dropped, since it was opened */
        return err_set(err, FAULT_CONFLICT, "the upload has just ended; ask again");
    *length = st.st_size;
    return take_fd(&fd);
}

int store_upload_put(struct store *store, const struct upload *upload, int64_t *offset,
                     const void *data, size_t length, struct err *err)
{
    own_str char *path = NULL;
    own_fd int fd = -1;
    int64_t wanted = *offset;

    if (upload_check(upload, err) < 0)
        return -1;
    path = upload_path(store, upload);
    fd = upload_open(path, offset, err);
    if (fd < 0)
        return -1;
    if (wanted != *offset)
        return err_set(err, FAULT_CONFLICT, "%lld bytes are here so far", (long long)*offset);
    if ((int64_t)length > upload->size - wanted)
        return err_set(err, FAULT_INVALID, "more bytes than the %lld announced",
                       (long long)upload->size);
    if (lseek(fd, wanted, SEEK_SET) < 0 || io_write_all(fd, data, length) < 0) {
        err_sys(err, "write %s", path);
        if (ftruncate(fd, wanted) < 0)
            unlink(path); /* nothing that the next call could go on from */
        return -1;
    }
    *offset = wanted + (int64_t)length;
    return 0;
}

static int hash_fd(int fd, const char *path, char out[SHA256_HEX], struct err *err)
{
    own_mem char *piece = xmalloc(65536);
    struct sha256 *hash = sha256_new();
    int64_t at = 0;
    ssize_t got;

    while ((got = pread(fd, piece, 65536, at)) > 0 || (got < 0 && errno == EINTR)) {
        if (got < 0)
            continue;
        sha256_add(hash, piece, (size_t)got);
        at += got;
    }
    sha256_end_hex(hash, out);
    return got < 0 ? err_sys(err, "read %s", path) : 0;
}

/* Whole and true?  A wrong one is dropped, one that is not all there stays. */
static int upload_verify(int fd, const char *path, const struct upload *upload, int64_t length,
                         struct err *err)
{
    char hash[SHA256_HEX];

    if (length < upload->size)
        return err_set(err, FAULT_CONFLICT, "%lld of %lld bytes are here so far", (long long)length,
                       (long long)upload->size);
    if (hash_fd(fd, path, hash, err) < 0)
        return -1;
    if (length == upload->size && strcmp(hash, upload->sha256) == 0)
        return 0;
    unlink(path);
    return err_set(err, FAULT_INVALID,
                   "the content has SHA-256 %s and %lld bytes, not those announced; send it again",
                   hash, (long long)length);
}

/* A fresh time of change, so that pruning does not take it for a leftover of long ago. */
static int blob_place(struct store *store, int fd, const char *from, const char *sha256,
                      struct err *err)
{
    own_str char *to = blob_path(store, sha256);
    own_str char *folder = xasprintf("%s/blobs/%.2s", store->dir, sha256);
    own_str char *above = xasprintf("%s/blobs", store->dir);

    if (futimens(fd, NULL) < 0 || fchmod(fd, 0400) < 0 || fsync(fd) < 0)
        return err_sys(err, "fsync %s", from);
    if (mkdir(folder, 0700) == 0) {
        if (io_fsync_dir(above, err) < 0)
            return -1;
    } else if (errno != EEXIST) {
        return err_sys(err, "mkdir %s", folder);
    }
    if (rename(from, to) < 0)
        return err_sys(err, "rename %s to %s", from, to);
    return io_fsync_dir(folder, err);
}

struct blob_op {
    struct op op;
    const struct upload *upload;
};

static int64_t blob_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct upload *upload = ((const struct blob_op *)op)->upload;

    if (db_run(tx->db, err, ADD_BLOB, "tii", upload->sha256, upload->size, tx->now_ms) < 0)
        return -1;
    return db_run(tx->db, err, ADD_OWNER, "tti", upload->owner, upload->sha256, tx->now_ms);
}

static int upload_end(struct store *store, const struct upload *upload, struct err *err)
{
    own_str char *path = upload_path(store, upload);
    struct blob_op op = { .op.apply = blob_apply, .upload = upload };
    int64_t length = 0;
    own_fd int fd = upload_open(path, &length, err);

    if (fd < 0 || upload_verify(fd, path, upload, length, err) < 0 ||
        blob_place(store, fd, path, upload->sha256, err) < 0)
        return -1;
    return (int)writer_call(store, &op.op, err);
}

int store_upload_finish(struct store *store, const struct upload *upload, struct err *err)
{
    int64_t size;
    int rc;

    if (upload_check(upload, err) < 0 || owned_size(store, upload, &size, err) < 0)
        return -1;
    if (size == upload->size)
        return 0; /* a repeat whose answer was lost */
    pthread_rwlock_rdlock(&store->blob_lock);
    rc = upload_end(store, upload, err);
    pthread_rwlock_unlock(&store->blob_lock);
    return rc;
}

int store_outputs(struct store *store, int64_t attempt, store_output_each *each, void *arg,
                  struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, LIST_OUTPUTS, "i", attempt);
    while ((rc = db_step(reader.db, stmt, err)) > 0) {
        struct output_row row = { .path = col_text(stmt, 0),
                                  .sha256 = col_text(stmt, 1),
                                  .size = col_int(stmt, 2),
                                  .mode = (int)col_int(stmt, 3) };

        if (!each(arg, &row))
            return 0;
    }
    return rc;
}
