/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - `spillway doctor`: is all well, from here to the broker's database?  Repairs nothing.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"

#define CHECK_TIMEOUT_MS 3600000 /* a large database is read whole */

static const struct option options[] = {
    { "check", 0, NULL,
      "check the broker's database and files too (the default for administrators)",
      COMPLETES_NOTHING },
    { "backup", 0, "FILE", "have the broker write a consistent copy of its database to FILE, there",
      COMPLETES_FILE },
    { "prune", 0, NULL, "have the broker remove what its `retention:` rules say, now",
      COMPLETES_NOTHING },
    { NULL, 0, NULL, NULL, COMPLETES_NOTHING },
};

/* What was looked at, and what was found. */
struct report {
    struct cli *cli;
    json_t *list;
    bool bad;
};

static void note(struct report *report, const char *what, bool good, const char *words)
{
    json_array_append_new(report->list,
                          json_pack("{s:s, s:b, s:s}", "check", what, "ok", good, "text", words));
    report->bad = report->bad || !good;
    if (!report->cli->json) {
        enum style style = good ? STYLE_GOOD : STYLE_BAD;
        own_str char *safe = safe_text(words);

        printf("%s%-4s%s %s: %s\n", style_begin(&report->cli->term, style), good ? "ok" : "BAD",
               style_end(&report->cli->term, style), what, safe);
        fflush(stdout);
    }
}

static void check_socket(struct report *report, const struct endpoint *endpoint)
{
    own_buf struct buf words = BUF_INIT(0);
    struct stat st;

    endpoint_put(endpoint, &words);
    if (!endpoint->socket) {
        note(report, "address", true, buf_text(&words));
        return;
    }
    if (stat(endpoint->socket, &st) < 0)
        buf_printf(&words, ": %s; start `spillwayd`, or set SPILLWAY_URL to where it listens",
                   strerror(errno));
    else if (!S_ISSOCK(st.st_mode))
        buf_puts(&words, ": this is no socket; remove it, and start `spillwayd`");
    else if (access(endpoint->socket, W_OK) < 0)
        buf_printf(&words, ": %s; your user needs to be allowed to write to it", strerror(errno));
    else {
        note(report, "address", true, buf_text(&words));
        return;
    }
    note(report, "address", false, buf_text(&words));
}

/* Whether it answers, and in our version. */
static bool check_broker(struct report *report, struct err *err)
{
    own_json json_t *answer = NULL;
    own_str char *words = NULL;
    const char *version;

    if (cli_get(report->cli, &answer, err, "/v1/version") < 0) {
        note(report, "broker", false, err->text);
        return false;
    }
    version = field_text(answer, "version");
    words = strcmp(version, SPILLWAY_VERSION) == 0
                ? xasprintf("answers, version %s", version)
                : xasprintf("answers, version %s; this program is version " SPILLWAY_VERSION
                            ", bring both to the same",
                            version);
    note(report, "broker", strcmp(version, SPILLWAY_VERSION) == 0, words);
    return true;
}

static bool check_ready(struct report *report)
{
    own_reply struct reply reply = REPLY_INIT;
    struct err fault = ERR_INIT;
    bool ready =
        client_call(report->cli->client, &(struct call){ .path = "/readyz" }, &reply, &fault) == 0;

    note(report, "ready", ready, ready ? "takes jobs" : fault.text);
    return ready;
}

static void check_identity(struct report *report)
{
    own_json json_t *answer = NULL;
    struct err fault = ERR_INIT;
    bool known = cli_get(report->cli, &answer, &fault, "/v1/jobs?limit=1") == 0;

    note(report, "identity", known, known ? "you may list jobs" : fault.text);
}

/* What is left at sites that nobody looks after. */
static void check_sites(struct report *report)
{
    own_json json_t *answer = NULL;
    struct err fault = ERR_INIT;
    const json_t *site;
    size_t i;

    if (cli_get(report->cli, &answer, &fault, "/v1/sites") < 0)
        return; /* what keeps it from being read was told */
    json_array_foreach(json_object_get(answer, "sites"), i, site)
    {
        const char *health = field_text(site, "health");
        own_str char *what = xasprintf("site %s", field_text(site, "name"));

        if (strcmp(health, "broken") == 0 || strcmp(health, "removed") == 0)
            note(report, what, false, field_text(site, "detail"));
    }
}

