/* SPDX-License-Identifier: Apache-2.0 */
/* list.h - a doubly linked ring through a member of the things it links. */
#ifndef SPILLWAY_LIST_H
#define SPILLWAY_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

/* `at` and `member` are names, not expressions. NOLINTBEGIN(bugprone-macro-parentheses) */
#define list_item(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
#define list_each(at, head)           for (struct list *at = (head)->next; at != (head); at = at->next)
/* `at` may be removed inside. */
#define list_each_safe(at, head)                                              \
    for (struct list *at = (head)->next, *at##_next = at->next; at != (head); \
         at = at##_next, at##_next = at->next)
/* NOLINTEND(bugprone-macro-parentheses) */

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}
static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}
static inline void list_add_tail(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}
static inline void list_add_front(struct list *head, struct list *node)
{
    list_add_tail(head->next, node);
}
/* Alone again; harmless on a node that is. */
static inline void list_del(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#endif
