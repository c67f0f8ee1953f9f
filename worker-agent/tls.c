/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - a client of TLS. */
#include "tls.h"

#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/own.h"
#include "digest.h"

struct tls {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_x509_crt authorities;
    enum tls_trust trust;
    char pin[DIGEST_HEX];
    int fd;
    bool wants_write;
};

static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt",
                                       "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                       "/etc/ssl/cert.pem" };

static const char *bundle(void)
{
    for (size_t i = 0; i < array_len(bundles); i++)
        if (access(bundles[i], R_OK) == 0)
            return bundles[i];
    return NULL;
}

bool tls_has_authorities(void)
{
    return bundle() != NULL;
}

static int random_bytes(void *arg, unsigned char *out, size_t length)
{
    (void)arg;
    io_random(out, length);
    return 0;
}

static int fault(int rc, const char *what, struct err *err)
{
    char text[160];

    mbedtls_strerror(rc, text, sizeof text);
    return err_set(err, FAULT_UNAVAILABLE, "TLS %s: %s", what, text);
}

static int net_send(void *arg, const unsigned char *data, size_t length)
{
    ssize_t put = write(*(int *)arg, data, length);

    if (put < 0)
        return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE
                                                 : MBEDTLS_ERR_NET_SEND_FAILED;
    return (int)put;
}

static int net_receive(void *arg, unsigned char *data, size_t size)
{
    ssize_t got = read(*(int *)arg, data, size);

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ
                                                 : MBEDTLS_ERR_NET_RECV_FAILED;
    return (int)got;
}

static int trust_system(struct tls *tls, struct err *err)
{
    const char *path = bundle();
    int rc;

    if (!path)
        return err_set(
            err, FAULT_UNAVAILABLE,
            "TLS: no pin is given and this image has no certificate authorities: install "
            "ca-certificates, or give a checksum");
    rc = mbedtls_x509_crt_parse_file(&tls->authorities, path);
    if (rc < 0)
        return fault(rc, path, err);
    mbedtls_ssl_conf_ca_chain(&tls->config, &tls->authorities, NULL);
    return 0;
}

struct tls *tls_new(int fd, const char *host, enum tls_trust trust, const char *pin,
                    struct err *err)
{
    struct tls *tls = xcalloc(1, sizeof *tls);
    int rc;

    mbedtls_ssl_init(&tls->ssl);
    mbedtls_ssl_config_init(&tls->config);
    mbedtls_x509_crt_init(&tls->authorities);
    tls->fd = fd;
    tls->trust = trust;
    if (pin)
        snprintf(tls->pin, sizeof tls->pin, "%s", pin);
    rc = mbedtls_ssl_config_defaults(&tls->config, MBEDTLS_SSL_IS_CLIENT,
                                     MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&tls->config, random_bytes, NULL);
    mbedtls_ssl_conf_min_version(&tls->config, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_authmode(&tls->config, trust == TLS_BY_SYSTEM ? MBEDTLS_SSL_VERIFY_REQUIRED
                                                                   : MBEDTLS_SSL_VERIFY_NONE);
    if (rc == 0 && trust == TLS_BY_SYSTEM && trust_system(tls, err) < 0) {
        tls_free(tls);
        return NULL;
    }
    if (rc == 0)
        rc = mbedtls_ssl_setup(&tls->ssl, &tls->config);
    if (rc == 0)
        rc = mbedtls_ssl_set_hostname(&tls->ssl, host);
    if (rc != 0) {
        fault(rc, "set-up", err);
        tls_free(tls);
        return NULL;
    }
    mbedtls_ssl_set_bio(&tls->ssl, &tls->fd, net_send, net_receive, NULL);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    mbedtls_ssl_free(&tls->ssl);
    mbedtls_ssl_config_free(&tls->config);
    mbedtls_x509_crt_free(&tls->authorities);
    free(tls);
}

static bool again(struct tls *tls, int rc)
{
    tls->wants_write = rc == MBEDTLS_ERR_SSL_WANT_WRITE;
    return rc == MBEDTLS_ERR_SSL_WANT_WRITE || rc == MBEDTLS_ERR_SSL_WANT_READ;
}

/* The peer has proved by now that it holds the certificate's key. */
static int check_pin(struct tls *tls, struct err *err)
{
    const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&tls->ssl);
    char hex[DIGEST_HEX];

    if (!peer)
        return err_set(err, FAULT_AUTH, "TLS: the broker showed no certificate");
    digest_hex_of(peer->raw.p, peer->raw.len, hex);
    if (strcmp(hex, tls->pin) != 0)
        return err_set(err, FAULT_AUTH,
                       "TLS: the server's certificate is not the broker's (SHA-256 %s, pinned %s)",
                       hex, tls->pin);
    return 0;
}

int tls_handshake(struct tls *tls, struct err *err)
{
    int rc = mbedtls_ssl_handshake(&tls->ssl);

    if (again(tls, rc))
        return IO_AGAIN;
    if (rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
        char why[256] = "";

        mbedtls_x509_crt_verify_info(why, sizeof why, "", mbedtls_ssl_get_verify_result(&tls->ssl));
        why[strcspn(why, "\n")] = '\0';
        return err_set(err, FAULT_AUTH, "TLS: certificate refused: %s", why);
    }
    if (rc != 0)
        return fault(rc, "handshake", err);
    return tls->trust == TLS_PINNED ? check_pin(tls, err) : 0;
}

ssize_t tls_read(struct tls *tls, void *data, size_t size, struct err *err)
{
    int rc = mbedtls_ssl_read(&tls->ssl, data, size);

    if (again(tls, rc))
        return IO_AGAIN;
    if (rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return 0;
    return rc < 0 ? fault(rc, "read", err) : rc;
}

ssize_t tls_write(struct tls *tls, const void *data, size_t length, struct err *err)
{
    int rc = mbedtls_ssl_write(&tls->ssl, data, length);

    if (again(tls, rc))
        return IO_AGAIN;
    return rc < 0 ? fault(rc, "write", err) : rc;
}

bool tls_wants_write(const struct tls *tls)
{
    return tls->wants_write;
}
