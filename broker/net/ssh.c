/* SPDX-License-Identifier: Apache-2.0 */
/* ssh.c - a session and what is done in it; see ssh_internal.h for who may call libssh2 when. */
#include "net/ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <libssh2_sftp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "net/known_hosts.h"
#include "net/ssh_internal.h"

#define CONNECT_MOST_MS 30000
#define CHUNK           32768
#define TURN_MS         20 /* another thread may have read what we wait for */
#define JUMPS_MOST      4
#define GIVE_UP_MS      200 /* how soon one that waits to connect sees that it need not */
#define BEGIN           "=spillway-begin="

static pthread_once_t library = PTHREAD_ONCE_INIT;

static void open_library(void)
{
    libssh2_init(0);
}

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

struct ssh *ssh_new(const struct ssh_target *target)
{
    struct ssh *ssh = xcalloc(1, sizeof *ssh);

    pthread_once(&library, open_library);
    ssh->host = xstrdup(target->host);
    ssh->wanted_user = copy(target->user);
    ssh->wanted_port = target->port;
    ssh->identity = copy(target->identity);
    ssh->config_path = copy(target->config);
    ssh->wanted_jump = copy(target->jump);
    ssh->host_key = copy(target->host_key);
    if (target->key) {
        ssh->key = xmalloc(sizeof *ssh->key);
        *ssh->key = *target->key;
    }
    ssh->name = xstrdup(target->host);
    ssh->socket = -1;
    ssh->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ssh->watch = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    list_init(&ssh->relays);
    pthread_mutex_init(&ssh->lock, NULL);
    return ssh;
}

void ssh_free(struct ssh *ssh)
{
    if (!ssh)
        return;
    ssh_pump_stop(ssh);
    pthread_mutex_lock(&ssh->lock);
    ssh_disconnect(ssh);
    pthread_mutex_unlock(&ssh->lock);
    pthread_mutex_destroy(&ssh->lock);
    if (ssh->wake >= 0)
        close(ssh->wake);
    if (ssh->watch >= 0)
        close(ssh->watch);
    free(ssh->host);
    free(ssh->wanted_user);
    free(ssh->identity);
    free(ssh->config_path);
    free(ssh->wanted_jump);
    free(ssh->host_key);
    if (ssh->key)
        ssh_key_wipe(ssh->key);
    free(ssh->key);
    free(ssh->name);
    free(ssh);
}

void ssh_give_up(struct ssh *ssh)
{
    atomic_store(&ssh->given_up, true);
}

const char *ssh_name(const struct ssh *ssh)
{
    return ssh->name;
}

int ssh_watch_fd(struct ssh *ssh)
{
    return ssh->watch;
}

void ssh_watch_clear(struct ssh *ssh)
{
    uint64_t count;

    (void)!read(ssh->watch, &count, sizeof count);
}

/* ---- the session -----------------------------------------------------------------------------
 */

int ssh_fault(struct ssh *ssh, struct err *err, const char *what)
{
    char *words = NULL;
    int code = ssh->session ? libssh2_session_last_error(ssh->session, &words, NULL, 0) : 0;
    enum fault fault = FAULT_UNAVAILABLE;

    if (code == LIBSSH2_ERROR_TIMEOUT || code == LIBSSH2_ERROR_SOCKET_TIMEOUT)
        fault = FAULT_TIMEOUT;
    if (code == LIBSSH2_ERROR_SOCKET_SEND || code == LIBSSH2_ERROR_SOCKET_RECV ||
        code == LIBSSH2_ERROR_SOCKET_DISCONNECT || code == LIBSSH2_ERROR_BAD_USE ||
        code == LIBSSH2_ERROR_PROTO || code == LIBSSH2_ERROR_DECRYPT || fault == FAULT_TIMEOUT)
        ssh->broken = true;
    return err_set(err, fault, "%s: %s: %s", ssh->name, what,
                   words && *words ? words : "the connection is gone");
}

