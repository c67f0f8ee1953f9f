/* SPDX-License-Identifier: Apache-2.0 */
/* glob.c - matching by remembering only the last star, so that no pattern is exponential. */
#include "base/glob.h"

#include <stddef.h>
#include <string.h>

bool glob_is_pattern(const char *text)
{
    return strpbrk(text, "*?[") != NULL;
}

/* Match one character against the set that starts behind '['; *end is set behind its ']', or to
 * NULL when the set is not closed (then '[' is an ordinary character). */
static bool in_set(const char *set, char c, const char **end)
{
    bool inverted = *set == '!' || *set == '^', found = false;
    const char *s = set + inverted;

    for (bool first = true; *s && (first || *s != ']'); first = false) {
        char low = *s++;

        if (*s == '-' && s[1] && s[1] != ']') {
            found |=
                (unsigned char)c >= (unsigned char)low && (unsigned char)c <= (unsigned char)s[1];
            s += 2;
        } else {
            found |= c == low;
        }
    }
    *end = *s == ']' ? s + 1 : NULL;
    return found != inverted;
}

/* Consume one pattern element that must match one character; NULL when it does not. */
static const char *match_one(const char *p, char c)
{
    const char *end;
    bool found;

    switch (*p) {
    case '?':
        return c != '/' ? p + 1 : NULL;
    case '[':
        found = in_set(p + 1, c, &end);
        if (end)
            return found && c != '/' ? end : NULL;
        return c == '[' ? p + 1 : NULL;
    case '\\':
        if (p[1])
            return c == p[1] ? p + 2 : NULL;
        return c == '\\' ? p + 1 : NULL;
    default:
        return *p && *p == c ? p + 1 : NULL;
    }
}

/* A double star counts only as a whole part; it swallows the slash behind it. */
static const char *skip_double(const char *start, const char *p)
{
    if (p[0] != '*' || p[1] != '*' || (p != start && p[-1] != '/') || (p[2] && p[2] != '/'))
        return NULL;
    return p[2] ? p + 3 : p + 2;
}

bool glob_match(const char *pattern, const char *path)
{
    const char *p = pattern, *s = path;
    const char *star = NULL, *star_at = NULL;   /* the last '*', and where it has got to */
    const char *parts = NULL, *parts_at = NULL; /* the last '**' part, likewise */

    for (;;) {
        const char *next = skip_double(pattern, p);

        if (next) {
            parts = next;
            parts_at = s;
            star = NULL;
            if (!*next)
                return true;
            p = next;
            continue;
        }
        if (*p == '*') {
            star = ++p;
            star_at = s;
            continue;
        }
        if (!*p && !*s)
            return true;
        if (*s && (next = match_one(p, *s))) {
            p = next;
            s++;
            continue;
        }
        if (star && *star_at && *star_at != '/') {
            p = star;
            s = ++star_at;
            continue;
        }
        if (!parts || !(parts_at = strchr(parts_at, '/')))
            return false;
        s = ++parts_at;
        p = parts;
        star = NULL;
    }
}
