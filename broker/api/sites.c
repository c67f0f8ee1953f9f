/* SPDX-License-Identifier: Apache-2.0 */
/* sites.c - what sites there are, and the operator's switches. */
#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "base/json.h"
#include "base/log.h"

int api_sites_list(struct request *request, struct err *err)
{
    (void)err;
    return reply_json(request, 200, json_pack("{s:o}", "sites", broker_sites(request->broker)));
}

int api_site_show(struct request *request, struct err *err)
{
    json_t *site = NULL;

    if (broker_site_show(request->broker, request->params[0], &site, err) < 0)
        return -1;
    return reply_json(request, 200, site);
}

static int set_mode(struct request *request, const char *mode, struct err *err)
{
    if (broker_site_mode(request->broker, request->params[0], mode, err) < 0)
        return -1;
    log_info("site=\"%s\" mode=%s by=\"%s\"", request->params[0], mode, request->caller->user);
    return reply_json(request, 200,
                      json_pack("{s:s, s:s}", "name", request->params[0], "mode", mode));
}

int api_site_enable(struct request *request, struct err *err)
{
    return set_mode(request, "enabled", err);
}

int api_site_disable(struct request *request, struct err *err)
{
    return set_mode(request, "disabled", err);
}

int api_site_drain(struct request *request, struct err *err)
{
    return set_mode(request, "draining", err);
}

int api_site_probe(struct request *request, struct err *err)
{
    json_t *answer = NULL;

    if (broker_site_probe(request->broker, request->params[0], &answer, err) < 0)
        return -1;
    return reply_json(request, 200, answer);
}

int api_site_audit(struct request *request, struct err *err)
{
    own_json json_t *body = request_json(request, err);
    json_t *answer = NULL;
    bool reap = false;

    if (!body || json_opt_bool(body, "reap", &reap, err) < 0 ||
        broker_site_audit(request->broker, request->params[0], reap, &answer, err) < 0)
        return -1;
    if (reap)
        log_info("site=\"%s\" reaped by=\"%s\"", request->params[0], request->caller->user);
    return reply_json(request, 200, answer);
}
