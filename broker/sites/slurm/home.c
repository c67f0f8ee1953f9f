/* SPDX-License-Identifier: Apache-2.0 */
/* home.c - jobs of Slurm's own queue, taken and given back.
 *
 * All by Slurm's commands and SFTP, in the session that the site's pilots use.  A job of another
 * user is reached through `sudo -n -u USER`, which the cluster's administrator has to allow; its
 * files then pass through our own folder, burst/KEY, where results wait for all to be there too.
 *
 * Slurm gives no way to put another script in place of a waiting job's.  So the original is
 * cancelled and its accounting told (DerivedExitCode, comment); or, where the administrator has
 * installed Spillway's task prolog, it is released and the prolog runs the receipt that lies in the
 * job's folder in place of the script: it prints what the job has printed elsewhere and exits with
 * its code. */
#include "sites/slurm/home.h"

#include <string.h>

#include "base/io.h"
#include "base/parse.h"
#include "conf/site.h"
#include "sites/remote.h"
#include "sites/slurm/text.h"

#define COMMAND_S  20
#define JOBS_BYTES ((size_t)128 << 20)
#define LIST_BYTES ((size_t)32 << 20)

/* The driver's object begins with it. */
static struct remote *remote_of(void *self)
{
    return self;
}

static const struct site_burst *burst_of(const struct remote *remote)
{
    return &remote->conf->burst;
}

static int ready(struct remote *remote, int64_t deadline_mono_ms, struct err *err)
{
    return remote->dir ? 0 : remote_ready(remote, deadline_mono_ms, err);
}

static char *next_line(char **at)
{
    char *line = *at, *end;

    if (!line || !*line)
        return NULL;
    end = line + strcspn(line, "\n");
    *at = *end ? end + 1 : end;
    *end = '\0';
    return line;
}

static void put_assign(struct buf *script, const char *name, const char *value)
{
    buf_printf(script, "%s=", name);
    put_quoted(script, value);
    buf_putc(script, '\n');
}

/* ---- the queue ---------------------------------------------------------------------------------
 */

static bool is_named(const char *dependencies, const char *id)
{
    size_t length = strlen(id);

    for (const char *at = dependencies; (at = strstr(at, id)); at += length)
        if (at > dependencies && strchr(":,?", at[-1]) &&
            (!at[length] || strchr("(:,?+_\n", at[length])))
            return true;
    return false;
}

/* The tenth field, before the line is cut. */
static void keep_dependency(const char *line, struct buf *out)
{
    for (int i = 0; i < 9 && line; i++)
        line = strchr(line, '\037') ? strchr(line, '\037') + 1 : NULL;
    if (!line || strncmp(line, "(null)", 6) == 0)
        return;
    buf_put(out, line, strcspn(line, "\037"));
    buf_putc(out, '\n');
}

static void read_waiting(char *text, struct home_jobs *out)
{
    own_buf struct buf dependencies = BUF_INIT(JOBS_BYTES);
    char *line, *me = next_line(&text);
    size_t room = 0;

    while (me && (line = next_line(&text))) {
        keep_dependency(line, &dependencies);
        if (out->count == room) {
            room = room ? room * 2 : 64;
            out->list = xrealloc(out->list, room * sizeof *out->list);
        }
        if (home_job_read(line, me, &out->list[out->count]))
            out->count++;
    }
    for (size_t i = 0; i < out->count && dependencies.length; i++)
        out->list[i].needed = is_named(dependencies.data, out->list[i].id);
}

static int slurm_waiting(void *self, bool all_users, int64_t deadline_mono_ms,
                         struct home_jobs *out, struct err *err)
{
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(JOBS_BYTES);

    buf_printf(&script, "id -un; SLURM_TIME_FORMAT=%%s timeout %d squeue -h -t PD %s -S -p,i -o '",
               2 * COMMAND_S, all_users ? "" : "-u \"$(id -un)\"");
    buf_puts(&script, HOME_FORMAT "'\n");
    if (remote_run(remote_of(self), buf_text(&script), &text, deadline_mono_ms, err) < 0)
        return -1;
    read_waiting(text.data, out);
    return 0;
}

/* ---- many jobs, one command --------------------------------------------------------------------
 */

