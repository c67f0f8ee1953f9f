/* SPDX-License-Identifier: Apache-2.0 */
/* sync.c - join, poll, report. */
#include "sync.h"

#include <inttypes.h>

#include "answer.h"
#include "backoff.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "inbox.h"
#include "main.h"
#include "spillway/wire.h"

#define HEARTBEAT_MS 10000 /* until the broker says otherwise */
#define ANSWER_MS    20000 /* to wait for an answer, beyond what the broker may hold the call */
#define RESEND_MS    10000 /* a final report that was not settled is said again */
#define GATHER_MS    8     /* between reports while there is work in hand */
#define GATHER_MOST  128   /* reports that do not wait */
#define BODY_SOFT    (WIRE_BODY_MOST - WIRE_BODY_MOST / 4)
#define REFUSED_MS   60000 /* the broker does not know our session: it may be coming up */

/* Where an attempt's `say` node is. */
enum { SAY_NOWHERE, SAY_OUTBOX, SAY_CARRIED, SAY_TOLD };

struct call {
    struct sync *sync;
    struct http_request request;
    bool busy, is_poll, with_held, with_leaving;
    struct list carried; /* attempts whose reports it has */
    size_t carried_count;
};

struct sync {
    struct agent *agent;
    struct http *http;
    struct inbox inbox;
    struct call join, poll, report;
    struct list outbox; /* attempts with something to say */
    struct list told;   /* said, not settled, the oldest first */
    size_t outbox_count, carry_most;
    struct backoff backoff;
    struct timer retry;  /* when to try again; nothing is sent while it is set */
    struct timer gather; /* when to send reports */
    struct timer resend, orphan;
    int64_t heartbeat_ms, orphan_ms;
    int64_t contact_ms, reported_ms, refused_ms;
    bool nudge, leaving_heard;
};

static void fail(struct call *call);

bool sync_was_settled(const struct sync *sync, int64_t attempt)
{
    return inbox_was_settled(&sync->inbox, attempt);
}

void sync_settle(struct sync *sync, int64_t attempt)
{
    inbox_settle(&sync->inbox, attempt);
}

/* ---- what is to be said ---------------------------------------------------------------------- */

static void put_in_outbox(struct sync *sync, struct attempt *a)
{
    list_del(&a->say);
    list_add_tail(&sync->outbox, &a->say);
    a->say_where = SAY_OUTBOX;
    sync->outbox_count++;
}

void sync_say(struct attempt *a)
{
    struct sync *sync = a->agent->sync;

    if (a->say_where == SAY_CARRIED)
        a->say_more = true;
    else if (a->say_where != SAY_OUTBOX)
        put_in_outbox(sync, a);
}

void sync_forget(struct attempt *a)
{
    struct sync *sync = a->agent->sync;

    list_del(&a->say);
    if (a->say_where == SAY_OUTBOX)
        sync->outbox_count--;
    else if (a->say_where == SAY_CARRIED) /* the count of its call is only a hint */
        a->say_more = false;
    a->say_where = SAY_NOWHERE;
}

/* A running report is left out when its end is already known. */
static void put_report(struct buf *out, struct attempt *a)
{
    if (a->report)
        buf_puts(out, a->report);
    else if (a->say_returned)
        buf_printf(out, "{\"attempt\":%" PRId64 ",\"state\":\"returned\"}", a->id);
    else if (a->say_completing)
        buf_printf(out, "{\"attempt\":%" PRId64 ",\"state\":\"completing\"}", a->id);
    else
        buf_printf(out, "{\"attempt\":%" PRId64 ",\"state\":\"running\",\"started\":%" PRId64 "}",
                   a->id, a->started_wall_ms);
}

static void carry(struct sync *sync, struct call *call, struct buf *out)
{
    size_t most = sync->carry_most;

    buf_puts(out, ",\"reports\":[");
    while (!list_empty(&sync->outbox) && call->carried_count < most && out->length < BODY_SOFT) {
        struct attempt *a = list_item(sync->outbox.next, struct attempt, say);

        if (call->carried_count)
            buf_putc(out, ',');
        put_report(out, a);
        list_del(&a->say);
        list_add_tail(&call->carried, &a->say);
        a->say_where = SAY_CARRIED;
        a->say_more = false;
        sync->outbox_count--;
        call->carried_count++;
    }
    buf_putc(out, ']');
}

static void set_resend(struct sync *sync)
{
    const struct attempt *first;

    if (list_empty(&sync->told) || sync->resend.slot)
        return;
    first = list_item(sync->told.next, struct attempt, say);
    timer_set(sync->agent->loop, &sync->resend, first->told_ms + RESEND_MS);
}

