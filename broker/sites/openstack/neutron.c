/* SPDX-License-Identifier: Apache-2.0 */
/* neutron.c - the network, our security group, and a port for each worker.
 *
 * A port is made before its server, so that it has our security group from its first moment and a
 * name of its own to be found by; Nova does not remove what it did not make, so we do. */
#include <string.h>

#include "base/own.h"
#include "sites/openstack/openstack.h"

void ports_free(struct ports *ports)
{
    for (size_t i = 0; i < ports->count; i++) {
        free(ports->list[i].id);
        free(ports->list[i].name);
    }
    free(ports->list);
    memset(ports, 0, sizeof *ports);
}

const char *os_mark(const struct openstack *os, char out[96])
{
    snprintf(out, 96, "spillway %s", os->broker);
    return out;
}

static int get(struct openstack *os, const char *path, int64_t deadline, json_t **out,
               struct err *err)
{
    own_os_call struct os_call call = { .service = OS_NETWORK, .method = "GET", .path = path };

    if (session_call(os->session, &call, deadline, err) < 0)
        return -1;
    *out = take_ptr(call.answer);
    return 0;
}

/* ---- ports ----------------------------------------------------------------------------------- */

static void port_add(struct ports *out, const json_t *from)
{
    const char *id = os_text(from, "id"), *name = os_text(from, "name");

    if (!id)
        return;
    out->list = xrealloc(out->list, (out->count + 1) * sizeof *out->list);
    out->list[out->count++] =
        (struct port){ .id = xstrdup(id),
                       .name = xstrdup(name ? name : ""),
                       .created_ms = os_time(json_object_get(from, "created_at")) };
}

int neutron_ports(struct openstack *os, const char *name, int64_t deadline, struct ports *out,
                  struct err *err)
{
    own_buf struct buf query = BUF_INIT(4096);
    own_str char *last = NULL;
    char mark[96];

    for (int page = 0; page < PAGES_MOST; page++) {
        own_json json_t *answer = NULL;
        const json_t *ports, *each;
        size_t i;

        buf_clear(&query);
        buf_printf(&query,
                   "/ports?limit=%d&fields=id&fields=name&fields=created_at&fields="
                   "description&description=",
                   PAGE_MOST);
        put_url(&query, os_mark(os, mark));
        if (name) {
            buf_puts(&query, "&name=");
            put_url(&query, name);
        }
        if (last) {
            buf_puts(&query, "&marker=");
            put_url(&query, last);
        }
        if (get(os, buf_text(&query), deadline, &answer, err) < 0)
            return -1;
        ports = json_object_get(answer, "ports");
        json_array_foreach(ports, i, each)
        {
            const char *description = os_text(each, "description");

            /* A cloud that ignores the filter shows everybody's. */
            if (description && strcmp(description, mark) == 0)
                port_add(out, each);
            free(last);
            last = xstrdup(os_text(each, "id") ? os_text(each, "id") : "");
        }
        if (json_array_size(ports) == 0 || !json_object_get(answer, "ports_links"))
            return 0;
    }
    return err_set(err, FAULT_INVALID, "the project has more than %d ports; use one of its own",
                   PAGES_MOST * PAGE_MOST);
}

/* ---- the network ----------------------------------------------------------------------------- */

static bool is_external(const json_t *network)
{
    return json_is_true(json_object_get(network, "router:external"));
}

/* The named one, by name or id; else the only one that is not the outside. */
static int choose_network(struct openstack *os, const json_t *networks, struct err *err)
{
    own_buf struct buf names = BUF_INIT(300);
    const json_t *each, *found = NULL;
    size_t i, count = 0;

    json_array_foreach(networks, i, each)
    {
        const char *id = os_text(each, "id"), *name = os_text(each, "name");

        if (!id || (!os->network && is_external(each)))
            continue;
        buf_printf(&names, "%s%s", names.length ? ", " : "", name ? name : id);
        if (os->network && strcmp(os->network, id) != 0 &&
            (!name || strcmp(os->network, name) != 0))
            continue;
        found = each;
        count++;
    }
    if (count == 1) {
        os->network_id = xstrdup(os_text(found, "id"));
        return 0;
    }
    if (os->network)
        return site_conf_error(os->conf, "/network", err, "%s; there is %.300s",
                               count ? "several networks have this name; give the id"
                                     : "no such network",
                               names.length ? buf_text(&names) : "none");
    return site_conf_error(os->conf, "/network", err, "is needed: %s%.300s",
                           count ? "one of " : "the project has no network",
                           count ? buf_text(&names) : "");
}

