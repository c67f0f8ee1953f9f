/* SPDX-License-Identifier: Apache-2.0 */
/* nova.c - servers, flavors and the quota of the compute service. */
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/own.h"
#include "sites/openstack/openstack.h"

#define CONSOLE_LINES 60
#define MIB           ((int64_t)1 << 20)

/* ---- servers --------------------------------------------------------------------------------- */

void servers_free(struct servers *servers)
{
    for (size_t i = 0; i < servers->count; i++) {
        free(servers->list[i].id);
        free(servers->list[i].name);
        free(servers->list[i].detail);
        free(servers->list[i].flavor);
    }
    free(servers->list);
    memset(servers, 0, sizeof *servers);
}

static enum instance_state state_of(const char *status)
{
    static const struct {
        const char *status;
        enum instance_state state;
    } states[] = {
        { "BUILD", INSTANCE_BOOTING },  { "ERROR", INSTANCE_FAILED },
        { "DELETED", INSTANCE_GONE },   { "SOFT_DELETED", INSTANCE_GONE },
        { "SHUTOFF", INSTANCE_FAILED }, { "SHELVED_OFFLOADED", INSTANCE_FAILED },
    };

    for (size_t i = 0; status && i < array_len(states); i++)
        if (strcmp(states[i].status, status) == 0)
            return states[i].state;
    return INSTANCE_ACTIVE; /* also while it reboots or moves: its agent says how it is */
}

/* A listing has no fault of a server that never had a host: those lie in a cell of their own. */
static void ask_fault(struct openstack *os, const char *id, int64_t deadline, struct buf *out)
{
    own_str char *path = xasprintf("/servers/%s", id);
    own_os_call struct os_call call = { .service = OS_COMPUTE, .method = "GET", .path = path };
    const char *words;

    if (session_call(os->session, &call, deadline, NULL) < 0)
        return;
    words = os_text(json_object_get(json_object_get(call.answer, "server"), "fault"), "message");
    buf_puts(out, words ? words : "");
}

static void read_fault(struct openstack *os, const json_t *from, const char *status,
                       int64_t deadline, struct server *server)
{
    own_buf struct buf words = BUF_INIT(65536);
    const char *listed = os_text(json_object_get(from, "fault"), "message");

    if (server->state != INSTANCE_FAILED)
        return;
    if (strcmp(status, "ERROR") != 0) {
        server->detail = xasprintf("the server is %s", status);
        return;
    }
    if (listed)
        buf_puts(&words, listed);
    else if (server->ours)
        ask_fault(os, server->id, deadline, &words);
    server->fault = os_server_fault(buf_text(&words));
    server->detail = xasprintf("ERROR: %.400s", words.length ? words.data : "no word on why");
}

static void server_add(struct openstack *os, struct servers *out, const json_t *from,
                       int64_t deadline)
{
    const json_t *metadata = json_object_get(from, "metadata");
    const json_t *flavor = json_object_get(from, "flavor");
    const char *id = os_text(from, "id"), *name = os_text(from, "name");
    const char *status = os_text(from, "status"), *broker = os_text(metadata, MARK_BROKER);
    const char *worker = os_text(metadata, MARK_WORKER);
    struct server *server;

    if (!id || !name)
        return;
    out->list = xrealloc(out->list, (out->count + 1) * sizeof *out->list);
    server = &out->list[out->count++];
    *server = (struct server){
        .id = xstrdup(id),
        .state = state_of(status),
        .ours = broker && worker && strcmp(broker, os->broker) == 0,
        .cpus = (int)json_integer_value(json_object_get(flavor, "vcpus")),
        .memory = json_integer_value(json_object_get(flavor, "ram")) << 20,
        .created_ms = os_time(json_object_get(from, "created")),
    };
    if (os_text(flavor, "original_name"))
        server->flavor = xstrdup(os_text(flavor, "original_name"));
    /* Users may rename a server; the mark stays. */
    server->name = xstrdup(server->ours ? worker : name);
    read_fault(os, from, status ? status : "", deadline, server);
}

int nova_servers(struct openstack *os, const char *name, int64_t deadline, struct servers *out,
                 struct err *err)
{
    own_buf struct buf query = BUF_INIT(4096);
    own_str char *last = NULL;

