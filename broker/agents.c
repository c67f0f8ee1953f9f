/* SPDX-License-Identifier: Apache-2.0 */
/* agents.c - mailboxes and long polls; reports.c reads what agents say. */
#include "agents.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/own.h"
#include "reports.h"
#include "spillway/wire.h"

#define WAIT_MOST_MS 60000 /* a poll is held no longer, whatever the agent asks */

struct message {
    struct list link;
    int64_t seq, attempt;
    char *lease;        /* NULL: a cancel */
    enum reason reason; /* of the cancel */
};

struct agent {
    int64_t worker;
    struct list mail;  /* struct message, by seq */
    struct list polls; /* struct poll, held open */
    int64_t last_seq, sent_seq;
    int64_t seen_mono_ms;
    bool silent, leaving, leaving_told, lost_told;
    bool drain, exit;           /* to be said in every answer ... */
    bool drain_told, exit_told; /* ... and worth waking a poll for, once */
};

/* A sync that is not answered yet: held open, or its reports are on their way to the disk. */
struct poll {
    struct list link; /* in agent->polls; alone while reports are written */
    uint64_t ticket;
    struct agents *agents;
    int64_t worker, ack, expires_mono_ms;
    agent_answer *answer; /* NULL: the caller went away */
    void *arg;
    struct reports *reports;
    bool new_epoch;
};

struct agents {
    struct store *store;
    struct agents_options options;
    char epoch[33];
    pthread_mutex_t lock;
    struct map by_worker; /* worker id -> struct agent */
    struct map polls;     /* ticket -> struct poll */
    uint64_t last_ticket;
    int64_t next_tick_mono_ms;
    int64_t last_old_attempt; /* of the life before; later ones wait in the mail until they are
                                 acknowledged */
};

struct agents *agents_new(struct store *store, const struct agents_options *options)
{
    struct agents *agents = xcalloc(1, sizeof *agents);

    agents->store = store;
    agents->options = *options;
    agents->last_old_attempt = store_attempt_last(store);
    io_random_hex(agents->epoch, 16);
    pthread_mutex_init(&agents->lock, NULL);
    return agents;
}

static struct agent *agent_get(struct agents *agents, int64_t worker)
{
    struct agent *agent = map_get(&agents->by_worker, (uint64_t)worker);

    if (agent)
        return agent;
    agent = xcalloc(1, sizeof *agent);
    agent->worker = worker;
    agent->seen_mono_ms = clock_mono_ms();
    list_init(&agent->mail);
    list_init(&agent->polls);
    map_put(&agents->by_worker, (uint64_t)worker, agent);
    return agent;
}

static void message_free(struct message *message)
{
    list_del(&message->link);
    free(message->lease);
    free(message);
}

static void poll_free(struct poll *poll)
{
    map_del(&poll->agents->polls, poll->ticket);
    list_del(&poll->link);
    reports_free(poll->reports);
    free(poll);
}

/* ---- answers
 * ------------------------------------------------------------------------------------------ */

static void put_messages(struct agent *agent, struct buf *out)
{
    const char *comma = "";
    int count = 0;

    buf_puts(out, ",\"leases\":[");
    list_each(at, &agent->mail)
    {
        const struct message *message = list_item(at, struct message, link);

        /* What does not fit is not sent yet: seq tells how far this answer goes. */
        if (++count > WIRE_LEASES_MOST || out->length > WIRE_BODY_MOST / 2)
            break;
        agent->sent_seq = message->seq;
        if (!message->lease)
            continue;
        buf_puts(out, comma);
        buf_puts(out, message->lease);
        comma = ",";
    }
    buf_puts(out, "],\"cancel\":[");
    comma = "";
    list_each(at, &agent->mail)
    {
        const struct message *message = list_item(at, struct message, link);

        if (message->seq > agent->sent_seq)
            break;
        if (message->lease)
            continue;
        buf_printf(out, "%s{\"attempt\":%lld,\"reason\":\"%s\"}", comma,
                   (long long)message->attempt,
                   message->reason == REASON_NONE ? "fenced" : reason_name(message->reason));
        comma = ",";
    }
    buf_putc(out, ']');
}

