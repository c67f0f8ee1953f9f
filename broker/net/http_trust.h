/* SPDX-License-Identifier: Apache-2.0 */
/* http_trust.h - whom a call is made to and as whom; for the files of net/ that use libcurl. */
#ifndef SPILLWAY_NET_HTTP_TRUST_H
#define SPILLWAY_NET_HTTP_TRUST_H

#include <curl/curl.h>

#include "net/http.h"

struct http_trust {
    bool insecure;
    char *cacert, *cert, *key;             /* files */
    char *cacert_pem, *cert_pem, *key_pem; /* their contents; win over the files */
    char *server_name, *proxy;
};

void http_trust_init(struct http_trust *trust, const struct http_options *options);
void http_trust_fini(struct http_trust *trust);
void http_trust_identity(struct http_trust *trust, const char *cacert, const char *cert,
                         const char *key);
/* URL, TLS and what all calls have in common.  The lists are freed by the caller, after the call. */
void http_trust_set(const struct http_trust *trust, CURL *curl, const char *url,
                    struct curl_slist **headers, struct curl_slist **connect_to);
enum fault http_fault_of(CURLcode code);

#endif
