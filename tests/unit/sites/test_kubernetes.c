/* SPDX-License-Identifier: Apache-2.0 */
/* test_kubernetes.c - broker/sites/kubernetes: verdicts, quantities, faults and what a pod is made
 * of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "sites/kubernetes/driver.h"
#include "sites/kubernetes/kubernetes.h"

static json_t *parse(const char *text)
{
    struct err err = ERR_INIT;
    json_t *value = json_parse(text, strlen(text), &err);

    if (!value)
        fail_msg("%s", err.text);
    return value;
}

static void assert_pod(const char *status, enum instance_state state, enum fault fault,
                       enum reason reason)
{
    own_str char *text = xasprintf("{\"status\": %s}", status);
    own_json json_t *pod = parse(text);
    struct verdict verdict;

    judge_pod(pod, &verdict);
    if (verdict.state != state || verdict.fault != fault || verdict.reason != reason)
        fail_msg("%s: state %d, fault %s, reason %s: %s", status, verdict.state,
                 fault_name(verdict.fault), reason_name(verdict.reason), verdict.words);
}

#define WAITING(phase, name, why, words)                                    \
    "{\"phase\": \"" phase "\", \"containerStatuses\": [{\"name\": \"" name \
    "\", \"image\": \"i:1\", \"state\": {\"waiting\": {\"reason\": \"" why  \
    "\", \"message\": \"" words "\"}}}]}"
#define ENDED(why, code)                                                                 \
    "{\"phase\": \"Failed\", \"containerStatuses\": [{\"name\": \"worker\", \"state\": " \
    "{\"terminated\": {\"reason\": \"" why "\", \"exitCode\": " code "}}}]}"

static void pods_are_judged_by_whose_fault_it_is(void **state)
{
    (void)state;
    assert_pod("{}", INSTANCE_BOOTING, FAULT_NONE, REASON_NONE);
    assert_pod("{\"phase\": \"Running\"}", INSTANCE_ACTIVE, FAULT_NONE, REASON_NONE);
    assert_pod("{\"phase\": \"Unknown\"}", INSTANCE_ACTIVE, FAULT_NONE, REASON_NONE);
    assert_pod("{\"phase\": \"Succeeded\"}", INSTANCE_FAILED, FAULT_NONE, REASON_NONE);
    assert_pod(WAITING("Pending", "worker", "ContainerCreating", ""), INSTANCE_BOOTING, FAULT_NONE,
               REASON_NONE);
    /* The registry says that there is none, or it is no name. */
    assert_pod(WAITING("Pending", "worker", "ImagePullBackOff", "manifest unknown"),
               INSTANCE_FAILED, FAULT_NOT_FOUND, REASON_NO_IMAGE);
    assert_pod(WAITING("Pending", "worker", "ErrImagePull", "i:1: not found"), INSTANCE_FAILED,
               FAULT_NOT_FOUND, REASON_NO_IMAGE);
    assert_pod(WAITING("Pending", "worker", "InvalidImageName", ""), INSTANCE_FAILED,
               FAULT_NOT_FOUND, REASON_NO_IMAGE);
    /* Who may not read it may have to ask the site's operator. */
    assert_pod(WAITING("Pending", "worker", "ErrImagePull", "unauthorized"), INSTANCE_FAILED,
               FAULT_NOT_FOUND, REASON_IMAGE);
    assert_pod(WAITING("Pending", "worker", "RunContainerError", "exec: not found"),
               INSTANCE_FAILED, FAULT_NOT_FOUND, REASON_IMAGE);
    /* The operator's own image is no fault of the job's. */
    assert_pod(WAITING("Pending", "agent", "ErrImagePull", "not found"), INSTANCE_FAILED,
               FAULT_INVALID, REASON_BOOT);
    /* A Secret that is on its way. */
    assert_pod(WAITING("Pending", "worker", "CreateContainerConfigError", "secret not found"),
               INSTANCE_BOOTING, FAULT_NONE, REASON_NONE);
    assert_pod(WAITING("Pending", "worker", "CreateContainerConfigError", "image will run as root"),
               INSTANCE_FAILED, FAULT_INVALID, REASON_IMAGE);
    assert_pod(WAITING("Pending", "worker", "SignatureValidationFailed", "no signature"),
               INSTANCE_FAILED, FAULT_NOT_FOUND, REASON_IMAGE);
    assert_pod(ENDED("OOMKilled", "137"), INSTANCE_FAILED, FAULT_NONE, REASON_MEMORY);
    assert_pod(ENDED("StartError", "128"), INSTANCE_FAILED, FAULT_INVALID, REASON_IMAGE);
    assert_pod(ENDED("Error", "1"), INSTANCE_FAILED, FAULT_NONE, REASON_NONE);
    assert_pod("{\"phase\": \"Failed\", \"reason\": \"Evicted\", \"message\": \"low on memory\"}",
               INSTANCE_FAILED, FAULT_NO_CAPACITY, REASON_PREEMPTED);
    assert_pod("{\"phase\": \"Failed\", \"reason\": \"Evicted\", \"message\": \"Pod ephemeral "
               "local storage usage exceeds\"}",
               INSTANCE_FAILED, FAULT_NONE, REASON_LOST);
    assert_pod("{\"phase\": \"Failed\", \"reason\": \"NodeLost\"}", INSTANCE_FAILED,
               FAULT_UNAVAILABLE, REASON_NONE);
    assert_pod("{\"phase\": \"Failed\", \"conditions\": [{\"type\": \"DisruptionTarget\", "
               "\"status\": \"True\", \"reason\": \"PreemptionByScheduler\"}]}",
               INSTANCE_FAILED, FAULT_NO_CAPACITY, REASON_PREEMPTED);
}

