/* SPDX-License-Identifier: Apache-2.0 */
/* things.c - what bears our mark and is no server: kept in one list.  Pure.
 *
 * The mark is where each service has room for it: Neutron's descriptions, Cinder's metadata, the
 * name of a server group. */
#include <string.h>

#include "base/own.h"
#include "base/parse.h"
#include "sites/openstack/openstack.h"

void put_url(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            strchr("-._~", c))
            buf_putc(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

const char *os_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text && *text ? text : NULL;
}

int64_t os_time(const json_t *value)
{
    const char *text = json_string_value(value);
    own_str char *zoned = NULL;
    int64_t ms = 0;

    if (!text || parse_time(text, &ms, NULL) == 0)
        return ms;
    zoned = xasprintf("%sZ", text);
    return parse_time(zoned, &ms, NULL) == 0 ? ms : 0;
}

void things_free(struct things *things)
{
    for (size_t i = 0; i < things->count; i++) {
        free(things->list[i].id);
        free(things->list[i].name);
        free(things->list[i].address);
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

/* ---- volumes --------------------------------------------------------------------------------- */

static void volume_add(const char *mark, const char *name, const json_t *from, struct things *out)
{
    const json_t *metadata = json_object_get(from, "metadata");
    const char *id = os_text(from, "id"), *broker = os_text(metadata, MARK_BROKER);
    const char *worker = os_text(metadata, MARK_WORKER), *status = os_text(from, "status");
    const char *role = os_text(metadata, MARK_ROLE);
    struct thing *volume;

    /* A cloud that ignores the filter shows everybody's. */
    if (!id || !broker || !worker || strcmp(broker, mark) != 0 ||
        (name && strcmp(worker, name) != 0))
        return;
    volume = things_add(out, "volume", id, worker);
    volume->status = status ? xstrdup(status) : NULL;
    volume->role = role ? xstrdup(role) : NULL;
    volume->size = json_integer_value(json_object_get(from, "size"));
    volume->created_ms = os_time(json_object_get(from, "created_at"));
}

const char *volumes_read(const json_t *volumes, const char *mark, const char *name,
                         struct things *out)
{
    const char *last = NULL;
    const json_t *each;
    size_t i;

    json_array_foreach(volumes, i, each)
    {
        volume_add(mark, name, each, out);
        last = os_text(each, "id");
    }
    return last;
}

const json_t *volume_named(const json_t *volumes, const char *wanted, size_t *count)
{
    const json_t *each, *found = NULL;
    size_t i;

    *count = 0;
    json_array_foreach(volumes, i, each)
    {
        const char *id = os_text(each, "id"), *name = os_text(each, "name");

        if (!id || (strcmp(id, wanted) != 0 && (!name || strcmp(name, wanted) != 0)))
            continue;
        found = each;
        ++*count;
    }
    return found;
}

/* Cinder removes a volume only from certain states; from the others it goes, or it never will. */
int volume_may_go(const struct thing *volume, struct err *err)
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
