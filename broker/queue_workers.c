/* SPDX-License-Identifier: Apache-2.0 */
/* queue_workers.c - workers as the scheduler's thread sees them, and what tasks hold of them. */
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "queue_parts.h"

#define HOST_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:"

void worker_free(struct qworker *worker)
{
    free(worker->name);
    free(worker->site);
    free(worker->shape);
    free(worker->image);
    free(worker->project);
    free(worker->host);
    free(worker);
}

void worker_use(struct queue *queue, struct qworker *worker, const struct grant *grant, int sign)
{
    worker->used.cpus += sign * grant->cpus;
    worker->used.memory += sign * grant->memory;
    worker->used.disk += sign * grant->disk;
    worker->used.gpus += sign * grant->gpus;
    worker->task_count += sign;
    worker->generation = ++queue->generation;
    if (worker->task_count == 0)
        worker->idle_since_ms = queue->time.now_wall_ms;
}

static void worker_gone(struct queue *queue, struct qworker *worker)
{
    list_each_safe(at, &worker->tasks)
    {
        struct qtask *task = list_item(at, struct qtask, link);

        list_del(&task->link); /* its own change will follow */
        task->worker = NULL;
    }
    nodes_forget(worker);
    map_del_str(&queue->workers_by_name, worker->name);
    map_del(&queue->workers, (uint64_t)worker->id);
    worker_free(worker);
}

static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static struct qworker *worker_new(struct queue *queue, const struct worker_row *row)
{
    struct qworker *worker = xcalloc(1, sizeof *worker);

    worker->id = row->id;
    worker->name = xstrdup(row->name);
    worker->site = xstrdup(row->site);
    worker->shape = copy_or_null(row->shape);
    worker->image = copy_or_null(row->image);
    worker->project = copy_or_null(row->project);
    worker->class_id = row->class_id;
    worker->created_ms = row->created_ms;
    worker->idle_since_ms = queue->time.now_wall_ms;
    list_init(&worker->tasks);
    list_init(&worker->nodes);
    map_put(&queue->workers, (uint64_t)worker->id, worker);
    map_put_str(&queue->workers_by_name, worker->name, worker);
    return worker;
}

/* A machine's name for itself goes into files of others. */
static bool host_is_plain(const char *host)
{
    return *host && strlen(host) < 256 && !host[strspn(host, HOST_BYTES)];
}

/* What the machine said of itself when it joined. */
static void read_facts(struct qworker *worker, const char *text)
{
    own_json json_t *facts = text ? json_parse(text, strlen(text), NULL) : NULL;
    const char *host = "";
    int64_t cpus = 0;

    if (!facts)
        return;
    if (json_opt_str(facts, "address", &host, NULL) < 0 || !*host)
        json_opt_str(facts, "hostname", &host, NULL);
    worker->host = host_is_plain(host) ? xstrdup(host) : NULL;
    json_opt_i64(facts, "cpus", 0, 1 << 20, &cpus, NULL);
    worker->cpus = (int)cpus;
    json_opt_i64(facts, "memory_bytes", 0, INT64_MAX, &worker->memory, NULL);
    json_opt_i64(facts, "disk_bytes", 0, INT64_MAX, &worker->disk, NULL);
    worker->gpus = (int)json_array_size(json_object_get(facts, "gpus"));
}

void worker_apply(struct queue *queue, const struct worker_row *row)
{
    struct qworker *worker = queue_worker(queue, row->id);

    if (row->state == WORKER_GONE) {
        if (worker)
            worker_gone(queue, worker);
        queue->generation++;
        return;
    }
    if (!worker)
        worker = worker_new(queue, row);
    if (row->joined_ms && !worker->joined_ms) {
        worker->joined_ms = row->joined_ms;
        worker->idle_since_ms = queue->time.now_wall_ms;
        read_facts(worker, row->facts);
    }
    worker->state = row->state;
    worker->reason = row->reason;
    worker->generation = ++queue->generation;
}
