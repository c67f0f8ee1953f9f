/* SPDX-License-Identifier: Apache-2.0 */
/* heat.h - what the files of the Heat driver share.
 *
 * A stack is found again by its name, the worker's, and by its tag, which holds the broker's UUID. */
#ifndef SPILLWAY_HEAT_H
#define SPILLWAY_HEAT_H

#include "sites/openstack/openstack.h"

/* What a stack is to us: a worker, or a cluster with workers in it. */
enum stack_use { STACK_WORKER, STACK_CLUSTER };

/* The operator's template, as far as we look into it. */
struct hot {
    enum stack_use use;
    char *text;
    json_t *declared; /* its parameters */
    json_t *outputs;  /* NULL: none */
};
/* Read it for out->use, and what it declares; the site's constants must be among that. */
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

/* A page of a list of stacks; `name`: that one; NULL: all.  Where the next one begins, or NULL: none
 * follows a page of less than `page`. */
const char *stacks_read(const json_t *list, const char *name, size_t page, struct stacks *out);

/* Stacks with the broker's tag for that use; `name`: that one; NULL: all. */
int stacks_list(struct openstack *os, enum stack_use use, const char *name, int64_t deadline,
                struct stacks *out, struct err *err);
/* `parameters` are the caller's, and secret.  *maybe_done: the fault does not say whether it was
 * made. */
int stack_create(struct openstack *os, const char *name, const struct hot *hot,
                 const json_t *parameters, int64_t deadline, bool *maybe_done, struct err *err);
/* Gone already is success. */
int stack_delete(struct openstack *os, const struct stack *stack, int64_t deadline,
                 struct err *err);
/* Begin to give it other values of these parameters alone. */
int stack_update(struct openstack *os, const struct stack *stack, const struct hot *hot,
                 const json_t *parameters, int64_t deadline, struct err *err);
/* Names and values; what is hidden is shown as stars. */
int stack_parameters(struct openstack *os, const struct stack *stack, int64_t deadline,
                     json_t **out, struct err *err);
/* One of its outputs; NULL, and no fault: it has none of that name yet.  Owned by the caller. */
int stack_output(struct openstack *os, const struct stack *stack, const char *output,
                 int64_t deadline, json_t **out, struct err *err);
/* The ids of servers that are members of a group in it, as keys of an object; stack_members_of()
 * finds them in a list of resources. */
int stack_members(struct openstack *os, const struct stack *stack, int64_t deadline, json_t **out,
                  struct err *err);
json_t *stack_members_of(const json_t *resources);
/* What Heat says of resources that failed, a line each. */
int stack_faults(struct openstack *os, const struct stack *stack, int64_t deadline, struct buf *out,
                 struct err *err);

/* ---- cluster.c: a site whose one stack is a cluster ---- */

extern const struct site_driver heat_cluster_driver;
/* The kubeconfig in an output's value: text, base64 of it, or what a wait condition was told, which
 * is an object with one of these.  Into `out`, which the caller burns. */
int kubeconfig_of_output(const json_t *value, struct buf *out, struct err *err);

#endif
