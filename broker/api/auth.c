/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - callers by peer credentials, tokens and sessions. */
#include "api/auth.h"

#include <inttypes.h>
#include <pthread.h>
#include <pwd.h>
#include <string.h>

#include "api/policy.h"
#include "api/rate.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/own.h"

#define CACHE_MS      3000
#define CACHE_MOST    8192
#define NAME_MS       60000 /* a login name: the directory behind it may be slow */
#define FAILURES_MOST 20    /* at once, by one address */
#define FAILURES_RATE 1.0   /* a second */
#define TOKEN_MOST    512

struct entry {
    char key[SHA256_HEX + 2];
    struct caller *caller;
    int64_t until_ms;
};

struct auth {
    struct store *store;
    struct rate *failures, *requests;
    atomic_int_fast64_t failed;
    pthread_mutex_t lock;
    struct map cache;   /* lock; of entries */
    uint64_t forgotten; /* lock; counts auth_forget, so that an answer from before it is not kept */
};

static const char *const roles[] = { "none", "user", "operator", "admin" };

const char *role_name(enum role role)
{
    return (unsigned)role < array_len(roles) ? roles[role] : "none";
}

enum role role_find(const char *name)
{
    for (size_t i = 1; i < array_len(roles); i++)
        if (strcmp(roles[i], name) == 0)
            return (enum role)i;
    return ROLE_NONE;
}

static void split_projects(struct caller *caller, const char *projects)
{
    size_t count = 1, at = 0;
    char *rest;

    for (const char *s = projects; *s; s++)
        count += *s == ',';
    caller->projects_text = rest = xstrdup(projects);
    caller->projects = xcalloc(count + 1, sizeof *caller->projects);
    while (rest) {
        char *part = strsep(&rest, ",");

        if (*part)
            caller->projects[at++] = part;
    }
}

struct caller *caller_new(enum role role, const char *user, const char *projects)
{
    size_t length = strlen(user) + 1;
    struct caller *caller = xcalloc(1, sizeof *caller + length);

    atomic_init(&caller->refs, 1);
    caller->role = role;
    memcpy(caller->user, user, length);
    split_projects(caller, projects ? projects : "");
    return caller;
}

struct caller *caller_ref(struct caller *caller)
{
    atomic_fetch_add(&caller->refs, 1);
    return caller;
}

void caller_unref(struct caller *caller)
{
    if (!caller || atomic_fetch_sub(&caller->refs, 1) != 1)
        return;
    free(caller->projects);
    free(caller->projects_text);
    free(caller);
}

struct auth *auth_new(struct store *store, double requests_rate)
{
    struct auth *auth = xcalloc(1, sizeof *auth);

    auth->store = store;
    auth->failures = rate_new(FAILURES_RATE, FAILURES_MOST);
    auth->requests = rate_new(requests_rate, 2 * requests_rate);
    pthread_mutex_init(&auth->lock, NULL);
    auth->cache = (struct map)MAP_INIT_STR;
    return auth;
}

static void entry_free(struct entry *entry)
{
    if (entry)
        caller_unref(entry->caller);
    free(entry);
}

static void clear_cache(struct auth *auth)
{
    struct entry *entry;

    for (size_t i = 0; (entry = map_next(&auth->cache, &i));)
        entry_free(entry);
    map_fini(&auth->cache);
    auth->cache = (struct map)MAP_INIT_STR;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    clear_cache(auth);
    map_fini(&auth->cache);
    rate_free(auth->failures);
    rate_free(auth->requests);
    pthread_mutex_destroy(&auth->lock);
    free(auth);
}

void auth_set_rate(struct auth *auth, double requests_rate)
{
    rate_set(auth->requests, requests_rate, 2 * requests_rate);
}

void auth_forget(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    auth->forgotten++;
    clear_cache(auth);
    pthread_mutex_unlock(&auth->lock);
}

/* A reference to the cached caller, or NULL; *generation is for keep(). */
static struct caller *cached(struct auth *auth, const char *key, uint64_t *generation)
{
    struct caller *caller = NULL;
    struct entry *entry;

    pthread_mutex_lock(&auth->lock);
    *generation = auth->forgotten;
    entry = map_get_str(&auth->cache, key);
    if (entry && entry->until_ms > clock_mono_ms())
        caller = caller_ref(entry->caller);
    pthread_mutex_unlock(&auth->lock);
    return caller;
}

static void keep(struct auth *auth, const char *key, struct caller *caller, int64_t ms,
                 uint64_t generation)
{
    struct entry *entry = xcalloc(1, sizeof *entry);

    snprintf(entry->key, sizeof entry->key, "%s", key);
    entry->caller = caller_ref(caller);
    entry->until_ms = clock_mono_ms() + ms;
    pthread_mutex_lock(&auth->lock);
    if (auth->cache.count >= CACHE_MOST)
        clear_cache(auth);
    if (generation == auth->forgotten) {
        entry_free(map_del_str(&auth->cache, entry->key));
        map_put_str(&auth->cache, entry->key, entry);
        entry = NULL;
    }
    pthread_mutex_unlock(&auth->lock);
    entry_free(entry);
}

static struct caller *caller_of_uid(const struct policy *policy, uid_t uid)
{
    char room[4096], name[64];
    struct passwd entry, *found = NULL;

