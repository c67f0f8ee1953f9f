/* SPDX-License-Identifier: Apache-2.0 */
/* test_openstack.c - the pure parts of broker/sites/openstack: login, catalogue, faults, flavors,
 * quota. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/own.h"
#include "sites/openstack/openstack.h"

static json_t *parse(const char *text)
{
    struct err err = ERR_INIT;
    json_t *value = json_parse(text, strlen(text), &err);

    if (!value)
        fail_msg("%s: %s", text, err.text);
    return value;
}

/* ---- login ----------------------------------------------------------------------------------- */

static void assert_login(const char *entry, const char *wanted)
{
    own_json json_t *merged = parse(entry), *body = NULL, *want = parse(wanted);
    own_str char *got = NULL;
    struct cloud cloud;
    struct err err = ERR_INIT;

    if (cloud_read(merged, NULL, &cloud, &err) < 0)
        fail_msg("%s", err.text);
    body = session_login_body(&cloud);
    got = json_canonical(body);
    if (!json_equal(body, want))
        fail_msg("%s", got);
    cloud_fini(&cloud);
}

static void each_credential_is_shown_as_keystone_wants_it(void **state)
{
    (void)state;
    assert_login("{\"auth\":{\"auth_url\":\"https://x\",\"username\":\"u\",\"password\":\"p\","
                 "\"user_domain_name\":\"D\",\"project_name\":\"g\",\"project_domain_id\":\"d\"}}",
                 "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{"
                 "\"name\":\"u\",\"domain\":{\"name\":\"D\"},\"password\":\"p\"}}},\"scope\":{"
                 "\"project\":{\"name\":\"g\",\"domain\":{\"id\":\"d\"}}}}}");
    assert_login("{\"auth\":{\"auth_url\":\"https://x\",\"user_id\":\"7\",\"password\":\"p\","
                 "\"project_id\":\"9\"}}",
                 "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{"
                 "\"id\":\"7\",\"password\":\"p\"}}},\"scope\":{\"project\":{\"id\":\"9\"}}}}");
    assert_login("{\"auth\":{\"auth_url\":\"https://x\",\"application_credential_id\":\"i\","
                 "\"application_credential_secret\":\"s\",\"project_name\":\"ignored\"}}",
                 "{\"auth\":{\"identity\":{\"methods\":[\"application_credential\"],"
                 "\"application_credential\":{\"id\":\"i\",\"secret\":\"s\"}}}}");
    assert_login("{\"auth\":{\"auth_url\":\"https://x\",\"token\":\"t\"}}",
                 "{\"auth\":{\"identity\":{\"methods\":[\"token\"],\"token\":{\"id\":\"t\"}}}}");
}

/* ---- the catalogue --------------------------------------------------------------------------- */

static const char catalogue[] =
    "[{\"type\":\"compute\",\"endpoints\":["
    "{\"interface\":\"public\",\"region_id\":\"one\",\"url\":\"http://one\"},"
    "{\"interface\":\"internal\",\"region_id\":\"one\",\"url\":\"http://in\"},"
    "{\"interface\":\"public\",\"region\":\"two\",\"url\":\"http://two\"}]},"
    "{\"type\":\"empty\",\"endpoints\":[]}]";

static void assert_endpoint(const char *type, const char *interface, const char *region,
                            const char *url, const char *words)
{
    own_json json_t *list = parse(catalogue);
    struct err err = ERR_INIT;
    own_str char *found = catalogue_find(list, type, interface, region, &err);

    if (url && (!found || strcmp(found, url) != 0))
        fail_msg("%s, not %s: %s", found ? found : "none", url, err.text);
    if (!url && (found || !strstr(err.text, words)))
        fail_msg("'%s' lacks '%s'", err.text, words);
}

