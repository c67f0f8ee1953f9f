/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_site.c - configuration files, and the drivers' way to report on them. */
#include <stdint.h>
#include <stdlib.h>

#include "conf/broker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_as_a_driver(const struct site_conf *site)
{
    static const char *const known[] = { "cloud", "ssh", NULL };
    struct err err = ERR_INIT;
    const char *text = NULL;
    int64_t number = 0;
    char *path = NULL;

    site_conf_only(site, "", known, &err);
    site_conf_only(site, "/ssh", known, &err);
    site_conf_str(site, "/ssh/host", &text, &err);
    site_conf_i64(site, "/ssh/port", 1, 65535, &number, &err);
    site_conf_span(site, "/ssh/wait", &number, &err);
    site_conf_path(site, "/ssh/identity", &path, &err);
    site_conf_error(site, "/cloud", &err, "words");
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct broker_conf conf;
    struct err err = ERR_INIT;

    if (broker_conf_parse((const char *)data, size, "f", &conf, &err) < 0) {
        if (!*err.text)
            abort(); /* refused without a word */
        return 0;
    }
    for (size_t i = 0; i < conf.site_count; i++)
        ask_as_a_driver(&conf.sites[i]);
    broker_conf_free(&conf);
    return 0;
}
