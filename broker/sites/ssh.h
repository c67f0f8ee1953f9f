/* SPDX-License-Identifier: Apache-2.0 */
/* ssh.h - a plain host as a site: `type: ssh`. */
#ifndef SPILLWAY_SITES_SSH_H
#define SPILLWAY_SITES_SSH_H

#include "spillway/site_driver.h"

extern const struct site_driver ssh_driver;

#endif
