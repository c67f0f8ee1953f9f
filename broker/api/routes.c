/* SPDX-License-Identifier: Apache-2.0 */
/* routes.c - what the API serves; docs/openapi.yaml says the same, and a test holds the two
 * together. */
#include "api/handlers.h"
#include "api/router.h"
#include "spillway/wire.h"

#define SMALL   ((size_t)64 * 1024)
#define UPLOADS ((size_t)1 << 62) /* `limits` of the configuration say how much */

#define QUERY(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define EMPTY      .body_most = SMALL /* a body is not looked at; many clients send "{}" */

const struct route api_routes[] = {
    /* First what is asked most. */
    { "POST", "/v1/jobs", ACCESS_USER, ROUTE_SUBMIT, .handle = jobs_submit },
    { "POST", "/v1/agent/sync", ACCESS_AGENT, 0, WIRE_BODY_MOST, .handle = agent_sync },
    { "POST", "/v1/agent/join", ACCESS_PUBLIC, ROUTE_POOL, 2 * SMALL, .handle = agent_join },
    { "PUT", "/v1/attempts/{id}/log/{stream}", ACCESS_AGENT, 0, WIRE_PIECE_MOST, attempt_log_put,
      attempt_log_sink, QUERY("offset") },
    { "PUT", "/v1/attempts/{id}/outputs/{path*}", ACCESS_AGENT, ROUTE_POOL, WIRE_PIECE_MOST,
      attempt_output_put, attempt_output_sink, QUERY("offset", "size", "sha256") },
    { "HEAD", "/v1/attempts/{id}/outputs/{path*}", ACCESS_AGENT, ROUTE_POOL,
      .handle = attempt_output_head, .query = QUERY("sha256", "size") },

    { "GET", "/v1/jobs", ACCESS_USER, ROUTE_POOL, .handle = jobs_list,
      .query = QUERY("all", "state", "name", "project", "user", "job", "limit", "cursor") },
    { "GET", "/v1/jobs/{id}", ACCESS_USER, ROUTE_POOL, .handle = job_show },
    { "POST", "/v1/jobs/{id}/cancel", ACCESS_USER, ROUTE_POOL, EMPTY, .handle = job_cancel },
    { "POST", "/v1/jobs/{id}/hold", ACCESS_USER, ROUTE_POOL, EMPTY, .handle = job_hold },
    { "POST", "/v1/jobs/{id}/release", ACCESS_USER, ROUTE_POOL, EMPTY, .handle = job_release },
    { "POST", "/v1/jobs/{id}/retry", ACCESS_USER, ROUTE_POOL, EMPTY, .handle = job_retry },
    { "GET", "/v1/jobs/{id}/explain", ACCESS_USER, ROUTE_POOL, .handle = job_explain },
    { "GET", "/v1/jobs/{id}/attempts", ACCESS_USER, ROUTE_POOL, .handle = job_attempts },
    { "GET", "/v1/jobs/{id}/logs/{stream}", ACCESS_USER, ROUTE_POOL, .handle = job_log,
      .query = QUERY("offset", "attempt", "follow") },
    { "GET", "/v1/jobs/{id}/outputs", ACCESS_USER, ROUTE_POOL, .handle = outputs_list,
      .query = QUERY("cursor", "limit") },
    { "GET", "/v1/jobs/{id}/outputs/{path*}", ACCESS_USER, ROUTE_POOL, .handle = output_get },

    { "HEAD", "/v1/blobs/{sha256}", ACCESS_USER, ROUTE_POOL, .handle = blob_head },
    { "PUT", "/v1/blobs/{sha256}", ACCESS_USER, ROUTE_POOL, UPLOADS, blob_put, blob_sink,
      QUERY("offset", "size") },
    { "GET", "/v1/blobs/{sha256}", ACCESS_AGENT, ROUTE_POOL, .handle = agent_blob_get },

    { .method = NULL },
};
