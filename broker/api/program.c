/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - the agent's program, for workers that are just booting.
 *
 * /v1/agent/program is open to anyone: it is no secret, and what a worker fetches there it checks
 * against the hash in its boot payload.  /v1/agent/binary/{arch} is for whoever can show that it is
 * a worker of ours, by its join token, which is not used up by that, or by its session; it tells
 * the hash too, and serves other architectures where a program for them lies beside ours. */
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "api/files.h"
#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "base/log.h"
#include "base/own.h"
#include "sites/program.h"

static int open_program(const char *path, int64_t *size, struct err *err)
{
    own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, "the agent's program %s", path);
    *size = st.st_size;
    return take_fd(&fd);
}

int agent_program_get(struct request *request, struct err *err)
{
    own_str char *path = agent_program();
    int64_t size = 0;
    own_fd int fd = open_program(path, &size, err);

    return fd < 0 ? -1 : file_reply(request, &fd, size, err);
}

/* ---- for workers alone */

static int check_worker(struct request *request, struct err *err)
{
    const char *token = request_bearer(request);

    if (!token)
        err_set(err, FAULT_AUTH, "no token: send Authorization: Bearer JOIN-TOKEN");
    else if (auth_booting(request->api->auth, token, request->peer->address, err) == 0)
        return 0;
    if (err->fault == FAULT_AUTH)
        request->fault_status = 403;
    return -1;
}

/* "x86_64": spillway-agent itself, or spillway-agent-ARCH beside it.  NULL: there is none. */
static char *program_for(const char *arch)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    own_str char *path = agent_program(), *other = NULL;
    struct utsname here;

    if (!*arch || strlen(arch) > 32 || arch[strspn(arch, letters)])
        return NULL;
    other = xasprintf("%s-%s", path, arch);
    if (access(other, R_OK) == 0)
        return take_ptr(other);
    return uname(&here) == 0 && strcmp(here.machine, arch) == 0 ? take_ptr(path) : NULL;
}

int agent_binary_get(struct request *request, struct err *err)
{
    own_str char *path = NULL;
    char sha256[SHA256_HEX];
    own_fd int fd = -1;
    int64_t size = 0;

    if (check_worker(request, err) < 0)
        return -1;
    path = program_for(request->params[0]);
    if (!path)
        return err_set(err, FAULT_NOT_FOUND,
                       "no agent for this architecture: put spillway-agent-ARCH beside "
                       "spillway-agent on the broker's machine");
    fd = open_program(path, &size, err);
    if (fd < 0 || sha256_file(path, sha256, &size, err) < 0)
        return -1;
    reply_header(request, "Spillway-Agent-Sha256", "%s", sha256);
    return file_reply(request, &fd, size, err);
}
