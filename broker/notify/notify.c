/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - one turn: make the notices of jobs that ended, gather what is due by target, deliver.
 */
#include "notify/notify.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/own.h"
#include "net/hash.h"
#include "net/post.h"
#include "notify/message.h"
#include "store/notices.h"

#define TURN_MS      1000
#define IDLE_MS      15000 /* between looks while nothing was committed */
#define WINDOW_MS    10000
#define HOUR_MS      3600000
#define DUE_MOST     2000 /* notices looked at in one turn */
#define GROUP_MOST   100  /* in one message */
#define TRIES_MOST   16
#define TRIES_WRONG  4 /* of what cannot be helped by asking again: an address that is wrong */
#define FIRST_MS     10000
#define KEEP_DONE_MS ((int64_t)30 * 86400 * 1000)
#define KEEP_DEAD_MS ((int64_t)90 * 86400 * 1000)
#define SECRET_MOST  4096

struct receiver { /* who is told, and how much of late */
    int64_t last_ms, hour_ms, in_hour;
    char key[];
};

struct notify {
    struct store *store;
    char *smtp, *user, *password, *from, *sendmail, *secret;
    int64_t most_per_hour;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop; /* lock */
    /* the thread's own */
    struct map receivers; /* key -> struct receiver */
    int64_t settled_ms, pruned_ms, event_last;
};

int64_t notify_backoff_ms(int tries, uint64_t random)
{
    int64_t wait = FIRST_MS;

    for (int i = 1; i < tries && wait < HOUR_MS; i++)
        wait *= 2;
    if (wait > HOUR_MS)
        wait = HOUR_MS;
    return wait - wait / 10 + (int64_t)(random % (uint64_t)(wait / 5));
}

/* ---- a group: notices for one target --------------------------------------------------------- */

struct notice {
    int64_t id;
    int tries;
};

struct group {
    enum notice_kind kind;
    char *target;
    json_t *events;
    struct notice notices[GROUP_MOST];
    size_t count;
};

static void group_clear(struct group *group)
{
    free(group->target);
    json_decref(group->events);
    *group = (struct group){ .target = NULL };
}

static int send_webhook(struct notify *notify, const struct group *group, int64_t *retry_ms,
                        struct err *err)
{
    own_buf struct buf body = BUF_INIT(0), signed_text = BUF_INIT(0);
    own_str char *notice = xasprintf("Spillway-Notice: %lld", (long long)group->notices[0].id);
    own_str char *stamp = NULL, *signature = NULL;
    long long now = (long long)(clock_wall_ms() / 1000);
    char mac[SHA256_HEX];
    const char *headers[5] = { "Content-Type: application/json", notice };

    message_webhook(group->notices[0].id, group->events, &body);
    buf_printf(&signed_text, "%lld.%s", now, buf_text(&body));
    hmac_sha256_hex(notify->secret, strlen(notify->secret), signed_text.data, signed_text.length,
                    mac);
    stamp = xasprintf("Spillway-Timestamp: %lld", now);
    signature = xasprintf("Spillway-Signature: sha256=%s", mac);
    headers[2] = stamp;
    headers[3] = signature;
    return post_http(group->target, headers, body.data, body.length, retry_ms, err);
}

static int send_mail(struct notify *notify, const struct group *group, struct err *err)
{
    struct mail_server server = { .url = notify->smtp,
                                  .user = notify->user,
                                  .password = notify->password,
                                  .sendmail = notify->sendmail };
    struct mail_envelope envelope = { .from = notify->from,
                                      .to = group->target,
                                      .uuid = store_uuid(notify->store),
                                      .id = group->notices[0].id,
                                      .now_ms = clock_wall_ms() };
    own_buf struct buf message = BUF_INIT(0);

    message_mail(&envelope, group->events, &message);
    return post_mail(&server, notify->from, group->target, message.data, message.length, err);
}

/* What becomes of one notice after a try that failed. */
static void judge(const struct notice *notice, const struct err *err, int64_t retry_ms,
                  struct notice_result *out)
{
    int tries = notice->tries + 1, most = err->fault == FAULT_INVALID ? TRIES_WRONG : TRIES_MOST;
    uint64_t random;
    int64_t wait;

    io_random(&random, sizeof random);
    wait = notify_backoff_ms(tries, random);
    if (retry_ms > wait)
        wait = retry_ms < HOUR_MS ? retry_ms : HOUR_MS;
    out->state = tries >= most ? NOTICE_DEAD : NOTICE_PENDING;
    out->due_ms = clock_wall_ms() + wait;
    out->error = err->text;
}

