/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - options to a description.
 *
 * Nothing is judged here but what must be known to write the right kind of value; a wrong value is
 * found by job_spec_parse(), which finds it in a file too. */
#include "conf/options.h"

#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"

#define NAMES_MOST 128

/* ---- places in a description
 * ------------------------------------------------------------------------- */

/* The mapping that holds the last part of `key` ("resources.walltime": resources), made on the way;
 * *last is set to that part.  NULL when something else stands there: the checker will say so. */
static json_t *holder(json_t *description, const char *key, const char **last)
{
    json_t *at = description;
    const char *dot;

    for (; (dot = strchr(key, '.')); key = dot + 1) {
        char part[64];
        json_t *below;

        snprintf(part, sizeof part, "%.*s", (int)(dot - key), key);
        below = json_object_get(at, part);
        if (!below) {
            below = json_object();
            json_object_set_new(at, part, below);
        } else if (strcmp(part, "retries") == 0 && json_is_integer(below)) {
            json_object_set_new(at, part, json_pack("{s:O}", "user", below)); /* the short form */
            below = json_object_get(at, part);
        }
        if (!json_is_object(below))
            return NULL;
        at = below;
    }
    *last = key;
    return at;
}

static int put(json_t *description, const char *key, json_t *value, struct err *err)
{
    const char *last = NULL;
    json_t *object = holder(description, key, &last);

    if (!object || !value) {
        json_decref(value);
        return err_set(err, FAULT_INVALID,
                       value ? "'%s' cannot be set: what holds it is no mapping"
                             : "'%s': not UTF-8 text",
                       key);
    }
    json_object_set_new(object, last, value);
    return 0;
}

/* Add to the list at `key`; a single value that stands there becomes a list first. */
static int add(json_t *description, const char *key, json_t *value, struct err *err)
{
    const char *last = NULL;
    json_t *object = holder(description, key, &last);
    json_t *list = object ? json_object_get(object, last) : NULL;

    if (!object || !value)
        return put(description, key, value, err);
    if (!json_is_array(list)) {
        json_t *made = json_array();

        if (list)
            json_array_append(made, list);
        json_object_set_new(object, last, made);
        list = made;
    }
    json_array_append_new(list, value);
    return 0;
}

/* ---- setters: one for each kind of value
 * ------------------------------------------------------------- */

#define SETTER(name)                                                                    \
    static int name(const struct job_option *option, const char *value, int64_t now_ms, \
                    json_t *description, struct err *err)

SETTER(set_text)
{
    (void)now_ms;
    return put(description, option->key, json_string(value), err);
}

SETTER(set_flag)
{
    (void)now_ms;
    (void)value;
    return put(description, option->key, json_true(), err);
}

SETTER(set_integer)
{
    int64_t number;

    (void)now_ms;
    if (parse_i64(value, INT64_MIN, INT64_MAX, &number, err) < 0)
        return -1;
    return put(description, option->key, json_integer(number), err);
}

/* "4" or "4+" */
SETTER(set_amount)
{
    int64_t number;

    (void)now_ms;
    return put(description, option->key,
               parse_i64(value, INT64_MIN, INT64_MAX, &number, NULL) == 0 ? json_integer(number)
                                                                          : json_string(value),
               err);
}

SETTER(set_decimal)
{
    double number;

    (void)now_ms;
    if (parse_double(value, -1e18, 1e18, &number, err) < 0)
        return -1;
    return put(description, option->key, json_real(number), err);
}

/* "8G" is short for 8GiB here, as it is for other batch systems. */
SETTER(set_size)
{
    size_t length = strlen(value), digits = strspn(value, "0123456789.");
    bool open = length && value[length - 1] == '+';
    char text[64];

    (void)now_ms;
    if (digits && digits < 20 && length == digits + 1 + open && strchr("KMGTkmgt", value[digits]))
        snprintf(text, sizeof text, "%.*s%ciB%s", (int)digits, value, value[digits] & ~0x20,
                 open ? "+" : "");
    else
        snprintf(text, sizeof text, "%s", value);
    return put(description, option->key, json_string(text), err);
}

SETTER(set_time)
{
    char text[FORMAT_BYTES];
    int64_t ms;

    if (job_option_time(value, now_ms, &ms, err) < 0)
        return -1;
    return put(description, option->key, json_string(format_time(ms, text, sizeof text)), err);
}

/* "a,b": each a member of the list. */
SETTER(add_words)
{
    (void)now_ms;
    for (const char *s = value; *s;) {
        size_t length = strcspn(s, ",");

        if (length && add(description, option->key, json_stringn(s, length), err) < 0)
            return -1;
        s += length + (s[length] == ',');
    }
    return 0;
}

SETTER(add_text)
{
    (void)now_ms;
    return add(description, option->key, json_string(value), err);
}

SETTER(add_integers)
{
    (void)now_ms;
    for (const char *s = value; *s;) {
        size_t length = strcspn(s, ",");
        char text[24];
        int64_t number;

        snprintf(text, sizeof text, "%.*s", (int)(length < 23 ? length : 23), s);
        if (parse_i64(text, INT64_MIN, INT64_MAX, &number, err) < 0 ||
            add(description, option->key, json_integer(number), err) < 0)
            return -1;
        s += length + (s[length] == ',');
    }
    return 0;
}

