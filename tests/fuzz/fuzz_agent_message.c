/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_agent_message.c - libFuzzer: the reports in an agent's sync, up to what the store is given.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/own.h"
#include "reports.h"
#include "spillway/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Some outputs were uploaded, some not. */
bool store_blob_owned(struct store *store, const char *owner, const char *sha256)
{
    (void)store;
    (void)owner;
    return sha256[0] < '8';
}

/* reports_commit() hands them on; it is not what is tested here. */
void store_report_async(struct store *store, int64_t worker, struct report *reports, size_t count,
                        store_judge *judge, void *arg, store_done *done, void *done_arg)
{
    (void)store;
    (void)worker;
    (void)judge;
    (void)arg;
    (void)done;
    (void)done_arg;
    for (size_t i = 0; i < count; i++) {
        const struct report *report = &reports[i];

        if (report->attempt < 1 || report->output_count > WIRE_OUTPUTS_MOST)
            abort();
        for (size_t j = 0; j < report->output_count; j++)
            if (!report->outputs[j].path || !report->outputs[j].sha256 ||
                report->outputs[j].size < 0)
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    own_json json_t *body = json_parse((const char *)data, size, NULL);
    struct reports *reports = NULL;
    struct err err = ERR_INIT;

    if (!json_is_object(body))
        return 0;
    if (reports_parse(body, &reports, &err) < 0) {
        if (err.fault != FAULT_INVALID || !err.text[0])
            abort();
        return 0;
    }
    if (reports_count(reports) > WIRE_REPORTS_MOST)
        abort();
    if (reports)
        reports_commit(reports, NULL, 1, NULL, NULL, NULL, NULL);
    reports_free(reports);
    return 0;
}
