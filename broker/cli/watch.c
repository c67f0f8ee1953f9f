/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - wait until tasks are in a state. */
#include "cli/watch.h"

#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/follow.h"
#include "cli/task.h"

#define LOOK_GAP_MS    100   /* an array's tasks may end by the thousand a second */
#define LOOK_ANYWAY_MS 30000 /* should an event ever get lost */
#define POLL_FIRST_MS  250   /* without events */
#define POLL_MOST_MS   5000
#define TURN_MS        1000 /* of the progress line */

struct looker {
    struct cli *cli;
    struct watch *watch;
    struct follower *follower; /* NULL: there are no events to be had */
    bool *dirty, *done;
    size_t left;
    int64_t looked_ms, start_ms, poll_ms;
};

static bool ended(void *arg, const json_t *task)
{
    (void)arg;
    return task_ended(task);
}

static int look(struct looker *looker, size_t i, struct err *err)
{
    struct watch *watch = looker->watch;
    json_t *task = NULL;

    if (cli_get(looker->cli, &task, err, "/v1/jobs/%s", watch->ids[i]) < 0)
        return err_wrap(err, "%s", watch->ids[i]);
    json_decref(watch->tasks[i]);
    watch->tasks[i] = task;
    looker->dirty[i] = false;
    if (watch->enough(watch->arg, task)) {
        looker->done[i] = true;
        looker->left--;
    }
    return 0;
}

static int look_at_dirty(struct looker *looker, struct err *err)
{
    for (size_t i = 0; i < looker->watch->count; i++)
        if (looker->dirty[i] && !looker->done[i] && look(looker, i, err) < 0)
            return -1;
    looker->looked_ms = clock_mono_ms();
    return 0;
}

static void mark_all(struct looker *looker)
{
    memset(looker->dirty, true, looker->watch->count * sizeof *looker->dirty);
}

static void mark(struct looker *looker, const json_t *event)
{
    int64_t job = field_int(event, "job"), id = 0;

    for (size_t i = 0; i < looker->watch->count; i++) {
        own_str char *text = xstrndup(looker->watch->ids[i], strcspn(looker->watch->ids[i], "."));

        if (parse_i64(text, 0, INT64_MAX, &id, NULL) == 0 && id == job)
            looker->dirty[i] = true;
    }
}

static bool any_dirty(const struct looker *looker)
{
    for (size_t i = 0; i < looker->watch->count; i++)
        if (looker->dirty[i] && !looker->done[i])
            return true;
    return false;
}

static void show_progress(const struct looker *looker)
{
    int64_t total = 0, good = 0, bad = 0, busy = 0;
    char span[SHORT_BYTES];

    if (!looker->watch->progress)
        return;
    for (size_t i = 0; i < looker->watch->count; i++) {
        const json_t *task = looker->watch->tasks[i];

        total += task_total(task);
        good += task_count(task, "succeeded");
        bad += task_count(task, "failed") + task_count(task, "cancelled");
        busy += task_count(task, "running") + task_count(task, "completing");
    }
    progress(&looker->cli->term, "%s  %lld of %lld done, %lld running%s",
             short_span(clock_mono_ms() - looker->start_ms, span, sizeof span),
             (long long)good + bad, (long long)total, (long long)busy,
             bad ? ", some did not succeed" : "");
}

/* How long this turn may last; < 0: the time is up. */
static int64_t turn_left(const struct looker *looker)
{
    const struct watch *watch = looker->watch;
    int64_t now = clock_mono_ms(), most = TURN_MS;

    if (watch->interrupt && *watch->interrupt)
        return -1;
    if (watch->timeout_ms) {
        int64_t left = looker->start_ms + watch->timeout_ms - now;

        if (left <= 0)
            return -1;
        most = left < most ? left : most;
    }
    if (any_dirty(looker)) {
        int64_t gap = looker->looked_ms + LOOK_GAP_MS - now;

        most = gap < 0 ? 0 : gap < most ? gap : most;
    }
    return most;
}

/* Take in what has happened, for at most `most`. */
static int take_events(struct looker *looker, int64_t most, struct err *err)
{
    json_t *event = NULL;
    bool was_connected = follower_connected(looker->follower);
    int rc = follower_next(looker->follower, most, &event, err);

    /* What happened before the subscription was not told: look once more. */
    if (!was_connected && follower_connected(looker->follower))
        mark_all(looker);
    for (; rc == 1; rc = follower_next(looker->follower, 0, &event, err)) {
        mark(looker, event);
        json_decref(event);
    }
    if (rc == 0)
        return 0;
    if (rc < 0 && err->fault != FAULT_NOT_FOUND && err->fault != FAULT_AUTH)
        return -1;
    follower_close(looker->follower); /* a broker without events for us: ask, then */
    looker->follower = NULL;
    looker->poll_ms = POLL_FIRST_MS;
    return 0;
}

static int turn(struct looker *looker, int64_t most, struct err *err)
{
    int64_t now;

    if (looker->follower) {
        if (take_events(looker, most, err) < 0)
            return -1;
    } else {
        clock_sleep_ms(most < looker->poll_ms ? most : looker->poll_ms);
    }
    now = clock_mono_ms();
    if (!looker->follower && now - looker->looked_ms >= looker->poll_ms) {
        mark_all(looker);
        looker->poll_ms =
            looker->poll_ms * 3 / 2 < POLL_MOST_MS ? looker->poll_ms * 3 / 2 : POLL_MOST_MS;
    }
    if (now - looker->looked_ms >= LOOK_ANYWAY_MS)
        mark_all(looker);
    if (any_dirty(looker) && now - looker->looked_ms >= LOOK_GAP_MS)
        return look_at_dirty(looker, err);
    return 0;
}

static int look_until_enough(struct looker *looker, struct err *err)
{
    mark_all(looker);
    if (look_at_dirty(looker, err) < 0)
        return -1;
    while (looker->left) {
        int64_t most = turn_left(looker);

        if (most < 0)
            return 1;
        show_progress(looker);
        if (turn(looker, most, err) < 0)
            return -1;
    }
    return 0;
}

static struct follower *subscribe(struct cli *cli, const struct watch *watch)
{
    own_str char *path = NULL;

    if (watch->count == 1)
        path = xasprintf("/v1/events?follow=1&job=%.*s", (int)strcspn(watch->ids[0], "."),
                         watch->ids[0]);
    return follower_open(cli, path ? path : "/v1/events?follow=1", NULL);
}

int watch_tasks(struct cli *cli, struct watch *watch, struct err *err)
{
    own_mem bool *dirty = xcalloc(watch->count, sizeof *dirty);
    own_mem bool *done = xcalloc(watch->count, sizeof *done);
    struct looker looker = { .cli = cli, .watch = watch, .dirty = dirty, .done = done };
    struct client *client;
    int rc;

    if (cli_client(cli, &client, err) < 0)
        return -1;
    client_set_patience(client, FOLLOW_PATIENCE_MS);
    if (!watch->enough)
        watch->enough = ended;
    watch_free(watch);
    watch->tasks = xcalloc(watch->count, sizeof(json_t *));
    looker.left = watch->count;
    looker.start_ms = clock_mono_ms();
    looker.follower = subscribe(cli, watch);
    rc = look_until_enough(&looker, err);
    follower_close(looker.follower);
    progress_end(&cli->term);
    return rc;
}

void watch_free(struct watch *watch)
{
    for (size_t i = 0; watch->tasks && i < watch->count; i++)
        json_decref(watch->tasks[i]);
    free(watch->tasks);
    watch->tasks = NULL;
}
