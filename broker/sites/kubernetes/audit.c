/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - what is unsafe about our account and its cluster, as far as the account may see it.
 *
 * A review of one's own rules is open to every account; services and pods of other namespaces are
 * looked at where they may be. */
#include <stdarg.h>
#include <string.h>

#include "base/json.h"
#include "sites/kubernetes/kubernetes.h"

#define RULES_MOST 40 /* that are told */

/* What no broker needs.  NULL: whatever it is. */
static const struct {
    const char *group, *resource, *verb, *why;
} wide[] = {
    { "*", NULL, NULL, "every API group" },
    { NULL, "*", NULL, "every resource" },
    { NULL, NULL, "*", "every verb" },
    { "", "secrets", "get", "reading the namespace's secrets" },
    { "", "secrets", "list", "reading the namespace's secrets" },
    { "", "secrets", "watch", "reading the namespace's secrets" },
    { "", "pods/exec", "create", "running programs in pods" },
    { "", "pods/attach", "create", "attaching to pods" },
    { "", "serviceaccounts/token", "create", "making tokens of other accounts" },
    { "", "serviceaccounts", "impersonate", "acting as other accounts" },
    { "", "users", "impersonate", "acting as other users" },
    { "", "nodes", "delete", "removing nodes" },
    { "rbac.authorization.k8s.io", "roles", "escalate", "giving itself more" },
    { "rbac.authorization.k8s.io", "rolebindings", "create", "giving itself more" },
    { "rbac.authorization.k8s.io", "clusterrolebindings", "create", "giving itself more" },
};

static void tell(json_t *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(json_t *findings, const char *format, ...)
{
    char words[512];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    for (size_t i = 0; i < json_array_size(findings); i++)
        if (strcmp(json_string_value(json_array_get(findings, i)), words) == 0)
            return;
    if (json_array_size(findings) < RULES_MOST)
        json_array_append_new(findings, json_string(words));
}

static bool has(const json_t *list, const char *word)
{
    const json_t *each;
    size_t i;

    if (!word)
        return true;
    json_array_foreach(list, i, each)
    {
        const char *text = json_string_value(each);

        if (text && strcmp(text, word) == 0)
            return true;
    }
    return false;
}

void audit_rules(const json_t *rules, const char *namespace, json_t *findings)
{
    const json_t *rule;
    size_t i;

    json_array_foreach(rules, i, rule)
    {
        for (size_t w = 0; w < array_len(wide); w++)
            if (has(json_object_get(rule, "apiGroups"), wide[w].group) &&
                has(json_object_get(rule, "resources"), wide[w].resource) &&
                has(json_object_get(rule, "verbs"), wide[w].verb))
                tell(
                    findings,
                    "the account is allowed more than it needs in namespace %s: %s; bind it to the "
                    "Role of examples/kubernetes/role.yaml alone",
                    namespace, wide[w].why);
    }
}

static int review(struct kubernetes *kube, const char *namespace, int64_t deadline,
                  json_t *findings, struct err *err)
{
    own_json json_t *body =
        json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "authorization.k8s.io/v1", "kind",
                  "SelfSubjectRulesReview", "spec", "namespace", namespace);
    own_call struct call call = { .method = "POST",
                                  .path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
                                  .body = body };

    if (client_call(kube->client, &call, deadline, err) < 0)
        return -1;
    audit_rules(kube_at(call.answer, "status", "resourceRules", NULL), namespace, findings);
    return 0;
}

/* ---- dashboards ------------------------------------------------------------------------------ */

static bool is_dashboard(const json_t *object)
{
    const json_t *meta = json_object_get(object, "metadata");
    const char *name = kube_text(meta, "name");
    const char *app = kube_text(json_object_get(meta, "labels"), "k8s-app");

    return (name && strstr(name, "dashboard")) || (app && strstr(app, "dashboard"));
}

void audit_service(void *arg, const json_t *service)
{
    const json_t *spec = json_object_get(service, "spec"), *port;
    const char *type = kube_text(spec, "type");
    const char *name = json_string_value(kube_at(service, "metadata", "name", NULL));
    const char *namespace = json_string_value(kube_at(service, "metadata", "namespace", NULL));
    size_t i;

    if (!is_dashboard(service) || !name || !namespace)
        return;
    if (type && (strcmp(type, "NodePort") == 0 || strcmp(type, "LoadBalancer") == 0))
        tell(arg, "service %s/%s, a dashboard, is open to whoever reaches the nodes (%s)",
             namespace, name, type);
    json_array_foreach(json_object_get(spec, "ports"), i, port)
    {
        int64_t number = json_integer_value(json_object_get(port, "port"));

        if (number == 80 || number == 9090 || number == 8080)
            tell(arg, "service %s/%s, a dashboard, is served without TLS at port %lld", namespace,
                 name, (long long)number);
    }
}

/* A dashboard that asks for no login acts with its own account's rights for everyone. */
void audit_pod(void *arg, const json_t *pod)
{
    static const char *const open[] = { "--enable-skip-login", "--enable-insecure-login",
                                        "--insecure-port", "--disable-settings-authorizer" };
    const char *name = json_string_value(kube_at(pod, "metadata", "name", NULL));
    const char *namespace = json_string_value(kube_at(pod, "metadata", "namespace", NULL));
    const json_t *container, *word;
    size_t i, j;

    if (!is_dashboard(pod) || !name || !namespace)
        return;
    json_array_foreach(kube_at(pod, "spec", "containers", NULL), i, container)
    {
        json_array_foreach(json_object_get(container, "args"), j, word)
        {
            for (size_t o = 0; o < array_len(open); o++) {
                const char *text = json_string_value(word);

                if (text && strncmp(text, open[o], strlen(open[o])) == 0)
                    tell(arg, "pod %s/%s, a dashboard, lets in whoever asks: %s", namespace, name,
                         open[o]);
            }
        }
    }
}

static int look(struct kubernetes *kube, const char *path, const char *words, int64_t deadline,
                client_each *each, json_t *findings, struct err *err)
{
    struct err why = ERR_INIT;

    if (client_list(kube->client, path, NULL, deadline, each, findings, NULL, &why) == 0)
        return 0;
    if (why.fault == FAULT_AUTH) {
        tell(findings,
             "not looked at: the account may not list %s of all namespaces, so an open "
             "dashboard would not be seen",
             words);
        return 0;
    }
    *err = why;
    return -1;
}

int audit_look(struct kubernetes *kube, int64_t deadline, json_t *findings, struct err *err)
{
    if (kube->kube.insecure)
        tell(findings, "insecure-skip-tls-verify: whoever answers for %s is believed",
             kube->kube.server);
    if (review(kube, kube->namespace, deadline, findings, err) < 0 ||
        review(kube, "kube-system", deadline, findings, err) < 0 ||
        look(kube, "/api/v1/services", "services", deadline, audit_service, findings, err) < 0)
        return -1;
    return look(kube, "/api/v1/pods", "pods", deadline, audit_pod, findings, err);
}
