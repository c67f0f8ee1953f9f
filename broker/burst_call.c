/* SPDX-License-Identifier: Apache-2.0 */
/* burst_call.c - the functions of a site's own queue, each called on that site's thread. */
#include "base/clock.h"
#include "burst_parts.h"

#define CALL_MS     60000
#define BYTES_AN_MS 200 /* a file may come as slowly as this */

/* The arguments of any of them. */
struct call {
    int (*run)(const struct site_home *home, void *self, struct call *call, struct err *err);
    home_call *many;
    struct home_order *orders;
    size_t count;
    const struct home_job *job;
    const char *key, *local, *path;
    const struct home_file *file;
    struct home_jobs *jobs;
    int mode, to;
    int64_t bytes, until;
    bool all_users;
};

static int on_site(struct site *site, void *arg, struct err *err)
{
    struct call *call = arg;
    void *self;
    const struct site_home *home = site_home(site, &self);

    call->until = clock_mono_ms() + CALL_MS + call->bytes / BYTES_AN_MS;
    return call->run(home, self, call, err);
}

static int make(struct turn *turn, struct call *call, const char *what, struct err *err)
{
    int rc = reconcile_call(turn->reconcile, on_site, call, err);

    return rc < 0 ? err_wrap(err, "site %s: %s", turn->conf->name, what) : rc;
}

static int run_many(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    (void)home;
    (void)err;
    call->many(self, call->orders, call->count, call->until);
    return 0;
}

void burst_call(struct turn *turn, const char *what, home_call *many, struct home_order *orders,
                size_t count, int64_t bytes)
{
    bool asked[ORDERS_MOST] = { false }, any = false;
    struct call call = {
        .run = run_many, .many = many, .orders = orders, .count = count, .bytes = bytes
    };
    struct err err = ERR_INIT;
    int rc;

    for (size_t i = 0; i < count; i++)
        any |= asked[i] = orders[i].rc == 0;
    if (!any)
        return;
    rc = make(turn, &call, what, &err);
    for (size_t i = 0; i < count; i++) {
        if (!asked[i])
            continue;
        if (rc < 0) {
            orders[i].rc = -1;
            orders[i].fault = err;
        } else if (orders[i].rc < 0) {
            err_wrap(&orders[i].fault, "site %s: %s", turn->conf->name, what);
        }
    }
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

static int run_get(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->get(self, call->job, call->file, call->to, call->until, err);
}

int burst_get(struct turn *turn, const struct home_job *job, const struct home_file *file, int to,
              struct err *err)
{
    struct call call = { .run = run_get, .job = job, .file = file, .to = to, .bytes = file->size };

    return make(turn, &call, "fetch a file", err);
}

static int run_stage(const struct site_home *home, void *self, struct call *call, struct err *err)
{
    return home->stage(self, call->key, call->local, call->path, call->mode, call->until, err);
}

int burst_stage(struct turn *turn, const char *key, const char *local, const char *path, int mode,
                int64_t size, struct err *err)
{
    struct call call = {
        .run = run_stage, .key = key, .local = local, .path = path, .mode = mode, .bytes = size
    };

    return make(turn, &call, "send a file", err);
}