    for (int page = 0; page < PAGES_MOST; page++) {
        own_os_call struct os_call call = { .service = OS_COMPUTE, .method = "GET" };
        const json_t *servers, *each;
        size_t i;

        buf_clear(&query);
        buf_printf(&query, "/servers/detail?limit=%d", PAGE_MOST);
        if (name) {
            buf_puts(&query, "&name=%5E"); /* a regular expression: ^NAME$ */
            put_url(&query, name);
            buf_puts(&query, "%24");
        }
        if (last) {
            buf_puts(&query, "&marker=");
            put_url(&query, last);
        }
        call.path = buf_text(&query);
        if (session_call(os->session, &call, deadline, err) < 0)
            return -1;
        servers = json_object_get(call.answer, "servers");
        json_array_foreach(servers, i, each)
        {
            server_add(os, out, each, deadline);
        }
        /* Some clouds give fewer than asked for: only what says that it goes on, does. */
        if (json_array_size(servers) == 0 || !out->list ||
            !json_object_get(call.answer, "servers_links"))
            return 0;
        free(last);
        last = xstrdup(out->list[out->count - 1].id);
    }
    return err_set(err, FAULT_INVALID, "the project has more than %d servers; use one of its own",
                   PAGES_MOST * PAGE_MOST);
}

/* {"boot_index": N, ...} of the list that Nova calls block_device_mapping_v2. */
static void add_disk(json_t *disks, int index, const char *source, const char *id, const char *to,
                     bool goes)
{
    json_array_append_new(disks, json_pack("{s:i, s:s, s:s, s:s, s:b}", "boot_index", index,
                                           "source_type", source, "uuid", id, "destination_type",
                                           to, "delete_on_termination", goes));
}

/* Volumes of ours go with the server; what Nova leaves of them, we remove. */
static json_t *disks_of(const struct image *image, const struct parts *parts)
{
    json_t *disks = json_array();

    if (parts->boot_volume)
        add_disk(disks, 0, "volume", parts->boot_volume, "volume", true);
    else if (parts->scratch || parts->kept)
        add_disk(disks, 0, "image", image->id, "local", true);
    if (parts->scratch)
        add_disk(disks, -1, "volume", parts->scratch, "volume", true);
    if (parts->kept)
        add_disk(disks, -1, "volume", parts->kept, "volume", false);
    return disks;
}

json_t *nova_body(const struct openstack *os, const struct order *order,
                  const struct flavor *flavor, const struct image *image, const struct parts *parts,
                  const char *user_data)
{
    json_t *server =
        json_pack("{s:s, s:s, s:s, s:[{s:s}], s:{s:s, s:s}}", "name", order->name, "flavorRef",
                  flavor->id, "user_data", user_data, "networks", "port", parts->port, "metadata",
                  MARK_BROKER, order->broker, MARK_WORKER, order->name);
    json_t *body = json_pack("{s:o}", "server", server), *disks = disks_of(image, parts);

    if (!parts->boot_volume)
        json_object_set_new(server, "imageRef", json_string(image->id));
    if (json_array_size(disks))
        json_object_set(server, "block_device_mapping_v2", disks);
    json_decref(disks);
    if (os->availability_zone)
        json_object_set_new(server, "availability_zone", json_string(os->availability_zone));
    if (os->key_name)
        json_object_set_new(server, "key_name", json_string(os->key_name));
    if (os->has_config_drive)
        json_object_set_new(server, "config_drive", json_boolean(os->config_drive));
    if (os->server_group_id)
        json_object_set_new(body, "os:scheduler_hints",
                            json_pack("{s:s}", "group", os->server_group_id));
    return body;
}

/* Strings of a JSON document are ours to wipe. */
void nova_burn(json_t *body)
{
    const char *secret =
        json_string_value(json_object_get(json_object_get(body, "server"), "user_data"));

    if (secret)
        explicit_bzero((char *)(uintptr_t)secret, strlen(secret));
    json_decref(body);
}

int nova_create(struct openstack *os, const struct order *order, const struct flavor *flavor,
                const struct image *image, const struct parts *parts, const char *user_data,
                bool *maybe_done, struct err *err)
{
    json_t *body = nova_body(os, order, flavor, image, parts, user_data);
    own_os_call struct os_call call = {
        .service = OS_COMPUTE, .method = "POST", .path = "/servers", .body = body
    };
    int rc = session_call(os->session, &call, order->deadline_mono_ms, err);

    nova_burn(body);
    *maybe_done = call.maybe_done;
    return rc;
}

int nova_delete(struct openstack *os, const char *id, int64_t deadline, struct err *err)
{
    own_str char *path = xasprintf("/servers/%s", id);

    return os_delete(os, OS_COMPUTE, path, deadline, err);
}

int nova_console(struct openstack *os, const char *id, int64_t deadline, struct buf *out,
                 struct err *err)
{
    own_str char *path = xasprintf("/servers/%s/action", id);
    own_json json_t *body = json_pack("{s:{s:i}}", "os-getConsoleOutput", "length", CONSOLE_LINES);
    own_os_call struct os_call call = {
        .service = OS_COMPUTE, .method = "POST", .path = path, .body = body
    };
    const char *text;

