/* SPDX-License-Identifier: Apache-2.0 */
/* burst_files.c - what a job needs, from its folder into the store, and what it left, back there. */
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/glob.h"
#include "base/io.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "burst_parts.h"
#include "internal.h"

#define PIECE         ((size_t)1 << 20)
#define LISTED_MOST   100000 /* looked through for what a job declares */
#define HASHED_FASTER 100    /* than it comes through SSH, at worst */
#define SCRIPT_NAME   ".spillway-script"
#define OURS          ".spillway-"

/* ---- into the store ----------------------------------------------------------------------------
 */

static int upload_rest(struct store *store, const struct upload *upload, int fd, struct err *err)
{
    own_mem char *piece = xmalloc(PIECE);
    int64_t offset = 0;

    if (store_upload_offset(store, upload, &offset, err) < 0)
        return -1;
    while (offset < upload->size) {
        ssize_t got = pread(fd, piece, PIECE, offset);

        if (got <= 0)
            return got < 0 ? err_sys(err, "read")
                           : err_set(err, FAULT_CONFLICT, "the file changed while it was fetched");
        if (store_upload_put(store, upload, &offset, piece, (size_t)got, err) < 0)
            return -1;
    }
    return store_upload_finish(store, upload, err);
}

static char *part_path(const struct turn *turn, const struct away *away)
{
    return xasprintf("%s/burst-%lld.part", turn->broker->conf->state, (long long)away->row.id);
}

static int fetch_file(struct turn *turn, struct away *away, const struct home_file *file,
                      struct err *err)
{
    struct store *store = turn->broker->store;
    struct upload upload = { away->user, file->sha256, file->size };
    own_str char *path = NULL;
    own_fd int fd = -1;
    int rc;

    if (store_blob_owned(store, away->user, file->sha256))
        return 0;
    path = part_path(turn, away);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, "open %s", path);
    rc = burst_get(turn, &away->job, file, fd, err);
    if (rc == 0)
        rc = upload_rest(store, &upload, fd, err);
    if (rc < 0 && (err->fault == FAULT_INVALID || err->fault == FAULT_NOT_FOUND))
        err_set(err, FAULT_CONFLICT, "%s was changed while it was fetched", file->path);
    unlink(path);
    return rc;
}

static int keep_text(struct turn *turn, struct away *away, const char *text, char sha[SHA256_HEX],
                     struct err *err)
{
    struct store *store = turn->broker->store;
    struct upload upload = { away->user, sha, (int64_t)strlen(text) };
    int64_t offset = 0;

    sha256_hex_of(text, strlen(text), sha);
    if (store_blob_owned(store, away->user, sha))
        return 0;
    if (store_upload_offset(store, &upload, &offset, err) < 0 ||
        (offset < upload.size && store_upload_put(store, &upload, &offset, text + offset,
                                                  (size_t)(upload.size - offset), err) < 0))
        return -1;
    return store_upload_finish(store, &upload, err);
}

/* ---- which files -------------------------------------------------------------------------------
 */

static const char *source_of(const json_t *input)
{
    const char *from =
        json_string_value(json_is_object(input) ? json_object_get(input, "from") : input);

    while (from && from[0] == '.' && from[1] == '/')
        from += 2;
    return from;
}

static bool is_elsewhere(const char *from)
{
    return strncasecmp(from, "https://", 8) == 0 || strncasecmp(from, "http://", 7) == 0;
}

static bool is_of(const char *path, const char *from)
{
    size_t length = strlen(from);

    while (length > 0 && from[length - 1] == '/')
        length--;
    if (strncmp(path, from, length) == 0 && (!path[length] || path[length] == '/'))
        return true;
    return glob_match(from, path);
}

static void add_input(json_t *inputs, const struct home_file *file, const char *to)
{
    json_array_append_new(inputs, json_pack("{s:s, s:s, s:I, s:o}", "to", to, "sha256",
                                            file->sha256, "size", (json_int_t)file->size, "mode",
                                            json_sprintf("%04o", (unsigned)file->mode)));
}

/* Leaves in `files` those that one of `declared` names. */
static int select_files(const json_t *declared, const struct home_job *job,
                        struct home_files *files, struct err *err)
{
    size_t kept = 0, i;
    const json_t *input;

