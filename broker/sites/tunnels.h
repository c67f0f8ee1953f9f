/* SPDX-License-Identifier: Apache-2.0 */
/* tunnels.h - SSH to each worker of a site whose machines cannot reach us (`connect: ssh`).
 *
 * A worker of such a site is a machine with an sshd.  The broker logs in there as TUNNEL_USER and has
 * it listen on its own loopback; what the agent connects to there comes out at the broker's https
 * port.  Both keys of a worker, its host's and the one that logs in, are the broker's making: they
 * follow from a secret in the site's folder and the worker's name, so that a broker that starts
 * again has them, and none stands in a database.  The boot payload brings the machine its host key
 * and the public half of the other.  A machine that shows another key is told nothing.
 *
 * Each tunnel has a thread that opens it, and opens it again when it broke.  The functions are for
 * the site's one thread. */
#ifndef SPILLWAY_SITES_TUNNELS_H
#define SPILLWAY_SITES_TUNNELS_H

#include "conf/site.h"
#include "net/ssh_key.h"

#define TUNNEL_USER "spillway"

struct tunnels;
/* Reads `tunnel.port`; no network.  `dir`: the site's folder, made when it is first needed. */
int tunnels_open(const struct site_conf *conf, const char *dir, struct tunnels **out,
                 struct err *err);
void tunnels_close(struct tunnels *tunnels);
/* At the worker's loopback. */
int tunnels_port(const struct tunnels *tunnels);

/* What a worker that is about to be made is given.  The caller wipes the keys. */
int tunnels_keys(struct tunnels *tunnels, const char *name, struct ssh_key *host,
                 struct ssh_key *login, struct err *err);
/* The boot payload with the tunnel's end in place of our URL, which becomes where tunnels go. */
int tunnels_boot(struct tunnels *tunnels, const char *boot, char **out, struct err *err);

/* Those there were when the broker ended, without asking the cloud: once, before anything else. */
void tunnels_recall(struct tunnels *tunnels);
/* Have one to the worker at that address, from now on. */
void tunnels_want(struct tunnels *tunnels, const char *name, const char *address);
/* No longer; NULL: to none but those that were wanted since the last call like this. */
void tunnels_drop(struct tunnels *tunnels, const char *name);
/* What keeps the worker's tunnel from being open, in words; false: nothing, or there is none.
 * *refused: its sshd answers, but has for some time shown another key, or taken none of ours. */
bool tunnels_fault(struct tunnels *tunnels, const char *name, bool *refused, struct buf *words);

#endif
