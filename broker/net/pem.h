/* SPDX-License-Identifier: Apache-2.0 */
/* pem.h - OpenSSL's keys, certificates and memory, owned as in base/own.h. */
#ifndef SPILLWAY_NET_PEM_H
#define SPILLWAY_NET_PEM_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/own.h"

static inline void x509_free_(X509 **slot)
{
    X509_free(*slot);
}
static inline void x509_request_free_(X509_REQ **slot)
{
    X509_REQ_free(*slot);
}
static inline void pkey_free_(EVP_PKEY **slot)
{
    EVP_PKEY_free(*slot);
}
static inline void bio_free_(BIO **slot)
{
    BIO_free(*slot);
}
#define own_x509         own(x509_free_)
#define own_x509_request own(x509_request_free_)
#define own_pkey         own(pkey_free_)
#define own_bio          own(bio_free_)

/* What was written to it; owned by the caller. */
static inline char *bio_text(BIO *bio)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);

    return xstrndup(data, (size_t)length);
}

#endif