int ssh_wait(struct ssh *ssh, int64_t deadline_mono_ms, struct err *err)
{
    int directions = libssh2_session_block_directions(ssh->session);
    bool sending = directions & LIBSSH2_SESSION_BLOCK_OUTBOUND;
    struct pollfd fd = { .fd = ssh->socket, .events = sending ? POLLOUT : POLLIN };
    uint64_t one = 1;

    if (ssh->broken)
        return err_set(err, FAULT_UNAVAILABLE, "%s: the connection is gone", ssh->name);
    if (clock_mono_ms() >= deadline_mono_ms) {
        ssh->broken = true;
        return err_set(err, FAULT_TIMEOUT, "%s did not answer in time", ssh->name);
    }
    if (sending) {
        poll(&fd, 1, TURN_MS);
        return 0;
    }
    pthread_mutex_unlock(&ssh->lock);
    if (ssh->pumping)
        (void)!write(ssh->wake, &one, sizeof one);
    poll(&fd, 1, TURN_MS);
    pthread_mutex_lock(&ssh->lock);
    return 0;
}

void ssh_disconnect(struct ssh *ssh)
{
    ssh_relays_drop(ssh);
    ssh->listener = NULL; /* goes with its session */
    if (ssh->session) {
        libssh2_session_set_blocking(ssh->session, 1);
        libssh2_session_set_timeout(ssh->session, 2000);
        if (!ssh->broken)
            libssh2_session_disconnect(ssh->session, "done");
        else
            shutdown(ssh->socket, SHUT_RDWR);
        libssh2_session_free(ssh->session);
        ssh->session = NULL;
    }
    if (ssh->socket >= 0)
        close(ssh->socket);
    ssh->socket = -1;
    ssh_free(ssh->jump);
    ssh->jump = NULL;
    ssh->broken = false;
}

/* A peer that is silently gone must not be waited for by the hour. */
static void keep_alive(int fd)
{
    int on = 1, idle = 30, gap = 10, times = 3;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &gap, sizeof gap);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* True: the socket can be written to, or has failed. */
static bool wait_connected(const struct ssh *ssh, int fd, int64_t deadline_mono_ms)
{
    struct pollfd wait = { .fd = fd, .events = POLLOUT };
    int64_t left;

    while ((left = deadline_mono_ms - clock_mono_ms()) > 0 && !atomic_load(&ssh->given_up))
        if (poll(&wait, 1, left < GIVE_UP_MS ? (int)left : GIVE_UP_MS) == 1)
            return true;
    return false;
}

static int connect_one(const struct ssh *ssh, const struct addrinfo *to, int64_t deadline_mono_ms)
{
    own_fd int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int fault = 0;
    socklen_t length = sizeof fault;

    if (fd < 0)
        return -1;
    if (connect(fd, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS)
        return -1;
    if (!wait_connected(ssh, fd, deadline_mono_ms)) {
        errno = ETIMEDOUT;
        return -1;
    }
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &length);
    errno = fault;
    return fault ? -1 : take_fd(&fd);
}

static int connect_tcp(const struct ssh *ssh, const char *host, int port, int64_t deadline_mono_ms,
                       int *out, struct err *err)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *list = NULL;
    char service[8];
    int rc;

    snprintf(service, sizeof service, "%d", port);
    if ((rc = getaddrinfo(host, service, &hints, &list)) != 0)
        return err_set(err, FAULT_UNAVAILABLE, "%s: %s", host, gai_strerror(rc));
    *out = -1;
    for (struct addrinfo *at = list; at && *out < 0; at = at->ai_next)
        *out = connect_one(ssh, at, deadline_mono_ms);
    rc = errno;
    freeaddrinfo(list);
    if (*out < 0)
        return err_set(err, rc == ETIMEDOUT ? FAULT_TIMEOUT : FAULT_UNAVAILABLE,
                       "connect to %s port %d: %s", host, port, strerror(rc));
    keep_alive(*out);
    return 0;
}

/* "a,user@b:22": the last is the one next to the host, the others lead to it. */
static int jump_open(struct ssh *ssh, const char *chain, struct err *err)
{
    const char *comma = strrchr(chain, ','), *last = comma ? comma + 1 : chain;
    own_str char *before = comma ? xstrndup(chain, (size_t)(comma - chain)) : NULL;
    own_str char *text = xstrdup(last);
    char *at = strrchr(text, '@'), *host = at ? at + 1 : text, *colon = strrchr(host, ':');
    struct ssh_target target = { .config = ssh->config_path, .jump = before };
    int64_t port = 0;

    if (ssh->depth >= JUMPS_MOST)
        return err_set(err, FAULT_INVALID, "%s: ProxyJump leads over more than %d hosts", ssh->host,
                       JUMPS_MOST);
    if (at)
        *at = '\0';
    if (colon) {
        *colon = '\0';
        if (parse_i64(colon + 1, 1, 65535, &port, err) < 0)
            return err_wrap(err, "%s: ProxyJump %s: port", ssh->host, last);
    }
    if (!*host)
        return err_set(err, FAULT_INVALID, "%s: ProxyJump %s: no host", ssh->host, chain);
    target.host = host;
    target.user = at ? text : NULL;
    target.port = (int)port;
    ssh->jump = ssh_new(&target);
    ssh->jump->depth = ssh->depth + 1;
    return 0;
}

