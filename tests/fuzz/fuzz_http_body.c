/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_http_body.c - libFuzzer: what strangers send to the API, up to the rows for the store.
 *
 * The first byte picks the reader: a body of POST /v1/jobs, a path or query value, a Range, an id.
 */
#include <stddef.h>
#include <stdint.h>

#include "api/decode.h"
#include "api/router.h"
#include "api/submit.h"
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEPTH_MOST 64

static struct policy *policy;
static struct caller *caller;

static void set_up(void)
{
    static const char *projects[] = { NULL };
    static const char conf_text[] = "sites: []\n";
    struct broker_conf conf = { .file = NULL };

    if (policy)
        return;
    if (broker_conf_parse(conf_text, sizeof conf_text - 1, "fuzz", &conf, NULL) < 0)
        abort();
    policy = policy_new(&conf);
    broker_conf_free(&conf);
    caller = xcalloc(1, sizeof *caller + 8);
    caller->role = ROLE_USER;
    caller->projects = projects;
    memcpy(caller->user, "alice", 6);
}

static void check_rows(const struct submit *submit)
{
    for (size_t i = 0; i < submit->count; i++) {
        const struct new_job *row = &submit->rows[i];

        if (!row->name || !row->project || !row->user || !row->class_key || !row->spec)
            abort();
        if (row->tasks < 1 || row->tasks > JOB_TASKS_MOST || (!row->array && row->tasks != 1))
            abort();
        if (!text_is_plain(row->name, strlen(row->name)))
            abort();
    }
}

static void submission(const char *text, size_t length)
{
    struct err err = ERR_INIT;
    struct submit submit;
    json_t *root, *errors = NULL;

    if (json_depth(text, length) > DEPTH_MOST || !(root = json_parse(text, length, &err)))
        return;
    if (!json_is_object(root)) {
        json_decref(root);
        return;
    }
    if (submit_read(root, policy, caller, &submit, &errors, &err) == 0)
        check_rows(&submit);
    else if (err.fault != FAULT_INVALID || !err.text[0])
        abort();
    json_decref(errors);
    submit_free(&submit);
}

static void url(const char *text, size_t length)
{
    char out[256];

    if (url_decode(text, length, out, sizeof out, NULL) == 0 && !text_is_plain(out, strlen(out)))
        abort();
}

static void range(const char *text)
{
    int64_t first = -1, count = -1;

    if (range_parse(text, 1000, &first, &count, NULL) == 0 &&
        (first < 0 || count < 1 || first + count > 1000))
        abort();
}

static void id(const char *text)
{
    struct target target;

    if (target_parse(text, &target, NULL) == 0 && (target.job < 1 || target.index < -1))
        abort();
}

static void states(const char *text)
{
    static const char *const known[] = { "state", NULL };
    struct query query = { .count = 0 };
    unsigned bits = 0;

    if (query_add(&query, known, "state", text, NULL) == 0)
        query_states(&query, "state", &bits, NULL);
    if (bits >> TASK_STATE_COUNT)
        abort();
    query_free(&query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    own_str char *text = NULL;

    if (size < 1)
        return 0;
    set_up();
    text = xstrndup((const char *)data + 1, size - 1);
    switch (data[0] % 8) {
    case 0:
        url((const char *)data + 1, size - 1);
        break;
    case 1:
        range(text);
        break;
    case 2:
        id(text);
        break;
    case 3:
        states(text);
        break;
    default:
        submission((const char *)data + 1, size - 1);
    }
    return 0;
}