/* What is done for each of many: a script of its own, in one command with the others'. */
struct errand {
    void (*put)(const struct remote *remote, const struct home_order *order, struct buf *script);
    int (*read)(struct home_order *order, const struct home_part *part, struct err *err);
    int gone; /* the answer for a job that Slurm does not know; -1: a fault */
};

/* Whether the words of a fault say that Slurm does not know the job, or that it has ended. */
static bool is_gone(const struct err *err)
{
    return strstr(err->text, "Invalid job id") || strstr(err->text, "already finished") ||
           strstr(err->text, "Job is no longer pending") ||
           strstr(err->text, "already completing or completed");
}

/* One that hangs would do so for each: what is behind it is left for the next time. */
static void put_frame(struct buf *script, const char *mark)
{
    buf_printf(
        script,
        "exec 3>&1\n"
        "hung=\n"
        "run() {\n"
        "test -z \"$hung\" || return 0\n"
        "errors=$({ part </dev/null; } 2>&1 >&3 3>&-)\n"
        "status=$?\n"
        "printf '\\n%s %%d %%s\\n' $status \"$(printf '%%.900s' \"$errors\" | tr '\\n' ' ')\"\n"
        "test $status != 124 || hung=yes\n"
        "}\n",
        mark);
}

static void read_part(const struct remote *remote, const struct errand *errand,
                      struct home_order *order, const struct home_part *part)
{
    if (part->status != 0)
        order->rc = remote_fault(remote, part->status, part->errors, &order->fault);
    else
        order->rc = errand->read ? errand->read(order, part, &order->fault) : 0;
    if (order->rc < 0 && errand->gone >= 0 && is_gone(&order->fault))
        order->rc = errand->gone;
}

/* `first` is run before the first of them, for all. */
static void many(struct remote *remote, const struct errand *errand, const char *first,
                 struct home_order *orders, size_t count, int64_t deadline_mono_ms)
{
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(JOBS_BYTES);
    struct home_part part;
    struct err err = ERR_INIT;
    size_t left;
    char mark[33], *at;
    int rc;

    io_random_hex(mark, 16);
    put_frame(&script, mark);
    buf_puts(&script, first);
    for (size_t i = 0; i < count; i++) {
        if (orders[i].rc != 0)
            continue;
        buf_puts(&script, "part() (\n");
        errand->put(remote, &orders[i], &script);
        buf_puts(&script, ")\nrun\n");
    }
    rc = remote->dir ? 0 : remote_ready(remote, deadline_mono_ms, &err);
    if (rc == 0)
        rc = remote_run(remote, buf_text(&script), &text, deadline_mono_ms, &err);
    at = text.data;
    left = text.length;
    for (size_t i = 0; i < count; i++) {
        if (orders[i].rc != 0)
            continue;
        if (rc == 0 && home_part_next(&at, &left, mark, &part)) {
            read_part(remote, errand, &orders[i], &part);
            continue;
        }
        if (rc == 0)
            rc = err_set(&err, FAULT_TIMEOUT, "%s: one of many commands there did not end in time",
                         ssh_name(remote->ssh));
        orders[i].rc = -1;
        orders[i].fault = err;
    }
}

static void put_ids(struct buf *script, const struct home_order *orders, size_t count)
{
    const char *comma = "";

    for (size_t i = 0; i < count; i++) {
        if (orders[i].rc != 0)
            continue;
        buf_printf(script, "%s%s", comma, orders[i].job->id);
        comma = ",";
    }
}

/* state_of ID: "STATE|REASON" of one of them; nothing when Slurm does not know it any more. */
static void put_states(struct buf *script, const struct home_order *orders, size_t count)
{
    buf_printf(script, "Q=$(timeout %d squeue -h -t all -o '%%i|%%T|%%r' -j ", COMMAND_S);
    put_ids(script, orders, count);
    buf_puts(script,
             " 2>&1) || case $Q in *'Invalid job id'*) Q=;; *) echo \"$Q\" >&2; exit 1;; esac\n"
             "state_of() { printf '%s\\n' \"$Q\" | sed -n \"s/^$1|//p\"; }\n");
}

static void put_detail(const struct remote *remote, const struct home_order *order,
                       struct buf *script)
{
    (void)remote;
    buf_printf(script,
               "timeout %d scontrol show job -o %s || exit $?\n"
               "timeout %d scontrol write batch_script %s - || exit $?\n",
               COMMAND_S, order->job->id, COMMAND_S, order->job->id);
}

