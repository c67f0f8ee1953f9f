/* SPDX-License-Identifier: Apache-2.0 */
/* catalogue.c - what is sent to log in, and where the services are that the answer names. */
#include <string.h>

#include "base/buf.h"
#include "sites/openstack/session.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text && *text ? text : NULL;
}

/* {"id": ...} or {"name": ...} of a domain; "default" where none is named, as every cloud has it.
 */
static json_t *domain_of(const json_t *auth, const char *kind)
{
    char id[64], name[64];

    snprintf(id, sizeof id, "%s_domain_id", kind);
    snprintf(name, sizeof name, "%s_domain_name", kind);
    if (text_of(auth, id))
        return json_pack("{s:s}", "id", text_of(auth, id));
    if (text_of(auth, name))
        return json_pack("{s:s}", "name", text_of(auth, name));
    return json_pack("{s:s}", "id", "default");
}

static json_t *user_of(const json_t *auth)
{
    if (text_of(auth, "user_id"))
        return json_pack("{s:s}", "id", text_of(auth, "user_id"));
    return json_pack("{s:s, s:o}", "name", text_of(auth, "username"), "domain",
                     domain_of(auth, "user"));
}

static json_t *scope_of(const json_t *auth)
{
    if (text_of(auth, "project_id"))
        return json_pack("{s:{s:s}}", "project", "id", text_of(auth, "project_id"));
    if (text_of(auth, "project_name"))
        return json_pack("{s:{s:s, s:o}}", "project", "name", text_of(auth, "project_name"),
                         "domain", domain_of(auth, "project"));
    return NULL;
}

static json_t *application_of(const json_t *auth)
{
    json_t *credential =
        json_pack("{s:s}", "secret", text_of(auth, "application_credential_secret"));

    if (text_of(auth, "application_credential_id")) {
        json_object_set_new(credential, "id",
                            json_string(text_of(auth, "application_credential_id")));
        return credential;
    }
    json_object_set_new(credential, "name",
                        json_string(text_of(auth, "application_credential_name")));
    json_object_set_new(credential, "user", user_of(auth));
    return credential;
}

/* An application credential carries its scope; naming one is refused. */
json_t *session_login_body(const struct cloud *cloud)
{
    const json_t *auth = cloud->auth;
    json_t *identity, *body, *scope = NULL;

    if (cloud->auth_type == CLOUD_APPLICATION) {
        identity = json_pack("{s:[s], s:o}", "methods", "application_credential",
                             "application_credential", application_of(auth));
    } else if (cloud->auth_type == CLOUD_TOKEN) {
        identity = json_pack("{s:[s], s:{s:s}}", "methods", "token", "token", "id",
                             text_of(auth, "token"));
        scope = scope_of(auth);
    } else {
        json_t *user = user_of(auth);

        json_object_set_new(user, "password", json_string(text_of(auth, "password")));
        identity = json_pack("{s:[s], s:{s:o}}", "methods", "password", "password", "user", user);
        scope = scope_of(auth);
    }
    body = json_pack("{s:{s:o}}", "auth", "identity", identity);
    if (scope)
        json_object_set_new(json_object_get(body, "auth"), "scope", scope);
    return body;
}

/* ---- the catalogue --------------------------------------------------------------------------- */

static bool endpoint_fits(const json_t *endpoint, const char *interface, const char *region)
{
    const char *has = text_of(endpoint, "interface");
    const char *where = text_of(endpoint, "region_id");

    if (!where)
        where = text_of(endpoint, "region");
    if (!has || strcmp(has, interface) != 0)
        return false;
    return !region || (where && strcmp(where, region) == 0);
}

static void put_endpoint(struct buf *out, const json_t *endpoint)
{
    const char *region = text_of(endpoint, "region_id"), *has = text_of(endpoint, "interface");

    buf_printf(out, "%s%s in region %s", out->length ? ", " : "", has ? has : "?",
               region                        ? region
               : text_of(endpoint, "region") ? text_of(endpoint, "region")
                                             : "?");
}

char *catalogue_find(const json_t *catalogue, const char *type, const char *interface,
                     const char *region, struct err *err)
{
    own_buf struct buf there = BUF_INIT(400);
    const json_t *service, *endpoint;
    size_t i, k;

    json_array_foreach(catalogue, i, service)
    {
        if (!text_of(service, "type") || strcmp(text_of(service, "type"), type) != 0)
            continue;
        json_array_foreach(json_object_get(service, "endpoints"), k, endpoint)
        {
            if (endpoint_fits(endpoint, interface, region) && text_of(endpoint, "url"))
                return xstrdup(text_of(endpoint, "url"));
            put_endpoint(&there, endpoint);
        }
    }
    if (!there.length)
        err_set(err, FAULT_INVALID, "the catalogue has no service '%s'", type);
    else
        err_set(err, FAULT_INVALID,
                "the catalogue has no %s endpoint of '%s' in region %s; there is %s", interface,
                type, region ? region : "(any)", buf_text(&there));
    return NULL;
}
