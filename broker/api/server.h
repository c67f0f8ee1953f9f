/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - what the parts of the API know of the server that runs them. */
#ifndef SPILLWAY_API_SERVER_H
#define SPILLWAY_API_SERVER_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/api.h"
#include "api/auth.h"
#include "api/policy.h"
#include "api/pool.h"
#include "api/watch.h"
#include "base/buf.h"
#include "base/list.h"
#include "store/store.h"

struct request;
struct verdicts;

/* One connection, for as long as it is open. */
struct peer {
    struct list link; /* api->peers_lock */
    struct api *api;
    int fd;
    struct caller *caller; /* on the Unix socket: who the kernel says it is */
    char address[64];      /* for the log and the rates */
    /* Monotonic time since when the client owes us the rest of a request; 0 while it does not.  The
     * watch closes connections whose client takes too long over it. */
    atomic_int_fast64_t owes_ms;
    atomic_int_fast64_t owes_bytes; /* of the body, received so far */
    bool streams;                   /* peers_lock; its answer is a stream */
};

/* What is asked of the API, in numbers; all but grow. */
struct api_counts {
    atomic_int_fast64_t status[6]; /* 1xx, 2xx, ... by their first digit; [0]: hung up */
    atomic_int_fast64_t us_sum, bytes_in, refused, stalled, jobs;
    atomic_int_fast64_t connections, streams; /* now */
    atomic_int_fast64_t buckets[8];           /* of request_buckets_us, not cumulated */
};
extern const int64_t request_buckets_us[7];

struct api {
    struct broker *broker;
    struct store *store;
    char *state_dir, *socket_path, *address, *certificate, *key, *host;
    char pin[SHA256_HEX];
    mode_t socket_mode;
    bool plain; /* HTTP without TLS, on a loopback address */
    int port;
    unsigned threads, connections_most, address_most, idle_s;
    pthread_mutex_t policy_lock;
    struct policy *policy; /* policy_lock; counted, immutable */
    struct auth *auth;
    struct watch *watch;
    struct pool *pool, *slow;
    struct verdicts *verdicts;
    struct MHD_Daemon *unix_daemon, *tcp_daemon;
    struct api_counts counts;
    pthread_mutex_t peers_lock;
    struct list peers; /* peers_lock */
    pthread_mutex_t busy_lock;
    pthread_cond_t idle;
    int64_t busy;  /* busy_lock; handlers that run, connections that are suspended */
    bool stopping; /* busy_lock */
    bool started, owns_socket;
};

/* Make `err` the reply. */
void server_fault(struct request *request, const struct err *err);
/* Around all that a stop has to wait for; false: the API stops, nothing new may begin. */
bool server_enter(struct api *api);
void server_stay(struct api *api); /* once more, by who has entered */
void server_leave(struct api *api);
/* The policy of now; to be given back with policy_unref(). */
struct policy *api_policy(struct api *api);

/* ---- listen.c: sockets */

/* Bound under a temporary name beside `path`; listen_publish() moves it there once it answers. */
int listen_unix(const char *path, mode_t mode, struct err *err);
int listen_publish(const char *path, struct err *err);
/* "127.0.0.1:7455", "[::1]:7455", ":7455"; *loopback tells whether nobody else can reach it. */
int listen_tcp(const char *address, bool *loopback, int *port, struct err *err);
/* Sockets that systemd passed to this process: one of `family` (AF_UNIX, or AF_INET for both
 * kinds), or -1. */
int listen_passed(int family);

/* ---- tls.c: the certificate */

/* Given files, or with both NULL ours in `state_dir`, made when missing.  PEM texts, owned by the
 * caller. */
int tls_load(const char *certificate_path, const char *key_path, const char *state_dir,
             const char *host, char **certificate, char **key, char pin[SHA256_HEX],
             struct err *err);

#endif
