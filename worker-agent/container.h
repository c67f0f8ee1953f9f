/* SPDX-License-Identifier: Apache-2.0 */
/* container.h - a job in a container image, by whichever runtime the worker has. */
#ifndef AGENT_CONTAINER_H
#define AGENT_CONTAINER_H

#include "agent.h"

/* `argv` as the runtime's command line, in the scratch arena; may add to *env.  NULL with
 * FAULT_NOT_FOUND when no runtime is installed. */
char **container_argv(struct attempt *a, char **argv, char ***env, struct err *err);
/* After its end: what the runtime says when it could not run the image; NULL: the job ran. */
const char *container_fault(struct attempt *a);
/* Remove what a runtime with a daemon may have left running. */
void container_end(struct attempt *a);

#endif
