/* SPDX-License-Identifier: Apache-2.0 */
/* test_broker.c - configuration files: values, defaults, faults that spoil all and faults that
 * spoil one site. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "conf/broker.h"
#include "corpus.h"

static struct broker_conf parse(const char *text)
{
    struct broker_conf conf;
    struct err err = ERR_INIT;

    if (broker_conf_parse(text, strlen(text), "f", &conf, &err) < 0)
        fail_msg("%s", err.text);
    return conf;
}

static struct broker_conf load(const char *path)
{
    struct broker_conf conf;
    struct err err = ERR_INIT;

    if (broker_conf_load(path, &conf, &err) < 0)
        fail_msg("%s", err.text);
    return conf;
}

/* ---- the corpora
 * ------------------------------------------------------------------------------------- */

/* Faults of a file, whether they spoil all or one site, without the file's name. */
static void faults_of(const char *text, size_t length, struct buf *out)
{
    struct broker_conf conf;
    struct err err = ERR_INIT;

    if (broker_conf_parse(text, length, "f", &conf, &err) < 0) {
        for (char *line = err.text, *rest; line; line = rest) {
            if ((rest = strchr(line, '\n')))
                *rest++ = '\0';
            buf_printf(out, "%s\n", strncmp(line, "f:", 2) == 0 ? line + 2 : line);
        }
        return;
    }
    for (char **at = conf.warnings; at && *at; at++)
        buf_printf(out, "%s\n", *at + 2);
    broker_conf_free(&conf);
}

static void check(void *arg, const char *path, const char *text, size_t length)
{
    own_buf struct buf found = BUF_INIT(0), expected = BUF_INIT(0);

    (void)arg;
    corpus_expected(text, &expected);
    faults_of(text, length, &found);
    corpus_compare(path, buf_text(&expected), buf_text(&found));
}

static void files_are_judged_as_their_heads_say(void **state)
{
    (void)state;
    assert_true(corpus_each("tests/data/sites/good", check, NULL) >= 4);
    assert_true(corpus_each("tests/data/sites/bad", check, NULL) >= 40);
}

static void damage(void *arg, const char *path, const char *text, size_t length)
{
    own_str char *copy = xmalloc(length + 1);

    (void)arg;
    (void)path;
    for (size_t i = 0; i < length; i += 1 + length / 100) {
        own_buf struct buf found = BUF_INIT(0);

        memcpy(copy, text, length);
        copy[i] ^= 0x11;
        faults_of(copy, length, &found);
        faults_of(copy, i, &found);
    }
}

static void damaged_files_are_answered(void **state)
{
    (void)state;
    corpus_each("tests/data/sites/good", damage, NULL);
}

/* ---- values
 * ------------------------------------------------------------------------------------------ */

static void with_no_file_there_is_this_machine(void **state)
{
    struct broker_conf conf;

    (void)state;
    setenv("XDG_STATE_HOME", "/s", 1);
    conf = load(NULL);
    assert_string_equal(conf.state, "/s/spillway");
    assert_null(conf.listen);
    assert_int_equal(conf.site_count, 1);
    assert_string_equal(conf.sites[0].name, "local");
    assert_string_equal(conf.sites[0].type, "local");
    assert_int_equal(conf.sites[0].tier, TIER_HOME);
    assert_true(conf.sites[0].enabled);
    broker_conf_free(&conf);
    setenv("XDG_STATE_HOME", "relative", 1); /* the specification says: ignore it */
    setenv("HOME", "/h", 1);
    conf = load(NULL);
    assert_string_equal(conf.state, "/h/.local/state/spillway");
    broker_conf_free(&conf);
}

