/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - logged in to one OpenStack project: token, catalogue, versions, and calls with them.
 *
 * A token is reused until it nears its end and renewed once when it is refused earlier.  Calls that
 * only read, or that remove, are repeated a little when the service stumbles; others never are, for
 * what came of them is not known.  One thread at a time. */
#ifndef SPILLWAY_OPENSTACK_SESSION_H
#define SPILLWAY_OPENSTACK_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/carry.h"
#include "net/http.h"
#include "sites/openstack/clouds.h"

enum os_service {
    OS_COMPUTE,
    OS_NETWORK,
    OS_IMAGE,
    OS_VOLUME,
    OS_PLACEMENT,
    OS_ORCHESTRATION,
    OS_CONTAINER,
    OS_SERVICES
};

struct session;

/* Takes what `cloud` holds, also after a fault.  No network. */
int session_new(struct cloud *cloud, double calls_per_second, int burst, struct session **out,
                struct err *err);
void session_free(struct session *session);

struct os_call {
    enum os_service service;
    const char *method;
    const char *path; /* below the service's endpoint: "/servers/detail?limit=100" */
    const json_t *body;
    const char *content_type; /* of the body; NULL: application/json */

    /* The answer: */
    long status;
    json_t *answer;  /* NULL: none, or no JSON */
    bool maybe_done; /* after a fault: it may have been carried out all the same */
};
void os_call_fini(struct os_call *call);
#define own_os_call own(os_call_fini)

/* 0: answered with a 2xx.  Faults are typed by status and by the service's words. */
int session_call(struct session *session, struct os_call *call, int64_t deadline_mono_ms,
                 struct err *err);
/* Several that do not depend on each other, at once; errs[i] is the outcome of each, FAULT_NONE: it
 * was answered with a 2xx. */
void session_calls(struct session *session, struct os_call *calls, size_t count,
                   int64_t deadline_mono_ms, struct err *errs);

/* A large body as a PUT to `path`; the caller fills in what is carried.  0: answered with a 2xx. */
int session_carry(struct session *session, enum os_service service, const char *path,
                  struct carry *carry, int64_t deadline_mono_ms, struct err *err);

/* Log in if that is not done. */
int session_ready(struct session *session, int64_t deadline_mono_ms, struct err *err);
/* Whether the catalogue, or the cloud's entry, names the service; after session_ready(). */
bool session_has(struct session *session, enum os_service service);
int session_compute_minor(const struct session *session);   /* after a call to Nova */
const char *session_project(const struct session *session); /* its id; after session_ready() */
/* When the credential itself ends (wall time); 0: it does not, or nobody says. */
int64_t session_credential_end(const struct session *session);
int64_t session_requests(const struct session *session); /* sent so far */

/* ---- the pure parts ---- */

/* What is sent to /v3/auth/tokens. */
json_t *session_login_body(const struct cloud *cloud);
/* The URL of a service in a token's catalogue; NULL, with words that name what there is. */
char *catalogue_find(const json_t *catalogue, const char *type, const char *interface,
                     const char *region, struct err *err);
/* The fault that an answer stands for: "WHAT: 403: the service's words". */
int os_fault(const char *what, long status, const char *body, size_t length, struct err *err);
/* The fault that a server in ERROR stands for. */
enum fault os_server_fault(const char *words);

#endif
