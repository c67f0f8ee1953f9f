/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfig.c - kubectl's files, merged and checked. */
#include "sites/kubernetes/kubeconfig.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "conf/yaml.h"

#define TEXT_MOST ((size_t)1 << 20) /* one value */
#define LIST_MOST 1000

struct layer {
    const char *name, *dir; /* for messages; where relative paths begin, NULL: nowhere */
    const struct yaml_doc *doc;
};
struct layers {
    struct layer list[KUBE_FILES_MOST];
    struct yaml_docs docs[KUBE_FILES_MOST];
    char *texts[KUBE_FILES_MOST * 2]; /* names and folders that the layers borrow */
    size_t count, text_count;
};

static void layers_free(struct layers *layers)
{
    for (size_t i = 0; i < layers->count; i++)
        yaml_docs_free(&layers->docs[i]);
    for (size_t i = 0; i < layers->text_count; i++)
        free(layers->texts[i]);
}
#define own_layers own(layers_free)

/* ---- faults with their place ----------------------------------------------------------------- */

/* A mapping that was found in a file: `pointer` leads to it. */
struct place {
    const struct layer *layer;
    const json_t *value;
    char pointer[96];
};

static int fault(const struct place *at, const char *key, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static int fault(const struct place *at, const char *key, struct err *err, const char *format, ...)
{
    own_str char *pointer = xasprintf("%s%s%s", at->pointer, key ? "/" : "", key ? key : "");
    struct yaml_mark mark = yaml_mark(at->layer->doc, pointer, false);
    char words[512];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    return err_set(err, FAULT_INVALID, "%s:%d:%d: %s%s%s", at->layer->name, mark.line, mark.column,
                   key ? key : "", key ? ": " : "", words);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* NULL is as good as absent; "" too, which is what kubectl writes for what is not set. */
static int text_of(const struct place *at, const char *key, char **out, struct err *err)
{
    const json_t *value = json_object_get(at->value, key);

    if (!value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)))
        return 0;
    if (json_is_integer(value)) { /* a token of digits that nobody put in quotes */
        free(*out);
        *out = xasprintf("%lld", (long long)json_integer_value(value));
        return 0;
    }
    if (!json_is_string(value))
        return fault(at, key, err, "must be text");
    if (json_string_length(value) > TEXT_MOST)
        return fault(at, key, err, "more than %zu bytes", TEXT_MOST);
    free(*out);
    *out = xstrdup(json_string_value(value));
    return 0;
}

static int bool_of(const struct place *at, const char *key, bool *out, struct err *err)
{
    const json_t *value = json_object_get(at->value, key);

    if (!value || json_is_null(value))
        return 0;
    if (!json_is_boolean(value))
        return fault(at, key, err, "must be true or false");
    *out = json_is_true(value);
    return 0;
}

static int path_of(const struct place *at, const char *key, char **out, struct err *err)
{
    own_str char *text = NULL;

    if (text_of(at, key, &text, err) < 0)
        return -1;
    if (!text)
        return 0;
    free(*out);
    *out = NULL;
    if (text[0] == '/')
        *out = take_ptr(text);
    else if (at->layer->dir)
        *out = xasprintf("%s/%s", at->layer->dir, text);
    else
        return fault(at, key, err, "must be an absolute path, or be given as data");
    return 0;
}

/* base64 over any number of lines. */
static int data_of(const struct place *at, const char *key, char **out, struct err *err)
{
    own_buf struct buf plain = BUF_INIT(TEXT_MOST);
    own_str char *text = NULL;
    size_t kept = 0;

    if (text_of(at, key, &text, err) < 0)
        return -1;
    if (!text)
        return 0;
    for (const char *from = text; *from; from++)
        if (!strchr(" \t\r\n", *from))
            text[kept++] = *from;
    if (buf_put_unbase64(&plain, text, kept) < 0 || !plain.length ||
        memchr(plain.data, '\0', plain.length))
        return fault(at, key, err, "is not a PEM file in base64");
    free(*out);
    *out = buf_take(&plain);
    return 0;
}

/* ---- looking things up ----------------------------------------------------------------------- */

