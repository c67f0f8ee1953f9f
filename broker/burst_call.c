/* SPDX-License-Identifier: Apache-2.0 */
/* burst_call.c - the functions of a site's own queue, each called on that site's thread. */
#include "base/clock.h"
#include "burst_parts.h"

#define CALL_MS     60000
#define BYTES_AN_MS 200 /* a file may come as slowly as this */

/* The arguments of any of them. */
struct call {
    int (*run)(const struct site_home *home, void *self, struct call *call, struct err *err);
    const struct home_job *job;
    struct home_job *fill;
    const char *id, *key, *local, *path;
    const struct home_file *file;
    const struct home_end *end;
    struct home_files *files;
    struct home_jobs *jobs;
    struct buf *out;
    size_t most;
    int mode, to;
    int64_t limit_ms;
    int64_t until;
    bool all_users;
};

static int on_site(struct site *site, void *arg, struct err *err)
{
    struct call *call = arg;
    void *self;
    const struct site_home *home = site_home(site, &self);

    call->until = clock_mono_ms() + (call->limit_ms ? call->limit_ms : CALL_MS);
    return call->run(home, self, call, err);
}

static int make(struct turn *turn, struct call *call, const char *what, struct err *err)
{
    int rc = reconcile_call(turn->reconcile, on_site, call, err);

    return rc < 0 ? err_wrap(err, "site %s: %s", turn->conf->name, what) : rc;
}

static int run_waiting(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->waiting(self, call->all_users, call->until, call->jobs, err);
}

int burst_waiting(struct turn *turn, struct err *err)
{
    struct call call = { .run = run_waiting, .jobs = &turn->waiting };

    call.all_users = turn->conf->burst.all_users || turn->conf->burst.users;
    return make(turn, &call, "its queue", err);
}

static int run_detail(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->detail(self, call->fill, call->until, call->out, err);
}

int burst_detail(struct turn *turn, struct home_job *job, struct buf *script, struct err *err)
{
    struct call call = { .run = run_detail, .fill = job, .out = script };

    return make(turn, &call, "look at a job", err);
}

static int run_hold(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->hold(self, call->id, call->until, err);
}

int burst_hold(struct turn *turn, const char *id, struct err *err)
{
    struct call call = { .run = run_hold, .id = id };

    return make(turn, &call, "hold", err);
}

static int run_release(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->release(self, call->id, call->until, err);
}

int burst_release(struct turn *turn, const char *id, struct err *err)
{
    struct call call = { .run = run_release, .id = id };

    return make(turn, &call, "release", err);
}

static int run_files(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->files(self, call->job, call->most, call->until, call->files, err);
}

int burst_list_files(struct turn *turn, const struct home_job *job, size_t most,
                     struct home_files *out, struct err *err)
{
    struct call call = { .run = run_files, .job = job, .most = most, .files = out };

    return make(turn, &call, "list files", err);
}

static int run_hash(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->hash(self, call->job, call->files, call->until, err);
}

int burst_hash(struct turn *turn, const struct home_job *job, struct home_files *files,
               struct err *err)
{
    struct call call = { .run = run_hash, .job = job, .files = files };
    int64_t bytes = 0;

    for (size_t i = 0; i < files->count; i++)
        bytes += files->list[i].size;
    call.limit_ms = CALL_MS + bytes / BYTES_AN_MS / 100;
    return make(turn, &call, "read files", err);
}

static int run_get(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->get(self, call->job, call->file, call->to, call->until, err);
}

int burst_get(struct turn *turn, const struct home_job *job, const struct home_file *file, int to,
              struct err *err)
{
    struct call call = { .run = run_get, .job = job, .file = file, .to = to };

    call.limit_ms = CALL_MS + file->size / BYTES_AN_MS;
    return make(turn, &call, "fetch a file", err);
}

static int run_stage(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->stage(self, call->key, call->local, call->path, call->mode, call->until, err);
}

int burst_stage(struct turn *turn, const char *key, const char *local, const char *path, int mode,
                int64_t size, struct err *err)
{
    struct call call = { .run = run_stage, .key = key, .local = local, .path = path, .mode = mode };

    call.limit_ms = CALL_MS + size / BYTES_AN_MS;
    return make(turn, &call, "send a file", err);
}

static int run_bring(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->bring(self, call->job, call->end, call->until, err);
}

int burst_bring(struct turn *turn, const struct home_job *job, const struct home_end *end,
                struct err *err)
{
    struct call call = { .run = run_bring, .job = job, .end = end };

    return make(turn, &call, "results", err);
}

static int run_end(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->end(self, call->job, call->end, call->until, err);
}

int burst_end(struct turn *turn, const struct home_job *job, const struct home_end *end,
              struct err *err)
{
    struct call call = { .run = run_end, .job = job, .end = end };

    return make(turn, &call, "end the original", err);
}

static int run_account(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->account(self, call->job, call->end, call->until, err);
}

int burst_account(struct turn *turn, const struct home_job *job, const struct home_end *end,
                  struct err *err)
{
    struct call call = { .run = run_account, .job = job, .end = end };

    return make(turn, &call, "accounting", err);
}
