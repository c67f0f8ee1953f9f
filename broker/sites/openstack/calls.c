/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - calls of which the same is wanted everywhere: read, or remove what may be gone already. */
#include <string.h>

#include "base/own.h"
#include "sites/openstack/openstack.h"

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
        if (kinds[i].service == OS_VOLUME && (rc = volume_may_go(thing, err)) != 0)
            return rc < 0 ? -1 : 0;
        return os_delete(os, kinds[i].service, path, deadline, err);
    }
    return err_set(err, FAULT_INTERNAL, "a %s is nothing that is removed", thing->kind);
}
