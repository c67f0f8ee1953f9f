/* SPDX-License-Identifier: Apache-2.0 */
/* broker.c - the configuration file, from defaults upwards. */
#include "conf/broker.h"

#include <pwd.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/own.h"
#include "base/parse.h"
#include "conf/job_parts.h"
#include "conf/report.h"
#include "conf/site_parts.h"

#define DAY_MS     INT64_C(86400000)
#define CENTURY_MS (100.0 * 366 * 86400000)
#define MIB        1048576.0
#define PIB        1125899906842624.0
#define RULES_MOST 10000
#define TASKS_MOST 1e9

/* ---- small readers
 * ----------------------------------------------------------------------------------- */

/* "30d", or "forever", which is 0. */
static void read_age(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    if (json_is_string(value) && strcmp(json_string_value(value), "forever") == 0)
        *(int64_t *)slot = 0;
    else
        read_span(r, field, value, slot);
}

static void read_socket_mode(struct reader *r, const struct field *field, const json_t *value,
                             void *slot)
{
    const char *text = json_string_value(value);

    (void)field;
    if (!text || strlen(text) < 3 || strlen(text) > 4 || strspn(text, "01234567") != strlen(text) ||
        strtol(text, NULL, 8) > 0777)
        reader_problem(r, "write it as \"0660\", in quotes", "must be permission bits in octal");
    else
        *(int *)slot = (int)strtol(text, NULL, 8);
}

/* "127.0.0.1:7455", "[::]:7455", "broker.lab.example:7455". */
static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');

    return colon && colon > text && parse_i64(colon + 1, 1, 65535, &(int64_t){ 0 }, NULL) == 0 &&
           (text[0] == '[' ? colon[-1] == ']'
                           : memchr(text, ':', (size_t)(colon - text)) == NULL) &&
           !strchr(text, ' ');
}

static bool is_smtp_url(const char *text)
{
    return (strncasecmp(text, "smtp://", 7) == 0 && text[7]) ||
           (strncasecmp(text, "smtps://", 8) == 0 && text[8]);
}

/* A level below `broker:`; its table writes into the same struct. */
#define LEVEL_READER(function, level)                                                      \
    static void function(struct reader *r, const struct field *field, const json_t *value, \
                         void *slot)                                                       \
    {                                                                                      \
        (void)field;                                                                       \
        read_level(r, &(level), value, slot);                                              \
    }

#define PROJECT_NAME \
    .most = 64, .good = is_site_name, .want = "a name (letters, digits, '.', '_', '-')"

/* ---- broker:
 * ----------------------------------------------------------------------------------------- */

static const char *const log_words[] = { "error", "warn", "info", "debug", NULL };

static const struct field tls_fields[] = {
    FIELD("certificate", read_text, struct broker_conf, tls_cert),
    FIELD("key", read_text, struct broker_conf, tls_key),
    { 0 },
};
static const struct level tls_level = { "broker.tls", tls_fields, NULL };
LEVEL_READER(read_tls, tls_level)

static const struct field retention_fields[] = {
    FIELD("jobs", read_age, struct broker_conf, retention.jobs_ms, .least = 60000),
    FIELD("logs", read_age, struct broker_conf, retention.logs_ms, .least = 60000),
    FIELD("blobs", read_age, struct broker_conf, retention.blobs_ms, .least = 60000),
    FIELD("events", read_age, struct broker_conf, retention.events_ms, .least = 60000),
    { 0 },
};
static const struct level retention_level = { "broker.retention", retention_fields, NULL };
LEVEL_READER(read_retention, retention_level)

static const struct field default_retries_fields[] = {
    FIELD("infra", read_int, struct broker_conf, retries_infra, BETWEEN(0, 1000)),
    FIELD("preempt", read_int, struct broker_conf, retries_preempt, BETWEEN(0, 1000)),
    FIELD("backoff", read_span, struct broker_conf, backoff_ms, BETWEEN(0, 86400000)),
    { 0 },
};
static const struct level default_retries_level = { "broker.defaults.retries",
                                                    default_retries_fields, NULL };
LEVEL_READER(read_default_retries, default_retries_level)

static const struct field defaults_fields[] = {
    FIELD("project", read_text, struct broker_conf, project, PROJECT_NAME),
    FIELD("image", read_text, struct broker_conf, image, .most = 255),
    FIELD("walltime", read_span, struct broker_conf, walltime_ms, .least = 1000),
    FIELD_SELF("retries", read_default_retries),
    { 0 },
};
static const struct level defaults_level = { "broker.defaults", defaults_fields, NULL };
LEVEL_READER(read_defaults, defaults_level)

