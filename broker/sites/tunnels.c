/* SPDX-License-Identifier: Apache-2.0 */
/* tunnels.c - one SSH session and one thread for each worker that is reached by SSH. */
#include "sites/tunnels.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/list.h"
#include "base/log.h"
#include "base/own.h"
#include "net/ssh.h"
#include "sites/tunnel_end.h"

#define SECRET_BYTES  32
#define PORT_THERE    7455
#define SSH_PORT      22
#define ATTEMPT_MS    15000
#define PAUSE_MS      1000 /* after the first failure; longer by half after each, up to the most */
#define PAUSE_MOST_MS 10000
#define LIST_MOST     ((size_t)4 << 20)
#define REFUSED_MS    60000 /* keys that are in place so late were never meant to be ours */

struct tunnel {
    struct list link;
    char *name, *address, *to_host;
    int to_port, port;
    struct ssh *ssh;
    pthread_t thread;
    int wake;
    bool wanted; /* since the last sweep; the site's thread alone */

    pthread_mutex_t lock; /* all below */
    bool stop, done, open;
    int64_t refused_mono_ms; /* since when; 0: it is not */
    char words[512];         /* of the last failure */
};

struct tunnels {
    const struct site_conf *conf;
    char *dir;
    int port;
    struct tunnel_end end;
    bool has_secret, recalled;
    unsigned char secret[SECRET_BYTES];
    struct list live, ending; /* of tunnels */
};

int tunnels_open(const struct site_conf *conf, const char *dir, struct tunnels **out,
                 struct err *err)
{
    static const char *const known[] = { "port", NULL };
    struct tunnels *tunnels;
    int64_t port = PORT_THERE;

    if (site_conf_only(conf, "/tunnel", known, err) < 0 ||
        site_conf_i64(conf, "/tunnel/port", 1024, 65535, &port, err) < 0)
        return -1;
    tunnels = xcalloc(1, sizeof *tunnels);
    tunnels->conf = conf;
    tunnels->dir = xstrdup(dir);
    tunnels->port = (int)port;
    list_init(&tunnels->live);
    list_init(&tunnels->ending);
    *out = tunnels;
    return 0;
}

int tunnels_port(const struct tunnels *tunnels)
{
    return tunnels->port;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* On disk before the first key leaves: what follows from it must follow after a crash too. */
static int have_secret(struct tunnels *tunnels, struct err *err)
{
    own_str char *path = xasprintf("%s/ssh.secret", tunnels->dir);
    own_buf struct buf text = BUF_INIT(2 * SECRET_BYTES);

    if (tunnels->has_secret)
        return 0;
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        io_random(tunnels->secret, SECRET_BYTES);
        if (io_mkdirs(tunnels->dir, 0700, err) < 0 ||
            io_replace_file(path, 0600, tunnels->secret, SECRET_BYTES, err) < 0)
            return -1;
    } else {
        if (buf_read_file(&text, path, err) < 0)
            return -1;
        if (text.length != SECRET_BYTES)
            return err_set(err, FAULT_INVALID,
                           "%s is not what was written there: remove it once no worker of this "
                           "site runs",
                           path);
        memcpy(tunnels->secret, text.data, SECRET_BYTES);
        explicit_bzero(text.data, text.room);
    }
    tunnels->has_secret = true;
    return 0;
}

int tunnels_keys(struct tunnels *tunnels, const char *name, struct ssh_key *host,
                 struct ssh_key *login, struct err *err)
{
    own_str char *of_host = xasprintf("host %s", name), *of_login = xasprintf("login %s", name);

    if (have_secret(tunnels, err) < 0)
        return err_wrap(err, "the keys of workers");
    ssh_key_derive(host, tunnels->secret, SECRET_BYTES, of_host);
    ssh_key_derive(login, tunnels->secret, SECRET_BYTES, of_login);
    return 0;
}

int tunnels_boot(struct tunnels *tunnels, const char *text, char **out, struct err *err)
{
    own_json json_t *boot = json_parse(text, strlen(text), err);
    own_str char *there = xasprintf("https://127.0.0.1:%d", tunnels->port);
    const char *url = json_string_value(json_object_get(boot, "url"));

    if (!boot || tunnel_end_read(&tunnels->end, url ? url : "", err) < 0 ||
        tunnel_end_keep(tunnels->dir, url, err) < 0)
        return -1;
    json_object_set_new(boot, "url", json_string(there));
    *out = json_dumps(boot, JSON_COMPACT);
    return 0;
}

/* ---- one tunnel's thread --------------------------------------------------------------------- */

