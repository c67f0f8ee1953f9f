/* SPDX-License-Identifier: Apache-2.0 */
/* many.c - many workers at once.
 *
 * As worker.c makes one, but stage by stage, with the calls of a stage in flight together: a burst
 * of fifty takes about as long as its slowest.  Before that the quota is read once more, so that what
 * does not fit any longer is not asked for: all of a batch would hear the same refusal. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "sites/openstack/openstack.h"

#define ONE_BY_ONE 3 /* of a batch, where others make servers too */

struct making {
    const struct order *order;
    const struct flavor *flavor;
    const struct image *image;
    struct parts parts;
    char *kept;
    struct err *err;
    bool done;  /* one way or the other: the outcome is in *err */
    bool begun; /* there may be something of it */
};

static void refuse(struct making *one, const struct err *why)
{
    *one->err = *why;
    one->done = true;
}

static void refuse_all(struct making *all, size_t count, const struct err *why)
{
    for (size_t i = 0; i < count; i++)
        if (!all[i].done)
            refuse(&all[i], why);
}

/* ---- what can be decided here ---------------------------------------------------------------- */

static void choose(struct openstack *os, struct making *one)
{
    one->flavor = flavor_find(os, one->order->shape);
    one->image = os_choose_image(os, one->order->image, one->err);
    one->done = !one->flavor || !one->image;
    if (one->image && !one->flavor)
        err_set(one->err, FAULT_NOT_FOUND, "no flavor '%s'", one->order->shape);
}

/* Begun before a crash: those few go the long way. */
static int finish_begun(struct openstack *os, struct making *all, size_t count, struct err *err)
{
    own_things struct things ports = { .list = NULL };

    if (neutron_ports(os, NULL, all[0].order->deadline_mono_ms, &ports, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < ports.count && !all[i].done; k++) {
            if (!ports.list[k].name || strcmp(ports.list[k].name, all[i].order->name) != 0)
                continue;
            worker_make(os, all[i].order, all[i].err);
            all[i].done = true;
        }
    return 0;
}

static int keep_to_quota(struct openstack *os, struct making *all, size_t count, bool *shared,
                         struct err *err)
{
    struct room_left left;

    if (nova_room(os, all[0].order->deadline_mono_ms, &left, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (!all[i].done)
            all[i].done = !room_take(&left, all[i].flavor, all[i].err);
    *shared = left.shared;
    return 0;
}

/* ---- stages ---------------------------------------------------------------------------------- */

/* Those that are still going, in their places of `all`. */
static size_t going(const struct making *all, size_t count, size_t *places)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        if (!all[i].done)
            places[found++] = i;
    return found;
}

static void begin_volumes(struct openstack *os, struct making *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct making *one = &all[i];

        if (one->done)
            continue;
        one->begun = true;
        one->done =
            worker_begin_volumes(os, one->order, one->image, &one->parts, &one->kept, one->err) < 0;
    }
}

static void make_ports(struct openstack *os, struct making *all, size_t count)
{
    own_mem size_t *places = xcalloc(count, sizeof *places);
    size_t sent = going(all, count, places);
    own_mem struct os_call *calls = xcalloc(count, sizeof *calls);
    own_mem struct err *errs = xcalloc(count, sizeof *errs);
    int64_t deadline = all[0].order->deadline_mono_ms;

    for (size_t k = 0; k < sent; k++)
        calls[k] = (struct os_call){ .service = OS_NETWORK,
                                     .method = "POST",
                                     .path = "/ports",
                                     .body = neutron_port_body(os, all[places[k]].order->name) };
    session_calls(os->session, calls, sent, deadline, errs);
    for (size_t k = 0; k < sent; k++) {
        struct making *one = &all[places[k]];

        if (neutron_port_take(os, &calls[k], errs[k].fault == FAULT_NONE, one->order->name,
                              deadline, &one->parts.port, &errs[k]) < 0)
            refuse(one, &errs[k]);
        json_decref((json_t *)(uintptr_t)calls[k].body);
        os_call_fini(&calls[k]);
    }
}

static void finish_parts(struct openstack *os, struct making *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!all[i].done)
            all[i].done = worker_finish_parts(os, all[i].order, &all[i].parts, all[i].err) < 0;
}

/* NULL: refused. */
static json_t *server_body(struct openstack *os, struct making *one)
{
    char *user_data = NULL;
    json_t *body;

    if (os_user_data(os, one->order, one->image, &one->parts, &user_data, one->err) < 0 ||
        !user_data) {
        one->done = true;
        return NULL;
    }
    body = nova_body(os, one->order, one->flavor, one->image, &one->parts, user_data);
    explicit_bzero(user_data, strlen(user_data));
    free(user_data);
    return body;
}

