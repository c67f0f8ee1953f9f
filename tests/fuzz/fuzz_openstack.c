/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_openstack.c - libFuzzer: what an OpenStack cloud answers, as volumes, a flavor, a catalogue, a fault. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "sites/openstack/openstack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MARK "6f1a2b3c-0000-4000-8000-123456789abc"

static void as_volumes(const json_t *answer)
{
    const json_t *volumes = json_object_get(answer, "volumes");
    own_things struct things things = { .list = NULL };
    size_t count = 0;

    volumes_read(volumes, MARK, NULL, &things);
    if (things.count != things_count(&things, "volume") || things.count > json_array_size(volumes))
        abort();
    for (size_t i = 0; i < things.count; i++) {
        struct err err = ERR_INIT;
        int rc = volume_may_go(&things.list[i], &err);

        if (!things.list[i].id || !things.list[i].name || (rc < 0) != (err.fault != FAULT_NONE))
            abort();
    }
    if (!volume_named(volumes, "kept", &count) != !count)
        abort();
}

static void as_flavor(const json_t *answer)
{
    struct site_conf conf = { .name = NULL };
    struct flavor flavor = { .name = NULL };

    if (flavor_read(answer, &conf, &flavor) == 0 &&
        (!flavor.id || !flavor.name || flavor.cpus < 1 || flavor.memory < 0 || flavor.disk < 0 ||
         flavor.gpus < 0))
        abort();
    flavor_fini(&flavor);
}

static void as_catalogue(const json_t *answer)
{
    struct err err = ERR_INIT;
    own_str char *url = catalogue_find(answer, "compute", "public", "RegionOne", &err);

    if (!url && err.fault == FAULT_NONE)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    own_str char *text = xstrndup((const char *)data, size);
    own_json json_t *answer = json_loadb(text, strlen(text), 0, NULL);
    struct err err = ERR_INIT;

    if (os_fault("GET /x", 403, text, strlen(text), &err) != -1 || err.fault == FAULT_NONE)
        abort();
    os_server_fault(text);
    if (!answer)
        return 0;
    os_time(json_object_get(answer, "created_at"));
    as_volumes(answer);
    as_flavor(answer);
    if (candidates_free(answer, "CUSTOM_GPU_V100", 1) < 0)
        abort();
    as_catalogue(json_is_array(answer) ? answer : json_object_get(answer, "catalog"));
    return 0;
}
