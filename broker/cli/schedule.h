/* SPDX-License-Identifier: Apache-2.0 */
/* schedule.h - between schedule.c (coming times) and schedules.c (what the broker keeps). */
#ifndef SPILLWAY_CLI_SCHEDULE_H
#define SPILLWAY_CLI_SCHEDULE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/args.h"

struct cli;

extern const struct command command_schedule_add, command_schedule_ls, command_schedule_show,
    command_schedule_pause, command_schedule_resume, command_schedule_trigger,
    command_schedule_history, command_schedule_rm;

/* "/v1/schedules/NAME[/VERB]", with --user where given. */
void schedule_path(const struct args *args, const char *name, const char *verb, struct buf *out);
/* Times of a schedule that the broker keeps, as `schedule next` prints them. */
int schedule_next_kept(struct cli *cli, const struct args *args, json_t **out, struct err *err);

#endif