    if (session_call(os->session, &call, deadline, err) < 0)
        return -1;
    text = os_text(call.answer, "output");
    buf_printf(out, "console log:\n%s\n", text ? text : "(empty)");
    return 0;
}

/* ---- server groups ---------------------------------------------------------------------------
 */

/* It has no room for a mark but its name. */
static char *group_name(const struct openstack *os)
{
    return xasprintf("spillway %s", os->broker);
}

static void take_group(struct openstack *os, const json_t *from, struct things *out)
{
    const char *id = os_text(from, "id"), *name = os_text(from, "name");
    own_str char *ours = group_name(os);

    if (id && name && strcmp(name, ours) == 0)
        things_add(out, "server-group", id, NULL)->size =
            (int64_t)json_array_size(json_object_get(from, "members"));
}

int nova_groups(struct openstack *os, int64_t deadline, struct things *out, struct err *err)
{
    own_json json_t *answer = NULL;
    const json_t *each;
    size_t i;

    if (os_get(os, OS_COMPUTE, "/os-server-groups?limit=1000", deadline, &answer, err) < 0)
        return -1;
    json_array_foreach(json_object_get(answer, "server_groups"), i, each)
    {
        take_group(os, each, out);
    }
    return 0;
}

/* Since 2.64 a group has one policy, before that a list with one in it. */
static json_t *group_body(const struct openstack *os)
{
    own_str char *name = group_name(os);

    if (session_compute_minor(os->session) >= 64)
        return json_pack("{s:{s:s, s:s}}", "server_group", "name", name, "policy",
                         os->server_group);
    return json_pack("{s:{s:s, s:[s]}}", "server_group", "name", name, "policies",
                     os->server_group);
}

int nova_group_make(struct openstack *os, int64_t deadline, struct err *err)
{
    own_things struct things there = { .list = NULL };
    own_json json_t *body = NULL;
    own_os_call struct os_call call = { .service = OS_COMPUTE,
                                        .method = "POST",
                                        .path = "/os-server-groups" };
    const char *id;

    if (!os->server_group || os->server_group_id)
        return 0;
    if (nova_groups(os, deadline, &there, err) < 0)
        return -1;
    if (there.count) {
        os->server_group_id = take_ptr(there.list[0].id);
        return 0;
    }
    body = group_body(os);
    call.body = body;
    if (session_call(os->session, &call, deadline, err) < 0)
        return -1; /* made all the same, it is found the next time */
    id = os_text(json_object_get(call.answer, "server_group"), "id");
    if (!id)
        return err_set(err, FAULT_UNAVAILABLE, "Nova: the answer is no server group");
    os->server_group_id = xstrdup(id);
    return 0;
}

/* ---- flavors --------------------------------------------------------------------------------- */

static bool flavor_wanted(const struct openstack *os, const char *name)
{
    const json_t *each;
    size_t i;

    if (!os->flavor_names)
        return true;
    json_array_foreach(os->flavor_names, i, each)
    {
        if (strcmp(json_string_value(each), name) == 0)
            return true;
    }
    return false;
}

static void flavors_replace(struct openstack *os, struct flavor *flavors, size_t count)
{
    for (size_t i = 0; i < os->flavor_count; i++)
        flavor_fini(&os->flavors[i]);
    free(os->flavors);
    os->flavors = flavors;
    os->flavor_count = count;
}

int nova_flavors(struct openstack *os, int64_t deadline, struct err *err)
{
    own_os_call struct os_call call = { .service = OS_COMPUTE,
                                        .method = "GET",
                                        .path = "/flavors/detail?limit=1000" };
    struct flavor *flavors;
    const json_t *list, *each;
    size_t count = 0, i;

    if (session_call(os->session, &call, deadline, err) < 0)
        return -1;
    list = json_object_get(call.answer, "flavors");
    flavors = xcalloc(json_array_size(list) + 1, sizeof *flavors);
    json_array_foreach(list, i, each)
    {
        const char *name = os_text(each, "name");

        if (name && flavor_wanted(os, name) && flavor_read(each, os->conf, &flavors[count]) == 0)
            count++;
    }
    flavors_replace(os, flavors, count);
    return 0;
}

const struct flavor *flavor_find(const struct openstack *os, const char *name)
{
    for (size_t i = 0; i < os->flavor_count; i++)
        if (strcmp(os->flavors[i].name, name) == 0)
            return &os->flavors[i];
    return NULL;
}

/* ---- quota ----------------------------------------------------------------------------------- */

/* -1: no limit, or not said. */
static int64_t figure(const json_t *absolute, const char *key, int64_t unit)
{
    const json_t *value = json_object_get(absolute, key);

    return json_is_integer(value) && json_integer_value(value) >= 0
               ? json_integer_value(value) * unit
               : -1;
}

