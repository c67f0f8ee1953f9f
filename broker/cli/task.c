/* SPDX-License-Identifier: Apache-2.0 */
/* task.c - a TASK of the API, in words. */
#include "cli/task.h"

#include <string.h>

#include "base/own.h"
#include "cli/cli.h"
#include "spillway/state.h"

char *task_reason(const json_t *task)
{
    const char *reason = field_text(task, "reason");
    int signal = (int)field_int(task, "signal");

    if (strcmp(reason, "user-exit") == 0)
        return xasprintf("%s (%lld)", reason, (long long)field_int(task, "exit_code"));
    if (strcmp(reason, "signal") == 0 && signal > 0)
        return xasprintf("%s (%d, SIG%s)", reason, signal,
                         sigabbrev_np(signal) ? sigabbrev_np(signal) : "?");
    return xstrdup(reason);
}

char *task_end(const json_t *task)
{
    own_buf struct buf text = BUF_INIT(0);
    own_str char *reason = task_reason(task);
    const char *state = field_text(task, "state"), *detail = field_text(task, "detail");

    buf_puts(&text, state);
    if (*reason && strcmp(reason, state) != 0)
        buf_printf(&text, ": %s", reason);
    if (*detail && strcmp(detail, field_text(task, "reason")) != 0)
        buf_printf(&text, ": %s", detail);
    return buf_take(&text);
}

const char *task_elapsed(const json_t *task, int64_t now_ms, char *out, size_t size)
{
    int64_t started = field_time(task, "started"), finished = field_time(task, "finished");

    if (started == 0) {
        snprintf(out, size, "-");
        return out;
    }
    return short_span((finished ? finished : now_ms) - started, out, size);
}

int64_t task_total(const json_t *task)
{
    int64_t tasks = field_int(task, "tasks");

    return tasks > 0 ? tasks : 1;
}

int64_t task_count(const json_t *task, const char *state)
{
    const json_t *counts = json_object_get(task, "counts");

    if (json_is_object(counts))
        return field_int(counts, state);
    return strcmp(field_text(task, "state"), state) == 0 ? task_total(task) : 0;
}

static int64_t count_final(const json_t *task)
{
    int64_t ended = 0;

    for (int state = 0; state < TASK_STATE_COUNT; state++)
        if (task_state_final((enum task_state)state))
            ended += task_count(task, task_state_name((enum task_state)state));
    return ended;
}

bool task_ended(const json_t *task)
{
    return count_final(task) >= task_total(task);
}

bool task_succeeded(const json_t *task)
{
    return task_count(task, task_state_name(TASK_SUCCEEDED)) >= task_total(task);
}