#define TAKEN                                                                              \
    "\"conditions\": [{\"type\": \"DisruptionTarget\", \"status\": \"True\", \"reason\": " \
    "\"EvictionByEvictionAPI\", \"message\": \"drained\"}]}"

/* As servers from 1.26 on say it, also before the pod has ended and when its agent ended well. */
static void a_pod_that_the_cluster_takes_is_preempted(void **state)
{
    own_json json_t *pod = parse("{\"status\": {\"phase\": \"Running\", " TAKEN "}");
    struct verdict verdict;

    (void)state;
    assert_pod("{\"phase\": \"Failed\", " TAKEN, INSTANCE_FAILED, FAULT_NO_CAPACITY,
               REASON_PREEMPTED);
    assert_pod("{\"phase\": \"Succeeded\", " TAKEN, INSTANCE_FAILED, FAULT_NO_CAPACITY,
               REASON_PREEMPTED);
    judge_pod(pod, &verdict);
    assert_int_equal(verdict.state, INSTANCE_ACTIVE);
    assert_int_equal(verdict.fault, FAULT_NONE);
    assert_string_equal(verdict.words, "EvictionByEvictionAPI: drained");
}

static void a_pod_may_wait(void **state)
{
    own_json json_t *room =
        parse("{\"status\": {\"phase\": \"Pending\", \"conditions\": [{\"type\": "
              "\"PodScheduled\", \"status\": \"False\", \"reason\": \"Unschedulable\", "
              "\"message\": \"0/3 nodes\"}]}}");
    static const char *const registry[] = {
        WAITING("Pending", "worker", "ErrImagePull", "dial tcp: i/o timeout"),
        WAITING("Pending", "worker", "ErrImagePull", "lookup x: no such host"),
        WAITING("Pending", "worker", "ErrImagePull", "unexpected status: 503 Service Unavailable"),
        WAITING("Pending", "worker", "ImagePullBackOff", "Back-off pulling image x"),
        WAITING("Pending", "worker", "RegistryUnavailable", "pull QPS exceeded"),
    };
    struct verdict verdict;

    (void)state;
    judge_pod(room, &verdict);
    assert_int_equal(verdict.state, INSTANCE_BOOTING);
    assert_int_equal(verdict.waits, WAITS_ROOM);
    assert_int_equal(verdict.fault, FAULT_NO_CAPACITY);
    assert_string_equal(verdict.words, "Unschedulable: 0/3 nodes");
    for (size_t i = 0; i < array_len(registry); i++) {
        own_str char *text = xasprintf("{\"status\": %s}", registry[i]);
        own_json json_t *pod = parse(text);

        judge_pod(pod, &verdict);
        assert_int_equal(verdict.state, INSTANCE_BOOTING);
        assert_int_equal(verdict.waits, WAITS_REGISTRY);
    }
}

