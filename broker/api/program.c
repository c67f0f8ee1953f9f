/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - the agent's program, for workers that are just booting.
 *
 * Anyone may have it: it is no secret, and what a worker fetches here it checks against the hash in
 * its boot payload. */
#include <fcntl.h>
#include <microhttpd.h>
#include <sys/stat.h>

#include "api/handlers.h"
#include "api/request.h"
#include "base/own.h"
#include "sites/program.h"

int agent_program_get(struct request *request, struct err *err)
{
    own_str char *path = agent_program();
    own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct MHD_Response *response;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, "the agent's program %s", path);
    response = MHD_create_response_from_fd64((uint64_t)st.st_size, fd);
    if (!response)
        return err_set(err, FAULT_INTERNAL, "cannot answer with a file");
    take_fd(&fd);
    return reply_response(request, 200, "application/octet-stream", response);
}