static void deliver(struct notify *notify, const struct group *group)
{
    struct notice_result results[GROUP_MOST];
    struct err fault = ERR_INIT, err = ERR_INIT;
    int64_t retry_ms = 0;
    int rc = group->kind == NOTICE_WEBHOOK ? send_webhook(notify, group, &retry_ms, &fault)
                                           : send_mail(notify, group, &fault);

    for (size_t i = 0; i < group->count; i++) {
        results[i] = (struct notice_result){ .id = group->notices[i].id, .state = NOTICE_DONE };
        if (rc < 0)
            judge(&group->notices[i], &fault, retry_ms, &results[i]);
    }
    /* A webhook's URL may hold a secret: it is not logged. */
    if (rc < 0)
        log_warn("notices not delivered: kind=%s count=%zu%s why=\"%s\"",
                 group->kind == NOTICE_MAIL ? "mail" : "webhook", group->count,
                 results[0].state == NOTICE_DEAD ? " given up" : "", fault.text);
    if (store_notices_note(notify->store, results, group->count, &err) < 0)
        log_error("notices: %s", err.text);
}

/* ---- who may be told now --------------------------------------------------------------------- */

static struct receiver *receiver_of(struct notify *notify, const struct group *group)
{
    own_str char *key = xasprintf("%d:%s", (int)group->kind, group->target);
    struct receiver *receiver = map_get_str(&notify->receivers, key);

    if (receiver)
        return receiver;
    receiver = xcalloc(1, sizeof *receiver + strlen(key) + 1);
    memcpy(receiver->key, key, strlen(key) + 1);
    receiver->last_ms = -WINDOW_MS;
    map_put_str(&notify->receivers, receiver->key, receiver);
    return receiver;
}

static bool may_tell(struct notify *notify, const struct group *group)
{
    struct receiver *receiver = receiver_of(notify, group);
    int64_t now = clock_mono_ms();

    if (now - receiver->hour_ms >= HOUR_MS) {
        receiver->hour_ms = now;
        receiver->in_hour = 0;
    }
    if (now - receiver->last_ms < WINDOW_MS || receiver->in_hour >= notify->most_per_hour)
        return false;
    receiver->last_ms = now;
    receiver->in_hour++;
    return true;
}

static void send_group(struct notify *notify, struct group *group)
{
    if (group->count && may_tell(notify, group))
        deliver(notify, group);
    group_clear(group);
}

/* ---- a turn ---------------------------------------------------------------------------------- */

struct gathering {
    struct group *groups;
    size_t count;
};

static bool gather(void *arg, const struct notice_row *row)
{
    struct gathering *all = arg;
    struct group *group = all->count ? &all->groups[all->count - 1] : NULL;
    json_t *event = json_parse(row->event, strlen(row->event), NULL);

    if (!event)
        event = json_object();
    if (!group || group->kind != row->kind || strcmp(group->target, row->target) != 0 ||
        group->count == GROUP_MOST) {
        all->groups = xrealloc(all->groups, (all->count + 1) * sizeof *all->groups);
        group = &all->groups[all->count++];
        *group = (struct group){ .kind = row->kind,
                                 .target = xstrdup(row->target),
                                 .events = json_array() };
    }
    group->notices[group->count++] = (struct notice){ row->id, row->tries };
    json_array_append_new(group->events, event);
    return true;
}

static bool stops(struct notify *notify)
{
    bool stop;

    pthread_mutex_lock(&notify->lock);
    stop = notify->stop;
    pthread_mutex_unlock(&notify->lock);
    return stop;
}

static void send_due(struct notify *notify)
{
    struct gathering all = { .groups = NULL };
    struct err err = ERR_INIT;

    if (store_notices_due(notify->store, clock_wall_ms(), DUE_MOST, gather, &all, &err) < 0)
        log_error("notices: %s", err.text);
    for (size_t i = 0; i < all.count; i++) {
        if (stops(notify))
            group_clear(&all.groups[i]);
        else
            send_group(notify, &all.groups[i]);
    }
    free(all.groups);
}

static void settle(struct notify *notify)
{
    int64_t now = clock_mono_ms(), last = store_event_last(notify->store);
    struct err err = ERR_INIT;
    int rc;

    if (last == notify->event_last && now - notify->settled_ms < IDLE_MS)
        return;
    notify->event_last = last;
    notify->settled_ms = now;
    while ((rc = store_notices_settle(notify->store, &err)) > 0 && !stops(notify))
        ;
    if (rc < 0)
        log_error("notices: %s", err.text);
}

