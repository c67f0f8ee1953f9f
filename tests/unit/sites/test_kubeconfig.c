/* SPDX-License-Identifier: Apache-2.0 */
/* test_kubeconfig.c - broker/sites/kubernetes/kubeconfig.c and login.c: kubectl's files, merged as
 * kubectl does, and what is shown to the server because of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/own.h"
#include "sites/kubernetes/login.h"

static int set_up(void **state)
{
    char *dir = xstrdup("/tmp/spillway-kubeconfig.XXXXXX");

    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    unsetenv("KUBECONFIG");
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBERNETES_SERVICE_PORT");
    setenv("HOME", dir, 1);
    *state = dir;
    return 0;
}

static int tear_down(void **state)
{
    assert_int_equal(chdir("/"), 0);
    io_remove_tree(*state, NULL);
    free(*state);
    return 0;
}

static void put(const char *path, const char *text)
{
    struct err err = ERR_INIT;

    if (io_replace_file(path, 0700, text, strlen(text), &err) < 0)
        fail_msg("%s", err.text);
}

#define LAB                                                                                  \
    "current-context: lab\n"                                                                 \
    "clusters:\n"                                                                            \
    "- {name: one, cluster: {server: 'https://one:6443/', certificate-authority: ca.pem}}\n" \
    "- {name: two, cluster: {server: 'https://rancher/k8s/clusters/c-abc'}}\n"               \
    "users:\n"                                                                               \
    "- {name: ada, user: {token: sesame}}\n"                                                 \
    "contexts:\n"                                                                            \
    "- {name: lab, context: {cluster: one, user: ada, namespace: genes}}\n"                  \
    "- {name: far, context: {cluster: two, user: ada}}\n"

static struct kube_conf load(const char *files, const char *context)
{
    struct kube_conf conf = { .server = NULL };
    struct err err = ERR_INIT;

    if (kube_conf_load(files, context, &conf, &err) < 0)
        fail_msg("%s", err.text);
    return conf;
}

static void assert_refused(const char *text, const char *words)
{
    struct kube_conf conf = { .server = NULL };
    struct err err = ERR_INIT;

    assert_int_equal(kube_conf_parse(text, strlen(text), "k", NULL, NULL, &conf, &err), -1);
    if (!strstr(err.text, words))
        fail_msg("'%s' lacks '%s'", err.text, words);
    assert_null(conf.server);
}

/* One user in an otherwise sound file. */
static void assert_user_refused(const char *user, const char *words)
{
    own_str char *text = xasprintf("clusters: [{name: c, cluster: {server: 'https://c'}}]\n"
                                   "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
                                   "users:\n- name: u\n  user: %s\n",
                                   user);

    assert_refused(text, words);
}

static void the_current_context_is_taken(void **state)
{
    own_kube_conf struct kube_conf conf = { .server = NULL };
    own_str char *ca = xasprintf("%s/ca.pem", (char *)*state);
    own_str char *file = xasprintf("%s/config", (char *)*state);

    put("config", LAB);
    conf = load(file, NULL);
    assert_string_equal(conf.server, "https://one:6443");
    assert_string_equal(conf.namespace, "genes");
    assert_string_equal(conf.token, "sesame");
    assert_string_equal(conf.ca_file, ca); /* beside the file that names it */
    assert_false(conf.insecure);
}

static void a_named_context_wins_and_a_prefix_stays(void **state)
{
    own_kube_conf struct kube_conf conf = { .server = NULL };

    (void)state;
    put("config", LAB);
    conf = load("config", "far");
    assert_string_equal(conf.server, "https://rancher/k8s/clusters/c-abc");
    assert_null(conf.namespace);
}

static void several_files_are_merged_the_first_wins(void **state)
{
    own_kube_conf struct kube_conf conf = { .server = NULL };

    (void)state;
    put("a", "current-context: mixed\n"
             "contexts: [{name: mixed, context: {cluster: one, user: bob}}]\n"
             "users: [{name: bob, user: {token: t-bob}}, {name: ada, user: {token: other}}]\n");
    put("b", LAB);
    put("empty", "");
    setenv("KUBECONFIG", "empty:a:nowhere::b", 1);
    conf = load(NULL, NULL);
    assert_string_equal(conf.server, "https://one:6443");
    assert_string_equal(conf.token, "t-bob");
    kube_conf_fini(&conf);
    conf = load(NULL, "lab");
    assert_string_equal(conf.token, "other");
}