/* "2", "V100" or "V100:2" */
SETTER(set_gpus)
{
    const char *colon = strrchr(value, ':'), *count = colon ? colon + 1 : value;
    int64_t number = 1;

    (void)now_ms;
    if ((colon || strspn(value, "0123456789") == strlen(value)) &&
        parse_i64(count, 0, INT32_MAX, &number, err) < 0)
        return -1;
    if ((colon || count[strspn(count, "0123456789")]) &&
        put(description, "resources.gpu_model",
            colon ? json_stringn(value, (size_t)(colon - value)) : json_string(value), err) < 0)
        return -1;
    return put(description, option->key, json_integer(number), err);
}

/* "TO=FROM", or a path or URL alone.  A '=' in a URL is its own. */
SETTER(add_input)
{
    const char *equals = strchr(value, '='), *scheme = strstr(value, "://");
    json_t *input;

    (void)now_ms;
    if (!equals || equals == value || (scheme && scheme < equals))
        return add(description, option->key, json_string(value), err);
    input = json_object();
    json_object_set_new(input, "from", json_string(equals + 1));
    json_object_set_new(input, "to", json_stringn(value, (size_t)(equals - value)));
    return add(description, option->key, input, err);
}

/* "NAME=VALUE", or NAME alone: with the value it has here. */
SETTER(set_variable)
{
    const char *equals = strchr(value, '=');
    own_str char *name = equals ? xstrndup(value, (size_t)(equals - value)) : xstrdup(value);
    const char *text = equals ? equals + 1 : getenv(name);
    json_t *object = json_object_get(description, option->key);

    (void)now_ms;
    if (!text)
        return err_set(err, FAULT_INVALID, "%.60s is not set here; write %.60s=VALUE", name, name);
    if (!object) {
        object = json_object();
        json_object_set_new(description, option->key, object);
    }
    if (json_object_set_new(object, name, json_string(text)) < 0)
        return err_set(err, FAULT_INVALID, "%.60s cannot be set", name);
    return 0;
}

SETTER(set_no_cloud_act)
{
    (void)now_ms;
    (void)value;
    return put(description, option->key, json_false(), err);
}

SETTER(set_cloud_act)
{
    (void)now_ms;
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return err_set(err, FAULT_INVALID, "'%.60s' is neither true nor false", value);
    return put(description, option->key, json_boolean(value[0] == 't'), err);
}

/* ---- the table
 * --------------------------------------------------------------------------------------- */

