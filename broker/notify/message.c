/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - what a person, or a program, is told. */
#include "notify/message.h"

#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"

#define NAME_BYTES  160
#define WORD_BYTES  39 /* of text in one encoded word: 75 characters with what is around it */
#define BASE64_LINE 57 /* bytes to a line of 76 */

void message_webhook(int64_t id, const json_t *events, struct buf *out)
{
    own_str char *text = json_dumps(events, JSON_COMPACT);

    buf_printf(out, "{\"id\":%lld,\"events\":%s}", (long long)id, text);
}

/* ---- words ----------------------------------------------------------------------------------- */

static const char *text_of(const json_t *event, const char *key)
{
    const char *text = json_string_value(json_object_get(event, key));

    return text ? text : "";
}

static int64_t number_of(const json_t *event, const char *key)
{
    return json_integer_value(json_object_get(event, key));
}

/* "nightly failed (job 12)" */
static void put_headline(const json_t *event, struct buf *out)
{
    char name[NAME_BYTES];
    int64_t job = number_of(event, "job");

    buf_printf(out, "%s ", text_for_terminal(text_of(event, "name"), name, sizeof name));
    if (strcmp(text_of(event, "event"), "late") == 0)
        buf_puts(out, "has not started in time");
    else if (strcmp(text_of(event, "event"), "credential") == 0)
        buf_puts(out, "has a credential that ends");
    else if (strcmp(text_of(event, "event"), "failed") == 0 && !job)
        buf_puts(out, "could not be queued");
    else
        buf_puts(out, text_of(event, "event"));
    if (job)
        buf_printf(out, " (job %lld)", (long long)job);
}

static void put_paragraph(const json_t *event, struct buf *out)
{
    int64_t tasks = number_of(event, "tasks"), job = number_of(event, "job");
    int64_t failures = number_of(event, "failures_in_a_row");
    char text[NAME_BYTES];

    put_headline(event, out);
    buf_puts(out, "\r\n");
    if (*text_of(event, "why"))
        buf_printf(out, "  %s\r\n", text_for_terminal(text_of(event, "why"), text, sizeof text));
    if (*text_of(event, "scheduled_time"))
        buf_printf(out, "  run of %s\r\n", text_of(event, "scheduled_time"));
    if (tasks > 1)
        buf_printf(out, "  %lld tasks: %lld succeeded, %lld failed, %lld cancelled\r\n",
                   (long long)tasks, (long long)number_of(event, "succeeded"),
                   (long long)number_of(event, "failed"), (long long)number_of(event, "cancelled"));
    if (failures > 1)
        buf_printf(out, "  %lld failures in a row\r\n", (long long)failures);
    if (json_is_true(json_object_get(event, "schedule_paused")))
        buf_printf(out, "  the schedule is paused; `spillway schedule resume` lets it go on\r\n");
    buf_printf(out, "  user %s", text_for_terminal(text_of(event, "user"), text, sizeof text));
    buf_printf(out, ", project %s\r\n",
               text_for_terminal(text_of(event, "project"), text, sizeof text));
    if (job)
        buf_printf(out, "  spillway show %lld\r\n", (long long)job);
}

/* "3 notices: 2 failed, 1 recovered" */
static void put_summary(const json_t *events, struct buf *out)
{
    static const char *const words[] = { "failed",    "late",      "recovered", "started",
                                         "succeeded", "cancelled", "paused",    "credential" };
    const char *separator = ": ";

    buf_printf(out, "%zu notices", json_array_size(events));
    for (size_t w = 0; w < array_len(words); w++) {
        size_t count = 0;

        for (size_t i = 0; i < json_array_size(events); i++)
            count += strcmp(text_of(json_array_get(events, i), "event"), words[w]) == 0;
        if (count) {
            buf_printf(out, "%s%zu %s", separator, count, words[w]);
            separator = ", ";
        }
    }
}

/* ---- a mail ---------------------------------------------------------------------------------- */

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text > 0x7e)
            return false;
    return true;
}

/* RFC 2047: encoded words, cut between characters. */
static void put_subject(struct buf *out, const char *text)
{
    const char *separator = "";

    buf_puts(out, "Subject: ");
    if (is_ascii(text)) {
        buf_printf(out, "%s\r\n", text);
        return;
    }
    while (*text) {
        size_t length = strlen(text);

        if (length > WORD_BYTES) {
            length = WORD_BYTES;
            while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
                length--;
        }
        buf_printf(out, "%s=?UTF-8?B?", separator);
        buf_put_base64(out, text, length);
        buf_puts(out, "?=");
        separator = "\r\n ";
        text += length;
    }
    buf_puts(out, "\r\n");
}

static void put_date(struct buf *out, int64_t now_ms)
{
    time_t now = (time_t)(now_ms / 1000);
    char text[64];
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &tm);
    buf_printf(out, "Date: %s\r\n", text);
}

static void put_body(struct buf *out, const struct buf *body)
{
    const char *text = buf_text(body);

    buf_puts(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n");
    if (is_ascii(text)) {
        buf_printf(out, "Content-Transfer-Encoding: 7bit\r\n\r\n%s", text);
        return;
    }
    buf_puts(out, "Content-Transfer-Encoding: base64\r\n\r\n");
    for (size_t at = 0; at < body->length; at += BASE64_LINE) {
        size_t left = body->length - at;

        buf_put_base64(out, text + at, left < BASE64_LINE ? left : BASE64_LINE);
        buf_puts(out, "\r\n");
    }
}

void message_mail(const struct mail_envelope *envelope, const json_t *events, struct buf *out)
{
    own_buf struct buf subject = BUF_INIT(0), body = BUF_INIT(0);
    size_t count = json_array_size(events);

    buf_puts(&subject, "[spillway] ");
    if (count == 1)
        put_headline(json_array_get(events, 0), &subject);
    else
        put_summary(events, &subject);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_puts(&body, "\r\n");
        put_paragraph(json_array_get(events, i), &body);
    }
    buf_printf(out, "From: %s\r\nTo: %s\r\n", envelope->from, envelope->to);
    put_subject(out, buf_text(&subject));
    put_date(out, envelope->now_ms);
    buf_printf(out, "Message-ID: <notice.%lld.%s@spillway>\r\nAuto-Submitted: auto-generated\r\n",
               (long long)envelope->id, envelope->uuid);
    put_body(out, &body);
}
