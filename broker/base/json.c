/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - typed reading of JSON. */
#include "base/json.h"

json_t *json_parse(const char *text, size_t length, struct err *err)
{
    json_error_t error;
    json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);

    if (!value)
        err_set(err, FAULT_INVALID, "line %d, column %d: not JSON: %s", error.line, error.column,
                error.text);
    return value;
}

char *json_canonical(const json_t *value)
{
    return json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}

static const json_t *present(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_null(value) ? NULL : value;
}

static int missing(const char *key, struct err *err)
{
    return err_set(err, FAULT_INVALID, "%s: missing", key);
}

int json_opt_str(const json_t *object, const char *key, const char **out, struct err *err)
{
    const json_t *value = present(object, key);

    if (!value)
        return 0;
    if (!json_is_string(value))
        return err_set(err, FAULT_INVALID, "%s: must be a string", key);
    *out = json_string_value(value);
    return 0;
}

int json_get_str(const json_t *object, const char *key, const char **out, struct err *err)
{
    return present(object, key) ? json_opt_str(object, key, out, err) : missing(key, err);
}

int json_opt_i64(const json_t *object, const char *key, int64_t least, int64_t most, int64_t *out,
                 struct err *err)
{
    const json_t *value = present(object, key);

    if (!value)
        return 0;
    if (!json_is_integer(value))
        return err_set(err, FAULT_INVALID, "%s: must be a whole number", key);
    if (json_integer_value(value) < least || json_integer_value(value) > most)
        return err_set(err, FAULT_INVALID, "%s: must be between %lld and %lld", key,
                       (long long)least, (long long)most);
    *out = json_integer_value(value);
    return 0;
}

int json_get_i64(const json_t *object, const char *key, int64_t least, int64_t most, int64_t *out,
                 struct err *err)
{
    return present(object, key) ? json_opt_i64(object, key, least, most, out, err)
                                : missing(key, err);
}

int json_opt_bool(const json_t *object, const char *key, bool *out, struct err *err)
{
    const json_t *value = present(object, key);

    if (!value)
        return 0;
    if (!json_is_boolean(value))
        return err_set(err, FAULT_INVALID, "%s: must be true or false", key);
    *out = json_is_true(value);
    return 0;
}

int json_opt_array(const json_t *object, const char *key, const json_t **out, struct err *err)
{
    const json_t *value = present(object, key);

    if (value && !json_is_array(value))
        return err_set(err, FAULT_INVALID, "%s: must be a list", key);
    *out = value;
    return 0;
}

int json_opt_object(const json_t *object, const char *key, const json_t **out, struct err *err)
{
    const json_t *value = present(object, key);

    if (value && !json_is_object(value))
        return err_set(err, FAULT_INVALID, "%s: must be a mapping", key);
    *out = value;
    return 0;
}
