/* SPDX-License-Identifier: Apache-2.0 */
/* remote.c - folders, agent and tunnel on a host that is reached over SSH. */
#include "sites/remote.h"

#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"
#include "net/hash.h"
#include "sites/program.h"

static int read_ssh(struct remote *remote, const struct site_conf *conf, struct err *err)
{
    static const char *const known[] = { "host", "user", "port", "identity", "config", NULL };
    own_str char *identity = NULL, *config = NULL;
    struct ssh_target target = { .host = NULL };
    int64_t port = 0;

    if (site_conf_only(conf, "/ssh", known, err) < 0 ||
        site_conf_need_str(conf, "/ssh/host", &target.host, err) < 0 ||
        site_conf_str(conf, "/ssh/user", &target.user, err) < 0 ||
        site_conf_i64(conf, "/ssh/port", 1, 65535, &port, err) < 0 ||
        site_conf_path(conf, "/ssh/identity", &identity, err) < 0 ||
        site_conf_path(conf, "/ssh/config", &config, err) < 0)
        return -1;
    target.port = (int)port;
    target.identity = identity;
    target.config = config;
    remote->ssh = ssh_new(&target);
    return 0;
}

static int read_rest(struct remote *remote, const struct site_conf *conf, struct err *err)
{
    static const char *const known[] = { "bind", "host", "port", NULL };
    const char *dir = NULL, *path = NULL;

    remote->tunnel_bind = remote->tunnel_host = "127.0.0.1";
    if (site_conf_str(conf, "/dir", &dir, err) < 0 ||
        site_conf_str(conf, "/path", &path, err) < 0 ||
        site_conf_path(conf, "/agent", &remote->agent, err) < 0 ||
        site_conf_only(conf, "/tunnel", known, err) < 0 ||
        site_conf_str(conf, "/tunnel/bind", &remote->tunnel_bind, err) < 0 ||
        site_conf_str(conf, "/tunnel/host", &remote->tunnel_host, err) < 0 ||
        site_conf_i64(conf, "/tunnel/port", 1, 65535, &remote->tunnel_port, err) < 0)
        return -1;
    remote->dir_wanted = dir ? xstrdup(dir) : NULL;
    remote->path = path ? xstrdup(path) : NULL;
    if (!remote->agent)
        remote->agent = agent_program();
    return 0;
}

int remote_open(struct remote *remote, const struct site_conf *conf, const char *dir,
                struct err *err)
{
    remote->conf = conf;
    pace_init(&remote->pace, conf->calls_per_second, conf->calls_burst, clock_mono_ms());
    remote->local_dir = xstrdup(dir);
    return read_ssh(remote, conf, err) < 0 ? -1 : read_rest(remote, conf, err);
}

void remote_close(struct remote *remote)
{
    ssh_free(remote->ssh);
    pace_fini(&remote->pace);
    free(remote->dir_wanted);
    free(remote->dir);
    free(remote->agent);
    free(remote->agent_there);
    free(remote->path);
    free(remote->local_dir);
    tunnel_end_fini(&remote->tunnel_to);
}

void put_quoted(struct buf *out, const char *text)
{
    buf_putc(out, '\'');
    for (; *text; text++)
        if (*text == '\'')
            buf_puts(out, "'\\''");
        else
            buf_putc(out, *text);
    buf_putc(out, '\'');
}

/* ---- scripts -----------------------------------------------------------------------------------
 */