    if (getpwuid_r(uid, &entry, room, sizeof room, &found) != 0 || !found ||
        strlen(entry.pw_name) >= sizeof name)
        snprintf(name, sizeof name, "uid:%lu", (unsigned long)uid);
    else
        snprintf(name, sizeof name, "%s", entry.pw_name);
    if (uid == 0 || uid == geteuid())
        return caller_new(ROLE_ADMIN, name, "");
    return caller_new(policy_role(policy, name), name, "");
}

enum role auth_login_role(const struct policy *policy, const char *name)
{
    char room[4096];
    struct passwd entry, *found = NULL;

    if (getpwnam_r(name, &entry, room, sizeof room, &found) == 0 && found &&
        (entry.pw_uid == 0 || entry.pw_uid == geteuid()))
        return ROLE_ADMIN;
    return policy_role(policy, name);
}

struct caller *auth_peer(struct auth *auth, const struct policy *policy, uid_t uid)
{
    struct caller *caller;
    uint64_t generation;
    char key[32];

    snprintf(key, sizeof key, "u%lu", (unsigned long)uid);
    caller = cached(auth, key, &generation);
    if (caller)
        return caller;
    caller = caller_of_uid(policy, uid);
    keep(auth, key, caller, NAME_MS, generation);
    return caller;
}

int auth_may_try(struct auth *auth, const char *address, struct err *err)
{
    if (rate_take(auth->failures, address, 0, clock_mono_ms()))
        return 0;
    return err_set(err, FAULT_THROTTLED,
                   "too many failed attempts from here: wait a few seconds, then check the token");
}

void auth_failed(struct auth *auth, const char *address)
{
    atomic_fetch_add(&auth->failed, 1);
    rate_take(auth->failures, address, 1, clock_mono_ms());
}

static int refuse(struct auth *auth, const char *address, const char *what, struct err *err)
{
    if (err->fault == FAULT_AUTH) {
        auth_failed(auth, address);
        log_warn("%s refused from=\"%s\" why=\"%s\"", what, address, err->text);
    }
    return -1;
}

static int hash_token(const char *token, unsigned char hash[SHA256_BYTES], struct err *err)
{
    size_t length = strlen(token);

    if (length == 0 || length > TOKEN_MOST)
        return err_set(err, FAULT_AUTH, "not a token");
    sha256_of(token, length, hash);
    return 0;
}

/* Only who fails is slowed down: on a Unix socket, or behind one address, good and bad clients come
 * from the same place, and a token of 256 bits is not found by trying. */
static struct caller *refused(struct auth *auth, const char *what, const char *address,
                              struct err *err)
{
    if (err->fault != FAULT_AUTH || auth_may_try(auth, address, err) == 0)
        refuse(auth, address, what, err);
    return NULL;
}

static struct caller *token_look_up(struct auth *auth, const unsigned char hash[SHA256_BYTES],
                                    const char *key, uint64_t generation, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(65536);
    int64_t keep_ms = CACHE_MS, left_ms;
    struct caller *caller;
    struct token_row row;

    if (store_token_find(auth->store, hash, &row, &strings, err) < 0)
        return NULL;
    caller = caller_new(row.role, row.user, row.projects);
    caller->token = row.id;
    left_ms = row.expires_ms - clock_wall_ms();
    if (row.expires_ms && left_ms < keep_ms)
        keep_ms = left_ms;
    keep(auth, key, caller, keep_ms, generation);
    return caller;
}

struct caller *auth_token(struct auth *auth, const char *token, const char *address,
                          struct err *err)
{
    unsigned char hash[SHA256_BYTES];
    own_buf struct buf key = BUF_INIT(SHA256_HEX + 2);
    struct caller *caller;
    uint64_t generation;

    if (hash_token(token, hash, err) < 0)
        return refused(auth, "token", address, err);
    buf_putc(&key, 't');
    buf_put_hex(&key, hash, sizeof hash);
    caller = cached(auth, buf_text(&key), &generation);
    if (!caller)
        caller = token_look_up(auth, hash, buf_text(&key), generation, err);
    return caller ? caller : refused(auth, "token", address, err);
}

/* The store has sessions in memory: nothing is cached, and one that ended is refused at once. */
struct caller *auth_session(struct auth *auth, const char *token, const char *address,
                            struct err *err)
{
    unsigned char hash[SHA256_BYTES];
    enum worker_state state;
    struct caller *caller;
    char name[40];
    int64_t worker;

    if (hash_token(token, hash, err) < 0 ||
        store_worker_session(auth->store, hash, &worker, &state, err) < 0)
        return refused(auth, "worker session", address, err);
    snprintf(name, sizeof name, "worker:%" PRId64, worker);
    caller = caller_new(ROLE_NONE, name, "");
    caller->worker = worker;
    return caller;
}

int auth_booting(struct auth *auth, const char *token, const char *address, struct err *err)
{
    unsigned char hash[SHA256_BYTES];
    enum worker_state state;
    int64_t worker;

    if (hash_token(token, hash, err) == 0 &&
        (store_worker_session(auth->store, hash, &worker, &state, NULL) == 0 ||
         store_worker_join_token(auth->store, hash, &worker, err) == 0))
        return 0;
    refused(auth, "join token", address, err);
    return -1;
}

int auth_rate(struct auth *auth, const char *who, struct err *err)
{
    if (rate_take(auth->requests, who, 1, clock_mono_ms()))
        return 0;
    return err_set(err, FAULT_THROTTLED, "too many requests: send more jobs in each, or wait");
}

int64_t auth_failures(struct auth *auth)
{
    return atomic_load(&auth->failed);
}
