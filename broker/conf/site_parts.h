/* SPDX-License-Identifier: Apache-2.0 */
/* site_parts.h - what broker.c and site.c share. */
#ifndef SPILLWAY_CONF_SITE_PARTS_H
#define SPILLWAY_CONF_SITE_PARTS_H

#include "conf/reader.h"
#include "conf/site.h"

/* `value` is an entry of `sites:`; the reader stands at its place.  Whatever is wrong with it is
 * among the reader's problems; *out is complete in any case, but for its fault. */
void site_conf_read(struct reader *r, const json_t *value, struct site_conf *out);

/* The keys that every site has, NULL-terminated. */
const char *const *site_conf_keys(void);

/* A file as users write it: "~/x" below $HOME, else relative to the folder of `file`.  Owned. */
char *conf_path(const char *file, const char *text);
bool conf_is_url(const char *text); /* http:// or https://, with a host */

#endif