static int read_detail(struct home_order *order, const struct home_part *part, struct err *err)
{
    char *end = strchr(part->text, '\n');
    const char *id = order->job->id;

    if (!end || strncmp(part->text, "JobId=", 6) != 0)
        return err_set(err, FAULT_INVALID, "scontrol says nothing of job %s", id);
    *end = '\0';
    home_detail_read(part->text, order->job);
    return buf_put(order->script, end + 1, part->length - (size_t)(end + 1 - part->text)) < 0
               ? err_set(err, FAULT_INVALID, "the script of job %s is too large", id)
               : 0;
}

static void slurm_detail(void *self, struct home_order *orders, size_t count,
                         int64_t deadline_mono_ms)
{
    static const struct errand errand = { put_detail, read_detail, 1 };

    many(remote_of(self), &errand, "", orders, count, deadline_mono_ms);
}

/* Words that scontrol had for any of them are kept, in case that one does not become held. */
static void put_held(const struct remote *remote, const struct home_order *order,
                     struct buf *script)
{
    (void)remote;
    buf_printf(
        script,
        "case $(state_of %s) in 'PENDING|JobHeldUser') echo held;; 'PENDING|JobHeldAdmin') ;;\n"
        "'PENDING|'*) test -z \"$W\" || { printf '%%s\\n' \"$W\" >&2; exit 1; };;\nesac\n",
        order->job->id);
}

static int read_held(struct home_order *order, const struct home_part *part, struct err *err)
{
    (void)order;
    (void)err;
    return strcmp(part->text, "held\n") == 0 ? 0 : 1;
}

/* A user's hold, whoever asks, so that she can release it herself. */
static void slurm_hold(void *self, struct home_order *orders, size_t count,
                       int64_t deadline_mono_ms)
{
    static const struct errand errand = { put_held, read_held, 1 };
    own_buf struct buf first = BUF_INIT(0);

    buf_printf(&first, "W=$(timeout %d scontrol uhold ", 2 * COMMAND_S);
    put_ids(&first, orders, count);
    buf_puts(&first, " 2>&1)\ntest $? != 124 || { echo \"$W\" >&2; exit 124; }\n");
    put_states(&first, orders, count);
    many(remote_of(self), &errand, buf_text(&first), orders, count, deadline_mono_ms);
}

static void put_release(const struct remote *remote, const struct home_order *order,
                        struct buf *script)
{
    (void)remote;
    buf_printf(script,
               "case $(state_of %s) in PENDING'|'JobHeld*) timeout %d scontrol release %s;; esac\n",
               order->job->id, COMMAND_S, order->job->id);
}

static void slurm_release(void *self, struct home_order *orders, size_t count,
                          int64_t deadline_mono_ms)
{
    static const struct errand errand = { put_release, NULL, 0 };
    own_buf struct buf first = BUF_INIT(0);

    put_states(&first, orders, count);
    many(remote_of(self), &errand, buf_text(&first), orders, count, deadline_mono_ms);
}

/* ---- files there -------------------------------------------------------------------------------
 */

/* $AS: what a command begins with that touches the files of the job's user. */
static void put_as(struct buf *script, const struct home_job *job)
{
    put_assign(script, "F", job->folder);
    if (job->mine) {
        buf_puts(script, "AS=\n");
        return;
    }
    put_assign(script, "U", job->user);
    buf_puts(script, "AS=\"sudo -n -u $U\"\n");
}

static void read_file(char *line, struct home_files *out, size_t *room)
{
    char *rest = NULL, *size = strtok_r(line, " ", &rest), *mode = strtok_r(NULL, " ", &rest);
    struct home_file file = { .path = NULL };

    if (!mode || parse_i64(size, 0, INT64_MAX, &file.size, NULL) < 0 || !io_path_is_below(rest))
        return;
    file.mode = (int)strtol(mode, NULL, 8) & 0777;
    file.path = xstrdup(rest);
    if (out->count == *room) {
        *room = *room ? *room * 2 : 64;
        out->list = xrealloc(out->list, *room * sizeof *out->list);
    }
    out->list[out->count++] = file;
}

