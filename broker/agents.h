/* SPDX-License-Identifier: Apache-2.0 */
/* agents.h - the broker's end of the talk with its agents (wire.h): mailboxes, long polls, reports.
 *
 * A message to an agent (lease, cancel) has a number and is sent again until the agent acknowledges
 * it. Mailboxes are memory only: `epoch` names this life of the broker, and an agent that meets a
 * new one says what it holds, which is then compared with the record.  Any thread may call. Answers
 * are called with the lock held: they must not call back. */
#ifndef SPILLWAY_AGENTS_H
#define SPILLWAY_AGENTS_H

#include "attempts.h"
#include "broker.h"

struct agents;
struct agents_options {
    int64_t heartbeat_ms, lease_ttl_ms, orphan_ms;
    struct budgets budgets;
    void (*sooner)(void *arg); /* there is news before agents_tick() is due: call it earlier */
    void *arg;
};
struct agents *agents_new(struct store *store, const struct agents_options *options);
/* Held polls are answered "try again". */
void agents_free(struct agents *agents);

void agents_join(struct agents *agents, const json_t *body, agent_answer *answer, void *arg);
uint64_t agents_sync(struct agents *agents, int64_t worker, const json_t *body,
                     agent_answer *answer, void *arg);
void agents_forget(struct agents *agents, uint64_t ticket);

/* A worker that may talk to us: counted as heard now. */
void agents_watch(struct agents *agents, int64_t worker);
void agents_unwatch(struct agents *agents, int64_t worker);
/* Put a lease into the mailbox; takes `text`. */
void agents_lease(struct agents *agents, int64_t worker, int64_t attempt, char *text);
void agents_stop_attempt(struct agents *agents, int64_t worker, int64_t attempt,
                         enum reason reason);
/* From now on every answer says so. */
void agents_drain(struct agents *agents, int64_t worker);
void agents_exit(struct agents *agents, int64_t worker);
/* Answer the polls of all that have mail. */
void agents_flush(struct agents *agents);

/* What time has brought: polls to answer (done inside), workers fallen silent, heard again, or
 * lost. */
enum agent_news { AGENT_SILENT, AGENT_HEARD, AGENT_LOST, AGENT_LEAVING };
typedef void agents_news(void *arg, int64_t worker, enum agent_news news);
/* Returns the monotonic ms at which to call again.  `tell` is called without the lock. */
int64_t agents_tick(struct agents *agents, int64_t now_mono_ms, agents_news *tell, void *arg);

#endif