/* The entry called `name` in the list `kind` of one file; false: it has none. */
static bool find_in(const struct layer *layer, const char *kind, const char *inside,
                    const char *name, struct place *out)
{
    const json_t *list = json_object_get(layer->doc->root, kind), *each;
    size_t i;

    json_array_foreach(list, i, each)
    {
        const char *text = json_string_value(json_object_get(each, "name"));

        if (!text || strcmp(text, name) != 0)
            continue;
        *out = (struct place){ .layer = layer, .value = json_object_get(each, inside) };
        snprintf(out->pointer, sizeof out->pointer, "/%s/%zu/%s", kind, i, inside);
        return true;
    }
    return false;
}

static void put_names(const struct layers *layers, const char *kind, struct buf *out)
{
    for (size_t i = 0; i < layers->count; i++) {
        const json_t *each;
        size_t at;

        json_array_foreach(json_object_get(layers->list[i].doc->root, kind), at, each)
        {
            const char *name = json_string_value(json_object_get(each, "name"));

            if (name && out->length + strlen(name) < 300)
                buf_printf(out, "%s%s", out->length ? ", " : "", name);
        }
    }
}

/* `kind` is "contexts", and "context" the word for one. */
static int find(const struct layers *layers, const char *kind, const char *name, struct place *out,
                struct err *err)
{
    own_buf struct buf names = BUF_INIT(4096);
    char one[16];

    snprintf(one, sizeof one, "%.*s", (int)strlen(kind) - 1, kind);
    for (size_t i = 0; i < layers->count; i++)
        if (find_in(&layers->list[i], kind, one, name, out)) {
            if (out->value && !json_is_object(out->value))
                return fault(out, NULL, err, "%s: must be a mapping of keys to values", one);
            return 0;
        }
    put_names(layers, kind, &names);
    err_set(err, FAULT_INVALID, "%s has no %s '%.200s'; there is %s", layers->list[0].name, one,
            name, names.length ? buf_text(&names) : "none");
    return -1;
}

/* The current context is the first file's that names one; one alone needs no naming. */
static const char *current(const struct layers *layers)
{
    const char *only = NULL;
    size_t count = 0;

    for (size_t i = 0; i < layers->count; i++) {
        const json_t *root = layers->list[i].doc->root, *each;
        const char *name = json_string_value(json_object_get(root, "current-context"));
        size_t at;

        if (name && *name)
            return name;
        json_array_foreach(json_object_get(root, "contexts"), at, each)
        {
            only = json_string_value(json_object_get(each, "name"));
            count++;
        }
    }
    return count == 1 ? only : NULL;
}

/* ---- clusters and users ---------------------------------------------------------------------- */

static int read_cluster(const struct place *at, struct kube_conf *conf, struct err *err)
{
    size_t length;

    if (text_of(at, "server", &conf->server, err) < 0 ||
        text_of(at, "tls-server-name", &conf->server_name, err) < 0 ||
        text_of(at, "proxy-url", &conf->proxy, err) < 0 ||
        bool_of(at, "insecure-skip-tls-verify", &conf->insecure, err) < 0 ||
        path_of(at, "certificate-authority", &conf->ca_file, err) < 0 ||
        data_of(at, "certificate-authority-data", &conf->ca, err) < 0)
        return -1;
    if (!conf->server)
        return fault(at, NULL, err, "the cluster has no server");
    length = strlen(conf->server);
    while (length && conf->server[length - 1] == '/')
        conf->server[--length] = '\0';
    if (strncmp(conf->server, "https://", 8) != 0 && strncmp(conf->server, "http://", 7) != 0)
        return fault(at, "server", err, "must begin with https://");
    if (strpbrk(conf->server, " \t\r\n?#"))
        return fault(at, "server", err, "is no URL");
    return 0;
}

