/* SPDX-License-Identifier: Apache-2.0 */
/* serve.h - the callbacks that api.c gives to libmicrohttpd; `cls` is the api. */
#ifndef SPILLWAY_API_SERVE_H
#define SPILLWAY_API_SERVE_H

#include <microhttpd.h>

void serve_connection(void *cls, struct MHD_Connection *connection, void **slot,
                      enum MHD_ConnectionNotificationCode code);
enum MHD_Result serve_request(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **slot);
void serve_completed(void *cls, struct MHD_Connection *connection, void **slot,
                     enum MHD_RequestTerminationCode code);
/* Close connections whose clients take too long over a request. */
void serve_stalled(void *api);
/* A thread of a pool runs the handler of a request. */
void serve_pooled(void *request);

#endif