static void an_endpoint_is_of_a_region_and_an_interface(void **state)
{
    (void)state;
    assert_endpoint("compute", "public", NULL, "http://one", NULL);
    assert_endpoint("compute", "public", "two", "http://two", NULL);
    assert_endpoint("compute", "internal", "one", "http://in", NULL);
    assert_endpoint("compute", "internal", "two", NULL, "there is public in region one");
    assert_endpoint("volume", "public", NULL, NULL, "no service 'volume'");
    assert_endpoint("empty", "public", NULL, NULL, "no service 'empty'");
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void assert_fault(long status, const char *body, enum fault fault, const char *words)
{
    struct err err = ERR_INIT;

    assert_int_equal(os_fault("it", status, body, strlen(body), &err), -1);
    if (err.fault != fault || !strstr(err.text, words))
        fail_msg("%ld %s: %s, %s", status, body, fault_name(err.fault), err.text);
}

static void the_words_tell_faults_apart(void **state)
{
    (void)state;
    assert_fault(403, "{\"forbidden\":{\"code\":403,\"message\":\"Quota exceeded for cores\"}}",
                 FAULT_QUOTA, "it: 403: Quota exceeded for cores");
    assert_fault(403, "{\"forbidden\":{\"message\":\"Policy doesn't allow it\"}}", FAULT_AUTH,
                 "Policy");
    assert_fault(409,
                 "{\"NeutronError\":{\"type\":\"OverQuota\",\"message\":\"Quota exceeded for "
                 "resources: ['port'].\"}}",
                 FAULT_QUOTA, "['port']");
    assert_fault(409, "{\"conflictingRequest\":{\"message\":\"busy\"}}", FAULT_CONFLICT, "busy");
    assert_fault(401, "", FAULT_AUTH, "it: 401");
    assert_fault(404, "{\"itemNotFound\":{\"message\":\"gone\"}}", FAULT_NOT_FOUND, "gone");
    assert_fault(413, "{\"overLimit\":{\"message\":\"too many requests\"}}", FAULT_THROTTLED,
                 "many");
    assert_fault(429, "slow down", FAULT_THROTTLED, "slow down");
    assert_fault(400, "{\"badRequest\":{\"message\":\"no\"}}", FAULT_INVALID, "no");
    assert_fault(
        400, "{\"code\":400,\"title\":\"Bad Request\",\"error\":{\"message\":\"no such type\"}}",
        FAULT_INVALID, "it: 400: no such type");
    assert_fault(500, "{\"computeFault\":{\"message\":\"No valid host was found.\"}}",
                 FAULT_NO_CAPACITY, "No valid host");
    assert_fault(502, "<html><h1>Bad\n\n  Gateway</h1></html>", FAULT_UNAVAILABLE,
                 "it: 502: Bad Gateway");
    assert_fault(504, "{\"trunc", FAULT_UNAVAILABLE, "504");
    assert_int_equal(os_server_fault("No valid host was found. There are not enough hosts"),
                     FAULT_NO_CAPACITY);
    assert_int_equal(os_server_fault("Quota exceeded for volumes"), FAULT_QUOTA);
    assert_int_equal(os_server_fault("Build of instance aborted"), FAULT_UNAVAILABLE);
}

/* ---- flavors --------------------------------------------------------------------------------- */

static void assert_gpus(const char *specs, int count, const char *model)
{
    own_json json_t *object = parse(specs);
    own_str char *found = NULL;
    int got = extra_specs_gpus(object, &found);

    if (got != count || strcmp(found ? found : "", model ? model : "") != 0)
        fail_msg("%s: %d of %s", specs, got, found ? found : "no model");
}

static void gpus_are_read_from_extra_specs(void **state)
{
    (void)state;
    assert_gpus("{}", 0, NULL);
    assert_gpus("{\"resources:CUSTOM_GPU_V100\":\"2\"}", 2, "V100");
    assert_gpus("{\"resources1:CUSTOM_NVIDIA_A100_80GB\":\"1\"}", 1, "A100-80GB");
    assert_gpus("{\"resources:VGPU\":\"1\"}", 1, NULL);
    assert_gpus("{\"resources:VGPU\":\"1\",\"trait:CUSTOM_VGPU_T4\":\"required\"}", 1, "T4");
    assert_gpus("{\"resources:VGPU\":\"1\",\"trait:CUSTOM_NVIDIA_A10\":\"required\"}", 1, "A10");
    assert_gpus("{\"resources:VGPU\":\"1\",\"trait:CUSTOM_GPU_L4\":\"forbidden\","
                "\"trait:HW_GPU_API_VULKAN\":\"required\"}",
                1, NULL);
    assert_gpus("{\"resources:PGPU\":\"1\",\"trait1:CUSTOM_GPU_L40S\":\"required\"}", 1, "L40S");
    /* A trait alone gives none: it says where the server stands. */
    assert_gpus("{\"trait:CUSTOM_GPU_V100\":\"required\"}", 0, NULL);
    assert_gpus("{\"pci_passthrough:alias\":\"gpu:2\",\"trait:CUSTOM_GPU_V100\":\"required\"}", 2,
                "V100");
    assert_gpus("{\"pci_passthrough:alias\":\"nvidia-v100:4\"}", 4, "V100");
    assert_gpus("{\"pci_passthrough:alias\":\"a100:1,nvme:2\"}", 1, "A100");
    assert_gpus("{\"pci_passthrough:alias\":\"smartnic:1\"}", 0, NULL);
    assert_gpus("{\"resources:CUSTOM_BAREMETAL\":\"1\",\"hw:cpu_policy\":\"dedicated\"}", 0, NULL);
    assert_gpus("{\"resources:CUSTOM_GPU_V100\":\"many\"}", 0, "V100");
}

static void the_site_file_knows_better(void **state)
{
    struct shape_gpus map = { .shape = "g1", .model = "H100", .count = 8, .memory = 80 };
    struct site_conf conf = { .gpus = &map, .gpu_count = 1 };
    own_json json_t *g1 =
        parse("{\"id\":\"1\",\"name\":\"g1\",\"vcpus\":8,\"ram\":1024,\"disk\":20,"
              "\"OS-FLV-EXT-DATA:ephemeral\":5,"
              "\"extra_specs\":{\"resources:VGPU\":\"1\"}}");
    own_json json_t *off = parse("{\"id\":\"2\",\"name\":\"old\",\"vcpus\":8,\"ram\":1024,"
                                 "\"OS-FLV-DISABLED:disabled\":true}");
    struct flavor flavor;

    (void)state;
    assert_int_equal(flavor_read(g1, &conf, &flavor), 0);
    assert_int_equal(flavor.gpus, 8);
    assert_string_equal(flavor.gpu_model, "H100");
    assert_int_equal(flavor.memory, (int64_t)1 << 30);
    assert_int_equal(flavor.disk, (int64_t)25 << 30);
    flavor_fini(&flavor);
    assert_int_equal(flavor_read(off, &conf, &flavor), -1);
    flavor_fini(&flavor);
}

/* ---- quota ----------------------------------------------------------------------------------- */

static void assert_class(const char *specs, const char *class)
{
    own_str char *text =
        xasprintf("{\"id\":\"1\",\"name\":\"g\",\"vcpus\":4,\"extra_specs\":%s}", specs);
    own_json json_t *from = parse(text);
    struct site_conf conf = { .name = NULL };
    struct flavor flavor;

    assert_int_equal(flavor_read(from, &conf, &flavor), 0);
    if (class)
        assert_string_equal(flavor.gpu_class, class);
    else
        assert_null(flavor.gpu_class);
    flavor_fini(&flavor);
}

static void placement_is_asked_for_one_class(void **state)
{
    (void)state;
    assert_class("{\"resources:CUSTOM_GPU_V100\":\"2\"}", "CUSTOM_GPU_V100");
    assert_class("{\"resources:VGPU\":\"1\",\"resources:CUSTOM_NIC\":\"1\"}", "VGPU");
    assert_class("{\"pci_passthrough:alias\":\"a100:1\"}", NULL);
    assert_class("{\"resources1:VGPU\":\"1\",\"resources2:PGPU\":\"1\"}", NULL);
}

static void what_placement_could_give_is_added_up(void **state)
{
    own_json json_t *answer =
        parse("{\"provider_summaries\":{\"a\":{\"resources\":{\"G\":{\"capacity\":8,\"used\":3}}},"
              "\"b\":{\"resources\":{\"G\":{\"capacity\":4,\"used\":4}}},\"c\":7,"
              "\"d\":{\"resources\":{\"H\":{\"capacity\":4}}},"
              "\"e\":{\"resources\":{\"G\":{\"capacity\":\"2\"}}}}}");

    (void)state;
    assert_int_equal(candidates_free(answer, "G", 1), 5);
    assert_int_equal(candidates_free(answer, "G", 2), 4); /* one is left over */
    assert_int_equal(candidates_free(answer, "G", 8), 0);
    assert_int_equal(candidates_free(NULL, "G", 1), 0);
}

static void quota_is_split_between_us_and_others(void **state)
{
    struct probe probe = { .shapes = NULL };

    (void)state;
    quota_add(&probe, "cores", 40, 12, 8);
    quota_add(&probe, "instances", -1, 3, 0);
    quota_add(&probe, "ports", 10, 2, 5); /* ours were made between the two answers */
    assert_int_equal(probe.quota_count, 3);
    assert_int_equal(probe.quotas[0].ours, 8);
    assert_int_equal(probe.quotas[0].others, 4);
    assert_int_equal(probe.quotas[1].limit, -1);
    assert_int_equal(probe.quotas[2].others, 0);
    probe_free(&probe);
}

/* ---- user data ------------------------------------------------------------------------------- */

#define BOOT \
    "{\"url\":\"https://b:1\",\"worker\":\"spillway-1\",\"token\":\"join-me\",\"pin\":\"ab\"}"
#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char *plain_of(const struct user_data *what)
{
    own_buf struct buf text = BUF_INIT(0);
    own_str char *base64 = NULL;
    struct err err = ERR_INIT;

    if (user_data_make(what, &base64, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(strlen(base64) <= USER_DATA_MOST);
    assert_int_equal(buf_put_unbase64(&text, base64, strlen(base64)), 0);
    return buf_take(&text);
}

/* With ' for ". */
static json_t *loose(const char *text)
{
    own_str char *strict = xstrdup(text);

    for (char *at = strict; (at = strchr(at, '\''));)
        *at = '"';
    return parse(strict);
}

static void an_image_is_known_by_what_it_holds(void **state)
{
    static struct image_name mine = { .name = "d",
                                      .here = "D",
                                      .from = "d.raw",
                                      .sha256 = "aa",
                                      .sha512 = "bb",
                                      .disk_format = "raw" };
    static const struct site_conf conf = { .images = &mine, .image_count = 1 };
    static const struct {
        const char *image;
        bool is, wanted;
    } cases[] = {
        { "{'name': 'D', 'disk_format': 'raw', 'os_hash_algo': 'sha512', 'os_hash_value': 'bb'}",
          true, true },
        { "{'name': 'D', 'disk_format': 'raw', 'os_hash_algo': 'sha512', 'os_hash_value': 'aa'}",
          false, true },
        /* By its mark, but not when somebody else set it. */
        { "{'name': 'D', 'disk_format': 'raw', 'spillway-content': 'sha256:aa', 'owner': 'p'}",
          true, true },
        { "{'name': 'D', 'disk_format': 'raw', 'spillway-content': 'sha256:aa', 'owner': 'q'}",
          false, true },
        { "{'name': 'D', 'disk_format': 'raw', 'spillway-content': 'sha256:bb', 'owner': 'p'}",
          false, false },
        { "{'name': 'D', 'disk_format': 'qcow2', 'spillway-content': 'sha256:aa', 'owner': 'p'}",
          false, false },
        { "{'name': 'E', 'disk_format': 'raw', 'os_hash_algo': 'sha512', 'os_hash_value': 'bb'}",
          true, false },
        { "{'name': 'D', 'status': 'queued', 'owner': 'p'}", false, true }, /* half made */
    };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        own_json json_t *image = loose(cases[i].image);

        if (image_is(image, &mine, "p") != cases[i].is ||
            image_wanted(&conf, image) != cases[i].wanted)
            fail_msg("%s", cases[i].image);
    }
}

static void images_are_chosen_by_properties(void **state)
{
    own_json json_t *image = parse(
        "{\"os_distro\":\"Debian\",\"os_version\":\"12\",\"min_disk\":3,\"protected\":false}");

    (void)state;
    assert_true(image_has(image, "os_distro=debian"));
    assert_true(image_has(image, "os_distro=debian, os_version=12"));
    assert_true(image_has(image, "min_disk=3,protected=false"));
    assert_false(image_has(image, "os_distro=debian, os_version=11"));
    assert_false(image_has(image, "os_arch=x86_64"));
    assert_false(image_has(image, "os_distro"));
    assert_false(image_has(image, ", "));
}

static void user_data_is_a_cloud_config(void **state)
{
    struct user_data what = { .boot = BOOT, .agent_url = "https://b:1/agent", .sha256 = SUM };
    own_str char *text = plain_of(&what);
    own_json json_t *config = NULL, *boot = NULL;
    const json_t *first;

    (void)state;
    assert_memory_equal(text, "#cloud-config\n", 14);
    config = parse(text + 14);
    assert_int_equal(json_array_size(json_object_get(config, "write_files")), 4);
    first = json_array_get(json_object_get(config, "write_files"), 0);
    assert_string_equal(os_text(first, "permissions"), "0600");
    boot = parse(os_text(first, "content"));
    assert_string_equal(os_text(boot, "token"), "join-me");
    assert_true(json_is_true(json_object_get(boot, "poweroff")));
    assert_non_null(os_text(boot, "dir"));
    assert_non_null(strstr(text, SUM));
}

static void only_keys(const json_t *object, const char *const *known)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;

        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            fail_msg("Ignition knows no key '%s' here", key);
    }
}