static int ask(struct cli *cli, json_t *body, json_t **answer, struct err *err)
{
    own_str char *text = json_dumps(body, JSON_COMPACT);
    struct client *client;
    struct call call = {
        .method = "POST", .path = "/v1/doctor", .body = text, .timeout_ms = CHECK_TIMEOUT_MS
    };

    json_decref(body);
    call.body_length = strlen(text);
    if (cli_client(cli, &client, err) < 0)
        return -1;
    return client_json(client, &call, answer, err);
}

static int check_store(struct report *report, bool asked, struct err *err)
{
    own_json json_t *answer = NULL;
    struct err fault = ERR_INIT;
    const json_t *findings;
    size_t i;
    json_t *one;

    progress(&report->cli->term, "the broker checks its database");
    if (ask(report->cli, json_pack("{s:b}", "check", 1), &answer, &fault) < 0) {
        progress_end(&report->cli->term);
        if (fault.fault == FAULT_AUTH && !asked)
            return 0; /* for administrators; the rest was of use to anyone */
        *err = fault;
        return -1;
    }
    progress_end(&report->cli->term);
    findings = json_object_get(answer, "findings");
    if (json_array_size(findings) == 0)
        note(report, "database", true, "whole; its counters and files agree");
    json_array_foreach(findings, i, one)
    {
        note(report, "database", false,
             json_is_string(one) ? json_string_value(one) : field_text(one, "text"));
    }
    return 0;
}

static int run_check(struct cli *cli, bool asked, struct err *err)
{
    own_json json_t *list = json_array();
    struct report report = { .cli = cli, .list = list };
    struct client *client;
    int code = EXIT_OK;

    if (cli_client(cli, &client, err) < 0)
        return -1;
    check_socket(&report, client_endpoint(client));
    if (!check_broker(&report, err)) {
        code = exit_code_of(err, client_unreachable(client));
    } else {
        check_identity(&report);
        check_sites(&report);
        if (check_ready(&report) && check_store(&report, asked, err) < 0)
            return -1;
        code = report.bad ? EXIT_NO : EXIT_OK;
    }
    if (cli->json)
        print_json(list);
    return code;
}

static int run_backup(struct cli *cli, const char *file, struct err *err)
{
    own_str char *here = NULL, *path = NULL;
    own_json json_t *answer = NULL;
    char size[SHORT_BYTES];

    if (file[0] != '/' && !(here = getcwd(NULL, 0)))
        return err_sys(err, "the working directory");
    path = here ? xasprintf("%s/%s", here, file) : xstrdup(file);
    if (ask(cli, json_pack("{s:s}", "backup", path), &answer, err) < 0)
        return err_wrap(err, "backup");
    if (cli->json)
        print_json(answer);
    else
        printf("%s: %s\n", path, short_bytes(field_int(answer, "bytes"), size, sizeof size));
    return EXIT_OK;
}

static int run_prune(struct cli *cli, struct err *err)
{
    own_json json_t *answer = NULL;
    const char *key;
    json_t *value;

    if (ask(cli, json_pack("{s:b}", "prune", 1), &answer, err) < 0)
        return -1;
    if (cli->json) {
        print_json(answer);
        return EXIT_OK;
    }
    json_object_foreach(json_object_get(answer, "pruned"), key, value)
    {
        own_str char *name = safe_text(key);

        printf("%-8s %lld removed\n", name, (long long)json_integer_value(value));
    }
    return EXIT_OK;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    if (args_has(args, "backup"))
        return run_backup(cli, args_get(args, "backup"), err);
    if (args_has(args, "prune"))
        return run_prune(cli, err);
    return run_check(cli, args_has(args, "check"), err);
}

const struct command command_doctor = {
    .name = "doctor",
    .help = "is all well?  Also backup, and pruning by rule",
    .synopsis = "[--check | --backup FILE | --prune]",
    .text = "Checks the way to the broker, its version, that it takes jobs, its sites, and, for "
            "administrators, "
            "its database and files.  Says what to do about what it finds; repairs nothing.",
    .options = options,
    .example = "spillway doctor\n"
               "spillway doctor --backup /var/backups/spillway.db",
    .exits = "0 all is well, 1 something was found, 4 you are no administrator, 6 no broker",
    .run = run,
};
