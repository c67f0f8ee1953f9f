/* SPDX-License-Identifier: Apache-2.0 */
/* clouds.c - clouds.yaml and its kin, merged.
 *
 * Order of rank, the last wins: the profile that an entry names, the entry in clouds.yaml, the
 * entry of the same name in secure.yaml.  The first file found counts, not all of them. */
#include "sites/openstack/clouds.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/own.h"
#include "conf/yaml.h"

/* What users write beside `auth` though it belongs in it. */
static const char *const auth_keys[] = {
    "auth_url",
    "username",
    "user_id",
    "password",
    "user_domain_id",
    "user_domain_name",
    "project_id",
    "project_name",
    "project_domain_id",
    "project_domain_name",
    "domain_id",
    "domain_name",
    "system_scope",
    "token",
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
    NULL,
};

/* Older words for the same. */
static const struct {
    const char *old, *now;
} renamed[] = {
    { "tenant_name", "project_name" },
    { "tenant_id", "project_id" },
    { "user", "username" },
    { "auth_token", "token" },
};

/* Providers that publish where to log in; a clouds-public.yaml says the same of others. */
static const struct {
    const char *name, *auth_url;
} profiles[] = {
    { "ovh", "https://auth.cloud.ovh.net/v3" },
    { "otc", "https://iam.{region_name}.otc.t-systems.com/v3" },
};

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(word, *words) != 0)
        words++;
    return *words != NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text && *text ? text : NULL;
}

json_t *cloud_merge(const json_t *base, const json_t *over)
{
    json_t *merged = base ? json_deep_copy(base) : json_object();
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)over, key, value)
    {
        const json_t *old = json_object_get(merged, key);

        if (json_is_object(old) && json_is_object(value))
            json_object_set_new(merged, key, cloud_merge(old, value));
        else
            json_object_set_new(merged, key, json_deep_copy(value));
    }
    return merged;
}

/* ---- the environment ------------------------------------------------------------------------- */

json_t *cloud_from_environment(char *const *environment)
{
    static const char *const apart[] = {
        "cloud", "client_config_file", "client_secure_file", "client_vendor_file", "cloud_name",
        NULL
    };
    json_t *entry = json_object();

    for (; *environment; environment++) {
        const char *equals = strchr(*environment, '=');
        char key[64];
        size_t length;

        if (strncmp(*environment, "OS_", 3) != 0 || !equals || !equals[1])
            continue;
        length = (size_t)(equals - *environment) - 3;
        if (length == 0 || length >= sizeof key)
            continue;
        for (size_t i = 0; i < length; i++)
            key[i] = (char)tolower((unsigned char)(*environment)[3 + i]);
        key[length] = '\0';
        if (!is_one_of(key, apart))
            json_object_set_new(entry, key, json_string(equals + 1));
    }
    if (text_of(entry, "auth_url"))
        return entry;
    json_decref(entry);
    return NULL;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* The first of these that can be read; NULL: none. */
static char *find_file(const char *name, const char *variable, const char *given)
{
    const char *from_env = getenv(variable), *home = getenv("HOME");
    const char *config = getenv("XDG_CONFIG_HOME");
    char *places[5] = { NULL };
    char *found = NULL;

    if (given) /* named: must be there, so that a slip is told */
        return xstrdup(given);
    places[0] = from_env && *from_env ? xstrdup(from_env) : NULL;
    places[1] = xasprintf("%s", name);
    places[2] = config && *config ? xasprintf("%s/openstack/%s", config, name)
                : home            ? xasprintf("%s/.config/openstack/%s", home, name)
                                  : NULL;
    places[3] = xasprintf("/etc/openstack/%s", name);
    for (size_t i = 0; i < array_len(places); i++) {
        if (places[i] && !found && access(places[i], R_OK) == 0)
            found = take_ptr(places[i]);
        free(places[i]);
    }
    return found;
}

/* A key's place in a file, for words about it. */
static int file_error(const char *path, const struct yaml_doc *doc, const char *pointer,
                      const char *words, struct err *err)
{
    struct yaml_mark mark = yaml_mark(doc, pointer, false);

    return err_set(err, FAULT_INVALID, "%s:%d:%d: %s", path, mark.line, mark.column, words);
}

/* The mapping below `top` of a file; NULL and 0 where there is no file or no such mapping. */
static int load_section(const char *path, const char *top, json_t **out, struct err *err)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;
    json_t *section;

    *out = NULL;
    if (!path)
        return 0;
    if (yaml_load(path, &docs, err) < 0)
        return -1;
    if (docs.count == 0)
        return 0;
    if (!json_is_object(docs.list[0].root))
        return file_error(path, &docs.list[0], "", "must be a mapping with the key 'clouds'", err);
    section = json_object_get(docs.list[0].root, top);
    if (section && !json_is_object(section)) {
        own_str char *pointer = xasprintf("/%s", top);

        return file_error(path, &docs.list[0], pointer, "must be a mapping of names to clouds",
                          err);
    }
    *out = json_incref(section);
    return 0;
}

