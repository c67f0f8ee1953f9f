/* SPDX-License-Identifier: Apache-2.0 */
/* boot.c - the boot payload: read, checked, kept. */
#include "boot.h"

#include <ctype.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/json.h"
#include "base/utf8.h"
#include "digest.h"
#include "facts.h"

#define BOOT_MOST  65536
#define TOKEN_MOST 1024
#define NAME_MOST  128
#define GRACE_MS   10000
#define CPUS_MOST  4096
#define SPAN_MOST  ((int64_t)365 * 24 * 3600 * 1000)

void boot_free(struct boot *boot)
{
    free(boot->url);
    free(boot->worker);
    free(boot->dir);
    free(boot->notice_file);
    free(boot->token);
    free(boot->session);
    free(boot->pin);
    free(boot->container);
    free(boot->gpu_model);
    url_free(&boot->server.url);
    *boot = (struct boot)BOOT_INIT;
}

/* A worker's name becomes part of paths and of a header. */
static bool name_is_fit(const char *name)
{
    size_t length = strlen(name);

    if (!isalnum((unsigned char)name[0]) || length > NAME_MOST)
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("-._", *name))
            return false;
    return true;
}

static int take_str(const json_t *object, const char *key, char **out, struct err *err)
{
    const char *value = NULL;

    if (json_opt_str(object, key, &value, err) < 0)
        return -1;
    if (value && (!*value || strlen(value) > 4096 || !text_is_plain(value, strlen(value))))
        return err_set(err, FAULT_INVALID, "%s: empty, too long, or with control characters", key);
    *out = value ? xstrdup(value) : NULL;
    return 0;
}

static int take_numbers(const json_t *object, struct boot *boot, struct err *err)
{
    if (json_opt_i64(object, "orphan_ms", 0, SPAN_MOST, &boot->orphan_ms, err) < 0 ||
        json_opt_i64(object, "cpus", 1, CPUS_MOST, &boot->cpus, err) < 0 ||
        json_opt_i64(object, "memory_bytes", 1, INT64_MAX, &boot->memory, err) < 0 ||
        json_opt_i64(object, "gpus", 0, GPUS_MOST, &boot->gpus, err) < 0 ||
        json_opt_i64(object, "gpu_memory_bytes", 0, INT64_MAX, &boot->gpu_memory, err) < 0 ||
        json_opt_i64(object, "grace_ms", 0, SPAN_MOST, &boot->grace_ms, err) < 0)
        return -1;
    return json_opt_bool(object, "poweroff", &boot->poweroff, err);
}

static int take_secrets(const json_t *object, struct boot *boot, struct err *err)
{
    const char *nonce = NULL;

    if (take_str(object, "token", &boot->token, err) < 0 ||
        take_str(object, "session", &boot->session, err) < 0 ||
        json_opt_str(object, "nonce", &nonce, err) < 0)
        return -1;
    if (!boot->token && !boot->session)
        return err_set(err, FAULT_INVALID, "token: missing");
    if ((boot->token && strlen(boot->token) > TOKEN_MOST) ||
        (boot->session && strlen(boot->session) > TOKEN_MOST))
        return err_set(err, FAULT_INVALID, "token: too long");
    if (nonce && strspn(nonce, "0123456789abcdef") == NONCE_HEX - 1 && !nonce[NONCE_HEX - 1])
        memcpy(boot->nonce, nonce, NONCE_HEX);
    else
        io_random_hex(boot->nonce, (NONCE_HEX - 1) / 2);
    return 0;
}