static void jobs_and_events_are_judged(void **state)
{
    own_json json_t *late = parse("{\"status\": {\"conditions\": [{\"type\": \"Failed\", "
                                  "\"status\": \"True\", \"reason\": \"DeadlineExceeded\"}]}}");
    own_json json_t *quota = parse(
        "{\"reason\": \"FailedCreate\", \"message\": \"pods is forbidden: exceeded quota: q\", "
        "\"involvedObject\": {\"kind\": \"Job\"}}");
    own_json json_t *rule = parse(
        "{\"reason\": \"FailedCreate\", \"message\": \"pods is forbidden: violates PodSecurity\", "
        "\"involvedObject\": {\"kind\": \"Job\"}}");
    own_json json_t *other = parse("{\"reason\": \"BackOff\", \"involvedObject\": "
                                   "{\"kind\": \"Pod\"}}");
    struct verdict verdict;

    (void)state;
    judge_job(late, &verdict);
    assert_int_equal(verdict.state, INSTANCE_FAILED);
    assert_int_equal(verdict.fault, FAULT_TIMEOUT);
    assert_true(judge_event(quota, &verdict));
    assert_int_equal(verdict.fault, FAULT_QUOTA);
    assert_true(judge_event(rule, &verdict));
    assert_int_equal(verdict.fault, FAULT_INVALID);
    assert_false(judge_event(other, &verdict));
}

#define CONDITION(type, reason)                                                                \
    "{\"type\": \"" type "\", \"status\": \"True\", \"reason\": \"" reason "\", \"message\": " \
    "\"m\"}"

static void assert_job(const char *conditions, enum instance_state state, enum fault fault,
                       enum reason reason)
{
    own_str char *text = xasprintf("{\"status\": {\"conditions\": [%s]}}", conditions);
    own_json json_t *job = parse(text);
    struct verdict verdict;

    judge_job(job, &verdict);
    if (verdict.state != state || verdict.fault != fault || verdict.reason != reason)
        fail_msg("%s: state %d, fault %s, reason %s: %s", conditions, verdict.state,
                 fault_name(verdict.fault), reason_name(verdict.reason), verdict.words);
}

/* From 1.31 on what will become of a Job is said while its pod still ends. */
static void a_job_that_will_fail_has_not_failed(void **state)
{
    (void)state;
    assert_job(CONDITION("FailureTarget", "DeadlineExceeded"), INSTANCE_BOOTING, FAULT_TIMEOUT,
               REASON_LOST);
    assert_job(
        CONDITION("FailureTarget", "DeadlineExceeded") ", " CONDITION("Failed", "DeadlineExceeded"),
        INSTANCE_FAILED, FAULT_TIMEOUT, REASON_LOST);
    assert_job(CONDITION("FailureTarget", "BackoffLimitExceeded"), INSTANCE_BOOTING, FAULT_NONE,
               REASON_NONE);
    assert_job(CONDITION("SuccessCriteriaMet", "CompletionsReached"), INSTANCE_BOOTING, FAULT_NONE,
               REASON_NONE);
    assert_job(CONDITION("SuccessCriteriaMet",
                         "CompletionsReached") ", " CONDITION("Complete", "CompletionsReached"),
               INSTANCE_FAILED, FAULT_NONE, REASON_NONE);
    assert_job(CONDITION("Failed", "PodFailurePolicy"), INSTANCE_FAILED, FAULT_NO_CAPACITY,
               REASON_PREEMPTED);
    assert_job(CONDITION("Failed", "BackoffLimitExceeded"), INSTANCE_FAILED, FAULT_UNAVAILABLE,
               REASON_NONE);
}

static void assert_worker(struct signs signs, enum instance_state state, enum reason reason,
                          const char *words)
{
    struct verdict out;

    judge_worker(&signs, &out);
    assert_int_equal(out.state, state);
    assert_int_equal(out.reason, reason);
    assert_string_equal(out.words, words);
}

/* Up to 1.26 a deleted pod is gone at once; later ones are seen to end, and their Job fails as soon as
 * they are told to go. */
