/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - calls to one API server.
 *
 * A refused credential is renewed once; calls that only read, or that remove, are repeated a little
 * when the server stumbles, others never are, for what came of them is not known.  One thread at a
 * time; the login is shared between the clients of a site. */
#ifndef SPILLWAY_KUBERNETES_CLIENT_H
#define SPILLWAY_KUBERNETES_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sites/kubernetes/login.h"

struct client;

/* No network.  `conf` and `login` must outlive it. */
int client_new(const struct kube_conf *conf, struct login *login, double calls_per_second,
               int burst, struct client **out, struct err *err);
void client_free(struct client *client);

struct call {
    const char *method;
    const char *path; /* below the server's URL: "/api/v1/nodes" */
    const json_t *body;
    const char *accept; /* NULL: JSON */
    bool wants_text;    /* the answer is text, into `text` */
    struct buf text;

    /* The answer: */
    long status;
    json_t *answer;
    bool maybe_done; /* after a fault: it may have been carried out all the same */
};
void call_fini(struct call *call);
#define own_call own(call_fini)

/* 0: answered with a 2xx.  Faults are typed by status and by the server's words. */
int client_call(struct client *client, struct call *call, int64_t deadline_mono_ms,
                struct err *err);

/* Several that do not depend on each other, at once and each once; errs[i].fault is FAULT_NONE for
 * those that were answered with a 2xx. */
void client_calls(struct client *client, struct call *calls, size_t count, int64_t deadline_mono_ms,
                  struct err *errs);

/* All items of a list, page by page.  `path` has its own "?..." or none; *version (owned by the
 * caller, may be NULL) is the list's resourceVersion. */
typedef void client_each(void *arg, const json_t *item);
int client_list(struct client *client, const char *path, const char *accept,
                int64_t deadline_mono_ms, client_each *each, void *arg, char **version,
                struct err *err);

/* ---- object.c, pure ---- */

/* The fault that an answer stands for: "WHAT: 403: the server's words". */
int kube_fault(const char *what, long status, const char *body, size_t length, struct err *err);
/* The type of fault in the words of an event or of a status. */
bool kube_is_quota(const char *words);
/* `text` with all but letters, digits and "-._~" as %XX. */
void put_query(struct buf *out, const char *text);
const char *kube_text(const json_t *object, const char *key); /* NULL: none, or "" */
/* A member below members: kube_at(pod, "status", "phase", NULL). */
#define kube_at(object, ...) kube_below(object, (const char *const[]){ __VA_ARGS__ })
const json_t *kube_below(const json_t *object, const char *const *keys);
int64_t kube_time(const json_t *value); /* RFC 3339; 0: none */

#endif
