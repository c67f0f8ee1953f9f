/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - what Heat answers, read.  Pure. */
#include <string.h>

#include "base/own.h"
#include "sites/heat/heat.h"

void stacks_free(struct stacks *stacks)
{
    for (size_t i = 0; i < stacks->count; i++) {
        free(stacks->list[i].id);
        free(stacks->list[i].name);
        free(stacks->list[i].status);
        free(stacks->list[i].detail);
    }
    free(stacks->list);
    memset(stacks, 0, sizeof *stacks);
}

enum instance_state stack_state(const char *status)
{
    const char *end = status ? strrchr(status, '_') : NULL;

    if (!end)
        return INSTANCE_ACTIVE;
    /* A removal that failed is begun anew: what is left of it still counts. */
    if (strcmp(end, "_FAILED") == 0)
        return INSTANCE_FAILED;
    if (strncmp(status, "DELETE_", 7) == 0)
        return INSTANCE_GONE;
    if (strncmp(status, "CREATE_", 7) == 0 && strcmp(status, "CREATE_COMPLETE") != 0)
        return INSTANCE_BOOTING;
    return INSTANCE_ACTIVE; /* also while somebody updates or checks it */
}

/* `wanted`: only the one of that name.  Heat takes a tag or a name, and fails when asked for both
 * (Zed: 500), so names are told apart here. */
static void stack_add(struct stacks *out, const json_t *from, const char *wanted)
{
    const char *id = os_text(from, "id"), *name = os_text(from, "stack_name");
    const char *status = os_text(from, "stack_status");
    const char *words = os_text(from, "stack_status_reason");
    struct stack *stack;

    if (!id || !name || !status || (wanted && strcmp(name, wanted) != 0))
        return;
    out->list = xrealloc(out->list, (out->count + 1) * sizeof *out->list);
    stack = &out->list[out->count++];
    *stack = (struct stack){ .id = xstrdup(id),
                             .name = xstrdup(name),
                             .status = xstrdup(status),
                             .state = stack_state(status),
                             .created_ms = os_time(json_object_get(from, "creation_time")) };
    if (stack->state != INSTANCE_FAILED)
        return;
    stack->detail = xasprintf("%s: %.400s", status, words ? words : "no word on why");
    stack->fault = os_server_fault(stack->detail);
}

const char *stacks_read(const json_t *list, const char *name, size_t page, struct stacks *out)
{
    const json_t *each;
    size_t i;

    json_array_foreach(list, i, each)
    {
        stack_add(out, each, name);
    }
    return json_array_size(list) < page
               ? NULL
               : os_text(json_array_get(list, json_array_size(list) - 1), "id");
}

json_t *stack_members_of(const json_t *resources)
{
    json_t *ids = json_object();
    const json_t *each;
    size_t i;

    json_array_foreach(resources, i, each)
    {
        const char *type = os_text(each, "resource_type"), *id;

        id = os_text(each, "physical_resource_id");
        if (type && id && strcmp(type, "OS::Nova::Server") == 0 && os_text(each, "parent_resource"))
            json_object_set_new(ids, id, json_true());
    }
    return ids;
}
