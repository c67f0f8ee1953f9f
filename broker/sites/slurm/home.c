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

/* Whether the words of a fault say that Slurm does not know the job, or that it has ended. */
static bool is_gone(const struct err *err)
{
    return strstr(err->text, "Invalid job id") || strstr(err->text, "already finished") ||
           strstr(err->text, "Job is no longer pending") ||
           strstr(err->text, "already completing or completed");
}

static int slurm_detail(void *self, struct home_job *job, int64_t deadline_mono_ms,
                        struct buf *script_out, struct err *err)
{
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(4 << 20);
    const char *end;

    buf_printf(&script,
               "timeout %d scontrol show job -o %s || exit $?\n"
               "timeout %d scontrol write batch_script %s - || exit $?\n",
               COMMAND_S, job->id, COMMAND_S, job->id);
    if (remote_run(remote_of(self), buf_text(&script), &text, deadline_mono_ms, err) < 0)
        return is_gone(err) ? 1 : -1;
    end = strchr(buf_text(&text), '\n');
    if (!end || strncmp(text.data, "JobId=", 6) != 0)
        return err_set(err, FAULT_INVALID, "scontrol says nothing of job %s", job->id);
    text.data[end - text.data] = '\0';
    home_detail_read(text.data, job);
    return buf_put(script_out, end + 1, text.length - (size_t)(end + 1 - text.data)) < 0
               ? err_set(err, FAULT_INVALID, "the script of job %s is too large", job->id)
               : 0;
}

/* A user's hold, whoever asks, so that she can release it herself. */
static int slurm_hold(void *self, const char *id, int64_t deadline_mono_ms, struct err *err)
{
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(4096);

    buf_printf(&script,
               "timeout %d scontrol uhold %s || exit $?\n"
               "timeout %d squeue -h -j %s -o '%%T|%%r' || exit $?\n",
               COMMAND_S, id, COMMAND_S, id);
    if (remote_run(remote_of(self), buf_text(&script), &text, deadline_mono_ms, err) < 0)
        return is_gone(err) ? 1 : -1;
    if (strcmp(buf_text(&text), "PENDING|JobHeldUser\n") == 0)
        return 0;
    return text.length ? 1 : err_set(err, FAULT_UNAVAILABLE, "squeue says nothing of job %s", id);
}

