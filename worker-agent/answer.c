/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - reading what a sync brought. */
#include "answer.h"

#include "base/json.h"
#include "inbox.h"
#include "spillway/wire.h"

void answer_free(struct answer *answer)
{
    json_decref(answer->root);
    *answer = (struct answer){ .root = NULL };
}

static int take(struct answer *answer, struct err *err)
{
    const json_t *root = answer->root;

    if (!json_is_object(root))
        return err_set(err, FAULT_INVALID, "the answer is not an object");
    if (json_get_str(root, "epoch", &answer->epoch, err) < 0 ||
        json_opt_i64(root, "seq", 0, INT64_MAX, &answer->seq, err) < 0 ||
        json_opt_array(root, "leases", &answer->leases, err) < 0 ||
        json_opt_array(root, "cancel", &answer->cancel, err) < 0 ||
        json_opt_array(root, "settled", &answer->settled, err) < 0 ||
        json_opt_bool(root, "drain", &answer->drain, err) < 0 ||
        json_opt_bool(root, "exit", &answer->exit, err) < 0)
        return -1;
    if (strlen(answer->epoch) >= INBOX_EPOCH)
        return err_set(err, FAULT_INVALID, "epoch: too long");
    if (json_array_size(answer->leases) > WIRE_LEASES_MOST)
        return err_set(err, FAULT_INVALID, "leases: more than %d", WIRE_LEASES_MOST);
    return 0;
}

int answer_parse(const char *text, size_t length, struct answer *out, struct err *err)
{
    struct answer answer = { .root = json_parse(text, length, err), .epoch = "" };

    if (!answer.root || take(&answer, err) < 0) {
        answer_free(&answer);
        return err_wrap(err, "answer to a sync");
    }
    *out = answer;
    return 0;
}
