/* SPDX-License-Identifier: Apache-2.0 */
/* blobs.c - a user's uploads.
 *
 * Private to their owner: a hash is no proof of having the content, so only what the caller has
 * sent in full herself counts as hers. */
#include <inttypes.h>

#include "api/files.h"
#include "api/handlers.h"
#include "api/server.h"

static int open_once(struct request *request, struct err *err)
{
    struct policy *policy;
    int64_t most;

    if (request->state)
        return 0;
    policy = api_policy(request->api);
    most = policy_upload_most(policy);
    policy_unref(policy);
    return incoming_open(request, request->caller->user, request->params[0], most, err);
}

int blob_sink(struct request *request, const void *data, size_t length, struct err *err)
{
    return open_once(request, err) < 0 ? -1 : incoming_put(request, data, length, err);
}

int blob_put(struct request *request, struct err *err)
{
    return open_once(request, err) < 0 ? -1 : incoming_end(request, err);
}

int blob_head(struct request *request, struct err *err)
{
    struct upload upload = { .owner = request->caller->user, .sha256 = request->params[0] };
    int64_t here = 0;

    if (!sha256_is_hex(upload.sha256))
        return request_bad(request, err, "sha256: 64 lower-case hex digits are needed");
    if (store_blob_owned(request->api->store, upload.owner, upload.sha256))
        return reply_body(request, 200, NULL);
    if (store_upload_offset(request->api->store, &upload, &here, err) < 0)
        return -1;
    reply_header(request, "Upload-Offset", "%" PRId64, here);
    return reply_body(request, 404, NULL);
}
