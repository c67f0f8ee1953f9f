/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel_end.c - the broker's URL, taken apart and kept. */
#include "sites/tunnel_end.h"

#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/own.h"
#include "base/parse.h"

#define URL_MOST 1024

void tunnel_end_fini(struct tunnel_end *end)
{
    free(take_ptr(end->host));
}

int tunnel_end_read(struct tunnel_end *end, const char *url, struct err *err)
{
    const char *host, *stop, *colon;
    int64_t port = 443;

    /* Never to the socket: whoever connects there would be taken for this very user. */
    if (strncmp(url, "https://", 8) != 0 || !url[8] || url[8] == '/')
        return err_set(err, FAULT_INVALID,
                       "agents of this site need https: set broker.listen (127.0.0.1:7455 will do "
                       "with connect: ssh)");
    host = url + strlen("https://");
    stop = host + strcspn(host, "/");
    colon = memrchr(host, ':', (size_t)(stop - host));
    if (*host == '[' && colon && colon[-1] != ']')
        colon = NULL;
    if (colon) {
        own_str char *text = xstrndup(colon + 1, (size_t)(stop - colon - 1));

        if (parse_i64(text, 1, 65535, &port, err) < 0)
            return err_wrap(err, "url %s", url);
        stop = colon;
    }
    tunnel_end_fini(end);
    end->host = *host == '[' ? xstrndup(host + 1, (size_t)(stop - host - 2))
                             : xstrndup(host, (size_t)(stop - host));
    end->port = (int)port;
    return 0;
}

static char *kept_in(const char *dir)
{
    return xasprintf("%s/tunnel.to", dir);
}

int tunnel_end_keep(const char *dir, const char *url, struct err *err)
{
    own_str char *path = kept_in(dir);

    return io_mkdirs(dir, 0700, err) < 0 ? -1 : io_replace_file(path, 0600, url, strlen(url), err);
}

void tunnel_end_recall(struct tunnel_end *end, const char *dir)
{
    own_buf struct buf text = BUF_INIT(URL_MOST);
    own_str char *path = kept_in(dir);

    if (!end->host && buf_read_file(&text, path, NULL) == 0)
        tunnel_end_read(end, buf_text(&text), NULL);
}