enum fault remote_fault_of(const char *words)
{
    static const struct {
        const char *words;
        enum fault fault;
    } known[] = {
        { "temporarily unable to accept job", FAULT_QUOTA }, /* MaxJobCount */
        { "Job violates accounting/QOS policy", FAULT_QUOTA },
        { "MaxSubmitJob", FAULT_QUOTA },
        { "Disk quota exceeded", FAULT_UNAVAILABLE },
        { "No space left", FAULT_UNAVAILABLE },
        { "Requested node configuration is not available", FAULT_NO_CAPACITY },
        { "Invalid partition", FAULT_INVALID },
        { "invalid partition", FAULT_INVALID },
        { "Invalid account", FAULT_INVALID },
        { "Invalid qos", FAULT_INVALID },
        { "Invalid generic resource", FAULT_INVALID },
        { "unrecognized option", FAULT_INVALID },
        { "not permitted to use this partition", FAULT_AUTH },
        { "Permission denied", FAULT_AUTH },
        { "Access/permission denied", FAULT_AUTH },
        { "Zero Bytes were transmitted", FAULT_UNAVAILABLE },
        { "Unable to contact slurm controller", FAULT_UNAVAILABLE },
        { "Socket timed out", FAULT_UNAVAILABLE },
        { "Munge", FAULT_UNAVAILABLE },
    };

    for (size_t i = 0; i < array_len(known); i++)
        if (strstr(words, known[i].words))
            return known[i].fault;
    return FAULT_UNAVAILABLE;
}

/* The last words count: what went before is often only a warning. */
static const char *last_words(const char *text)
{
    size_t length = strlen(text);

    return length > 600 ? text + length - 600 : text;
}

static void trim_end(struct buf *buf)
{
    while (buf->length && strchr("\n\r ", buf->data[buf->length - 1]))
        buf->data[--buf->length] = '\0';
}

int remote_fault(const struct remote *remote, int status, const char *errors, struct err *err)
{
    const char *name = ssh_name(remote->ssh);

    if (status == 127)
        return err_set(err, FAULT_INVALID,
                       "%s: %s (a command is not found there: set `path` to where Slurm's are)",
                       name, last_words(errors));
    if (status == 124 && !*errors)
        return err_set(err, FAULT_TIMEOUT, "%s: a command there did not end in time", name);
    return err_set(err, remote_fault_of(errors), "%s: %s", name,
                   *errors ? last_words(errors) : "a command failed without words");
}

void remote_calls(struct remote *remote, int *last_minute, int *most)
{
    *last_minute = pace_minute(&remote->pace, clock_mono_ms());
    *most = (int)(remote->conf->calls_per_second * PACE_SECONDS) + remote->conf->calls_burst;
}

static int wait_turn(struct remote *remote, int64_t deadline_mono_ms, struct err *err)
{
    for (;;) {
        int64_t now = clock_mono_ms(), wait = pace_take(&remote->pace, now);

        if (wait == 0)
            return 0;
        if (now + wait > deadline_mono_ms)
            return err_set(err, FAULT_THROTTLED, "%s: more commands than `calls` allows",
                           ssh_name(remote->ssh));
        clock_sleep_ms(wait);
    }
}

int remote_run(struct remote *remote, const char *script, struct buf *out, int64_t deadline_mono_ms,
               struct err *err)
{
    own_buf struct buf errors = BUF_INIT(REMOTE_ERRORS_MOST), full = BUF_INIT(0);
    int status = 0;

    buf_puts(&full, "LC_ALL=C; export LC_ALL; umask 077\n");
    if (remote->path) {
        buf_puts(&full, "PATH=");
        put_quoted(&full, remote->path);
        buf_puts(&full, ":$PATH; export PATH\n");
    }
    buf_puts(&full, script);
    if (wait_turn(remote, deadline_mono_ms, err) < 0 ||
        ssh_run(remote->ssh, buf_text(&full), out, &errors, deadline_mono_ms, &status, err) < 0)
        return -1;
    trim_end(&errors);
    return status == 0 ? 0 : remote_fault(remote, status, buf_text(&errors), err);
}

/* ---- the agent ---------------------------------------------------------------------------------
 */

static void put_folder(const struct remote *remote, struct buf *script)
{
    if (!remote->dir_wanted) {
        buf_puts(script, "S=$HOME/.spillway\n");
    } else if (strncmp(remote->dir_wanted, "~/", 2) == 0) {
        buf_puts(script, "S=$HOME/");
        put_quoted(script, remote->dir_wanted + 2);
        buf_putc(script, '\n');
    } else {
        buf_puts(script, "S=");
        put_quoted(script, remote->dir_wanted);
        buf_putc(script, '\n');
    }
}

