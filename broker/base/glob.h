/* SPDX-License-Identifier: Apache-2.0 */
/* glob.h - patterns over relative paths, as in `outputs:`.
 *
 * '*' and '?' stop at '/', '**' as a whole part matches any number of parts, [a-z] and [!a-z] are
 * sets,
 * '\' quotes.  Bounded: the time is at most the product of both lengths. */
#ifndef SPILLWAY_GLOB_H
#define SPILLWAY_GLOB_H

#include <stdbool.h>

bool glob_match(const char *pattern, const char *path);
/* Whether the text has any of *, ?, [. */
bool glob_is_pattern(const char *text);

#endif
