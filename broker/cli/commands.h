/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - the commands, one file each or a few of a kind. */
#ifndef SPILLWAY_CLI_COMMANDS_H
#define SPILLWAY_CLI_COMMANDS_H

#include "cli/args.h"

extern const struct command command_submit;     /* submit.c */
extern const struct command command_run;        /* run.c */
extern const struct command command_ls;         /* ls.c */
extern const struct command command_show;       /* show.c */
extern const struct command command_explain;    /* explain.c */
extern const struct command command_logs;       /* logs.c */
extern const struct command command_fetch;      /* fetch.c */
extern const struct command command_wait;       /* wait.c */
extern const struct command command_cancel;     /* change.c */
extern const struct command command_hold;       /* change.c */
extern const struct command command_release;    /* change.c */
extern const struct command command_retry;      /* change.c */
extern const struct command command_schedule;   /* schedule.c */
extern const struct command command_notices;    /* notices.c */
extern const struct command command_burst;      /* burst.c */
extern const struct command command_sites;      /* sites.c */
extern const struct command command_workers;    /* workers.c */
extern const struct command command_top;        /* top.c */
extern const struct command command_usage;      /* usage.c */
extern const struct command command_events;     /* events.c */
extern const struct command command_simulate;   /* simulate.c */
extern const struct command command_token;      /* token.c */
extern const struct command command_doctor;     /* doctor.c */
extern const struct command command_version;    /* version.c */
extern const struct command command_completion; /* completion.c */
extern const struct command command_help;       /* manual.c */
extern const struct command command_complete;   /* completion.c: what the shells call */
extern const struct command command_manual;     /* manual.c: the man page, from the tables */

#endif