/* How many keypairs this user has; -1: not told. */
static int64_t keypairs(struct openstack *os, int64_t deadline)
{
    own_json json_t *answer = NULL;

    if (os_get(os, OS_COMPUTE, "/os-keypairs?limit=1000", deadline, &answer, NULL) < 0)
        return -1;
    return (int64_t)json_array_size(json_object_get(answer, "keypairs"));
}

/* Of what no flavor speaks.  We make no keypairs: that line is for people to see. */
static void add_small_lines(struct openstack *os, const json_t *absolute,
                            const struct things *things, int64_t deadline, struct probe *out)
{
    int64_t members = 0, pairs = keypairs(os, deadline);
    struct quota *line;

    for (size_t i = 0; i < things->count; i++)
        if (strcmp(things->list[i].kind, "server-group") == 0)
            members += things->list[i].size;
    quota_add(out, "server-groups", figure(absolute, "maxServerGroups", 1),
              figure(absolute, "totalServerGroupsUsed", 1),
              (int64_t)things_count(things, "server-group"));
    if (os->server_group) {
        line = quota_add(out, "server-group-members", figure(absolute, "maxServerGroupMembers", 1),
                         members, members);
        line->per_worker = 1;
    }
    if (pairs >= 0)
        quota_add(out, "keypairs", figure(absolute, "maxTotalKeypairs", 1), pairs, 0);
}

static int64_t left(const json_t *absolute, const char *most, const char *used, int64_t unit,
                    int64_t seen)
{
    int64_t limit = figure(absolute, most, unit), told = figure(absolute, used, unit);

    return limit < 0 ? -1 : limit - (told > seen ? told : seen);
}

/* Nova counts a server that was asked for a moment ago only once it has a host; its list has it at
 * once. */
int nova_room(struct openstack *os, int64_t deadline, struct room_left *out, struct err *err)
{
    own_servers struct servers servers = { .list = NULL };
    own_json json_t *answer = NULL;
    int64_t cores = 0, memory = 0;
    const json_t *absolute;

    if (nova_servers(os, NULL, deadline, &servers, err) < 0 ||
        os_get(os, OS_COMPUTE, "/limits", deadline, &answer, err) < 0)
        return -1;
    out->shared = false;
    for (size_t i = 0; i < servers.count; i++) {
        cores += servers.list[i].cpus;
        memory += servers.list[i].memory;
        out->shared |= !servers.list[i].ours;
    }
    absolute = json_object_get(json_object_get(answer, "limits"), "absolute");
    out->instances =
        left(absolute, "maxTotalInstances", "totalInstancesUsed", 1, (int64_t)servers.count);
    out->cores = left(absolute, "maxTotalCores", "totalCoresUsed", 1, cores);
    out->memory = left(absolute, "maxTotalRAMSize", "totalRAMUsed", MIB, memory);
    return 0;
}

static bool fits(int64_t left, int64_t amount)
{
    return left < 0 || left >= amount;
}

bool room_take(struct room_left *left, const struct flavor *flavor, struct err *err)
{
    if (!fits(left->instances, 1) || !fits(left->cores, flavor->cpus) ||
        !fits(left->memory, flavor->memory)) {
        err_set(err, FAULT_QUOTA, "not asked for: by now others use the quota that it would need");
        return false;
    }
    left->instances -= left->instances >= 0;
    left->cores -= left->cores >= 0 ? flavor->cpus : 0;
    left->memory -= left->memory >= 0 ? flavor->memory : 0;
    return true;
}

int nova_quota(struct openstack *os, const struct servers *servers, const struct things *things,
               int64_t deadline, struct probe *out, struct err *err)
{
    own_json json_t *answer = NULL;
    int64_t instances = 0, cores = 0, memory = 0;
    const json_t *absolute;

    if (os_get(os, OS_COMPUTE, "/limits", deadline, &answer, err) < 0)
        return -1;
    for (size_t i = 0; i < servers->count; i++) {
        if (!servers->list[i].ours)
            continue;
        instances++;
        cores += servers->list[i].cpus;
        memory += servers->list[i].memory;
    }
    absolute = json_object_get(json_object_get(answer, "limits"), "absolute");
    quota_add(out, "instances", figure(absolute, "maxTotalInstances", 1),
              figure(absolute, "totalInstancesUsed", 1), instances);
    quota_add(out, "cores", figure(absolute, "maxTotalCores", 1),
              figure(absolute, "totalCoresUsed", 1), cores);
    quota_add(out, "memory", figure(absolute, "maxTotalRAMSize", MIB),
              figure(absolute, "totalRAMUsed", MIB), memory);
    add_small_lines(os, absolute, things, deadline, out);
    return 0;
}