/* ---- one entry ------------------------------------------------------------------------------- */

static json_t *profile_of(const char *name, const json_t *published)
{
    const json_t *found = json_object_get(published, name);

    if (found)
        return json_deep_copy(found);
    for (size_t i = 0; i < array_len(profiles); i++)
        if (strcmp(profiles[i].name, name) == 0)
            return json_pack("{s:{s:s}}", "auth", "auth_url", profiles[i].auth_url);
    return NULL;
}

static int add_profile(json_t **entry, struct err *err)
{
    const char *name = text_of(*entry, "profile");
    own_str char *path = NULL;
    own_json json_t *published = NULL, *profile = NULL;
    json_t *merged;

    if (!name)
        name = text_of(*entry, "cloud");
    if (!name)
        return 0;
    path = find_file("clouds-public.yaml", "OS_CLIENT_VENDOR_FILE", NULL);
    if (load_section(path, "public-clouds", &published, err) < 0)
        return -1;
    profile = profile_of(name, published);
    if (!profile)
        return err_set(err, FAULT_INVALID,
                       "profile '%s' is not known; put its auth_url into the entry, or the "
                       "profile into clouds-public.yaml",
                       name);
    merged = cloud_merge(profile, *entry);
    json_decref(*entry);
    *entry = merged;
    return 0;
}

static void put_names(struct buf *out, const json_t *clouds)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)clouds, key, value)
    {
        buf_printf(out, "%s%s", out->length ? ", " : "", key);
    }
}

static int no_entry(const char *name, const char *path, const json_t *clouds, struct err *err)
{
    own_buf struct buf names = BUF_INIT(400);

    put_names(&names, clouds);
    if (!path)
        return err_set(err, FAULT_INVALID,
                       "no clouds.yaml was found (OS_CLIENT_CONFIG_FILE, the working directory, "
                       "~/.config/openstack, /etc/openstack)%s",
                       name ? "" : ", and no OS_AUTH_URL is set");
    if (!name)
        return err_set(err, FAULT_INVALID, "%s holds several clouds; say which: cloud: one of %s",
                       path, buf_text(&names));
    return err_set(err, FAULT_INVALID, "%s has no cloud '%s'; there is %s", path, name,
                   names.length ? buf_text(&names) : "none");
}

/* The entry before it is merged with anything. */
static int choose(const char **name, const char *path, const json_t *clouds, json_t **out,
                  struct err *err)
{
    const char *chosen = *name ? *name : getenv("OS_CLOUD");

    if (!chosen || !*chosen || strcmp(chosen, "envvars") == 0) {
        *out = cloud_from_environment(environ);
        if (*out)
            return 0;
    }
    if ((!chosen || !*chosen) && json_object_size(clouds) == 1)
        chosen = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)clouds));
    *out = chosen && *chosen ? json_object_get(clouds, chosen) : NULL;
    if (!*out)
        return no_entry(chosen && *chosen ? chosen : NULL, path, clouds, err);
    *out = json_deep_copy(*out);
    *name = chosen;
    return 0;
}

int cloud_load(const char *name, const char *file, const char *region, struct cloud *out,
               struct err *err)
{
    own_str char *path = find_file("clouds.yaml", "OS_CLIENT_CONFIG_FILE", file);
    own_str char *secure_path = NULL;
    own_json json_t *clouds = NULL, *secure = NULL, *entry = NULL;
    json_t *merged;

    /* A named clouds.yaml has its secure.yaml beside it. */
    if (file && strrchr(file, '/')) {
        secure_path = xasprintf("%.*s/secure.yaml", (int)(strrchr(file, '/') - file), file);
        if (access(secure_path, R_OK) < 0 && errno == ENOENT) {
            free(secure_path);
            secure_path = NULL;
        }
    }
    if (!secure_path)
        secure_path = find_file("secure.yaml", "OS_CLIENT_SECURE_FILE", NULL);
    if (load_section(path, "clouds", &clouds, err) < 0 ||
        load_section(secure_path, "clouds", &secure, err) < 0 ||
        choose(&name, path, clouds, &entry, err) < 0)
        return -1;
    if (name && json_object_get(secure, name)) {
        merged = cloud_merge(entry, json_object_get(secure, name));
        json_decref(entry);
        entry = merged;
    }
    if (add_profile(&entry, err) < 0 || cloud_read(entry, region, out, err) < 0)
        return err_wrap(err, "cloud %s", name ? name : "of the OS_* variables");
    return 0;
}

