/* SPDX-License-Identifier: Apache-2.0 */
/* boot.h - what an agent is told at its start, and what it must know to start again.
 *
 * The payload is a JSON object:
 *   {"url": "unix:///PATH" | "http://127.0.0.1:PORT" | "https://HOST:PORT",
 *    "worker": NAME, "token": JOIN-TOKEN, "dir": working directory, "orphan_ms": N, "poweroff": bool,
 *   and, optional:
 *    "pin": SHA-256 of the broker's certificate (hex),
 *    "cpus": N, "memory_bytes": N    instead of what is found,
 *    "gpus": N, "gpu_model": "…", "gpu_memory_bytes": N
 *                                    what we were given, where none can be found: an image need not
 *                                    have the tools to look for them,
 *    "grace_ms": N                   how long a job may take to end when we leave,
 *    "notice": {"file": PATH}        the worker is being taken away when it exists,
 *    "container": IMAGE              what we run in: its jobs run as they are}
 * After the join the session's token takes the place of the join token, in DIR/agent.json. */
#ifndef AGENT_BOOT_H
#define AGENT_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "transport.h"

#define NONCE_HEX 33

struct boot {
    char *url, *worker, *dir, *notice_file; /* notice_file: NULL without */
    char *token;                            /* the join token; NULL once joined */
    char *session;                          /* NULL until joined */
    char *pin;                              /* NULL: the system's authorities must vouch */
    char *container; /* the image that the agent itself runs in; NULL: none, or not said */
    char nonce[NONCE_HEX];
    int64_t orphan_ms;
    int64_t cpus, memory; /* 0: as found */
    int64_t gpus, gpu_memory;
    char *gpu_model; /* NULL: not said */
    int64_t grace_ms;
    bool poweroff;
    struct server server; /* of `url` */
};

#define BOOT_INIT   \
    {               \
        .url = NULL \
    }

/* From text; also what boot_save() wrote. */
int boot_parse(const char *text, size_t length, struct boot *out, struct err *err);
/* `path` is "-" for standard input; a file is removed once it was read. */
int boot_read(const char *path, struct boot *out, struct err *err);
/* DIR/agent.json, 0600, replaced as a whole. */
int boot_save(const struct boot *boot, struct err *err);
int boot_resume(const char *dir, struct boot *out, struct err *err);
void boot_free(struct boot *boot);
#define own_boot own(boot_free)

#endif