static int open_stream(struct ssh *ssh, const struct ssh_config *config, int64_t deadline_mono_ms,
                       struct err *err)
{
    own_buf struct buf host = BUF_INIT(1024);
    int port = config->port ? config->port : 22;

    ssh_config_expand(config, "", ssh_local_user(),
                      config->host_name ? config->host_name : config->host, &host);
    if (config->proxy_jump && strcasecmp(config->proxy_jump, "none") != 0) {
        if (jump_open(ssh, config->proxy_jump, err) < 0)
            return -1;
        return ssh_dial(ssh->jump, buf_text(&host), port, deadline_mono_ms, &ssh->socket, err);
    }
    if (config->proxy_command && strcasecmp(config->proxy_command, "none") != 0 &&
        !config->proxy_jump)
        return err_set(
            err, FAULT_INVALID,
            "%s: ProxyCommand is not used here; name the hosts in between with ProxyJump",
            ssh->host);
    return connect_tcp(ssh, buf_text(&host), port, deadline_mono_ms, &ssh->socket, err);
}

/* Until we are in, libssh2 may block: nobody else uses the session yet. */
static int log_in(struct ssh *ssh, const struct ssh_config *config, int64_t left_ms,
                  struct err *err)
{
    own_buf struct buf known = BUF_INIT(0), name = BUF_INIT(1024);
    const char *user = config->user ? config->user : ssh_local_user();
    int port = config->port ? config->port : 22;
    const char *host = config->host_name ? config->host_name : config->host;

    if (config->host_key_alias && !ssh->host_key)
        known_hosts_name(config->host_key_alias, 22, &name);
    else
        known_hosts_name(host, port, &name);
    free(ssh->name);
    ssh->name = xasprintf("%s@%s:%d", user, host, port);
    if (ssh->host_key)
        buf_printf(&known, "%s %s\n", buf_text(&name), ssh->host_key);
    else if (ssh_known_text(config, &known, err) < 0)
        return -1;
    ssh->session = libssh2_session_init();
    if (!ssh->session)
        return err_set(err, FAULT_INTERNAL, "libssh2 gives no session");
    libssh2_session_set_timeout(ssh->session, left_ms > 0 ? (long)left_ms : 1);
    ssh_prefer_known(ssh->session, buf_text(&known), buf_text(&name));
    if (libssh2_session_handshake(ssh->session, ssh->socket) != 0) {
        if (ssh_handshake_fault(ssh->session, buf_text(&known), buf_text(&name), err) < 0)
            return -1;
        return ssh_fault(ssh, err, "handshake");
    }
    if (ssh_verify_host(ssh->session, buf_text(&known), buf_text(&name), ssh->host_key, err) < 0) {
        if (!ssh->host_key) /* else it is for who gave it to say, once */
            log_error("ssh: %s", err ? err->text : "host key refused");
        return -1;
    }
    if ((ssh->key ? ssh_authenticate_by(ssh->session, user, ssh->key, err)
                  : ssh_authenticate(ssh->session, config, user, ssh->identity, err)) < 0)
        return err_wrap(err, "%s", ssh->name);
    libssh2_session_set_blocking(ssh->session, 0);
    return 0;
}

int ssh_connected(struct ssh *ssh, int64_t deadline_mono_ms, struct err *err)
{
    int64_t until = clock_mono_ms() + CONNECT_MOST_MS;
    struct ssh_config *config;
    int rc;

    if (ssh->session && !ssh->broken && !(ssh->jump && ssh->jump->broken))
        return 0;
    ssh_disconnect(ssh);
    until = until < deadline_mono_ms ? until : deadline_mono_ms;
    config = ssh_resolve(ssh, err);
    if (!config)
        return -1;
    rc = open_stream(ssh, config, until, err) < 0                ? -1
         : log_in(ssh, config, until - clock_mono_ms(), err) < 0 ? -1
                                                                 : 0;
    ssh_resolve_free(config);
    if (rc < 0) {
        ssh->broken = true;
        ssh_disconnect(ssh);
        return -1;
    }
    return 0;
}

