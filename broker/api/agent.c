/* SPDX-License-Identifier: Apache-2.0 */
/* agent.c - joins and long polls of agents, and the agent's own executable (wire.h). */
#include <inttypes.h>
#include <string.h>

#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "base/log.h"

struct talk {
    json_t *body;
    uint64_t ticket; /* of a sync that waits */
};

static void free_talk(void *state)
{
    struct talk *talk = state;

    json_decref(talk->body);
    free(talk);
}

static struct talk *read_talk(struct request *request, struct err *err)
{
    struct talk *talk;
    json_t *body = request_json(request, err);

    if (!body)
        return NULL;
    talk = xcalloc(1, sizeof *talk);
    talk->body = body;
    request->state = talk;
    request->free_state = free_talk;
    return talk;
}

/* From any thread, with locks of the broker held. */
static void answered(void *arg, int status, char *body)
{
    struct request *request = arg;
    size_t length = strlen(body);

    request->reply.body =
        (struct buf){ .data = body, .length = length, .room = length + 1, .cap = length + 1 };
    reply_body(request, (unsigned)status, status < 400 ? NULL : "application/problem+json");
    request_done(request, 0, NULL);
}

/* ---- join: on a thread of the pool, since it waits for a commit */

static int after_join(struct request *request, struct err *err)
{
    (void)err;
    if (request->reply.status != 401 && request->reply.status != 403)
        return 0;
    auth_failed(request->api->auth, request->peer->address);
    log_warn("join refused from=\"%s\"", request->peer->address);
    return 0;
}

int agent_join(struct request *request, struct err *err)
{
    struct talk *talk;

    if (auth_may_try(request->api->auth, request->peer->address, err) < 0)
        return -1;
    talk = read_talk(request, err);
    if (!talk)
        return -1;
    request->finish = after_join;
    broker_agent_join(request->broker, talk->body, answered, request);
    return REQUEST_LATER;
}

/* ---- sync */

/* The agent hung up, or the API stops. */
static void gone(void *arg, enum ring why)
{
    struct request *request = arg;
    struct talk *talk = request->state;

    (void)why;
    broker_agent_forget(request->broker, talk->ticket);
    /* An answer that came first has resumed it already, and must not be touched. */
    if (!atomic_load(&request->parked))
        return;
    request->reply.hang_up = true;
    request_resume(request);
}

int agent_sync(struct request *request, struct err *err)
{
    struct talk *talk = read_talk(request, err);

    if (!talk)
        return -1;
    request_park(request);
    talk->ticket =
        broker_agent_sync(request->broker, request->caller->worker, talk->body, answered, request);
    if (!talk->ticket)
        return REQUEST_LATER;
    /* It may have been answered since; then being watched does no harm, and ends with the request.
     */
    request->watched.fd = request->peer->fd;
    request->watched.ring = gone;
    request->watched.arg = request;
    watch_add(request->api->watch, &request->watched, 0);
    return REQUEST_LATER;
}
