/* SPDX-License-Identifier: Apache-2.0 */
/* cinder.c - volumes: one to boot from, one for scratch, one that is kept.
 *
 * They are made by us, not by Nova, so that they bear our mark from their first moment and are
 * found again whatever becomes of the server. */
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "sites/openstack/openstack.h"

#define WAIT_FIRST_MS 250
#define WAIT_MOST_MS  2000

static void put_filter(struct openstack *os, const char *name, struct buf *query)
{
    own_json json_t *wanted = json_pack("{s:s, s:s*}", MARK_BROKER, os->broker, MARK_WORKER, name);
    own_str char *text = json_dumps(wanted, JSON_COMPACT);

    buf_puts(query, "&metadata=");
    put_url(query, text);
}

int cinder_volumes(struct openstack *os, const char *name, int64_t deadline, struct things *out,
                   struct err *err)
{
    own_buf struct buf query = BUF_INIT(4096);
    own_str char *last = NULL;

    if (session_ready(os->session, deadline, err) < 0)
        return -1;
    for (int page = 0; session_has(os->session, OS_VOLUME) && page < PAGES_MOST; page++) {
        own_json json_t *answer = NULL;
        const json_t *volumes;
        const char *end;

        buf_clear(&query);
        buf_printf(&query, "/volumes/detail?limit=%d", PAGE_MOST);
        put_filter(os, name, &query);
        if (last) {
            buf_puts(&query, "&marker=");
            put_url(&query, last);
        }
        if (os_get(os, OS_VOLUME, buf_text(&query), deadline, &answer, err) < 0)
            return -1;
        volumes = json_object_get(answer, "volumes");
        end = volumes_read(volumes, os->broker, name, out);
        free(last);
        last = end ? xstrdup(end) : NULL;
        if (!last || !json_object_get(answer, "volumes_links"))
            return 0;
    }
    return 0;
}

/* ---- making ---------------------------------------------------------------------------------- */

static json_t *volume_body(const struct openstack *os, const char *name, const char *role,
                           const struct volume_wish *wish, const char *image)
{
    return json_pack("{s:{s:s, s:I, s:s*, s:s*, s:{s:s, s:s, s:s}}}", "volume", "name", name,
                     "size", (json_int_t)wish->size, "volume_type", wish->type, "imageRef", image,
                     "metadata", MARK_BROKER, os->broker, MARK_WORKER, name, MARK_ROLE, role);
}

static int find_role(struct openstack *os, const char *name, const char *role, int64_t deadline,
                     char **id)
{
    own_things struct things things = { .list = NULL };

    if (cinder_volumes(os, name, deadline, &things, NULL) < 0)
        return -1;
    for (size_t i = 0; i < things.count; i++)
        if (things.list[i].role && strcmp(things.list[i].role, role) == 0) {
            *id = take_ptr(things.list[i].id);
            return 0;
        }
    return -1;
}

int cinder_make(struct openstack *os, const char *name, const char *role,
                const struct volume_wish *wish, const char *image, int64_t deadline, char **id,
                struct err *err)
{
    own_json json_t *body = volume_body(os, name, role, wish, image);
    own_os_call struct os_call call = {
        .service = OS_VOLUME, .method = "POST", .path = "/volumes", .body = body
    };
    const char *made;

    if (session_call(os->session, &call, deadline, err) < 0)
        /* The answer was lost, perhaps not the volume. */
        return call.maybe_done && find_role(os, name, role, deadline, id) == 0 ? 0 : -1;
    made = os_text(json_object_get(call.answer, "volume"), "id");
    if (!made)
        return err_set(err, FAULT_UNAVAILABLE, "Cinder: the answer is no volume");
    *id = xstrdup(made);
    return 0;
}

int cinder_wait(struct openstack *os, const char *id, int64_t deadline, struct err *err)
{
    own_str char *path = xasprintf("/volumes/%s", id);
    int64_t pause = WAIT_FIRST_MS;

    for (;;) {
        own_json json_t *answer = NULL;
        const char *status;

        if (os_get(os, OS_VOLUME, path, deadline, &answer, err) < 0)
            return -1;
        status = os_text(json_object_get(answer, "volume"), "status");
        if (status && strcmp(status, "available") == 0)
            return 0;
        if (status && strncmp(status, "error", 5) == 0)
            return err_set(err, FAULT_UNAVAILABLE, "Cinder: volume %s went to %s", id, status);
        if (clock_mono_ms() + pause >= deadline)
            return err_set(err, FAULT_TIMEOUT, "Cinder: volume %s is still %s", id,
                           status ? status : "in no state");
        clock_sleep_ms(pause);
        pause = pause * 2 < WAIT_MOST_MS ? pause * 2 : WAIT_MOST_MS;
    }
}

