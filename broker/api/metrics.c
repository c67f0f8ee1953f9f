/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - figures for Prometheus, health, version. */
#include <inttypes.h>

#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "spillway/wire.h"

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP spillway_%s %s\n# TYPE spillway_%s %s\n", name, help, name, type);
}

static void figure(struct buf *out, const char *name, const char *type, const char *help,
                   int64_t value)
{
    family(out, name, type, help);
    buf_printf(out, "spillway_%s %" PRId64 "\n", name, value);
}

static void seconds(struct buf *out, const char *name, const char *type, const char *help,
                    int64_t us)
{
    family(out, name, type, help);
    buf_printf(out, "spillway_%s %.6f\n", name, (double)us / 1e6);
}

static void put_requests(struct buf *out, struct api *api)
{
    static const char *const classes[] = { "hung_up", "1xx", "2xx", "3xx", "4xx", "5xx" };
    struct api_counts *counts = &api->counts;
    int64_t total = 0;

    family(out, "http_responses_total", "counter", "Answers by the first digit of their status.");
    for (size_t i = 0; i < array_len(classes); i++)
        buf_printf(out, "spillway_http_responses_total{code=\"%s\"} %" PRId64 "\n", classes[i],
                   (int64_t)atomic_load(&counts->status[i]));
    family(out, "http_request_duration_seconds", "histogram",
           "Time from a request's head to its last byte, streams and long polls among them.");
    for (size_t i = 0; i <= array_len(request_buckets_us); i++) {
        total += atomic_load(&counts->buckets[i]);
        if (i < array_len(request_buckets_us))
            buf_printf(out,
                       "spillway_http_request_duration_seconds_bucket{le=\"%g\"} %" PRId64 "\n",
                       (double)request_buckets_us[i] / 1e6, total);
    }
    buf_printf(out,
               "spillway_http_request_duration_seconds_bucket{le=\"+Inf\"} %" PRId64
               "\nspillway_http_request_duration_seconds_sum %.6f\n"
               "spillway_http_request_duration_seconds_count %" PRId64 "\n",
               total, (double)atomic_load(&counts->us_sum) / 1e6, total);
}

static void put_api(struct buf *out, struct api *api)
{
    struct api_counts *counts = &api->counts;

    figure(out, "http_connections", "gauge", "Open connections.",
           atomic_load(&counts->connections));
    figure(out, "http_streams", "gauge", "Connections that follow events or a log.",
           atomic_load(&counts->streams));
    figure(out, "http_received_bytes_total", "counter", "Bytes of request bodies.",
           atomic_load(&counts->bytes_in));
    figure(out, "http_stalled_total", "counter", "Connections closed for being too slow.",
           atomic_load(&counts->stalled));
    figure(out, "auth_failures_total", "counter", "Tokens, sessions and joins that were refused.",
           auth_failures(api->auth));
    figure(out, "jobs_submitted_total", "counter", "Jobs taken since the start.",
           atomic_load(&counts->jobs));
}

static void put_store(struct buf *out, const struct store_stats *stats)
{
    static const enum task_state ends[] = { TASK_SUCCEEDED, TASK_FAILED, TASK_CANCELLED };

    figure(out, "record_jobs", "gauge", "Jobs in the record.", stats->jobs);
    figure(out, "record_open_jobs", "gauge", "Jobs that have not ended.", stats->open_jobs);
    figure(out, "record_attempts", "gauge", "Attempts in the record.", stats->attempts);
    figure(out, "record_workers", "gauge", "Workers in the record.", stats->workers);
    figure(out, "record_blobs", "gauge", "Files kept by content.", stats->blobs);
    figure(out, "database_bytes", "gauge", "Size of the database.", stats->db_bytes);
    figure(out, "database_wal_bytes", "gauge", "Size of its write-ahead log.", stats->wal_bytes);
    figure(out, "commits_total", "counter", "Transactions committed since the start.",
           stats->commits);
    figure(out, "operations_total", "counter", "Changes in these transactions.", stats->operations);
    figure(out, "operations_queued", "gauge", "Changes that wait for the writer.", stats->queue);
    seconds(out, "commit_seconds_total", "counter", "Time spent in commits.", stats->commit_us_sum);
    seconds(out, "commit_longest_seconds", "gauge", "The longest commit since the start.",
            stats->commit_us_max);
    family(out, "tasks_ended_total", "counter", "Tasks that ended, by how.");
    for (size_t i = 0; i < array_len(ends); i++)
        buf_printf(out, "spillway_tasks_ended_total{state=\"%s\"} %" PRId64 "\n",
                   task_state_name(ends[i]), stats->ended[ends[i]]);
}

int metrics_get(struct request *request, struct err *err)
{
    struct buf *out = &request->reply.body;
    struct store_stats stats;

    if (store_stats(request->api->store, &stats, err) < 0)
        return -1;
    family(out, "build_info", "gauge", "The version, as a label.");
    buf_puts(out, "spillway_build_info{version=\"" SPILLWAY_VERSION "\"} 1\n");
    put_requests(out, request->api);
    put_api(out, request->api);
    put_store(out, &stats);
    broker_metrics(request->broker, out);
    return reply_body(request, 200, "text/plain; version=0.0.4; charset=utf-8");
}

int health_get(struct request *request, struct err *err)
{
    (void)err;
    return reply_json(request, 200, json_pack("{s:s}", "status", "ok"));
}

int ready_get(struct request *request, struct err *err)
{
    if (!broker_ready(request->broker))
        return err_set(err, FAULT_UNAVAILABLE, "the broker is starting");
    return reply_json(request, 200, json_pack("{s:s}", "status", "ready"));
}

int version_get(struct request *request, struct err *err)
{
    (void)err;
    return reply_json(request, 200,
                      json_pack("{s:s, s:i, s:i, s:s}", "version", SPILLWAY_VERSION, "api", 1,
                                "wire", WIRE_VERSION, "broker", store_uuid(request->api->store)));
}