int neutron_network(struct openstack *os, int64_t deadline, struct err *err)
{
    own_json json_t *answer = NULL;

    if (os->network_id)
        return 0;
    if (get(os, "/networks?fields=id&fields=name&fields=router:external&limit=1000", deadline,
            &answer, err) < 0)
        return -1;
    return choose_network(os, json_object_get(answer, "networks"), err);
}

/* ---- our security group ---------------------------------------------------------------------- */

/* A new group lets all out and nothing in, but for clouds whose operators changed that. */
static int close_inward(struct openstack *os, const json_t *group, int64_t deadline,
                        struct err *err)
{
    const json_t *each;
    size_t i;

    json_array_foreach(json_object_get(group, "security_group_rules"), i, each)
    {
        const char *direction = os_text(each, "direction"), *id = os_text(each, "id");
        own_str char *path = NULL;
        own_os_call struct os_call call = { .service = OS_NETWORK, .method = "DELETE" };

        if (!id || !direction || strcmp(direction, "ingress") != 0)
            continue;
        path = xasprintf("/security-group-rules/%s", id);
        call.path = path;
        if (session_call(os->session, &call, deadline, err) < 0)
            return -1;
    }
    return 0;
}

static int make_group(struct openstack *os, const char *name, int64_t deadline, struct err *err)
{
    char mark[96];
    own_json json_t *body = json_pack("{s:{s:s, s:s}}", "security_group", "name", name,
                                      "description", os_mark(os, mark));
    own_os_call struct os_call call = {
        .service = OS_NETWORK, .method = "POST", .path = "/security-groups", .body = body
    };
    const json_t *group;

    if (session_call(os->session, &call, deadline, err) < 0)
        return -1;
    group = json_object_get(call.answer, "security_group");
    if (close_inward(os, group, deadline, err) < 0)
        return -1;
    os->group_id = os_text(group, "id") ? xstrdup(os_text(group, "id")) : NULL;
    return 0;
}

/* Its id into os->group_id where there is one. */
static int look_for_group(struct openstack *os, const char *name, int64_t deadline, struct err *err)
{
    own_buf struct buf query = BUF_INIT(512);
    own_json json_t *answer = NULL;
    const json_t *each;
    char mark[96];
    size_t i;

    buf_printf(&query, "/security-groups?name=%s&project_id=", name);
    put_url(&query, session_project(os->session));
    if (get(os, buf_text(&query), deadline, &answer, err) < 0)
        return -1;
    json_array_foreach(json_object_get(answer, "security_groups"), i, each)
    {
        const char *description = os_text(each, "description");

        if (!description || strcmp(description, os_mark(os, mark)) != 0 || !os_text(each, "id"))
            continue;
        if (close_inward(os, each, deadline, err) < 0)
            return -1;
        os->group_id = xstrdup(os_text(each, "id"));
        return 0;
    }
    return 0;
}

static char *group_name(const struct openstack *os)
{
    return xasprintf("spillway-%.8s", os->broker);
}

static int find_group(struct openstack *os, int64_t deadline, struct err *err)
{
    own_str char *name = group_name(os);

    if (os->group_id || os->security_groups)
        return 0;
    if (look_for_group(os, name, deadline, err) < 0)
        return -1;
    return os->group_id ? 0 : make_group(os, name, deadline, err);
}

int neutron_group_drop(struct openstack *os, int64_t deadline, struct err *err)
{
    own_str char *name = group_name(os), *path = NULL;
    own_os_call struct os_call call = { .service = OS_NETWORK, .method = "DELETE" };
    struct err why = ERR_INIT;

    if (os->security_groups)
        return 0;
    if (!os->group_id && look_for_group(os, name, deadline, err) < 0)
        return -1;
    if (!os->group_id)
        return 0;
    path = xasprintf("/security-groups/%s", os->group_id);
    call.path = path;
    free(take_ptr(os->group_id));
    if (session_call(os->session, &call, deadline, &why) == 0 || why.fault == FAULT_NOT_FOUND ||
        why.fault == FAULT_CONFLICT) /* somebody's port uses it */
        return 0;
    if (err)
        *err = why;
    return -1;
}

