/* SPDX-License-Identifier: Apache-2.0 */
/* neutron.c - the network, our security group, and a port for each worker.
 *
 * A port is made before its server, so that it has our security group from its first moment and a
 * name of its own to be found by; Nova does not remove what it did not make, so we do. */
#include <string.h>

#include "base/own.h"
#include "sites/openstack/openstack.h"

static int get(struct openstack *os, const char *path, int64_t deadline, json_t **out,
               struct err *err)
{
    return os_get(os, OS_NETWORK, path, deadline, out, err);
}

/* ---- what bears our mark ----------------------------------------------------------------------
 */

/* How one kind of thing is listed. */
struct listing {
    const char *kind, *path, *key, *links;
};

/* A port's first, or a floating address itself. */
static const char *address_of(const json_t *from)
{
    const char *floating = os_text(from, "floating_ip_address");

    return floating ? floating
                    : os_text(json_array_get(json_object_get(from, "fixed_ips"), 0), "ip_address");
}

/* A floating address has no name: its worker's stands in the description, after the mark. */
static void take_thing(struct openstack *os, const struct listing *listing, const char *name,
                       const json_t *from, struct things *out)
{
    const char *id = os_text(from, "id"), *description = os_text(from, "description");
    const char *own = os_text(from, "name"), *rest;
    char mark[96];
    size_t length = strlen(os_mark(os, mark));
    struct thing *thing;

    /* A cloud that ignores the filter shows everybody's. */
    if (!id || !description || strncmp(description, mark, length) != 0)
        return;
    rest = description + length;
    if (*rest == ' ')
        own = rest + 1;
    else if (*rest)
        return;
    if (name && (!own || strcmp(own, name) != 0))
        return;
    thing = things_add(out, listing->kind, id,
                       strcmp(listing->kind, "security-group") == 0 ? NULL
                       : own                                        ? own
                                                                    : "");
    thing->created_ms = os_time(json_object_get(from, "created_at"));
    if (address_of(from))
        thing->address = xstrdup(address_of(from));
}

/* `filter`: the rest of the query. */
static int list_things(struct openstack *os, const struct listing *listing, const char *filter,
                       const char *name, int64_t deadline, struct things *out, struct err *err)
{
    own_buf struct buf query = BUF_INIT(4096);
    own_str char *last = NULL;

    for (int page = 0; page < PAGES_MOST; page++) {
        own_json json_t *answer = NULL;
        const json_t *list, *each;
        size_t i;

        buf_clear(&query);
        buf_printf(&query, "%s?limit=%d%s", listing->path, PAGE_MOST, filter);
        if (last) {
            buf_puts(&query, "&marker=");
            put_url(&query, last);
        }
        if (get(os, buf_text(&query), deadline, &answer, err) < 0)
            return -1;
        list = json_object_get(answer, listing->key);
        json_array_foreach(list, i, each)
        {
            take_thing(os, listing, name, each, out);
            free(last);
            last = xstrdup(os_text(each, "id") ? os_text(each, "id") : "");
        }
        if (json_array_size(list) == 0 || !json_object_get(answer, listing->links))
            return 0;
    }
    return err_set(err, FAULT_INVALID, "the project has more than %d of %s; use one of its own",
                   PAGES_MOST * PAGE_MOST, listing->key);
}

int neutron_ports(struct openstack *os, const char *name, int64_t deadline, struct things *out,
                  struct err *err)
{
    static const struct listing ports = { "port", "/ports", "ports", "ports_links" };
    own_buf struct buf filter = BUF_INIT(4096);
    char mark[96];

    buf_puts(&filter, "&fields=id&fields=name&fields=created_at&fields=description&"
                      "fields=fixed_ips&description=");
    put_url(&filter, os_mark(os, mark));
    if (name) {
        buf_puts(&filter, "&name=");
        put_url(&filter, name);
    }
    return list_things(os, &ports, buf_text(&filter), name, deadline, out, err);
}