/* ---- commands ---------------------------------------------------------------------------------
 */

static LIBSSH2_CHANNEL *open_channel(struct ssh *ssh, int64_t deadline_mono_ms, struct err *err)
{
    LIBSSH2_CHANNEL *channel;

    while (!(channel = libssh2_channel_open_session(ssh->session))) {
        if (libssh2_session_last_errno(ssh->session) != LIBSSH2_ERROR_EAGAIN) {
            ssh_fault(ssh, err, "open a channel");
            return NULL;
        }
        if (ssh_wait(ssh, deadline_mono_ms, err) < 0)
            return NULL;
    }
    return channel;
}

static void close_channel(struct ssh *ssh, LIBSSH2_CHANNEL *channel)
{
    int64_t until = clock_mono_ms() + 2000;

    while (!ssh->broken && libssh2_channel_free(channel) == LIBSSH2_ERROR_EAGAIN)
        if (ssh_wait(ssh, until, NULL) < 0)
            return; /* freed with its session */
}

static int send_all(struct ssh *ssh, LIBSSH2_CHANNEL *channel, const char *data, size_t length,
                    int64_t deadline_mono_ms, struct err *err)
{
    while (length > 0) {
        ssize_t sent = libssh2_channel_write(channel, data, length);

        if (sent == LIBSSH2_ERROR_EAGAIN || sent == 0) {
            if (ssh_wait(ssh, deadline_mono_ms, err) < 0)
                return -1;
        } else if (sent < 0) {
            return ssh_fault(ssh, err, "send");
        } else {
            data += sent;
            length -= (size_t)sent;
        }
    }
    return 0;
}

/* 1: something came; 0: nothing now. */
static int read_stream(struct ssh *ssh, LIBSSH2_CHANNEL *channel, int stream, struct buf *out,
                       struct err *err)
{
    char data[CHUNK];
    ssize_t got = libssh2_channel_read_ex(channel, stream, data, sizeof data);

    if (got == LIBSSH2_ERROR_EAGAIN || got == 0)
        return 0;
    if (got < 0)
        return ssh_fault(ssh, err, "read");
    if (buf_put(out, data, (size_t)got) < 0)
        return err_set(err, FAULT_INVALID, "%s: a command printed more than %zu bytes", ssh->name,
                       out->cap);
    return 1;
}

static int read_all(struct ssh *ssh, LIBSSH2_CHANNEL *channel, struct buf *out, struct buf *errors,
                    int64_t deadline_mono_ms, struct err *err)
{
    for (;;) {
        int a = read_stream(ssh, channel, 0, out, err);
        int b = a < 0 ? -1 : read_stream(ssh, channel, SSH_EXTENDED_DATA_STDERR, errors, err);

        if (a < 0 || b < 0)
            return -1;
        if (a || b)
            continue;
        if (libssh2_channel_eof(channel))
            return 0;
        if (ssh_wait(ssh, deadline_mono_ms, err) < 0)
            return -1;
    }
}

/* Repeat a call of libssh2 until it is done. */
#define UNTIL_DONE(ssh, deadline, err, call)            \
    __extension__({                                     \
        int rc_;                                        \
        while ((rc_ = (call)) == LIBSSH2_ERROR_EAGAIN)  \
            if (ssh_wait((ssh), (deadline), (err)) < 0) \
                break;                                  \
        rc_;                                            \
    })

static int converse(struct ssh *ssh, LIBSSH2_CHANNEL *channel, const char *script, struct buf *out,
                    struct buf *errors, int64_t until, int *status, struct err *err)
{
    static const char head[] = "echo " BEGIN "\n";
    int rc = UNTIL_DONE(ssh, until, err, libssh2_channel_exec(channel, "exec /bin/sh -s"));
    char *signal = NULL;

    if (rc < 0)
        return rc == LIBSSH2_ERROR_EAGAIN ? -1 : ssh_fault(ssh, err, "start a shell");
    if (send_all(ssh, channel, head, strlen(head), until, err) < 0 ||
        send_all(ssh, channel, script, strlen(script), until, err) < 0)
        return -1;
    rc = UNTIL_DONE(ssh, until, err, libssh2_channel_send_eof(channel));
    if (rc < 0)
        return rc == LIBSSH2_ERROR_EAGAIN ? -1 : ssh_fault(ssh, err, "send");
    if (read_all(ssh, channel, out, errors, until, err) < 0)
        return -1;
    rc = UNTIL_DONE(ssh, until, err, libssh2_channel_wait_closed(channel));
    if (rc < 0)
        return rc == LIBSSH2_ERROR_EAGAIN ? -1 : ssh_fault(ssh, err, "end of a command");
    libssh2_channel_get_exit_signal(channel, &signal, NULL, NULL, NULL, NULL, NULL);
    *status = signal ? 128 : libssh2_channel_get_exit_status(channel);
    libssh2_free(ssh->session, signal);
    return 0;
}

