/* SPDX-License-Identifier: Apache-2.0 */
/* pair.c - a key of our own and a request for a certificate.
 *
 * The key never leaves this process and is made anew at each start; Magnum signs what it is for. */
#include "net/pem.h"
#include "sites/magnum/magnum.h"

static bool name_it(X509_REQ *request)
{
    static const struct {
        const char *field, *value;
    } parts[] = { { "CN", "admin" }, { "O", "system:masters" } };
    X509_NAME *name = X509_REQ_get_subject_name(request);

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (X509_NAME_add_entry_by_txt(name, parts[i].field, MBSTRING_ASC,
                                       (const unsigned char *)parts[i].value, -1, -1, 0) != 1)
            return false;
    return true;
}

/* RSA: every release of Magnum, and what its clusters run, takes that. */
int pair_make(char **key, char **request, struct err *err)
{
    own_pkey EVP_PKEY *pair = EVP_RSA_gen(2048);
    own_x509_request X509_REQ *wanted = X509_REQ_new();
    own_bio BIO *key_bio = BIO_new(BIO_s_secmem()), *request_bio = BIO_new(BIO_s_mem());

    if (!pair || !wanted || !key_bio || !request_bio || !name_it(wanted) ||
        X509_REQ_set_pubkey(wanted, pair) != 1 || X509_REQ_sign(wanted, pair, EVP_sha256()) == 0 ||
        PEM_write_bio_PrivateKey(key_bio, pair, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_X509_REQ(request_bio, wanted) != 1)
        return err_set(err, FAULT_INTERNAL, "a key for the cluster cannot be made");
    *key = bio_text(key_bio);
    *request = bio_text(request_bio);
    return 0;
}
