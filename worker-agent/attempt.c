/* SPDX-License-Identifier: Apache-2.0 */
/* attempt.c - reading a lease, writing a report.  Pure but for the memory. */
#include "attempt.h"

#include <inttypes.h>
#include <signal.h>

#include "base/io.h"
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "nodes.h"
#include "spillway/wire.h"

#define ARGS_MOST   65536
#define INPUTS_MOST 100000
#define GLOBS_MOST  1000
#define GPUS_MOST   64

/* ---- the lease ------------------------------------------------------------------------------- */

int64_t lease_id(const json_t *lease)
{
    const json_t *id = json_object_get(lease, "attempt");

    return json_is_integer(id) && json_integer_value(id) > 0 ? json_integer_value(id) : 0;
}

/* Strings only, at most `most`, none empty unless `empty`. */
static int check_list(const json_t *lease, const char *key, size_t most, struct err *err)
{
    const json_t *list = NULL, *item;
    size_t i;

    if (json_opt_array(lease, key, &list, err) < 0)
        return -1;
    if (json_array_size(list) > most)
        return err_set(err, FAULT_INVALID, "%s: more than %zu", key, most);
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return err_set(err, FAULT_INVALID, "%s: must be a list of strings", key);
    }
    return 0;
}

static int check_command(const json_t *lease, const char **script, struct err *err)
{
    const json_t *argv = json_object_get(lease, "argv");

    if (json_opt_str(lease, "script", script, err) < 0 ||
        check_list(lease, "argv", ARGS_MOST, err) < 0)
        return -1;
    if (!*script && json_array_size(argv) == 0)
        return err_set(err, FAULT_INVALID, "argv: missing, and no script either");
    if (!*script && !*json_string_value(json_array_get(argv, 0)))
        return err_set(err, FAULT_INVALID, "argv: the command is empty");
    return 0;
}

static int check_environment(const json_t *lease, struct err *err)
{
    const json_t *item;
    size_t i;

    if (check_list(lease, "environment", ARGS_MOST, err) < 0)
        return -1;
    json_array_foreach(json_object_get(lease, "environment"), i, item)
    {
        const char *equals = strchr(json_string_value(item), '=');

        if (!equals || equals == json_string_value(item))
            return err_set(err, FAULT_INVALID, "environment: must be NAME=value");
    }
    return 0;
}

static int take_numbers(struct attempt *a, const json_t *lease, struct err *err)
{
    int64_t gpus = 0, signal = 0;

    if (json_opt_i64(lease, "cpus", 0, 1 << 20, &a->need.cpus, err) < 0 ||
        json_opt_i64(lease, "memory_bytes", 0, INT64_MAX / 4, &a->need.memory, err) < 0 ||
        json_opt_i64(lease, "gpus", 0, GPUS_MOST, &gpus, err) < 0 ||
        json_opt_i64(lease, "disk_bytes", 0, INT64_MAX / 4, &a->disk, err) < 0 ||
        json_opt_i64(lease, "walltime_ms", 0, INT64_MAX / 4, &a->walltime_ms, err) < 0 ||
        json_opt_i64(lease, "signal", 0, SIGRTMAX, &signal, err) < 0 ||
        json_opt_i64(lease, "signal_before_ms", 0, INT64_MAX / 4, &a->signal_before_ms, err) < 0 ||
        json_opt_i64(lease, "grace_ms", 0, INT64_MAX / 4, &a->grace_ms, err) < 0 ||
        json_opt_i64(lease, "log_most", 0, INT64_MAX / 4, &a->log_most, err) < 0 ||
        json_opt_i64(lease, "output_most", 0, INT64_MAX / 4, &a->output_most, err) < 0)
        return -1;
    a->need.gpus = (int)gpus;
    a->early_signal = (int)signal;
    return 0;
}

static int take_workdir(struct attempt *a, const json_t *lease, struct err *err)
{
    if (json_opt_str(lease, "workdir", &a->workdir, err) < 0 ||
        json_opt_str(lease, "stdout", &a->out_file, err) < 0 ||
        json_opt_str(lease, "stderr", &a->err_file, err) < 0 ||
        json_opt_bool(lease, "append", &a->append, err) < 0)
        return -1;
    if (a->workdir && (*a->workdir != '/' || a->container))
        return err_set(err, FAULT_INVALID, "workdir: must be a full path, and without a container");
    return 0;
}