static void a_deleted_pod_is_preempted_in_every_version(void **state)
{
    struct verdict runs = { .state = INSTANCE_ACTIVE };
    struct verdict ended = { .state = INSTANCE_FAILED, .words = "its agent has ended" };
    struct verdict job = { .state = INSTANCE_BOOTING };
    struct verdict over = { .state = INSTANCE_FAILED, .fault = FAULT_UNAVAILABLE, .words = "over" };
    struct verdict old = { .state = INSTANCE_BOOTING, .reason = REASON_LOST, .words = "too old" };
    struct verdict drained = { .state = INSTANCE_ACTIVE,
                               .reason = REASON_PREEMPTED,
                               .words = "drained" };

    (void)state;
    assert_worker(
        (struct signs){
            .job = &over, .pod = &runs, .last = &runs, .pod_leaves = true, .pod_taken = true },
        INSTANCE_ACTIVE, REASON_NONE, "");
    assert_worker(
        (struct signs){
            .job = &over, .pod = &ended, .last = &ended, .pod_leaves = true, .pod_taken = true },
        INSTANCE_FAILED, REASON_PREEMPTED, "its pod was deleted");
    assert_worker((struct signs){ .job = &job, .last = &runs, .pod_taken = true }, INSTANCE_FAILED,
                  REASON_PREEMPTED, "its pod was deleted");
    assert_worker((struct signs){ .job = &over, .last = &drained, .pod_taken = true },
                  INSTANCE_FAILED, REASON_PREEMPTED, "drained");
    /* The Job's own deadline deletes its pod too. */
    assert_worker((struct signs){ .job = &old, .last = &runs, .pod_taken = true }, INSTANCE_FAILED,
                  REASON_LOST, "too old");
    assert_worker(
        (struct signs){
            .job = &old, .pod = &ended, .last = &ended, .pod_leaves = true, .pod_taken = true },
        INSTANCE_FAILED, REASON_LOST, "too old");
    /* One that ended by itself, and is removed later. */
    assert_worker((struct signs){ .job = &over, .pod = &ended, .last = &ended, .pod_leaves = true },
                  INSTANCE_FAILED, REASON_NONE, "its agent has ended");
    assert_worker((struct signs){ .job = &over }, INSTANCE_FAILED, REASON_NONE, "over");
}

static void quantities_are_read(void **state)
{
    (void)state;
    assert_int_equal(quantity("2"), 2);
    assert_int_equal(quantity("1500m"), 2);
    assert_int_equal(quantity("64Mi"), 64 << 20);
    assert_int_equal(quantity("1.5Gi"), 1536LL << 20);
    assert_int_equal(quantity("4G"), 4000000000LL);
    assert_int_equal(quantity("1e3"), 1000);
    assert_int_equal(quantity("12E"), -1);
    assert_int_equal(quantity("-1"), -1);
    assert_int_equal(quantity("1x"), -1);
    assert_int_equal(quantity(""), -1);
    assert_int_equal(quantity("nan"), -1);
    assert_int_equal(quantity_milli("250m"), 250);
    assert_int_equal(quantity_milli("3"), 3000);
}

static void a_pod_asks_for_the_sum_of_its_containers(void **state)
{
    own_json json_t *pod = parse(
        "{\"spec\": {\"containers\": [{\"resources\": {\"requests\": {\"cpu\": \"500m\", "
        "\"memory\": \"1Gi\"}}}, {\"resources\": {\"limits\": {\"cpu\": 1, \"nvidia.com/gpu\": "
        "\"2\"}}}], \"initContainers\": [{\"resources\": {\"requests\": {\"memory\": "
        "\"3Gi\"}}}]}}");
    struct asked asked;

    (void)state;
    pod_asks(pod, &asked);
    assert_int_equal(asked.cpu_milli, 1500);
    assert_int_equal(asked.memory, (int64_t)3 << 30);
    assert_int_equal(pod_asks_of(pod, "nvidia.com/gpu"), 2);
}

static void assert_model(const char *label, const char *model, int64_t gib)
{
    int64_t memory = -1;
    own_str char *found = gpu_model_of(label, &memory);

    assert_non_null(found);
    assert_string_equal(found, model);
    assert_int_equal(memory, gib << 30);
}