int neutron_floating(struct openstack *os, const char *name, int64_t deadline, struct things *out,
                     struct err *err)
{
    static const struct listing floating = { "floating-ip", "/floatingips", "floatingips",
                                             "floatingips_links" };
    own_buf struct buf filter = BUF_INIT(4096);
    struct err why = ERR_INIT;

    if (os->no_routers)
        return 0;
    if (session_ready(os->session, deadline, err) < 0)
        return -1;
    buf_puts(&filter, "&project_id=");
    put_url(&filter, session_project(os->session));
    if (list_things(os, &floating, buf_text(&filter), name, deadline, out, &why) == 0)
        return 0;
    /* A cloud without routers has no floating addresses either. */
    os->no_routers = why.fault == FAULT_NOT_FOUND;
    if (os->no_routers)
        return 0;
    if (err)
        *err = why;
    return -1;
}

int neutron_groups(struct openstack *os, int64_t deadline, struct things *out, struct err *err)
{
    static const struct listing groups = { "security-group", "/security-groups", "security_groups",
                                           "security_groups_links" };
    own_buf struct buf filter = BUF_INIT(4096);
    char mark[96];

    buf_puts(&filter, "&fields=id&fields=name&fields=created_at&fields=description&description=");
    put_url(&filter, os_mark(os, mark));
    return list_things(os, &groups, buf_text(&filter), NULL, deadline, out, err);
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

/* Each family of addresses has a rule of its own. */
static const char *const families[] = { "IPv4", "IPv6" };

/* Whether the broker comes to workers of that family by SSH. */
static bool door_wanted(const struct openstack *os, size_t family)
{
    return os->tunnels && (!os->ssh_from || (strchr(os->ssh_from, ':') != NULL) == (family == 1));
}

static bool is_door(const struct openstack *os, const json_t *rule, size_t family)
{
    const char *protocol = os_text(rule, "protocol"), *ethertype = os_text(rule, "ethertype");
    const char *from = os_text(rule, "remote_ip_prefix");

    return door_wanted(os, family) && protocol && strcmp(protocol, "tcp") == 0 && ethertype &&
           strcmp(ethertype, families[family]) == 0 && !os_text(rule, "remote_group_id") &&
           json_integer_value(json_object_get(rule, "port_range_min")) == 22 &&
           json_integer_value(json_object_get(rule, "port_range_max")) == 22 &&
           (os->ssh_from ? from && strcmp(from, os->ssh_from) == 0 : !from);
}

static int open_door(struct openstack *os, const char *group, size_t family, int64_t deadline,
                     struct err *err)
{
    own_json json_t *body = json_pack(
        "{s:{s:s, s:s, s:s, s:s, s:i, s:i, s:s*}}", "security_group_rule", "security_group_id",
        group, "direction", "ingress", "ethertype", families[family], "protocol", "tcp",
        "port_range_min", 22, "port_range_max", 22, "remote_ip_prefix", os->ssh_from);
    own_os_call struct os_call call = {
        .service = OS_NETWORK, .method = "POST", .path = "/security-group-rules", .body = body
    };

    if (session_call(os->session, &call, deadline, err) < 0 && call.status != 409)
        return -1;
    return 0;
}

/* A new group lets all out and nothing in, but for clouds whose operators changed that.  Ours lets
 * in what comes to workers by SSH, where the broker does, and nothing else. */
static int set_inward(struct openstack *os, const json_t *group, int64_t deadline, struct err *err)
{
    bool there[array_len(families)] = { false };
    const json_t *each;
    size_t i;

    json_array_foreach(json_object_get(group, "security_group_rules"), i, each)
    {
        const char *direction = os_text(each, "direction"), *id = os_text(each, "id");
        own_str char *path = NULL;
        bool door = false;

        for (size_t k = 0; k < array_len(families); k++)
            if (is_door(os, each, k))
                door = there[k] = true;
        if (!id || !direction || strcmp(direction, "ingress") != 0 || door)
            continue;
        path = xasprintf("/security-group-rules/%s", id);
        if (os_delete(os, OS_NETWORK, path, deadline, err) < 0)
            return -1;
    }
    for (size_t k = 0; k < array_len(families); k++)
        if (door_wanted(os, k) && !there[k] &&
            open_door(os, os_text(group, "id"), k, deadline, err) < 0)
            return -1;
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
    if (!os_text(group, "id"))
        return err_set(err, FAULT_UNAVAILABLE, "Neutron: the answer is no security group");
    if (set_inward(os, group, deadline, err) < 0)
        return -1;
    os->group_id = xstrdup(os_text(group, "id"));
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
        if (set_inward(os, each, deadline, err) < 0)
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

/* ---- a worker's port ------------------------------------------------------------------------- */

json_t *neutron_port_body(const struct openstack *os, const char *name)
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
    own_things struct things ports = { .list = NULL };

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

int neutron_port_ready(struct openstack *os, int64_t deadline, struct err *err)
{
    return neutron_network(os, deadline, err) < 0 || find_group(os, deadline, err) < 0 ? -1 : 0;
}

int neutron_port_take(struct openstack *os, const struct os_call *call, bool answered,
                      const char *name, int64_t deadline, char **id, struct err *err)
{
    const char *made;

    if (!answered) {
        if (call->status == 404)
            forget_ids(os);
        /* It may be there for all that: the answer was lost, not the port. */
        if (call->maybe_done && find_port(os, name, deadline, id, NULL) == 0 && *id)
            return 0;
        return -1;
    }
    made = os_text(json_object_get(call->answer, "port"), "id");
    if (!made)
        return err_set(err, FAULT_UNAVAILABLE, "Neutron: the answer is no port");
    *id = xstrdup(made);
    return 0;
}

int neutron_port_make(struct openstack *os, const char *name, int64_t deadline, char **id,
                      struct err *err)
{
    own_json json_t *body = NULL;
    own_os_call struct os_call call = { .service = OS_NETWORK, .method = "POST", .path = "/ports" };
    bool answered;

    if (neutron_port_ready(os, deadline, err) < 0)
        return -1;
    body = neutron_port_body(os, name);
    call.body = body;
    answered = session_call(os->session, &call, deadline, err) == 0;
    return neutron_port_take(os, &call, answered, name, deadline, id, err);
}

/* ---- a worker's floating address -------------------------------------------------------------
 */

static int floating_network(struct openstack *os, int64_t deadline, struct err *err)
{
    own_json json_t *answer = NULL;
    const json_t *each;
    size_t i;

    if (os->floating_id)
        return 0;
    if (get(os, "/networks?router:external=true&fields=id&fields=name&limit=1000", deadline,
            &answer, err) < 0)
        return -1;
    json_array_foreach(json_object_get(answer, "networks"), i, each)
    {
        const char *id = os_text(each, "id"), *name = os_text(each, "name");

        if (id && (strcmp(id, os->floating_network) == 0 ||
                   (name && strcmp(name, os->floating_network) == 0))) {
            os->floating_id = xstrdup(id);
            return 0;
        }
    }
    return site_conf_error(os->conf, "/floating_network", err,
                           "no external network has this name or id");
}

int neutron_floating_make(struct openstack *os, const char *name, const char *port,
                          int64_t deadline, struct err *err)
{
    own_things struct things there = { .list = NULL };
    own_json json_t *body = NULL;
    own_str char *description = NULL;
    own_os_call struct os_call call = { .service = OS_NETWORK,
                                        .method = "POST",
                                        .path = "/floatingips" };
    char mark[96];

    if (floating_network(os, deadline, err) < 0)
        return -1;
    description = xasprintf("%s %s", os_mark(os, mark), name);
    body = json_pack("{s:{s:s, s:s, s:s}}", "floatingip", "floating_network_id", os->floating_id,
                     "port_id", port, "description", description);
    call.body = body;
    if (session_call(os->session, &call, deadline, err) == 0)
        return 0;
    if (call.status == 404)
        free(take_ptr(os->floating_id)); /* a network that was made anew has another id */
    /* The answer was lost, perhaps not the address. */
    return call.maybe_done && neutron_floating(os, name, deadline, &there, NULL) == 0 && there.count
               ? 0
               : -1;
}

/* ---- quota ----------------------------------------------------------------------------------- */

/* `name`: ours, `key`: Neutron's; a line that this cloud does not have is left out. */
static struct quota *add_line(struct probe *out, const json_t *quota, const char *key,
                              const char *name, size_t ours)
{
    const json_t *line = json_object_get(quota, key);

    if (!line)
        return NULL;
    return quota_add(out, name, json_integer_value(json_object_get(line, "limit")),
                     json_integer_value(json_object_get(line, "used")) +
                         json_integer_value(json_object_get(line, "reserved")),
                     (int64_t)ours);
}

int neutron_quota(struct openstack *os, const struct things *things, int64_t deadline,
                  struct probe *out, struct err *err)
{
    own_buf struct buf path = BUF_INIT(512);
    own_json json_t *answer = NULL;
    struct err why = ERR_INIT;
    const json_t *quota;
    struct quota *line;

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
    quota = json_object_get(answer, "quota");
    if ((line = add_line(out, quota, "port", "ports", things_count(things, "port"))))
        line->per_worker = 1;
    if ((line = add_line(out, quota, "floatingip", "floating-ips",
                         things_count(things, "floating-ip"))))
        line->per_worker = os->floating_network != NULL;
    add_line(out, quota, "security_group", "security-groups",
             things_count(things, "security-group"));
    return 0;
}

/* ---- what is open ---------------------------------------------------------------------------- */

static bool is_everybody(const json_t *rule)
{
    const char *prefix = os_text(rule, "remote_ip_prefix");

    return !os_text(rule, "remote_group_id") && !os_text(rule, "remote_address_group_id") &&
           (!prefix || strcmp(prefix, "0.0.0.0/0") == 0 || strcmp(prefix, "::/0") == 0);
}

static char *rule_words(const json_t *rule)
{
    const char *protocol = os_text(rule, "protocol");
    int64_t from = json_integer_value(json_object_get(rule, "port_range_min"));
    int64_t to = json_integer_value(json_object_get(rule, "port_range_max"));

    if (from && from == to)
        return xasprintf("lets in %s %lld from anywhere", protocol ? protocol : "anything",
                         (long long)from);
    if (from || to)
        return xasprintf("lets in %s %lld to %lld from anywhere", protocol ? protocol : "anything",
                         (long long)from, (long long)to);
    return xasprintf("lets in %s from anywhere", protocol ? protocol : "everything");
}

int neutron_open_rules(struct openstack *os, int64_t deadline, json_t *out, struct err *err)
{
    own_buf struct buf path = BUF_INIT(512);
    own_json json_t *answer = NULL;
    const json_t *group, *rule;
    size_t i, k;

    if (session_ready(os->session, deadline, err) < 0)
        return -1;
    buf_puts(&path, "/security-groups?limit=1000&project_id=");
    put_url(&path, session_project(os->session));
    if (get(os, buf_text(&path), deadline, &answer, err) < 0)
        return -1;
    json_array_foreach(json_object_get(answer, "security_groups"), i, group)
    {
        json_array_foreach(json_object_get(group, "security_group_rules"), k, rule)
        {
            const char *direction = os_text(rule, "direction");
            own_str char *words = NULL, *line = NULL;

            if (!direction || strcmp(direction, "ingress") != 0 || !is_everybody(rule))
                continue;
            words = rule_words(rule);
            line = xasprintf("security group %s (%s) %s",
                             os_text(group, "name") ? os_text(group, "name") : "",
                             os_text(group, "id"), words);
            json_array_append_new(out, json_string(line));
        }
    }
    return 0;
}