static char *answer_text(struct agents *agents, struct agent *agent, const struct poll *poll)
{
    struct buf out = BUF_INIT(0);

    list_each_safe(at, &agent->mail)
    {
        struct message *message = list_item(at, struct message, link);

        if (message->seq > poll->ack)
            break;
        message_free(message);
    }
    buf_printf(&out, "{\"epoch\":\"%s\"", agents->epoch);
    if (!poll->new_epoch)
        put_messages(agent, &out);
    buf_printf(&out, ",\"seq\":%lld", (long long)(poll->new_epoch ? 0 : agent->sent_seq));
    reports_put_settled(poll->reports, &out);
    if (agent->drain)
        buf_puts(&out, ",\"drain\":true");
    if (agent->exit)
        buf_puts(&out, ",\"exit\":true");
    agent->drain_told = agent->drain;
    agent->exit_told = agent->exit;
    buf_putc(&out, '}');
    return buf_take(&out);
}

/* With the lock held; the poll is gone afterwards. */
static void poll_answer(struct agents *agents, struct poll *poll)
{
    struct agent *agent = agent_get(agents, poll->worker);

    if (poll->answer)
        poll->answer(poll->arg, 200, answer_text(agents, agent, poll));
    poll_free(poll);
}

static bool has_news(const struct agent *agent, int64_t ack)
{
    return agent->exit != agent->exit_told || agent->drain != agent->drain_told ||
           (!list_empty(&agent->mail) &&
            list_item(agent->mail.prev, struct message, link)->seq > ack);
}

static char *problem_text(const struct err *err)
{
    struct buf out = BUF_INIT(0);

    buf_printf(&out, "{\"type\":\"urn:spillway:fault:%s\",\"detail\":", fault_name(err->fault));
    buf_put_json(&out, err->text);
    buf_putc(&out, '}');
    return buf_take(&out);
}

static int status_of(const struct err *err)
{
    return err->fault == FAULT_AUTH          ? 401
           : err->fault == FAULT_INVALID     ? 422
           : err->fault == FAULT_NOT_FOUND   ? 404
           : err->fault == FAULT_UNAVAILABLE ? 503
                                             : 500;
}

/* ---- join
 * ------------------------------------------------------------------------------------------------
 */

static int read_join(const json_t *body, struct join *join, char **facts, struct err *err)
{
    const char *token = NULL;
    const json_t *object = NULL;

    if (!json_is_object(body))
        return err_set(err, FAULT_INVALID, "a join is a JSON object");
    if (json_get_str(body, "worker", &join->worker, err) < 0 ||
        json_get_str(body, "token", &token, err) < 0 ||
        json_opt_str(body, "nonce", &join->nonce, err) < 0 ||
        json_opt_object(body, "facts", &object, err) < 0)
        return -1;
    sha256_of(token, strlen(token), join->token_hash);
    *facts = object ? json_canonical(object) : xstrdup("{}");
    if (strlen(*facts) > 65536)
        return err_set(err, FAULT_INVALID, "facts: larger than 65536 bytes");
    join->facts = *facts;
    return 0;
}

void agents_join(struct agents *agents, const json_t *body, agent_answer *answer, void *arg)
{
    struct join join = { .worker = NULL };
    own_str char *facts = NULL;
    struct err err = ERR_INIT;
    char session[65];

    io_random_hex(session, 32);
    sha256_of(session, 64, join.session_hash);
    if (read_join(body, &join, &facts, &err) < 0 ||
        store_worker_join(agents->store, &join, &err) < 0) {
        log_warn("an agent's join was refused: %s", err.text);
        answer(arg, status_of(&err), problem_text(&err));
        return;
    }
    log_info("worker %s joined", join.worker);
    agents_watch(agents, join.id);
    answer(arg, 200,
           xasprintf(
               "{\"session\":\"%s\",\"epoch\":\"%s\",\"heartbeat_ms\":%lld,\"lease_ttl_ms\":%lld,"
               "\"orphan_ms\":%lld}",
               session, agents->epoch, (long long)agents->options.heartbeat_ms,
               (long long)agents->options.lease_ttl_ms, (long long)agents->options.orphan_ms));
}

/* ---- sync
 * ------------------------------------------------------------------------------------------------
 */

/* An attempt that the record has with this worker, but the agent does not hold. */
struct held_check {
    struct agents *agents;
    int64_t worker;
    const json_t *held;
    struct report *lost;
    size_t count, room;
};

