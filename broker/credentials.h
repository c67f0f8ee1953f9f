/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.h - sites' credentials that end before runs that are planned there.
 *
 * From CREDENTIAL_AHEAD_MS before the end of a site's credential, the operator is told of it once,
 * if a schedule that could run there has a run after it.  Nothing else stops: a site without a
 * credential is one of several. */
#ifndef SPILLWAY_CREDENTIALS_H
#define SPILLWAY_CREDENTIALS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf/broker.h"
#include "conf/job.h"
#include "store/store.h"

#define CREDENTIAL_AHEAD_MS ((int64_t)7 * 86400 * 1000)

struct credentials;
struct credentials *credentials_new(void);
void credentials_free(struct credentials *credentials);

struct credential_site {
    const struct site_conf *conf;
    int64_t end_ms;
};
/* Whether it is time for another look; from the one thread that looks. */
bool credentials_due(const struct credentials *credentials);
/* Look at all schedules, with the sites whose credentials end soon.  The list may be empty. */
void credentials_look(struct credentials *credentials, struct store *store,
                      const struct broker_conf *conf, const struct credential_site *sites,
                      size_t site_count);
/* What the last look found for a schedule: {"site", "end", "run"}, or NULL.  Any thread. */
json_t *credentials_warning(struct credentials *credentials, int64_t schedule);

/* Whether rules and placement let a job of the project go there, whatever its size. */
bool credentials_concern(const struct broker_conf *conf, const struct site_conf *site,
                         const struct job_spec *spec, const char *project);

#endif