static void idle_nodes_are_found_with_their_servers(void **state)
{
    /* {name, what is its spec, systemUUID, the server; NULL: it is not to be named} */
    static const char *const nodes[][4] = {
        { "a", "{\"providerID\":\"openstack:///AA000000-0000-4000-8000-000000000001\"}", "x",
          "aa000000-0000-4000-8000-000000000001" },
        { "b", "{\"providerID\":\"openstack://region/bb000000-0000-4000-8000-000000000001\"}", "x",
          "bb000000-0000-4000-8000-000000000001" },
        { "c", "{\"providerID\":\"k3s://c\"}", "CC000000-0000-4000-8000-000000000001",
          "cc000000-0000-4000-8000-000000000001" },
        { "busy", "{}", "DD000000-0000-4000-8000-000000000001", NULL },
        { "short", "{}", "DD000000", NULL },
        { "strange", "{\"providerID\":\"openstack://\"}", "DD000000-0000-4000-8000-000000000001",
          NULL },
        { "path", "{}", "../0000-0000-4000-8000-0000000000011", NULL },
        { "cordoned", "{\"unschedulable\":true}", "DD000000-0000-4000-8000-000000000001", NULL },
        { "master", "{\"taints\":[{\"key\":\"m\",\"effect\":\"NoSchedule\"}]}",
          "DD000000-0000-4000-8000-000000000001", NULL },
    };
    struct kubernetes kube = { .conf = NULL };
    own_json json_t *busy = parse("{\"busy\": true}");
    own(kube_nodes_fini) struct kube_nodes out = { .list = NULL };
    struct idle idle = { .kube = &kube, .busy = busy, .out = &out };

    (void)state;
    for (size_t i = 0; i < array_len(nodes); i++) {
        own_str char *text = xasprintf(
            "{\"metadata\":{\"name\":\"%s\"},\"spec\":%s,\"status\":{\"nodeInfo\":{\"systemUUID\":"
            "\"%s\"},\"addresses\":[{\"address\":\"10.0.0.1\"}],"
            "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
            nodes[i][0], nodes[i][1], nodes[i][2]);
        own_json json_t *node = parse(text);
        size_t before = out.count;

        idle_take(&idle, node);
        if (out.count - before != (nodes[i][3] ? 1 : 0))
            fail_msg("%s", nodes[i][0]);
        if (!nodes[i][3])
            continue;
        assert_string_equal(out.list[before].machine, nodes[i][3]);
        assert_int_equal(json_array_size(out.list[before].addresses), 1);
    }
}

static void models_are_read_from_labels(void **state)
{
    int64_t memory;

    (void)state;
    assert_model("NVIDIA-A100-SXM4-40GB", "A100", 40);
    assert_model("Tesla-V100-SXM2-32GB", "V100", 32);
    assert_model("NVIDIA-H100-80GB-HBM3", "H100", 80);
    assert_model("nvidia-tesla-t4", "T4", 0);
    assert_model("NVIDIA-GeForce-RTX-3090", "RTX3090", 0);
    assert_model("NVIDIA-RTX-A6000", "RTXA6000", 0);
    assert_null(gpu_model_of("NVIDIA", &memory));
    assert_null(gpu_model_of("--", &memory));
}

static void assert_fault(long status, const char *words, enum fault fault)
{
    own_str char *body = xasprintf("{\"kind\": \"Status\", \"message\": \"%s\"}", words);
    struct err err = ERR_INIT;

    assert_int_equal(kube_fault("GET /x", status, body, strlen(body), &err), -1);
    assert_int_equal(err.fault, fault);
    assert_non_null(strstr(err.text, words));
}

static void answers_are_typed(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_fault(401, "Unauthorized", FAULT_AUTH);
    assert_fault(403, "cannot create", FAULT_AUTH);
    assert_fault(403, "exceeded quota: q", FAULT_QUOTA);
    assert_fault(404, "not found", FAULT_NOT_FOUND);
    assert_fault(409, "already exists", FAULT_CONFLICT);
    assert_fault(422, "Invalid value", FAULT_INVALID);
    assert_fault(429, "too many", FAULT_THROTTLED);
    assert_fault(503, "etcd", FAULT_UNAVAILABLE);
    assert_fault(504, "timed out", FAULT_TIMEOUT);
    kube_fault("GET /x", 502, "<html><b>Bad\n gateway</b>", 25, &err);
    assert_string_equal(err.text, "GET /x: 502: Bad gateway");
}

