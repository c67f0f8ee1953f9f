/* SPDX-License-Identifier: Apache-2.0 */
/* heat.h - what the files of the Heat driver share.
 *
 * A stack is found again by its name, the worker's, and by its tag, which holds the broker's UUID. */
#ifndef SPILLWAY_HEAT_H
#define SPILLWAY_HEAT_H

#include "sites/openstack/openstack.h"

/* The operator's template, as far as we look into it. */
struct hot {
    char *text;
    json_t *declared; /* its parameters */
};
/* Read it, and what it declares; the site's constants must be among that. */
int hot_load(const struct site_conf *conf, struct hot *out, struct err *err);
void hot_fini(struct hot *hot);
bool hot_takes(const struct hot *hot, const char *parameter);

struct stack {
    char *id, *name, *status, *detail;
    enum instance_state state;
    enum fault fault;
    int64_t created_ms;
};
struct stacks {
    struct stack *list;
    size_t count;
};
void stacks_free(struct stacks *stacks);
#define own_stacks own(stacks_free)

/* What Heat's words for a stack's state mean to us. */
enum instance_state stack_state(const char *status);

/* Stacks with the broker's tag; `name`: that one; NULL: all. */
int stacks_list(struct openstack *os, const char *name, int64_t deadline, struct stacks *out,
                struct err *err);
/* `parameters` are the caller's, and secret.  *maybe_done: the fault does not say whether it was
 * made. */
int stack_create(struct openstack *os, const char *name, const struct hot *hot,
                 const json_t *parameters, int64_t deadline, bool *maybe_done, struct err *err);
/* Gone already is success. */
int stack_delete(struct openstack *os, const struct stack *stack, int64_t deadline,
                 struct err *err);
/* One of its outputs; NULL, and no fault: it has none of that name yet.  Owned by the caller. */
int stack_output(struct openstack *os, const struct stack *stack, const char *output,
                 int64_t deadline, json_t **out, struct err *err);
/* What Heat says of resources that failed, a line each. */
int stack_faults(struct openstack *os, const struct stack *stack, int64_t deadline, struct buf *out,
                 struct err *err);

#endif
