/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - a broker's answer to a sync, checked and taken apart.  Pure. */
#ifndef AGENT_ANSWER_H
#define AGENT_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/* The lists are borrowed from `root`; each may be NULL. */
struct answer {
    json_t *root;
    const char *epoch;
    int64_t seq;
    const json_t *leases, *cancel, *settled;
    bool drain, exit;
};

int answer_parse(const char *text, size_t length, struct answer *out, struct err *err);
void answer_free(struct answer *answer);
#define own_answer own(answer_free)

#endif
