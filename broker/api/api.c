/* SPDX-License-Identifier: Apache-2.0 */
/* api.c - opening, starting and stopping the HTTP API. */
#include "api/api.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "api/policy.h"
#include "api/serve.h"
#include "api/server.h"
#include "api/submit.h"
#include "base/clock.h"
#include "base/log.h"

#define MEMORY_EACH     ((size_t)64 * 1024) /* of a connection: its head, and pieces of its body */
#define POOL_THREADS    4
#define SLOW_THREADS    4
#define POOL_QUEUE      512
#define SLOW_QUEUE      16
#define DESCRIPTORS_OFF 256 /* left for everything else */
#define PRIORITIES      "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

const char *api_pin(const struct api *api)
{
    return api->pin[0] ? api->pin : NULL;
}

const char *api_socket(const struct api *api)
{
    return api->socket_path;
}

struct policy *api_policy(struct api *api)
{
    struct policy *policy;

    pthread_mutex_lock(&api->policy_lock);
    policy = policy_ref(api->policy);
    pthread_mutex_unlock(&api->policy_lock);
    return policy;
}

struct token_search {
    const char *user, *project;
    bool found;
};

static bool search_token(void *arg, const struct token_row *row)
{
    struct token_search *search = arg;
    int64_t now = clock_wall_ms();
    size_t length = strlen(search->project);

    if (strcmp(row->user, search->user) != 0 || row->revoked_ms ||
        (row->expires_ms && row->expires_ms <= now))
        return true;
    search->found = row->role >= ROLE_OPERATOR;
    for (const char *at = row->projects; at && *at && !search->found;) {
        size_t word = strcspn(at, ",");

        search->found = word == length && strncmp(at, search->project, word) == 0;
        at += word + (at[word] == ',');
    }
    return !search->found;
}

struct open_most api_open_most(struct api *api, const char *user)
{
    struct policy *policy = api_policy(api);
    struct open_most most = policy_open_most(policy, user);

    policy_unref(policy);
    return most;
}

int api_user_may(struct api *api, const char *user, const char *project, struct err *err)
{
    struct token_search search = { .user = user, .project = project };
    struct policy *policy = api_policy(api);
    struct err why = ERR_INIT;
    int rc = policy_user_may(policy, user, ROLE_USER, project, &why);

    if (rc < 0)
        rc = policy_user_may(policy, user, auth_login_role(policy, user), project, &why);
    policy_unref(policy);
    if (rc == 0)
        return 0;
    if (store_tokens(api->store, search_token, &search, err) < 0)
        return -1;
    if (search.found)
        return 0;
    *err = why;
    return -1;
}

/* The certificate stays until a restart: agents that run hold its fingerprint, and a new one shown
 * to them would cut them off.  The operator who put a new file there is told. */
static void check_certificate(const struct api *api, const struct broker_conf *conf)
{
    own_str char *certificate = NULL, *key = NULL;
    struct err err = ERR_INIT;
    char pin[SHA256_HEX] = "";

    if (!api->certificate)
        return;
    if (tls_load(conf->tls_cert, conf->tls_key, api->state_dir, api->host, &certificate, &key, pin,
                 &err) < 0)
        log_warn("the certificate would not be read at a restart why=\"%s\"", err.text);
    else if (strcmp(pin, api->pin) != 0)
        log_warn("the certificate has changed: a restart shows it, and cuts off workers that run "
                 "and know the old one pin=%s new=%s",
                 api->pin, pin);
    if (key)
        explicit_bzero(key, strlen(key));
}

void api_reload(struct api *api, const struct broker_conf *conf)
{
    struct policy *policy = policy_new(conf), *old;

    pthread_mutex_lock(&api->policy_lock);
    old = api->policy;
    api->policy = policy;
    pthread_mutex_unlock(&api->policy_lock);
    policy_unref(old);
    auth_set_rate(api->auth, policy_rate(policy));
    auth_forget(api->auth); /* roles may have changed */
    check_certificate(api, conf);
}

/* Without a limit on descriptors that fits, connections are refused before the database is. */
static unsigned connections_within_limits(int wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return (unsigned)wanted;
    if (limit.rlim_cur < limit.rlim_max && limit.rlim_cur < (rlim_t)wanted + DESCRIPTORS_OFF) {
        limit.rlim_cur = (rlim_t)wanted + DESCRIPTORS_OFF < limit.rlim_max
                             ? (rlim_t)wanted + DESCRIPTORS_OFF
                             : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= (rlim_t)wanted + DESCRIPTORS_OFF)
        return (unsigned)wanted;
    log_warn("few file descriptors allowed=%lu: fewer connections than configured",
             (unsigned long)limit.rlim_cur);
    return limit.rlim_cur > 2 * DESCRIPTORS_OFF ? (unsigned)limit.rlim_cur - DESCRIPTORS_OFF
                                                : DESCRIPTORS_OFF / 4;
}

