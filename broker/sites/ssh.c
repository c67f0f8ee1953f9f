/* SPDX-License-Identifier: Apache-2.0 */
/* ssh.c - a plain host as a site, as one of its ordinary users sees it.
 *
 * As with the broker's own machine, one worker takes all of it: an agent in a session of its own,
 * with a folder that holds a file `pid` ("PID START", START as in proc(5), stat, field 22).  It
 * outlives the session that started it.  What its jobs have started is found and ended by `--reap`.
 */
#include "sites/ssh.h"

#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/parse.h"
#include "sites/remote.h"

struct host {
    struct remote remote;
    int64_t cpus, memory; /* 0: as found */
    struct shape shape;   /* as last probed */
};

static void host_close(void *self)
{
    struct host *host = self;

    remote_close(&host->remote);
    free(host->shape.gpu_model);
    free(host);
}

static int host_open(const struct site_conf *conf, const char *dir, void **self, struct err *err)
{
    static const char *const known[] = { "ssh",    "dir",  "path",   "agent",
                                         "tunnel", "cpus", "memory", NULL };
    struct host *host = xcalloc(1, sizeof *host);

    if (site_conf_only(conf, "", known, err) < 0 ||
        remote_open(&host->remote, conf, dir, err) < 0 ||
        site_conf_i64(conf, "/cpus", 1, 4096, &host->cpus, err) < 0 ||
        site_conf_bytes(conf, "/memory", &host->memory, err) < 0) {
        host_close(host);
        return -1;
    }
    *self = host;
    return 0;
}

/* ---- what there is -----------------------------------------------------------------------------
 */

static void take_number(const char *text, const char *key, int64_t unit, int64_t *out)
{
    const char *at = strstr(text, key);
    own_str char *word = NULL;
    int64_t value = 0;

    if (!at)
        return;
    at += strlen(key);
    word = xstrndup(at, strcspn(at, "\n"));
    if (parse_i64(word, 0, INT64_MAX / unit, &value, NULL) == 0)
        *out = value * unit;
}

static void take_shape(struct host *host, const char *text)
{
    int64_t cpus = 0, gpus = 0;
    const char *model = strstr(text, "\nmodel=");

    free(host->shape.gpu_model);
    host->shape = (struct shape){ .price_hour = -1 };
    take_number(text, "\ncpus=", 1, &cpus);
    take_number(text, "\nmemory=", 1024, &host->shape.memory);
    take_number(text, "\ndisk=", 1024, &host->shape.disk);
    take_number(text, "\ngpus=", 1, &gpus);
    host->shape.cpus = (int)(host->cpus ? host->cpus : cpus);
    host->shape.gpus = gpus < 1024 ? (int)gpus : 0;
    if (host->memory)
        host->shape.memory = host->memory;
    if (host->shape.gpus && model) {
        model += strlen("\nmodel=");
        host->shape.gpu_model = xstrndup(model, strcspn(model, "\n"));
    }
    host->shape.price_hour = site_conf_price(host->remote.conf, "machine");
}

static int host_probe(void *self, int64_t deadline_mono_ms, struct probe *out, struct err *err)
{
    static const char script[] =
        "echo; echo \"cpus=$(nproc)\"\n"
        "echo \"memory=$(sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo)\"\n"
        "echo \"disk=$(df -Pk . | awk 'NR == 2 { print $4 }')\"\n"
        "gpus=$(timeout 10 nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null) || "
        "gpus=\n"
        "test -z \"$gpus\" || echo \"gpus=$(echo \"$gpus\" | wc -l)\"\n"
        "echo \"model=$(echo \"$gpus\" | head -n 1)\"\n";
    struct host *host = self;
    own_buf struct buf text = BUF_INIT(65536);
    struct shape *shape;

    if (remote_ready(&host->remote, deadline_mono_ms, err) < 0 ||
        remote_run(&host->remote, script, &text, deadline_mono_ms, err) < 0)
        return -1;
    take_shape(host, buf_text(&text));
    if (host->shape.cpus < 1 || host->shape.memory < 1)
        return err_set(err, FAULT_INVALID, "%s: neither nproc nor /proc/meminfo tells its size",
                       ssh_name(host->remote.ssh));
    shape = out->shapes = xcalloc(1, sizeof *out->shapes);
    out->shape_count = 1;
    *shape = host->shape;
    shape->name = xstrdup("machine");
    shape->gpu_model = host->shape.gpu_model ? xstrdup(host->shape.gpu_model) : NULL;
    out->quotas = xcalloc(1, sizeof *out->quotas);
    out->quota_count = 1;
    out->quotas[0] = (struct quota){ .name = xstrdup("instances"), .limit = 1 };
    return 0;
}