static const struct field lease_fields[] = {
    FIELD("ttl", read_span, struct broker_conf, lease_ttl_ms, BETWEEN(1000, 7 * 86400000.0)),
    FIELD("heartbeat", read_span, struct broker_conf, heartbeat_ms, BETWEEN(100, 3600000)),
    FIELD("orphan_timeout", read_span, struct broker_conf, orphan_ms,
          BETWEEN(1000, 365 * 86400000.0)),
    { 0 },
};
static const struct level lease_level = { "broker.lease", lease_fields, NULL };
LEVEL_READER(read_lease, lease_level)

static const struct field bounds_fields[] = {
    FIELD("log", read_bytes, struct broker_conf, log_most, BETWEEN(4096, PIB)),
    FIELD("output", read_bytes, struct broker_conf, output_most, BETWEEN(MIB, PIB)),
    FIELD("upload", read_bytes, struct broker_conf, upload_most, BETWEEN(MIB, PIB)),
    FIELD("open_tasks", read_i64, struct broker_conf, open_tasks_most, BETWEEN(1, TASKS_MOST)),
    { 0 },
};
static const struct level bounds_level = { "broker.bounds", bounds_fields, NULL };
LEVEL_READER(read_bounds, bounds_level)

static const struct field http_fields[] = {
    FIELD("threads", read_int, struct broker_conf, http.threads, BETWEEN(1, 256)),
    FIELD("connections", read_int, struct broker_conf, http.connections, BETWEEN(8, 100000)),
    FIELD("connections_each", read_int, struct broker_conf, http.connections_each,
          BETWEEN(1, 100000)),
    FIELD("body", read_bytes, struct broker_conf, http.body_most, BETWEEN(MIB, 1024 * MIB)),
    FIELD("idle", read_span, struct broker_conf, http.idle_ms, BETWEEN(1000, 3600000)),
    FIELD("requests_per_second", read_double, struct broker_conf, http.requests_per_second,
          BETWEEN(0, 1e6)),
    { 0 },
};
static const struct level http_level = { "broker.http", http_fields, NULL };
LEVEL_READER(read_http, http_level)

static const struct field share_fields[] = {
    FIELD("half_life", read_span, struct broker_conf, half_life_ms,
          BETWEEN(60000, 3650 * 86400000.0)),
    FIELD("reserve_after", read_span, struct broker_conf, reserve_after_ms,
          BETWEEN(0, 365 * 86400000.0)),
    { 0 },
};
static const struct level share_level = { "broker.fair_share", share_fields, NULL };
LEVEL_READER(read_share, share_level)

static const struct field alarm_fields[] = {
    FIELD("smtp", read_text, struct broker_conf, notify.smtp, .good = is_smtp_url,
          .want = "an smtp:// or smtps:// URL"),
    FIELD("user", read_text, struct broker_conf, notify.user, .most = 254),
    FIELD("password_file", read_text, struct broker_conf, notify.password_file),
    FIELD("from", read_text, struct broker_conf, notify.from, .most = 254),
    FIELD("sendmail", read_text, struct broker_conf, notify.sendmail),
    FIELD("secret_file", read_text, struct broker_conf, notify.secret_file),
    FIELD("webhook", read_text, struct broker_conf, notify.webhook, .most = 2048,
          .good = conf_is_url, .want = "an https:// URL"),
    FIELD("mail", read_text, struct broker_conf, notify.mail, .most = 254),
    FIELD("most_per_hour", read_i64, struct broker_conf, notify.most_per_hour, BETWEEN(1, 1000000)),
    { 0 },
};
static const struct level alarm_level = { "broker.notify", alarm_fields, NULL };
LEVEL_READER(read_alarm, alarm_level)