/* Only a loopback address may be spoken to in clear: the token would be readable on the way. */
static int check_server(struct boot *boot, struct err *err)
{
    struct server *server = &boot->server;

    if (url_parse(boot->url, &server->url, err) < 0)
        return err_wrap(err, "url");
    if (server->url.scheme == URL_HTTP && strncmp(server->url.host, "127.", 4) != 0 &&
        strcmp(server->url.host, "::1") != 0)
        return err_set(err, FAULT_INVALID,
                       "url: http:// is only for a loopback address; use https://");
    if (boot->pin) {
        for (char *c = boot->pin; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        if (!digest_is_hex(boot->pin))
            return err_set(err, FAULT_INVALID, "pin: must be 64 hex digits (SHA-256)");
    }
    server->pin = boot->pin;
    server->trust = boot->pin ? TLS_PINNED : TLS_BY_SYSTEM;
    return 0;
}

static int take_all(const json_t *object, struct boot *boot, struct err *err)
{
    const json_t *notice = NULL;

    if (!json_is_object(object))
        return err_set(err, FAULT_INVALID, "must be a JSON object");
    if (take_str(object, "url", &boot->url, err) < 0 ||
        take_str(object, "worker", &boot->worker, err) < 0 ||
        take_str(object, "dir", &boot->dir, err) < 0 ||
        take_str(object, "pin", &boot->pin, err) < 0 ||
        take_str(object, "container", &boot->container, err) < 0 ||
        take_str(object, "gpu_model", &boot->gpu_model, err) < 0 ||
        json_opt_object(object, "notice", &notice, err) < 0 ||
        take_numbers(object, boot, err) < 0 || take_secrets(object, boot, err) < 0)
        return -1;
    if (notice && take_str(notice, "file", &boot->notice_file, err) < 0)
        return err_wrap(err, "notice");
    if (!boot->url || !boot->worker || !boot->dir)
        return err_set(err, FAULT_INVALID, "%s: missing",
                       !boot->url      ? "url"
                       : !boot->worker ? "worker"
                                       : "dir");
    if (!name_is_fit(boot->worker))
        return err_set(err, FAULT_INVALID, "worker: must be letters, digits, '-', '.', '_'");
    if (boot->dir[0] != '/' || strlen(boot->dir) > 1024)
        return err_set(err, FAULT_INVALID, "dir: must be an absolute path");
    return check_server(boot, err);
}

int boot_parse(const char *text, size_t length, struct boot *out, struct err *err)
{
    own_boot struct boot boot = BOOT_INIT;
    own_json json_t *object = json_parse(text, length, err);

    boot.grace_ms = GRACE_MS;
    if (!object || take_all(object, &boot, err) < 0)
        return err_wrap(err, "boot payload");
    *out = boot;
    boot = (struct boot)BOOT_INIT;
    return 0;
}

int boot_read(const char *path, struct boot *out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(BOOT_MOST);
    int rc;

    if (strcmp(path, "-") == 0)
        rc = buf_read_fd(&text, STDIN_FILENO, err);
    else
        rc = buf_read_file(&text, path, err);
    if (rc < 0)
        return err_wrap(err, "boot payload");
    rc = boot_parse(buf_text(&text), text.length, out, err);
    if (rc == 0 && strcmp(path, "-") != 0)
        unlink(path);
    if (text.data)
        explicit_bzero(text.data, text.length);
    return rc;
}

static void put_str(json_t *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new(object, key, json_string(value));
}

int boot_save(const struct boot *boot, struct err *err)
{
    own_json json_t *object = json_object();
    own_str char *path = xasprintf("%s/agent.json", boot->dir);
    own_str char *text = NULL;

    put_str(object, "url", boot->url);
    put_str(object, "worker", boot->worker);
    put_str(object, "dir", boot->dir);
    put_str(object, "pin", boot->pin);
    put_str(object, "container", boot->container);
    put_str(object, "gpu_model", boot->gpu_model);
    put_str(object, "token", boot->token);
    put_str(object, "session", boot->session);
    put_str(object, "nonce", boot->nonce);
    json_object_set_new(object, "orphan_ms", json_integer(boot->orphan_ms));
    json_object_set_new(object, "grace_ms", json_integer(boot->grace_ms));
    json_object_set_new(object, "poweroff", json_boolean(boot->poweroff));
    if (boot->cpus)
        json_object_set_new(object, "cpus", json_integer(boot->cpus));
    if (boot->memory)
        json_object_set_new(object, "memory_bytes", json_integer(boot->memory));
    if (boot->gpus)
        json_object_set_new(object, "gpus", json_integer(boot->gpus));
    if (boot->gpu_memory)
        json_object_set_new(object, "gpu_memory_bytes", json_integer(boot->gpu_memory));
    if (boot->notice_file)
        json_object_set_new(object, "notice", json_pack("{s:s}", "file", boot->notice_file));
    text = json_canonical(object);
    return io_replace_file(path, 0600, text, strlen(text), err);
}

int boot_resume(const char *dir, struct boot *out, struct err *err)
{
    own_str char *path = xasprintf("%s/agent.json", dir);
    own_buf struct buf text = BUF_INIT(BOOT_MOST);

    if (buf_read_file(&text, path, err) < 0 ||
        boot_parse(buf_text(&text), text.length, out, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}
