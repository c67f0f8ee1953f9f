/* SPDX-License-Identifier: Apache-2.0 */
/* below.h - files below a directory, whatever their names: no way leads out.
 *
 * Every folder on the way is opened by itself and through no link, so that neither a name with ".."
 * nor a link that an earlier result or another user put there can make us write elsewhere. */
#ifndef SPILLWAY_CLI_BELOW_H
#define SPILLWAY_CLI_BELOW_H

#include <sys/types.h>

#include "base/err.h"

/* The folder in which `path` ends, made where it is missing; *name is the last part, within `path`.
 * A descriptor, or -1. */
int below_folder(int root, const char *path, const char **name, struct err *err);
/* Open `name` in `folder` for reading; -1 with errno, ELOOP for a link. */
int below_read(int folder, const char *name);

#endif