/* ---- workers -----------------------------------------------------------------------------------
 */

/* start PID: when that process was started; nothing when it is gone. */
static const char functions[] =
    "start() { sed 's/.*) //' \"/proc/$1/stat\" 2>/dev/null | "
    "awk '$1 != \"Z\" && $1 != \"X\" { print $20 }'; }\n"
    "alive() { pid= born=; test -r \"$1/pid\" && read -r pid born <\"$1/pid\" || return 1\n"
    "    test -n \"$born\" && test \"$(start \"$pid\")\" = \"$born\"; }\n";

static int host_create(void *self, const struct order *order, struct err *err)
{
    struct host *host = self;
    own_buf struct buf script = BUF_INIT(0), out = BUF_INIT(65536);
    own_str char *boot = NULL;

    if (host->shape.cpus < 1)
        return err_set(err, FAULT_UNAVAILABLE, "the host was not seen yet");
    if (remote_boot(&host->remote, order, &host->shape, order->deadline_mono_ms, &boot, err) < 0)
        return -1;
    buf_puts(&script, functions);
    buf_puts(&script, "alive ");
    put_quoted(&script, host->remote.dir);
    buf_printf(&script, "/workers/%s && exit 0\n", order->name);
    remote_put_boot(&host->remote, order->name, boot, &script);
    buf_puts(&script, "A=");
    put_quoted(&script, host->remote.agent_there);
    /* The shell that becomes the agent notes who it is first. */
    buf_puts(&script,
             "\nA=$A W=$W setsid sh -c '"
             "b=$(sed \"s/.*) //\" /proc/$$/stat | cut -d\" \" -f20); "
             "echo \"$$ $b\" >\"$W/pid\"; exec \"$A\" --boot \"$W/boot.json\"' "
             "</dev/null >>\"$W/agent.log\" 2>&1 &\n"
             "for i in 1 2 3 4 5 6 7 8 9 10; do test -s \"$W/pid\" && exit 0; sleep 0.1; done\n"
             "echo 'the agent was not started' >&2; exit 1\n");
    return remote_run(&host->remote, buf_text(&script), &out, order->deadline_mono_ms, err);
}

static int ask_list(struct host *host, int64_t deadline_mono_ms, struct buf *text, struct err *err)
{
    own_buf struct buf script = BUF_INIT(0);

    if ((host->remote.dir ? remote_tunnel(&host->remote, deadline_mono_ms, err)
                          : remote_ready(&host->remote, deadline_mono_ms, err)) < 0)
        return -1;
    buf_puts(&script, functions);
    buf_puts(&script, "cd ");
    put_quoted(&script, host->remote.dir);
    buf_puts(&script, "/workers || exit 1\nfor w in *; do\n"
                      "    test -d \"$w\" || continue\n"
                      "    s=ended; alive \"$w\" && s=alive\n"
                      "    echo \"$s $(stat -c %Y \"$w\") $w\"\ndone\n");
    return remote_run(&host->remote, buf_text(&script), text, deadline_mono_ms, err);
}

