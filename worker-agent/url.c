/* SPDX-License-Identifier: Apache-2.0 */
/* url.c - the three kinds of URL that the agent opens. */
#include "url.h"

#include <ctype.h>
#include <strings.h>

#include "base/parse.h"
#include "base/utf8.h"

#define URL_MOST 4096

void url_free(struct url *url)
{
    free(url->host);
    free(url->target);
    url->host = url->target = NULL;
}

static int split_port(const char *text, size_t length, int *port, struct err *err)
{
    char digits[8];
    int64_t value;

    if (length == 0 || length >= sizeof digits)
        return err_set(err, FAULT_INVALID, "URL: bad port");
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (parse_i64(digits, 1, 65535, &value, err) < 0)
        return err_wrap(err, "URL: port");
    *port = (int)value;
    return 0;
}

/* HOST, HOST:PORT, [V6] or [V6]:PORT in text[0..length). */
static int split_host(const char *text, size_t length, struct url *url, struct err *err)
{
    const char *end = text + length, *host_end, *port = NULL;

    if (memchr(text, '@', length))
        return err_set(err, FAULT_INVALID, "URL: a user name or password is not allowed here");
    if (length && text[0] == '[') {
        host_end = memchr(text, ']', length);
        if (!host_end)
            return err_set(err, FAULT_INVALID, "URL: '[' without ']'");
        if (host_end + 1 < end && host_end[1] == ':')
            port = host_end + 2;
        else if (host_end + 1 < end)
            return err_set(err, FAULT_INVALID, "URL: unexpected text after ']'");
        text++;
    } else {
        const char *colon = memchr(text, ':', length);

        host_end = colon ? colon : end;
        port = colon ? colon + 1 : NULL;
    }
    if (host_end == text || host_end - text > 253)
        return err_set(err, FAULT_INVALID, "URL: no host name");
    if (port && split_port(port, (size_t)(end - port), &url->port, err) < 0)
        return -1;
    url->host = xstrndup(text, (size_t)(host_end - text));
    return 0;
}

int url_parse(const char *text, struct url *out, struct err *err)
{
    own_url struct url url = URL_INIT;
    size_t length = strlen(text), host_length;

    if (length > URL_MOST || !text_is_plain(text, length) || strpbrk(text, " #\"<>\\^`{|}"))
        return err_set(err, FAULT_INVALID, "URL: too long, or a character that may not be in one");
    if (strncmp(text, "unix://", 7) == 0) {
        if (text[7] != '/')
            return err_set(err, FAULT_INVALID, "URL: unix:// needs an absolute path");
        *out = (struct url){ .scheme = URL_UNIX, .host = xstrdup(text + 7), .target = xstrdup("") };
        return 0;
    }
    if (strncasecmp(text, "https://", 8) == 0)
        url.scheme = URL_HTTPS, url.port = 443, text += 8;
    else if (strncasecmp(text, "http://", 7) == 0)
        url.scheme = URL_HTTP, url.port = 80, text += 7;
    else
        return err_set(err, FAULT_INVALID, "URL: must begin with unix://, http:// or https://");
    host_length = strcspn(text, "/?");
    if (split_host(text, host_length, &url, err) < 0)
        return -1;
    url.target = xasprintf("%s%s", text[host_length] == '/' ? "" : "/", text + host_length);
    *out = url;
    url = (struct url)URL_INIT;
    return 0;
}

void url_put_path(struct buf *out, const char *path)
{
    for (; *path; path++) {
        if (isalnum((unsigned char)*path) || strchr("-._~/", *path))
            buf_putc(out, *path);
        else
            buf_printf(out, "%%%02X", (unsigned char)*path);
    }
}
