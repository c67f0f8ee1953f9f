/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - the certificate that the API shows, and its fingerprint.
 *
 * Without one from the operator we make one: EC P-256, kept in the state directory, so that agents
 * that pinned it before a restart still know us after it. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

#include "api/server.h"
#include "base/io.h"
#include "base/own.h"
#include "net/pem.h"

#define YEARS        10
#define PEM_MOST     ((size_t)256 * 1024)
#define SECONDS_YEAR (365L * 24 * 3600)

static int add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    int rc = extension ? X509_add_ext(certificate, extension, -1) : 0;

    X509_EXTENSION_free(extension);
    return rc;
}

static bool is_address(const char *host)
{
    return strspn(host, "0123456789.") == strlen(host) || strchr(host, ':');
}

/* The names it is good for: this machine's, loopback, and the one in the configured URL. */
static char *alt_names(const char *host)
{
    char own_name[256] = "";

    if (gethostname(own_name, sizeof own_name - 1) < 0 || !own_name[0] || strpbrk(own_name, ",:\n"))
        snprintf(own_name, sizeof own_name, "localhost");
    if (host && strpbrk(host, ",\n"))
        host = NULL;
    return xasprintf("DNS:localhost,IP:127.0.0.1,IP:::1,DNS:%s%s%s", own_name,
                     !host              ? ""
                     : is_address(host) ? ",IP:"
                                        : ",DNS:",
                     host ? host : "");
}

static X509 *sign_own(EVP_PKEY *key, const char *host)
{
    own_x509 X509 *certificate = X509_new();
    own_str char *names = alt_names(host);
    unsigned char serial[16];
    X509_NAME *name;
    BIGNUM *number;

    if (!certificate)
        return NULL;
    io_random(serial, sizeof serial);
    serial[0] &= 0x7F;
    number = BN_bin2bn(serial, sizeof serial, NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    X509_set_version(certificate, 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600); /* a worker's clock may be behind */
    X509_gmtime_adj(X509_getm_notAfter(certificate), YEARS * SECONDS_YEAR);
    name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"spillway", -1, -1,
                               0);
    if (X509_set_issuer_name(certificate, name) != 1 || X509_set_pubkey(certificate, key) != 1 ||
        add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") != 1 ||
        add_extension(certificate, NID_subject_alt_name, names) != 1 ||
        X509_sign(certificate, key, EVP_sha256()) == 0)
        return NULL;
    return take_ptr(certificate);
}

static int make_own(const char *host, char **certificate, char **key, struct err *err)
{
    own_pkey EVP_PKEY *pair = EVP_EC_gen("P-256");
    own_x509 X509 *made = pair ? sign_own(pair, host) : NULL;
    own_bio BIO *cert_bio = BIO_new(BIO_s_mem());
    own_bio BIO *key_bio = BIO_new(BIO_s_mem());

    if (!made || !cert_bio || !key_bio || PEM_write_bio_X509(cert_bio, made) != 1 ||
        PEM_write_bio_PrivateKey(key_bio, pair, NULL, NULL, 0, NULL, NULL) != 1)
        return err_set(err, FAULT_INTERNAL, "OpenSSL could not make a certificate");
    *certificate = bio_text(cert_bio);
    *key = bio_text(key_bio);
    return 0;
}

/* The key first: a crash in between leaves a key that nothing names, and both are made anew. */
static int make_and_keep(const char *cert_path, const char *key_path, const char *host,
                         struct err *err)
{
    own_str char *certificate = NULL, *key = NULL;
    int rc;

    if (make_own(host, &certificate, &key, err) < 0 || !key || !certificate)
        return -1;
    rc = io_replace_file(key_path, 0600, key, strlen(key), err);
    if (rc == 0)
        rc = io_replace_file(cert_path, 0644, certificate, strlen(certificate), err);
    OPENSSL_cleanse(key, strlen(key));
    return rc;
}

static char *read_pem(const char *path, struct err *err)
{
    own_buf struct buf text = BUF_INIT(PEM_MOST);

    return buf_read_file(&text, path, err) < 0 ? NULL : buf_take(&text);
}

static int fingerprint(const char *pem, const char *path, const char *key_pem, char pin[SHA256_HEX],
                       struct err *err)
{
    own_bio BIO *bio = BIO_new_mem_buf(pem, -1);
    own_bio BIO *key_bio = BIO_new_mem_buf(key_pem, -1);
    own_x509 X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    own_pkey EVP_PKEY *key = key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL) : NULL;
    unsigned char *der = NULL;
    int length;

    if (!certificate)
        return err_set(err, FAULT_INVALID, "%s: holds no certificate in PEM form", path);
    if (!key || X509_check_private_key(certificate, key) != 1)
        return err_set(err, FAULT_INVALID, "%s: the private key is not the certificate's", path);
    length = i2d_X509(certificate, &der);
    if (length < 0)
        return err_set(err, FAULT_INTERNAL, "%s: cannot be encoded", path);
    sha256_hex_of(der, (size_t)length, pin);
    OPENSSL_free(der);
    return 0;
}

int tls_load(const char *certificate_path, const char *key_path, const char *state_dir,
             const char *host, char **certificate, char **key, char pin[SHA256_HEX],
             struct err *err)
{
    own_str char *own_cert = xasprintf("%s/tls.crt", state_dir);
    own_str char *own_key = xasprintf("%s/tls.key", state_dir);
    own_str char *cert_pem = NULL, *key_pem = NULL;

    if (!certificate_path) {
        certificate_path = own_cert;
        key_path = own_key;
        if (access(own_cert, F_OK) < 0 && make_and_keep(own_cert, own_key, host, err) < 0)
            return -1;
    }
    cert_pem = read_pem(certificate_path, err);
    if (!cert_pem)
        return -1;
    key_pem = read_pem(key_path, err);
    if (!key_pem)
        return -1;
    if (fingerprint(cert_pem, certificate_path, key_pem, pin, err) < 0)
        return -1;
    *certificate = take_ptr(cert_pem);
    *key = take_ptr(key_pem);
    return 0;
}
