/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel_end.h - where our end of a site's tunnels goes: the broker's own https port.
 *
 * It is in the boot payload of each worker that is made, and kept in the site's folder: a broker
 * that starts again must open the door before its agents give up. */
#ifndef SPILLWAY_SITES_TUNNEL_END_H
#define SPILLWAY_SITES_TUNNEL_END_H

#include "base/err.h"

struct tunnel_end {
    char *host; /* NULL: not known yet */
    int port;
};

void tunnel_end_fini(struct tunnel_end *end);
/* From "https://HOST:PORT/".  On a fault *end is as it was. */
int tunnel_end_read(struct tunnel_end *end, const char *url, struct err *err);
int tunnel_end_keep(const char *dir, const char *url, struct err *err);
/* What was kept, unless it is known. */
void tunnel_end_recall(struct tunnel_end *end, const char *dir);

#endif
