/* SPDX-License-Identifier: Apache-2.0 */
/* simulate_policy.c - a policy by its name, or from a file of parameters. */
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/simulate.h"
#include "conf/yaml.h"

static const char *const names[] = { "default", "home-only", "greedy", "fcfs", "easy", NULL };

static const char *const orders[] = { "fair", "age", NULL };
static const char *const overflows[] = { "gain", "greedy", "never", NULL };

static bool by_name(const char *name, struct sched_params *params)
{
    bool easy = strcmp(name, "easy") == 0, fcfs = strcmp(name, "fcfs") == 0;

    if (strcmp(name, "default") == 0)
        return true;
    if (strcmp(name, "home-only") == 0) {
        params->overflow = SCHED_OVERFLOW_NEVER;
        return true;
    }
    if (strcmp(name, "greedy") == 0) {
        params->overflow = SCHED_OVERFLOW_GREEDY;
        return true;
    }
    if (!easy && !fcfs)
        return false;
    params->order = SCHED_ORDER_AGE;
    params->backfill = easy;
    params->reservations = 1;
    params->reserve_after_ms = 0;
    return true;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int get_word(const json_t *object, const char *key, const char *const *words, int *out,
                    struct err *err)
{
    const char *text = NULL;

    if (json_opt_str(object, key, &text, err) < 0)
        return -1;
    for (int i = 0; text && words[i]; i++)
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return 0;
        }
    if (!text)
        return 0;
    return err_set(err, FAULT_INVALID, "%s: '%s' is none of %s, %s%s%s", key, text, words[0],
                   words[1], words[2] ? ", " : "", words[2] ? words[2] : "");
}

static int get_span(const json_t *object, const char *key, int64_t *out, struct err *err)
{
    const char *text = NULL;

    if (json_opt_str(object, key, &text, err) < 0)
        return err_wrap(err, "a span such as \"5m\"");
    if (text && parse_span(text, out, err) < 0)
        return err_wrap(err, "%s", key);
    return 0;
}

static int get_real(const json_t *object, const char *key, double *out, struct err *err)
{
    const json_t *value = json_object_get(object, key);

    if (!value)
        return 0;
    if (!json_is_number(value) || json_number_value(value) < 0)
        return err_set(err, FAULT_INVALID, "%s: must be a number from 0 on", key);
    *out = json_number_value(value);
    return 0;
}

static int refuse_unknown(json_t *object, struct err *err)
{
    static const char *const known[] = {
        "order",         "overflow",  "backfill",    "reservations",
        "reserve_after", "charge",    "default_run", "default_boot",
        "hour_worth",    "half_life", NULL
    };

    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at), *near = nearest_word(key, known);
        size_t i = 0;

        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return err_set(err, FAULT_INVALID, "unknown key '%s'%s%s%s", key,
                           near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    return 0;
}

static int read_params(json_t *object, struct sched_params *params, int64_t *half_life_ms,
                       struct err *err)
{
    int order = (int)params->order, overflow = (int)params->overflow;
    int64_t reservations = params->reservations;

    if (!json_is_object(object))
        return err_set(err, FAULT_INVALID, "must be a mapping, such as {overflow: greedy}");
    if (refuse_unknown(object, err) < 0 || get_word(object, "order", orders, &order, err) < 0 ||
        get_word(object, "overflow", overflows, &overflow, err) < 0 ||
        json_opt_bool(object, "backfill", &params->backfill, err) < 0 ||
        json_opt_i64(object, "reservations", 0, 64, &reservations, err) < 0 ||
        get_span(object, "reserve_after", &params->reserve_after_ms, err) < 0 ||
        get_span(object, "charge", &params->charge_ms, err) < 0 ||
        get_span(object, "default_run", &params->default_run_ms, err) < 0 ||
        get_span(object, "default_boot", &params->default_boot_ms, err) < 0 ||
        get_real(object, "hour_worth", &params->hour_worth, err) < 0 ||
        get_span(object, "half_life", half_life_ms, err) < 0)
        return -1;
    params->order = (enum sched_order)order;
    params->overflow = (enum sched_overflow)overflow;
    params->reservations = (int)reservations;
    return 0;
}

int sim_policy(const char *name, struct sched_params *params, int64_t *half_life_ms,
               struct err *err)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;

    *params = (struct sched_params)SCHED_PARAMS_DEFAULT;
    *half_life_ms = INT64_C(7) * 86400000;
    if (by_name(name, params))
        return 0;
    if (!strchr(name, '/') && !strchr(name, '.')) {
        const char *near = nearest_word(name, names);

        return err_set(
            err, FAULT_INVALID,
            "policy '%s' is neither a name (default, home-only, greedy, fcfs, easy) nor a "
            "file such as ./policy.yaml%s%s%s",
            name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (yaml_load(name, &docs, err) < 0)
        return -1;
    if (docs.count != 1)
        return err_set(err, FAULT_INVALID, "%s: one document is wanted, it has %zu", name,
                       docs.count);
    if (read_params(docs.list[0].root, params, half_life_ms, err) < 0)
        return err_wrap(err, "%s", name);
    return 0;
}
