/* SPDX-License-Identifier: Apache-2.0 */
/* queue_nodes.c - what gangs hold.
 *
 * Rank 0 is the task itself, as if it were alone; each other node holds its part of a worker until
 * the whole task ends, also when the node has ended before: what is still to run may need it, and
 * a gang that starts again finds its room together. */
#include "base/own.h"
#include "queue_parts.h"

static void stop(int64_t attempt, const struct qworker *worker, enum reason reason,
                 struct queue_todo *todo)
{
    struct todo_item *item;

    if (!worker)
        return; /* gone, and what it ran with it */
    item = todo_add(todo);
    item->kind = TODO_STOP_ATTEMPT;
    item->attempt = attempt;
    item->worker = worker->id;
    item->reason = reason;
}

void nodes_stop(const struct qtask *task, enum reason reason, struct queue_todo *todo)
{
    list_each(at, &task->nodes)
    {
        const struct qnode *node = list_item(at, struct qnode, link);

        stop(node->attempt, node->worker, reason, todo);
    }
}

static void node_add(struct queue *queue, struct qtask *task, const struct node_row *row)
{
    struct qnode *node = xcalloc(1, sizeof *node);

    node->task = task;
    node->attempt = row->attempt;
    node->worker = queue_worker(queue, row->worker);
    list_init(&node->of);
    list_add_tail(&task->nodes, &node->link);
    if (!node->worker)
        return;
    list_add_tail(&node->worker->nodes, &node->of);
    worker_use(queue, node->worker, &task->grant, 1);
}

static bool is_known(const struct qtask *task, int64_t attempt)
{
    list_each(at,
              &task->nodes) if (list_item(at, struct qnode, link)->attempt == attempt) return true;
    return false;
}

void nodes_apply(struct queue *queue, const struct node_row *row, struct queue_todo *todo)
{
    struct qtask *task = queue_task(queue, row->job, row->index);

    if (!task || !is_active(task->state) || task->attempt != row->gang)
        return;
    if (row->rank > 0 && !is_known(task, row->attempt))
        node_add(queue, task, row);
    if (task->breaks) /* told already; one that is only met now, at start, was not */
        stop(row->attempt, queue_worker(queue, row->worker), REASON_CANCELLED, todo);
    if (!row->failed || task->breaks)
        return;
    task->breaks = true;
    stop(task->attempt, task->worker, REASON_CANCELLED, todo);
    nodes_stop(task, REASON_CANCELLED, todo);
}

void nodes_release(struct queue *queue, struct qtask *task)
{
    task->breaks = false;
    list_each_safe(at, &task->nodes)
    {
        struct qnode *node = list_item(at, struct qnode, link);

        if (node->worker)
            worker_use(queue, node->worker, &task->grant, -1);
        list_del(&node->of);
        list_del(&node->link);
        free(node);
    }
}

void nodes_forget(struct qworker *worker)
{
    list_each_safe(at, &worker->nodes)
    {
        struct qnode *node = list_item(at, struct qnode, of);

        list_del(&node->of);
        node->worker = NULL;
    }
}

int64_t queue_task_nodes(const struct qtask *task)
{
    int64_t count = 1;

    list_each(at, &task->nodes) count++;
    return count;
}