/* What became of an attempt; said once for as long as it stays the same. */
static void note(struct tunnel *tunnel, int rc, const struct err *err)
{
    const char *words = rc < 0 ? err->text : "";

    pthread_mutex_lock(&tunnel->lock);
    tunnel->open = rc == 0;
    if (rc == 0 || err->fault != FAULT_AUTH)
        tunnel->refused_mono_ms = 0;
    else if (!tunnel->refused_mono_ms)
        tunnel->refused_mono_ms = clock_mono_ms();
    if (rc == 0)
        log_info("%s: tunnel to %s is open", tunnel->name, tunnel->address);
    else if (strcmp(words, tunnel->words) != 0)
        log_write(err->fault == FAULT_AUTH ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN,
                  "%s: no tunnel to %s: %s", tunnel->name, tunnel->address, words);
    snprintf(tunnel->words, sizeof tunnel->words, "%s", words);
    pthread_mutex_unlock(&tunnel->lock);
}

static bool stopping(struct tunnel *tunnel)
{
    bool stop;

    pthread_mutex_lock(&tunnel->lock);
    stop = tunnel->stop;
    pthread_mutex_unlock(&tunnel->lock);
    return stop;
}

/* Until the tunnel breaks, or `pause_ms` after a failure; cut short by the end. */
static void wait_next(struct tunnel *tunnel, bool open, int64_t pause_ms)
{
    struct pollfd fds[2] = { { .fd = tunnel->wake, .events = POLLIN },
                             { .fd = ssh_watch_fd(tunnel->ssh), .events = POLLIN } };

    poll(fds, open ? 2 : 1, open ? -1 : (int)pause_ms);
    ssh_watch_clear(tunnel->ssh);
}

/* Many that were cut at once must not come back at once. */
static int64_t jittered(int64_t ms)
{
    unsigned char dice;

    io_random(&dice, sizeof dice);
    return ms - ms / 4 + ms / 2 * dice / 255;
}

static void *keep_open(void *arg)
{
    struct tunnel *tunnel = arg;
    int64_t pause = 0;

    while (!stopping(tunnel)) {
        struct err err = ERR_INIT;
        int port = tunnel->port;
        int rc = ssh_forward(tunnel->ssh, "127.0.0.1", &port, tunnel->to_host, tunnel->to_port,
                             clock_mono_ms() + ATTEMPT_MS, &err);

        if (stopping(tunnel))
            break;
        note(tunnel, rc, &err);
        pause = rc == 0 ? 0 : pause ? pause + pause / 2 : PAUSE_MS;
        if (pause > PAUSE_MOST_MS)
            pause = PAUSE_MOST_MS;
        wait_next(tunnel, rc == 0, jittered(pause));
    }
    ssh_free(take_ptr(tunnel->ssh)); /* which takes leave of the machine */
    pthread_mutex_lock(&tunnel->lock);
    tunnel->done = true;
    pthread_mutex_unlock(&tunnel->lock);
    return NULL;
}

/* ---- which there are ------------------------------------------------------------------------- */

static void tunnel_free(struct tunnel *tunnel)
{
    list_del(&tunnel->link);
    ssh_free(tunnel->ssh);
    if (tunnel->wake >= 0)
        close(tunnel->wake);
    pthread_mutex_destroy(&tunnel->lock);
    free(tunnel->name);
    free(tunnel->address);
    free(tunnel->to_host);
    free(tunnel);
}

static struct tunnel *find(struct tunnels *tunnels, const char *name)
{
    list_each(at, &tunnels->live)
    {
        struct tunnel *tunnel = list_item(at, struct tunnel, link);

        if (strcmp(tunnel->name, name) == 0)
            return tunnel;
    }
    return NULL;
}

/* Nobody waits for its thread, which may be in the middle of an attempt. */
static void end(struct tunnels *tunnels, struct tunnel *tunnel)
{
    uint64_t one = 1;

    ssh_give_up(tunnel->ssh);
    pthread_mutex_lock(&tunnel->lock);
    tunnel->stop = true; /* from here on its session is the thread's to free */
    pthread_mutex_unlock(&tunnel->lock);
    (void)!write(tunnel->wake, &one, sizeof one);
    list_del(&tunnel->link);
    list_add_tail(&tunnels->ending, &tunnel->link);
}

static void bury(struct tunnels *tunnels, bool all)
{
    list_each_safe(at, &tunnels->ending)
    {
        struct tunnel *tunnel = list_item(at, struct tunnel, link);
        bool done;

        pthread_mutex_lock(&tunnel->lock);
        done = tunnel->done;
        pthread_mutex_unlock(&tunnel->lock);
        if (!done && !all)
            continue;
        pthread_join(tunnel->thread, NULL);
        tunnel_free(tunnel);
    }
}

static struct ssh *session_to(struct tunnels *tunnels, const char *name, const char *address)
{
    own_buf struct buf line = BUF_INIT(256);
    struct ssh_key host, login;
    struct ssh *ssh;
    struct err err = ERR_INIT;

    if (tunnels_keys(tunnels, name, &host, &login, &err) < 0) {
        log_error("site %s: %s", tunnels->conf->name, err.text);
        return NULL;
    }
    ssh_key_put_line(&host, &line);
    ssh = ssh_new(&(struct ssh_target){ .host = address,
                                        .user = TUNNEL_USER,
                                        .port = SSH_PORT,
                                        .host_key = buf_text(&line),
                                        .key = &login });
    ssh_key_wipe(&host);
    ssh_key_wipe(&login);
    return ssh;
}

