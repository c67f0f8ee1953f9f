/* SPDX-License-Identifier: Apache-2.0 */
/* ssh_rsa.c - logging in with an RSA key, from a file or through ssh-agent. */
#include "net/ssh_rsa.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/io.h"
#include "base/own.h"

#define ALGORITHM      "rsa-sha2-512"
#define FIRST_GOOD     0x010b00 /* libssh2 1.11.0 knows the algorithm itself */
#define SIGNATURE_MOST 2048
#define AGENT_SECONDS  10
#define AGENT_MOST     ((size_t)64 << 10)
#define AGENT_SIGN     13 /* SSH_AGENTC_SIGN_REQUEST */
#define AGENT_SIGNED   14 /* SSH_AGENT_SIGN_RESPONSE */
#define AGENT_SHA2_512 4  /* SSH_AGENT_RSA_SHA2_512 */

/* Who signs: one of the two. */
struct signer {
    EVP_PKEY *key;
    const char *agent;
    const void *blob;
    size_t blob_length;
};

bool ssh_rsa_needed(void)
{
    return libssh2_version(FIRST_GOOD) == NULL;
}

static const unsigned char head[] = { 0, 0, 0, 7, 's', 's', 'h', '-', 'r', 's', 'a' };

bool ssh_rsa_is(const void *blob, size_t length)
{
    return length > sizeof head && memcmp(blob, head, sizeof head) == 0;
}

static void put_u32(struct buf *out, size_t value)
{
    unsigned char bytes[] = { (unsigned char)(value >> 24), (unsigned char)(value >> 16),
                              (unsigned char)(value >> 8), (unsigned char)value };

    buf_put(out, bytes, sizeof bytes);
}

static void put_string(struct buf *out, const void *data, size_t length)
{
    put_u32(out, length);
    buf_put(out, data, length);
}

static size_t u32_at(const unsigned char *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

/* ---- the agent ------------------------------------------------------------------------------- */

static int agent_connect(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct timeval most = { .tv_sec = AGENT_SECONDS };
    own_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    return connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -1 : take_fd(&fd);
}

static int read_exactly(int fd, void *out, size_t length)
{
    for (size_t at = 0; at < length;) {
        ssize_t got = recv(fd, (char *)out + at, length - at, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        at += (size_t)got;
    }
    return 0;
}

/* The answer's signature: string of (string of the algorithm, string of the signature). */
static int take_signature(const unsigned char *answer, size_t length, unsigned char **out,
                          size_t *out_length)
{
    const size_t name = strlen(ALGORITHM), before = 1 + 4 + 4 + name + 4;

    if (length <= before || answer[0] != AGENT_SIGNED || u32_at(answer + 1) != length - 5 ||
        u32_at(answer + 5) != name || memcmp(answer + 9, ALGORITHM, name) != 0 ||
        u32_at(answer + 9 + name) != length - before)
        return -1;
    *out_length = length - before;
    *out = xmalloc(*out_length);
    memcpy(*out, answer + before, *out_length);
    return 0;
}

static int sign_by_agent(const struct signer *signer, const unsigned char *data, size_t length,
                         unsigned char **out, size_t *out_length)
{
    own_buf struct buf request = BUF_INIT(AGENT_MOST), whole = BUF_INIT(AGENT_MOST);
    own_fd int fd = agent_connect(signer->agent);
    own_mem unsigned char *answer = NULL;
    unsigned char size[4];

    buf_putc(&request, AGENT_SIGN);
    put_string(&request, signer->blob, signer->blob_length);
    put_string(&request, data, length);
    put_u32(&request, AGENT_SHA2_512);
    put_string(&whole, request.data, request.length);
    if (fd < 0 || request.failed || whole.failed ||
        io_write_all(fd, whole.data, whole.length) < 0 || read_exactly(fd, size, 4) < 0 ||
        u32_at(size) > AGENT_MOST)
        return -1;
    answer = xmalloc(u32_at(size) + 1);
    return read_exactly(fd, answer, u32_at(size)) < 0
               ? -1
               : take_signature(answer, u32_at(size), out, out_length);
}

/* ---- signing --------------------------------------------------------------------------------- */

static int sign_by_key(EVP_PKEY *key, const unsigned char *data, size_t length, unsigned char **out,
                       size_t *out_length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int rc;

    *out_length = SIGNATURE_MOST;
    *out = xmalloc(SIGNATURE_MOST);
    rc = context && EVP_DigestSignInit(context, NULL, EVP_sha512(), NULL, key) == 1 &&
                 EVP_DigestSign(context, *out, out_length, data, length) == 1
             ? 0
             : -1;
    EVP_MD_CTX_free(context);
    if (rc < 0)
        free(take_ptr(*out));
    return rc;
}

/* libssh2 frees the signature. */
static int sign(LIBSSH2_SESSION *session, unsigned char **out, size_t *out_length,
                const unsigned char *data, size_t length, void **abstract)
{
    const struct signer *signer = *abstract;

    (void)session;
    return signer->key ? sign_by_key(signer->key, data, length, out, out_length)
                       : sign_by_agent(signer, data, length, out, out_length);
}

static bool log_in(LIBSSH2_SESSION *session, const char *user, const struct buf *blob,
                   struct signer *signer)
{
    void *abstract = signer;

    return libssh2_userauth_publickey(session, user, (const unsigned char *)blob->data,
                                      blob->length, sign, &abstract) == 0;
}

bool ssh_rsa_by_file(LIBSSH2_SESSION *session, const char *user, const char *path)
{
    own_buf struct buf text = BUF_INIT(SSH_RSA_FILE_MOST), blob = BUF_INIT(0);
    struct signer signer = { .key = NULL };
    bool in;

    if (buf_read_file(&text, path, NULL) < 0)
        return false;
    signer.key = ssh_rsa_read(buf_text(&text), text.length);
    if (text.data)
        explicit_bzero(text.data, text.room);
    in = signer.key && ssh_rsa_put_blob(signer.key, ALGORITHM, &blob) == 0 &&
         log_in(session, user, &blob, &signer);
    EVP_PKEY_free(signer.key);
    return in;
}

bool ssh_rsa_by_agent(LIBSSH2_SESSION *session, const char *user, const char *socket,
                      const void *blob, size_t length)
{
    own_buf struct buf renamed = BUF_INIT(0);
    struct signer signer = { .agent = socket, .blob = blob, .blob_length = length };

    if (!ssh_rsa_is(blob, length))
        return false;
    put_string(&renamed, ALGORITHM, strlen(ALGORITHM));
    buf_put(&renamed, (const char *)blob + sizeof head, length - sizeof head);
    return log_in(session, user, &renamed, &signer);
}
