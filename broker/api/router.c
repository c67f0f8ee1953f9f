/* SPDX-License-Identifier: Apache-2.0 */
/* router.c - from method and path to a route.
 *
 * Patterns are compared with the path as it came: a "%2F" in a segment is not a separator. */
#include "api/router.h"

#include <stdio.h>
#include <string.h>

#include "base/own.h"

/* Length of the segment at `text`. */
static size_t segment(const char *text)
{
    return strcspn(text, "/");
}

static bool takes_rest(const char *pattern, size_t length)
{
    return length > 2 && pattern[length - 2] == '*' && pattern[length - 1] == '}';
}

static bool match(const char *pattern, const char *path, struct route_params *params)
{
    params->count = 0;
    while (*pattern == '/' && *path == '/') {
        size_t a, b;

        pattern++;
        path++;
        a = segment(pattern);
        b = segment(path);
        if (*pattern == '{') {
            bool rest = takes_rest(pattern, a);

            b = rest ? strlen(path) : b;
            if (b == 0 || params->count == array_len(params->at))
                return false;
            params->at[params->count] = path;
            params->length[params->count++] = b;
        } else if (a != b || memcmp(pattern, path, a) != 0) {
            return false;
        }
        pattern += a;
        path += b;
    }
    return *pattern == '\0' && *path == '\0';
}

static void add_allow(char *allow, size_t size, const char *method)
{
    size_t used = strlen(allow);

    if (!strstr(allow, method))
        snprintf(allow + used, size - used, "%s%s", used ? ", " : "", method);
}

enum route_found route_find(const struct route *routes, const char *method, const char *path,
                            const struct route **out, struct route_params *params, char *allow,
                            size_t allow_size)
{
    const struct route *get = NULL;
    struct route_params tried, get_params = { .count = 0 };
    bool head = strcmp(method, "HEAD") == 0;

    allow[0] = '\0';
    for (const struct route *route = routes; route->method; route++) {
        if (!match(route->pattern, path, &tried))
            continue;
        if (strcmp(route->method, method) == 0) {
            *out = route;
            *params = tried;
            return ROUTE_FOUND;
        }
        if (head && !get && strcmp(route->method, "GET") == 0) {
            get = route;
            get_params = tried;
        }
        add_allow(allow, allow_size, route->method);
        if (strcmp(route->method, "GET") == 0)
            add_allow(allow, allow_size, "HEAD");
    }
    if (!get)
        return allow[0] ? ROUTE_NO_METHOD : ROUTE_NO_PATH;
    *out = get;
    *params = get_params;
    return ROUTE_FOUND;
}
