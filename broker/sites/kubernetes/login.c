/* SPDX-License-Identifier: Apache-2.0 */
/* login.c - tokens, certificates, and programs that print them. */
#include "sites/kubernetes/login.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/parse.h"
#include "net/command.h"

#define LOOK_MS     60000 /* between looks at files */
#define PEM_MOST    ((size_t)1 << 20)
#define OUTPUT_MOST ((size_t)1 << 20)
#define MARGIN_MS   60000 /* a program is run again so long before its credential ends */
#define PROGRAM_MS  60000

struct login {
    const struct kube_conf *conf;
    pthread_mutex_t lock; /* all below */
    struct identity now;
    int64_t looked_mono_ms;   /* 0: never, or it was refused */
    char *token, *cert, *key; /* from the program */
    int64_t program_end_ms;   /* wall; 0: none said */
    bool program_ran;
    int64_t end_ms;
};

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void identity_fini(struct identity *identity)
{
    wipe(&identity->header);
    free(identity->ca);
    free(identity->cert);
    wipe(&identity->key);
    memset(identity, 0, sizeof *identity);
}

struct login *login_new(const struct kube_conf *conf)
{
    struct login *login = xcalloc(1, sizeof *login);

    login->conf = conf;
    pthread_mutex_init(&login->lock, NULL);
    return login;
}

static void forget_program(struct login *login)
{
    wipe(&login->token);
    wipe(&login->key);
    free(login->cert);
    login->cert = NULL;
    login->program_ran = false;
}

void login_free(struct login *login)
{
    if (!login)
        return;
    forget_program(login);
    identity_fini(&login->now);
    pthread_mutex_destroy(&login->lock);
    free(login);
}

/* ---- ends ------------------------------------------------------------------------------------ */

