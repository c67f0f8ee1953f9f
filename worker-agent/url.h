/* SPDX-License-Identifier: Apache-2.0 */
/* url.h - where the broker, or an input, is. */
#ifndef AGENT_URL_H
#define AGENT_URL_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

enum url_scheme { URL_UNIX, URL_HTTP, URL_HTTPS };

struct url {
    enum url_scheme scheme;
    char *host;   /* without the brackets of an IPv6 address; of a socket: its path */
    char *target; /* path and query, "/" at least; "" of a socket */
    int port;
};

#define URL_INIT                     \
    {                                \
        .host = NULL, .target = NULL \
    }

/* unix:///path, http://host[:port][/path], https://...  No user names, no fragments. */
int url_parse(const char *text, struct url *out, struct err *err);
void url_free(struct url *url);
#define own_url own(url_free)
/* `path` as it may stand in a request line: all but the unreserved characters and '/' as %XX. */
void url_put_path(struct buf *out, const char *path);

#endif