/* "https://HOST:PORT/..." -> "HOST", without brackets; NULL: no URL. */
static char *host_of(const char *url)
{
    const char *at = url ? strstr(url, "://") : NULL;
    size_t length;

    if (!at)
        return NULL;
    at += 3;
    if (*at == '[')
        return xstrndup(at + 1, strcspn(at + 1, "]"));
    length = strcspn(at, ":/");
    return xstrndup(at, length);
}

static void read_conf(struct api *api, const struct broker_conf *conf)
{
    const char *listen = conf->listen;

    api->state_dir = xstrdup(conf->state);
    api->socket_path =
        conf->socket ? xstrdup(conf->socket) : xasprintf("%s/spillway.sock", conf->state);
    api->socket_mode = (mode_t)conf->socket_mode;
    api->plain = conf->url && strncmp(conf->url, "http://", 7) == 0;
    api->host = host_of(conf->url);
    api->address = listen ? xstrdup(listen) : NULL;
    api->threads = conf->http.threads > 0 ? (unsigned)conf->http.threads : 2;
    api->connections_most = connections_within_limits(conf->http.connections);
    api->address_most = (unsigned)conf->http.connections_each;
    api->idle_s = (unsigned)((conf->http.idle_ms + 999) / 1000);
    api->policy = policy_new(conf);
}

int api_open(struct broker *broker, const struct broker_conf *conf, struct api **out,
             struct err *err)
{
    struct api *api = xcalloc(1, sizeof *api);

    api->broker = broker;
    api->store = broker_store(broker);
    list_init(&api->peers);
    pthread_mutex_init(&api->peers_lock, NULL);
    pthread_mutex_init(&api->policy_lock, NULL);
    pthread_mutex_init(&api->busy_lock, NULL);
    pthread_cond_init(&api->idle, NULL);
    read_conf(api, conf);
    api->auth = auth_new(api->store, policy_rate(api->policy));
    api->verdicts = verdicts_new();
    if (api->address && !api->plain &&
        tls_load(conf->tls_cert, conf->tls_key, api->state_dir, api->host, &api->certificate,
                 &api->key, api->pin, err) < 0) {
        api_close(api);
        return -1;
    }
    *out = api;
    return 0;
}

/* ---- daemons */

/* Agents behind one address look like one client: who runs the broker must hear of it, once in a while. */
static void warn_of_limit(void)
{
    static _Atomic int64_t next_mono_ms;
    int64_t now = clock_mono_ms(), next = atomic_load(&next_mono_ms);

    if (now >= next && atomic_compare_exchange_strong(&next_mono_ms, &next, now + 60000))
        log_warn("connections are refused: there are as many as http.connections allows, or "
                 "http.connections_each from one address");
}

__attribute__((format(printf, 2, 0))) static void log_mhd(void *cls, const char *format,
                                                          va_list args)
{
    char text[256];

    (void)cls;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    if (strstr(text, "connection limit"))
        warn_of_limit();
    else
        log_debug("libmicrohttpd: %s", text);
}

/* URLs and parameters are decoded by us, strictly. */
static size_t leave_encoded(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct api *api, int fd, const struct MHD_OptionItem *more)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     MHD_USE_TURBO | MHD_USE_SUPPRESS_DATE_NO_CLOCK;

    if (api->certificate && more[0].option == MHD_OPTION_HTTPS_MEM_CERT)
        flags |= MHD_USE_TLS;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, serve_request, api, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, api->threads,
        MHD_OPTION_CONNECTION_LIMIT, api->connections_most, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        MEMORY_EACH, MHD_OPTION_CONNECTION_TIMEOUT, api->idle_s, MHD_OPTION_NOTIFY_COMPLETED,
        serve_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, serve_connection, api,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, NULL, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

static int start_unix(struct api *api, struct err *err)
{
    static const struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
    own_fd int passed = listen_passed(AF_UNIX);
    own_fd int fd =
        passed < 0 ? listen_unix(api->socket_path, api->socket_mode, err) : take_fd(&passed);

    api->owns_socket = passed < 0;
    if (fd < 0)
        return -1;
    api->unix_daemon = start_daemon(api, fd, none);
    if (!api->unix_daemon)
        return err_set(err, FAULT_INTERNAL, "cannot serve on %s: libmicrohttpd did not start",
                       api->socket_path);
    take_fd(&fd);
    return api->owns_socket ? listen_publish(api->socket_path, err) : 0;
}