/* As version 3.0.0 of Ignition's specification has them; it refuses what it does not know. */
static void check_file(const json_t *file)
{
    static const char *const keys[] = { "path", "mode", "overwrite", "contents", NULL };
    static const char *const contents[] = { "source", NULL };
    const char *path = os_text(file, "path");
    const char *source = os_text(json_object_get(file, "contents"), "source");
    own_buf struct buf text = BUF_INIT(0);

    only_keys(file, keys);
    only_keys(json_object_get(file, "contents"), contents);
    assert_int_equal(path[0], '/');
    assert_true(json_is_integer(json_object_get(file, "mode"))); /* decimal: JSON has no octal */
    assert_true(json_is_boolean(json_object_get(file, "overwrite")));
    assert_memory_equal(source, "data:;base64,", 13);
    assert_int_equal(buf_put_unbase64(&text, source + 13, strlen(source + 13)), 0);
    if (strcmp(path, "/var/lib/spillway/boot.json") == 0) {
        assert_int_equal(json_integer_value(json_object_get(file, "mode")), 0600);
        assert_non_null(strstr(buf_text(&text), "join-me"));
    }
}

static void ignition_is_of_its_shape(void **state)
{
    static const char *const keys[] = { "ignition", "storage", "systemd", NULL };
    static const char *const unit_keys[] = { "name", "enabled", "contents", NULL };
    static const char *const version[] = { "version", NULL };
    static const char *const files[] = { "files", NULL };
    static const char *const units[] = { "units", NULL };
    struct user_data what = {
        .boot = BOOT, .agent_url = "https://b:1/agent", .sha256 = SUM, .ignition = true
    };
    own_str char *text = plain_of(&what);
    own_json json_t *config = parse(text);
    const json_t *storage = json_object_get(config, "storage"), *each;
    const json_t *systemd = json_object_get(config, "systemd");
    size_t i;

    (void)state;
    only_keys(config, keys);
    only_keys(json_object_get(config, "ignition"), version);
    only_keys(storage, files);
    only_keys(systemd, units);
    assert_int_equal(json_array_size(json_object_get(storage, "files")), 3);
    json_array_foreach(json_object_get(storage, "files"), i, each)
    {
        check_file(each);
    }
    json_array_foreach(json_object_get(systemd, "units"), i, each)
    {
        only_keys(each, unit_keys);
        assert_non_null(strstr(os_text(each, "name"), ".service"));
        assert_non_null(strstr(os_text(each, "contents"), "\n[Service]\nExecStart=/"));
    }
}