/* Leaves what follows the mark. */
static int drop_greeting(const struct ssh *ssh, struct buf *out, const struct buf *errors,
                         struct err *err)
{
    const char *mark = strstr(buf_text(out), BEGIN "\n");

    if (!mark)
        return err_set(err, FAULT_UNAVAILABLE, "%s: no shell answered: %.200s", ssh->name,
                       errors->length ? buf_text(errors) : buf_text(out));
    buf_drop_front(out, (size_t)(mark - out->data) + strlen(BEGIN "\n"));
    return 0;
}

int ssh_run(struct ssh *ssh, const char *script, struct buf *out, struct buf *errors,
            int64_t deadline_mono_ms, int *status, struct err *err)
{
    LIBSSH2_CHANNEL *channel = NULL;
    int rc = -1;

    pthread_mutex_lock(&ssh->lock);
    if (ssh_connected(ssh, deadline_mono_ms, err) == 0)
        channel = open_channel(ssh, deadline_mono_ms, err);
    if (!channel && ssh->broken && clock_mono_ms() < deadline_mono_ms &&
        ssh_connected(ssh, deadline_mono_ms, err) == 0)
        channel = open_channel(ssh, deadline_mono_ms, err); /* it had died unseen */
    if (channel) {
        rc = converse(ssh, channel, script, out, errors, deadline_mono_ms, status, err);
        close_channel(ssh, channel);
    }
    pthread_mutex_unlock(&ssh->lock);
    return rc < 0 ? -1 : drop_greeting(ssh, out, errors, err);
}

/* ---- files ------------------------------------------------------------------------------------
 */

static int sftp_fault(struct ssh *ssh, LIBSSH2_SFTP *sftp, const char *what, const char *remote,
                      struct err *err)
{
    unsigned long code = sftp ? libssh2_sftp_last_error(sftp) : 0;

    if (code == LIBSSH2_FX_PERMISSION_DENIED)
        return err_set(err, FAULT_AUTH, "%s: %s %s: permission denied", ssh->name, what, remote);
    if (code == LIBSSH2_FX_NO_SUCH_FILE)
        return err_set(err, FAULT_NOT_FOUND, "%s: %s %s: no such file or folder", ssh->name, what,
                       remote);
    if (code)
        return err_set(err, FAULT_UNAVAILABLE, "%s: %s %s: the server says %lu (disk full?)",
                       ssh->name, what, remote, code);
    return ssh_fault(ssh, err, remote);
}

/* One file on the other side, while it is open. */
struct transfer {
    struct ssh *ssh;
    LIBSSH2_SFTP *sftp;
    LIBSSH2_SFTP_HANDLE *handle;
    const char *remote;
    int local;
    int64_t most; /* bytes to take */
    int64_t until;
};

static int send_file(struct transfer *t, struct err *err)
{
    char data[CHUNK];
    ssize_t got;

    while ((got = read(t->local, data, sizeof data)) > 0) {
        for (size_t at = 0; at < (size_t)got;) {
            ssize_t sent = libssh2_sftp_write(t->handle, data + at, (size_t)got - at);

            if (sent == LIBSSH2_ERROR_EAGAIN) {
                if (ssh_wait(t->ssh, t->until, err) < 0)
                    return -1;
            } else if (sent < 0) {
                return sftp_fault(t->ssh, t->sftp, "write", t->remote, err);
            } else {
                at += (size_t)sent;
            }
        }
    }
    return got < 0 ? err_sys(err, "read the file for %s", t->remote) : 0;
}

