/* SPDX-License-Identifier: Apache-2.0 */
/* carry.h - a large body from a file or a URL to one PUT, hashed on its way, never whole in memory.
 *
 * The last byte is held back until all others have come and the sum is what it must be: the other side
 * never has a whole body that is not the one that was meant.  One thread each; redirects of the source
 * are followed, those of the PUT are not. */
#ifndef SPILLWAY_NET_CARRY_H
#define SPILLWAY_NET_CARRY_H

#include "net/hash.h"
#include "net/http.h"

struct carry {
    const char *from;                   /* http:// or https://, or the path of a file */
    const char *sha256, *sha512;        /* what it must be, lower-case hex; NULL: not said */
    int64_t most;                       /* bytes */
    int64_t stall_ms;                   /* next to nothing moved for so long: given up */
    int64_t answer_ms;                  /* the PUT's answer, once all was sent */
    const char *url;                    /* of the PUT */
    const char *const *headers;         /* its own, NULL-terminated */
    const struct http_options *options; /* of the PUT: whom it trusts */
    /* Asked several times a second; `size` < 0: not known.  False: give up. */
    bool (*go_on)(void *arg, int64_t done, int64_t size);
    void *arg;

    /* What came of it, once the PUT was answered: */
    int64_t bytes;
    char is_sha256[DIGEST_HEX], is_sha512[DIGEST_HEX];
    struct http_answer answer;
};

/* 0: the PUT was answered, whatever the status.  -1: FAULT_INVALID (another sum than was said, too
 * large, no such file), FAULT_TIMEOUT, FAULT_UNAVAILABLE; FAULT_CONFLICT: go_on() said no. */
int carry_run(struct carry *carry, int64_t deadline_mono_ms, struct err *err);
void carry_fini(struct carry *carry);

#endif
