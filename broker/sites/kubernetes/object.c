/* SPDX-License-Identifier: Apache-2.0 */
/* object.c - small things about JSON objects of the API, and what kind of fault an answer is.  Pure.
 */
#include <string.h>

#include "base/json.h"
#include "base/parse.h"
#include "sites/kubernetes/client.h"

#define WORDS_MOST 600

/* ---- small things ---------------------------------------------------------------------------- */

void put_query(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            strchr("-._~", c))
            buf_putc(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

const char *kube_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text && *text ? text : NULL;
}

const json_t *kube_below(const json_t *object, const char *const *keys)
{
    while (*keys)
        object = json_object_get(object, *keys++);
    return object;
}

int64_t kube_time(const json_t *value)
{
    const char *text = json_string_value(value);
    int64_t ms = 0;

    return text && parse_time(text, &ms, NULL) == 0 ? ms : 0;
}

/* ---- faults ---------------------------------------------------------------------------------- */

/* Text without tags and line breaks: proxies answer in HTML. */
static void plain(const char *text, size_t length, char out[WORDS_MOST])
{
    bool tag = false;
    size_t at = 0;

    for (size_t i = 0; i < length && at + 1 < WORDS_MOST; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '<')
            tag = true;
        if (!tag && !(c <= ' ' && (at == 0 || out[at - 1] == ' ')))
            out[at++] = c <= ' ' ? ' ' : (char)c;
        if (c == '>')
            tag = false;
    }
    out[at] = '\0';
}

bool kube_is_quota(const char *words)
{
    return words && (strstr(words, "exceeded quota") || strstr(words, "must specify limits") ||
                     strstr(words, "failed quota"));
}

static enum fault fault_of(long status, const char *words)
{
    switch (status) {
    case 401:
        return FAULT_AUTH;
    case 403:
        return kube_is_quota(words) ? FAULT_QUOTA : FAULT_AUTH;
    case 404:
    case 410:
        return FAULT_NOT_FOUND;
    case 409:
        return FAULT_CONFLICT;
    case 429:
        return FAULT_THROTTLED;
    case 504:
        return FAULT_TIMEOUT;
    default:
        return status >= 500 || status < 400 ? FAULT_UNAVAILABLE : FAULT_INVALID;
    }
}

int kube_fault(const char *what, long status, const char *body, size_t length, struct err *err)
{
    own_json json_t *answer = json_loadb(body ? body : "", length, 0, NULL);
    const char *said = kube_text(answer, "message");
    char words[WORDS_MOST];

    plain(said ? said : body ? body : "", said ? strlen(said) : length, words);
    return err_set(err, fault_of(status, words), "%s: %ld%s%s", what, status, *words ? ": " : "",
                   words);
}