/* ---- the one that is kept -------------------------------------------------------------------- */

/* By id, or by name where only one has it. */
static int choose_kept(const struct openstack *os, const json_t *volumes, const json_t **found,
                       struct err *err)
{
    size_t count = 0;

    *found = volume_named(volumes, os->volume_name, &count);
    if (count == 1)
        return 0;
    return site_conf_error(os->conf, "/volume/name", err,
                           count ? "several volumes have this name; give the id"
                                 : "no such volume");
}

static int find_kept(struct openstack *os, int64_t deadline, json_t **answer, const json_t **found,
                     struct err *err)
{
    if (session_ready(os->session, deadline, err) < 0)
        return -1;
    if (os_get(os, OS_VOLUME, "/volumes/detail?limit=1000", deadline, answer, err) < 0)
        return -1;
    return choose_kept(os, json_object_get(*answer, "volumes"), found, err);
}

int cinder_kept(struct openstack *os, int64_t deadline, char **id, struct err *err)
{
    own_json json_t *answer = NULL;
    const json_t *found = NULL;

    if (find_kept(os, deadline, &answer, &found, err) < 0)
        return -1;
    *id = xstrdup(os_text(found, "id"));
    return 0;
}

/* It is with one server at a time, unless it was made for several. */
static int kept_quota(struct openstack *os, const struct servers *servers, int64_t deadline,
                      struct probe *out, struct err *err)
{
    own_json json_t *answer = NULL;
    own_str char *name = NULL;
    const json_t *found = NULL, *each;
    int64_t ours = 0, used;
    size_t i;

    if (!os->volume_name)
        return 0;
    if (find_kept(os, deadline, &answer, &found, err) < 0)
        return -1;
    if (json_is_true(json_object_get(found, "multiattach")))
        return 0;
    used = (int64_t)json_array_size(json_object_get(found, "attachments"));
    json_array_foreach(json_object_get(found, "attachments"), i, each)
    {
        const char *server = os_text(each, "server_id");

        for (size_t s = 0; server && s < servers->count; s++)
            ours += servers->list[s].ours && strcmp(servers->list[s].id, server) == 0;
    }
    name = xasprintf("volume:%s", os->volume_name);
    quota_add(out, name, 1, used, ours)->per_worker = 1;
    return 0;
}

/* ---- quota ----------------------------------------------------------------------------------- */

static int64_t figure(const json_t *absolute, const char *key)
{
    const json_t *value = json_object_get(absolute, key);

    return json_is_integer(value) ? json_integer_value(value) : -1;
}

int cinder_quota(struct openstack *os, const struct servers *servers, const struct things *things,
                 int64_t deadline, struct probe *out, struct err *err)
{
    own_json json_t *answer = NULL;
    const json_t *absolute;
    int64_t count = 0, size = 0;
    struct quota *line;

    if (!session_has(os->session, OS_VOLUME))
        return 0;
    if (os_get(os, OS_VOLUME, "/limits", deadline, &answer, err) < 0)
        return -1;
    for (size_t i = 0; i < things->count; i++) {
        if (strcmp(things->list[i].kind, "volume") != 0)
            continue;
        count++;
        size += things->list[i].size;
    }
    absolute = json_object_get(json_object_get(answer, "limits"), "absolute");
    line = quota_add(out, "volumes", figure(absolute, "maxTotalVolumes"),
                     figure(absolute, "totalVolumesUsed"), count);
    line->per_worker = (os->boot_volume.size > 0) + (os->scratch.size > 0);
    line = quota_add(out, "gigabytes", figure(absolute, "maxTotalVolumeGigabytes"),
                     figure(absolute, "totalGigabytesUsed"), size);
    line->per_worker = os->boot_volume.size + os->scratch.size;
    return kept_quota(os, servers, deadline, out, err);
}