    json_array_foreach(declared, i, input)
    {
        const char *from = source_of(input);
        bool found = false;

        if (!from || is_elsewhere(from))
            continue;
        for (size_t f = 0; f < files->count && !found; f++)
            found = is_of(files->list[f].path, from);
        if (!found)
            return err_set(err, FAULT_INVALID, "it declares '%s', which is not below %s", from,
                           job->folder);
    }
    for (size_t f = 0; f < files->count; f++) {
        bool wanted = false;

        json_array_foreach(declared, i, input) wanted |=
            source_of(input) && is_of(files->list[f].path, source_of(input));
        if (wanted)
            files->list[kept++] = files->list[f];
        else
            free(files->list[f].path);
    }
    files->count = kept;
    return 0;
}

static int check_size(const struct site_burst *rule, const struct home_files *files, bool declared,
                      struct err *err)
{
    const char *advice = declared ? "" : "; declare what it needs by #SPILLWAY --input";
    char most[FORMAT_BYTES];
    int64_t bytes = 0;

    for (size_t i = 0; i < files->count; i++)
        bytes += files->list[i].size;
    if (files->more || (int64_t)files->count > rule->files_most)
        return err_set(err, FAULT_INVALID, "it needs more than %lld files%s",
                       (long long)rule->files_most, advice);
    if (bytes > rule->bytes_most)
        return err_set(err, FAULT_INVALID, "its files are more than %s%s",
                       format_bytes(rule->bytes_most, most, sizeof most), advice);
    return 0;
}

static bool declares(const struct away *away)
{
    return json_array_size(json_object_get(json_object_get(away->detail, "spec"), "inputs")) > 0;
}

static int choose_files(struct turn *turn, struct away *away, struct home_files *files,
                        struct err *err)
{
    const json_t *declared = json_object_get(json_object_get(away->detail, "spec"), "inputs");

    if (declares(away)) {
        if (files->more)
            return err_set(err, FAULT_INVALID, "%s holds more than %d files", away->job.folder,
                           LISTED_MOST);
        if (select_files(declared, &away->job, files, err) < 0)
            return -1;
    }
    return check_size(&turn->conf->burst, files, declares(away), err);
}

static json_t *other_inputs(const json_t *declared)
{
    json_t *inputs = json_array(), *input;
    size_t i;

    json_array_foreach(declared, i, input)
    {
        const char *from = source_of(input);

        if (from && is_elsewhere(from))
            json_array_append(inputs, input);
    }
    return inputs;
}

/* All is known of its files but what is in them. */
static int carry(struct turn *turn, struct away *away, const struct home_files *files,
                 struct err *err)
{
    json_t *spec = json_object_get(away->detail, "spec"), *inputs;
    const char *script = json_string_value(json_object_get(away->detail, "script"));
    struct home_file self = { .mode = 0755 };

    for (size_t i = 0; i < files->count; i++)
        if (fetch_file(turn, away, &files->list[i], err) < 0)
            return -1;
    if (keep_text(turn, away, script, self.sha256, err) < 0)
        return -1;
    inputs = other_inputs(json_object_get(spec, "inputs"));
    for (size_t i = 0; i < files->count; i++)
        add_input(inputs, &files->list[i], files->list[i].path);
    self.size = (int64_t)strlen(script);
    add_input(inputs, &self, SCRIPT_NAME);
    json_object_set_new(spec, "inputs", inputs);
    if (json_array_size(json_object_get(spec, "outputs")) == 0)
        json_object_set_new(spec, "outputs", json_pack("[s]", "**"));
    json_object_del(away->detail, "script");
    return 0;
}

