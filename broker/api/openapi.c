/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.c - the description of this API, served as JSON.
 *
 * docs/openapi.yaml is put into the executable as it is, and turned to JSON at the first request.
 */
#include <pthread.h>

#include "api/handlers.h"
#include "api/request.h"
#include "base/log.h"
#include "conf/yaml.h"

__asm__(".section .rodata\n"
        ".global openapi_yaml\n"
        ".global openapi_yaml_end\n"
        "openapi_yaml:\n"
        ".incbin \"docs/openapi.yaml\"\n"
        "openapi_yaml_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const char openapi_yaml[], openapi_yaml_end[];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char *text; /* set once */

static void convert(void)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;
    struct err err = ERR_INIT;

    /* Two labels of one text, which C sees as two arrays. */
    /* cppcheck-suppress comparePointers */
    if (yaml_parse(openapi_yaml, (size_t)(openapi_yaml_end - openapi_yaml), &docs, &err) < 0 ||
        docs.count != 1)
        log_error("docs/openapi.yaml, as built in: %s", err.text);
    else
        text = json_dumps(docs.list[0].root, JSON_COMPACT);
}

int openapi_get(struct request *request, struct err *err)
{
    pthread_once(&once, convert);
    if (!text)
        return err_set(err, FAULT_INTERNAL, "the description of the API cannot be read");
    buf_puts(&request->reply.body, text);
    return reply_body(request, 200, NULL);
}
