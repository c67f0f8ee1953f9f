/* SPDX-License-Identifier: Apache-2.0 */
/* notices.h - what is to be told, to whom, and whether it arrived.
 *
 * A notice is committed together with what it tells of: the end of a run, or the look at a job that
 * ended.  Delivery is broker/notify/'s: it may happen twice (a crash before the answer was noted),
 * hence each has an id; it never gets lost.  Rules as in store.h. */
#ifndef SPILLWAY_STORE_NOTICES_H
#define SPILLWAY_STORE_NOTICES_H

#include "store/store.h"

enum notice_kind { NOTICE_WEBHOOK, NOTICE_MAIL };
enum notice_state { NOTICE_PENDING, NOTICE_DONE, NOTICE_DEAD };

struct notice_row {
    int64_t id, at_ms, due_ms, done_ms;
    enum notice_kind kind;
    enum notice_state state;
    int tries;
    const char *target; /* URL, or mail address */
    const char *event;  /* JSON object: docs/schedules.md, "Notifications" */
    const char *user, *project;
    const char *error; /* of the last try; NULL: none */
};
typedef bool store_notice_each(void *arg, const struct notice_row *row);

/* The operator's own targets, as a job's `notify:` (without `on`); NULL: none. */
void store_set_operator(struct store *store, const char *notify);
/* A site's credential ends at end_ms, and `schedule` of `user` in `project` runs after that.  Told
 * once for each end: 0: told, 1: was told before. */
struct credential_end {
    const char *site, *schedule, *user, *project;
    int64_t end_ms, run_s;
};
int store_credential_ending(struct store *store, const struct credential_end *end, struct err *err);
/* Jobs with `notify:` that began or ended since: their notices are made.  1: there is more. */
int store_notices_settle(struct store *store, struct err *err);
/* Pending ones that are due, by target and age. */
int store_notices_due(struct store *store, int64_t now_ms, int64_t limit, store_notice_each *each,
                      void *arg, struct err *err);
/* In order of id, those above `after`. */
int store_notices(struct store *store, int64_t after, store_notice_each *each, void *arg,
                  struct err *err);

struct notice_result {
    int64_t id;
    enum notice_state state; /* PENDING: try again at due_ms */
    int64_t due_ms;
    const char *error; /* NULL: none */
};
int store_notices_note(struct store *store, const struct notice_result *list, size_t count,
                       struct err *err);
/* A dead one is tried again, from now.  1: no such notice, or not dead. */
int store_notice_replay(struct store *store, int64_t id, struct err *err);
/* Those delivered or given up before. */
int store_notices_prune(struct store *store, int64_t done_before_ms, int64_t dead_before_ms,
                        struct err *err);

#endif
