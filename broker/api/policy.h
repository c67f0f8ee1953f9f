/* SPDX-License-Identifier: Apache-2.0 */
/* policy.h - the part of the configuration that the API decides by, as one immutable copy.
 *
 * SIGHUP puts a new copy in place of the old one; a request uses the one that it began with. */
#ifndef SPILLWAY_API_POLICY_H
#define SPILLWAY_API_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/broker.h"
#include "store/store.h"

struct caller;
struct policy;

struct policy *policy_new(const struct broker_conf *conf);
struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy); /* NULL allowed */

/* The role of a login on the Unix socket who is neither root nor the daemon's own user. */
enum role policy_role(const struct policy *policy, const char *user);
/* The project of a job that names none. */
const char *policy_project(const struct policy *policy, const struct caller *caller);
/* FAULT_AUTH when the caller may not submit under `project`. */
int policy_may_use(const struct policy *policy, const struct caller *caller, const char *project,
                   struct err *err);
/* The same of somebody who does not ask in person, and has no token that names the project; `role`
 * is her login's. */
int policy_user_may(const struct policy *policy, const char *user, enum role role,
                    const char *project, struct err *err);
/* How many tasks that have not ended there may be, of this user and in all. */
struct open_most policy_open_most(const struct policy *policy, const char *user);
const struct retention *policy_retention(const struct policy *policy);
int64_t policy_upload_most(const struct policy *policy);
int64_t policy_output_most(const struct policy *policy);
size_t policy_body_most(const struct policy *policy);
/* Requests a second that one user may make; 0: any. */
double policy_rate(const struct policy *policy);

#endif
