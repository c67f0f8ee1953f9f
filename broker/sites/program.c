/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - where the agent's program lies. */
#include "sites/program.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"

char *agent_program(void)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;
    char *path;

    if (length < 0)
        return xstrdup("spillway-agent");
    self[length] = '\0';
    slash = strrchr(self, '/');
    *slash = '\0';
    path = xasprintf("%s/spillway-agent", self);
    if (access(path, X_OK) == 0)
        return path;
    free(path);
    return xasprintf("%s/../libexec/spillway/spillway-agent", self);
}