static const struct field broker_fields[] = {
    FIELD("state", read_text, struct broker_conf, state),
    FIELD("listen", read_text, struct broker_conf, listen, .most = 300, .good = is_address,
          .want = "ADDRESS:PORT, such as 0.0.0.0:7455"),
    FIELD("url", read_text, struct broker_conf, url, .most = 2048, .good = conf_is_url,
          .want = "an https:// URL"),
    FIELD("socket", read_text, struct broker_conf, socket,
          .most = 100), /* of 107 in a sockaddr_un */
    FIELD("socket_mode", read_socket_mode, struct broker_conf, socket_mode),
    FIELD("log", read_word, struct broker_conf, log_level, .words = log_words),
    FIELD_SELF("tls", read_tls),
    FIELD_SELF("retention", read_retention),
    FIELD_SELF("defaults", read_defaults),
    FIELD_SELF("lease", read_lease),
    FIELD_SELF("bounds", read_bounds),
    FIELD_SELF("http", read_http),
    FIELD_SELF("fair_share", read_share),
    FIELD_SELF("notify", read_alarm),
    { 0 },
};
static const struct level broker_level = { "broker", broker_fields, NULL };
LEVEL_READER(read_broker, broker_level)

/* ---- projects:, users:, limits:
 * ---------------------------------------------------------------------- */

static const char *const phase_words[] = { "test", "pre-production", "production", NULL };

static const struct field project_fields[] = {
    FIELD("weight", read_double, struct project_rule, weight, BETWEEN(0.001, 1e6)),
    FIELD("max_workers", read_i64, struct project_rule, max_workers, BETWEEN(0, 1e6)),
    FIELD("max_tasks", read_i64, struct project_rule, max_tasks, BETWEEN(0, TASKS_MOST)),
    FIELD("max_cost", read_double, struct project_rule, max_money, BETWEEN(0, 1e12)),
    FIELD("cost_period", read_span, struct project_rule, money_ms, .least = 3600000),
    FIELD("overflow", read_bool, struct project_rule, may_overflow),
    FIELD("tier", read_word, struct project_rule, tier, .words = tier_words),
    FIELD("phase", read_word, struct project_rule, phase, .words = phase_words),
    FIELD("sites", read_texts, struct project_rule, sites, PROJECT_NAME),
    FIELD("users", read_texts, struct project_rule, users, .most = 64),
    { 0 },
};
static const struct level project_level = { "projects", project_fields, NULL };

static const char *const role_words[] = { "user", "operator", "admin", NULL };

static void read_role(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct user_rule *rule = slot;
    int role = 0;

    read_word(r, field, value, &role);
    rule->is_operator = role == 1;
    rule->is_admin = role == 2;
}

static const struct field user_fields[] = {
    FIELD("weight", read_double, struct user_rule, weight, BETWEEN(0.001, 1e6)),
    FIELD("project", read_text, struct user_rule, project, PROJECT_NAME),
    FIELD("max_tasks", read_i64, struct user_rule, max_tasks, BETWEEN(0, TASKS_MOST)),
    FIELD("max_open", read_i64, struct user_rule, max_open, BETWEEN(0, TASKS_MOST)),
    FIELD_SELF("role", read_role, .words = role_words),
    { 0 },
};
static const struct level user_level = { "users", user_fields, NULL };

/* A rule's name: a project's or user's, or "*" for all that have no rule of their own. */
static char *rule_name(struct reader *r, const char *name)
{
    if (strcmp(name, "*") != 0 && !is_site_name(name))
        reader_problem_key(r, "use letters, digits, '.', '_' and '-'", "'%.64s' is no name", name);
    return xstrdup(name);
}

static size_t rule_count(struct reader *r, const json_t *value)
{
    if (!json_is_object(value))
        reader_problem_type(r, "a mapping of names to rules", value);
    else if (json_object_size(value) > RULES_MOST)
        reader_problem(r, NULL, "has more than %d entries", RULES_MOST);
    else
        return json_object_size(value);
    return 0;
}

static void read_projects(struct reader *r, const struct field *field, const json_t *value,
                          void *slot)
{
    json_t *object = (json_t *)(uintptr_t)value;
    struct broker_conf *conf = slot;
    size_t count = rule_count(r, value);

    (void)field;
    conf->projects = count ? xcalloc(count, sizeof *conf->projects) : NULL;
    for (void *at = count ? json_object_iter(object) : NULL; at;
         at = json_object_iter_next(object, at)) {
        struct project_rule *rule = &conf->projects[conf->project_count++];

        *rule = (struct project_rule){ .weight = 1,
                                       .max_workers = -1,
                                       .max_tasks = -1,
                                       .max_money = -1,
                                       .money_ms = 30 * DAY_MS,
                                       .may_overflow = true,
                                       .tier = TIER_COMMERCIAL,
                                       .phase = PHASE_PRODUCTION };
        reader_enter(r, json_object_iter_key(at));
        rule->name = rule_name(r, json_object_iter_key(at));
        read_level(r, &project_level, json_object_iter_value(at), rule);
        reader_leave(r);
    }
}

