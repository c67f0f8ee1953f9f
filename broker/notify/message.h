/* SPDX-License-Identifier: Apache-2.0 */
/* message.h - notices in words: the body of a webhook, a mail.  Pure.
 *
 * Names come from strangers: in a mail's headers and text they are made printable, and nothing of a
 * job's output is ever in either. */
#ifndef SPILLWAY_NOTIFY_MESSAGE_H
#define SPILLWAY_NOTIFY_MESSAGE_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"

/* {"id": 17, "events": [...]}: `events` is a list of notices' JSON objects, `id` the first one's.
 */
void message_webhook(int64_t id, const json_t *events, struct buf *out);
/* A whole message with headers, lines ended by CRLF. */
struct mail_envelope {
    const char *from, *to, *uuid; /* uuid: the broker's */
    int64_t id, now_ms;
};
void message_mail(const struct mail_envelope *envelope, const json_t *events, struct buf *out);

#endif
