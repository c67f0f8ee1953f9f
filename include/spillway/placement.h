/* SPDX-License-Identifier: Apache-2.0 */
/* placement.h - words of placement that job files, site files and the scheduler share. */
#ifndef SPILLWAY_PLACEMENT_H
#define SPILLWAY_PLACEMENT_H

enum objective { OBJECTIVE_BALANCED, OBJECTIVE_TIME, OBJECTIVE_COST };
/* The order in which overflow reaches sites. */
enum tier { TIER_HOME, TIER_PARTNER, TIER_COMMERCIAL };
/* How far a site is trusted with users' work. */
enum phase { PHASE_TEST, PHASE_PRE_PRODUCTION, PHASE_PRODUCTION };
/* What operators try sites with: it may go to every site, whatever its phase, and only they may submit
 * under it. */
#define PROBE_PROJECT "spillway-probe"
/* The operator's switch. */
enum site_mode { SITE_ENABLED, SITE_DISABLED, SITE_DRAINING };

#endif