static void read_users(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    json_t *object = (json_t *)(uintptr_t)value;
    struct broker_conf *conf = slot;
    size_t count = rule_count(r, value);

    (void)field;
    conf->users = count ? xcalloc(count, sizeof *conf->users) : NULL;
    for (void *at = count ? json_object_iter(object) : NULL; at;
         at = json_object_iter_next(object, at)) {
        struct user_rule *rule = &conf->users[conf->user_count++];

        *rule = (struct user_rule){ .weight = 1, .max_tasks = -1, .max_open = -1 };
        reader_enter(r, json_object_iter_key(at));
        rule->name = rule_name(r, json_object_iter_key(at));
        read_level(r, &user_level, json_object_iter_value(at), rule);
        reader_leave(r);
    }
}

static void read_named_limits(struct reader *r, const struct field *field, const json_t *value,
                              void *slot)
{
    json_t *object = (json_t *)(uintptr_t)value;
    struct broker_conf *conf = slot;
    size_t count = rule_count(r, value);

    conf->limits = count ? xcalloc(count, sizeof *conf->limits) : NULL;
    for (void *at = count ? json_object_iter(object) : NULL; at;
         at = json_object_iter_next(object, at)) {
        struct named_limit *limit = &conf->limits[conf->limit_count++];

        reader_enter(r, json_object_iter_key(at));
        limit->name = rule_name(r, json_object_iter_key(at));
        read_i64(r, field, json_object_iter_value(at), &limit->most);
        reader_leave(r);
    }
}

/* ---- sites:
 * ------------------------------------------------------------------------------------------ */

static void add_warnings(struct broker_conf *conf, const char *lines)
{
    size_t count = strings_count(conf->warnings);

    while (*lines) {
        size_t length = strcspn(lines, "\n");

        conf->warnings = xrealloc(conf->warnings, (count + 2) * sizeof *conf->warnings);
        conf->warnings[count++] = xstrndup(lines, length);
        conf->warnings[count] = NULL;
        lines += length + (lines[length] == '\n');
    }
}

/* A broken site keeps its name, or gets one by its place, so that it can be shown. */
static void spoil(struct broker_conf *conf, struct site_conf *site, const struct problems *problems,
                  bool nameless)
{
    own_buf struct buf text = BUF_INIT(0);

    problems_text(problems, site->doc, site->file, &text);
    add_warnings(conf, buf_text(&text));
    site->fault = buf_take(&text);
    site->enabled = false;
    if (!nameless)
        return;
    free(site->name);
    site->name = xasprintf("sites[%zu]", site->index);
}

static void read_site(struct reader *r, const json_t *value, size_t index, struct broker_conf *conf)
{
    struct problems problems = { 0 };
    struct reader own_reader = *r;
    struct site_conf *site = &conf->sites[index];
    bool nameless;

    own_reader.problems = &problems; /* kept apart: they spoil this site alone */
    own_reader.found = 0;
    reader_enter_at(&own_reader, index);
    site_conf_read(&own_reader, value, site);
    site->doc = &conf->docs->list[0];
    site->file = conf->file;
    site->index = index;
    nameless = !is_site_name(site->name);
    for (size_t i = 0; i < index && !nameless; i++) {
        if (strcmp(conf->sites[i].name, site->name) != 0)
            continue;
        reader_enter(&own_reader, "name");
        reader_problem(&own_reader, "give each site a name of its own",
                       "'%.64s' is also the name of sites[%zu]", site->name, i);
        reader_leave(&own_reader);
        nameless = true;
    }
    if (own_reader.found)
        spoil(conf, site, &problems, nameless);
    problems_free(&problems);
}

static void read_sites(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct broker_conf *conf = slot;
    size_t count = json_array_size(value);

    (void)field;
    if (!json_is_array(value)) {
        reader_problem_type(r, "a list of sites", value);
        return;
    }
    if (count > SITES_MOST) {
        reader_problem(r, NULL, "has more than %d sites", SITES_MOST);
        return;
    }
    conf->sites = xcalloc(count + 1, sizeof *conf->sites);
    conf->site_count = count;
    for (size_t i = 0; i < count; i++)
        read_site(r, json_array_get(value, i), i, conf);
}

