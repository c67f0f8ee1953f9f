/* SPDX-License-Identifier: Apache-2.0 */
/* post.h - one message to somebody else's server: an HTTP POST, or a mail.
 *
 * Each call has a deadline, follows no redirect and keeps nothing of the answer but its status.
 * Any thread; post_init() comes first, once, from the main thread. */
#ifndef SPILLWAY_NET_POST_H
#define SPILLWAY_NET_POST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define POST_TIMEOUT_MS 15000

void post_init(void);

/* `headers`: "Name: value", NULL-terminated.  0 for any 2xx.  FAULT_INVALID: asking again cannot
 * help (most 4xx); *retry_after_ms is set when the server names a time.  Link-local addresses,
 * where clouds keep credentials, are refused. */
int post_http(const char *url, const char *const *headers, const void *body, size_t length,
              int64_t *retry_after_ms, struct err *err);

struct mail_server {
    const char *url;             /* "smtp://host:25", "smtps://host"; NULL: use `sendmail` */
    const char *user, *password; /* NULL: none */
    const char *sendmail;        /* program; called without a shell */
};
/* `message` is whole, headers and all, lines ended by CRLF. */
int post_mail(const struct mail_server *server, const char *from, const char *to,
              const char *message, size_t length, struct err *err);

#endif