static int start_tcp(struct api *api, struct err *err)
{
    struct MHD_OptionItem more[] = { { MHD_OPTION_HTTPS_MEM_CERT, 0, api->certificate },
                                     { MHD_OPTION_HTTPS_MEM_KEY, 0, api->key },
                                     { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)PRIORITIES },
                                     { MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                                       (intptr_t)api->address_most, NULL },
                                     { MHD_OPTION_END, 0, NULL } };
    own_fd int passed = listen_passed(AF_INET);
    bool loopback = true;
    own_fd int fd = -1;

    fd = passed < 0 ? listen_tcp(api->address, &loopback, &api->port, err) : take_fd(&passed);
    if (fd < 0)
        return -1;
    if (api->plain && !loopback)
        return err_set(err, FAULT_INVALID,
                       "%s: HTTP without TLS is for loopback addresses alone: write https:// in "
                       "broker.url, or listen on 127.0.0.1",
                       api->address);
    api->tcp_daemon = start_daemon(api, fd, api->plain ? more + 3 : more);
    if (!api->tcp_daemon)
        return err_set(err, FAULT_INTERNAL, "cannot serve on %s: libmicrohttpd did not start",
                       api->address);
    take_fd(&fd);
    log_info("listening address=%s port=%d tls=%s pin=%s", api->address, api->port,
             api->plain ? "no" : "yes", api->pin);
    return 0;
}

int api_start(struct api *api, struct err *err)
{
    api->pool = pool_new(POOL_THREADS, POOL_QUEUE, serve_pooled);
    api->slow = pool_new(SLOW_THREADS, SLOW_QUEUE, serve_pooled);
    api->watch = watch_new();
    api->started = true;
    watch_every(api->watch, serve_stalled, api);
    broker_on_events(api->broker, watch_events, api->watch);
    /* TCP first: whoever waits for the socket to appear finds all of it there. */
    if ((api->address && start_tcp(api, err) < 0) || start_unix(api, err) < 0) {
        api_stop(api);
        return -1;
    }
    log_info("listening socket=\"%s\"", api->socket_path);
    return 0;
}

/* ---- stopping */

bool server_enter(struct api *api)
{
    bool open;

    pthread_mutex_lock(&api->busy_lock);
    open = !api->stopping;
    api->busy += open;
    pthread_mutex_unlock(&api->busy_lock);
    return open;
}

void server_stay(struct api *api)
{
    pthread_mutex_lock(&api->busy_lock);
    api->busy++;
    pthread_mutex_unlock(&api->busy_lock);
}

void server_leave(struct api *api)
{
    pthread_mutex_lock(&api->busy_lock);
    if (--api->busy == 0)
        pthread_cond_broadcast(&api->idle);
    pthread_mutex_unlock(&api->busy_lock);
}

static void stop_entering(struct api *api)
{
    pthread_mutex_lock(&api->busy_lock);
    api->stopping = true;
    pthread_mutex_unlock(&api->busy_lock);
}

/* libmicrohttpd must not be stopped while connections are suspended. */
static void wait_until_idle(struct api *api)
{
    pthread_mutex_lock(&api->busy_lock);
    while (api->busy > 0)
        pthread_cond_wait(&api->idle, &api->busy_lock);
    pthread_mutex_unlock(&api->busy_lock);
}

static void stop_daemon(struct MHD_Daemon **daemon)
{
    if (*daemon)
        MHD_stop_daemon(*daemon);
    *daemon = NULL;
}

static void close_listener(struct MHD_Daemon *daemon)
{
    int fd = daemon ? MHD_quiesce_daemon(daemon) : -1;

    if (fd >= 0)
        close(fd);
}

void api_stop(struct api *api)
{
    if (!api->started)
        return;
    api->started = false;
    stop_entering(api);
    close_listener(api->tcp_daemon);
    close_listener(api->unix_daemon);
    broker_on_events(api->broker, NULL, NULL);
    watch_close(api->watch);
    pool_stop(api->pool);
    pool_stop(api->slow);
    wait_until_idle(api);
    stop_daemon(&api->tcp_daemon);
    stop_daemon(&api->unix_daemon);
    if (api->owns_socket) /* systemd keeps its own */
        unlink(api->socket_path);
    pool_free(take_ptr(api->pool));
    pool_free(take_ptr(api->slow));
}

void api_close(struct api *api)
{
    if (!api)
        return;
    api_stop(api);
    watch_free(api->watch);
    auth_free(api->auth);
    verdicts_free(api->verdicts);
    policy_unref(api->policy);
    if (api->key)
        explicit_bzero(api->key, strlen(api->key));
    free(api->key);
    free(api->certificate);
    free(api->address);
    free(api->host);
    free(api->socket_path);
    free(api->state_dir);
    pthread_cond_destroy(&api->idle);
    pthread_mutex_destroy(&api->busy_lock);
    pthread_mutex_destroy(&api->policy_lock);
    pthread_mutex_destroy(&api->peers_lock);
    free(api);
}
