/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_kubeconfig.c - libFuzzer: a kubeconfig, what a credential program prints, an API object, a
 * server's version, an output of a stack. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "sites/heat/heat.h"
#include "sites/kubernetes/kubernetes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_credential(const char *text, size_t size)
{
    own_str char *token = NULL, *cert = NULL, *key = NULL;
    int64_t end = 0;

    if (exec_credential_read(text, size, "client.authentication.k8s.io/v1", &token, &cert, &key,
                             &end, NULL) == 0 &&
        !token && !(cert && key))
        abort();
    jwt_end(text);
}

static void as_object(const char *text, size_t size)
{
    own_json json_t *object = json_loadb(text, size, 0, NULL);
    struct verdict verdict, job, whole;
    struct signs signs = { .job = &job, .pod = &verdict, .last = &verdict };
    struct asked asked;

    if (!object)
        return;
    judge_job(object, &job);
    judge_event(object, &verdict);
    judge_pod(object, &verdict);
    for (int i = 0; i < 4; i++) {
        signs.pod_leaves = i & 1;
        signs.pod_taken = i & 2;
        judge_worker(&signs, &whole);
        if (verdict.state == INSTANCE_FAILED && whole.state != INSTANCE_FAILED)
            abort();
    }
    if (memchr(verdict.words, '\0', sizeof verdict.words) == NULL)
        abort();
    pod_asks(object, &asked);
    if (asked.cpu_milli < 0 || asked.memory < 0 || asked.disk < 0)
        abort();
}

static void as_version(const char *text, size_t size)
{
    own_json json_t *answer = json_loadb(text, size, 0, NULL), *told = NULL;
    struct kube_version version;

    kube_version_read(answer, &version);
    told = kube_version_json(&version);
    if (version.minor < 0 || !told || (version.minor == 0 && kube_has(&version, KUBE_STRICT)))
        abort();
}

static void as_output(const char *text, size_t size)
{
    own_buf struct buf out = BUF_INIT(64);
    own_json json_t *value = json_loadb(text, size, JSON_DECODE_ANY, NULL);
    own_json json_t *plain = json_stringn(text, size);

    if (value && kubeconfig_of_output(value, &out, NULL) == 0 && out.length == 0)
        abort();
    buf_clear(&out);
    if (plain && kubeconfig_of_output(plain, &out, NULL) == 0 && out.length == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    own_str char *text = xstrndup((const char *)data, size);
    own_kube_conf struct kube_conf conf = { .server = NULL };

    if (kube_conf_parse(text, strlen(text), "k", NULL, NULL, &conf, NULL) == 0 &&
        (!conf.server || !conf.where))
        abort();
    as_credential(text, strlen(text));
    as_object(text, strlen(text));
    as_version(text, strlen(text));
    as_output(text, strlen(text));
    quantity(text);
    return 0;
}
