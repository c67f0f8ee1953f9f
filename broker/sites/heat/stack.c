/* SPDX-License-Identifier: Apache-2.0 */
/* stack.c - stacks as Heat's API shows them, and calls about them. */
#include <string.h>

#include "base/own.h"
#include "sites/heat/heat.h"

#define TIMEOUT_MINUTES 60 /* Heat gives a stack up by itself after that */
#define LIST_PAGE       200

/* A project has one tag for each broker that uses it, and another for that broker's clusters: who
 * lists workers must not meet those. */
static void put_tag(struct buf *out, const struct openstack *os, enum stack_use use)
{
    buf_printf(out, "%s-%s", use == STACK_CLUSTER ? "spillway-cluster" : "spillway", os->broker);
}

int stacks_list(struct openstack *os, enum stack_use use, const char *name, int64_t deadline,
                struct stacks *out, struct err *err)
{
    own_str char *last = NULL;

    for (int page = 0; page < PAGES_MOST; page++) {
        own_buf struct buf path = BUF_INIT(4096);
        own_os_call struct os_call call = { .service = OS_ORCHESTRATION, .method = "GET" };
        const char *marker;

        buf_printf(&path, "/stacks?limit=%d&tags=", LIST_PAGE);
        put_tag(&path, os, use);
        if (last) {
            buf_puts(&path, "&marker=");
            put_url(&path, last);
        }
        call.path = buf_text(&path);
        if (session_call(os->session, &call, deadline, err) < 0)
            return -1;
        marker = stacks_read(json_object_get(call.answer, "stacks"), name, LIST_PAGE, out);
        if (!marker)
            return 0;
        free(last);
        last = xstrdup(marker);
    }
    return err_set(err, FAULT_INVALID, "the project has more than %d stacks of ours",
                   PAGES_MOST * LIST_PAGE);
}

int stack_create(struct openstack *os, const char *name, const struct hot *hot,
                 const json_t *parameters, int64_t deadline, bool *maybe_done, struct err *err)
{
    own_buf struct buf tag = BUF_INIT(256);
    own_json json_t *body = NULL;
    own_os_call struct os_call call = { .service = OS_ORCHESTRATION,
                                        .method = "POST",
                                        .path = "/stacks" };
    int rc;

    put_tag(&tag, os, hot->use);
    body = json_pack("{s:s, s:s, s:O, s:s, s:b, s:i}", "stack_name", name, "template", hot->text,
                     "parameters", parameters, "tags", buf_text(&tag), "disable_rollback", 1,
                     "timeout_mins", TIMEOUT_MINUTES);
    if (!body)
        return err_set(err, FAULT_INTERNAL, "the request for a stack is no JSON");
    call.body = body;
    rc = session_call(os->session, &call, deadline, err);
    *maybe_done = call.maybe_done || call.status == 409;
    return rc;
}

static char *stack_path(const struct stack *stack, const char *below)
{
    own_buf struct buf path = BUF_INIT(4096);

    buf_puts(&path, "/stacks/");
    put_url(&path, stack->name);
    buf_putc(&path, '/');
    put_url(&path, stack->id);
    buf_puts(&path, below);
    return xstrdup(buf_text(&path));
}

int stack_delete(struct openstack *os, const struct stack *stack, int64_t deadline, struct err *err)
{
    own_str char *path = stack_path(stack, "");
    own_os_call struct os_call call = { .service = OS_ORCHESTRATION,
                                        .method = "DELETE",
                                        .path = path };
    struct err why = ERR_INIT;

    if (session_call(os->session, &call, deadline, &why) == 0 || why.fault == FAULT_NOT_FOUND)
        return 0;
    if (err)
        *err = why;
    return -1;
}

int stack_update(struct openstack *os, const struct stack *stack, const struct hot *hot,
                 const json_t *parameters, int64_t deadline, struct err *err)
{
    own_buf struct buf tag = BUF_INIT(256);
    own_str char *path = stack_path(stack, "");
    own_json json_t *body = NULL;
    own_os_call struct os_call call = { .service = OS_ORCHESTRATION,
                                        .method = "PATCH",
                                        .path = path };

    put_tag(&tag, os, hot->use);
    body = json_pack("{s:O, s:s, s:i}", "parameters", parameters, "tags", buf_text(&tag),
                     "timeout_mins", TIMEOUT_MINUTES);
    call.body = body;
    return session_call(os->session, &call, deadline, err);
}

int stack_parameters(struct openstack *os, const struct stack *stack, int64_t deadline,
                     json_t **out, struct err *err)
{
    own_str char *path = stack_path(stack, "");
    own_os_call struct os_call call = { .service = OS_ORCHESTRATION,
                                        .method = "GET",
                                        .path = path };

    if (session_call(os->session, &call, deadline, err) < 0)
        return -1;
    *out = json_incref(json_object_get(json_object_get(call.answer, "stack"), "parameters"));
    return 0;
}

int stack_output(struct openstack *os, const struct stack *stack, const char *output,
                 int64_t deadline, json_t **out, struct err *err)
{
    own_str char *below = xasprintf("/outputs/%s", output), *path = stack_path(stack, below);
    own_os_call struct os_call call = { .service = OS_ORCHESTRATION,
                                        .method = "GET",
                                        .path = path };
    struct err why = ERR_INIT;
    json_t *value;

    *out = NULL;
    if (session_call(os->session, &call, deadline, &why) < 0) {
        if (why.fault == FAULT_NOT_FOUND)
            return 0;
        *err = why;
        return -1;
    }
    value = json_object_get(json_object_get(call.answer, "output"), "output_value");
    if (value && !json_is_null(value))
        *out = json_incref(value);
    return 0;
}

int stack_members(struct openstack *os, const struct stack *stack, int64_t deadline, json_t **out,
                  struct err *err)
{
    own_str char *path = stack_path(stack, "/resources?nested_depth=2");
    own_os_call struct os_call call = { .service = OS_ORCHESTRATION,
                                        .method = "GET",
                                        .path = path };

    if (session_call(os->session, &call, deadline, err) < 0)
        return -1;
    *out = stack_members_of(json_object_get(call.answer, "resources"));
    return 0;
}

int stack_faults(struct openstack *os, const struct stack *stack, int64_t deadline, struct buf *out,
                 struct err *err)
{
    own_str char *path = stack_path(stack, "/resources?nested_depth=2");
    own_os_call struct os_call call = { .service = OS_ORCHESTRATION,
                                        .method = "GET",
                                        .path = path };
    const json_t *each;
    size_t i;

    if (session_call(os->session, &call, deadline, err) < 0)
        return -1;
    json_array_foreach(json_object_get(call.answer, "resources"), i, each)
    {
        const char *status = os_text(each, "resource_status"), *name;
        const char *words = os_text(each, "resource_status_reason");

        if (!status || !strstr(status, "_FAILED"))
            continue;
        name = os_text(each, "resource_name");
        buf_printf(out, "%s: %s: %.400s\n", name ? name : "", status, words ? words : "");
    }
    return 0;
}