#define LOGIN "ssh-ed25519 TE9HSU4="
#define KNOWN "ssh-ed25519 SE9TVA=="
static const struct user_data_ssh door = { .user = "spillway",
                                           .host_key = "a private key\n",
                                           .host_line = KNOWN,
                                           .login_line = LOGIN,
                                           .port = 7455 };
/* All that the key may do. */
#define ALLOWED "restrict,port-forwarding,permitlisten=\"127.0.0.1:7455\" " LOGIN

static void a_machine_is_given_its_host_key_and_whom_to_let_in(void **state)
{
    struct user_data what = {
        .boot = BOOT, .agent_url = "https://b:1/agent", .sha256 = SUM, .ssh = &door
    };
    own_str char *text = plain_of(&what);
    own_json json_t *config = parse(text + 14);
    const json_t *keys = json_object_get(config, "ssh_keys"),
                 *users = json_object_get(config, "users"), *user = json_array_get(users, 1);

    (void)state;
    assert_string_equal(os_text(keys, "ed25519_private"), "a private key\n");
    assert_string_equal(os_text(keys, "ed25519_public"), KNOWN);
    assert_string_equal(json_string_value(json_array_get(users, 0)), "default"); /* who was there */
    assert_string_equal(os_text(user, "name"), "spillway");
    assert_string_equal(os_text(user, "shell"), "/usr/sbin/nologin");
    assert_null(json_object_get(user, "system")); /* it needs a home */
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(user, "ssh_authorized_keys"), 0)),
        ALLOWED);
    assert_int_equal(json_array_size(json_object_get(config, "write_files")), 5);
}

