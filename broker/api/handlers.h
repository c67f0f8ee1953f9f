/* SPDX-License-Identifier: Apache-2.0 */
/* handlers.h - every handler that the table in routes.c names, by the file that holds it. */
#ifndef SPILLWAY_API_HANDLERS_H
#define SPILLWAY_API_HANDLERS_H

#include "api/router.h"

/* jobs.c: changes */
handler jobs_submit, job_cancel, job_hold, job_release, job_retry;
/* job_read.c */
handler jobs_list, job_show, job_explain, job_attempts;
/* logs.c */
handler job_log;
/* outputs.c */
handler outputs_list, output_get;
/* blobs.c */
handler blob_put, blob_head;
body_sink blob_sink;
/* sites.c */
handler api_sites_list, api_site_show, api_site_enable, api_site_disable, api_site_drain,
    api_site_probe, api_site_audit;
/* workers.c */
handler api_workers_list, api_worker_show, api_worker_drain, api_worker_rm, api_worker_inspect;
/* events.c */
handler events_get, job_events;
/* schedules.c */
handler schedules_add, schedules_list, schedule_show, schedule_next, schedule_history;
handler schedule_pause, schedule_resume, schedule_trigger, schedule_rm;
/* notices.c */
handler notices_list, notice_replay;
/* bursts.c */
handler bursts_list, burst_show, burst_release_post;
/* usage.c */
handler usage_get, shares_get;
/* tokens.c */
handler tokens_list, token_add, token_revoke;
/* doctor.c */
handler doctor_run;
/* metrics.c */
handler metrics_get, health_get, ready_get, version_get;
/* openapi.c */
handler openapi_get;
/* agent.c */
handler agent_join, agent_sync;
/* program.c */
handler agent_program_get, agent_binary_get;
/* attempts.c */
handler attempt_log_put, attempt_output_put, attempt_output_head, agent_blob_get;
body_sink attempt_log_sink, attempt_output_sink;

#endif