static void put_files(const struct remote *remote, const struct home_order *order,
                      struct buf *script)
{
    (void)remote;
    put_as(script, order->job);
    buf_printf(
        script,
        "$AS find \"$F/\" -xdev -name '.spillway-*' -prune -o -type f -printf '%%s %%m %%P\\n' | "
        "head -n %zu\n",
        order->most + 1);
}

/* A name with a line feed in it is counted as a file too many: nothing is left out in silence. */
static int read_files(struct home_order *order, const struct home_part *part, struct err *err)
{
    size_t lines = 0, room = 0;
    char *at = part->text, *line;

    (void)err;
    for (; (line = next_line(&at)); lines++)
        read_file(line, order->files, &room);
    order->files->more = lines > order->most || order->files->count < lines;
    return 0;
}

static void slurm_files(void *self, struct home_order *orders, size_t count,
                        int64_t deadline_mono_ms)
{
    static const struct errand errand = { put_files, read_files, -1 };

    many(remote_of(self), &errand, "", orders, count, deadline_mono_ms);
}

static void put_hash(const struct remote *remote, const struct home_order *order,
                     struct buf *script)
{
    (void)remote;
    put_as(script, order->job);
    /* sudo starts in no folder of the user's: names are whole. */
    for (size_t i = 0; i < order->files->count; i++) {
        buf_puts(script, "$AS cat \"$F\"/");
        put_quoted(script, order->files->list[i].path);
        buf_puts(script, " | sha256sum || exit $?\n");
    }
}

static int read_hashes(struct home_order *order, const struct home_part *part, struct err *err)
{
    char *at = part->text, *line;

    for (size_t i = 0; i < order->files->count; i++) {
        struct home_file *file = &order->files->list[i];

        line = next_line(&at);
        if (!line || strspn(line, "0123456789abcdef") != 64)
            return err_set(err, FAULT_NOT_FOUND, "%s cannot be read", file->path);
        memcpy(file->sha256, line, 64);
        file->sha256[64] = '\0';
    }
    return 0;
}

static void slurm_hash(void *self, struct home_order *orders, size_t count,
                       int64_t deadline_mono_ms)
{
    static const struct errand errand = { put_hash, read_hashes, -1 };

    many(remote_of(self), &errand, "", orders, count, deadline_mono_ms);
}

static int slurm_get(void *self, const struct home_job *job, const struct home_file *file, int to,
                     int64_t deadline_mono_ms, struct err *err)
{
    struct remote *remote = remote_of(self);
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(4096);
    own_str char *path = NULL;
    int rc;

    if (job->mine) {
        path = xasprintf("%s/%s", job->folder, file->path);
        return ssh_get(remote->ssh, path, to, file->size, deadline_mono_ms, err);
    }
    if (ready(remote, deadline_mono_ms, err) < 0)
        return -1;
    path = xasprintf("%s/burst/%s.get", remote->dir, job->id);
    put_as(&script, job);
    put_assign(&script, "T", path);
    buf_puts(&script, "mkdir -p \"${T%/*}\" && $AS cat \"$F\"/");
    put_quoted(&script, file->path);
    buf_puts(&script, " >\"$T\"\n");
    rc = remote_run(remote, buf_text(&script), &text, deadline_mono_ms, err);
    if (rc == 0)
        rc = ssh_get(remote->ssh, path, to, file->size, deadline_mono_ms, err);
    buf_clear(&script);
    put_assign(&script, "T", path);
    buf_puts(&script, "rm -f \"$T\"\n");
    if (rc == 0)
        rc = remote_run(remote, buf_text(&script), &text, deadline_mono_ms, err);
    return rc;
}

/* ---- results -----------------------------------------------------------------------------------
 */

static int slurm_stage(void *self, const char *key, const char *local, const char *path, int mode,
                       int64_t deadline_mono_ms, struct err *err)
{
    struct remote *remote = remote_of(self);
    own_str char *whole = NULL;

    if (ready(remote, deadline_mono_ms, err) < 0)
        return -1;
    whole = xasprintf("%s/burst/%s/%s", remote->dir, key, path);
    return ssh_put(remote->ssh, local, whole, mode ? mode : 0644, deadline_mono_ms, err);
}

