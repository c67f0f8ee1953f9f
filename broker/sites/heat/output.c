/* SPDX-License-Identifier: Apache-2.0 */
/* output.c - a kubeconfig as templates give it.  Pure. */
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "sites/heat/heat.h"

static int not_told(struct err *err)
{
    return err_set(err, FAULT_INVALID,
                   "the output is neither a kubeconfig, nor base64 of one, nor a wait condition's "
                   "data with one of these");
}

static int text_of(const char *text, bool may_be_data, struct buf *out, struct err *err)
{
    own_json json_t *data =
        may_be_data && *text == '{' ? json_parse(text, strlen(text), NULL) : NULL;

    if (data && !json_object_get(data, "apiVersion"))
        return kubeconfig_of_output(data, out, err);
    if (strchr(text, ':'))
        buf_puts(out, text);
    else if (buf_put_unbase64(out, text, strlen(text)) < 0)
        return not_told(err);
    return out->length && !out->failed ? 0 : not_told(err);
}

int kubeconfig_of_output(const json_t *value, struct buf *out, struct err *err)
{
    const json_t *only = json_is_object(value) && json_object_size(value) == 1
                             ? json_object_iter_value(json_object_iter((json_t *)(uintptr_t)value))
                             : value;
    const char *text = json_string_value(only);

    return text && *text ? text_of(text, only == value, out, err) : not_told(err);
}
