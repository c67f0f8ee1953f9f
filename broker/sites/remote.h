/* SPDX-License-Identifier: Apache-2.0 */
/* remote.h - what the sites that are reached over SSH share: the session, the agent's copy there,
 * the folder of each worker, and the tunnel through which agents reach the broker.
 *
 * Everything of ours on the other side lies in one folder: bin/ holds the agent, once for each
 * version, and workers/NAME what belongs to one worker. */
#ifndef SPILLWAY_SITES_REMOTE_H
#define SPILLWAY_SITES_REMOTE_H

#include "conf/site.h"
#include "net/pace.h"
#include "net/ssh.h"
#include "sites/tunnel_end.h"
#include "spillway/site_driver.h"

#define REMOTE_OUTPUT_MOST ((size_t)64 << 20)
#define REMOTE_ERRORS_MOST ((size_t)64 << 10)

struct remote {
    const struct site_conf *conf;
    struct pace pace; /* of commands */
    struct ssh *ssh;
    char *dir_wanted; /* as configured; NULL: .spillway in the home directory */
    char *dir;        /* absolute; NULL until remote_ready() */
    char *agent;      /* our copy of the program */
    char *agent_there;
    char *path;      /* put before PATH there; NULL: nothing */
    char *local_dir; /* this site's folder here */
    const char *tunnel_bind, *tunnel_host;
    int64_t tunnel_port;         /* 0: any */
    struct tunnel_end tunnel_to; /* unknown: no tunnel is in use */
};

/* Reads `ssh`, `dir`, `path`, `agent`, `tunnel`. */
int remote_open(struct remote *remote, const struct site_conf *conf, const char *dir,
                struct err *err);
void remote_close(struct remote *remote);

/* 'TEXT', so that sh takes it for one word whatever is in it. */
void put_quoted(struct buf *out, const char *text);
/* Commands of the last minute, and the most that `calls:` allows. */
void remote_calls(struct remote *remote, int *last_minute, int *most);
/* Run a script, no sooner than `calls:` allows; a status that is not 0 is a fault, typed by what it printed. */
int remote_run(struct remote *remote, const char *script, struct buf *out, int64_t deadline_mono_ms,
               struct err *err);
/* The fault of a command that ended with this status, which is not 0, and printed these errors. */
int remote_fault(const struct remote *remote, int status, const char *errors, struct err *err);
/* Folders made, the agent copied when this version is not there yet, the tunnel open where one is
 * used. */
int remote_ready(struct remote *remote, int64_t deadline_mono_ms, struct err *err);
/* The tunnel alone, where one is used: a session that died took its door with it. */
int remote_tunnel(struct remote *remote, int64_t deadline_mono_ms, struct err *err);
/* The payload as the agent there needs it: with its folder, its share of the machine, and the
 * tunnel's end in place of our URL.  Owned by the caller. */
int remote_boot(struct remote *remote, const struct order *order, const struct shape *shape,
                int64_t deadline_mono_ms, char **out, struct err *err);
/* Shell lines that make workers/NAME (as $W) with the payload in it, for its owner alone. */
void remote_put_boot(const struct remote *remote, const char *name, const char *boot,
                     struct buf *out);
int remote_diagnose(struct remote *remote, const char *name, int64_t deadline_mono_ms,
                    struct buf *out, struct err *err);
void resource_add(struct resources_list *list, const char *id, const char *name,
                  enum instance_state state, const char *detail, int64_t created_ms);
/* "spillway-BROKER8-": how the names of a broker's workers begin. */
bool remote_is_ours(const char *name, const char *broker);
/* The type of fault in what a command of the other side printed. */
enum fault remote_fault_of(const char *words);

#endif
