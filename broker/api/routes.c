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
    { "GET", "/v1/agent/program", ACCESS_PUBLIC, ROUTE_POOL, .handle = agent_program_get },
    { "GET", "/v1/agent/binary/{arch}", ACCESS_PUBLIC, ROUTE_POOL, .handle = agent_binary_get },
    { "PUT", "/v1/attempts/{id}/log/{stream}", ACCESS_AGENT, 0, WIRE_PIECE_MOST, attempt_log_put,
      attempt_log_sink, QUERY("offset") },
    { "PUT", "/v1/attempts/{id}/outputs/{path*}", ACCESS_AGENT, ROUTE_POOL, WIRE_PIECE_MOST,
      attempt_output_put, attempt_output_sink, QUERY("offset", "size", "sha256") },
    { "HEAD", "/v1/attempts/{id}/outputs/{path*}", ACCESS_AGENT, ROUTE_POOL,
      .handle = attempt_output_head, .query = QUERY("sha256", "size") },

    { "GET", "/v1/jobs", ACCESS_USER, ROUTE_POOL, .handle = jobs_list,
      .query =
          QUERY("all", "state", "name", "project", "user", "job", "limit", "order", "cursor") },
    { "GET", "/v1/jobs/{id}", ACCESS_USER, ROUTE_POOL, .handle = job_show },
    { "POST", "/v1/jobs/{id}/cancel", ACCESS_USER, ROUTE_POOL, EMPTY, .handle = job_cancel },
    { "POST", "/v1/jobs/{id}/hold", ACCESS_USER, ROUTE_POOL, EMPTY, .handle = job_hold },
    { "POST", "/v1/jobs/{id}/release", ACCESS_USER, ROUTE_POOL, EMPTY, .handle = job_release },
    { "POST", "/v1/jobs/{id}/retry", ACCESS_USER, ROUTE_POOL, EMPTY, .handle = job_retry },
    { "GET", "/v1/jobs/{id}/explain", ACCESS_USER, ROUTE_POOL, .handle = job_explain },
    { "GET", "/v1/jobs/{id}/attempts", ACCESS_USER, ROUTE_POOL, .handle = job_attempts },
    { "GET", "/v1/jobs/{id}/logs/{stream}", ACCESS_USER, ROUTE_POOL, .handle = job_log,
      .query = QUERY("offset", "attempt", "node", "follow") },
    { "GET", "/v1/jobs/{id}/outputs", ACCESS_USER, ROUTE_POOL, .handle = outputs_list,
      .query = QUERY("cursor", "limit") },
    { "GET", "/v1/jobs/{id}/outputs/{path*}", ACCESS_USER, ROUTE_POOL, .handle = output_get },

    { "HEAD", "/v1/blobs/{sha256}", ACCESS_USER, ROUTE_POOL, .handle = blob_head },
    { "PUT", "/v1/blobs/{sha256}", ACCESS_USER, ROUTE_POOL, UPLOADS, blob_put, blob_sink,
      QUERY("offset", "size") },
    { "GET", "/v1/blobs/{sha256}", ACCESS_AGENT, ROUTE_POOL, .handle = agent_blob_get },

    { "GET", "/v1/jobs/{id}/events", ACCESS_USER, ROUTE_POOL, .handle = job_events,
      .query = QUERY("after", "limit", "follow") },
    { "GET", "/v1/events", ACCESS_USER, ROUTE_POOL, .handle = events_get,
      .query = QUERY("after", "job", "limit", "follow") },

    { "POST", "/v1/schedules", ACCESS_USER, ROUTE_POOL, WIRE_BODY_MOST, .handle = schedules_add },
    { "GET", "/v1/schedules", ACCESS_USER, ROUTE_POOL, .handle = schedules_list,
      .query = QUERY("user", "limit", "cursor") },
    { "GET", "/v1/schedules/{name}", ACCESS_USER, ROUTE_POOL, .handle = schedule_show,
      .query = QUERY("user", "version") },
    { "GET", "/v1/schedules/{name}/next", ACCESS_USER, ROUTE_POOL, .handle = schedule_next,
      .query = QUERY("user", "count", "from") },
    { "GET", "/v1/schedules/{name}/history", ACCESS_USER, ROUTE_POOL, .handle = schedule_history,
      .query = QUERY("user", "limit", "cursor") },
    { "POST", "/v1/schedules/{name}/pause", ACCESS_USER, ROUTE_POOL, EMPTY,
      .handle = schedule_pause, .query = QUERY("user") },
    { "POST", "/v1/schedules/{name}/resume", ACCESS_USER, ROUTE_POOL, EMPTY,
      .handle = schedule_resume, .query = QUERY("user") },
    { "POST", "/v1/schedules/{name}/trigger", ACCESS_USER, ROUTE_POOL, EMPTY,
      .handle = schedule_trigger, .query = QUERY("user") },
    { "DELETE", "/v1/schedules/{name}", ACCESS_USER, ROUTE_POOL, EMPTY, .handle = schedule_rm,
      .query = QUERY("user") },

    { "GET", "/v1/notices", ACCESS_USER, ROUTE_POOL, .handle = notices_list,
      .query = QUERY("state", "limit", "cursor") },
    { "POST", "/v1/notices/{id}/replay", ACCESS_USER, ROUTE_POOL, EMPTY, .handle = notice_replay },

    { "GET", "/v1/bursts", ACCESS_USER, ROUTE_POOL, .handle = bursts_list,
      .query = QUERY("all", "limit", "cursor") },
    { "GET", "/v1/bursts/{id}", ACCESS_USER, ROUTE_POOL, .handle = burst_show },
    { "POST", "/v1/bursts/{id}/release", ACCESS_USER, ROUTE_POOL, EMPTY,
      .handle = burst_release_post },

    { "GET", "/v1/sites", ACCESS_USER, ROUTE_POOL, .handle = api_sites_list },
    { "GET", "/v1/sites/{name}", ACCESS_USER, ROUTE_POOL, .handle = api_site_show },
    { "POST", "/v1/sites/{name}/enable", ACCESS_OPERATOR, ROUTE_POOL, EMPTY,
      .handle = api_site_enable },
    { "POST", "/v1/sites/{name}/disable", ACCESS_OPERATOR, ROUTE_POOL, EMPTY,
      .handle = api_site_disable },
    { "POST", "/v1/sites/{name}/drain", ACCESS_OPERATOR, ROUTE_POOL, EMPTY,
      .handle = api_site_drain },
    { "POST", "/v1/sites/{name}/probe", ACCESS_OPERATOR, ROUTE_SLOW, EMPTY,
      .handle = api_site_probe },
    { "POST", "/v1/sites/{name}/audit", ACCESS_OPERATOR, ROUTE_SLOW, EMPTY,
      .handle = api_site_audit },

    { "GET", "/v1/workers", ACCESS_USER, ROUTE_POOL, .handle = api_workers_list,
      .query = QUERY("all", "site", "limit") },
    { "GET", "/v1/workers/{name}", ACCESS_USER, ROUTE_POOL, .handle = api_worker_show },
    { "POST", "/v1/workers/{name}/drain", ACCESS_OPERATOR, ROUTE_POOL, EMPTY,
      .handle = api_worker_drain },
    { "POST", "/v1/workers/{name}/inspect", ACCESS_OPERATOR, ROUTE_SLOW, EMPTY,
      .handle = api_worker_inspect },
    { "DELETE", "/v1/workers/{name}", ACCESS_OPERATOR, ROUTE_POOL, EMPTY, .handle = api_worker_rm },

    { "GET", "/v1/usage", ACCESS_USER, ROUTE_POOL, .handle = usage_get,
      .query = QUERY("from", "to") },
    { "GET", "/v1/shares", ACCESS_USER, ROUTE_POOL, .handle = shares_get },
    { "GET", "/v1/tokens", ACCESS_ADMIN, ROUTE_POOL, .handle = tokens_list },
    { "POST", "/v1/tokens", ACCESS_ADMIN, ROUTE_POOL, EMPTY, .handle = token_add },
    { "DELETE", "/v1/tokens/{id}", ACCESS_ADMIN, ROUTE_POOL, EMPTY, .handle = token_revoke },
    { "POST", "/v1/doctor", ACCESS_ADMIN, ROUTE_SLOW, EMPTY, .handle = doctor_run },

    { "GET", "/v1/version", ACCESS_PUBLIC, ROUTE_EARLY, .handle = version_get },
    { "GET", "/v1/openapi.json", ACCESS_PUBLIC, ROUTE_EARLY, .handle = openapi_get },
    { "GET", "/healthz", ACCESS_PUBLIC, ROUTE_EARLY, .handle = health_get },
    { "GET", "/readyz", ACCESS_PUBLIC, ROUTE_EARLY, .handle = ready_get },
    { "GET", "/metrics", ACCESS_USER, ROUTE_POOL, .handle = metrics_get },

    { .method = NULL },
};
