/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.c - where the broker is. */
#include "cli/endpoint.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/parse.h"
#include "base/utf8.h"

#define SYSTEM_SOCKET "/run/spillway/spillway.sock"
#define DEFAULT_PORT  "7455"

static int parse_unix(const char *path, struct endpoint *out, struct err *err)
{
    struct sockaddr_un address;

    if (path[0] != '/')
        return err_set(err, FAULT_INVALID,
                       "the socket's path must be absolute, as in unix:///run/spillway/"
                       "spillway.sock");
    if (strlen(path) >= sizeof address.sun_path)
        return err_set(err, FAULT_INVALID, "the socket's path is longer than %zu bytes",
                       sizeof address.sun_path - 1);
    *out = (struct endpoint){ .socket = xstrdup(path), .base = xstrdup("http://localhost") };
    return 0;
}

/* "host", "host:port", "[::1]:port": where the port starts, or NULL when this is none of them. */
static const char *split_host(const char *authority, size_t *host_length)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    const char *end;

    if (authority[0] == '[') {
        end = authority + 1 + strspn(authority + 1, "0123456789abcdefABCDEF:.");
        if (*end != ']' || end == authority + 1)
            return NULL;
        end++;
    } else {
        end = authority + strspn(authority, allowed);
    }
    if (end == authority || (*end && *end != ':'))
        return NULL;
    *host_length = (size_t)(end - authority);
    return end;
}

static bool is_loopback(const char *host, size_t length)
{
    own_str char *name = xstrndup(host, length);

    return strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0 ||
           (strncmp(name, "127.", 4) == 0 && strspn(name, "0123456789.") == length);
}

static int parse_tcp(const char *url, const char *rest, bool tls, struct endpoint *out,
                     struct err *err)
{
    own_str char *authority = xstrdup(rest);
    size_t length = strlen(authority), host_length;
    const char *port;
    int64_t number;

    if (length && authority[length - 1] == '/')
        authority[length - 1] = '\0';
    port = split_host(authority, &host_length);
    if (!port)
        return err_set(err, FAULT_INVALID,
                       "'%.200s' is not the address of a broker; write it as https://HOST:PORT",
                       url);
    if (*port && parse_i64(port + 1, 1, 65535, &number, err) < 0)
        return err_wrap(err, "port in '%.200s'", url);
    if (!tls && !is_loopback(authority, host_length))
        return err_set(err, FAULT_INVALID,
                       "'%.200s': plain http is for this machine only; use https://", url);
    *out = (struct endpoint){ .tls = tls };
    out->base =
        xasprintf("%s://%s%s", tls ? "https" : "http", authority, *port ? "" : ":" DEFAULT_PORT);
    return 0;
}

int endpoint_parse(const char *url, struct endpoint *out, struct err *err)
{
    if (!text_is_plain(url, strlen(url)))
        return err_set(err, FAULT_INVALID, "the broker's address has control characters in it");
    if (strncmp(url, "unix://", 7) == 0)
        return parse_unix(url + 7, out, err);
    if (strncmp(url, "https://", 8) == 0)
        return parse_tcp(url, url + 8, true, out, err);
    if (strncmp(url, "http://", 7) == 0)
        return parse_tcp(url, url + 7, false, out, err);
    return err_set(err, FAULT_INVALID,
                   "'%.200s' is not the address of a broker; write unix:///PATH/spillway.sock or "
                   "https://HOST:PORT",
                   url);
}

static bool is_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

int endpoint_default(struct endpoint *out, struct err *err)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    own_str char *path = NULL;

    if (state && state[0] == '/')
        path = xasprintf("%s/spillway/spillway.sock", state);
    else if (home && home[0] == '/')
        path = xasprintf("%s/.local/state/spillway/spillway.sock", home);
    if (!path || (!is_socket(path) && is_socket(SYSTEM_SOCKET))) {
        free(path);
        path = xstrdup(SYSTEM_SOCKET);
    }
    if (parse_unix(path, out, err) < 0)
        return err_wrap(err, "%s; set SPILLWAY_URL", path);
    out->guessed = true;
    return 0;
}

void endpoint_free(struct endpoint *endpoint)
{
    free(endpoint->socket);
    free(endpoint->base);
    *endpoint = (struct endpoint){ .socket = NULL };
}

void endpoint_put(const struct endpoint *endpoint, struct buf *out)
{
    if (endpoint->socket)
        buf_printf(out, "unix://%s", endpoint->socket);
    else
        buf_puts(out, endpoint->base);
}

int pin_parse(const char *text, char out[65], struct err *err)
{
    size_t count = 0;

    if (strncmp(text, "sha256:", 7) == 0 || strncmp(text, "SHA256:", 7) == 0)
        text += 7;
    for (; *text && count < 65; text++) {
        if (*text == ':')
            continue;
        if (!strchr("0123456789abcdefABCDEF", *text))
            break;
        if (count < 64)
            out[count] = (char)(*text >= 'A' && *text <= 'F' ? *text + ('a' - 'A') : *text);
        count++;
    }
    if (*text || count != 64)
        return err_set(err, FAULT_INVALID,
                       "a pin is the SHA-256 of the broker's certificate: 64 hex digits");
    out[64] = '\0';
    return 0;
}

static void escape(struct buf *out, const char *text, const char *kept)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

    for (; *text; text++) {
        if (strchr(plain, *text) || strchr(kept, *text))
            buf_putc(out, *text);
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
    }
}

void query_escape(struct buf *out, const char *text)
{
    escape(out, text, "");
}

void path_escape(struct buf *out, const char *text)
{
    escape(out, text, "/");
}

void query_add(struct buf *path, const char *key, const char *value)
{
    if (!value)
        return;
    buf_printf(path, "%c%s=", strchr(buf_text(path), '?') ? '&' : '?', key);
    query_escape(path, value);
}