/* "alive SECONDS NAME" or "ended SECONDS NAME" */
static void list_line(char *line, const char *broker, struct resources_list *out)
{
    char *rest = NULL, *state = strtok_r(line, " ", &rest), *since = strtok_r(NULL, " ", &rest);
    bool alive = state && strcmp(state, "alive") == 0;
    int64_t seconds = 0;

    if (!since || !*rest || !remote_is_ours(rest, broker))
        return;
    parse_i64(since, 0, INT64_MAX / 1000, &seconds, NULL);
    resource_add(out, rest, rest, alive ? INSTANCE_ACTIVE : INSTANCE_FAILED,
                 alive ? NULL : "the agent's process ended", seconds * 1000);
}

static int host_list(void *self, const char *broker, int64_t deadline_mono_ms,
                     struct resources_list *out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(REMOTE_OUTPUT_MOST);
    char *rest = NULL;

    if (ask_list(self, deadline_mono_ms, &text, err) < 0)
        return -1;
    for (char *line = text.data ? strtok_r(text.data, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest))
        list_line(line, broker, out);
    return 0;
}

static int host_inspect(void *self, const char *name, int64_t deadline_mono_ms,
                        enum instance_state *out, struct buf *detail, struct err *err)
{
    own_buf struct buf text = BUF_INIT(REMOTE_OUTPUT_MOST);
    char *rest = NULL;

    if (ask_list(self, deadline_mono_ms, &text, err) < 0)
        return -1;
    *out = INSTANCE_GONE;
    for (char *line = text.data ? strtok_r(text.data, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *last = strrchr(line, ' ');

        if (last && strcmp(last + 1, name) == 0)
            *out = strncmp(line, "alive ", 6) == 0 ? INSTANCE_ACTIVE : INSTANCE_FAILED;
    }
    if (*out == INSTANCE_FAILED)
        buf_puts(detail, "the agent's process ended");
    return 0;
}

static int host_diagnose(void *self, const char *name, int64_t deadline_mono_ms, struct buf *out,
                         struct err *err)
{
    return remote_diagnose(&((struct host *)self)->remote, name, deadline_mono_ms, out, err);
}

static int host_destroy(void *self, const char *name, int64_t deadline_mono_ms, struct err *err)
{
    struct host *host = self;
    own_buf struct buf script = BUF_INIT(0), out = BUF_INIT(65536);

    if (!host->remote.dir && remote_ready(&host->remote, deadline_mono_ms, err) < 0)
        return -1;
    buf_puts(&script, functions);
    buf_puts(&script, "W=");
    put_quoted(&script, host->remote.dir);
    buf_printf(&script, "/workers/%s\ntest -d \"$W\" || exit 0\nA=", name);
    put_quoted(&script, host->remote.agent_there);
    buf_puts(&script, "\nif alive \"$W\"; then kill -9 \"$pid\"\n"
                      "    for i in 1 2 3 4 5 6 7 8 9 10; do alive \"$W\" || break; sleep 0.1; "
                      "done\nfi\n"
                      "timeout 30 \"$A\" --reap \"$W\" </dev/null && rm -rf \"$W\"\n");
    return remote_run(&host->remote, buf_text(&script), &out, deadline_mono_ms, err);
}

static void host_calls(void *self, int *last_minute, int *most)
{
    remote_calls(&((struct host *)self)->remote, last_minute, most);
}

static int host_watch_fd(void *self)
{
    return ssh_watch_fd(((struct host *)self)->remote.ssh);
}

const struct site_driver ssh_driver = {
    .type = "ssh",
    .settle_ms = 1000,
    .open = host_open,
    .close = host_close,
    .probe = host_probe,
    .create = host_create,
    .list = host_list,
    .inspect = host_inspect,
    .diagnose = host_diagnose,
    .destroy = host_destroy,
    .watch_fd = host_watch_fd,
    .calls = host_calls,
};