static const struct field top_fields[] = {
    FIELD_SELF("broker", read_broker),
    FIELD_SELF("limits", read_named_limits, BETWEEN(0, 1000000)),
    FIELD_SELF("projects", read_projects),
    FIELD_SELF("users", read_users),
    FIELD_SELF("sites", read_sites),
    { 0 },
};
static const struct level top_level = { "", top_fields, &broker_level };

/* ---- the whole
 * --------------------------------------------------------------------------------------- */

static char *default_state(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    struct passwd entry, *found = NULL;
    char room[4096];

    if (state && state[0] == '/')
        return xasprintf("%s/spillway", state);
    if ((!home || home[0] != '/') &&
        getpwuid_r(geteuid(), &entry, room, sizeof room, &found) == 0 && found)
        home = found->pw_dir;
    return xasprintf("%s/.local/state/spillway", home && home[0] == '/' ? home : "");
}

static void set_defaults(struct broker_conf *conf)
{
    *conf = (struct broker_conf){
        .state = default_state(),
        .project = xstrdup("default"),
        .socket_mode = 0660,
        .log_level = LOG_LEVEL_INFO,
        .retention = { .jobs_ms = 90 * DAY_MS,
                       .logs_ms = 30 * DAY_MS,
                       .blobs_ms = 30 * DAY_MS,
                       .events_ms = 90 * DAY_MS },
        .retries_infra = 10,
        .retries_preempt = 50,
        .backoff_ms = 10000,
        .lease_ttl_ms = 120000,
        .heartbeat_ms = 10000,
        .orphan_ms = 6 * 3600000,
        .log_most = (int64_t)64 << 20,
        .output_most = (int64_t)100 << 30,
        .upload_most = (int64_t)100 << 30,
        .open_tasks_most = 20 * (int64_t)JOB_TASKS_MOST,
        .http = { .threads = 4,
                  .connections = 2000,
                  .connections_each = 500,
                  .body_most = (int64_t)64 << 20,
                  .idle_ms = 60000 },
        .half_life_ms = 7 * DAY_MS,
        .reserve_after_ms = 3600000,
        .notify = { .most_per_hour = 60 },
    };
}

static void resolve(char **slot, const char *file)
{
    char *path = *slot ? conf_path(file, *slot) : NULL;

    free(*slot);
    *slot = path;
}

static void resolve_paths(struct broker_conf *conf)
{
    resolve(&conf->state, conf->file);
    resolve(&conf->socket, conf->file);
    resolve(&conf->tls_cert, conf->file);
    resolve(&conf->tls_key, conf->file);
    resolve(&conf->notify.password_file, conf->file);
    resolve(&conf->notify.secret_file, conf->file);
    resolve(&conf->notify.sendmail, conf->file);
}

/* What depends on several keys; the reader stands at the root. */
static void check_whole(struct reader *r, const struct broker_conf *conf)
{
    reader_enter(r, "broker");
    if (!conf->tls_cert != !conf->tls_key) {
        reader_enter(r, "tls");
        reader_problem(r, "give both, or none to have one made", "needs 'certificate' and 'key'");
        reader_leave(r);
    }
    if (conf->heartbeat_ms * 2 > conf->lease_ttl_ms) {
        reader_enter(r, "lease");
        reader_problem(r, "let the heartbeat be shorter, or the ttl longer",
                       "a lease of %lld ms must outlive two heartbeats of %lld ms",
                       (long long)conf->lease_ttl_ms, (long long)conf->heartbeat_ms);
        reader_leave(r);
    }
    reader_leave(r);
}

/* As many whole lines as the error holds, and how many more there are. */
static int refuse(struct err *err, const char *lines)
{
    const size_t most = ERR_TEXT_BYTES - 40;
    size_t end = strlen(lines), more = 0;

    while (end > most || (end < strlen(lines) && lines[end] != '\n')) {
        const char *back = memrchr(lines, '\n', end);

        if (!back)
            break;
        end = (size_t)(back - lines);
        more++;
    }
    if (more)
        return err_set(err, FAULT_INVALID, "%.*s\n(and %zu more)", (int)end, lines, more);
    return err_set(err, FAULT_INVALID, "%s", lines);
}

static int read_document(struct broker_conf *conf, struct err *err)
{
    struct problems problems = { 0 };
    struct reader r = { .problems = &problems };
    own_buf struct buf text = BUF_INIT(0);

    read_level(&r, &top_level, conf->docs->list[0].root, conf);
    check_whole(&r, conf);
    if (conf->docs->count > 1)
        problems_add(&problems, "", "put all into the first",
                     "has %zu documents, but a configuration is one", conf->docs->count);
    problems_text(&problems, &conf->docs->list[0], conf->file, &text);
    if (problems.count)
        refuse(err, buf_text(&text));
    problems_free(&problems);
    return text.length ? -1 : 0;
}