static int slurm_release(void *self, const char *id, int64_t deadline_mono_ms, struct err *err)
{
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(4096);

    buf_printf(&script,
               "state=$(timeout %d squeue -h -j %s -o '%%T|%%r') || exit $?\n"
               "case $state in PENDING'|'JobHeld*) timeout %d scontrol release %s;; esac\n",
               COMMAND_S, id, COMMAND_S, id);
    if (remote_run(remote_of(self), buf_text(&script), &text, deadline_mono_ms, err) == 0)
        return 0;
    return is_gone(err) ? 0 : -1;
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

/* A name with a line feed in it is counted as a file too many: nothing is left out in silence. */
static int slurm_files(void *self, const struct home_job *job, size_t most,
                       int64_t deadline_mono_ms, struct home_files *out, struct err *err)
{
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(LIST_BYTES);
    size_t lines = 0, room = 0;
    char *at, *line;

    put_as(&script, job);
    buf_printf(
        &script,
        "$AS find \"$F/\" -xdev -name '.spillway-*' -prune -o -type f -printf '%%s %%m %%P\\n' | "
        "head -n %zu\n",
        most + 1);
    if (remote_run(remote_of(self), buf_text(&script), &text, deadline_mono_ms, err) < 0)
        return err_wrap(err, "list %s", job->folder);
    for (at = text.data; (line = next_line(&at)); lines++)
        read_file(line, out, &room);
    out->more = lines > most || out->count < lines;
    return 0;
}

static int read_hashes(char *text, struct home_files *files, struct err *err)
{
    char *line;

    for (size_t i = 0; i < files->count; i++) {
        line = next_line(&text);
        if (!line || strspn(line, "0123456789abcdef") != 64)
            return err_set(err, FAULT_NOT_FOUND, "%s cannot be read", files->list[i].path);
        memcpy(files->list[i].sha256, line, 64);
        files->list[i].sha256[64] = '\0';
    }
    return 0;
}

static int slurm_hash(void *self, const struct home_job *job, struct home_files *files,
                      int64_t deadline_mono_ms, struct err *err)
{
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(LIST_BYTES);

    put_as(&script, job);
    /* sudo starts in no folder of the user's: names are whole. */
    for (size_t i = 0; i < files->count; i++) {
        buf_puts(&script, "$AS cat \"$F\"/");
        put_quoted(&script, files->list[i].path);
        buf_puts(&script, " | sha256sum || exit $?\n");
    }
    if (remote_run(remote_of(self), buf_text(&script), &text, deadline_mono_ms, err) < 0)
        return -1;
    return read_hashes(text.data, files, err);
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
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(4096);
    own_str char *whole = NULL;

    if (ready(remote, deadline_mono_ms, err) < 0)
        return -1;
    whole = xasprintf("%s/burst/%s/%s", remote->dir, key, path);
    put_assign(&script, "T", whole);
    buf_puts(&script, "mkdir -p \"${T%/*}\"\n");
    if (remote_run(remote, buf_text(&script), &text, deadline_mono_ms, err) < 0)
        return -1;
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
static int slurm_bring(void *self, const struct home_job *job, const struct home_end *end,
                       int64_t deadline_mono_ms, struct err *err)
{
    struct remote *remote = remote_of(self);
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(4096);

    if (ready(remote, deadline_mono_ms, err) < 0)
        return -1;
    buf_puts(&script, "umask 022\n");
    put_as(&script, job);
    put_assign(&script, "S", remote->dir);
    buf_printf(&script,
               "mkdir -p \"$S/burst/%s\" && cd \"$S/burst/%s\" || exit 1\n"
               "test ! -d files || tar -C files -cf - . | $AS tar -C \"$F\" --no-overwrite-dir "
               "-xpf - || exit 1\n",
               end->key, end->key);
    if (burst_of(remote)->receipt) {
        put_receipt(job, end, &script);
    } else {
        put_output("stdout", job->out, &script);
        if (job->errors && (!job->out || strcmp(job->out, job->errors) != 0))
            put_output("stderr", job->errors, &script);
    }
    if (remote_run(remote, buf_text(&script), &text, deadline_mono_ms, err) < 0)
        return err_wrap(err, "put results into %s", job->folder);
    return 0;
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
static void put_state(const struct remote *remote, const struct home_job *job,
                      const struct home_end *end, const char *let_go, struct buf *script)
{
    buf_printf(
        script,
        "state=$(timeout %d squeue -h -j %s -t all -o '%%T|%%r' 2>&1)\n"
        "case $?:$state in\n0:PENDING'|'JobHeld*) ;;\n"
        "0:PENDING*|0:RUNNING*|0:COMPLETING*|0:CONFIGURING*|0:SUSPENDED*) echo %s; exit 0;;\n"
        "0:*|*'Invalid job id'*) echo ended\n",
        COMMAND_S, job->id, let_go);
    put_cleaning(remote, job, end, script);
    buf_puts(script, "exit 0;;\n*) echo \"$state\" >&2; exit 1;;\nesac\n");
}

static int answer_of(const struct buf *text)
{
    return strcmp(buf_text(text), "soon\n") == 0     ? 1
           : strcmp(buf_text(text), "let-go\n") == 0 ? 2
                                                     : 0;
}

static int cancel(struct remote *remote, const struct home_job *job, const struct home_end *end,
                  int64_t deadline_mono_ms, struct err *err)
{
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(4096);

    put_state(remote, job, end, "let-go", &script);
    put_words(job, end, &script);
    /* A job that is released at this very moment must not be killed while it runs. */
    buf_printf(&script, "timeout %d scancel --state=PENDING %s || exit $?\necho soon\n", COMMAND_S,
               job->id);
    if (remote_run(remote, buf_text(&script), &text, deadline_mono_ms, err) < 0)
        return is_gone(err) ? 1 : -1;
    return answer_of(&text);
}

static int let_go(struct remote *remote, const struct home_job *job, const struct home_end *end,
                  int64_t deadline_mono_ms, struct err *err)
{
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(65536);

    put_state(remote, job, end, "soon", &script);
    buf_printf(&script,
               "timeout %d scontrol show config | grep -q '^TaskProlog *= */' || "
               "{ echo 'burst: end: receipt needs TaskProlog in slurm.conf' >&2; exit 1; }\n",
               COMMAND_S);
    put_as(&script, job);
    buf_printf(&script, "$AS test -x \"$F/.spillway-%s/script\" || exit 1\n", job->id);
    put_words(job, end, &script);
    buf_printf(&script,
               "timeout %d scontrol update job %s TimeLimit=1 2>/dev/null\n"
               "timeout %d scontrol release %s || exit $?\necho soon\n",
               COMMAND_S, job->id, COMMAND_S, job->id);
    if (remote_run(remote, buf_text(&script), &text, deadline_mono_ms, err) < 0)
        return is_gone(err) ? 1 : -1;
    return answer_of(&text);
}

static int slurm_end(void *self, const struct home_job *job, const struct home_end *end,
                     int64_t deadline_mono_ms, struct err *err)
{
    struct remote *remote = remote_of(self);

    if (ready(remote, deadline_mono_ms, err) < 0)
        return -1;
    return burst_of(remote)->receipt ? let_go(remote, job, end, deadline_mono_ms, err)
                                     : cancel(remote, job, end, deadline_mono_ms, err);
}

/* Slurm keeps the code as wait(2) gives it.  The accounts hear of a job's end with a delay. */
static int slurm_account(void *self, const struct home_job *job, const struct home_end *end,
                         int64_t deadline_mono_ms, struct err *err)
{
    struct remote *remote = remote_of(self);
    own_buf struct buf script = BUF_INIT(0), text = BUF_INIT(65536);

    if (burst_of(remote)->receipt)
        return 0;
    put_assign(&script, "W", end->words);
    buf_printf(&script,
               "timeout %d sacct -X -n -P -j %s -o State | grep -q '^CANCELLED' || "
               "{ echo later; exit 0; }\n"
               "timeout %d sacctmgr -i -Q modify job where jobid=%s set DerivedExitCode=%d "
               "Comment=\"$W\" >&2 || exit $?\n",
               COMMAND_S, job->id, COMMAND_S, job->id,
               end->exit_code < 0 ? end->signal : end->exit_code << 8);
    if (remote_run(remote, buf_text(&script), &text, deadline_mono_ms, err) < 0)
        return -1;
    return strcmp(buf_text(&text), "later\n") == 0 ? 1 : 0;
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