static void coreos_is_given_them_too(void **state)
{
    static const char *const user_keys[] = { "name", "shell", "sshAuthorizedKeys", NULL };
    struct user_data what = { .boot = BOOT,
                              .agent_url = "https://b:1/agent",
                              .sha256 = SUM,
                              .ignition = true,
                              .ssh = &door };
    own_str char *text = plain_of(&what);
    own_json json_t *config = parse(text);
    const json_t *files = json_object_get(json_object_get(config, "storage"), "files"), *each;
    const json_t *users = json_object_get(json_object_get(config, "passwd"), "users");
    size_t i, keys = 0;

    (void)state;
    json_array_foreach(files, i, each)
    {
        check_file(each);
        if (strcmp(os_text(each, "path"), "/etc/ssh/ssh_host_ed25519_key") == 0)
            keys += json_integer_value(json_object_get(each, "mode")) == 0600;
    }
    assert_int_equal(keys, 1);
    only_keys(json_array_get(users, 0), user_keys);
    assert_string_equal(json_string_value(json_array_get(
                            json_object_get(json_array_get(users, 0), "sshAuthorizedKeys"), 0)),
                        ALLOWED);
}

static void coreos_is_told_in_its_own_way(void **state)
{
    struct user_data what = {
        .boot = BOOT, .agent_url = "https://b:1/agent", .sha256 = SUM, .ignition = true
    };
    own_str char *text = plain_of(&what);
    own_json json_t *config = parse(text);
    const json_t *unit =
        json_array_get(json_object_get(json_object_get(config, "systemd"), "units"), 0);

    (void)state;
    assert_string_equal(os_text(json_object_get(config, "ignition"), "version"), "3.0.0");
    assert_true(json_is_true(json_object_get(unit, "enabled")));
}

