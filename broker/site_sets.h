/* SPDX-License-Identifier: Apache-2.0 */
/* site_sets.h - what a description says of sites, as sets of the scheduler's. */
#ifndef SPILLWAY_SITE_SETS_H
#define SPILLWAY_SITE_SETS_H

#include "sched/sched.h"
#include "sites/site.h"

/* Those with one of these names (NULL-terminated, or NULL: none). */
struct site_set sites_named(struct site *const *sites, size_t count, char *const *names);
/* Those that share the directory; none when it is NULL. */
struct site_set sites_sharing(struct site *const *sites, size_t count, const char *directory);

#endif
