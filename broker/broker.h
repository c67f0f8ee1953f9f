/* SPDX-License-Identifier: Apache-2.0 */
/* broker.h - the running broker: what the API may ask of it.
 *
 * Owns the store, the queue (memory's index over the store), the scheduler's thread, the sites with
 * a thread each, and the agents' mailboxes.  Every function here may be called from any thread,
 * never while holding a lock.  Order of locks: queue, then agents, then a site's own; none is held
 * over I/O. */
#ifndef SPILLWAY_BROKER_H
#define SPILLWAY_BROKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/broker.h"
#include "conf/job.h"
#include "cron/agenda.h"
#include "store/store.h"

struct broker;

int broker_open(const struct broker_conf *conf, struct broker **out, struct err *err);
/* SHA-256 of the certificate that agents are to expect; before broker_start. */
void broker_set_pin(struct broker *broker, const char *pin);
/* Threads on.  Before it nothing is decided; the API may listen already and answer 503. */
int broker_start(struct broker *broker, struct err *err);
/* Stops deciding, leaves workers to run on, commits what is queued. */
void broker_close(struct broker *broker);
/* SIGHUP: sites and limits from a new configuration; jobs and workers stay.  The old one may be
 * freed afterwards. */
int broker_reload(struct broker *broker, const struct broker_conf *conf, struct err *err);

struct store *broker_store(struct broker *broker);
bool broker_ready(struct broker *broker);
/* `wake` is called (any thread, keep it short) after each commit that added events. */
void broker_on_events(struct broker *broker, void (*wake)(void *arg), void *arg);

/* ---- agents
 * -------------------------------------------------------------------------------------------- */

/* The answer to an agent's call: status and JSON body, called once, from any thread, also before
 * the function that took it returns. */
typedef void agent_answer(void *arg, int status, char *body);
void broker_agent_join(struct broker *broker, const json_t *body, agent_answer *answer, void *arg);
/* `worker` is the session's.  May answer much later (long poll).  Returns a ticket for forget, 0
 * when already answered. */
uint64_t broker_agent_sync(struct broker *broker, int64_t worker, const json_t *body,
                           agent_answer *answer, void *arg);
/* The caller went away: after it returns, `answer` will not be called for this ticket. */
void broker_agent_forget(struct broker *broker, uint64_t ticket);

/* ---- schedules
 * ------------------------------------------------------------------------------------------- */

/* A schedule's next run wants its workers ahead of time; NULL: none does. */
void broker_coming(struct broker *broker, int64_t schedule, const struct coming_run *run);

/* {"site", "end", "run"}: a credential that ends before a run of the schedule that may go there;
 * NULL: none is known to. */
json_t *broker_credential_warning(struct broker *broker, int64_t schedule);

/* ---- placement
 * ------------------------------------------------------------------------------------------ */

/* A row per site: {"site", "tier", "verdict": "running|ready|busy|full|never|disabled|down|...",
 * "text": one sentence with the arithmetic, "fits_if": what would make it fit, "start": predicted,
 * "cost": …}. *never: no site can ever run it as configured. */
int broker_explain_spec(struct broker *broker, const struct job_spec *spec, const char *project,
                        const char *user, json_t **out, bool *never, struct err *err);
/* Why a pending task does not start, as far as its job is the cause (dependency, held, limit, backoff);
 * REASON_NONE: it waits for a place, and broker_explain() says more.  index < 0: the rest of an array. */
enum reason broker_wait_reason(struct broker *broker, struct target target);
/* Of a job or one task: {"id", "state", "reason", "text", "sites": [rows]} */
int broker_explain(struct broker *broker, struct target target, json_t **out, struct err *err);

/* ---- sites and workers
 * ------------------------------------------------------------------------------------ */

/* A list of objects, one a site; or of one site, with quota, shapes, images, learned figures. */
json_t *broker_sites(struct broker *broker);
int broker_site_show(struct broker *broker, const char *name, json_t **out, struct err *err);
/* "enabled", "disabled" (nothing new), "draining" (nothing new, idle workers go). */
int broker_site_mode(struct broker *broker, const char *name, const char *mode, struct err *err);
/* Ask the site afresh; returns when the answer is there or the deadline passed. */
int broker_site_probe(struct broker *broker, const char *name, json_t **out, struct err *err);
/* What bears our mark there, and what of it has no row; `reap` removes that. */
int broker_site_audit(struct broker *broker, const char *name, bool reap, json_t **out,
                      struct err *err);
/* drain: takes no new work, goes when empty.  rm: its attempts go back to the queue, it is
 * destroyed. */
int broker_worker_drain(struct broker *broker, const char *name, struct err *err);
int broker_worker_rm(struct broker *broker, const char *name, struct err *err);
/* Asks its site how it is: {"name", "state": "booting|active|failed|gone", "detail", "at"}. */
int broker_worker_inspect(struct broker *broker, const char *name, json_t **out, struct err *err);

/* Who stands where in the fair share, and why. */
json_t *broker_shares(struct broker *broker);
/* Figures for /metrics, besides store_stats(): appended as Prometheus text. */
void broker_metrics(struct broker *broker, struct buf *out);

#endif