static int take_file(struct transfer *t, struct err *err)
{
    char data[CHUNK];
    int64_t taken = 0;

    for (;;) {
        ssize_t got = libssh2_sftp_read(t->handle, data, sizeof data);

        if (got == 0)
            return 0;
        if (got == LIBSSH2_ERROR_EAGAIN) {
            if (ssh_wait(t->ssh, t->until, err) < 0)
                return -1;
            continue;
        }
        if (got < 0)
            return sftp_fault(t->ssh, t->sftp, "read", t->remote, err);
        taken += got;
        if (taken > t->most)
            return err_set(err, FAULT_INVALID, "%s: %s is larger than %lld bytes", t->ssh->name,
                           t->remote, (long long)t->most);
        if (io_write_all(t->local, data, (size_t)got) < 0)
            return err_sys(err, "write what %s holds", t->remote);
    }
}

typedef int transfer_move(struct transfer *t, struct err *err);

/* The folders above it; the one that cannot be made is told of when the file is opened. */
static void make_parents(struct transfer *t)
{
    own_str char *path = xstrdup(t->remote);

    for (char *slash = path; (slash = strchr(slash + 1, '/')); *slash = '/') {
        *slash = '\0';
        (void)UNTIL_DONE(t->ssh, t->until, NULL, libssh2_sftp_mkdir(t->sftp, path, 0700));
    }
}

static int transfer_open(struct transfer *t, unsigned long flags, int mode, transfer_move *move,
                         struct err *err)
{
    struct ssh *ssh = t->ssh;
    const char *what = flags & LIBSSH2_FXF_WRITE ? "write" : "read";
    bool made = false;
    int rc, closed;

    while (!(t->handle = libssh2_sftp_open(t->sftp, t->remote, flags, mode))) {
        if (libssh2_session_last_errno(ssh->session) == LIBSSH2_ERROR_EAGAIN) {
            if (ssh_wait(ssh, t->until, err) < 0)
                return -1;
        } else if (!made && (flags & LIBSSH2_FXF_CREAT) &&
                   libssh2_sftp_last_error(t->sftp) == LIBSSH2_FX_NO_SUCH_FILE) {
            make_parents(t);
            made = true;
        } else {
            return sftp_fault(ssh, t->sftp, what, t->remote, err);
        }
    }
    rc = move(t, err);
    if (ssh->broken)
        return rc < 0 ? -1
                      : err_set(err, FAULT_UNAVAILABLE, "%s: the connection is gone", ssh->name);
    closed = UNTIL_DONE(ssh, t->until, rc < 0 ? NULL : err, libssh2_sftp_close(t->handle));
    if (closed < 0 && rc == 0)
        return closed == LIBSSH2_ERROR_EAGAIN ? -1 : sftp_fault(ssh, t->sftp, what, t->remote, err);
    return rc;
}

/* With the lock held. */
static int transfer_run(struct transfer *t, unsigned long flags, int mode, transfer_move *move,
                        struct err *err)
{
    struct ssh *ssh = t->ssh;
    int rc;

    while (!(t->sftp = libssh2_sftp_init(ssh->session))) {
        if (libssh2_session_last_errno(ssh->session) != LIBSSH2_ERROR_EAGAIN)
            return ssh_fault(ssh, err, "start SFTP");
        if (ssh_wait(ssh, t->until, err) < 0)
            return -1;
    }
    rc = transfer_open(t, flags, mode, move, err);
    if (!ssh->broken)
        (void)UNTIL_DONE(ssh, t->until, NULL, libssh2_sftp_shutdown(t->sftp));
    return rc;
}

static int transfer(struct transfer *t, unsigned long flags, int mode, transfer_move *move,
                    struct err *err)
{
    int rc;

    pthread_mutex_lock(&t->ssh->lock);
    rc = ssh_connected(t->ssh, t->until, err);
    if (rc == 0)
        rc = transfer_run(t, flags, mode, move, err);
    pthread_mutex_unlock(&t->ssh->lock);
    return rc;
}

int ssh_put(struct ssh *ssh, const char *local, const char *remote, int mode,
            int64_t deadline_mono_ms, struct err *err)
{
    own_fd int from = open(local, O_RDONLY | O_CLOEXEC);
    struct transfer t = { .ssh = ssh, .remote = remote, .local = from, .until = deadline_mono_ms };

    if (from < 0)
        return err_sys(err, "open %s", local);
    return transfer(&t, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC, mode, send_file,
                    err);
}

int ssh_get(struct ssh *ssh, const char *remote, int to, int64_t most, int64_t deadline_mono_ms,
            struct err *err)
{
    struct transfer t = {
        .ssh = ssh, .remote = remote, .local = to, .most = most, .until = deadline_mono_ms
    };

    return transfer(&t, LIBSSH2_FXF_READ, 0, take_file, err);
}
