/* SPDX-License-Identifier: Apache-2.0 */
/* listen.c - the listening sockets: Unix, TCP, or passed by systemd. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "api/server.h"
#include "base/own.h"
#include "base/parse.h"

#define BACKLOG      512
#define PASSED_FIRST 3 /* SD_LISTEN_FDS_START */
#define PASSED_MOST  8

static char *beside(const char *path)
{
    return xasprintf("%s.new", path);
}

/* A path longer than sun_path holds is reached through a descriptor of its directory. */
static int unix_address(const char *path, struct sockaddr_un *out, int *folder_fd, struct err *err)
{
    own_str char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');

    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) < sizeof out->sun_path) {
        memcpy(out->sun_path, path, strlen(path) + 1);
        return 0;
    }
    if (!slash)
        return err_set(err, FAULT_INVALID, "socket %s: name too long", path);
    *slash = '\0';
    *folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder_fd < 0)
        return err_sys(err, "open %s", folder);
    if ((size_t)snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/%s", *folder_fd,
                         slash + 1) >= sizeof out->sun_path)
        return err_set(err, FAULT_INVALID, "socket %s: name too long", path);
    return 0;
}

int listen_unix(const char *path, mode_t mode, struct err *err)
{
    own_str char *name = beside(path);
    own_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    own_fd int folder = -1;
    struct sockaddr_un address;

    if (fd < 0)
        return err_sys(err, "socket");
    if (unix_address(name, &address, &folder, err) < 0)
        return -1;
    if (unlink(name) < 0 && errno != ENOENT)
        return err_sys(err, "unlink %s", name);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return err_sys(err, "bind %s", name);
    /* Nobody connects before the rename, so the moment between bind and chmod does not matter. */
    if (chmod(name, mode) < 0)
        return err_sys(err, "chmod %s", name);
    if (listen(fd, BACKLOG) < 0)
        return err_sys(err, "listen %s", name);
    return take_fd(&fd);
}

int listen_publish(const char *path, struct err *err)
{
    own_str char *name = beside(path);

    return rename(name, path) < 0 ? err_sys(err, "rename %s to %s", name, path) : 0;
}

/* "HOST:PORT"; the host may be empty or in brackets. */
static int split_address(const char *text, char *host, size_t size, char *port, size_t port_size,
                         struct err *err)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;
    int64_t number;

    if (!colon || parse_i64(colon + 1, 0, 65535, &number, err) < 0)
        return err_set(err, FAULT_INVALID, "listen address '%s': write ADDRESS:PORT", text);
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    if (length >= size)
        return err_set(err, FAULT_INVALID, "listen address '%s': too long", text);
    memcpy(host, text, length);
    host[length] = '\0';
    snprintf(port, port_size, "%d", (int)number);
    return 0;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 ==
               127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

static int bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = { .v6 = { .sin6_port = 0 } };
    socklen_t length = sizeof address;

    if (getsockname(fd, &address.any, &length) < 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static int bind_to(const struct addrinfo *info, const char *text, struct err *err)
{
    own_fd int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;

    if (fd < 0)
        return err_sys(err, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, info->ai_addr, info->ai_addrlen) < 0)
        return err_sys(err, "listen on %s", text);
    if (listen(fd, BACKLOG) < 0)
        return err_sys(err, "listen on %s", text);
    return take_fd(&fd);
}

int listen_tcp(const char *text, bool *loopback, int *port, struct err *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *info = NULL;
    char host[256] = "", service[8] = "";
    int fd, rc;

    if (split_address(text, host, sizeof host, service, sizeof service, err) < 0)
        return -1;
    rc = getaddrinfo(host[0] ? host : NULL, service, &hints, &info);
    if (rc != 0)
        return err_set(err, FAULT_INVALID, "listen address '%s': %s", text, gai_strerror(rc));
    *loopback = is_loopback(info->ai_addr);
    fd = bind_to(info, text, err);
    freeaddrinfo(info);
    if (fd >= 0)
        *port = bound_port(fd);
    return fd;
}

int listen_passed(int family)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int64_t whose, sockets;

    if (!pid || !count || parse_i64(pid, 1, INT32_MAX, &whose, NULL) < 0 || whose != getpid() ||
        parse_i64(count, 1, PASSED_MOST, &sockets, NULL) < 0)
        return -1;
    for (int fd = PASSED_FIRST; fd < PASSED_FIRST + (int)sockets; fd++) {
        int found = 0, listening = 0;
        socklen_t length = sizeof found;

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &found, &length) < 0)
            continue;
        length = sizeof listening;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0 || !listening)
            continue;
        if ((found == AF_UNIX) != (family == AF_UNIX))
            continue;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        return fd;
    }
    return -1;
}