static void a_context_alone_needs_no_naming(void **state)
{
    static const char text[] = "clusters: [{name: c, cluster: {server: 'https://c'}}]\n"
                               "contexts: [{name: x, context: {cluster: c}}]\n";
    own_kube_conf struct kube_conf conf = { .server = NULL };
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(kube_conf_parse(text, strlen(text), "k", NULL, NULL, &conf, &err), 0);
    assert_string_equal(conf.server, "https://c");
}

static void faults_name_their_place(void **state)
{
    (void)state;
    assert_refused("[1]", "k:1:1: is no kubeconfig");
    assert_refused("kind: Pod", "'Pod' is no kubeconfig");
    assert_refused("clusters: {}", "clusters: must be a list");
    assert_refused("", "nothing in it");
    assert_refused("contexts: [{name: a}, {name: b}]", "one of a, b");
    assert_refused("current-context: c\ncontexts: [{name: a}]", "no context 'c'; there is a");
    assert_refused("contexts: [{name: a, context: {user: u}}]", "names no cluster");
    assert_refused("contexts: [{name: a, context: {cluster: c}}]\n"
                   "clusters:\n- name: c\n  cluster:\n    server: ftp://c\n",
                   "k:5:13: server: must begin with https://");
    assert_user_refused("{client-certificate-data: '!!!', client-key-data: YQ==}",
                        "client-certificate-data: is not a PEM file in base64");
    assert_user_refused("{client-certificate-data: YQ==}", "go together");
    assert_user_refused("{tokenFile: token}", "must be an absolute path");
    assert_user_refused("{auth-provider: {name: gcp}}", "removed from Kubernetes in 1.26");
    assert_user_refused("{exec: {command: x}}", "apiVersion must be");
    assert_user_refused("{exec: {apiVersion: client.authentication.k8s.io/v1}}",
                        "'command' is missing");
    assert_user_refused("{exec: {apiVersion: client.authentication.k8s.io/v1, command: x, "
                        "interactiveMode: Always}}",
                        "wants a terminal");
    assert_user_refused("{exec: {apiVersion: client.authentication.k8s.io/v1, command: x, "
                        "env: [{name: 'A=', value: b}]}}",
                        "{name, value}");
}

static void a_missing_file_is_a_fault_when_it_was_named(void **state)
{
    struct kube_conf conf = { .server = NULL };
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(kube_conf_load("nowhere", NULL, &conf, &err), -1);
    assert_non_null(strstr(err.text, "nowhere"));
    assert_int_equal(kube_conf_load(NULL, NULL, &conf, &err), -1);
    assert_non_null(strstr(err.text, "no kubeconfig there"));
}

static void a_pod_finds_its_own_account(void **state)
{
    own_kube_conf struct kube_conf conf = { .server = NULL };
    struct identity identity = { .header = NULL };
    struct login *login;
    struct err err = ERR_INIT;

    assert_int_equal(kube_conf_in_cluster(*state, &conf, &err), -1); /* no variables */
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "6443", 1);
    assert_int_equal(kube_conf_in_cluster(*state, &conf, &err), -1); /* no token */
    put("token", "abc\n");
    put("ca.crt", "CA");
    put("namespace", "ours\n");
    assert_int_equal(kube_conf_in_cluster(*state, &conf, &err), 0);
    assert_string_equal(conf.server, "https://[fd00::1]:6443");
    assert_string_equal(conf.namespace, "ours");
    login = login_new(&conf);
    assert_int_equal(login_get(login, clock_mono_ms() + 5000, &identity, &err), 0);
    assert_string_equal(identity.header, "Authorization: Bearer abc");
    assert_string_equal(identity.ca, "CA");
    /* A token that was renewed on disk is seen once the old one is refused. */
    put("token", "def\n");
    assert_true(login_refused(login, identity.generation));
    assert_int_equal(login_get(login, clock_mono_ms() + 5000, &identity, &err), 0);
    assert_string_equal(identity.header, "Authorization: Bearer def");
    identity_fini(&identity);
    login_free(login);
}

