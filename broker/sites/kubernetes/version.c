/* SPDX-License-Identifier: Apache-2.0 */
/* version.c - which Kubernetes a server is, and what of it is used.  Pure.
 *
 * A field that a server does not know it drops without a word, so what is asked for must be asked of
 * servers that have it in force by default: the minor versions below are those, not the first ones
 * with the field.  A server that does not tell its version is taken for the oldest. */
#include <string.h>

#include "sites/kubernetes/kubernetes.h"

#define MINOR_MOST 999

static const struct {
    const char *words;
    int minor;
} features[KUBE_FEATURES] = {
    [KUBE_STRICT] = { "fieldValidation", 27 },
    /* Without the next it would bring a second pod as soon as the first is told to go. */
    [KUBE_POD_FAILURE] = { "podFailurePolicy", 29 },
    [KUBE_POD_REPLACEMENT] = { "podReplacementPolicy", 29 },
};

/* "29", "29+" */
static int number(const char *text)
{
    int value = 0;

    if (!text || *text < '0' || *text > '9')
        return -1;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (*text - '0');
        if (value > MINOR_MOST)
            return -1;
    }
    return value;
}

void kube_version_read(const json_t *answer, struct kube_version *out)
{
    const char *words = kube_text(answer, "gitVersion");
    int major = number(kube_text(answer, "major")), minor = number(kube_text(answer, "minor"));
    size_t at = 0;

    *out = (struct kube_version){ .minor = 0 };
    if (major < 1 || minor < 0)
        return;
    out->minor = major > 1 ? MINOR_MOST : minor;
    for (; words && *words > ' ' && *words < 127 && at + 1 < sizeof out->words; words++)
        out->words[at++] = *words;
    if (!at)
        snprintf(out->words, sizeof out->words, "v%d.%d", major, minor);
}

bool kube_has(const struct kube_version *version, enum kube_feature feature)
{
    return version->minor >= features[feature].minor;
}

json_t *kube_version_json(const struct kube_version *version)
{
    json_t *uses = json_array();

    for (size_t i = 0; i < KUBE_FEATURES; i++)
        if (kube_has(version, i))
            json_array_append_new(uses, json_string(features[i].words));
    return json_pack("{s:s, s:o}", "server",
                     version->words[0] ? version->words : "its version is not told", "uses", uses);
}