static void prune(struct notify *notify)
{
    int64_t now = clock_wall_ms();
    struct err err = ERR_INIT;

    if (clock_mono_ms() - notify->pruned_ms < HOUR_MS)
        return;
    notify->pruned_ms = clock_mono_ms();
    if (store_notices_prune(notify->store, now - KEEP_DONE_MS, now - KEEP_DEAD_MS, &err) < 0)
        log_error("notices: %s", err.text);
}

static void *notify_main(void *arg)
{
    struct notify *notify = arg;

    while (!stops(notify)) {
        struct timespec until;

        settle(notify);
        send_due(notify);
        prune(notify);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += TURN_MS / 1000;
        pthread_mutex_lock(&notify->lock);
        if (!notify->stop)
            pthread_cond_timedwait(&notify->wake, &notify->lock, &until);
        pthread_mutex_unlock(&notify->lock);
    }
    return NULL;
}

/* ---- start and stop -------------------------------------------------------------------------- */

/* The first line. */
static int read_line(const char *path, char **out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(SECRET_MOST);

    if (buf_read_file(&text, path, err) < 0)
        return -1;
    *out = xstrndup(buf_text(&text), strcspn(buf_text(&text), "\r\n"));
    if (!**out)
        return err_set(err, FAULT_INVALID, "%s: its first line is empty", path);
    return 0;
}

static int own_secret(const char *state, char **out, struct err *err)
{
    own_str char *path = xasprintf("%s/webhook.key", state);
    char key[65];
    struct stat info;

    if (stat(path, &info) == 0)
        return read_line(path, out, err);
    io_random_hex(key, 32);
    if (io_replace_file(path, 0600, key, strlen(key), err) < 0)
        return -1;
    *out = xstrdup(key);
    return 0;
}

static void notify_free(struct notify *notify)
{
    struct receiver *receiver;

    for (size_t i = 0; (receiver = map_next(&notify->receivers, &i));)
        free(receiver);
    map_fini(&notify->receivers);
    if (notify->password)
        explicit_bzero(notify->password, strlen(notify->password));
    if (notify->secret)
        explicit_bzero(notify->secret, strlen(notify->secret));
    free(notify->smtp);
    free(notify->user);
    free(notify->password);
    free(notify->from);
    free(notify->sendmail);
    free(notify->secret);
    pthread_mutex_destroy(&notify->lock);
    pthread_cond_destroy(&notify->wake);
    free(notify);
}

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static int configure(struct notify *notify, const struct broker_conf *conf, struct err *err)
{
    notify->smtp = copy(conf->notify.smtp);
    notify->user = copy(conf->notify.user);
    notify->sendmail = copy(conf->notify.sendmail);
    notify->from = xstrdup(conf->notify.from ? conf->notify.from : "spillway@localhost");
    notify->most_per_hour = conf->notify.most_per_hour;
    if (conf->notify.password_file &&
        read_line(conf->notify.password_file, &notify->password, err) < 0)
        return err_wrap(err, "broker.notify.password_file");
    if (conf->notify.secret_file)
        return read_line(conf->notify.secret_file, &notify->secret, err) < 0
                   ? err_wrap(err, "broker.notify.secret_file")
                   : 0;
    return own_secret(conf->state, &notify->secret, err);
}

int notify_start(struct store *store, const struct broker_conf *conf, struct notify **out,
                 struct err *err)
{
    struct notify *notify = xcalloc(1, sizeof *notify);
    pthread_condattr_t attributes;

    notify->store = store;
    notify->receivers = (struct map)MAP_INIT_STR;
    notify->settled_ms = notify->pruned_ms = clock_mono_ms() - IDLE_MS;
    pthread_mutex_init(&notify->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&notify->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    post_init();
    if (configure(notify, conf, err) < 0) {
        notify_free(notify);
        return -1;
    }
    errno = pthread_create(&notify->thread, NULL, notify_main, notify);
    if (errno) {
        err_sys(err, "start the thread of notices");
        notify_free(notify);
        return -1;
    }
    *out = notify;
    return 0;
}

void notify_stop(struct notify *notify)
{
    if (!notify)
        return;
    pthread_mutex_lock(&notify->lock);
    notify->stop = true;
    pthread_cond_signal(&notify->wake);
    pthread_mutex_unlock(&notify->lock);
    pthread_join(notify->thread, NULL);
    notify_free(notify);
}