static void assert_finding(const json_t *findings, const char *words)
{
    own_str char *all = json_dumps(findings, JSON_COMPACT);

    if (words ? !strstr(all, words) : json_array_size(findings) != 0)
        fail_msg("%s: '%s' is not what is found", all, words ? words : "nothing");
}

static void rules_that_are_too_wide_are_found(void **state)
{
    own_json json_t *findings = json_array();
    own_json json_t *ours =
        parse("[{\"verbs\": [\"create\", \"get\", \"list\", \"watch\", \"delete\"], \"apiGroups\": "
              "[\"batch\"], \"resources\": [\"jobs\"]}, {\"verbs\": [\"create\"], \"apiGroups\": "
              "[\"\"], \"resources\": [\"secrets\"]}]");
    own_json json_t *reads = parse("[{\"verbs\": [\"get\"], \"apiGroups\": [\"\"], "
                                   "\"resources\": [\"pods\", \"secrets\"]}]");
    own_json json_t *admin =
        parse("[{\"verbs\": [\"*\"], \"apiGroups\": [\"*\"], \"resources\": [\"*\"]}]");

    (void)state;
    audit_rules(ours, "n", findings);
    assert_finding(findings, NULL);
    audit_rules(reads, "n", findings);
    assert_finding(findings, "reading the namespace's secrets");
    audit_rules(admin, "kube-system", findings);
    assert_finding(findings, "in namespace kube-system: every verb");
}

static void open_dashboards_are_found(void **state)
{
    own_json json_t *findings = json_array();
    own_json json_t *closed =
        parse("{\"metadata\": {\"name\": \"kubernetes-dashboard\", \"namespace\": \"d\"}, "
              "\"spec\": {\"type\": \"ClusterIP\", \"ports\": [{\"port\": 443}]}}");
    own_json json_t *open =
        parse("{\"metadata\": {\"name\": \"kubernetes-dashboard\", \"namespace\": \"d\"}, "
              "\"spec\": {\"type\": \"NodePort\", \"ports\": [{\"port\": 80}]}}");
    own_json json_t *other = parse("{\"metadata\": {\"name\": \"web\", \"namespace\": \"d\"}, "
                                   "\"spec\": {\"ports\": [{\"port\": 80}]}}");
    own_json json_t *pod =
        parse("{\"metadata\": {\"name\": \"dashboard-1\", \"namespace\": \"d\"}, \"spec\": "
              "{\"containers\": [{\"args\": [\"--enable-skip-login\"]}]}}");

    (void)state;
    audit_service(findings, closed);
    audit_service(findings, other);
    assert_finding(findings, NULL);
    audit_service(findings, open);
    assert_finding(findings, "(NodePort)");
    assert_finding(findings, "without TLS at port 80");
    audit_pod(findings, pod);
    assert_finding(findings, "lets in whoever asks: --enable-skip-login");
}

/* ---- what a pod is made of ------------------------------------------------------------------- */

static struct order order_for(const char *container)
{
    return (struct order){ .name = "spillway-01234567-7",
                           .broker = "01234567-89ab",
                           .shape = "s",
                           .container = container,
                           .boot = "{\"url\": \"https://b:1\", \"token\": \"t\"}" };
}

static json_t *first_container(const json_t *job)
{
    return json_array_get(kube_at(job, "spec", "template", "spec", "containers", NULL), 0);
}

static void a_pod_meets_the_restricted_standard(void **state)
{
    struct site_conf conf = { .boot_deadline_ms = 60000 };
    struct kubernetes kube = { .conf = &conf, .namespace = "n", .run_as_user = 1000, .parts = 2 };
    struct kube_shape shape = { .shape = { .cpus = 2, .memory = 1 << 30 } };
    struct order order = order_for("python:3.12");
    struct podspec spec = { .kube = &kube, .order = &order, .shape = &shape };
    own_json json_t *job = podspec_job(&spec);
    const json_t *pod = kube_at(job, "spec", "template", "spec", NULL);
    const json_t *one = first_container(job);

    (void)state;
    assert_int_equal(json_integer_value(kube_at(job, "spec", "backoffLimit", NULL)), 0);
    assert_true(json_is_false(json_object_get(pod, "automountServiceAccountToken")));
    assert_true(json_is_true(kube_at(pod, "securityContext", "runAsNonRoot", NULL)));
    assert_string_equal(kube_text(kube_at(pod, "securityContext", "seccompProfile", NULL), "type"),
                        "RuntimeDefault");
    assert_true(json_is_false(kube_at(one, "securityContext", "allowPrivilegeEscalation", NULL)));
    assert_string_equal(json_string_value(json_array_get(
                            kube_at(one, "securityContext", "capabilities", "drop", NULL), 0)),
                        "ALL");
    assert_string_equal(kube_text(one, "image"), "python:3.12");
    assert_string_equal(kube_text(kube_at(one, "resources", "limits", NULL), "memory"),
                        "1073741824");
    assert_null(json_object_get(pod, "initContainers"));
    /* loader, target, both parts, "--", "--boot", file */
    assert_int_equal(json_array_size(json_object_get(one, "command")), 7);
}

