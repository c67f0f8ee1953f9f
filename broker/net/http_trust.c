/* SPDX-License-Identifier: Apache-2.0 */
/* http_trust.c - certificates, names and what all calls have in common. */
#include "net/http_trust.h"

#include <string.h>

#include "base/own.h"

static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static void replace(char **slot, const char *text)
{
    if (*slot)
        explicit_bzero(*slot, strlen(*slot));
    free(*slot);
    *slot = copy_or_null(text);
}

void http_trust_init(struct http_trust *trust, const struct http_options *options)
{
    *trust = (struct http_trust){
        .insecure = options->insecure,
        .cacert = copy_or_null(options->cacert),
        .cert = copy_or_null(options->cert),
        .key = copy_or_null(options->key),
        .server_name = copy_or_null(options->server_name),
        .proxy = copy_or_null(options->proxy),
    };
}

void http_trust_identity(struct http_trust *trust, const char *cacert, const char *cert,
                         const char *key)
{
    replace(&trust->cacert_pem, cacert);
    replace(&trust->cert_pem, cert);
    replace(&trust->key_pem, key);
}

void http_trust_fini(struct http_trust *trust)
{
    http_trust_identity(trust, NULL, NULL, NULL);
    free(trust->cacert);
    free(trust->cert);
    free(trust->key);
    free(trust->server_name);
    free(trust->proxy);
}

static void set_pem(CURL *curl, CURLoption option, char *text)
{
    struct curl_blob blob = { .data = text,
                              .len = text ? strlen(text) : 0,
                              .flags = CURL_BLOB_COPY };

    if (text)
        curl_easy_setopt(curl, option, &blob);
}

static void set_tls(const struct http_trust *trust, CURL *curl)
{
    if (trust->insecure) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (trust->cacert)
        curl_easy_setopt(curl, CURLOPT_CAINFO, trust->cacert);
    if (trust->cert)
        curl_easy_setopt(curl, CURLOPT_SSLCERT, trust->cert);
    if (trust->key)
        curl_easy_setopt(curl, CURLOPT_SSLKEY, trust->key);
    set_pem(curl, CURLOPT_CAINFO_BLOB, trust->cacert_pem);
    set_pem(curl, CURLOPT_SSLCERT_BLOB, trust->cert_pem);
    set_pem(curl, CURLOPT_SSLKEY_BLOB, trust->key_pem);
}

/* libcurl checks a certificate against the URL's host: so the URL names whom the certificate must
 * name, the connection goes to the true host, and so does the Host header, which a proxy may read. */
static bool set_renamed(const struct http_trust *trust, CURL *curl, const char *url,
                        struct curl_slist **headers, struct curl_slist **connect_to)
{
    CURLU *parts = curl_url();
    char *host = NULL, *port = NULL, *renamed = NULL;
    bool done = false;

    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
        curl_url_set(parts, CURLUPART_HOST, trust->server_name, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_URL, &renamed, 0) == CURLUE_OK) {
        own_str char *to = xasprintf("%s:%s:%s:%s", trust->server_name, port, host, port);
        own_str char *header = xasprintf("Host: %s:%s", host, port);

        *connect_to = curl_slist_append(*connect_to, to);
        *headers = curl_slist_append(*headers, header);
        curl_easy_setopt(curl, CURLOPT_CONNECT_TO, *connect_to);
        curl_easy_setopt(curl, CURLOPT_URL, renamed);
        done = true;
    }
    curl_free(host);
    curl_free(port);
    curl_free(renamed);
    curl_url_cleanup(parts);
    return done;
}

void http_trust_set(const struct http_trust *trust, CURL *curl, const char *url,
                    struct curl_slist **headers, struct curl_slist **connect_to)
{
    if (!trust->server_name || !set_renamed(trust, curl, url, headers, connect_to))
        curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "spillway/" SPILLWAY_VERSION);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    if (trust->proxy)
        curl_easy_setopt(curl, CURLOPT_PROXY, trust->proxy);
    set_tls(trust, curl);
}

enum fault http_fault_of(CURLcode code)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return FAULT_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return FAULT_INVALID;
    default:
        return FAULT_UNAVAILABLE;
    }
}
