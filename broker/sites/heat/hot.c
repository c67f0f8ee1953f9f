/* SPDX-License-Identifier: Apache-2.0 */
/* hot.c - the operator's template: which parameters it takes.
 *
 * All else in it is between the operator and Heat. */
#include <string.h>

#include "base/own.h"
#include "conf/yaml.h"
#include "sites/heat/heat.h"

#define TEMPLATE_BYTES_MOST ((size_t)512 * 1024) /* Heat's own limit */

/* What we give by ourselves. */
static const char *const given[][8] = {
    [STACK_WORKER] = { "name", "user_data", "flavor", "image", "network" },
    [STACK_CLUSTER] = { "name", "nodes", "nodes_to_remove", "network" },
};

void hot_fini(struct hot *hot)
{
    free(hot->text);
    json_decref(hot->declared);
    json_decref(hot->outputs);
    memset(hot, 0, sizeof *hot);
}

bool hot_takes(const struct hot *hot, const char *parameter)
{
    return json_object_get(hot->declared, parameter) != NULL;
}

static bool is_ours(const struct hot *hot, const char *parameter)
{
    for (const char *const *each = given[hot->use]; *each; each++)
        if (strcmp(*each, parameter) == 0)
            return true;
    return false;
}

static int check_constants(const struct site_conf *conf, const struct hot *hot, struct err *err)
{
    const json_t *constants = site_conf_get(conf, "/parameters"), *value;
    const char *key;

    if (constants && !json_is_object(constants))
        return site_conf_error(conf, "/parameters", err, "must be names and values");
    json_object_foreach((json_t *)(uintptr_t)constants, key, value)
    {
        own_str char *pointer = xasprintf("/parameters/%s", key);

        if (!hot_takes(hot, key))
            return site_conf_error(conf, pointer, err, "the template has no such parameter");
        if (is_ours(hot, key) && strcmp(key, "image") != 0)
            return site_conf_error(conf, pointer, err, "is given by the broker");
    }
    return 0;
}

static bool is_given(const struct site_conf *conf, const struct hot *hot, const char *parameter)
{
    return (is_ours(hot, parameter) && strcmp(parameter, "nodes_to_remove") != 0) ||
           json_object_get(site_conf_get(conf, "/parameters"), parameter) != NULL;
}

static int check_declared(const struct site_conf *conf, const struct hot *hot, struct err *err)
{
    const json_t *value, *user_data = json_object_get(hot->declared, "user_data");
    const char *key;

    json_object_foreach(hot->declared, key, value)
    {
        if (!is_given(conf, hot, key) && !json_object_get(value, "default"))
            return site_conf_error(conf, "/template", err,
                                   "its parameter '%.60s' has no default; give it below "
                                   "'parameters:'",
                                   key);
    }
    if (!hot_takes(hot, "name"))
        return site_conf_error(conf, "/template", err,
                               "it has no parameter 'name', which its servers are to be called by");
    if (user_data && !json_is_true(json_object_get(user_data, "hidden")))
        return site_conf_error(
            conf, "/template", err,
            "its parameter 'user_data' must be 'hidden: true': it holds a token");
    return 0;
}

static int read_parameters(const struct site_conf *conf, const char *path, struct hot *out,
                           struct err *err)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;
    struct err why = ERR_INIT;
    json_t *root;

    if (yaml_parse(out->text, strlen(out->text), &docs, &why) < 0)
        return site_conf_error(conf, "/template", err, "%s:%.300s", path, why.text);
    root = docs.count ? docs.list[0].root : NULL;
    if (!json_object_get(root, "heat_template_version"))
        return site_conf_error(conf, "/template", err, "%s: no heat_template_version", path);
    out->declared = json_incref(json_object_get(root, "parameters"));
    out->outputs = json_incref(json_object_get(root, "outputs"));
    if (!json_is_object(out->declared))
        return site_conf_error(conf, "/template", err, "%s: no parameters", path);
    return 0;
}

int hot_load(const struct site_conf *conf, struct hot *out, struct err *err)
{
    own_str char *path = NULL;
    own_buf struct buf text = BUF_INIT(TEMPLATE_BYTES_MOST);
    struct err why = ERR_INIT;

    if (site_conf_path(conf, "/template", &path, err) < 0)
        return -1;
    if (!path)
        return site_conf_error(conf, "", err, "needs 'template', the path of a HOT file");
    if (buf_read_file(&text, path, &why) < 0)
        return site_conf_error(conf, "/template", err, "%.300s", why.text);
    out->text = xstrdup(buf_text(&text));
    if (read_parameters(conf, path, out, err) < 0 || check_constants(conf, out, err) < 0)
        return -1;
    return check_declared(conf, out, err);
}
