/* SPDX-License-Identifier: Apache-2.0 */
/* agent.c - the agent's program in ConfigMaps, for clusters where no image brings it.
 *
 * A ConfigMap holds at most a MiB, so the program is cut into parts; the first also holds the loader
 * that joins them (worker-agent/loader.c).  They are named after the program's hash, made with the
 * first worker and removed after the last: what a crash leaves of them, the next look removes. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "sites/kubernetes/kubernetes.h"

#define PART_BYTES ((size_t)900000)
#define PARTS_MOST 8
#define QUIET_MS   10000 /* after the last worker was made, before they are removed */
#define NAMES_MOST 32

__asm__(".section .rodata\n"
        ".global kube_loader\n"
        ".global kube_loader_end\n"
        ".balign 8\n"
        "kube_loader:\n"
        ".incbin \"" SPILLWAY_LOADER "\"\n"
        "kube_loader_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const char kube_loader[], kube_loader_end[];

static int read_program(struct kubernetes *kube, struct buf *out, struct err *err)
{
    int64_t size = 0;

    if (sha256_file(kube->program, kube->sha256, &size, err) < 0 ||
        buf_read_file(out, kube->program, err) < 0)
        return err_wrap(err, "the agent's program");
    kube->parts = (out->length + PART_BYTES - 1) / PART_BYTES;
    return 0;
}

static void put_binary(json_t *data, const char *name, const void *bytes, size_t length)
{
    own_buf struct buf base64 = BUF_INIT((size_t)4 << 20);

    buf_put_base64(&base64, bytes, length);
    json_object_set_new(data, name, json_string(buf_text(&base64)));
}

static int make_part(struct kubernetes *kube, const struct buf *program, size_t part,
                     int64_t deadline_mono_ms, struct err *err)
{
    own_str char *path = xasprintf("/api/v1/namespaces/%s/configmaps", kube->namespace);
    own_str char *key = xasprintf("part.%zu", part);
    size_t from = part * PART_BYTES, left = program->length - from;
    json_t *data = json_object();
    own_json json_t *body = NULL;
    char name[64];

    podspec_part_name(kube, part, name);
    put_binary(data, key, program->data + from, left < PART_BYTES ? left : PART_BYTES);
    if (part == 0)
        /* cppcheck-suppress comparePointers */
        put_binary(data, "start", kube_loader, (size_t)(kube_loader_end - kube_loader));
    body = json_pack("{s:s, s:s, s:b, s:{s:s, s:s, s:o}, s:o}", "apiVersion", "v1", "kind",
                     "ConfigMap", "immutable", 1, "metadata", "name", name, "namespace",
                     kube->namespace, "labels", podspec_labels(kube, NULL), "binaryData", data);
    {
        own_call struct call call = { .method = "POST", .path = path, .body = body };

        if (client_call(kube->client, &call, deadline_mono_ms, err) < 0 && call.status != 409)
            return -1;
    }
    return 0;
}

/* Somebody else removed them. */
static bool are_missing(const struct kubernetes *kube)
{
    char names[NAMES_MOST][64];

    return clock_mono_ms() - kube->made_mono_ms > QUIET_MS &&
           watch_configmaps(kube->watch, names, NAMES_MOST) < kube->parts;
}

int agent_ready(struct kubernetes *kube, int64_t deadline_mono_ms, struct err *err)
{
    own_buf struct buf program = BUF_INIT(PART_BYTES * PARTS_MOST);

    if (kube->agent_image || (kube->agent_made && !are_missing(kube)))
        return 0;
    if (read_program(kube, &program, err) < 0)
        return -1;
    for (size_t i = 0; i < kube->parts; i++)
        if (make_part(kube, &program, i, deadline_mono_ms, err) < 0)
            return -1;
    kube->agent_made = true;
    return 0;
}

int agent_tidy(struct kubernetes *kube, int64_t deadline_mono_ms, struct err *err)
{
    char names[NAMES_MOST][64];
    size_t count;

    if (kube->agent_image || clock_mono_ms() - kube->made_mono_ms < QUIET_MS)
        return 0;
    count = watch_configmaps(kube->watch, names, NAMES_MOST);
    for (size_t i = 0; i < count && i < NAMES_MOST; i++) {
        own_str char *path =
            xasprintf("/api/v1/namespaces/%s/configmaps/%s", kube->namespace, names[i]);
        own_call struct call call = { .method = "DELETE", .path = path };

        kube->agent_made = false;
        if (client_call(kube->client, &call, deadline_mono_ms, err) < 0 && call.status != 404)
            return -1;
    }
    return 0;
}
