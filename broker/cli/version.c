/* SPDX-License-Identifier: Apache-2.0 */
/* version.c - `spillway version`: ours, and the broker's where it answers. */
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/commands.h"

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    own_json json_t *answer = NULL;
    struct err fault = ERR_INIT;
    bool there = cli_get(cli, &answer, &fault, "/v1/version") == 0;
    own_str char *safe = safe_text(there ? field_text(answer, "version") : fault.text);

    (void)args;
    (void)err;
    if (cli->json) {
        own_json json_t *object = json_pack("{s:s, s:s?}", "version", SPILLWAY_VERSION, "broker",
                                            there ? field_text(answer, "version") : NULL);

        print_json(object);
        return EXIT_OK;
    }
    printf("spillway %s\n", SPILLWAY_VERSION);
    if (there)
        printf("broker   %s\n", safe);
    else
        fprintf(stderr, "broker   %s\n", safe);
    return EXIT_OK;
}

const struct command command_version = {
    .name = "version",
    .help = "the versions of this program and of the broker",
    .synopsis = "",
    .text = "Prints the version of this program, and of the broker where one answers.",
    .example = "spillway version --json",
    .run = run,
};