static bool is_held(const json_t *held, int64_t attempt)
{
    size_t i;
    json_t *value;

    json_array_foreach((json_t *)held, i,
                       value) if (json_integer_value(value) == attempt) return true;
    return false;
}

static bool in_mail(struct agents *agents, int64_t worker, int64_t attempt)
{
    bool found = false;
    struct agent *agent;

    pthread_mutex_lock(&agents->lock);
    agent = agent_get(agents, worker);
    list_each(at, &agent->mail) found |= list_item(at, struct message, link)->attempt == attempt;
    pthread_mutex_unlock(&agents->lock);
    return found;
}

/* One that it never heard of goes back to the queue; one that ran is lost. */
static bool check_held(void *arg, const struct attempt_row *row)
{
    struct held_check *check = arg;
    struct report *report;

    /* One of this life may be on disk and not yet in the mail: the agent has not missed it, it will
     * come. */
    if (row->id > check->agents->last_old_attempt || is_held(check->held, row->id) ||
        in_mail(check->agents, check->worker, row->id))
        return true;
    if (check->count == check->room) {
        check->room = check->room ? check->room * 2 : 16;
        check->lost = xrealloc(check->lost, check->room * sizeof *check->lost);
    }
    report = &check->lost[check->count++];
    *report = (struct report){ .attempt = row->id, .exit_code = -1 };
    report->state = row->state == TASK_LEASED ? TASK_PENDING : TASK_FAILED;
    report->reason = row->state == TASK_LEASED ? REASON_NONE : REASON_LOST;
    report->detail = "the agent no longer knows of it";
    report->finished_ms = clock_wall_ms();
    return true;
}

static void settle_held(struct agents *agents, int64_t worker, const json_t *held)
{
    struct held_check check = { .agents = agents, .worker = worker, .held = held };
    struct err err = ERR_INIT;
    size_t i;
    json_t *value;

    if (store_worker_attempts(agents->store, worker, check_held, &check, &err) < 0 ||
        (check.count && store_report(agents->store, worker, check.lost, check.count, attempts_judge,
                                     &agents->options.budgets, &err) < 0))
        log_error("worker %lld: comparing what it holds: %s", (long long)worker, err.text);
    free(check.lost);
    /* What it holds and should not: it is told to stop. */
    json_array_foreach((json_t *)held, i, value)
    {
        struct attempt_row row;
        own_buf struct buf strings = BUF_INIT(0);
        int64_t id = json_integer_value(value);

        if (store_attempt(agents->store, id, &row, &strings, NULL) != 0 || row.worker != worker ||
            task_state_final(row.state) || row.state == TASK_PENDING)
            agents_stop_attempt(agents, worker, id, REASON_NONE);
    }
}

static void reports_done(void *arg, int rc, const struct err *err)
{
    struct poll *poll = arg;
    struct agents *agents = poll->agents;

    pthread_mutex_lock(&agents->lock);
    if (rc < 0 && poll->answer)
        poll->answer(poll->arg, status_of(err), problem_text(err));
    if (rc < 0)
        poll_free(poll);
    else
        poll_answer(agents, poll);
    pthread_mutex_unlock(&agents->lock);
}

static int read_sync(const json_t *body, struct poll *poll, const json_t **held, int64_t *wait_ms,
                     const char **epoch, struct err *err)
{
    if (!json_is_object(body))
        return err_set(err, FAULT_INVALID, "a sync is a JSON object");
    if (json_opt_str(body, "epoch", epoch, err) < 0 ||
        json_opt_i64(body, "ack", 0, INT64_MAX, &poll->ack, err) < 0 ||
        json_opt_i64(body, "wait_ms", 0, INT64_MAX, wait_ms, err) < 0 ||
        json_opt_array(body, "held", held, err) < 0)
        return -1;
    return reports_parse(body, &poll->reports, err);
}

static struct poll *poll_new(struct agents *agents, int64_t worker, agent_answer *answer, void *arg)
{
    struct poll *poll = xcalloc(1, sizeof *poll);

    poll->agents = agents;
    poll->worker = worker;
    poll->answer = answer;
    poll->arg = arg;
    list_init(&poll->link);
    pthread_mutex_lock(&agents->lock);
    poll->ticket = ++agents->last_ticket;
    map_put(&agents->polls, poll->ticket, poll);
    pthread_mutex_unlock(&agents->lock);
    return poll;
}

/* Under the lock: it was heard, and what it said of itself.  True: it said for the first time that it
 * is leaving. */
