/* SPDX-License-Identifier: Apache-2.0 */
/* placement.c - `placement:`, `notify:` and `schedule:` of a job: where, who is told, and when
 * again. */
#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "conf/job_parts.h"

/* ---- placement
 * --------------------------------------------------------------------------------------- */

const char *const tier_words[] = { "home", "partner", "commercial", NULL };
const char *const objective_words[] = { "balanced", "time", "cost", NULL };

#define SITE_NAMES \
    .most = 64, .entries = 256, .good = is_site_name, .want = "a site's name, or a list of them"

static const struct field sites_fields[] = {
    FIELD("prefer", read_texts, struct placement, prefer, SITE_NAMES),
    FIELD("exclude", read_texts, struct placement, exclude, SITE_NAMES),
    FIELD("require", read_texts, struct placement, require, SITE_NAMES),
    { 0 },
};
const struct level placement_sites_level = { "placement.sites", sites_fields, NULL };

static void read_sites(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct placement *placement = slot;

    (void)field;
    read_level(r, &placement_sites_level, value, placement);
    for (char **at = placement->require; at && *at; at++)
        for (char **no = placement->exclude; no && *no; no++)
            if (strcmp(*at, *no) == 0)
                reader_problem(r, "leave it out of one of them",
                               "site '%.64s' is both required and excluded", *at);
}

static bool is_country(const char *text)
{
    return strlen(text) == 2 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2;
}

/* cloud_act: false asks for providers out of its reach. */
static void read_cloud_act(struct reader *r, const struct field *field, const json_t *value,
                           void *slot)
{
    bool reach = true;

    read_bool(r, field, value, &reach);
    *(bool *)slot = !reach;
}

static const struct field placement_fields[] = {
    FIELD_SELF("sites", read_sites),
    FIELD("tier", read_word, struct placement, tier, .words = tier_words),
    FIELD("jurisdiction", read_texts, struct placement, jurisdiction, .entries = 256,
          .good = is_country,
          .want = "a code of two capital letters such as FR or EU, or a list of them"),
    FIELD("cloud_act", read_cloud_act, struct placement, cloud_act_free),
    FIELD("objective", read_word, struct placement, objective, .words = objective_words),
    FIELD("max_cost", read_double, struct placement, max_cost, BETWEEN(0, 1e12)),
    { 0 },
};
const struct level placement_level = { "placement", placement_fields, &placement_sites_level };

void placement_init(struct placement *placement)
{
    *placement = (struct placement){ .tier = TIER_COMMERCIAL, .max_cost = -1 };
}

void placement_fini(struct placement *placement)
{
    strings_free(placement->prefer);
    strings_free(placement->exclude);
    strings_free(placement->require);
    strings_free(placement->jurisdiction);
    placement_init(placement);
}

void read_placement(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct job_spec *spec = slot;

    (void)field;
    read_level(r, &placement_level, value, &spec->placement);
}

/* ---- notify
 * ------------------------------------------------------------------------------------------ */

static const char *const event_words[] = {
    "started", "succeeded", "failed", "cancelled", "recovered", "late", NULL,
};

static void read_events(struct reader *r, const struct field *field, const json_t *value,
                        void *slot)
{
    static const struct field word = { .words = event_words };

    (void)field;
    (void)slot;
    if (!json_is_array(value)) {
        read_word(r, &word, value, NULL);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        reader_enter_at(r, i);
        read_word(r, &word, json_array_get(value, i), NULL);
        reader_leave(r);
    }
}

static bool is_http_url(const char *text)
{
    const char *host = strstr(text, "://");

    return host && host[3] && host[3] != '/' && !strchr(text, ' ') &&
           (strncasecmp(text, "https://", 8) == 0 || strncasecmp(text, "http://", 7) == 0);
}

/* Strict enough that it cannot become a second header or an option. */
static bool is_mail(const char *text)
{
    const char *at = strchr(text, '@');

    return at && at > text && at[1] && text[0] != '-' && !strpbrk(text, " ,;<>\"'\\");
}

static const struct field notify_fields[] = {
    FIELD_SELF("on", read_events),
    FIELD_SELF("webhook", read_texts, .most = 2048, .entries = 16, .good = is_http_url,
               .want = "an https:// URL, or a list of them"),
    FIELD_SELF("mail", read_texts, .most = 254, .entries = 16, .good = is_mail,
               .want = "a mail address, or a list of them"),
    { 0 },
};
const struct level notify_level = { "notify", notify_fields, NULL };