/* ---- meaning --------------------------------------------------------------------------------- */

/* All that belongs to `auth`, wherever it was written; what stands in `auth` wins. */
static json_t *gather_auth(const json_t *entry)
{
    const json_t *inside = json_object_get(entry, "auth");
    json_t *auth = json_is_object(inside) ? json_deep_copy(inside) : json_object();

    for (size_t i = 0; i < array_len(renamed); i++) {
        json_t *value = json_object_get(auth, renamed[i].old);

        if (!value)
            value = json_object_get(entry, renamed[i].old);
        if (value && !json_object_get(auth, renamed[i].now) &&
            !json_object_get(entry, renamed[i].now))
            json_object_set(auth, renamed[i].now, value);
        json_object_del(auth, renamed[i].old);
    }
    for (const char *const *key = auth_keys; *key; key++)
        if (!json_object_get(auth, *key) && json_object_get(entry, *key))
            json_object_set(auth, *key, json_object_get(entry, *key));
    return auth;
}

/* A number stands for its digits: an unquoted password or project id. */
static void make_text(json_t *auth)
{
    for (const char *const *key = auth_keys; *key; key++) {
        const json_t *value = json_object_get(auth, *key);

        if (json_is_integer(value)) {
            own_str char *text = xasprintf("%lld", (long long)json_integer_value(value));

            json_object_set_new(auth, *key, json_string(text));
        }
    }
}

/* A bare domain beside a project means: of the user and of the project. */
static void spread_domain(json_t *auth)
{
    static const char *const kinds[] = { "id", "name" };

    if (!text_of(auth, "project_name") && !text_of(auth, "project_id"))
        return;
    for (size_t i = 0; i < array_len(kinds); i++) {
        own_str char *bare = xasprintf("domain_%s", kinds[i]);
        own_str char *user = xasprintf("user_domain_%s", kinds[i]);
        own_str char *project = xasprintf("project_domain_%s", kinds[i]);
        json_t *value = json_object_get(auth, bare);

        if (!value)
            continue;
        if (!text_of(auth, "user_domain_id") && !text_of(auth, "user_domain_name"))
            json_object_set(auth, user, value);
        if (!text_of(auth, "project_domain_id") && !text_of(auth, "project_domain_name"))
            json_object_set(auth, project, value);
        json_object_del(auth, bare);
    }
}

static int read_auth_type(const json_t *entry, struct cloud *cloud, struct err *err)
{
    static const struct {
        const char *name;
        enum cloud_auth type;
    } types[] = {
        { "password", CLOUD_PASSWORD },
        { "v3password", CLOUD_PASSWORD },
        { "v3applicationcredential", CLOUD_APPLICATION },
        { "token", CLOUD_TOKEN },
        { "v3token", CLOUD_TOKEN },
        { "token_endpoint", CLOUD_TOKEN },
    };
    const char *type = text_of(entry, "auth_type");

    if (!type)
        type = text_of(entry, "auth_plugin");
    if (!type) {
        cloud->auth_type = text_of(cloud->auth, "application_credential_secret") ? CLOUD_APPLICATION
                           : text_of(cloud->auth, "token") && !text_of(cloud->auth, "password")
                               ? CLOUD_TOKEN
                               : CLOUD_PASSWORD;
        return 0;
    }
    for (size_t i = 0; i < array_len(types); i++)
        if (strcmp(types[i].name, type) == 0) {
            cloud->auth_type = types[i].type;
            return 0;
        }
    return err_set(err, FAULT_INVALID,
                   "auth_type '%s' is not known here; password, v3applicationcredential and token "
                   "are",
                   type);
}

static int check_auth(const struct cloud *cloud, struct err *err)
{
    const json_t *auth = cloud->auth;
    const char *missing = NULL;

    if (cloud->auth_type == CLOUD_TOKEN)
        missing = text_of(auth, "token") ? NULL : "auth.token";
    else if (cloud->auth_type == CLOUD_APPLICATION)
        missing = !text_of(auth, "application_credential_secret")
                      ? "auth.application_credential_secret"
                  : text_of(auth, "application_credential_id")   ? NULL
                  : text_of(auth, "application_credential_name") ? NULL
                                                                 : "auth.application_credential_id";
    else if (!text_of(auth, "password"))
        missing = "auth.password (it may stand in secure.yaml)";
    else if (!text_of(auth, "username") && !text_of(auth, "user_id"))
        missing = "auth.username";
    else if (!text_of(auth, "project_name") && !text_of(auth, "project_id"))
        missing = "auth.project_name";
    return missing ? err_set(err, FAULT_INVALID, "%s is missing", missing) : 0;
}