static void begin(struct tunnels *tunnels, const char *name, const char *address)
{
    struct ssh *ssh = session_to(tunnels, name, address);
    struct tunnel *tunnel;

    if (!ssh)
        return;
    tunnel = xcalloc(1, sizeof *tunnel);
    tunnel->ssh = ssh;
    tunnel->name = xstrdup(name);
    tunnel->address = xstrdup(address);
    tunnel->to_host = xstrdup(tunnels->end.host);
    tunnel->to_port = tunnels->end.port;
    tunnel->port = tunnels->port;
    tunnel->wanted = true;
    tunnel->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&tunnel->lock, NULL);
    snprintf(tunnel->words, sizeof tunnel->words, "it was not tried yet");
    list_add_tail(&tunnels->live, &tunnel->link);
    if (tunnel->wake >= 0 && pthread_create(&tunnel->thread, NULL, keep_open, tunnel) == 0)
        return;
    log_error("site %s: no thread for the tunnel to %s", tunnels->conf->name, name);
    tunnel_free(tunnel);
}

/* "NAME ADDRESS" lines: a broker that starts again need not wait for a cloud that may not answer. */
static void keep_list(struct tunnels *tunnels)
{
    own_str char *path = xasprintf("%s/tunnels", tunnels->dir);
    own_buf struct buf text = BUF_INIT(LIST_MOST);
    struct err err = ERR_INIT;

    list_each(at, &tunnels->live)
    {
        const struct tunnel *tunnel = list_item(at, struct tunnel, link);

        buf_printf(&text, "%s %s\n", tunnel->name, tunnel->address);
    }
    if (io_replace_file(path, 0600, buf_text(&text), text.length, &err) < 0)
        log_warn("site %s: %s", tunnels->conf->name, err.text);
}

void tunnels_recall(struct tunnels *tunnels)
{
    own_str char *path = xasprintf("%s/tunnels", tunnels->dir);
    own_buf struct buf text = BUF_INIT(LIST_MOST);
    char *rest = NULL;

    tunnel_end_recall(&tunnels->end, tunnels->dir);
    if (tunnels->recalled || !tunnels->end.host || buf_read_file(&text, path, NULL) < 0)
        return;
    tunnels->recalled = true;
    for (char *line = text.data ? strtok_r(text.data, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        char *space = strchr(line, ' ');

        if (!space || space == line || !space[1])
            continue;
        *space = '\0';
        if (!find(tunnels, line))
            begin(tunnels, line, space + 1);
    }
}

void tunnels_want(struct tunnels *tunnels, const char *name, const char *address)
{
    struct tunnel *tunnel = find(tunnels, name);

    bury(tunnels, false);
    tunnel_end_recall(&tunnels->end, tunnels->dir);
    if (!tunnels->end.host)
        return; /* no worker was ever made by this broker */
    if (tunnel && strcmp(tunnel->address, address) == 0 &&
        strcmp(tunnel->to_host, tunnels->end.host) == 0 && tunnel->to_port == tunnels->end.port) {
        tunnel->wanted = true;
        return;
    }
    if (tunnel)
        end(tunnels, tunnel);
    begin(tunnels, name, address);
    keep_list(tunnels);
}

void tunnels_drop(struct tunnels *tunnels, const char *name)
{
    bool changed = false;

    list_each_safe(at, &tunnels->live)
    {
        struct tunnel *tunnel = list_item(at, struct tunnel, link);

        if (name ? strcmp(tunnel->name, name) == 0 : !tunnel->wanted) {
            end(tunnels, tunnel);
            changed = true;
        }
        tunnel->wanted &= name != NULL;
    }
    if (changed)
        keep_list(tunnels);
    bury(tunnels, false);
}

bool tunnels_fault(struct tunnels *tunnels, const char *name, bool *refused, struct buf *words)
{
    struct tunnel *tunnel = find(tunnels, name);
    bool open;

    *refused = false;
    if (!tunnel)
        return false;
    pthread_mutex_lock(&tunnel->lock);
    open = tunnel->open;
    *refused =
        !open && tunnel->refused_mono_ms && clock_mono_ms() - tunnel->refused_mono_ms >= REFUSED_MS;
    if (!open)
        buf_printf(words, "no tunnel to %s: %s", tunnel->address, tunnel->words);
    pthread_mutex_unlock(&tunnel->lock);
    return !open;
}

void tunnels_close(struct tunnels *tunnels)
{
    if (!tunnels)
        return;
    list_each_safe(at, &tunnels->live) end(tunnels, list_item(at, struct tunnel, link));
    bury(tunnels, true);
    tunnel_end_fini(&tunnels->end);
    explicit_bzero(tunnels->secret, SECRET_BYTES);
    free(tunnels->dir);
    free(tunnels);
}