/* What the prolog puts in place of the job's script. */
static void put_receipt(const struct home_job *job, const struct home_end *end, struct buf *script)
{
    buf_puts(script,
             "mkdir -p receipt && cat >receipt/script <<'SPILLWAY-END-OF-RECEIPT' || exit 1\n"
             "#!/bin/sh\n");
    put_assign(script, "R", job->folder);
    buf_printf(script,
               "R=$R/.spillway-%s\n"
               "test ! -e \"$R/stdout\" || cat \"$R/stdout\"\n"
               "test ! -e \"$R/stderr\" || cat \"$R/stderr\" >&2\n",
               job->id);
    if (end->exit_code < 0)
        buf_printf(script, "kill -%d $$\n", end->signal > 0 ? end->signal : 9);
    buf_printf(script, "exit %d\nSPILLWAY-END-OF-RECEIPT\nchmod 755 receipt/script\n",
               end->exit_code < 0 ? 1 : end->exit_code);
    buf_printf(script,
               "for f in stdout stderr; do test ! -e $f || cp -f $f receipt/ || exit 1; done\n"
               "tar -cf - receipt | $AS sh -c 'cd \"$1\" && mkdir -p \".spillway-$2\" && "
               "tar --strip-components=1 -C \".spillway-$2\" -xf -' sh \"$F\" %s || exit 1\n",
               job->id);
}

/* To where Slurm would have put it, over what an earlier try has left. */
static void put_output(const char *staged, const char *to, struct buf *script)
{
    if (!to || strcmp(to, "/dev/null") == 0)
        return;
    buf_printf(script, "test ! -e %s || $AS sh -c 'cat >\"$1\"' sh ", staged);
    put_quoted(script, to);
    buf_printf(script, " <%s || exit 1\n", staged);
}

/* tar makes files anew and follows no link that lies in its way. */
static void put_bring(const struct remote *remote, const struct home_order *order,
                      struct buf *script)
{
    const struct home_job *job = order->job;
    const struct home_end *end = order->end;

    buf_puts(script, "umask 022\n");
    put_as(script, job);
    put_assign(script, "S", remote->dir);
    buf_printf(script,
               "mkdir -p \"$S/burst/%s\" && cd \"$S/burst/%s\" || exit 1\n"
               "test ! -d files || tar -C files -cf - . | $AS tar -C \"$F\" --no-overwrite-dir "
               "-xpf - || exit 1\n",
               end->key, end->key);
    if (burst_of(remote)->receipt) {
        put_receipt(job, end, script);
    } else {
        put_output("stdout", job->out, script);
        if (job->errors && (!job->out || strcmp(job->out, job->errors) != 0))
            put_output("stderr", job->errors, script);
    }
}

static void slurm_bring(void *self, struct home_order *orders, size_t count,
                        int64_t deadline_mono_ms)
{
    static const struct errand errand = { put_bring, NULL, -1 };

    many(remote_of(self), &errand, "", orders, count, deadline_mono_ms);
}

/* ---- the end -----------------------------------------------------------------------------------
 */

static void put_cleaning(const struct remote *remote, const struct home_job *job,
                         const struct home_end *end, struct buf *script)
{
    put_as(script, job);
    put_assign(script, "S", remote->dir);
    buf_printf(script, "rm -rf \"$S/burst/%s\"\n", end->key);
    if (burst_of(remote)->receipt)
        buf_printf(script, "$AS rm -rf \"$F/.spillway-%s\"\n", job->id);
}

/* Only an operator may set the administrator's comment. */
static void put_words(const struct home_job *job, const struct home_end *end, struct buf *script)
{
    put_assign(script, "W", end->words);
    buf_printf(script,
               "timeout %d scontrol update job %s Comment=\"$W\" || exit $?\n"
               "timeout %d scontrol update job %s AdminComment=\"$W\" 2>/dev/null\n",
               COMMAND_S, job->id, COMMAND_S, job->id);
}

/* What stands in the queue: nothing when the job has ended; held, which is how we left it; or that
 * somebody has let it go. */
static void put_state(const struct remote *remote, const struct home_order *order,
                      const char *let_go, struct buf *script)
{
    buf_printf(script,
               "case $(state_of %s) in PENDING'|'JobHeld*) ;;\n"
               "PENDING*|RUNNING*|COMPLETING*|CONFIGURING*|SUSPENDED*) echo %s; exit 0;;\n"
               "*) echo ended\n",
               order->job->id, let_go);
    put_cleaning(remote, order->job, order->end, script);
    buf_puts(script, "exit 0;;\nesac\n");
}