static bool heard(struct agents *agents, const struct poll *poll, const json_t *body)
{
    struct agent *agent = agent_get(agents, poll->worker);
    const char *leaving = NULL;

    agent->seen_mono_ms = clock_mono_ms();
    json_opt_str(body, "leaving", &leaving, NULL);
    agent->leaving |= leaving && !agent->leaving_told;
    return agent->leaving;
}

uint64_t agents_sync(struct agents *agents, int64_t worker, const json_t *body,
                     agent_answer *answer, void *arg)
{
    struct poll *poll = poll_new(agents, worker, answer, arg);
    uint64_t ticket = poll->ticket;
    const json_t *held = NULL;
    const char *epoch = "";
    int64_t wait_ms = 0;
    bool sooner = false;
    struct err err = ERR_INIT;

    if (read_sync(body, poll, &held, &wait_ms, &epoch, &err) < 0) {
        pthread_mutex_lock(&agents->lock);
        answer(arg, status_of(&err), problem_text(&err));
        poll_free(poll);
        pthread_mutex_unlock(&agents->lock);
        return 0;
    }
    poll->new_epoch = strcmp(epoch, agents->epoch) != 0;
    if (poll->new_epoch)
        poll->ack = 0; /* numbers of another life */
    if (held && !poll->new_epoch)
        settle_held(agents, worker, held);
    pthread_mutex_lock(&agents->lock);
    sooner = heard(agents, poll, body);
    pthread_mutex_unlock(&agents->lock);
    /* Before its reports: what it hands back must not be leased to it again. */
    if (sooner && agents->options.sooner)
        agents->options.sooner(agents->options.arg);
    sooner = false;
    if (reports_count(poll->reports)) {
        reports_commit(poll->reports, agents->store, worker, attempts_judge,
                       &agents->options.budgets, reports_done, poll);
        return ticket;
    }
    pthread_mutex_lock(&agents->lock);
    if (wait_ms == 0 || poll->new_epoch || has_news(agent_get(agents, worker), poll->ack)) {
        poll_answer(agents, poll);
        ticket = 0;
    } else {
        poll->expires_mono_ms = clock_mono_ms() + (wait_ms < WAIT_MOST_MS ? wait_ms : WAIT_MOST_MS);
        list_add_tail(&agent_get(agents, worker)->polls, &poll->link);
        sooner = poll->expires_mono_ms < agents->next_tick_mono_ms;
    }
    pthread_mutex_unlock(&agents->lock);
    if (sooner && agents->options.sooner)
        agents->options.sooner(agents->options.arg);
    return ticket;
}

void agents_forget(struct agents *agents, uint64_t ticket)
{
    struct poll *poll;

    pthread_mutex_lock(&agents->lock);
    poll = ticket ? map_get(&agents->polls, ticket) : NULL;
    if (poll && list_empty(&poll->link))
        poll->answer = NULL; /* its reports go on to the disk */
    else if (poll)
        poll_free(poll);
    pthread_mutex_unlock(&agents->lock);
}

/* ---- the broker's side
 * ------------------------------------------------------------------------------------- */

void agents_watch(struct agents *agents, int64_t worker)
{
    pthread_mutex_lock(&agents->lock);
    agent_get(agents, worker);
    pthread_mutex_unlock(&agents->lock);
}

static void agent_free(struct agents *agents, struct agent *agent)
{
    list_each_safe(at, &agent->polls) poll_answer(agents, list_item(at, struct poll, link));
    list_each_safe(at, &agent->mail) message_free(list_item(at, struct message, link));
    map_del(&agents->by_worker, (uint64_t)agent->worker);
    free(agent);
}

void agents_unwatch(struct agents *agents, int64_t worker)
{
    struct agent *agent;

    pthread_mutex_lock(&agents->lock);
    agent = map_get(&agents->by_worker, (uint64_t)worker);
    if (agent) {
        agent->exit = true;
        agent_free(agents, agent);
    }
    pthread_mutex_unlock(&agents->lock);
}

static void mail(struct agents *agents, int64_t worker, int64_t attempt, char *lease,
                 enum reason reason)
{
    struct message *message = xcalloc(1, sizeof *message);
    struct agent *agent;

