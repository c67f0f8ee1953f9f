/* SPDX-License-Identifier: Apache-2.0 */
/* site_sets.c - sets of sites, by name or by what they share. */
#include "site_sets.h"

#include <string.h>

struct site_set sites_named(struct site *const *sites, size_t count, char *const *names)
{
    struct site_set set = { { 0 } };

    for (size_t i = 0; names && names[i]; i++)
        for (size_t s = 0; s < count; s++)
            if (strcmp(site_name(sites[s]), names[i]) == 0)
                site_set_add(&set, s);
    return set;
}

struct site_set sites_sharing(struct site *const *sites, size_t count, const char *directory)
{
    struct site_set set = { { 0 } };

    for (size_t s = 0; directory && s < count; s++)
        if (site_conf_shares(site_conf_of(sites[s]), directory))
            site_set_add(&set, s);
    return set;
}
