/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - wait until tasks are in a state: woken by events, asking again only when something
 * happened.
 *
 * The subscription is made before the first look, so that no change falls between the two.  Where
 * the event stream cannot be had, it asks at growing intervals. */
#ifndef SPILLWAY_CLI_WATCH_H
#define SPILLWAY_CLI_WATCH_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct cli;

struct watch {
    const char *const *ids;
    size_t count;
    bool (*enough)(void *arg, const json_t *task); /* NULL: has ended */
    void *arg;
    int64_t timeout_ms;                     /* 0: none */
    bool progress;                          /* shown on a terminal */
    const volatile sig_atomic_t *interrupt; /* NULL: none; set: stop as if the time were up */
    json_t **tasks; /* `count` of them, as last seen; watch_free() lets go */
};

/* 0: enough of all.  1: the time is up.  -1: a fault. */
int watch_tasks(struct cli *cli, struct watch *watch, struct err *err);
void watch_free(struct watch *watch);

#endif