/* `regions`: the first counts when none is named; its `values` come over the entry's. */
static json_t *with_region(const json_t *entry, const char *region, char **out)
{
    const json_t *regions = json_object_get(entry, "regions"), *each;
    const char *wanted = region ? region : text_of(entry, "region_name");
    size_t i;

    json_array_foreach(regions, i, each)
    {
        const char *name = json_is_string(each) ? json_string_value(each) : text_of(each, "name");

        if (!name || (wanted && strcmp(wanted, name) != 0))
            continue;
        *out = xstrdup(name);
        return cloud_merge(entry, json_object_get(each, "values"));
    }
    *out = wanted ? xstrdup(wanted) : NULL;
    return json_deep_copy(entry);
}

static bool truth_of(const json_t *value, bool otherwise)
{
    const char *text = json_string_value(value);

    if (json_is_boolean(value))
        return json_is_true(value);
    if (!text)
        return otherwise;
    return strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0 || strcmp(text, "1") == 0;
}

static char *path_of(const json_t *entry, const char *key)
{
    const char *text = text_of(entry, key), *home = getenv("HOME");

    if (text && text[0] == '~' && text[1] == '/' && home)
        return xasprintf("%s%s", home, text + 1);
    return text ? xstrdup(text) : NULL;
}

static void read_transport(const json_t *entry, struct cloud *cloud)
{
    const char *interface = text_of(entry, "interface");
    size_t length;

    if (!interface)
        interface = text_of(entry, "endpoint_type");
    if (!interface)
        interface = "public";
    length = strlen(interface);
    if (length > 3 && strcmp(interface + length - 3, "URL") == 0)
        length -= 3;
    cloud->interface = xstrndup(interface, length);
    cloud->insecure = !truth_of(json_object_get(entry, "verify"), true) ||
                      truth_of(json_object_get(entry, "insecure"), false);
    cloud->cacert = path_of(entry, "cacert");
    cloud->cert = path_of(entry, "cert");
    cloud->key = path_of(entry, "key");
}

/* "https://host:5000", ".../v2.0/", ".../v3/" -> ".../v3", and {region_name} filled in. */
static char *auth_url_of(const char *text, const char *region)
{
    static const char mark[] = "{region_name}";
    const char *at = strstr(text, mark), *slash;
    own_str char *url =
        at ? xasprintf("%.*s%s%s", (int)(at - text), text, region ? region : "", at + strlen(mark))
           : xstrdup(text);
    size_t length = strlen(url);

    while (length && url[length - 1] == '/')
        url[--length] = '\0';
    slash = strrchr(url, '/');
    if (slash && strcmp(slash, "/v3") == 0)
        return take_ptr(url);
    if (slash && strcmp(slash, "/v2.0") == 0)
        return xasprintf("%.*s/v3", (int)(slash - url), url);
    return xasprintf("%s/v3", url);
}

int cloud_read(const json_t *merged, const char *region, struct cloud *out, struct err *err)
{
    struct cloud cloud = { .auth_type = CLOUD_PASSWORD };
    const char *url;

    if (!json_is_object(merged))
        return err_set(err, FAULT_INVALID, "must be a mapping of keys to values");
    cloud.merged = with_region(merged, region, &cloud.region);
    cloud.auth = gather_auth(cloud.merged);
    make_text(cloud.auth);
    spread_domain(cloud.auth);
    read_transport(cloud.merged, &cloud);
    url = text_of(cloud.auth, "auth_url");
    if (!url)
        err_set(err, FAULT_INVALID, "auth.auth_url is missing");
    else if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
        err_set(err, FAULT_INVALID, "auth.auth_url must begin with https:// or http://");
    else if (read_auth_type(cloud.merged, &cloud, err) == 0 && check_auth(&cloud, err) == 0) {
        cloud.auth_url = auth_url_of(url, cloud.region);
        *out = cloud;
        return 0;
    }
    cloud_fini(&cloud);
    return -1;
}

void cloud_fini(struct cloud *cloud)
{
    json_decref(cloud->auth);
    json_decref(cloud->merged);
    free(cloud->auth_url);
    free(cloud->region);
    free(cloud->interface);
    free(cloud->cacert);
    free(cloud->cert);
    free(cloud->key);
    memset(cloud, 0, sizeof *cloud);
}