int64_t jwt_end(const char *token)
{
    own_buf struct buf plain = BUF_INIT(65536);
    const char *first = strchr(token, '.'), *second = first ? strchr(first + 1, '.') : NULL;
    own_str char *part = second ? xstrndup(first + 1, (size_t)(second - first - 1)) : NULL;
    own_str char *padded = NULL;
    own_json json_t *claims = NULL;
    int64_t end = 0;

    if (!part || !*part)
        return 0;
    for (char *c = part; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    padded = xasprintf("%s%.*s", part, (int)((4 - strlen(part) % 4) % 4), "===");
    if (buf_put_unbase64(&plain, padded, strlen(padded)) < 0)
        return 0;
    claims = json_parse(buf_text(&plain), plain.length, NULL);
    if (!json_is_object(claims) || json_opt_i64(claims, "exp", 0, INT64_MAX / 1000, &end, NULL) < 0)
        return 0;
    return end * 1000;
}

int64_t pem_end(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    struct tm tm = { .tm_year = 0 };
    int64_t end = 0;

    if (cert && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1)
        end = (int64_t)timegm(&tm) * 1000;
    X509_free(cert);
    BIO_free(bio);
    return end;
}

/* ---- the program ----------------------------------------------------------------------------- */

static int take_text(const json_t *status, const char *key, char **out, struct err *err)
{
    const char *text = NULL;

    if (json_opt_str(status, key, &text, err) < 0)
        return err_wrap(err, "status");
    *out = text && *text ? xstrdup(text) : NULL;
    return 0;
}

static int check_credential(const char *token, const char *cert, const char *key, struct err *err)
{
    if (!token && !cert)
        return err_set(err, FAULT_INVALID, "status has neither token nor clientCertificateData");
    if (!cert != !key)
        return err_set(err, FAULT_INVALID, "clientCertificateData and clientKeyData go together");
    if (token && strpbrk(token, "\r\n"))
        return err_set(err, FAULT_INVALID, "status.token holds a line break");
    return 0;
}

int exec_credential_read(const char *text, size_t length, const char *version, char **token,
                         char **cert, char **key, int64_t *end_ms, struct err *err)
{
    own_json json_t *root = json_parse(text, length, err);
    own_str char *t = NULL, *c = NULL, *k = NULL, *until = NULL;
    const char *is = NULL;
    const json_t *status = NULL;
    int64_t end = 0;

    if (!root)
        return -1;
    if (!json_is_object(root) || json_opt_str(root, "apiVersion", &is, err) < 0 ||
        json_opt_object(root, "status", &status, err) < 0)
        return err_set(err, FAULT_INVALID, "is no ExecCredential");
    if (!is || strcmp(is, version) != 0)
        return err_set(err, FAULT_INVALID, "apiVersion is '%.80s', not %s", is ? is : "", version);
    if (!status)
        return err_set(err, FAULT_INVALID, "has no status");
    if (take_text(status, "token", &t, err) < 0 ||
        take_text(status, "clientCertificateData", &c, err) < 0 ||
        take_text(status, "clientKeyData", &k, err) < 0 ||
        take_text(status, "expirationTimestamp", &until, err) < 0 ||
        check_credential(t, c, k, err) < 0)
        return -1;
    if (until && parse_time(until, &end, err) < 0)
        return err_wrap(err, "status.expirationTimestamp");
    *token = take_ptr(t);
    *cert = take_ptr(c);
    *key = take_ptr(k);
    *end_ms = end;
    return 0;
}

/* What the program is told of its caller, and of the cluster where it asks for that. */
static char *exec_info(const struct kube_conf *conf)
{
    own_json json_t *info = json_pack("{s:s, s:s, s:{s:b}}", "apiVersion", conf->exec->version,
                                      "kind", "ExecCredential", "spec", "interactive", 0);
    own_buf struct buf base64 = BUF_INIT(PEM_MOST * 2);
    own_str char *text = NULL;
    json_t *cluster;

    if (conf->exec->cluster_info) {
        cluster = json_pack("{s:s, s:s*, s:b, s:s*}", "server", conf->server, "tls-server-name",
                            conf->server_name, "insecure-skip-tls-verify", (int)conf->insecure,
                            "proxy-url", conf->proxy);
        if (conf->ca && buf_put_base64(&base64, conf->ca, strlen(conf->ca)) == 0)
            json_object_set_new(cluster, "certificate-authority-data",
                                json_string(buf_text(&base64)));
        json_object_set_new(json_object_get(info, "spec"), "cluster", cluster);
    }
    text = json_dumps(info, JSON_COMPACT);
    return xasprintf("KUBERNETES_EXEC_INFO=%s", text);
}

static int run_program(struct login *login, int64_t deadline_mono_ms, struct err *err)
{
    const struct kube_exec *exec = login->conf->exec;
    own_buf struct buf out = BUF_INIT(OUTPUT_MOST), errors = BUF_INIT(16384);
    own_str char *info = exec_info(login->conf);
    own_mem const char **argv = NULL, **env = NULL;
    size_t args = 0, extra = 0;
    int64_t most = clock_mono_ms() + PROGRAM_MS;
    int rc;

    while (exec->args[args])
        args++;
    while (exec->env[extra])
        extra++;
    argv = xcalloc(args + 2, sizeof *argv);
    env = xcalloc(extra + 2, sizeof *env);
    argv[0] = exec->command;
    memcpy(argv + 1, exec->args, args * sizeof *argv);
    memcpy(env, exec->env, extra * sizeof *env);
    env[extra] = info;
    rc = command_run(argv, env, deadline_mono_ms < most ? deadline_mono_ms : most, &out, &errors,
                     err);
    if (rc < 0 && err && exec->hint &&
        (err->fault == FAULT_NOT_FOUND || strstr(err->text, "ended with status 127")))
        err_set(err, FAULT_AUTH, "%s is not installed; %.400s", exec->command, exec->hint);
    if (rc == 0) {
        forget_program(login);
        rc = exec_credential_read(buf_text(&out), out.length, exec->version, &login->token,
                                  &login->cert, &login->key, &login->program_end_ms, err);
    }
    if (out.data)
        explicit_bzero(out.data, out.length);
    if (rc < 0) {
        if (err && err->fault != FAULT_TIMEOUT)
            err->fault = FAULT_AUTH;
        return err_wrap(err, "the credential program of %s", login->conf->where);
    }
    login->program_ran = true;
    return 0;
}

static bool program_is_due(const struct login *login)
{
    return login->conf->exec &&
           (!login->program_ran ||
            (login->program_end_ms && clock_wall_ms() > login->program_end_ms - MARGIN_MS));
}

/* ---- all together ---------------------------------------------------------------------------- */

/* What was given as data, else what the file holds now. */
static int read_pem(const char *given, const char *path, char **out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(PEM_MOST);

    *out = NULL;
    if (given)
        *out = xstrdup(given);
    else if (path) {
        if (buf_read_file(&text, path, err) < 0) {
            if (err)
                err->fault = FAULT_AUTH;
            return -1;
        }
        *out = buf_take(&text);
    }
    return 0;
}

static char *basic(const struct kube_conf *conf)
{
    own_str char *pair = xasprintf("%s:%s", conf->user, conf->password ? conf->password : "");
    own_buf struct buf out = BUF_INIT(65536);

    buf_puts(&out, "Authorization: Basic ");
    buf_put_base64(&out, pair, strlen(pair));
    explicit_bzero(pair, strlen(pair));
    return buf_take(&out);
}

/* kubectl's order: the file of a token wins over the token, and either over a program. */
static int read_header(struct login *login, char **out, struct err *err)
{
    const struct kube_conf *conf = login->conf;
    own_buf struct buf text = BUF_INIT(PEM_MOST);
    const char *token = conf->token;

    if (conf->token_file) {
        if (buf_read_file(&text, conf->token_file, err) < 0) {
            if (err)
                err->fault = FAULT_AUTH;
            return -1;
        }
        if (text.length)
            text.data[strcspn(text.data, " \t\r\n")] = '\0';
        token = buf_text(&text);
    } else if (!token && conf->exec) {
        token = login->token;
    }
    *out = token && *token ? xasprintf("Authorization: Bearer %s", token)
           : conf->user    ? basic(conf)
                           : NULL;
    login->end_ms = conf->token && !conf->token_file ? jwt_end(conf->token) : 0;
    if (text.data)
        explicit_bzero(text.data, text.length);
    return 0;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : !a && !b;
}

static void adopt(struct login *login, struct identity *fresh)
{
    struct identity *now = &login->now;

    fresh->generation = now->generation;
    if (!now->generation || !same(now->header, fresh->header) || !same(now->ca, fresh->ca) ||
        !same(now->cert, fresh->cert) || !same(now->key, fresh->key))
        fresh->generation++;
    identity_fini(now);
    *now = *fresh;
    login->looked_mono_ms = clock_mono_ms();
}

static int look(struct login *login, struct err *err)
{
    const struct kube_conf *conf = login->conf;
    struct identity fresh = { .header = NULL };
    const char *cert = login->cert ? login->cert : conf->cert;
    const char *key = login->cert ? login->key : conf->key;

    if (read_header(login, &fresh.header, err) < 0 ||
        read_pem(conf->ca, conf->ca_file, &fresh.ca, err) < 0 ||
        read_pem(cert, conf->cert_file, &fresh.cert, err) < 0 ||
        read_pem(key, conf->key_file, &fresh.key, err) < 0) {
        identity_fini(&fresh);
        return err_wrap(err, "%s", conf->where);
    }
    if (fresh.cert && !login->cert && !login->end_ms)
        login->end_ms = pem_end(fresh.cert);
    adopt(login, &fresh);
    return 0;
}

static int renew(struct login *login, int64_t deadline_mono_ms, struct err *err)
{
    bool due = program_is_due(login);

    if (due && run_program(login, deadline_mono_ms, err) < 0)
        return -1;
    if (!due && login->looked_mono_ms && clock_mono_ms() - login->looked_mono_ms < LOOK_MS)
        return 0;
    return look(login, err);
}

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

int login_get(struct login *login, int64_t deadline_mono_ms, struct identity *out, struct err *err)
{
    int rc;

    pthread_mutex_lock(&login->lock);
    rc = renew(login, deadline_mono_ms, err);
    if (rc == 0 && out->generation != login->now.generation) {
        identity_fini(out);
        out->header = copy(login->now.header);
        out->ca = copy(login->now.ca);
        out->cert = copy(login->now.cert);
        out->key = copy(login->now.key);
        out->generation = login->now.generation;
    }
    pthread_mutex_unlock(&login->lock);
    return rc;
}

bool login_refused(struct login *login, uint64_t generation)
{
    const struct kube_conf *conf = login->conf;
    bool may_change = conf->exec || conf->token_file || conf->cert_file;

    pthread_mutex_lock(&login->lock);
    if (generation == login->now.generation) {
        login->looked_mono_ms = 0;
        login->program_ran = false;
    } else {
        may_change = true; /* another thread was refused first, and has a newer one */
    }
    pthread_mutex_unlock(&login->lock);
    return may_change;
}

int64_t login_end(struct login *login)
{
    int64_t end;

    pthread_mutex_lock(&login->lock);
    end = login->end_ms;
    pthread_mutex_unlock(&login->lock);
    return end;
}
