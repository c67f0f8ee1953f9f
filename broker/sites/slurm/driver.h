/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - a Slurm cluster as a site: a worker is a batch job that runs an agent. */
#ifndef SPILLWAY_SLURM_DRIVER_H
#define SPILLWAY_SLURM_DRIVER_H

#include "spillway/site_driver.h"

extern const struct site_driver slurm_driver;

#endif
