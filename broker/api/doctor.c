/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - checks of the record, copies of it, and pruning by rule. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"

#define REPORT_MOST ((size_t)1 << 20)

static int check(struct request *request, struct err *err)
{
    own_buf struct buf report = BUF_INIT(REPORT_MOST);
    json_t *findings;
    char *rest;

    if (store_check(request->api->store, &report, err) < 0)
        return -1;
    findings = json_array();
    for (rest = report.data; rest && *rest;) {
        const char *line = strsep(&rest, "\n");

        if (*line)
            json_array_append_new(findings, json_string(line));
    }
    log_info("record checked by=\"%s\" findings=%zu", request->caller->user,
             json_array_size(findings));
    return reply_json(request, 200, json_pack("{s:o}", "findings", findings));
}

static int backup(struct request *request, const char *path, struct err *err)
{
    struct stat copy;

    request_field(request, "/backup");
    if (path[0] != '/' || strlen(path) > 4000 || !text_is_plain(path, strlen(path)))
        return err_set(err, FAULT_INVALID, "backup: an absolute path is needed");
    if (store_backup(request->api->store, path, err) < 0)
        return -1;
    if (stat(path, &copy) < 0)
        return err_sys(err, "%s", path);
    log_info("record copied to=\"%s\" by=\"%s\"", path, request->caller->user);
    return reply_json(request, 200,
                      json_pack("{s:s, s:I}", "backup", path, "bytes", (json_int_t)copy.st_size));
}

static int prune(struct request *request, struct err *err)
{
    struct policy *policy = api_policy(request->api);
    struct pruned pruned = { .jobs = 0 };
    int rc =
        store_prune(request->api->store, policy_retention(policy), clock_wall_ms(), &pruned, err);

    policy_unref(policy);
    if (rc < 0)
        return -1;
    return reply_json(request, 200,
                      json_pack("{s:{s:I, s:I, s:I, s:I, s:I}}", "pruned", "jobs",
                                (json_int_t)pruned.jobs, "logs", (json_int_t)pruned.logs, "blobs",
                                (json_int_t)pruned.blobs, "events", (json_int_t)pruned.events,
                                "bytes", (json_int_t)pruned.bytes));
}

int doctor_run(struct request *request, struct err *err)
{
    own_json json_t *body = request_json(request, err);
    bool do_check = false, do_prune = false;
    const char *path = NULL;

    if (!body || json_opt_bool(body, "check", &do_check, err) < 0 ||
        json_opt_bool(body, "prune", &do_prune, err) < 0 ||
        json_opt_str(body, "backup", &path, err) < 0)
        return -1;
    if (do_check + do_prune + (path != NULL) != 1 || json_object_size(body) != 1)
        return err_set(err, FAULT_INVALID,
                       "one of {\"check\": true}, {\"backup\": \"/FILE\"}, {\"prune\": true}");
    if (path)
        return backup(request, path, err);
    return do_check ? check(request, err) : prune(request, err);
}
