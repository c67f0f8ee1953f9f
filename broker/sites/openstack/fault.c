/* SPDX-License-Identifier: Apache-2.0 */
/* fault.c - what kind of fault an answer of OpenStack is.
 *
 * The services use the same few statuses for many things; the words tell them apart. */
#include <string.h>

#include "base/json.h"
#include "sites/openstack/session.h"

#define WORDS_MOST 300

/* The service's own words, wherever it puts them: {"badRequest": {"message": ...}},
 * {"NeutronError": {"message": ...}}, {"errors": [{"detail": ...}]}, {"message": ...}, and with
 * other members before it {"error": {"message": ...}}. */
static const char *words_in(const json_t *answer)
{
    const json_t *inner = answer;
    const char *words = json_string_value(json_object_get(answer, "message"));

    if (json_is_object(json_object_get(answer, "error")))
        inner = json_object_get(answer, "error");
    else if (!words && json_object_size(answer) > 0)
        inner = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)answer));
    if (json_is_array(inner))
        inner = json_array_get(inner, 0);
    if (!words)
        words = json_string_value(json_object_get(inner, "message"));
    if (!words)
        words = json_string_value(json_object_get(inner, "detail"));
    return words ? words : json_string_value(inner);
}

/* Text without tags and line breaks: proxies answer in HTML. */
static void plain(const char *text, size_t length, char out[WORDS_MOST])
{
    bool tag = false;
    size_t at = 0;

    for (size_t i = 0; i < length && at + 1 < WORDS_MOST; i++) {
        char c = text[i];

        if (c == '<')
            tag = true;
        if (!tag && !((unsigned char)c <= ' ' && (at == 0 || out[at - 1] == ' ')))
            out[at++] = (unsigned char)c <= ' ' ? ' ' : c;
        if (c == '>')
            tag = false;
    }
    out[at] = '\0';
}

static bool speaks_of_quota(const char *words)
{
    return strcasestr(words, "quota") || strcasestr(words, "exceeds allowed") ||
           strcasestr(words, "limit exceeded") || strcasestr(words, "maximum number of ports");
}

static enum fault fault_of(long status, const char *words)
{
    switch (status) {
    case 401:
        return FAULT_AUTH;
    case 403:
        return speaks_of_quota(words) ? FAULT_QUOTA : FAULT_AUTH;
    case 404:
        return FAULT_NOT_FOUND;
    case 408:
        return FAULT_TIMEOUT;
    case 409:
        return speaks_of_quota(words) ? FAULT_QUOTA : FAULT_CONFLICT;
    case 413:
        return speaks_of_quota(words) ? FAULT_QUOTA : FAULT_THROTTLED;
    case 429:
        return FAULT_THROTTLED;
    default:
        break;
    }
    if (strcasestr(words, "no valid host"))
        return FAULT_NO_CAPACITY;
    return status >= 500 ? FAULT_UNAVAILABLE : FAULT_INVALID;
}

int os_fault(const char *what, long status, const char *body, size_t length, struct err *err)
{
    own_json json_t *answer = json_loadb(body ? body : "", length, 0, NULL);
    const char *words = words_in(answer);
    char clean[WORDS_MOST];

    if (!words)
        words = body ? body : "";
    else
        length = strlen(words);
    plain(words, length, clean);
    return err_set(err, fault_of(status, clean), "%s: %ld%s%s", what, status, *clean ? ": " : "",
                   clean);
}

enum fault os_server_fault(const char *words)
{
    if (strcasestr(words, "no valid host") || strcasestr(words, "not enough hosts") ||
        strcasestr(words, "exhausted all hosts") || strcasestr(words, "insufficient compute"))
        return FAULT_NO_CAPACITY;
    if (speaks_of_quota(words))
        return FAULT_QUOTA;
    return FAULT_UNAVAILABLE;
}
