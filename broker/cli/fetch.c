/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.c - `spillway fetch`: the results of a job, checked against their hashes.
 *
 * A file is written beside its place and moved there when its hash is right, so that what stands
 * under a result's name is that result.  What broke off is gone on with at the next call. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/below.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/task.h"
#include "net/hash.h"

#define PART_SUFFIX ".part"
#define PAGE        1000

static const struct option options[] = {
    { "output", 'o', "DIR", "where to (default: spillway-ID)", COMPLETES_DIR },
    { "logs", 0, NULL, "what it wrote too, as ID.out and ID.err (ID.node-N.out)",
      COMPLETES_NOTHING },
    { "force", 0, NULL, "replace files that differ", COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

struct fetch {
    struct cli *cli;
    const char *dir;
    int root; /* -1: not made yet */
    bool force;
    bool of_array; /* the one being fetched is a whole array: a folder for each task */
    json_t *list;  /* of what was written */
    int64_t bytes, written, same;
};

/* One result on its way. */
struct result {
    const char *task, *path, *sha256;
    const char *where; /* from here, for messages */
    int64_t size;
    int mode;
    int fd;
    struct sha256 *hash;
    int64_t have; /* bytes in the file */
    bool full;    /* the disk */
};

static int open_root(struct fetch *fetch, struct err *err)
{
    if (fetch->root >= 0)
        return 0;
    if (io_mkdirs(fetch->dir, 0777, err) < 0)
        return -1;
    fetch->root = open(fetch->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fetch->root < 0 ? err_sys(err, "open %s", fetch->dir) : 0;
}

static int hash_fd(int fd, struct sha256 *hash, int64_t *size)
{
    own_mem char *piece = xmalloc(65536);
    ssize_t got;

    *size = 0;
    while ((got = read(fd, piece, 65536)) > 0) {
        sha256_add(hash, piece, (size_t)got);
        *size += got;
    }
    return got < 0 ? -1 : 0;
}

/* 1: it stands there already.  2: something else does.  0: nothing. */
static int look_in_place(int folder, const char *name, const struct result *result, struct err *err)
{
    own_fd int fd = below_read(folder, name);
    struct sha256 *hash;
    struct stat st;
    char hex[SHA256_HEX];
    int64_t size = 0;

    if (fd < 0)
        return errno == ENOENT ? 0 : errno == ELOOP ? 2 : err_sys(err, "open %s", result->where);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != result->size)
        return 2;
    hash = sha256_new();
    if (hash_fd(fd, hash, &size) < 0) {
        sha256_free(hash);
        return err_sys(err, "read %s", result->where);
    }
    sha256_end_hex(hash, hex);
    return strcmp(hex, result->sha256) == 0 ? 1 : 2;
}

/* The part that an earlier call left, its bytes hashed; empty where there is none to go on with. */
static int open_part(int folder, const char *part, struct result *result, struct err *err)
{
    struct stat st;

    result->fd = openat(folder, part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (result->fd < 0)
        return err_sys(err, "create %s" PART_SUFFIX, result->where);
    result->hash = sha256_new();
    if (fstat(result->fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(err, FAULT_CONFLICT, "%s" PART_SUFFIX " is in the way; remove it",
                       result->where);
    if (st.st_size > result->size && ftruncate(result->fd, 0) < 0)
        return err_sys(err, "%s" PART_SUFFIX, result->where);
    if (hash_fd(result->fd, result->hash, &result->have) < 0)
        return err_sys(err, "read %s" PART_SUFFIX, result->where);
    return 0;
}

static bool sink_result(void *arg, const char *data, size_t length)
{
    struct result *result = arg;

    if (result->have + (int64_t)length > result->size)
        return false;
    if (io_write_all(result->fd, data, length) < 0) {
        result->full = true;
        return false;
    }
    sha256_add(result->hash, data, length);
    result->have += (int64_t)length;
    return true;
}

/* The rest of the bytes, in as many calls as it takes, while each brings some. */
static int download(struct fetch *fetch, struct result *result, struct err *err)
{
    own_buf struct buf path = BUF_INIT(0);

    buf_printf(&path, "/v1/jobs/%s/outputs/", result->task);
    path_escape(&path, result->path);
    while (result->have < result->size) {
        own_reply struct reply reply = REPLY_INIT;
        int64_t before = result->have;
        struct call call = {
            .path = buf_text(&path), .from = before, .sink = sink_result, .arg = result
        };

        if (client_call(fetch->cli->client, &call, &reply, err) == 0 && result->have == before)
            return err_set(err, FAULT_UNAVAILABLE, "%s: the broker sent less than it should",
                           result->where);
        if (result->full)
            return err_sys(err, "write %s", result->where);
        if (result->have == before)
            return -1;
    }
    return 0;
}

static int put_in_place(int folder, const char *part, const char *name, struct result *result,
                        struct err *err)
{
    char hex[SHA256_HEX];

    sha256_end_hex(take_ptr(result->hash), hex);
    if (strcmp(hex, result->sha256) != 0) {
        unlinkat(folder, part, 0);
        return err_set(err, FAULT_UNAVAILABLE,
                       "%s: what arrived has another hash than it should; try again",
                       result->where);
    }
    if (fchmod(result->fd, (mode_t)result->mode & 0777) < 0 || fsync(result->fd) < 0 ||
        renameat(folder, part, folder, name) < 0)
        return err_sys(err, "%s", result->where);
    return 0;
}

static int fetch_into(struct fetch *fetch, int folder, const char *name, struct result *result,
                      struct err *err)
{
    own_str char *part = xasprintf("%s" PART_SUFFIX, name);
    int rc = look_in_place(folder, name, result, err);

    if (rc < 0)
        return -1;
    if (rc == 1) {
        fetch->same++;
        return 0;
    }
    if (rc == 2 && !fetch->force)
        return err_set(err, FAULT_CONFLICT,
                       "%s is there already, and is not what the job made; --force replaces it",
                       result->where);
    result->fd = -1;
    rc = open_part(folder, part, result, err);
    if (rc == 0)
        rc = download(fetch, result, err);
    if (rc == 0)
        rc = put_in_place(folder, part, name, result, err);
    sha256_free(result->hash);
    if (result->fd >= 0)
        close(result->fd);
    fetch->written += rc == 0;
    fetch->bytes += rc == 0 ? result->size : 0;
    return rc;
}

static void note(struct fetch *fetch, const struct result *result, const char *where)
{
    if (fetch->cli->json) {
        json_array_append_new(fetch->list,
                              json_pack("{s:s, s:s, s:s, s:I, s:s}", "task", result->task, "path",
                                        result->path, "file", where, "size",
                                        (json_int_t)result->size, "sha256", result->sha256));
    } else {
        own_str char *safe = safe_text(where);

        progress_end(&fetch->cli->term);
        printf("%s\n", safe);
    }
}

/* Tasks of an array lie in a folder each, named by the index. */
static int fetch_result(struct fetch *fetch, struct result *result, struct err *err)
{
    const char *dot = strchr(result->task, '.'), *name;
    own_str char *path =
        fetch->of_array && dot ? xasprintf("%s/%s", dot + 1, result->path) : xstrdup(result->path);
    own_str char *where = xasprintf("%s/%s", fetch->dir, path);
    own_fd int folder = -1;

    if (!io_path_is_below(result->path) || !sha256_is_hex(result->sha256))
        return err_set(err, FAULT_INVALID,
                       "the broker names a result '%.200s'; such a name is refused", result->path);
    if (open_root(fetch, err) < 0)
        return -1;
    result->where = where;
    folder = below_folder(fetch->root, path, &name, err);
    if (folder < 0 || fetch_into(fetch, folder, name, result, err) < 0)
        return -1;
    note(fetch, result, where);
    return 0;
}

static int fetch_page(void *arg, const json_t *answer, struct err *err)
{
    struct fetch *fetch = arg;
    size_t i;
    json_t *one;

    json_array_foreach(json_object_get(answer, "outputs"), i, one)
    {
        struct result result = { .task = field_text(one, "task"),
                                 .path = field_text(one, "path"),
                                 .sha256 = field_text(one, "sha256"),
                                 .size = field_int(one, "size"),
                                 .mode = (int)field_int(one, "mode") };
        char done[SHORT_BYTES];

        if (job_id_check(result.task, err) < 0)
            return err_wrap(err, "the broker's answer");
        progress(&fetch->cli->term, "%" PRId64 " files, %s; now %s", fetch->written,
                 short_bytes(fetch->bytes, done, sizeof done), result.path);
        if (fetch_result(fetch, &result, err) < 0)
            return -1;
    }
    return 0;
}

static int fetch_all(struct fetch *fetch, const char *id, struct err *err)
{
    own_buf struct buf query = BUF_INIT(0);

    buf_printf(&query, "/v1/jobs/%s/outputs?limit=%d", id, PAGE);
    if (cli_pages(fetch->cli, buf_text(&query), fetch_page, fetch, err) < 0)
        return err_wrap(err, "%s", id);
    return 0;
}

/* ---- logs --------------------------------------------------------------------------------------
 */

struct log_sink {
    int fd;
    bool full;
};

static bool sink_log(void *arg, const char *data, size_t length)
{
    struct log_sink *sink = arg;

    sink->full = io_write_all(sink->fd, data, length) < 0;
    return !sink->full;
}

/* What node 0 has, for a task that runs alone is all there is.  *nodes: how many there are. */
static int fetch_log(struct fetch *fetch, const char *task, int64_t node, const char *stream,
                     const char *suffix, int64_t *nodes, struct err *err)
{
    own_reply struct reply reply = REPLY_INIT;
    own_str char *path = xasprintf("/v1/jobs/%s/logs/%s?node=%" PRId64, task, stream, node);
    own_str char *name = node ? xasprintf("%s.node-%" PRId64 ".%s", task, node, suffix)
                              : xasprintf("%s.%s", task, suffix);
    own_fd int fd =
        openat(fetch->root, name,
               O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);
    struct log_sink sink = { .fd = fd };
    struct call call = { .path = path, .sink = sink_log, .arg = &sink, .wants_404 = true };

    if (fd < 0)
        return err_sys(err, "create %s/%s", fetch->dir, name);
    if (client_call(fetch->cli->client, &call, &reply, err) < 0)
        return sink.full ? err_sys(err, "write %s/%s", fetch->dir, name)
                         : err_wrap(err, "%s", task);
    if (node == 0)
        *nodes = reply.nodes;
    if (!fetch->cli->json)
        printf("%s/%s\n", fetch->dir, name);
    return 0;
}

static int fetch_task_logs(struct fetch *fetch, const char *task, struct err *err)
{
    int64_t nodes = 0, node = 0;

    do {
        if (fetch_log(fetch, task, node, "stdout", "out", &nodes, err) < 0 ||
            fetch_log(fetch, task, node, "stderr", "err", &nodes, err) < 0)
            return -1;
    } while (++node < nodes);
    return 0;
}

static int fetch_logs_of(struct fetch *fetch, const json_t *tasks, struct err *err)
{
    size_t i;
    json_t *task;

    json_array_foreach(tasks, i, task)
    {
        const char *id = field_text(task, "id");

        if (strchr(id, '[') || field_int(task, "attempt") == 0)
            continue; /* has not started: wrote nothing */
        if (job_id_check(id, err) < 0 || open_root(fetch, err) < 0 ||
            fetch_task_logs(fetch, id, err) < 0)
            return -1;
    }
    return 0;
}

static int fetch_logs_page(void *arg, const json_t *answer, struct err *err)
{
    return fetch_logs_of(arg, json_object_get(answer, "tasks"), err);
}

static int fetch_logs(struct fetch *fetch, const char *id, const json_t *job, struct err *err)
{
    own_buf struct buf query = BUF_INIT(0);

    if (!fetch->of_array) {
        own_json json_t *one = json_pack("[O]", job);

        return fetch_logs_of(fetch, one, err);
    }
    buf_printf(&query, "/v1/jobs?all=1&job=%s&limit=%d", id, PAGE);
    return cli_pages(fetch->cli, buf_text(&query), fetch_logs_page, fetch, err);
}

/* ---- the command -------------------------------------------------------------------------------
 */

static void tell_nothing(const char *id, const json_t *job)
{
    if (!task_ended(job))
        warn("%s has no results yet; it is %s (`spillway wait %s` waits)", id,
             field_text(job, "state"), id);
    else
        warn("%s left no results; `outputs:` of its description names what to keep", id);
}

static int fetch_one(struct fetch *fetch, const char *id, bool logs, struct err *err)
{
    own_json json_t *job = NULL;

    if (cli_get(fetch->cli, &job, err, "/v1/jobs/%s", id) < 0)
        return err_wrap(err, "%s", id);
    fetch->of_array = !strchr(id, '.') && *field_text(job, "array");
    if (fetch_all(fetch, id, err) < 0 || (logs && fetch_logs(fetch, id, job, err) < 0))
        return -1;
    if (fetch->written + fetch->same == 0 && !logs)
        tell_nothing(id, job);
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    own_json json_t *list = json_array();
    int rc = 0;

    if (job_ids_check(args, err) < 0)
        return -1;
    if (args_has(args, "output") && args->word_count > 1) {
        err_set(err, FAULT_INVALID, "-o is for one id; several go to a folder each");
        return usage_fault(args, err);
    }
    for (size_t i = 0; rc == 0 && i < args->word_count; i++) {
        own_str char *usual = xasprintf("spillway-%s", args->words[i]);
        struct fetch fetch = { .cli = cli, .root = -1, .list = list };

        fetch.dir = args_has(args, "output") ? args_get(args, "output") : usual;
        fetch.force = args_has(args, "force");
        rc = fetch_one(&fetch, args->words[i], args_has(args, "logs"), err);
        if (fetch.root >= 0)
            close(fetch.root);
    }
    progress_end(&cli->term);
    if (cli->json && rc == 0)
        print_json(list);
    return rc < 0 ? -1 : EXIT_OK;
}

const struct command command_fetch = {
    .name = "fetch",
    .help = "bring the results of a job here",
    .synopsis = "[OPTIONS] ID...",
    .text = "Brings the results of a job to DIR; those of an array's tasks to DIR/INDEX.  Each is "
            "checked by its SHA-256, what is there already is not fetched again, what broke off is "
            "gone on with.  Prints the names of the files.",
    .options = options,
    .example = "spillway fetch 12 -o results\n"
               "spillway fetch --logs 12.7",
    .exits = "0 done, 3 no such job, 5 a different file is in the way",
    .words = COMPLETES_JOB,
    .words_least = 1,
    .words_most = -1,
    .run = run,
};