#define EXEC(version)                                                                           \
    "clusters: [{name: c, cluster: {server: 'https://c', certificate-authority-data: Q0E=}}]\n" \
    "contexts: [{name: x, context: {cluster: c, user: u}}]\n"                                   \
    "users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/" version         \
    ", command: ./print, args: [1, two], env: [{name: WHO, value: ada}],"                       \
    " provideClusterInfo: true, installHint: 'ask Bob'}}}]\n"

static void assert_program(const char *version, const char *script, const char *header,
                           const char *words)
{
    own_kube_conf struct kube_conf conf = { .server = NULL };
    struct identity identity = { .header = NULL };
    struct login *login;
    struct err err = ERR_INIT;
    int rc;

    if (script)
        put("print", script);
    put("config", strcmp(version, "v1") == 0 ? EXEC("v1") : EXEC("v1beta1"));
    conf = load("config", NULL);
    login = login_new(&conf);
    rc = login_get(login, clock_mono_ms() + 2000, &identity, &err);
    if (header) {
        if (rc < 0)
            fail_msg("%s", err.text);
        assert_string_equal(identity.header, header);
    } else {
        assert_int_equal(rc, -1);
        if (!strstr(err.text, words))
            fail_msg("'%s' lacks '%s'", err.text, words);
    }
    identity_fini(&identity);
    login_free(login);
}

#define CREDENTIAL(version, status)                                 \
    "#!/bin/sh\n"                                                   \
    "printf '%s' \"$KUBERNETES_EXEC_INFO\" >info\n"                 \
    "echo '{\"apiVersion\":\"client.authentication.k8s.io/" version \
    "\",\"kind\":\"ExecCredential\",\"status\":" status "}' | sed \"s/ARGS/$WHO$1$2/\"\n"

static void a_program_prints_the_credential(void **state)
{
    own_buf struct buf info = BUF_INIT(65536);

    (void)state;
    assert_program("v1", CREDENTIAL("v1", "{\"token\":\"t-ARGS\"}"),
                   "Authorization: Bearer t-ada1two", NULL);
    assert_int_equal(buf_read_file(&info, "info", NULL), 0);
    assert_non_null(strstr(info.data, "\"certificate-authority-data\":\"Q0E=\""));
    assert_non_null(strstr(info.data, "\"interactive\":false"));
    assert_program("v1beta1", CREDENTIAL("v1beta1", "{\"token\":\"old\"}"),
                   "Authorization: Bearer old", NULL);
}

static void a_program_that_misbehaves_is_told_apart(void **state)
{
    (void)state;
    assert_program("v1", NULL, NULL, "ask Bob"); /* not there */
    assert_program("v1", CREDENTIAL("v1beta1", "{\"token\":\"t\"}"), NULL, "not client.auth");
    assert_program("v1", CREDENTIAL("v1", "{}"), NULL, "neither token nor");
    assert_program("v1", CREDENTIAL("v1", "{\"clientCertificateData\":\"c\"}"), NULL,
                   "go together");
    assert_program("v1", "#!/bin/sh\necho no luck >&2\nexit 3\n", NULL, "status 3: no luck");
    assert_program("v1", "#!/bin/sh\nsleep 60\n", NULL, "did not end in time");
    assert_program("v1", "#!/bin/sh\nhead -c 3000000 /dev/zero\n", NULL, "prints more than");
}

/* {"exp": 1700000000} */
static void a_tokens_end_is_read(void **state)
{
    (void)state;
    assert_int_equal(jwt_end("x.eyJleHAiOiAxNzAwMDAwMDAwfQ.y"), INT64_C(1700000000000));
    assert_int_equal(jwt_end("opaque"), 0);
    assert_int_equal(jwt_end("a.b"), 0);
    assert_int_equal(jwt_end("a.!!.c"), 0);
    assert_int_equal(pem_end("no certificate"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_current_context_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_named_context_wins_and_a_prefix_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_files_are_merged_the_first_wins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_context_alone_needs_no_naming, set_up, tear_down),
        cmocka_unit_test_setup_teardown(faults_name_their_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_file_is_a_fault_when_it_was_named, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_pod_finds_its_own_account, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_program_prints_the_credential, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_program_that_misbehaves_is_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tokens_end_is_read, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