static int take_lease(struct attempt *a, const json_t *lease, struct err *err)
{
    const json_t *inputs = NULL;

    if (json_opt_str(lease, "task", &a->task, err) < 0 ||
        json_opt_str(lease, "container", &a->container, err) < 0 ||
        check_command(lease, &a->script, err) < 0 || check_environment(lease, err) < 0 ||
        check_list(lease, "outputs", GLOBS_MOST, err) < 0 ||
        json_opt_array(lease, "inputs", &inputs, err) < 0 || nodes_check(lease, err) < 0 ||
        take_numbers(a, lease, err) < 0 || take_workdir(a, lease, err) < 0)
        return -1;
    if (json_array_size(inputs) > INPUTS_MOST)
        return err_set(err, FAULT_INVALID, "inputs: more than %d", INPUTS_MOST);
    if (a->container && (!*a->container || a->container[0] == '-' ||
                         !text_is_plain(a->container, strlen(a->container))))
        return err_set(err, FAULT_INVALID, "container: not the name of an image");
    if (!a->task)
        a->task = "";
    return 0;
}

struct attempt *attempt_bare(struct agent *agent, int64_t id)
{
    struct attempt *a = xcalloc(1, sizeof *a);

    a->agent = agent;
    a->id = id;
    a->exit_code = -1;
    list_init(&a->node);
    list_init(&a->say);
    return a;
}

struct attempt *attempt_from_lease(struct agent *agent, json_t *lease, struct err *err)
{
    struct attempt *a = attempt_bare(agent, lease_id(lease));

    if (take_lease(a, lease, err) < 0) {
        attempt_free(a);
        return NULL;
    }
    a->lease = json_incref(lease);
    return a;
}

void attempt_free(struct attempt *a)
{
    if (!a)
        return;
    list_del(&a->node);
    list_del(&a->say);
    joblog_free(&a->logs[0]);
    joblog_free(&a->logs[1]);
    json_decref(a->lease);
    json_decref(a->outputs);
    free(a->container_rm);
    free(a->detail);
    free(a->report);
    free(a);
}

/* ---- the report ------------------------------------------------------------------------------ */

static void put_log(struct buf *out, const char *name, const struct joblog *log)
{
    char hex[DIGEST_HEX];

    if (log->file_fd >= 0)
        digest_hex(&log->digest, hex);
    else
        digest_hex_of(buf_text(&log->head), log->head.length, hex);
    buf_printf(out, "\"%s\":{\"size\":%" PRId64 ",\"sha256\":\"%s\",\"cut\":%" PRId64, name,
               log->size, hex, log->cut);
    if (log->size && log->size <= WIRE_LOG_INLINE && log->head.length == (size_t)log->size) {
        buf_puts(out, ",\"data\":\"");
        buf_put_base64(out, log->head.data, log->head.length);
        buf_putc(out, '"');
    }
    buf_putc(out, '}');
}

char *attempt_report(const struct attempt *a)
{
    own_buf struct buf out = BUF_INIT(WIRE_BODY_MOST);

    buf_printf(&out, "{\"attempt\":%" PRId64 ",\"state\":\"finished\",\"reason\":\"%s\"", a->id,
               reason_name(a->reason));
    if (a->detail) {
        buf_puts(&out, ",\"detail\":");
        buf_put_json(&out, a->detail);
    }
    if (a->exit_code >= 0)
        buf_printf(&out, ",\"exit_code\":%d", a->exit_code);
    buf_printf(&out, ",\"signal\":%d", a->signal);
    if (a->started_wall_ms)
        buf_printf(&out,
                   ",\"started\":%" PRId64 ",\"wall_ms\":%" PRId64 ",\"cpu_ms\":%" PRId64
                   ",\"max_rss_bytes\":%" PRId64,
                   a->started_wall_ms, a->wall_ms, a->cpu_ms, a->max_rss);
    buf_printf(&out, ",\"finished\":%" PRId64, a->finished_wall_ms);
    if (a->logs[0].loop) {
        buf_puts(&out, ",\"logs\":{");
        put_log(&out, "stdout", &a->logs[0]);
        buf_putc(&out, ',');
        put_log(&out, "stderr", &a->logs[1]);
        buf_putc(&out, '}');
    }
    if (a->outputs) {
        own_str char *text = json_canonical(a->outputs);

        buf_printf(&out, ",\"outputs\":%s", text);
    }
    buf_putc(&out, '}');
    return buf_take(&out);
}