static void resend(struct timer *timer)
{
    struct sync *sync = list_item(timer, struct sync, resend);
    int64_t now = clock_mono_ms();

    while (!list_empty(&sync->told)) {
        struct attempt *a = list_item(sync->told.next, struct attempt, say);

        if (a->told_ms + RESEND_MS > now)
            break;
        put_in_outbox(sync, a);
    }
    set_resend(sync);
}

/* The call was answered: its reports were heard. */
static void carried_was_heard(struct sync *sync, struct call *call)
{
    int64_t now = clock_mono_ms();

    while (!list_empty(&call->carried)) {
        struct attempt *a = list_item(call->carried.next, struct attempt, say);

        list_del(&a->say);
        a->say_where = SAY_NOWHERE;
        if (a->say_more) {
            put_in_outbox(sync, a);
        } else if (a->say_returned) {
            lease_settled(sync->agent, a->id);
        } else if (a->report) {
            a->told_ms = now;
            a->say_where = SAY_TOLD;
            list_add_tail(&sync->told, &a->say);
        }
    }
    call->carried_count = 0;
    set_resend(sync);
}

static void carried_was_lost(struct sync *sync, struct call *call)
{
    while (!list_empty(&call->carried))
        put_in_outbox(sync, list_item(call->carried.prev, struct attempt, say));
    call->carried_count = 0;
}

/* ---- what an answer brings ------------------------------------------------------------------- */

static void each_number(const json_t *list, struct agent *agent,
                        void (*each)(struct agent *agent, int64_t value))
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_is_integer(item))
            each(agent, json_integer_value(item));
    }
}

static void take_leases(struct agent *agent, const json_t *list)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        lease_take_in(agent, item);
    }
}

static void take_cancels(struct agent *agent, const json_t *list)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        const char *reason = json_string_value(json_object_get(item, "reason"));

        lease_cancel(agent, lease_id(item), reason ? reason : "cancelled");
    }
}

/* A broker that was started again knows from its disk what was settled; the rest it must hear
 * again. */
static void say_all_again(struct sync *sync)
{
    while (!list_empty(&sync->told))
        put_in_outbox(sync, list_item(sync->told.next, struct attempt, say));
}

