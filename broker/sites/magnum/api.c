/* SPDX-License-Identifier: Apache-2.0 */
/* api.c - clusters as Magnum's API shows them, and calls about them. */
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "sites/magnum/magnum.h"

#define LIST_PAGE 100

static int find_same(struct openstack *os, const char *name, int64_t deadline,
                     struct magnum_same *out, struct err *err)
{
    own_str char *marker = NULL;

    for (int page = 0; page < PAGES_MOST; page++) {
        own_buf struct buf path = BUF_INIT(4096);
        own_json json_t *answer = NULL;
        const json_t *list, *each;
        const char *last;
        size_t i;

        buf_printf(&path, "/clusters?limit=%d", LIST_PAGE);
        if (marker) {
            buf_puts(&path, "&marker=");
            put_url(&path, marker);
        }
        if (os_get(os, OS_CONTAINER, buf_text(&path), deadline, &answer, err) < 0)
            return -1;
        list = json_object_get(answer, "clusters");
        json_array_foreach(list, i, each)
        {
            magnum_same_add(out, each, name);
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
    own_magnum_same struct magnum_same same = { .count = 0 };
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

int magnum_remove(struct openstack *os, const char *id, int64_t deadline, struct err *err)
{
    own_str char *path = xasprintf("/clusters/%s", id);

    return os_delete(os, OS_CONTAINER, path, deadline, err);
}

int magnum_authority(struct openstack *os, const char *id, int64_t deadline, char **pem,
                     struct err *err)
{
    own_str char *path = xasprintf("/certificates/%s", id);
    own_json json_t *answer = NULL;

    if (os_get(os, OS_CONTAINER, path, deadline, &answer, err) < 0)
        return -1;
    return magnum_pem(answer, id, pem, err);
}

int magnum_sign(struct openstack *os, const char *id, const char *request, int64_t deadline,
                char **pem, struct err *err)
{
    own_json json_t *body = json_pack("{s:s, s:s}", "cluster_uuid", id, "csr", request);
    own_os_call struct os_call call;

    if (post(os, "/certificates", body, deadline, &call, err) < 0)
        return -1;
    return magnum_pem(call.answer, id, pem, err);
}
