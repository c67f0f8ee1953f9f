/* SPDX-License-Identifier: Apache-2.0 */
/* api.c - clusters as Magnum's API shows them, and calls about them. */
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "sites/magnum/magnum.h"

#define LIST_PAGE 100
#define SAME_MOST 16

void magnum_cluster_fini(struct magnum_cluster *cluster)
{
    cluster_seen_fini(&cluster->seen);
    free(cluster->api);
    json_decref(cluster->workers);
    cluster->api = NULL;
    cluster->workers = NULL;
}

static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

int magnum_read(const json_t *answer, struct magnum_cluster *out, struct err *err)
{
    const char *id = os_text(answer, "uuid"), *status = os_text(answer, "status");
    const char *words = os_text(answer, "status_reason"), *end = status ? strrchr(status, '_') : "";
    const json_t *nodes = json_object_get(answer, "node_count");

    if (!id || !status)
        return err_set(err, FAULT_UNAVAILABLE, "Magnum shows a cluster without uuid and status");
    *out = (struct magnum_cluster){
        .seen = { .phase = cluster_phase_of(status),
                  .id = xstrdup(id),
                  .created_ms = os_time(json_object_get(answer, "created_at")),
                  .nodes = json_is_integer(nodes) ? json_integer_value(nodes) : -1 },
        .api = copy_or_null(os_text(answer, "api_address")),
        .workers = json_incref(json_object_get(answer, "node_addresses")),
    };
    if (!end || strcmp(end, "_FAILED") != 0)
        return 0;
    out->seen.words = xasprintf("%s: %.400s", status, words ? words : "no word on why");
    out->seen.fault = os_server_fault(out->seen.words);
    return 0;
}

/* All clusters of that name, oldest first, and the oldest as the list shows it. */
struct same {
    json_t *oldest;
    char *ids[SAME_MOST];
    int64_t created_ms[SAME_MOST];
    size_t count;
};

static void same_fini(struct same *same)
{
    for (size_t i = 0; i < same->count; i++)
        free(same->ids[i]);
    json_decref(same->oldest);
}

static void same_add(struct same *same, const json_t *cluster, const char *name)
{
    const char *id = os_text(cluster, "uuid"), *called = os_text(cluster, "name");
    int64_t created_ms = os_time(json_object_get(cluster, "created_at"));
    size_t at;

    if (!id || !called || strcmp(called, name) != 0 || same->count == SAME_MOST)
        return;
    for (at = same->count; at > 0 && same->created_ms[at - 1] > created_ms; at--) {
        same->ids[at] = same->ids[at - 1];
        same->created_ms[at] = same->created_ms[at - 1];
    }
    if (at == 0) {
        json_decref(same->oldest);
        same->oldest = json_incref((json_t *)(uintptr_t)cluster);
    }
    same->ids[at] = xstrdup(id);
    same->created_ms[at] = created_ms;
    same->count++;
}

static int find_same(struct openstack *os, const char *name, int64_t deadline, struct same *out,
                     struct err *err)
{
    own_str char *marker = NULL;

    for (int page = 0; page < PAGES_MOST; page++) {
        own_str char *path = xasprintf("/clusters?limit=%d%s%s", LIST_PAGE,
                                       marker ? "&marker=" : "", marker ? marker : "");
        own_json json_t *answer = NULL;
        const json_t *list, *each;
        const char *last;
        size_t i;

        if (os_get(os, OS_CONTAINER, path, deadline, &answer, err) < 0)
            return -1;
        list = json_object_get(answer, "clusters");
        json_array_foreach(list, i, each)
        {
            same_add(out, each, name);
        }
        last = os_text(json_array_get(list, json_array_size(list) - 1), "uuid");
        if (json_array_size(list) < LIST_PAGE || !last)
            return 0;
        free(marker);
        marker = xstrdup(last);
    }
    return err_set(err, FAULT_INVALID, "the project has more than %d clusters",
                   PAGES_MOST * LIST_PAGE);
}

int magnum_look(struct openstack *os, const char *name, int64_t deadline,
                struct magnum_cluster *out, struct err *err)
{
    own(same_fini) struct same same = { .count = 0 };
    own_str char *path = NULL;
    own_json json_t *answer = NULL;
    struct err why = ERR_INIT;