static void take_answer(struct sync *sync, const struct answer *answer)
{
    struct agent *agent = sync->agent;

    if (inbox_epoch(&sync->inbox, answer->epoch))
        say_all_again(sync);
    each_number(answer->settled, agent, lease_settled);
    if (inbox_take(&sync->inbox, answer->seq)) {
        take_leases(agent, answer->leases);
        take_cancels(agent, answer->cancel);
    }
    if (answer->drain)
        lease_drain(agent);
    if (answer->exit)
        agent_end(agent, "the broker has nothing more for this worker");
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void orphaned(struct timer *timer)
{
    struct sync *sync = list_item(timer, struct sync, orphan);
    int64_t span = sync->orphan_ms;

    if (sync->refused_ms && REFUSED_MS < span)
        span = REFUSED_MS;
    if (clock_mono_ms() < sync->contact_ms + span) {
        timer_set(sync->agent->loop, timer, sync->contact_ms + span);
        return;
    }
    agent_orphaned(sync->agent);
}

static void contact(struct sync *sync)
{
    sync->contact_ms = clock_mono_ms();
    sync->refused_ms = 0;
    backoff_reset(&sync->backoff);
}

/* Not known any more, unless it changes its mind within a minute: then it is as good as gone. */
static void refused(struct sync *sync)
{
    if (sync->refused_ms)
        return;
    sync->refused_ms = clock_mono_ms();
    if (sync->orphan_ms)
        timer_set(sync->agent->loop, &sync->orphan, sync->refused_ms + REFUSED_MS);
}

/* A report that makes the broker refuse the whole call must not keep the others from it. */
static void single_out(struct sync *sync, struct call *call)
{
    struct attempt *a;

    if (list_empty(&call->carried))
        return;
    if (call->carried.next != call->carried.prev) {
        sync->carry_most = call->carried_count > 1 ? call->carried_count / 2 : 1;
        return;
    }
    a = list_item(call->carried.next, struct attempt, say);
    log_error("attempt %" PRId64 ": the broker refuses its report (%d)", a->id,
              call->request.status);
    lease_settled(sync->agent, a->id);
    sync->carry_most = WIRE_REPORTS_MOST;
}

static void fail(struct call *call)
{
    struct sync *sync = call->sync;
    int64_t wait = backoff_next_ms(&sync->backoff);
    int status = call->request.status;

    if (status == 400 || status == 413 || status == 422)
        single_out(sync, call);
    carried_was_lost(sync, call);
    if (status == 401 || status == 403)
        refused(sync);
    else if (status)
        sync->contact_ms = clock_mono_ms();
    if (call->request.retry_ms > wait)
        wait = call->request.retry_ms;
    if (sync->backoff.tries <= 2 || sync->backoff.tries % 20 == 0)
        log_warn("%s: %s%.0d; next try in %" PRId64 " ms", call->is_poll ? "poll" : "report",
                 status ? "status " : call->request.err.text, status, wait);
    if (!sync->retry.slot)
        timer_set(sync->agent->loop, &sync->retry, clock_mono_ms() + wait);
    if (!status && access(sync->agent->boot.dir, F_OK) < 0)
        agent_end(sync->agent, "broker and directory are gone");
}

static void answered(struct http_request *request)
{
    struct call *call = list_item(request, struct call, request);
    struct sync *sync = call->sync;
    own_answer struct answer answer = { .root = NULL };

    call->busy = false;
    if (request->status == 200 && answer_parse(buf_text(&request->answer), request->answer.length,
                                               &answer, &request->err) < 0)
        request->status = 0;
    if (request->status != 200) {
        fail(call);
        return;
    }
    contact(sync);
    if (call->with_held)
        sync->inbox.held_told = true; /* unless the answer is of a new epoch */
    if (call->with_leaving)
        sync->leaving_heard = true;
    carried_was_heard(sync, call); /* before the settled ones among them are forgotten */
    take_answer(sync, &answer);
    http_request_fini(request);
}

static void put_held(struct sync *sync, struct buf *out)
{
    struct attempt *a;
    const char *comma = "";

    buf_puts(out, ",\"held\":[");
    for (size_t i = 0; (a = map_next(&sync->agent->attempts, &i));) {
        buf_printf(out, "%s%" PRId64, comma, a->id);
        comma = ",";
    }
    buf_putc(out, ']');
}

static void send_call(struct sync *sync, struct call *call, int64_t wait_ms)
{
    struct agent *agent = sync->agent;
    struct http_request *request = &call->request;
    struct buf *out = &request->body;

    http_request_fini(request);
    http_request_init(request, "POST", xstrdup("/v1/agent/sync"));
    request->token = agent->boot.session;
    request->type = "application/json";
    request->answer_most = 2 * WIRE_BODY_MOST;
    request->whole_ms = request->idle_ms = wait_ms + ANSWER_MS;
    request->done = answered;
    call->busy = true;
    call->with_held = !sync->inbox.held_told;
    call->with_leaving = agent->leaving;
    buf_puts(out, "{\"epoch\":");
    buf_put_json(out, sync->inbox.epoch);
    buf_printf(out, ",\"ack\":%" PRId64 ",\"wait_ms\":%" PRId64 ",\"queued\":%d,\"running\":%d",
               sync->inbox.ack, wait_ms, agent->queued, agent->slots.running);
    if (call->with_held)
        put_held(sync, out);
    if (agent->leaving)
        buf_printf(out, ",\"leaving\":\"%s\",\"grace_ms\":%" PRId64, agent->leaving_why,
                   agent->boot.grace_ms);
    if (!call->is_poll || call->with_held)
        carry(sync, call, out);
    buf_putc(out, '}');
    http_send(sync->http, request);
}

bool sync_leaving_was_heard(const struct sync *sync)
{
    return sync->leaving_heard;
}

void sync_nudge(struct sync *sync)
{
    sync->nudge = true;
}

/* With work in hand a report may wait a little for others; a slot that has nothing to do may not.
 */
static bool reports_are_due(struct sync *sync)
{
    int64_t due = sync->reported_ms + GATHER_MS;

    if (sync->nudge)
        return true;
    if (!sync->outbox_count)
        return false;
    if (!sync->agent->queued || sync->outbox_count >= GATHER_MOST || clock_mono_ms() >= due)
        return true;
    if (!sync->gather.slot)
        timer_set(sync->agent->loop, &sync->gather, due);
    return false;
}

void sync_turn(struct sync *sync)
{
    if (!sync->agent->boot.session || sync->retry.slot)
        return;
    /* The first word to a broker that does not know us goes alone. */
    if (!sync->inbox.held_told) {
        if (!sync->poll.busy && !sync->report.busy)
            send_call(sync, &sync->poll, 0);
        return;
    }
    if (!sync->poll.busy)
        send_call(sync, &sync->poll, sync->heartbeat_ms);
    if (!sync->report.busy && reports_are_due(sync)) {
        sync->nudge = false;
        sync->reported_ms = clock_mono_ms();
        send_call(sync, &sync->report, 0);
    }
}

static void nothing(struct timer *timer)
{
    (void)timer; /* the turn that follows does what is due */
}

/* ---- join ------------------------------------------------------------------------------------ */

static void send_join(struct sync *sync);

static void try_join(struct timer *timer)
{
    struct sync *sync = list_item(timer, struct sync, retry);

    if (!sync->agent->boot.session)
        send_join(sync);
}

static int take_join(struct sync *sync, const struct http_request *request, struct err *err)
{
    struct boot *boot = &sync->agent->boot;
    own_json json_t *answer = json_parse(buf_text(&request->answer), request->answer.length, err);
    const char *session = NULL, *epoch = "";

    if (!answer || json_get_str(answer, "session", &session, err) < 0 ||
        json_opt_str(answer, "epoch", &epoch, err) < 0 ||
        json_opt_i64(answer, "heartbeat_ms", 100, 3600000, &sync->heartbeat_ms, err) < 0 ||
        json_opt_i64(answer, "orphan_ms", 0, INT64_MAX / 2, &boot->orphan_ms, err) < 0)
        return -1;
    if (!*session || strlen(session) > 1024 || strpbrk(session, "\r\n"))
        return err_set(err, FAULT_INVALID, "session: not a token");
    if (strlen(epoch) < INBOX_EPOCH)
        inbox_epoch(&sync->inbox, epoch);
    sync->orphan_ms = boot->orphan_ms;
    boot->session = xstrdup(session);
    free(take_ptr(boot->token)); /* it is of no use any more */
    return boot_save(boot, err);
}

static void joined(struct http_request *request)
{
    struct call *call = list_item(request, struct call, request);
    struct sync *sync = call->sync;
    struct err err = ERR_INIT;
    int status = request->status;
    int64_t wait;

    call->busy = false;
    if (status == 200 || status == 201) {
        if (take_join(sync, request, &err) == 0) {
            log_info("joined as %s", sync->agent->boot.worker);
            contact(sync);
            if (sync->orphan_ms)
                timer_set(sync->agent->loop, &sync->orphan, sync->contact_ms + sync->orphan_ms);
            http_request_fini(request);
            return;
        }
        if (sync->agent->boot.session) { /* joined, but cannot be remembered */
            agent_fail(sync->agent, err.text);
            return;
        }
        request->err = err;
    } else if (status >= 400 && status < 500 && status != 408 && status != 429) {
        err_set(&err, FAULT_AUTH, "the broker refuses this worker (status %d): %.300s", status,
                buf_text(&request->answer));
        agent_fail(sync->agent, err.text);
        return;
    }
    wait = backoff_next_ms(&sync->backoff);
    if (request->retry_ms > wait)
        wait = request->retry_ms;
    log_warn("join: %s%.0d; next try in %" PRId64 " ms", status ? "status " : request->err.text,
             status, wait);
    timer_set(sync->agent->loop, &sync->retry, clock_mono_ms() + wait);
}

static void send_join(struct sync *sync)
{
    struct agent *agent = sync->agent;
    struct http_request *request = &sync->join.request;
    json_t *body;
    own_str char *text = NULL;

    http_request_fini(request);
    http_request_init(request, "POST", xstrdup("/v1/agent/join"));
    request->type = "application/json";
    request->whole_ms = ANSWER_MS;
    request->done = joined;
    body = json_pack("{s:s, s:s, s:s, s:s, s:o}", "worker", agent->boot.worker, "token",
                     agent->boot.token, "nonce", agent->boot.nonce, "version", SPILLWAY_VERSION,
                     "facts", facts_json(&agent->facts, cgroups_kind(agent->cgroups)));
    text = json_canonical(body);
    json_decref(body);
    buf_puts(&request->body, text);
    sync->join.busy = true;
    http_send(sync->http, request);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void call_init(struct sync *sync, struct call *call, bool is_poll)
{
    call->sync = sync;
    call->is_poll = is_poll;
    list_init(&call->carried);
    http_request_init(&call->request, "POST", NULL);
}

struct sync *sync_new(struct agent *agent)
{
    struct sync *sync = xcalloc(1, sizeof *sync);
    bool local = agent->boot.server.url.scheme == URL_UNIX;

    sync->agent = agent;
    sync->http = http_new(agent->loop, agent->resolver, &agent->boot.server, 2);
    sync->heartbeat_ms = HEARTBEAT_MS;
    sync->orphan_ms = agent->boot.orphan_ms;
    sync->carry_most = WIRE_REPORTS_MOST;
    sync->backoff =
        (struct backoff){ .first_ms = local ? 20 : 200, .most_ms = local ? 1000 : 15000 };
    sync->retry.fire = try_join;
    sync->gather.fire = nothing;
    sync->resend.fire = resend;
    sync->orphan.fire = orphaned;
    list_init(&sync->outbox);
    list_init(&sync->told);
    inbox_init(&sync->inbox);
    call_init(sync, &sync->join, false);
    call_init(sync, &sync->poll, true);
    call_init(sync, &sync->report, false);
    return sync;
}

void sync_start(struct sync *sync)
{
    sync->contact_ms = clock_mono_ms();
    if (sync->orphan_ms)
        timer_set(sync->agent->loop, &sync->orphan, sync->contact_ms + sync->orphan_ms);
    if (!sync->agent->boot.session)
        send_join(sync);
}
