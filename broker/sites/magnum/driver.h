/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - a cluster that Magnum makes from a template, as a site. */
#ifndef SPILLWAY_MAGNUM_DRIVER_H
#define SPILLWAY_MAGNUM_DRIVER_H

#include "spillway/site_driver.h"

extern const struct site_driver magnum_driver;

#endif