static void put_cancel(const struct remote *remote, const struct home_order *order,
                       struct buf *script)
{
    put_state(remote, order, "let-go", script);
    put_words(order->job, order->end, script);
    /* A job that is released at this very moment must not be killed while it runs. */
    buf_printf(script, "timeout %d scancel --state=PENDING %s || exit $?\necho soon\n", COMMAND_S,
               order->job->id);
}

static void put_let_go(const struct remote *remote, const struct home_order *order,
                       struct buf *script)
{
    const char *id = order->job->id;

    put_state(remote, order, "soon", script);
    buf_puts(script,
             "test -n \"$P\" || "
             "{ echo 'burst: end: receipt needs TaskProlog in slurm.conf' >&2; exit 1; }\n");
    put_as(script, order->job);
    buf_printf(script, "$AS test -x \"$F/.spillway-%s/script\" || exit 1\n", id);
    put_words(order->job, order->end, script);
    buf_printf(script,
               "timeout %d scontrol update job %s TimeLimit=1 2>/dev/null\n"
               "timeout %d scontrol release %s || exit $?\necho soon\n",
               COMMAND_S, id, COMMAND_S, id);
}

static int read_end(struct home_order *order, const struct home_part *part, struct err *err)
{
    (void)order;
    (void)err;
    return strcmp(part->text, "soon\n") == 0 ? 1 : strcmp(part->text, "let-go\n") == 0 ? 2 : 0;
}

static void slurm_end(void *self, struct home_order *orders, size_t count, int64_t deadline_mono_ms)
{
    static const struct errand cancel = { put_cancel, read_end, 1 },
                               let_go = { put_let_go, read_end, 1 };
    struct remote *remote = remote_of(self);
    bool receipt = burst_of(remote)->receipt;
    own_buf struct buf first = BUF_INIT(0);

    put_states(&first, orders, count);
    if (receipt)
        buf_printf(&first, "P=$(timeout %d scontrol show config | grep '^TaskProlog *= */')\n",
                   COMMAND_S);
    many(remote, receipt ? &let_go : &cancel, buf_text(&first), orders, count, deadline_mono_ms);
}

/* Slurm keeps the code as wait(2) gives it. */
static void put_account(const struct remote *remote, const struct home_order *order,
                        struct buf *script)
{
    const struct home_end *end = order->end;
    const char *id = order->job->id;

    (void)remote;
    put_assign(script, "W", end->words);
    buf_printf(script,
               "printf '%%s\\n' \"$A\" | grep -q '^%s|CANCELLED' || { echo later; exit 0; }\n"
               "timeout %d sacctmgr -i -Q modify job where jobid=%s set DerivedExitCode=%d "
               "Comment=\"$W\" >&2 || exit $?\n",
               id, COMMAND_S, id, end->exit_code < 0 ? end->signal : end->exit_code << 8);
}

static int read_account(struct home_order *order, const struct home_part *part, struct err *err)
{
    (void)order;
    (void)err;
    return strcmp(part->text, "later\n") == 0 ? 1 : 0;
}

/* The accounts hear of a job's end with a delay. */
static void slurm_account(void *self, struct home_order *orders, size_t count,
                          int64_t deadline_mono_ms)
{
    static const struct errand errand = { put_account, read_account, -1 };
    struct remote *remote = remote_of(self);
    own_buf struct buf first = BUF_INIT(0);

    if (burst_of(remote)->receipt)
        return;
    buf_printf(&first, "A=$(timeout %d sacct -X -n -P -o JobID,State -j ", COMMAND_S);
    put_ids(&first, orders, count);
    buf_puts(&first, ") || exit $?\n");
    many(remote, &errand, buf_text(&first), orders, count, deadline_mono_ms);
}

const struct site_home slurm_home = {
    .waiting = slurm_waiting,
    .detail = slurm_detail,
    .hold = slurm_hold,
    .release = slurm_release,
    .files = slurm_files,
    .hash = slurm_hash,
    .get = slurm_get,
    .stage = slurm_stage,
    .bring = slurm_bring,
    .end = slurm_end,
    .account = slurm_account,
};