static void take_server(struct openstack *os, struct making *one, const struct os_call *call,
                        const struct err *err)
{
    own_servers struct servers servers = { .list = NULL };
    const struct server *made = NULL;

    one->done = true;
    if (err->fault != FAULT_NONE &&
        !(call->maybe_done &&
          worker_find(os, one->order->name, one->order->deadline_mono_ms, &servers, &made, NULL) ==
              0 &&
          made))
        *one->err = *err;
    if (one->err->fault == FAULT_QUOTA)
        os->refused_mono_ms = clock_mono_ms();
}

/* Where others make servers too, the last of a batch go one by one: those are what others' new ones
 * leave no room for, and the first refusal answers for the rest. */
static void send_servers(struct openstack *os, struct os_call *calls, size_t count, bool shared,
                         int64_t deadline, struct err *errs)
{
    size_t together = !shared ? count : count > ONE_BY_ONE ? count - ONE_BY_ONE : 0;
    bool full = false;

    if (together > 0)
        session_calls(os->session, calls, together, deadline, errs);
    for (size_t i = 0; i < together; i++)
        full |= errs[i].fault == FAULT_QUOTA;
    for (size_t i = together; i < count; i++) {
        if (full)
            err_set(&errs[i], FAULT_QUOTA,
                    "not asked for: by now others use the quota that it would need");
        else
            session_calls(os->session, &calls[i], 1, deadline, &errs[i]);
        full |= errs[i].fault == FAULT_QUOTA;
    }
}

static void make_servers(struct openstack *os, struct making *all, size_t count, bool shared)
{
    own_mem size_t *places = xcalloc(count, sizeof *places);
    own_mem struct os_call *calls = xcalloc(count, sizeof *calls);
    own_mem struct err *errs = xcalloc(count, sizeof *errs);
    own_mem json_t **bodies = xcalloc(count, sizeof(json_t *));
    size_t sent = 0;

    for (size_t i = 0; i < count; i++) {
        if (all[i].done || !(bodies[sent] = server_body(os, &all[i])))
            continue;
        calls[sent] = (struct os_call){
            .service = OS_COMPUTE, .method = "POST", .path = "/servers", .body = bodies[sent]
        };
        places[sent++] = i;
    }
    send_servers(os, calls, sent, shared, all[0].order->deadline_mono_ms, errs);
    for (size_t k = 0; k < sent; k++) {
        take_server(os, &all[places[k]], &calls[k], &errs[k]);
        nova_burn(bodies[k]);
        os_call_fini(&calls[k]);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void make_all(struct openstack *os, struct making *all, size_t count)
{
    int64_t deadline = all[0].order->deadline_mono_ms;
    struct err err = ERR_INIT;
    bool shared = false;

    if (os_know(os, false, deadline, &err) < 0) {
        refuse_all(all, count, &err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        choose(os, &all[i]);
    if (finish_begun(os, all, count, &err) < 0 ||
        keep_to_quota(os, all, count, &shared, &err) < 0 ||
        neutron_port_ready(os, deadline, &err) < 0) {
        refuse_all(all, count, &err);
        return;
    }
    begin_volumes(os, all, count);
    make_ports(os, all, count);
    finish_parts(os, all, count);
    make_servers(os, all, count, shared);
}

/* What fails here, destroy repeats. */
static void unwind(struct openstack *os, const struct making *one)
{
    if (one->err->fault == FAULT_NONE || !one->begun)
        return;
    worker_remove_parts(os, one->order->name, one->order->deadline_mono_ms + UNWIND_MS, NULL);
    if (one->err->fault == FAULT_NOT_FOUND)
        free(take_ptr(os->server_group_id));
}

void worker_make_many(struct openstack *os, const struct order *orders, size_t count,
                      struct err *errs)
{
    own_mem struct making *all = xcalloc(count, sizeof *all);
    int64_t before = session_requests(os->session), each;

    for (size_t i = 0; i < count; i++)
        all[i] = (struct making){ .order = &orders[i], .err = &errs[i] };
    make_all(os, all, count);
    each = (session_requests(os->session) - before + (int64_t)count - 1) /
           (int64_t)(count ? count : 1);
    for (size_t i = 0; i < count; i++) {
        log_debug("site %s: making %s took %lld requests, its share of %zu at once", os->conf->name,
                  orders[i].name, (long long)each, count);
        unwind(os, &all[i]);
        free(all[i].parts.port);
        free(all[i].parts.boot_volume);
        free(all[i].parts.scratch);
        free(all[i].kept);
    }
}