static int take_folder(struct remote *remote, const struct buf *out, bool *there, struct err *err)
{
    const char *text = buf_text(out), *end = strchr(text, '\n');

    if (text[0] != '/' || !end)
        return err_set(err, FAULT_INVALID, "%s: dir must be absolute, or begin with ~/",
                       ssh_name(remote->ssh));
    free(remote->dir);
    remote->dir = xstrndup(text, (size_t)(end - text));
    *there = strstr(end, "\nagent-is-there\n") != NULL;
    return 0;
}

static int copy_agent(struct remote *remote, const char *sha, int64_t deadline_mono_ms,
                      struct err *err)
{
    own_buf struct buf script = BUF_INIT(0), out = BUF_INIT(4096);
    char tail[17];
    own_str char *part = NULL;

    io_random_hex(tail, 8);
    part = xasprintf("%s/bin/.part-%s", remote->dir, tail);
    if (ssh_put(remote->ssh, remote->agent, part, 0700, deadline_mono_ms, err) < 0)
        return -1;
    buf_puts(&script, "P=");
    put_quoted(&script, part);
    buf_puts(&script, "\nA=");
    put_quoted(&script, remote->agent_there);
    buf_printf(
        &script,
        "\ntest \"$(sha256sum <\"$P\" | cut -d' ' -f1)\" = %s || "
        "{ rm -f \"$P\"; echo 'the copy of the agent is not whole (disk full?)' >&2; exit 1; "
        "}\nchmod 700 \"$P\" && mv -f \"$P\" \"$A\"\n",
        sha);
    return remote_run(remote, buf_text(&script), &out, deadline_mono_ms, err);
}

static int make_folders(struct remote *remote, int64_t deadline_mono_ms, struct err *err)
{
    own_buf struct buf script = BUF_INIT(0), out = BUF_INIT(65536);
    char sha[SHA256_HEX];
    int64_t size;
    bool there = false;

    if (sha256_file(remote->agent, sha, &size, err) < 0)
        return err_wrap(err, "the agent's program");
    put_folder(remote, &script);
    buf_printf(&script,
               "mkdir -p \"$S/bin\" \"$S/workers\" || exit 1\n"
               "cd \"$S\" && pwd -P\n"
               "test ! -x bin/agent-%s || echo agent-is-there\n",
               sha);
    if (remote_run(remote, buf_text(&script), &out, deadline_mono_ms, err) < 0 ||
        take_folder(remote, &out, &there, err) < 0)
        return -1;
    free(remote->agent_there);
    remote->agent_there = xasprintf("%s/bin/agent-%s", remote->dir, sha);
    return there ? 0 : copy_agent(remote, sha, deadline_mono_ms, err);
}

/* ---- the tunnel --------------------------------------------------------------------------------
 */

/* The port that agents were told of must be the one after a restart too. */
static void recall_port(struct remote *remote)
{
    own_buf struct buf text = BUF_INIT(64);
    own_str char *path = xasprintf("%s/tunnel.port", remote->local_dir);

    if (remote->tunnel_port == 0 && buf_read_file(&text, path, NULL) == 0)
        parse_i64(buf_text(&text), 1, 65535, &remote->tunnel_port, NULL);
}

static int keep_port(const struct remote *remote, struct err *err)
{
    own_str char *path = xasprintf("%s/tunnel.port", remote->local_dir);
    char text[16];

    snprintf(text, sizeof text, "%d", (int)remote->tunnel_port);
    return io_mkdirs(remote->local_dir, 0700, err) < 0
               ? -1
               : io_replace_file(path, 0600, text, strlen(text), err);
}

static int tunnel_open(struct remote *remote, int64_t deadline_mono_ms, struct err *err)
{
    int port;

    recall_port(remote);
    port = (int)remote->tunnel_port;
    if (ssh_forward(remote->ssh, remote->tunnel_bind, &port, remote->tunnel_to.host,
                    remote->tunnel_to.port, deadline_mono_ms, err) < 0)
        return err_wrap(err, "tunnel");
    if (port == remote->tunnel_port)
        return 0;
    remote->tunnel_port = port;
    return keep_port(remote, err);
}