static struct kube_version version_of(const char *answer)
{
    own_json json_t *parsed = parse(answer);
    struct kube_version version;

    kube_version_read(parsed, &version);
    return version;
}

static void assert_version(const char *answer, int minor, const char *words)
{
    struct kube_version version = version_of(answer);

    assert_int_equal(version.minor, minor);
    assert_string_equal(version.words, words);
}

static void versions_are_read(void **state)
{
    (void)state;
    assert_version("{\"major\": \"1\", \"minor\": \"20\", \"gitVersion\": \"v1.20.2\"}", 20,
                   "v1.20.2");
    assert_version("{\"major\": \"1\", \"minor\": \"29+\", \"gitVersion\": \"v1.29.1-gke.15\"}", 29,
                   "v1.29.1-gke.15");
    assert_version("{\"major\": \"1\", \"minor\": \"36\"}", 36, "v1.36");
    assert_version("{\"major\": \"2\", \"minor\": \"0\"}", 999, "v2.0");
    assert_version("{\"major\": \"1\", \"minor\": \"36\", \"gitVersion\": \"v1\\u00e9\"}", 36,
                   "v1");
    assert_version("{\"major\": 1, \"minor\": 36}", 0, "");
    assert_version("{\"major\": \"1\", \"minor\": \"99999999999\"}", 0, "");
    assert_version("{\"major\": \"1\", \"minor\": \"-1\"}", 0, "");
    assert_version("[]", 0, "");
}

/* The spec of a Job, as a server of that version is given it. */
static json_t *job_for(struct kube_version version)
{
    struct site_conf conf = { .boot_deadline_ms = 60000 };
    struct kubernetes kube = { .conf = &conf, .namespace = "n", .version = version };
    struct kube_shape shape = { .shape = { .cpus = 2, .memory = 1 << 30 } };
    struct order order = order_for("python:3.12");
    struct podspec spec = { .kube = &kube, .order = &order, .shape = &shape };
    own_json json_t *job = podspec_job(&spec);

    return json_incref(json_object_get(job, "spec"));
}

static void a_job_has_what_its_server_has(void **state)
{
    static const int without[] = { 0, 20, 26, 28 }, with[] = { 29, 32, 36, 999 };

    (void)state;
    for (size_t i = 0; i < array_len(without); i++) {
        own_json json_t *job = job_for((struct kube_version){ .minor = without[i] });

        assert_null(json_object_get(job, "podFailurePolicy"));
        assert_null(json_object_get(job, "podReplacementPolicy"));
    }
    for (size_t i = 0; i < array_len(with); i++) {
        own_json json_t *job = job_for((struct kube_version){ .minor = with[i] });
        own_json json_t *rule = parse("{\"action\": \"FailJob\", \"onPodConditions\": [{\"type\": "
                                      "\"DisruptionTarget\", \"status\": \"True\"}]}");
        const json_t *rules = kube_at(job, "podFailurePolicy", "rules", NULL);

        assert_int_equal(json_array_size(rules), 1);
        assert_true(json_equal(json_array_get(rules, 0), rule));
        assert_string_equal(kube_text(job, "podReplacementPolicy"), "Failed");
    }
}

