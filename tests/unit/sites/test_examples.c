/* SPDX-License-Identifier: Apache-2.0 */
/* test_examples.c - the site files in examples/sites can be used as they are, once a secret is
 * there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <string.h>

#include "base/io.h"
#include "base/own.h"
#include "conf/broker.h"
#include "sites/site.h"

#define SECRETS                                                                     \
    "clouds: {scigne: &c {auth: {application_credential_secret: s}}, gricad: *c,\n" \
    "  mesocentre-amu: *c, oscar-uca: *c, lille: *c, virtualdata: *c, ovh: *c,\n"   \
    "  otc: {auth: {password: s}}}\n"

static void open_all(const char *path)
{
    struct broker_conf conf;
    struct err err = ERR_INIT;

    if (broker_conf_load(path, &conf, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(conf.site_count > 0);
    for (size_t i = 0; i < conf.site_count; i++) {
        struct site *site = NULL;

        if (conf.sites[i].fault)
            fail_msg("%s", conf.sites[i].fault);
        if (site_open(&conf.sites[i], "/nowhere", &site, &err) < 0)
            fail_msg("%s", err.text);
        site_close(site);
    }
    broker_conf_free(&conf);
}

static void every_site_file_can_be_used(void **state)
{
    char dir[] = "/tmp/spillway-examples.XXXXXX";
    own_str char *secure = NULL;
    glob_t files;
    size_t seen = 0;

    (void)state;
    assert_non_null(mkdtemp(dir));
    secure = xasprintf("%s/secure.yaml", dir);
    assert_int_equal(io_replace_file(secure, 0600, SECRETS, strlen(SECRETS), NULL), 0);
    setenv("OS_CLIENT_CONFIG_FILE", "examples/sites/clouds.yaml", 1);
    setenv("OS_CLIENT_SECURE_FILE", secure, 1);
    assert_int_equal(glob("examples/sites/*.yaml", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        if (strstr(files.gl_pathv[i], "/clouds.yaml"))
            continue;
        open_all(files.gl_pathv[i]);
        seen++;
    }
    assert_int_equal(seen, 11);
    globfree(&files);
    io_remove_tree(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_site_file_can_be_used) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
