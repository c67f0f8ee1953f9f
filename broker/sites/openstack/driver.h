/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - a project of an OpenStack cloud as a site: a worker is a server. */
#ifndef SPILLWAY_OPENSTACK_DRIVER_H
#define SPILLWAY_OPENSTACK_DRIVER_H

#include "spillway/site_driver.h"

extern const struct site_driver openstack_driver;

#endif
