/* SPDX-License-Identifier: Apache-2.0 */
/* queue_todo.c - what follows from changes and from time, and is done once the queue's lock is
 * released. */
#include <string.h>

#include "base/own.h"
#include "queue_parts.h"

struct todo_item *todo_add(struct queue_todo *todo)
{
    if (todo->count == todo->room) {
        todo->room = todo->room ? todo->room * 2 : 16;
        todo->items = xrealloc(todo->items, todo->room * sizeof *todo->items);
    }
    memset(&todo->items[todo->count], 0, sizeof *todo->items);
    return &todo->items[todo->count++];
}

void queue_todo_free(struct queue_todo *todo)
{
    free(todo->items);
    memset(todo, 0, sizeof *todo);
}

void todo_end(struct queue_todo *todo, int64_t job, int64_t index, enum reason reason)
{
    struct todo_item *item = todo_add(todo);

    item->kind = TODO_END_TASKS;
    item->target = (struct target){ .job = job, .index = index };
    item->reason = reason;
}

void todo_outcome(struct queue_todo *todo, const struct dependency_row *row, int64_t index)
{
    struct todo_item *item = todo_add(todo);

    item->kind = TODO_OUTCOME;
    item->target = (struct target){ .job = row->on_job, .index = index };
    item->dependency = *row;
}
