/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - the HTTP API: docs/http-api.md spoken over a Unix socket and, where configured, TCP.
 *
 * Owns its threads: libmicrohttpd's, which never block on a client or on another module's answer; a
 * few workers for calls that do; one that watches connections which wait.  api_open binds nothing
 * and may fail on a bad certificate or address; once api_start returns the socket answers.  Main
 * thread only. */
#ifndef SPILLWAY_API_API_H
#define SPILLWAY_API_API_H

#include "base/err.h"
#include "broker.h"

struct api;
struct broker_conf;

int api_open(struct broker *broker, const struct broker_conf *conf, struct api **out,
             struct err *err);
int api_start(struct api *api, struct err *err);
/* SIGHUP: who may do what, how much and how often, from a new configuration.  Sockets and
 * certificate stay; a certificate that is another by now is warned of. */
void api_reload(struct api *api, const struct broker_conf *conf);
/* Ends streams and long polls, answers what is under way, closes the sockets.  The broker must
 * still run: submissions under way wait for their commit. */
void api_stop(struct api *api);
/* NULL allowed.  After broker_close(), whose last commits may still tell us of events. */
void api_close(struct api *api);

/* Whether jobs may still be made for `user` under `project`, when she is not there to ask.
 * FAULT_AUTH: by no rule and no token of hers.  Any thread. */
/* How many tasks of the user may be open. */
struct open_most api_open_most(struct api *api, const char *user);
int api_user_may(struct api *api, const char *user, const char *project, struct err *err);

/* SHA-256 of the TLS certificate (its DER form), 64 hex digits, for agents to pin; NULL without
 * TLS. */
const char *api_pin(const struct api *api);
/* Path of the Unix socket. */
const char *api_socket(const struct api *api);

#endif