static void strings_free_(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

static int read_args(const struct place *at, struct kube_exec *exec, struct err *err)
{
    const json_t *list = json_object_get(at->value, "args"), *each;
    size_t i;

    exec->args = xcalloc(json_array_size(list) + 1, sizeof *exec->args);
    if (list && !json_is_null(list) && !json_is_array(list))
        return fault(at, "args", err, "must be a list of texts");
    if (json_array_size(list) > LIST_MOST)
        return fault(at, "args", err, "more than %d", LIST_MOST);
    json_array_foreach(list, i, each)
    {
        if (json_is_string(each))
            exec->args[i] = xstrdup(json_string_value(each));
        else if (json_is_integer(each))
            exec->args[i] = xasprintf("%lld", (long long)json_integer_value(each));
        else
            return fault(at, "args", err, "must be a list of texts");
    }
    return 0;
}

static int read_env(const struct place *at, struct kube_exec *exec, struct err *err)
{
    const json_t *list = json_object_get(at->value, "env"), *each;
    size_t i;

    exec->env = xcalloc(json_array_size(list) + 1, sizeof *exec->env);
    if (json_array_size(list) > LIST_MOST)
        return fault(at, "env", err, "more than %d", LIST_MOST);
    json_array_foreach(list, i, each)
    {
        const char *name = json_string_value(json_object_get(each, "name"));
        const char *value = json_string_value(json_object_get(each, "value"));

        if (!name || !*name || strchr(name, '=') || !value)
            return fault(at, "env", err, "must be a list of {name, value}");
        exec->env[i] = xasprintf("%s=%s", name, value);
    }
    return 0;
}

static int read_exec(const struct place *user, struct kube_conf *conf, struct err *err)
{
    struct place at = *user;
    struct kube_exec *exec;
    own_str char *mode = NULL, *command = NULL;

    at.value = json_object_get(user->value, "exec");
    if (!at.value || json_is_null(at.value))
        return 0;
    snprintf(at.pointer, sizeof at.pointer, "%.80s/exec", user->pointer);
    if (!json_is_object(at.value))
        return fault(&at, NULL, err, "exec: must be a mapping of keys to values");
    exec = conf->exec = xcalloc(1, sizeof *exec);
    if (text_of(&at, "apiVersion", &exec->version, err) < 0 ||
        text_of(&at, "command", &command, err) < 0 ||
        text_of(&at, "installHint", &exec->hint, err) < 0 ||
        text_of(&at, "interactiveMode", &mode, err) < 0 ||
        bool_of(&at, "provideClusterInfo", &exec->cluster_info, err) < 0 ||
        read_args(&at, exec, err) < 0 || read_env(&at, exec, err) < 0)
        return -1;
    if (!command)
        return fault(&at, NULL, err, "exec: 'command' is missing");
    if (!exec->version || (strcmp(exec->version, "client.authentication.k8s.io/v1") != 0 &&
                           strcmp(exec->version, "client.authentication.k8s.io/v1beta1") != 0))
        return fault(&at, exec->version ? "apiVersion" : NULL, err,
                     "exec: apiVersion must be client.authentication.k8s.io/v1 or /v1beta1");
    if (mode && strcmp(mode, "Always") == 0)
        return fault(&at, "interactiveMode", err,
                     "the program wants a terminal, which a daemon has not; use another way to log "
                     "in");
    if (command[0] == '/' || !strchr(command, '/'))
        exec->command = take_ptr(command);
    else if (at.layer->dir)
        exec->command = xasprintf("%s/%s", at.layer->dir, command);
    else
        return fault(&at, "command", err, "must be an absolute path");
    return 0;
}

/* Ways to log in that kubectl itself no longer has. */
static int refuse_old(const struct place *at, struct err *err)
{
    const json_t *old = json_object_get(at->value, "auth-provider");
    const char *name = json_string_value(json_object_get(old, "name"));

    if (!old || json_is_null(old))
        return 0;
    return fault(at, "auth-provider", err,
                 "'%.60s' was removed from Kubernetes in 1.26; use an exec plugin, a token or a "
                 "client certificate",
                 name ? name : "?");
}

static int read_user(const struct place *at, struct kube_conf *conf, struct err *err)
{
    if (text_of(at, "token", &conf->token, err) < 0 ||
        path_of(at, "tokenFile", &conf->token_file, err) < 0 ||
        path_of(at, "client-certificate", &conf->cert_file, err) < 0 ||
        data_of(at, "client-certificate-data", &conf->cert, err) < 0 ||
        path_of(at, "client-key", &conf->key_file, err) < 0 ||
        data_of(at, "client-key-data", &conf->key, err) < 0 ||
        text_of(at, "username", &conf->user, err) < 0 ||
        text_of(at, "password", &conf->password, err) < 0 || read_exec(at, conf, err) < 0 ||
        refuse_old(at, err) < 0)
        return -1;
    if (!(conf->cert || conf->cert_file) != !(conf->key || conf->key_file))
        return fault(at, NULL, err, "client-certificate and client-key go together");
    if (conf->token && strpbrk(conf->token, "\r\n"))
        return fault(at, "token", err, "holds a line break");
    return 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int check_root(const struct layer *layer, struct err *err)
{
    static const char *const lists[] = { "clusters", "users", "contexts" };
    struct place at = { .layer = layer, .value = layer->doc->root };
    const char *kind;

    if (!json_is_object(at.value))
        return fault(&at, NULL, err, "is no kubeconfig: must be a mapping");
    kind = json_string_value(json_object_get(at.value, "kind"));
    if (kind && strcmp(kind, "Config") != 0)
        return fault(&at, "kind", err, "'%.60s' is no kubeconfig", kind);
    for (size_t i = 0; i < array_len(lists); i++) {
        const json_t *list = json_object_get(at.value, lists[i]);

        if (list && !json_is_null(list) && !json_is_array(list))
            return fault(&at, lists[i], err, "must be a list");
    }
    return 0;
}

static void hand_over(struct kube_conf *from, struct kube_conf *out)
{
    *out = *from;
    memset(from, 0, sizeof *from);
}

static int resolve(const struct layers *layers, const char *context, struct kube_conf *out,
                   struct err *err)
{
    own_kube_conf struct kube_conf conf = { .server = NULL };
    own_str char *cluster = NULL, *user = NULL;
    own_buf struct buf names = BUF_INIT(4096);
    struct place at = { .layer = NULL }, of = at;

    if (!context && !(context = current(layers))) {
        put_names(layers, "contexts", &names);
        return err_set(err, FAULT_INVALID,
                       "%s has no current context; say which: context: one of %s",
                       layers->list[0].name, names.length ? buf_text(&names) : "(none)");
    }
    if (find(layers, "contexts", context, &at, err) < 0 ||
        text_of(&at, "cluster", &cluster, err) < 0 || text_of(&at, "user", &user, err) < 0 ||
        text_of(&at, "namespace", &conf.namespace, err) < 0)
        return -1;
    if (!cluster)
        return fault(&at, NULL, err, "context '%.100s' names no cluster", context);
    conf.where = xasprintf("%s, context %s", at.layer->name, context);
    if (find(layers, "clusters", cluster, &of, err) < 0 || read_cluster(&of, &conf, err) < 0)
        return -1;
    if (user && (find(layers, "users", user, &of, err) < 0 || read_user(&of, &conf, err) < 0))
        return -1;
    hand_over(&conf, out);
    return 0;
}

static int take_doc(struct layers *layers, const char *name, const char *dir, struct err *err)
{
    struct yaml_docs *docs = &layers->docs[layers->count];
    struct layer *layer = &layers->list[layers->count];

    layers->count++;
    if (docs->count == 0) {
        yaml_docs_free(docs);
        layers->count--;
        return 0;
    }
    layer->doc = &docs->list[0];
    layer->name = layers->texts[layers->text_count++] = xstrdup(name);
    layer->dir = dir ? (layers->texts[layers->text_count++] = xstrdup(dir)) : NULL;
    return check_root(layer, err);
}

int kube_conf_parse(const char *text, size_t length, const char *name, const char *dir,
                    const char *context, struct kube_conf *out, struct err *err)
{
    own_layers struct layers layers = { .count = 0 };

    layers.docs[0] = (struct yaml_docs)YAML_DOCS_INIT;
    if (length > KUBE_FILE_MOST)
        return err_set(err, FAULT_INVALID, "%s: more than %zu bytes", name, KUBE_FILE_MOST);
    if (yaml_parse(text, length, &layers.docs[0], err) < 0)
        return err_wrap(err, "%s", name);
    if (take_doc(&layers, name, dir, err) < 0)
        return -1;
    if (layers.count == 0)
        return err_set(err, FAULT_INVALID, "%s: is empty", name);
    return resolve(&layers, context, out, err);
}

static int add_file(struct layers *layers, const char *path, bool must, struct err *err)
{
    const char *slash = strrchr(path, '/');
    own_str char *dir = slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path)) : NULL;
    own_str char *here = dir ? NULL : getcwd(NULL, 0);
    struct stat st;

    if (layers->count == KUBE_FILES_MOST)
        return err_set(err, FAULT_INVALID, "more than %d kubeconfig files", KUBE_FILES_MOST);
    if (stat(path, &st) < 0 ? !must : st.st_size == 0)
        return 0; /* an empty file is a kubeconfig with nothing in it */
    layers->docs[layers->count] = (struct yaml_docs)YAML_DOCS_INIT;
    if (yaml_load(path, &layers->docs[layers->count], err) < 0)
        return -1;
    return take_doc(layers, path, dir ? dir : here, err);
}