/* ---- a worker's port ------------------------------------------------------------------------- */

static json_t *port_body(const struct openstack *os, const char *name)
{
    char mark[96];
    json_t *port = json_pack("{s:s, s:s, s:s}", "name", name, "network_id", os->network_id,
                             "description", os_mark(os, mark));

    if (os->security_groups)
        json_object_set_new(port, "security_groups", json_deep_copy(os->security_groups));
    else if (os->group_id)
        json_object_set_new(port, "security_groups", json_pack("[s]", os->group_id));
    return json_pack("{s:o}", "port", port);
}

static int find_port(struct openstack *os, const char *name, int64_t deadline, char **id,
                     struct err *err)
{
    own_ports struct ports ports = { .list = NULL };

    if (neutron_ports(os, name, deadline, &ports, err) < 0)
        return -1;
    *id = ports.count ? take_ptr(ports.list[0].id) : NULL;
    return 0;
}

/* A network or a group that was removed and made anew has another id. */
static void forget_ids(struct openstack *os)
{
    free(take_ptr(os->network_id));
    free(take_ptr(os->group_id));
}

int neutron_port_make(struct openstack *os, const char *name, int64_t deadline, char **id,
                      struct err *err)
{
    own_json json_t *body = NULL;
    own_os_call struct os_call call = { .service = OS_NETWORK, .method = "POST", .path = "/ports" };
    const char *made;

    if (neutron_network(os, deadline, err) < 0 || find_group(os, deadline, err) < 0)
        return -1;
    body = port_body(os, name);
    call.body = body;
    if (session_call(os->session, &call, deadline, err) < 0) {
        if (call.status == 404)
            forget_ids(os);
        /* It may be there for all that: the answer was lost, not the port. */
        if (call.maybe_done && find_port(os, name, deadline, id, NULL) == 0 && *id)
            return 0;
        return -1;
    }
    made = os_text(json_object_get(call.answer, "port"), "id");
    if (!made)
        return err_set(err, FAULT_UNAVAILABLE, "Neutron: the answer is no port");
    *id = xstrdup(made);
    return 0;
}

int neutron_port_delete(struct openstack *os, const char *id, int64_t deadline, struct err *err)
{
    own_str char *path = xasprintf("/ports/%s", id);
    own_os_call struct os_call call = { .service = OS_NETWORK, .method = "DELETE", .path = path };
    struct err why = ERR_INIT;

    if (session_call(os->session, &call, deadline, &why) == 0 || why.fault == FAULT_NOT_FOUND)
        return 0;
    if (err)
        *err = why;
    return -1;
}

/* ---- quota ----------------------------------------------------------------------------------- */

int neutron_quota(struct openstack *os, int64_t deadline, struct probe *out, struct err *err)
{
    own_ports struct ports ours = { .list = NULL };
    own_buf struct buf path = BUF_INIT(512);
    own_json json_t *answer = NULL;
    struct err why = ERR_INIT;
    const json_t *line;

    if (os->no_port_quota)
        return 0;
    buf_puts(&path, "/quotas/");
    put_url(&path, session_project(os->session));
    buf_puts(&path, "/details.json");
    if (get(os, buf_text(&path), deadline, &answer, &why) < 0) {
        if (why.fault != FAULT_NOT_FOUND && why.fault != FAULT_AUTH) {
            if (err)
                *err = why;
            return -1;
        }
        os->no_port_quota = true; /* the extension is not there, or not for us */
        return 0;
    }
    if (os->broker[0] && neutron_ports(os, NULL, deadline, &ours, err) < 0)
        return -1;
    line = json_object_get(json_object_get(answer, "quota"), "port");
    if (!line)
        return 0;
    quota_add(out, "ports", json_integer_value(json_object_get(line, "limit")),
              json_integer_value(json_object_get(line, "used")) +
                  json_integer_value(json_object_get(line, "reserved")),
              (int64_t)ours.count);
    return 0;
}
