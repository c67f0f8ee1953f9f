/* SPDX-License-Identifier: Apache-2.0 */
/* judge.c - states, faults and reasons out of Jobs, Pods and Events.
 *
 * Whose fault it is: an image that its registry does not know is the job's, one that cannot be had or
 * run for another reason the site's; memory is the job's, what the cluster takes back is `preempted`;
 * all else is the site's.  A registry that does not answer is no missing image: such a pod is left to
 * try again for a while. */
#include "sites/kubernetes/judge.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "sites/kubernetes/client.h"

#define AGENT_CONTAINER "agent" /* the init container, of the operator's image */

static void say(struct verdict *out, enum instance_state state, enum fault fault,
                enum reason reason, const char *format, ...) __attribute__((format(printf, 5, 6)));
static void say(struct verdict *out, enum instance_state state, enum fault fault,
                enum reason reason, const char *format, ...)
{
    va_list args;

    out->state = state;
    out->fault = fault;
    out->reason = reason;
    va_start(args, format);
    vsnprintf(out->words, sizeof out->words, format, args);
    va_end(args);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static bool is_true(const json_t *condition)
{
    const char *status = kube_text(condition, "status");

    return status && strcmp(status, "True") == 0;
}

static const json_t *condition(const json_t *object, const char *type)
{
    const json_t *each;
    size_t i;

    json_array_foreach(kube_at(object, "status", "conditions", NULL), i, each)
    {
        const char *is = kube_text(each, "type");

        if (is && strcmp(is, type) == 0)
            return each;
    }
    return NULL;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static bool is(const char *word, const char *other)
{
    return word && strcmp(word, other) == 0;
}

/* From 1.31 on a Job that will fail says FailureTarget while its pod still has its grace, and Failed
 * once that has ended.  PodFailurePolicy: the one rule that we give is about pods that are taken. */
void judge_job(const json_t *job, struct verdict *out)
{
    const json_t *failed = condition(job, "Failed"), *complete = condition(job, "Complete");
    const json_t *why = is_true(failed) ? failed : condition(job, "FailureTarget");
    const char *reason = kube_text(why, "reason"), *words = kube_text(why, "message");
    enum instance_state state = why == failed ? INSTANCE_FAILED : INSTANCE_BOOTING;

    memset(out, 0, sizeof *out);
    out->state = INSTANCE_BOOTING;
    if (is_true(why) && is(reason, "DeadlineExceeded"))
        say(out, state, FAULT_TIMEOUT, REASON_LOST,
            "DeadlineExceeded: the worker reached its greatest age");
    else if (is_true(why) && is(reason, "PodFailurePolicy"))
        say(out, state, FAULT_NO_CAPACITY, REASON_PREEMPTED, "%s: %s", reason, or_empty(words));
    else if (is_true(failed))
        say(out, INSTANCE_FAILED, FAULT_UNAVAILABLE, REASON_NONE, "%s: %s", or_empty(reason),
            or_empty(words));
    else if (is_true(complete))
        say(out, INSTANCE_FAILED, FAULT_NONE, REASON_NONE, "its agent has ended");
}

/* ---- pods ------------------------------------------------------------------------------------ */

static bool one_of(const char *word, const char *const *words)
{
    for (; word && *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static bool has_any(const char *text, const char *const *words)
{
    for (; text && *words; words++)
        if (strcasestr(text, *words))
            return true;
    return false;
}

static bool is_pull(const char *why)
{
    return is(why, "ErrImagePull") || is(why, "ImagePullBackOff") || is(why, "RegistryUnavailable");
}

/* The registry answered, and has no such image; or it is no name of one. */
static bool is_missing(const char *why, const char *words)
{
    static const char *const missing[] = { "not found",       "manifest unknown", "does not exist",
                                           "repository name", "name unknown",     NULL };

    return strcmp(why, "InvalidImageName") == 0 || (is_pull(why) && has_any(words, missing));
}

/* Words of a registry that could not be asked; a back-off alone does not say what it follows. */
static bool registry_is_away(const char *why, const char *words)
{
    static const char *const away[] = { "timeout",      "timed out",         "connection refused",
                                        "i/o",          "unreachable",       "unexpected EOF",
                                        "too many",     "toomanyrequests",   "TLS handshake",
                                        "server error", "service unavail",   "bad gateway",
                                        "misbehaving",  "temporary failure", "no such host",
                                        "reset by",     "deadline exceeded", NULL };

    return has_any(words, away) || is(why, "RegistryUnavailable") ||
           (strcmp(why, "ImagePullBackOff") == 0 && (!words || !strstr(words, ": Err")));
}

/* A container that waits: true when it says why it will not come. */
static bool judge_waiting(const json_t *status, struct verdict *out)
{
    static const char *const images[] = {
        "InvalidImageName",     "ErrImageNeverPull",         "ImageInspectError",
        "ErrImageNotFound",     "SignatureValidationFailed", "RunContainerError",
        "CreateContainerError", "ContainerCannotRun",        NULL
    };
    const json_t *waiting = kube_at(status, "state", "waiting", NULL);
    const char *why = kube_text(waiting, "reason"), *words = kube_text(waiting, "message");
    const char *name = kube_text(status, "name"), *image = kube_text(status, "image");
    bool own = name && strcmp(name, AGENT_CONTAINER) == 0;
    enum fault fault = own ? FAULT_INVALID : FAULT_NOT_FOUND;
    bool missing = why && is_missing(why, words);
    enum reason reason = own ? REASON_BOOT : missing ? REASON_NO_IMAGE : REASON_IMAGE;

    if (!why)
        return false;
    snprintf(out->words, sizeof out->words, "%s: %s: %s", why, or_empty(image), or_empty(words));
    out->waits = is_pull(why) ? WAITS_REGISTRY : WAITS_NOT;
    if (missing || (is_pull(why) && !registry_is_away(why, words)) || one_of(why, images))
        say(out, INSTANCE_FAILED, fault, reason, "%s: image %s: %s", why, or_empty(image),
            or_empty(words));
    /* A Secret or ConfigMap that is still to come is "not found"; all else does not mend itself. */
    else if (strcmp(why, "CreateContainerConfigError") == 0 && words && !strstr(words, "not found"))
        say(out, INSTANCE_FAILED, FAULT_INVALID, reason, "image %s: %s", or_empty(image), words);
    return out->state == INSTANCE_FAILED;
}

static bool judge_ended(const json_t *status, struct verdict *out)
{
    static const char *const starts[] = { "ContainerCannotRun", "StartError", NULL };
    const json_t *ended = kube_at(status, "state", "terminated", NULL);
    const char *why = kube_text(ended, "reason"), *words = kube_text(ended, "message");
    long long code = json_integer_value(json_object_get(ended, "exitCode"));

    if (!ended || (code == 0 && !one_of(why, starts)))
        return false;
    if (why && strcmp(why, "OOMKilled") == 0)
        say(out, INSTANCE_FAILED, FAULT_NONE, REASON_MEMORY,
            "OOMKilled: the pod used more memory than its limit");
    else if (one_of(why, starts))
        say(out, INSTANCE_FAILED, FAULT_INVALID, REASON_IMAGE, "%s: image %s: %s", why,
            or_empty(kube_text(status, "image")), or_empty(words));
    else
        say(out, INSTANCE_FAILED, FAULT_NONE, REASON_NONE,
            "the agent ended with status %lld (%s)%s%s", code, or_empty(why), words ? ": " : "",
            or_empty(words));
    return true;
}

static bool judge_containers(const json_t *pod, struct verdict *out)
{
    static const char *const lists[] = { "initContainerStatuses", "containerStatuses" };

    for (size_t l = 0; l < array_len(lists); l++) {
        const json_t *each;
        size_t i;

        json_array_foreach(kube_at(pod, "status", lists[l], NULL), i, each)
        {
            if (judge_waiting(each, out) || judge_ended(each, out))
                return true;
        }
    }
    return false;
}

/* The cluster takes the pod: evicted, preempted, its node drained or gone; from 1.26 on it says so
 * before the pod ends. */
static bool judge_taken(const json_t *pod, enum instance_state state, struct verdict *out)
{
    const json_t *target = condition(pod, "DisruptionTarget");

    if (is_true(target))
        say(out, state, state == INSTANCE_FAILED ? FAULT_NO_CAPACITY : FAULT_NONE, REASON_PREEMPTED,
            "%s: %s", or_empty(kube_text(target, "reason")),
            or_empty(kube_text(target, "message")));
    return is_true(target);
}

/* A pod that ended as a whole. */
static void judge_failed(const json_t *pod, struct verdict *out)
{
    static const char *const taken[] = { "Evicted",      "Preempting", "Shutdown",
                                         "NodeShutdown", "Terminated", NULL };
    const json_t *status = json_object_get(pod, "status");
    const char *why = kube_text(status, "reason"), *words = kube_text(status, "message");

    if (why && words && strcmp(why, "Evicted") == 0 && strstr(words, "ephemeral"))
        say(out, INSTANCE_FAILED, FAULT_NONE, REASON_LOST, "Evicted: %s", words);
    else if (one_of(why, taken))
        say(out, INSTANCE_FAILED, FAULT_NO_CAPACITY, REASON_PREEMPTED, "%s: %s", why,
            or_empty(words));
    else if (judge_taken(pod, INSTANCE_FAILED, out))
        return;
    else if (why && strcmp(why, "DeadlineExceeded") == 0)
        say(out, INSTANCE_FAILED, FAULT_TIMEOUT, REASON_LOST,
            "DeadlineExceeded: the worker reached its greatest age");
    else if (!judge_containers(pod, out))
        say(out, INSTANCE_FAILED, FAULT_UNAVAILABLE, REASON_NONE, "the pod failed%s%s%s%s",
            why ? ": " : "", or_empty(why), words ? ": " : "", or_empty(words));
}

static void judge_pending(const json_t *pod, struct verdict *out)
{
    const json_t *placed = condition(pod, "PodScheduled");
    const char *why = kube_text(placed, "reason");

    if (!judge_containers(pod, out) && placed && !is_true(placed)) {
        say(out, INSTANCE_BOOTING, FAULT_NO_CAPACITY, REASON_NONE, "%s: %s", or_empty(why),
            or_empty(kube_text(placed, "message")));
        out->waits = why && strcmp(why, "Unschedulable") == 0 ? WAITS_ROOM : WAITS_NOT;
    }
}

void judge_pod(const json_t *pod, struct verdict *out)
{
    const char *phase = kube_text(json_object_get(pod, "status"), "phase");

    memset(out, 0, sizeof *out);
    out->state = INSTANCE_BOOTING;
    if (is(phase, "Failed")) {
        judge_failed(pod, out);
    } else if (is(phase, "Succeeded")) {
        if (!judge_taken(pod, INSTANCE_FAILED, out))
            say(out, INSTANCE_FAILED, FAULT_NONE, REASON_NONE, "its agent has ended");
    } else if (is(phase, "Pending")) {
        judge_pending(pod, out);
    } else if (phase && !judge_containers(pod, out) && !judge_taken(pod, INSTANCE_ACTIVE, out)) {
        out->state = INSTANCE_ACTIVE; /* also of one on a node that is silent: nothing is known */
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

bool judge_event(const json_t *event, struct verdict *out)
{
    const char *why = kube_text(event, "reason"), *words = kube_text(event, "message");
    const char *kind = kube_text(json_object_get(event, "involvedObject"), "kind");

    memset(out, 0, sizeof *out);
    if (!why || !kind || strcmp(kind, "Job") != 0 || strcmp(why, "FailedCreate") != 0)
        return false;
    if (kube_is_quota(words))
        say(out, INSTANCE_FAILED, FAULT_QUOTA, REASON_NONE, "FailedCreate: %s", words);
    else if (words && strstr(words, "forbidden"))
        say(out, INSTANCE_FAILED, FAULT_INVALID, REASON_NONE, "FailedCreate: %s", words);
    else
        return false; /* the controller tries again */
    return true;
}

/* ---- workers --------------------------------------------------------------------------------- */

/* A pod that was deleted under its Job: by the Job itself when that is too old, else by somebody. */
static void judge_deleted(const struct signs *signs, struct verdict *out)
{
    const struct verdict *last = signs->last;

    if (signs->job && signs->job->reason == REASON_LOST) {
        *out = *signs->job;
        out->state = INSTANCE_FAILED;
    } else if (last && last->reason == REASON_PREEMPTED) {
        say(out, INSTANCE_FAILED, FAULT_NO_CAPACITY, REASON_PREEMPTED, "%s", last->words);
    } else {
        say(out, INSTANCE_FAILED, FAULT_NONE, REASON_PREEMPTED, "its pod was deleted");
    }
}

/* The pod's own words first, then what became of the Job as a whole. */
void judge_worker(const struct signs *signs, struct verdict *out)
{
    *out = signs->pod ? *signs->pod : (struct verdict){ .state = INSTANCE_BOOTING };
    if (out->state == INSTANCE_FAILED) {
        /* How an agent ends that was told to go says nothing; older clusters remove the pod at once. */
        if (signs->pod_taken && out->fault == FAULT_NONE && out->reason == REASON_NONE)
            judge_deleted(signs, out);
        return;
    }
    /* Its agent has a while to say how its jobs end, whatever becomes of the Job meanwhile. */
    if (signs->pod && signs->pod_leaves)
        return;
    if (signs->pod_taken)
        judge_deleted(signs, out);
    else if (signs->job && signs->job->state == INSTANCE_FAILED)
        *out = *signs->job;
    else if (signs->event && !signs->pod)
        *out = *signs->event;
}

/* ---- quantities ------------------------------------------------------------------------------ */

static double suffix_of(const char *text)
{
    static const struct {
        const char *suffix;
        double factor;
    } suffixes[] = { { "", 1 },        { "m", 1e-3 },    { "u", 1e-6 },    { "n", 1e-9 },
                     { "k", 1e3 },     { "M", 1e6 },     { "G", 1e9 },     { "T", 1e12 },
                     { "P", 1e15 },    { "E", 1e18 },    { "Ki", 0x1p10 }, { "Mi", 0x1p20 },
                     { "Gi", 0x1p30 }, { "Ti", 0x1p40 }, { "Pi", 0x1p50 }, { "Ei", 0x1p60 } };

    for (size_t i = 0; i < array_len(suffixes); i++)
        if (strcmp(text, suffixes[i].suffix) == 0)
            return suffixes[i].factor;
    return 0;
}

static double amount(const char *text)
{
    char *end = NULL;
    double value, factor;

    if (!text || !*text || strlen(text) > 40 || !strchr("+-.0123456789", *text))
        return NAN;
    value = strtod(text, &end);
    factor = suffix_of(end);
    if (end == text || factor == 0 || !isfinite(value) || value < 0)
        return NAN;
    return value * factor;
}

int64_t quantity_milli(const char *text)
{
    double value = amount(text) * 1000;

    return isfinite(value) && value < 9e18 ? (int64_t)ceil(value - 1e-6) : -1;
}

int64_t quantity(const char *text)
{
    double value = amount(text);

    return isfinite(value) && value < 9e18 ? (int64_t)ceil(value - 1e-9) : -1;
}

int64_t quantity_of(const json_t *value)
{
    int64_t number;

    if (json_is_integer(value))
        return json_integer_value(value) > 0 ? json_integer_value(value) : 0;
    number = json_is_string(value) ? quantity(json_string_value(value)) : 0;
    return number > 0 ? number : 0;
}

static int64_t milli_of(const json_t *value)
{
    int64_t number;

    if (json_is_integer(value))
        return json_integer_value(value) > 0 && json_integer_value(value) < INT64_MAX / 1000
                   ? json_integer_value(value) * 1000
                   : 0;
    number = json_is_string(value) ? quantity_milli(json_string_value(value)) : 0;
    return number > 0 ? number : 0;
}

static const json_t *request_of(const json_t *container, const char *resource)
{
    const json_t *value = kube_at(container, "resources", "requests", resource, NULL);

    return value ? value : kube_at(container, "resources", "limits", resource, NULL);
}

static int64_t asks(const json_t *pod, const char *resource, int64_t (*read)(const json_t *))
{
    int64_t sum = 0, most = 0;
    const json_t *each;
    size_t i;

    json_array_foreach(kube_at(pod, "spec", "containers", NULL), i, each) sum +=
        read(request_of(each, resource));
    json_array_foreach(kube_at(pod, "spec", "initContainers", NULL), i, each)
    {
        int64_t one = read(request_of(each, resource));

        most = one > most ? one : most;
    }
    return sum > most ? sum : most;
}

void pod_asks(const json_t *pod, struct asked *out)
{
    out->cpu_milli = asks(pod, "cpu", milli_of);
    out->memory = asks(pod, "memory", quantity_of);
    out->disk = asks(pod, "ephemeral-storage", quantity_of);
}

int64_t pod_asks_of(const json_t *pod, const char *resource)
{
    return asks(pod, resource, quantity_of);
}