void burst_fetch(struct turn *turn, struct away *const *aways, struct home_order *orders,
                 size_t count)
{
    struct home_files files[ORDERS_MOST];
    int64_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        files[i] = (struct home_files){ .list = NULL };
        orders[i].files = &files[i];
        orders[i].most = declares(aways[i]) ? LISTED_MOST : (size_t)turn->conf->burst.files_most;
    }
    burst_call(turn, "list files", turn->home->files, orders, count, 0);
    for (size_t i = 0; i < count; i++) {
        if (orders[i].rc == 0)
            orders[i].rc = choose_files(turn, aways[i], &files[i], &orders[i].fault);
        for (size_t f = 0; f < files[i].count; f++)
            bytes += files[i].list[f].size;
    }
    burst_call(turn, "read files", turn->home->hash, orders, count, bytes / HASHED_FASTER);
    for (size_t i = 0; i < count; i++) {
        if (orders[i].rc == 0)
            orders[i].rc = carry(turn, aways[i], &files[i], &orders[i].fault);
        home_files_free(&files[i]);
    }
}

/* ---- and back ----------------------------------------------------------------------------------
 */

struct results {
    const json_t *inputs;
    struct home_file *list;
    size_t count;
};

/* It came from there and is as it was. */
static bool is_unchanged(const json_t *inputs, const struct output_row *row)
{
    const json_t *input;
    size_t i;

    json_array_foreach(inputs, i, input)
    {
        const char *to = json_string_value(json_object_get(input, "to"));
        const char *sha = json_string_value(json_object_get(input, "sha256"));

        if (to && sha && strcmp(to, row->path) == 0)
            return strcmp(sha, row->sha256) == 0;
    }
    return false;
}

static bool add_result(void *arg, const struct output_row *row)
{
    struct results *results = arg;
    struct home_file *file;

    if (strncmp(row->path, OURS, strlen(OURS)) == 0 || is_unchanged(results->inputs, row))
        return true;
    results->list = xrealloc(results->list, (results->count + 1) * sizeof *results->list);
    file = &results->list[results->count++];
    *file = (struct home_file){ .path = xstrdup(row->path), .size = row->size, .mode = row->mode };
    snprintf(file->sha256, sizeof file->sha256, "%s", row->sha256);
    return true;
}

static int send_result(struct turn *turn, const struct home_file *file, const char *key,
                       struct err *err)
{
    own_str char *to = xasprintf("files/%s", file->path), *local = NULL;
    int64_t size = 0;
    own_fd int fd = store_blob_open(turn->broker->store, file->sha256, &size, err);

    if (fd < 0)
        return -1;
    local = xasprintf("/proc/self/fd/%d", fd);
    return burst_stage(turn, key, local, to, file->mode, size, err);
}

static int save_log(struct turn *turn, int64_t attempt, int stream, int fd, int64_t *size,
                    struct err *err)
{
    own_buf struct buf text = BUF_INIT(2 * PIECE);
    int64_t offset = 0, cut = 0;
    bool ended = false;

    do {
        buf_clear(&text);
        if (store_log_read(turn->broker->store, attempt, stream, offset, PIECE, &text, size, &cut,
                           &ended, err) < 0)
            return -1;
        if (io_write_all(fd, buf_text(&text), text.length) < 0)
            return err_sys(err, "write");
        offset += (int64_t)text.length;
    } while (text.length && offset < *size);
    return 0;
}

static int send_log(struct turn *turn, struct away *away, int64_t attempt, int stream,
                    const char *key, struct err *err)
{
    own_str char *path = part_path(turn, away);
    own_fd int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int64_t size = 0;
    int rc;

    if (fd < 0)
        return err_sys(err, "open %s", path);
    rc = save_log(turn, attempt, stream, fd, &size, err);
    if (rc == 0)
        rc = burst_stage(turn, key, path, stream ? "stderr" : "stdout", 0644, size, err);
    unlink(path);
    return rc;
}

int burst_stage_results(struct turn *turn, struct away *away, int64_t attempt, struct err *err)
{
    struct results results = { .inputs = json_object_get(json_object_get(away->detail, "spec"),
                                                         "inputs") };
    struct home_files files;
    int rc = store_outputs(turn->broker->store, attempt, add_result, &results, err);

    for (size_t i = 0; i < results.count && rc == 0; i++)
        rc = send_result(turn, &results.list[i], away->key, err);
    if (rc == 0)
        rc = send_log(turn, away, attempt, 0, away->key, err);
    if (rc == 0)
        rc = send_log(turn, away, attempt, 1, away->key, err);
    files = (struct home_files){ .list = results.list, .count = results.count };
    home_files_free(&files);
    return rc;
}
