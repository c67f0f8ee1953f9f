/* SPDX-License-Identifier: Apache-2.0 */
/* clouds.h - where and as whom to log in, read as users of OpenStack keep it.
 *
 * clouds.yaml, secure.yaml, clouds-public.yaml and the OS_* variables are found and merged as
 * openstacksdk does; docs/openstack.md says how.  Reads files, never the network. */
#ifndef SPILLWAY_OPENSTACK_CLOUDS_H
#define SPILLWAY_OPENSTACK_CLOUDS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

/* How the credential is shown to Keystone. */
enum cloud_auth { CLOUD_PASSWORD, CLOUD_APPLICATION, CLOUD_TOKEN };

struct cloud {
    enum cloud_auth auth_type;
    char *auth_url; /* ends in "/v3" */
    json_t *auth;   /* the `auth` mapping: username, password, project_name, ... */
    char *region;   /* NULL: the only one, or any */
    char *interface;
    bool insecure;
    char *cacert, *cert, *key; /* NULL: none */
    json_t *merged;            /* all keys: "compute_endpoint_override", ... */
};

/* `name`: an entry, or NULL: OS_CLOUD, else the OS_* variables, else the only entry there is.
 * `file`, `region`: instead of what would be found; NULL: none. */
int cloud_load(const char *name, const char *file, const char *region, struct cloud *out,
               struct err *err);
void cloud_fini(struct cloud *cloud);

/* The steps of it, pure.  cloud_merge: `over` wins, mappings are merged; a new reference. */
json_t *cloud_merge(const json_t *base, const json_t *over);
/* OS_* variables as an entry; NULL when there is none that says where to log in. */
json_t *cloud_from_environment(char *const *environment);
/* From a merged entry to its meaning. */
int cloud_read(const json_t *merged, const char *region, struct cloud *out, struct err *err);

#endif
