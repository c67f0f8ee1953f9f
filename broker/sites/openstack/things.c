/* SPDX-License-Identifier: Apache-2.0 */
/* things.c - what bears our mark and is no server: kept in one list, removed in one way.
 *
 * The mark is where each service has room for it: Neutron's descriptions, Cinder's metadata, the
 * name of a server group. */
#include <string.h>

#include "base/own.h"
#include "sites/openstack/openstack.h"

void things_free(struct things *things)
{
    for (size_t i = 0; i < things->count; i++) {
        free(things->list[i].id);
        free(things->list[i].name);
        free(things->list[i].status);
        free(things->list[i].role);
    }
    free(things->list);
    memset(things, 0, sizeof *things);
}

struct thing *things_add(struct things *things, const char *kind, const char *id, const char *name)
{
    struct thing *thing;

    things->list = xrealloc(things->list, (things->count + 1) * sizeof *things->list);
    thing = &things->list[things->count++];
    *thing = (struct thing){ .kind = kind, .id = xstrdup(id), .name = name ? xstrdup(name) : NULL };
    return thing;
}

size_t things_count(const struct things *things, const char *kind)
{
    size_t count = 0;

    for (size_t i = 0; i < things->count; i++)
        count += strcmp(things->list[i].kind, kind) == 0;
    return count;
}

const char *os_mark(const struct openstack *os, char out[96])
{
    snprintf(out, 96, "spillway %s", os->broker);
    return out;
}

int os_get(struct openstack *os, enum os_service service, const char *path, int64_t deadline,
           json_t **out, struct err *err)
{
    own_os_call struct os_call call = { .service = service, .method = "GET", .path = path };

    if (session_call(os->session, &call, deadline, err) < 0)
        return -1;
    *out = take_ptr(call.answer);
    return 0;
}

int os_delete(struct openstack *os, enum os_service service, const char *path, int64_t deadline,
              struct err *err)
{
    own_os_call struct os_call call = { .service = service, .method = "DELETE", .path = path };
    struct err why = ERR_INIT;

    if (session_call(os->session, &call, deadline, &why) == 0 || why.fault == FAULT_NOT_FOUND)
        return 0;
    if (err)
        *err = why;
    return -1;
}

/* Cinder removes a volume only from certain states; from the others it goes, or it never will. */
static int volume_ready(const struct thing *volume, struct err *err)
{
    static const char *const gone_soon[] = { "deleting", "detaching", "in-use", NULL };
    const char *status = volume->status ? volume->status : "";

    for (const char *const *each = gone_soon; *each; each++)
        if (strcmp(status, *each) == 0)
            return 1;
    if (strcmp(status, "creating") == 0 || strcmp(status, "downloading") == 0 ||
        strcmp(status, "attaching") == 0)
        return err_set(
            err, FAULT_CONFLICT,
            "volume %s is %s and cannot be removed before that ends; where it never does, "
            "the cloud's operator must reset its state",
            volume->id, status);
    if (strcmp(status, "error_deleting") == 0)
        return err_set(err, FAULT_CONFLICT,
                       "volume %s is error_deleting: the cloud's operator must remove it, or reset "
                       "its state",
                       volume->id);
    return 0;
}

int thing_delete(struct openstack *os, const struct thing *thing, int64_t deadline, struct err *err)
{
    static const struct {
        const char *kind, *path;
        enum os_service service;
    } kinds[] = {
        { "port", "/ports/", OS_NETWORK },
        { "floating-ip", "/floatingips/", OS_NETWORK },
        { "security-group", "/security-groups/", OS_NETWORK },
        { "server-group", "/os-server-groups/", OS_COMPUTE },
        { "volume", "/volumes/", OS_VOLUME },
    };

    for (size_t i = 0; i < array_len(kinds); i++) {
        own_str char *path = xasprintf("%s%s", kinds[i].path, thing->id);
        int rc = 0;

        if (strcmp(kinds[i].kind, thing->kind) != 0)
            continue;
        if (kinds[i].service == OS_VOLUME && (rc = volume_ready(thing, err)) != 0)
            return rc < 0 ? -1 : 0;
        return os_delete(os, kinds[i].service, path, deadline, err);
    }
    return err_set(err, FAULT_INTERNAL, "a %s is nothing that is removed", thing->kind);
}
