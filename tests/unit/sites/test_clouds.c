/* SPDX-License-Identifier: Apache-2.0 */
/* test_clouds.c - broker/sites/openstack/clouds.c: files and variables, merged as openstacksdk
 * does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/own.h"
#include "sites/openstack/clouds.h"

/* A folder of its own, the working directory, with no other configuration in sight. */
static int set_up(void **state)
{
    char *dir = xstrdup("/tmp/spillway-clouds.XXXXXX");
    const char *kept = getenv("CMOCKA_MESSAGE_OUTPUT"); /* the runner reads TAP */
    char output[16];

    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    snprintf(output, sizeof output, "%s", kept ? kept : "");
    clearenv();
    if (*output)
        setenv("CMOCKA_MESSAGE_OUTPUT", output, 1);
    setenv("HOME", dir, 1);
    *state = dir;
    return 0;
}

static int tear_down(void **state)
{
    assert_int_equal(chdir("/"), 0);
    io_remove_tree(*state, NULL);
    free(*state);
    return 0;
}

static void put(const char *path, const char *text)
{
    struct err err = ERR_INIT;

    if (io_replace_file(path, 0600, text, strlen(text), &err) < 0)
        fail_msg("%s", err.text);
}

static struct cloud load(const char *name)
{
    struct cloud cloud;
    struct err err = ERR_INIT;

    if (cloud_load(name, NULL, NULL, &cloud, &err) < 0)
        fail_msg("%s", err.text);
    return cloud;
}

static const char *auth(const struct cloud *cloud, const char *key)
{
    const char *text = json_string_value(json_object_get(cloud->auth, key));

    return text ? text : "";
}

static void assert_refused(const char *name, const char *words)
{
    struct cloud cloud;
    struct err err = ERR_INIT;

    assert_int_equal(cloud_load(name, NULL, NULL, &cloud, &err), -1);
    if (!strstr(err.text, words))
        fail_msg("'%s' lacks '%s'", err.text, words);
}

#define LAB                                                                          \
    "clouds:\n"                                                                      \
    "  lab:\n"                                                                       \
    "    region_name: one\n"                                                         \
    "    auth: {auth_url: 'https://lab:5000', username: ada, project_name: genes,\n" \
    "           user_domain_name: People, project_domain_name: Projects}\n"

static void secure_yaml_completes_an_entry(void **state)
{
    struct cloud cloud;

    (void)state;
    put("clouds.yaml", LAB);
    put("secure.yaml", "clouds: {lab: {auth: {password: sesame, username: eve}}}\n");
    cloud = load("lab");
    assert_string_equal(auth(&cloud, "password"), "sesame");
    assert_string_equal(auth(&cloud, "username"), "eve"); /* what is secure wins */
    assert_string_equal(auth(&cloud, "project_name"), "genes");
    assert_string_equal(cloud.auth_url, "https://lab:5000/v3");
    assert_string_equal(cloud.region, "one");
    assert_string_equal(cloud.interface, "public");
    assert_int_equal(cloud.auth_type, CLOUD_PASSWORD);
    assert_false(cloud.insecure);
    cloud_fini(&cloud);
}

static void the_first_file_counts(void **state)
{
    own_str char *other = xasprintf("%s/other.yaml", (char *)*state);
    struct cloud cloud;

    put("clouds.yaml", LAB);
    put("other.yaml", "clouds: {lab: {auth: {auth_url: 'https://other/v3', token: t}}}\n");
    setenv("OS_CLIENT_CONFIG_FILE", other, 1);
    cloud = load("lab");
    assert_string_equal(cloud.auth_url, "https://other/v3");
    assert_string_equal(auth(&cloud, "username"), ""); /* not merged with the one here */
    cloud_fini(&cloud);
}

static void a_profile_lies_below_the_entry(void **state)
{
    struct cloud cloud;

    (void)state;
    put("clouds-public.yaml", "public-clouds: {acme: {auth: {auth_url: 'https://acme/v3'},\n"
                              "  region_name: far, interface: internal}}\n");
    put("clouds.yaml", "clouds:\n"
                       "  a: {profile: acme, region_name: near, auth: {username: u, password: p,\n"
                       "      project_name: x}}\n"
                       "  b: {cloud: ovh, auth: {username: u, password: p, project_name: x}}\n"
                       "  c: {profile: otc, region_name: eu-de, auth: {username: u, password: p,\n"
                       "      project_name: x}}\n"
                       "  d: {profile: nobody, auth: {username: u}}\n");
    cloud = load("a");
    assert_string_equal(cloud.auth_url, "https://acme/v3");
    assert_string_equal(cloud.region, "near");
    assert_string_equal(cloud.interface, "internal");
    cloud_fini(&cloud);
    cloud = load("b");
    assert_string_equal(cloud.auth_url, "https://auth.cloud.ovh.net/v3");
    cloud_fini(&cloud);
    cloud = load("c");
    assert_string_equal(cloud.auth_url, "https://iam.eu-de.otc.t-systems.com/v3");
    cloud_fini(&cloud);
    assert_refused("d", "profile 'nobody' is not known");
}