static int add_files(struct layers *layers, const char *files, bool must, struct err *err)
{
    while (*files) {
        size_t length = strcspn(files, ":");
        own_str char *path = xstrndup(files, length);

        if (*path && add_file(layers, path, must, err) < 0)
            return -1;
        files += length;
        files += *files == ':';
    }
    return 0;
}

int kube_conf_load(const char *files, const char *context, struct kube_conf *out, struct err *err)
{
    own_layers struct layers layers = { .count = 0 };
    const char *variable = getenv("KUBECONFIG"), *home = getenv("HOME");
    own_str char *usual = xasprintf("%s/.kube/config", home ? home : "");
    bool must = files != NULL;

    if (!files)
        files = variable && *variable ? variable : usual;
    if (add_files(&layers, files, must, err) < 0)
        return -1;
    if (layers.count)
        return resolve(&layers, context, out, err);
    if (!must && getenv("KUBERNETES_SERVICE_HOST"))
        return kube_conf_in_cluster(KUBE_ACCOUNT_DIR, out, err);
    return err_set(err, FAULT_INVALID,
                   "%s: no kubeconfig there; name one: kubeconfig: FILE, or set KUBECONFIG", files);
}

int kube_conf_in_cluster(const char *dir, struct kube_conf *out, struct err *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    own_buf struct buf namespace = BUF_INIT(4096);
    own_str char *file = xasprintf("%s/namespace", dir);
    own_kube_conf struct kube_conf conf = { .server = NULL };
    bool six = host && strchr(host, ':');

    if (!host || !*host)
        return err_set(err, FAULT_INVALID,
                       "in-cluster: KUBERNETES_SERVICE_HOST is not set: this is no pod");
    conf.where = xstrdup("the pod's service account");
    conf.server = xasprintf("https://%s%s%s:%s", six ? "[" : "", host, six ? "]" : "",
                            port && *port ? port : "443");
    conf.ca_file = xasprintf("%s/ca.crt", dir);
    conf.token_file = xasprintf("%s/token", dir);
    if (access(conf.token_file, R_OK) < 0)
        return err_sys(err, "in-cluster: %s", conf.token_file);
    if (buf_read_file(&namespace, file, NULL) == 0 && namespace.length) {
        namespace.data[strcspn(namespace.data, " \r\n")] = '\0';
        conf.namespace = xstrdup(namespace.data);
    }
    hand_over(&conf, out);
    return 0;
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void kube_conf_fini(struct kube_conf *conf)
{
    if (conf->exec) {
        strings_free_(conf->exec->args);
        strings_free_(conf->exec->env);
        free(conf->exec->version);
        free(conf->exec->command);
        free(conf->exec->hint);
        free(conf->exec);
    }
    free(conf->where);
    free(conf->server);
    free(conf->namespace);
    free(conf->server_name);
    free(conf->proxy);
    free(conf->ca);
    free(conf->ca_file);
    free(conf->cert);
    free(conf->cert_file);
    wipe(conf->key);
    free(conf->key_file);
    wipe(conf->token);
    free(conf->token_file);
    free(conf->user);
    wipe(conf->password);
    memset(conf, 0, sizeof *conf);
}