const struct job_option job_options[] = {
    { "name", "job-name", "NAME", false, "name", "name of the job; the command's by default", NULL,
      set_text },
    { "project", "account", "PROJECT", false, "project", "project that the job counts for", NULL,
      set_text },
    { "comment", NULL, "TEXT", false, "comment", "a note, shown with the job", NULL, set_text },
    { "cpus", "cpus-per-task", "N[+]", false, "resources.cpus", "cores; 4+ takes more if it helps",
      NULL, set_amount },
    { "memory", "mem", "SIZE[+]", false, "resources.memory", "memory, such as 8GiB", NULL,
      set_size },
    { "disk", "tmp", "SIZE[+]", false, "resources.disk", "room for the job's files", NULL,
      set_size },
    { "gpus", NULL, "[MODEL:]N", false, "resources.gpus", "GPUs, such as 1 or V100:2", NULL,
      set_gpus },
    { "gpu-model", NULL, "MODEL,...", true, "resources.gpu_model", "any of these models", NULL,
      add_words },
    { "gpu-memory", NULL, "SIZE", false, "resources.gpu_memory", "least memory of each GPU", NULL,
      set_size },
    { "nodes", NULL, "N", false, "resources.nodes", "machines that start together", NULL,
      set_integer },
    { "walltime", "time", "SPAN", false, "resources.walltime", "longest run time, such as 2h", NULL,
      set_text },
    { "array", NULL, "SET[%N]", false, "array", "indices such as 0-99, at most N at a time", NULL,
      set_text },
    { "input", "inputs", "[TO=]FROM", true, "inputs", "a file, a folder or a URL to bring", NULL,
      add_input },
    { "output", "outputs", "PATTERN", true, "outputs", "files to keep, such as 'results/*.csv'",
      NULL, add_text },
    { "env", "environment", "NAME[=VALUE]", true, "environment", "an environment variable", NULL,
      set_variable },
    { "image", NULL, "NAME", false, "image", "image of the machine", NULL, set_text },
    { "container", NULL, "IMAGE", false, "container", "container image to run in", NULL, set_text },
    { "workdir", NULL, "DIR", false, "workdir", "run in this directory, where sites share it", NULL,
      set_text },
    { "stdout", NULL, "FILE", false, "stdout", "with --workdir: where standard output goes", NULL,
      set_text },
    { "stderr", NULL, "FILE", false, "stderr", "with --workdir: where standard error goes", NULL,
      set_text },
    { "after", NULL, "ID[:OUTCOME],...", true, "after",
      "start after that job's success, or its failure, or any end", NULL, add_words },
    { "retries", NULL, "N", false, "retries.user", "new attempts after a failure of the command",
      NULL, set_integer },
    { "retry-infra", NULL, "N", false, "retries.infra", "new attempts after a fault of a site",
      NULL, set_integer },
    { "retry-preempt", NULL, "N", false, "retries.preempt",
      "new attempts after a site took its machine back", NULL, set_integer },
    { "retry-on-exit", "on-exit", "N,...", true, "retries.on_exit",
      "retry only on these exit statuses", NULL, add_integers },
    { "backoff", NULL, "SPAN", false, "retries.backoff", "wait between attempts", NULL, set_text },
    { "signal", NULL, "SIG[@SPAN]", false, "signal", "a signal so long before the walltime ends",
      NULL, set_text },
    { "grace", NULL, "SPAN", false, "grace", "from SIGTERM to SIGKILL", NULL, set_text },
    { "limit", "licenses", "NAME[:N],...", true, "limits", "use N of a shared, limited thing", NULL,
      add_words },
    { "limits", NULL, "NAME[:N],...", true, "limits", "the same", NULL, add_words },
    { "deadline", NULL, "TIME", false, "deadline", "cancelled when not done by then", NULL,
      set_time },
    { "begin", NULL, "TIME", false, "begin", "not started before, such as now+2h", NULL, set_time },
    { "priority", NULL, "N", false, "priority", "-1000 to 1000; larger goes first", NULL,
      set_integer },
    { "hold", NULL, NULL, false, "hold", "wait for 'spillway release'", NULL, set_flag },
    { "site", "require", "SITE,...", true, "placement.sites.require", "only these sites", NULL,
      add_words },
    { "prefer-site", "prefer", "SITE,...", true, "placement.sites.prefer",
      "these sites if possible", NULL, add_words },
    { "exclude-site", "exclude", "SITE,...", true, "placement.sites.exclude", "not these sites",
      NULL, add_words },
    { "tier", NULL, "TIER", false, "placement.tier", "the furthest tier it may overflow to",
      "home partner commercial", set_text },
    { "jurisdiction", NULL, "CODE,...", true, "placement.jurisdiction",
      "where data may go, as FR,EU", NULL, add_words },
    { "no-cloud-act", NULL, NULL, false, "placement.cloud_act",
      "only providers out of reach of the CLOUD Act", NULL, set_no_cloud_act },
    { "cloud-act", NULL, "BOOL", false, "placement.cloud_act",
      "false: the same; true: any provider will do", "true false", set_cloud_act },
    { "objective", NULL, "WORD", false, "placement.objective", "what placement aims at",
      "balanced time cost", set_text },
    { "max-cost", NULL, "AMOUNT", false, "placement.max_cost", "ceiling for the whole job", NULL,
      set_decimal },
    { "notify", NULL, "EVENT,...", true, "notify.on", "when to tell",
      "started succeeded failed cancelled recovered late", add_words },
    { "notify-webhook", "webhook", "URL", true, "notify.webhook", "tell this URL", NULL, add_text },
    { "notify-mail", "mail", "ADDRESS", true, "notify.mail", "tell this address", NULL, add_text },
    { "cron", NULL, "LINE", false, "schedule.cron", "run again by this cron line", NULL, set_text },
    { "every", NULL, "SPAN", false, "schedule.every", "run again so often", NULL, set_text },
    { "timezone", NULL, "ZONE", false, "schedule.timezone", "time zone of --cron", NULL, set_text },
    { "overlap", NULL, "WORD", false, "schedule.overlap", "when the previous run has not ended",
      "skip queue replace allow", set_text },
    { "catch-up", NULL, "WORD", false, "schedule.catch_up", "runs missed while the broker was down",
      "none latest all", set_text },
    { NULL, NULL, NULL, false, NULL, NULL, NULL, NULL },
};

const struct job_option *job_option_find(const char *name)
{
    for (const struct job_option *option = job_options; option->name; option++)
        if (strcmp(option->name, name) == 0 || (option->alias && strcmp(option->alias, name) == 0))
            return option;
    return NULL;
}

const char *job_option_nearest(const char *name)
{
    const char *names[NAMES_MOST];
    size_t count = 0;

    for (const struct job_option *option = job_options; option->name; option++) {
        if (count + 3 > NAMES_MOST)
            break;
        names[count++] = option->name;
        if (option->alias)
            names[count++] = option->alias;
    }
    names[count] = NULL;
    return nearest_word(name, names);
}

int job_option_set(const struct job_option *option, const char *value, int64_t now_ms,
                   json_t *description, struct err *err)
{
    if (option->word && !value)
        return err_set(err, FAULT_INVALID, "--%s needs %s", option->name, option->word);
    if (!option->word && value)
        return err_set(err, FAULT_INVALID, "--%s takes no value", option->name);
    if (option->set(option, value, now_ms, description, err) < 0)
        return err_wrap(err, "--%s", option->name);
    return 0;
}
