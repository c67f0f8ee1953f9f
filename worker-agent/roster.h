/* SPDX-License-Identifier: Apache-2.0 */
/* roster.h - which attempts this agent has and which processes lead them, kept where a successor
 * finds it after a kill -9: a mapped file, DIR/roster.  To write in it costs no system call. */
#ifndef AGENT_ROSTER_H
#define AGENT_ROSTER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct roster;

/* One attempt, as the file holds it. */
struct roster_row {
    int64_t attempt; /* 0: free */
    int32_t pid;     /* leads its process group; 0: none */
    int32_t started; /* whether it ever had a process */
};

struct roster *roster_open(const char *dir, struct err *err);
/* A row's number; when the file is full, a number that the other calls ignore. */
size_t roster_add(struct roster *roster, int64_t attempt);
void roster_set_pid(struct roster *roster, size_t row, pid_t pid);
void roster_drop(struct roster *roster, size_t row);
/* The agent lives now: what a successor takes for ours was started before. */
void roster_beat(struct roster *roster);
/* cgroup folder, so that a successor can kill what is in it; "" when there is none. */
void roster_set_cgroups(struct roster *roster, const char *path);

/* What a dead agent left: rows that are in use, at most `most`.  0 also when there is no file. */
size_t roster_read(const char *dir, struct roster_row *rows, size_t most, int64_t *beat_mono_ms,
                   char *cgroups, size_t cgroups_size);

#define ROSTER_ROWS 16384

#endif
