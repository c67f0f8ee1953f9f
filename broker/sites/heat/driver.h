/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - a project of an OpenStack cloud as a site: a worker is a stack of the operator's. */
#ifndef SPILLWAY_HEAT_DRIVER_H
#define SPILLWAY_HEAT_DRIVER_H

#include "spillway/site_driver.h"

extern const struct site_driver heat_driver;

#endif