static void add_local(struct broker_conf *conf)
{
    conf->sites = xcalloc(1, sizeof *conf->sites);
    conf->site_count = 1;
    site_conf_init(&conf->sites[0], "local", "local");
}

int broker_conf_parse(const char *text, size_t length, const char *file, struct broker_conf *out,
                      struct err *err)
{
    struct broker_conf conf;
    struct err words = ERR_INIT;

    set_defaults(&conf);
    conf.file = xstrdup(file);
    conf.docs = xcalloc(1, sizeof *conf.docs);
    if (yaml_parse(text, length, conf.docs, &words) < 0) {
        err_set(err, words.fault, "%s:%s", file, words.text);
        broker_conf_free(&conf);
        return -1;
    }
    if (read_document(&conf, err) < 0) {
        broker_conf_free(&conf);
        return -1;
    }
    if (!conf.sites)
        add_local(&conf);
    resolve_paths(&conf);
    *out = conf;
    return 0;
}

int broker_conf_load(const char *path, struct broker_conf *out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(YAML_BYTES_MOST);

    if (!path) {
        set_defaults(out);
        add_local(out);
        return 0;
    }
    if (buf_read_file(&text, path, err) < 0)
        return -1;
    return broker_conf_parse(buf_text(&text), text.length, path, out, err);
}

static void free_rules(struct broker_conf *conf)
{
    for (size_t i = 0; i < conf->limit_count; i++)
        free(conf->limits[i].name);
    for (size_t i = 0; i < conf->project_count; i++) {
        free(conf->projects[i].name);
        strings_free(conf->projects[i].sites);
        strings_free(conf->projects[i].users);
    }
    for (size_t i = 0; i < conf->user_count; i++) {
        free(conf->users[i].name);
        free(conf->users[i].project);
    }
    free(conf->limits);
    free(conf->projects);
    free(conf->users);
}

void broker_conf_free(struct broker_conf *conf)
{
    char **const texts[] = {
        &conf->file,
        &conf->state,
        &conf->listen,
        &conf->url,
        &conf->tls_cert,
        &conf->tls_key,
        &conf->socket,
        &conf->project,
        &conf->image,
        &conf->notify.smtp,
        &conf->notify.user,
        &conf->notify.password_file,
        &conf->notify.from,
        &conf->notify.sendmail,
        &conf->notify.secret_file,
        &conf->notify.webhook,
        &conf->notify.mail,
    };

    free_rules(conf);
    for (size_t i = 0; i < conf->site_count; i++)
        site_conf_fini(&conf->sites[i]);
    free(conf->sites);
    strings_free(conf->warnings);
    for (size_t i = 0; i < array_len(texts); i++)
        free(*texts[i]);
    if (conf->docs)
        yaml_docs_free(conf->docs);
    free(conf->docs);
    *conf = (struct broker_conf){ 0 };
}

/* ---- look-ups
 * ---------------------------------------------------------------------------------------- */

const struct project_rule *broker_conf_project(const struct broker_conf *conf, const char *name)
{
    const struct project_rule *rest = NULL;

    for (size_t i = 0; i < conf->project_count; i++) {
        if (strcmp(conf->projects[i].name, name) == 0)
            return &conf->projects[i];
        if (strcmp(conf->projects[i].name, "*") == 0)
            rest = &conf->projects[i];
    }
    return rest;
}

const struct user_rule *broker_conf_user(const struct broker_conf *conf, const char *name)
{
    const struct user_rule *rest = NULL;

    for (size_t i = 0; i < conf->user_count; i++) {
        if (strcmp(conf->users[i].name, name) == 0)
            return &conf->users[i];
        if (strcmp(conf->users[i].name, "*") == 0)
            rest = &conf->users[i];
    }
    return rest;
}

const struct site_conf *broker_conf_site(const struct broker_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->site_count; i++)
        if (strcmp(conf->sites[i].name, name) == 0)
            return &conf->sites[i];
    return NULL;
}

int64_t broker_conf_limit(const struct broker_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->limit_count; i++)
        if (strcmp(conf->limits[i].name, name) == 0)
            return conf->limits[i].most;
    return -1;
}
