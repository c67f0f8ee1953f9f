/* SPDX-License-Identifier: Apache-2.0 */
/* placement.c - how many GPUs there are to have, where the account may read Placement.
 *
 * No quota of Nova's speaks of GPUs.  Few clouds let an ordinary member ask; where this one does not,
 * what the site file lends and what was refused lately have to do, and nothing is said about it. */
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "sites/openstack/openstack.h"

static bool is_told(const struct probe *out, const char *name)
{
    for (size_t i = 0; i < out->quota_count; i++)
        if (strcmp(out->quotas[i].name, name) == 0)
            return true;
    return false;
}

static int64_t held_by_us(const struct openstack *os, const struct servers *servers,
                          const char *model)
{
    int64_t sum = 0;

    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->list[i];
        const struct flavor *flavor =
            server->ours && server->flavor ? flavor_find(os, server->flavor) : NULL;

        if (flavor && flavor->gpu_model && strcmp(flavor->gpu_model, model) == 0)
            sum += flavor->gpus;
    }
    return sum;
}

/* -1: it was not told. */
static int64_t ask(struct openstack *os, const struct flavor *flavor, int64_t deadline)
{
    own_buf struct buf path = BUF_INIT(512);
    own_json json_t *answer = NULL;
    struct err err = ERR_INIT;

    buf_puts(&path, "/allocation_candidates?resources=");
    put_url(&path, flavor->gpu_class);
    buf_printf(&path, ":%d", flavor->gpus);
    if (os_get(os, OS_PLACEMENT, buf_text(&path), deadline, &answer, &err) == 0)
        return candidates_free(answer, flavor->gpu_class, flavor->gpus);
    os->no_placement = err.fault == FAULT_AUTH || err.fault == FAULT_NOT_FOUND;
    log_debug("site %s: %s", os->conf->name, err.text);
    return -1;
}

void placement_quota(struct openstack *os, const struct servers *servers, int64_t deadline,
                     struct probe *out)
{
    for (size_t i = 0; i < os->flavor_count; i++) {
        const struct flavor *flavor = &os->flavors[i];
        own_str char *name = flavor->gpu_model ? xasprintf("gpus:%s", flavor->gpu_model) : NULL;
        int64_t free, ours;

        if (os->no_placement || !session_has(os->session, OS_PLACEMENT))
            return;
        if (!name || !flavor->gpu_class || flavor->gpus < 1 || is_told(out, name))
            continue;
        free = ask(os, flavor, deadline);
        if (free < 0)
            continue;
        ours = held_by_us(os, servers, flavor->gpu_model);
        quota_add(out, name, free + ours, ours, ours);
    }
}