int remote_ready(struct remote *remote, int64_t deadline_mono_ms, struct err *err)
{
    if (make_folders(remote, deadline_mono_ms, err) < 0)
        return -1;
    return remote_tunnel(remote, deadline_mono_ms, err);
}

int remote_tunnel(struct remote *remote, int64_t deadline_mono_ms, struct err *err)
{
    ssh_watch_clear(remote->ssh);
    if (remote->conf->connect != CONNECT_SSH)
        return 0;
    tunnel_end_recall(&remote->tunnel_to, remote->local_dir);
    return remote->tunnel_to.host ? tunnel_open(remote, deadline_mono_ms, err) : 0;
}

/* ---- workers -----------------------------------------------------------------------------------
 */

static int boot_url(struct remote *remote, json_t *boot, int64_t deadline_mono_ms, struct err *err)
{
    const char *given = json_string_value(json_object_get(boot, "url"));
    const char *url = given ? given : "";
    own_str char *there = NULL;

    if (tunnel_end_read(&remote->tunnel_to, url, err) < 0)
        return -1;
    if (remote->conf->connect != CONNECT_SSH)
        return 0;
    if (tunnel_open(remote, deadline_mono_ms, err) < 0 ||
        tunnel_end_keep(remote->local_dir, url, err) < 0)
        return -1;
    there = xasprintf("https://%s:%d", remote->tunnel_host, (int)remote->tunnel_port);
    json_object_set_new(boot, "url", json_string(there));
    return 0;
}

int remote_boot(struct remote *remote, const struct order *order, const struct shape *shape,
                int64_t deadline_mono_ms, char **out, struct err *err)
{
    own_json json_t *boot = json_loads(order->boot, 0, NULL);
    own_str char *dir = NULL;

    if (!remote->dir && remote_ready(remote, deadline_mono_ms, err) < 0)
        return -1;
    if (boot_url(remote, boot, deadline_mono_ms, err) < 0)
        return -1;
    dir = xasprintf("%s/workers/%s", remote->dir, order->name);
    json_object_set_new(boot, "dir", json_string(dir));
    json_object_set_new(boot, "cpus", json_integer(shape->cpus));
    json_object_set_new(boot, "memory_bytes", json_integer(shape->memory));
    *out = json_dumps(boot, JSON_COMPACT);
    return 0;
}

void remote_put_boot(const struct remote *remote, const char *name, const char *boot,
                     struct buf *out)
{
    buf_puts(out, "W=");
    put_quoted(out, remote->dir);
    buf_printf(out,
               "/workers/%s\nmkdir -p \"$W\" || exit 1\n"
               "cat >\"$W/boot.new\" <<'SPILLWAY-END-OF-BOOT' && mv -f \"$W/boot.new\" "
               "\"$W/boot.json\" || exit 1\n%s\nSPILLWAY-END-OF-BOOT\n",
               name, boot);
}

int remote_diagnose(struct remote *remote, const char *name, int64_t deadline_mono_ms,
                    struct buf *out, struct err *err)
{
    own_buf struct buf script = BUF_INIT(0);

    if (!remote->dir)
        return 0;
    buf_puts(&script, "cd ");
    put_quoted(&script, remote->dir);
    buf_printf(&script,
               "/workers/%s 2>/dev/null || exit 0\ntest ! -e agent.log || "
               "tail -c 4000 agent.log\n",
               name);
    return remote_run(remote, buf_text(&script), out, deadline_mono_ms, err);
}

void resource_add(struct resources_list *list, const char *id, const char *name,
                  enum instance_state state, const char *detail, int64_t created_ms)
{
    struct resource *resource = resource_list_add(list, "worker", id, name);

    resource->state = state;
    resource->detail = detail ? xstrdup(detail) : NULL;
    resource->created_ms = created_ms;
}

bool remote_is_ours(const char *name, const char *broker)
{
    own_str char *stem = xasprintf("spillway-%.8s-", broker);

    return strncmp(name, stem, strlen(stem)) == 0;
}