static void all_broker_keys_arrive(void **state)
{
    struct broker_conf conf;
    const struct project_rule *rule;

    (void)state;
    setenv("HOME", "/h", 1);
    conf = load("tests/data/sites/good/all-broker-keys.yaml");
    assert_string_equal(conf.state, "/h/spillway");
    assert_string_equal(conf.listen, "[::]:7455");
    assert_string_equal(conf.socket, "tests/data/sites/good/run/spillway.sock");
    assert_string_equal(conf.tls_cert, "tests/data/sites/good/cert.pem");
    assert_string_equal(conf.tls_key, "/etc/spillway/key.pem");
    assert_int_equal(conf.socket_mode, 0666);
    assert_int_equal(conf.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(conf.retention.jobs_ms, 0);
    assert_int_equal(conf.retention.logs_ms, INT64_C(14) * 86400000);
    assert_string_equal(conf.project, "lab");
    assert_int_equal(conf.retries_infra, 3);
    assert_int_equal(conf.lease_ttl_ms, 300000);
    assert_int_equal(conf.log_most, 1 << 20);
    assert_int_equal(conf.http.connections_each, 10);
    assert_true(conf.http.requests_per_second == 50.5);
    assert_int_equal(conf.half_life_ms, INT64_C(14) * 86400000);
    assert_string_equal(conf.notify.smtp, "smtps://mail.example:465");
    assert_int_equal(broker_conf_limit(&conf, "license-x"), 3);
    assert_int_equal(broker_conf_limit(&conf, "other"), -1);
    rule = broker_conf_project(&conf, "genomics");
    assert_true(rule->weight == 2.5 && rule->max_money == 100);
    assert_int_equal(rule->money_ms, INT64_C(7) * 86400000);
    assert_int_equal(rule->tier, TIER_PARTNER);
    assert_string_equal(rule->users[1], "bob");
    assert_false(broker_conf_project(&conf, "unnamed")->may_overflow); /* "*" */
    assert_true(broker_conf_user(&conf, "alice")->is_operator);
    assert_true(broker_conf_user(&conf, "root")->is_admin);
    assert_null(broker_conf_user(&conf, "bob"));
    broker_conf_free(&conf);
}

static void all_site_keys_arrive_and_the_rest_is_the_drivers(void **state)
{
    struct broker_conf conf = load("tests/data/sites/good/all-site-keys.yaml");
    const struct site_conf *site = broker_conf_site(&conf, "cloud");

    (void)state;
    assert_int_equal(site->tier, TIER_COMMERCIAL);
    assert_int_equal(site->phase, PHASE_PRE_PRODUCTION);
    assert_string_equal(site->jurisdiction, "DE");
    assert_false(site->cloud_act || site->enabled);
    assert_int_equal(site->overflow_after_ms, 1200000);
    assert_int_equal(site->limits.memory, INT64_C(1) << 40);
    assert_int_equal(site->limits.gpus, 4);
    assert_true(site_conf_price(site, "g1") == 1.10 && site_conf_price(site, "g9") == 0.05);
    assert_string_equal(site_conf_image(site, "debian-12"), "Debian 12");
    assert_null(site_conf_image(site, "debian-13"));
    assert_int_equal(site_conf_gpus(site, "g1")->count, 2);
    assert_int_equal(site_conf_gpus(site, "g2")->memory, INT64_C(40) << 30);
    assert_string_equal(site_conf_gpus(site, "g3")->model, "T4");
    assert_null(site_conf_gpus(site, "g4"));
    assert_string_equal(site->projects[1], "climate");
    assert_int_equal(site->connect, CONNECT_SSH);
    assert_int_equal(site->boot_deadline_ms, 1200000);
    assert_true(site->calls_per_second == 2.5);
    assert_int_equal(json_object_size(site->driver), 3);
    broker_conf_free(&conf);
}

static void defaults_follow_type_and_tier(void **state)
{
    struct broker_conf conf = parse("sites:\n"
                                    "  - {name: a, type: slurm}\n"
                                    "  - {name: b, type: openstack}\n"
                                    "  - {name: c, type: openstack, tier: commercial}\n");

    (void)state;
    assert_int_equal(conf.sites[0].tier, TIER_HOME);
    assert_int_equal(conf.sites[0].overflow_after_ms, 0);
    assert_int_equal(conf.sites[1].tier, TIER_PARTNER);
    assert_false(conf.sites[1].cloud_act || conf.sites[1].shared);
    assert_true(conf.sites[2].cloud_act);
    assert_true(conf.sites[2].overflow_after_ms > conf.sites[1].overflow_after_ms);
    assert_int_equal(conf.sites[2].limits.workers, -1);
    assert_true(site_conf_price(&conf.sites[2], "x") < 0);
    broker_conf_free(&conf);
}

/* ---- faults
 * ------------------------------------------------------------------------------------------ */

static void a_broken_site_spoils_only_itself(void **state)
{
    struct broker_conf conf = parse("sites:\n"
                                    "  - {name: a, type: local}\n"
                                    "  - {name: b, type: openstack, tier: x, idle: 3}\n"
                                    "  - {type: local}\n");

    (void)state;
    assert_null(conf.sites[0].fault);
    assert_string_equal(conf.sites[1].name, "b");
    assert_string_equal(
        conf.sites[1].fault,
        "f:3:38: sites[1].tier: unknown word 'x'; it is one of home, partner, commercial\n"
        "f:3:47: sites[1].idle: '3' has no unit; write 3s, 3m or 3h");
    assert_false(conf.sites[1].enabled);
    assert_string_equal(conf.sites[2].name, "sites[2]");
    assert_string_equal(conf.warnings[2], "f:4:5: sites[2]: needs 'name'");
    assert_null(conf.warnings[3]);
    broker_conf_free(&conf);
}

static void what_is_forgotten_has_its_cost(void **state)
{
    struct broker_conf conf =
        parse("sites:\n"
              "  - {name: a, type: openstack, price: {hour: 2, volume: 0.5, address: 3}}\n"
              "  - {name: b, type: openstack}\n");
    const struct site_conf *a = &conf.sites[0], *b = &conf.sites[1];
    int64_t hour = 3600000, gib = 1 << 30;

    (void)state;
    assert_true(site_conf_cost(a, "worker", "m1", 0, 2 * hour) == 4);
    assert_true(site_conf_cost(a, "worker", NULL, 0, hour) < 0);
    assert_true(site_conf_cost(a, "worker", "m1", 0, -1) < 0);
    assert_true(site_conf_cost(a, "volume", NULL, 10 * gib, hour) == 5);
    assert_true(site_conf_cost(a, "floating-ip", NULL, 0, hour) == 3);
    assert_true(site_conf_cost(a, "port", NULL, 0, hour) < 0);
    assert_true(site_conf_cost(b, "volume", NULL, 10 * gib, hour) < 0);
    assert_true(site_conf_cost(b, "floating-ip", NULL, 0, hour) < 0);
    broker_conf_free(&conf);
}

static void images_are_named_or_brought(void **state)
{
#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    struct broker_conf conf =
        parse("sites:\n"
              "  - name: a\n"
              "    type: openstack\n"
              "    images:\n"
              "      there: Debian 12\n"
              "      brought: {from: https://h.example/d.qcow2, sha256: " SUM "}\n"
              "      named: {name: Mine, from: d.img, disk_format: raw, sha512: " SUM SUM ",\n"
              "              properties: {os_distro: debian, min_disk: 3}}\n"
              "  - name: b\n"
              "    type: openstack\n"
              "    images:\n"
              "      one: {from: d.qcow2}\n"
              "      two: {from: d.img, sha256: " SUM "}\n"
              "      three: {sha256: " SUM "}\n"
              "      four: {from: d.raw, sha256: ABC, form: raw}\n"
              "      five: {from: \"https://me:secret@h.example/d.raw\", sha256: " SUM "}\n");
    const struct site_conf *site = &conf.sites[0];
    own_str char *from = site_conf_source(site, &site->images[2]);

    (void)state;
    assert_null(site->fault);
    assert_null(site->images[0].from);
    assert_string_equal(site_conf_image(site, "there"), "Debian 12");
    assert_string_equal(site_conf_image(site, "brought"), "brought");
    assert_string_equal(site->images[1].disk_format, "qcow2");
    assert_string_equal(site->images[1].sha256, SUM);
    assert_string_equal(site->images[2].here, "Mine");
    assert_string_equal(from, "d.img");
    assert_string_equal(json_string_value(json_object_get(site->images[2].properties, "min_disk")),
                        "3");
    assert_string_equal(
        conf.sites[1].fault,
        "f:12:12: sites[1].images.one: needs 'sha256' or 'sha512'; its publisher tells it, often "
        "in "
        "a file SHA512SUMS\n"
        "f:13:12: sites[1].images.two: needs 'disk_format': the name does not end in one; say "
        "which, "
        "such as qcow2 or raw\n"
        "f:14:14: sites[1].images.three: needs 'from'; write its name at the site alone, where it "
        "is "
        "there already\n"
        "f:15:35: sites[1].images.four.sha256: 'ABC' is not 64 lower-case hex digits\n"
        "f:15:40: unknown key 'form'; did you mean 'from'?\n"
        "f:16:13: sites[1].images.five: 'from' must hold no user and no password");
    broker_conf_free(&conf);
}

static void a_refusal_leaves_the_old_configuration_and_counts_what_it_cannot_hold(void **state)
{
    own_buf struct buf text = BUF_INIT(0);
    struct broker_conf conf = { .site_count = 77 };
    struct err err = ERR_INIT;

    (void)state;
    buf_puts(&text, "broker:\n");
    for (int i = 0; i < 60; i++)
        buf_printf(&text, "  unknown_key_%d: 1\n", i);
    assert_int_equal(broker_conf_parse(text.data, text.length, "f", &conf, &err), -1);
    assert_int_equal(conf.site_count, 77);
    assert_int_equal(strncmp(err.text, "f:2:3: unknown key 'unknown_key_0'\n", 35), 0);
    assert_non_null(strstr(err.text, " more)"));
    assert_int_equal(broker_conf_load("tests/data/none.yaml", &conf, &err), -1);
    assert_int_equal(err.fault, FAULT_NOT_FOUND);
}

static void drivers_name_file_line_and_key(void **state)
{
    static const char *const known[] = { "ssh", "partition", "n", "s", "b", "t", NULL };
    struct broker_conf conf = parse("sites:\n"
                                    "  - {name: z, type: local}\n"
                                    "  - name: a\n"
                                    "    type: slurm\n"
                                    "    ssh: {host: h, identity: ~/.ssh/id}\n"
                                    "    n: many\n"
                                    "    s: 2h\n"
                                    "    b: 8\n"
                                    "    t: 5\n"
                                    "    partitoin: x\n");
    const struct site_conf *site = &conf.sites[1];
    struct err err = ERR_INIT;
    const char *text = NULL;
    own_str char *path = NULL;
    int64_t number = 0;

    (void)state;
    setenv("HOME", "/h", 1);
    assert_int_equal(site_conf_only(site, "", known, &err), -1);
    assert_string_equal(err.text,
                        "f:10:5: sites[1].partitoin: unknown key; did you mean 'partition'?");
    assert_int_equal(site_conf_need_str(site, "/ssh/host", &text, &err), 0);
    assert_string_equal(text, "h");
    assert_int_equal(site_conf_need_str(site, "/ssh/user", &text, &err), -1);
    assert_string_equal(err.text, "f:5:5: sites[1].ssh.user: is missing");
    assert_int_equal(site_conf_path(site, "/ssh/identity", &path, &err), 0);
    assert_string_equal(path, "/h/.ssh/id");
    assert_int_equal(site_conf_i64(site, "/n", 0, 9, &number, &err), -1);
    assert_string_equal(err.text, "f:6:8: sites[1].n: must be a whole number");
    assert_int_equal(site_conf_i64(site, "/t", 0, 4, &number, &err), -1);
    assert_int_equal(site_conf_i64(site, "/t", 0, 9, &number, &err), 0);
    assert_int_equal(number, 5);
    assert_int_equal(site_conf_span(site, "/s", &number, &err), 0);
    assert_int_equal(number, 7200000);
    assert_int_equal(site_conf_bytes(site, "/b", &number, &err), -1);
    assert_string_equal(err.text, "f:8:8: sites[1].b: '8' has no unit; write 8MiB or 8GiB");
    assert_int_equal(site_conf_str(site, "/b", &text, &err), -1);
    assert_int_equal(site_conf_error(site, "/ssh/host", &err, "no route to %s", "h"), -1);
    assert_string_equal(err.text, "f:5:17: sites[1].ssh.host: no route to h");
    broker_conf_free(&conf);
}

static void a_made_up_site_reports_by_name(void **state)
{
    struct broker_conf conf;
    struct err err = ERR_INIT;

    (void)state;
    conf = load(NULL);
    site_conf_error(&conf.sites[0], "/cores", &err, "none");
    assert_string_equal(err.text, "site local: cores: none");
    assert_null(site_conf_get(&conf.sites[0], "/cores"));
    broker_conf_free(&conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_judged_as_their_heads_say),
        cmocka_unit_test(damaged_files_are_answered),
        cmocka_unit_test(with_no_file_there_is_this_machine),
        cmocka_unit_test(all_broker_keys_arrive),
        cmocka_unit_test(all_site_keys_arrive_and_the_rest_is_the_drivers),
        cmocka_unit_test(defaults_follow_type_and_tier),
        cmocka_unit_test(a_broken_site_spoils_only_itself),
        cmocka_unit_test(what_is_forgotten_has_its_cost),
        cmocka_unit_test(images_are_named_or_brought),
        cmocka_unit_test(a_refusal_leaves_the_old_configuration_and_counts_what_it_cannot_hold),
        cmocka_unit_test(drivers_name_file_line_and_key),
        cmocka_unit_test(a_made_up_site_reports_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