static void user_data_has_bounds(void **state)
{
    own_mem char *big = xcalloc(1, 70000);
    own_str char *boot = NULL, *out = NULL;
    struct user_data what = { .agent_url = "https://b:1/agent", .sha256 = SUM };
    struct err err = ERR_INIT;

    (void)state;
    memset(big, 'x', 69999);
    boot = xasprintf("{\"url\":\"%s\"}", big);
    what.boot = boot;
    assert_int_equal(user_data_make(&what, &out, &err), -1);
    assert_non_null(strstr(err.text, "65535"));
    what.boot = BOOT;
    what.agent_url = "unix:///run/spillway.sock/v1/agent/program";
    assert_int_equal(user_data_make(&what, &out, &err), -1);
    assert_non_null(strstr(err.text, "broker.url"));
    what.agent_url = "https://b:1/'; rm -rf /; '";
    assert_int_equal(user_data_make(&what, &out, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_credential_is_shown_as_keystone_wants_it),
        cmocka_unit_test(an_endpoint_is_of_a_region_and_an_interface),
        cmocka_unit_test(the_words_tell_faults_apart),
        cmocka_unit_test(gpus_are_read_from_extra_specs),
        cmocka_unit_test(the_site_file_knows_better),
        cmocka_unit_test(quota_is_split_between_us_and_others),
        cmocka_unit_test(placement_is_asked_for_one_class),
        cmocka_unit_test(what_placement_could_give_is_added_up),
        cmocka_unit_test(images_are_chosen_by_properties),
        cmocka_unit_test(an_image_is_known_by_what_it_holds),
        cmocka_unit_test(user_data_is_a_cloud_config),
        cmocka_unit_test(coreos_is_told_in_its_own_way),
        cmocka_unit_test(ignition_is_of_its_shape),
        cmocka_unit_test(user_data_has_bounds),
        cmocka_unit_test(a_machine_is_given_its_host_key_and_whom_to_let_in),
        cmocka_unit_test(coreos_is_given_them_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