    if (find_same(os, name, deadline, &same, err) < 0)
        return -1;
    for (size_t i = 1; i < same.count; i++) {
        log_warn("%s: removing cluster %s, which has the same name as %s", name, same.ids[i],
                 same.ids[0]);
        if (magnum_remove(os, same.ids[i], deadline, err) < 0)
            return -1;
    }
    if (same.count == 0)
        return 0;
    path = xasprintf("/clusters/%s", same.ids[0]);
    if (os_get(os, OS_CONTAINER, path, deadline, &answer, &why) == 0)
        return magnum_read(answer, out, err);
    if (why.fault == FAULT_NOT_FOUND)
        return 0;
    /* One that is nearly gone has no master any more, and Magnum (Zed) finds its own answer invalid. */
    if (why.fault == FAULT_INVALID)
        return magnum_read(same.oldest, out, err);
    *err = why;
    return -1;
}

static int post(struct openstack *os, const char *path, const json_t *body, int64_t deadline,
                struct os_call *call, struct err *err)
{
    *call =
        (struct os_call){ .service = OS_CONTAINER, .method = "POST", .path = path, .body = body };
    return session_call(os->session, call, deadline, err);
}

int magnum_make(struct openstack *os, const struct magnum_wish *wish, int64_t deadline,
                struct err *err)
{
    own_json json_t *body =
        json_pack("{s:s, s:s, s:I, s:I, s:s*}", "name", wish->name, "cluster_template_id",
                  wish->template, "node_count", (json_int_t)wish->nodes, "create_timeout",
                  (json_int_t)wish->minutes, "keypair", wish->keypair);
    own_os_call struct os_call call;
    struct err why = ERR_INIT;

    if (post(os, "/clusters", body, deadline, &call, &why) == 0 || call.maybe_done)
        return 0; /* the next look tells */
    *err = why;
    return -1;
}

int magnum_resize(struct openstack *os, const char *id, int64_t nodes, const json_t *leaving,
                  int64_t deadline, struct err *err)
{
    own_str char *path = xasprintf("/clusters/%s/actions/resize", id);
    own_json json_t *body =
        json_pack("{s:I, s:O*}", "node_count", (json_int_t)nodes, "nodes_to_remove", leaving);
    own_os_call struct os_call call;

    return post(os, path, body, deadline, &call, err);
}

static bool has_text(const json_t *list, const char *text)
{
    const json_t *each;
    size_t i;

    json_array_foreach(list, i, each)
    {
        const char *one = json_string_value(each);

        if (one && text && strcmp(one, text) == 0)
            return true;
    }
    return false;
}

static bool is_worker(const json_t *workers, const struct kube_node *node)
{
    const json_t *each;
    size_t i;

    json_array_foreach(node->addresses, i, each)
    {
        if (has_text(workers, os_text(each, "address")))
            return true;
    }
    return false;
}

json_t *magnum_pick(const json_t *workers, const struct kube_nodes *idle, int64_t most)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < idle->count && (int64_t)json_array_size(ids) < most; i++)
        if (is_worker(workers, &idle->list[i]) && !has_text(ids, idle->list[i].machine))
            json_array_append_new(ids, json_string(idle->list[i].machine));
    return ids;
}

int magnum_remove(struct openstack *os, const char *id, int64_t deadline, struct err *err)
{
    own_str char *path = xasprintf("/clusters/%s", id);

    return os_delete(os, OS_CONTAINER, path, deadline, err);
}

static int take_pem(const json_t *answer, const char *id, char **pem, struct err *err)
{
    const char *text = os_text(answer, "pem");

    if (!text)
        return err_set(err, FAULT_UNAVAILABLE, "Magnum gives no certificate for cluster %s", id);
    *pem = xstrdup(text);
    return 0;
}

int magnum_authority(struct openstack *os, const char *id, int64_t deadline, char **pem,
                     struct err *err)
{
    own_str char *path = xasprintf("/certificates/%s", id);
    own_json json_t *answer = NULL;

    if (os_get(os, OS_CONTAINER, path, deadline, &answer, err) < 0)
        return -1;
    return take_pem(answer, id, pem, err);
}

int magnum_sign(struct openstack *os, const char *id, const char *request, int64_t deadline,
                char **pem, struct err *err)
{
    own_json json_t *body = json_pack("{s:s, s:s}", "cluster_uuid", id, "csr", request);
    own_os_call struct os_call call;

    if (post(os, "/certificates", body, deadline, &call, err) < 0)
        return -1;
    return take_pem(call.answer, id, pem, err);
}