static void variables_make_a_cloud(void **state)
{
    struct cloud cloud;

    (void)state;
    setenv("OS_AUTH_URL", "https://env:5000/v2.0/", 1);
    setenv("OS_USERNAME", "ada", 1);
    setenv("OS_PASSWORD", "sesame", 1);
    setenv("OS_TENANT_NAME", "genes", 1);
    setenv("OS_DOMAIN_NAME", "lab", 1);
    setenv("OS_ENDPOINT_TYPE", "internalURL", 1);
    setenv("OS_INSECURE", "true", 1);
    cloud = load(NULL);
    assert_string_equal(cloud.auth_url, "https://env:5000/v3");
    assert_string_equal(auth(&cloud, "project_name"), "genes");
    assert_string_equal(auth(&cloud, "user_domain_name"), "lab");
    assert_string_equal(auth(&cloud, "project_domain_name"), "lab");
    assert_string_equal(auth(&cloud, "domain_name"), "");
    assert_string_equal(cloud.interface, "internal");
    assert_true(cloud.insecure);
    cloud_fini(&cloud);
    /* A named cloud is that of the file, whatever the variables say. */
    put("clouds.yaml", "clouds: {lab: {auth: {auth_url: 'http://x', token: t}}}\n");
    setenv("OS_CLOUD", "lab", 1);
    cloud = load(NULL);
    assert_string_equal(cloud.auth_url, "http://x/v3");
    assert_int_equal(cloud.auth_type, CLOUD_TOKEN);
    cloud_fini(&cloud);
}

static void an_application_credential_needs_no_project(void **state)
{
    struct cloud cloud;

    (void)state;
    put("clouds.yaml", "clouds: {lab: {auth_type: v3applicationcredential, verify: false,\n"
                       "  auth: {auth_url: 'https://x/v3/', application_credential_id: 1234,\n"
                       "         application_credential_secret: s}}}\n");
    cloud = load(NULL); /* the only one */
    assert_int_equal(cloud.auth_type, CLOUD_APPLICATION);
    assert_string_equal(auth(&cloud, "application_credential_id"), "1234");
    assert_true(cloud.insecure);
    cloud_fini(&cloud);
}

static void a_list_of_regions_has_values_of_each(void **state)
{
    struct cloud cloud;
    struct err err = ERR_INIT;

    (void)state;
    put("clouds.yaml", "clouds: {lab: {regions: [{name: one, values: {cacert: /one.pem}}, two],\n"
                       "  auth: {auth_url: 'https://x', token: t}}}\n");
    cloud = load("lab");
    assert_string_equal(cloud.region, "one");
    assert_string_equal(cloud.cacert, "/one.pem");
    cloud_fini(&cloud);
    assert_int_equal(cloud_load("lab", NULL, "two", &cloud, &err), 0);
    assert_string_equal(cloud.region, "two");
    assert_null(cloud.cacert);
    cloud_fini(&cloud);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_refused("lab", "no clouds.yaml was found");
    put("clouds.yaml", LAB);
    assert_refused("lab", "cloud lab: auth.password");
    assert_refused("lap", "has no cloud 'lap'; there is lab");
    put("clouds.yaml", "clouds: {lab: {auth: {username: u}}, other: {}}\n");
    assert_refused("lab", "auth.auth_url is missing");
    assert_refused(NULL, "holds several clouds");
    put("clouds.yaml",
        "clouds: {lab: {auth_type: v3oidcpassword, auth: {auth_url: 'https://x'}}}\n");
    assert_refused("lab", "auth_type 'v3oidcpassword'");
    put("clouds.yaml", "clouds: [lab]\n");
    assert_refused("lab", "clouds.yaml:1:9: must be a mapping");
    put("clouds.yaml", "clouds: {lab: \n");
    assert_refused("lab", "clouds.yaml:2:1: ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(secure_yaml_completes_an_entry),
        TEST(the_first_file_counts),
        TEST(a_profile_lies_below_the_entry),
        TEST(variables_make_a_cloud),
        TEST(an_application_credential_needs_no_project),
        TEST(a_list_of_regions_has_values_of_each),
        TEST(what_is_wrong_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