void read_notify(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct job_spec *spec = slot;

    (void)field;
    read_level(r, &notify_level, value, NULL);
    spec->notify = json_deep_copy(value);
}

/* ---- schedule
 * ---------------------------------------------------------------------------------------- */

static const char *const overlap_words[] = { "skip", "queue", "replace", "allow", NULL };
static const char *const catch_up_words[] = { "none", "latest", "all", NULL };

/* Only the outline: cron/ reads the fields, when the schedule is added. */
static bool is_cron(const char *text)
{
    size_t fields = 0;

    if (text[0] == '@')
        return text[1] && strspn(text + 1, "abcdefghijklmnopqrstuvwxyz") == strlen(text + 1);
    for (const char *s = text + strspn(text, " "); *s; s += strspn(s, " ")) {
        size_t length = strcspn(s, " ");

        for (size_t i = 0; i < length; i++)
            if (!strchr("*/,-#?()0123456789", s[i]) && (s[i] < 'A' || s[i] > 'Z') &&
                (s[i] < 'a' || s[i] > 'z'))
                return false;
        fields++;
        s += length;
    }
    return fields == 5 || fields == 6;
}

/* The outline of an IANA name: "Europe/Paris", "UTC", "Etc/GMT+3"; it names a file, so no climbing.
 */
static bool is_timezone(const char *text)
{
    size_t length = strlen(text);

    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/") ==
               length &&
           text[0] != '/' && text[length - 1] != '/' && !strstr(text, "//");
}

static void read_prepare(struct reader *r, const struct field *field, const json_t *value,
                         void *slot)
{
    if (!json_is_string(value) || strcmp(json_string_value(value), "auto") != 0)
        read_span(r, field, value, slot);
}

static const struct field schedule_fields[] = {
    FIELD_SELF("cron", read_text, .most = 256, .good = is_cron,
               .want = "a cron line of five fields, such as \"0 3 * * 1-5\""),
    FIELD_SELF("every", read_span, .least = 1000),
    FIELD_SELF("at", read_time),
    FIELD_SELF("anchor", read_time),
    FIELD_SELF("timezone", read_text, .most = 64, .good = is_timezone,
               .want = "a time zone such as Europe/Paris"),
    FIELD_SELF("overlap", read_word, .words = overlap_words),
    FIELD_SELF("catch_up", read_word, .words = catch_up_words),
    FIELD_SELF("catch_up_most", read_int, BETWEEN(1, 1000)),
    FIELD_SELF("start", read_time),
    FIELD_SELF("end", read_time),
    FIELD_SELF("jitter", read_span, BETWEEN(0, 86400000)),
    FIELD_SELF("prepare", read_prepare, BETWEEN(0, 86400000)),
    FIELD_SELF("pause_after", read_int, BETWEEN(1, 1000)),
    FIELD_SELF("after_success", read_bool),
    FIELD_SELF("late_after", read_span, .least = 1000),
    FIELD_SELF("keep", read_int, BETWEEN(1, 100000)),
    FIELD_SELF("paused", read_bool),
    { 0 },
};
const struct level schedule_level = { "schedule", schedule_fields, NULL };

static int64_t time_of(const json_t *schedule, const char *key)
{
    const char *text = json_string_value(json_object_get(schedule, key));
    int64_t ms = 0;

    return text && parse_time(text, &ms, NULL) == 0 ? ms : 0;
}

static void check_bounds(struct reader *r, const json_t *schedule)
{
    int64_t start = time_of(schedule, "start"), end = time_of(schedule, "end");

    if (start && end && end <= start)
        reader_problem(r, "let it end later, or start earlier", "ends before it starts");
}

void read_schedule(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct job_spec *spec = slot;
    int ways = !!json_object_get(value, "cron") + !!json_object_get(value, "every") +
               !!json_object_get(value, "at");

    (void)field;
    read_level(r, &schedule_level, value, NULL);
    if (!json_is_object(value))
        return;
    check_bounds(r, value);
    if (ways != 1)
        reader_problem(r, "write one of cron, every, at",
                       ways ? "says more than one way when to run" : "does not say when to run");
    if (json_object_get(value, "anchor") && !json_object_get(value, "every"))
        reader_problem(r, "leave it out, or use 'every'", "'anchor' is only for 'every'");
    spec->schedule = json_deep_copy(value);
}