    pthread_mutex_lock(&agents->lock);
    agent = agent_get(agents, worker);
    message->seq = ++agent->last_seq;
    message->attempt = attempt;
    message->lease = lease;
    message->reason = reason;
    list_add_tail(&agent->mail, &message->link);
    pthread_mutex_unlock(&agents->lock);
}

void agents_lease(struct agents *agents, int64_t worker, int64_t attempt, char *text)
{
    mail(agents, worker, attempt, text, REASON_NONE);
}

void agents_stop_attempt(struct agents *agents, int64_t worker, int64_t attempt, enum reason reason)
{
    mail(agents, worker, attempt, NULL, reason);
}

void agents_drain(struct agents *agents, int64_t worker)
{
    pthread_mutex_lock(&agents->lock);
    agent_get(agents, worker)->drain = true;
    pthread_mutex_unlock(&agents->lock);
}

void agents_exit(struct agents *agents, int64_t worker)
{
    pthread_mutex_lock(&agents->lock);
    agent_get(agents, worker)->exit = true;
    pthread_mutex_unlock(&agents->lock);
}

/* With the lock held. */
static void flush_agent(struct agents *agents, struct agent *agent)
{
    list_each_safe(at, &agent->polls)
    {
        struct poll *poll = list_item(at, struct poll, link);

        if (has_news(agent, poll->ack))
            poll_answer(agents, poll);
    }
}

void agents_flush(struct agents *agents)
{
    struct agent *agent;

    pthread_mutex_lock(&agents->lock);
    for (size_t i = 0; (agent = map_next(&agents->by_worker, &i));)
        flush_agent(agents, agent);
    pthread_mutex_unlock(&agents->lock);
}

/* ---- time
 * ----------------------------------------------------------------------------------------------------
 */

static void expire_polls(struct agents *agents, struct agent *agent, int64_t now, int64_t *next)
{
    list_each_safe(at, &agent->polls)
    {
        struct poll *poll = list_item(at, struct poll, link);

        if (poll->expires_mono_ms <= now)
            poll_answer(agents, poll);
        else if (poll->expires_mono_ms < *next)
            *next = poll->expires_mono_ms;
    }
}

/* A held poll is a sign of life by itself: its end would have been told by forget. */
static bool news_of(struct agents *agents, struct agent *agent, int64_t now, enum agent_news *news)
{
    int64_t quiet = list_empty(&agent->polls) ? now - agent->seen_mono_ms : 0;
    bool silent = quiet > 3 * agents->options.heartbeat_ms;

    if (agent->leaving) {
        agent->leaving = false;
        agent->leaving_told = true;
        *news = AGENT_LEAVING;
        return true;
    }
    if (quiet > agents->options.lease_ttl_ms && !agent->lost_told) {
        agent->lost_told = true;
        *news = AGENT_LOST;
        return true;
    }
    if (silent == agent->silent || agent->lost_told)
        return false;
    agent->silent = silent;
    *news = silent ? AGENT_SILENT : AGENT_HEARD;
    return true;
}

int64_t agents_tick(struct agents *agents, int64_t now, agents_news *tell, void *arg)
{
    struct {
        int64_t worker;
        enum agent_news news;
    } *found = NULL;
    size_t count = 0;
    int64_t next = now + agents->options.heartbeat_ms;
    struct agent *agent;

    pthread_mutex_lock(&agents->lock);
    for (size_t i = 0; (agent = map_next(&agents->by_worker, &i));) {
        enum agent_news news;

        expire_polls(agents, agent, now, &next);
        if (!news_of(agents, agent, now, &news))
            continue;
        found = xrealloc(found, (count + 1) * sizeof *found);
        found[count].worker = agent->worker;
        found[count++].news = news;
    }
    agents->next_tick_mono_ms = next;
    pthread_mutex_unlock(&agents->lock);
    for (size_t i = 0; i < count; i++)
        tell(arg, found[i].worker, found[i].news);
    free(found);
    return next;
}

void agents_free(struct agents *agents)
{
    struct agent *agent;
    size_t i = 0;

    if (!agents)
        return;
    pthread_mutex_lock(&agents->lock);
    while ((i = 0, agent = map_next(&agents->by_worker, &i)))
        agent_free(agents, agent);
    pthread_mutex_unlock(&agents->lock);
    map_fini(&agents->by_worker);
    map_fini(&agents->polls);
    pthread_mutex_destroy(&agents->lock);
    free(agents);
}
