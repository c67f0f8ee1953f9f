/* SPDX-License-Identifier: Apache-2.0 */
/* local.h - this machine as a site: `type: local`. */
#ifndef SPILLWAY_LOCAL_H
#define SPILLWAY_LOCAL_H

#include "spillway/site_driver.h"

extern const struct site_driver local_driver;

#endif