static void people_are_told_what_is_used(void **state)
{
    struct kube_version old = { .minor = 20, .words = "v1.20.2" }, not_told = { .minor = 0 };
    struct kube_version strict = { .minor = 27, .words = "v1.27.0" }, new = { .minor = 32 };
    own_json json_t *of_old = kube_version_json(&old), *of_strict = kube_version_json(&strict);
    own_json json_t *of_new = kube_version_json(&new), *of_none = kube_version_json(&not_told);

    (void)state;
    assert_string_equal(kube_text(of_old, "server"), "v1.20.2");
    assert_int_equal(json_array_size(json_object_get(of_old, "uses")), 0);
    assert_int_equal(json_array_size(json_object_get(of_strict, "uses")), 1);
    assert_int_equal(json_array_size(json_object_get(of_new, "uses")), KUBE_FEATURES);
    assert_non_null(kube_text(of_none, "server"));
}

static void an_image_may_bring_the_agent(void **state)
{
    struct site_conf conf = { .boot_deadline_ms = 60000 };
    struct kubernetes kube = { .conf = &conf,
                               .namespace = "n",
                               .run_as_user = -1,
                               .allow_root = true,
                               .agent_image = "agent:1",
                               .image = "shared:1" };
    struct kube_shape shape = { .shape = { .cpus = 1, .memory = 1 << 30 } };
    struct order order = order_for(NULL);
    struct podspec spec = { .kube = &kube, .order = &order, .shape = &shape };
    own_json json_t *job = podspec_job(&spec);
    const json_t *pod = kube_at(job, "spec", "template", "spec", NULL);
    const json_t *init = json_array_get(json_object_get(pod, "initContainers"), 0);

    (void)state;
    assert_string_equal(kube_text(init, "image"), "agent:1");
    assert_string_equal(kube_text(first_container(job), "image"), "shared:1");
    assert_null(kube_at(pod, "securityContext", "runAsNonRoot", NULL));
}

static void the_secret_is_the_jobs_own(void **state)
{
    struct site_conf conf = { .boot_deadline_ms = 60000 };
    struct kubernetes kube = { .conf = &conf, .namespace = "n" };
    struct kube_shape shape = { .shape = { .cpus = 3, .memory = 1 << 30 } };
    struct order order = order_for("python:3.12"), nowhere = order_for(NULL);
    struct podspec spec = { .kube = &kube, .order = &order, .shape = &shape };
    struct err err = ERR_INIT;
    own_json json_t *secret = podspec_secret(&spec, "uid-1", &err), *boot = NULL;
    const char *text = kube_text(json_object_get(secret, "stringData"), "boot.json");
    const json_t *owner = json_array_get(kube_at(secret, "metadata", "ownerReferences", NULL), 0);

    (void)state;
    assert_string_equal(kube_text(owner, "uid"), "uid-1");
    boot = parse(text);
    assert_string_equal(kube_text(boot, "container"), "python:3.12");
    assert_int_equal(json_integer_value(json_object_get(boot, "cpus")), 3);
    nowhere.boot = "{\"url\": \"unix:///x\"}";
    spec.order = &nowhere;
    assert_null(podspec_secret(&spec, "uid-1", &err));
    assert_non_null(strstr(err.text, "set broker.listen"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_are_judged_by_whose_fault_it_is),
        cmocka_unit_test(a_pod_that_the_cluster_takes_is_preempted),
        cmocka_unit_test(a_pod_may_wait),
        cmocka_unit_test(jobs_and_events_are_judged),
        cmocka_unit_test(a_job_that_will_fail_has_not_failed),
        cmocka_unit_test(a_deleted_pod_is_preempted_in_every_version),
        cmocka_unit_test(quantities_are_read),
        cmocka_unit_test(a_pod_asks_for_the_sum_of_its_containers),
        cmocka_unit_test(idle_nodes_are_found_with_their_servers),
        cmocka_unit_test(models_are_read_from_labels),
        cmocka_unit_test(answers_are_typed),
        cmocka_unit_test(rules_that_are_too_wide_are_found),
        cmocka_unit_test(open_dashboards_are_found),
        cmocka_unit_test(a_pod_meets_the_restricted_standard),
        cmocka_unit_test(versions_are_read),
        cmocka_unit_test(a_job_has_what_its_server_has),
        cmocka_unit_test(people_are_told_what_is_used),
        cmocka_unit_test(an_image_may_bring_the_agent),
        cmocka_unit_test(the_secret_is_the_jobs_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
