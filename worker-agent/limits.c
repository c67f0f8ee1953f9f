/* SPDX-License-Identifier: Apache-2.0 */
/* limits.c - memory.
 *
 * Without a cgroup the resident memory of the whole session is added up a few times a second.
 * RLIMIT_DATA, far above the limit, stops what grows faster than that; RLIMIT_AS would not do, as
 * programs that reserve address space (CUDA, Java, Go) need much more of it than they use. */
#include "limits.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>

#include "base/log.h"
#include "base/parse.h"

#define LOOK_MS   250
#define GIB       ((int64_t)1 << 30)
#define SMAP_MOST 65536

struct emptying {
    struct list node;
    struct cgroup *group;
};

void limits_prepare(struct attempt *a, struct spawn *spawn)
{
    struct agent *agent = a->agent;
    struct err err = ERR_INIT;

    if (!a->need.memory)
        return;
    if (cgroups_limit_memory(agent->cgroups)) {
        a->cgroup = cgroup_new(agent->cgroups, a->id, a->need.memory, &err);
        if (a->cgroup) {
            spawn->procs_fd = cgroup_procs_fd(a->cgroup);
            return;
        }
        log_warn("%s; its memory is watched instead", err.text);
    }
    spawn->data_most = a->need.memory + (a->need.memory > GIB ? a->need.memory : GIB);
}

/* ---- without a cgroup ------------------------------------------------------------------------ */

static bool read_small(const char *path, char *out, size_t size)
{
    own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, out, size - 1);

    if (got <= 0)
        return false;
    out[got] = '\0';
    return true;
}

/* Session and resident pages, from /proc/PID/stat: "PID (NAME) S PPID PGRP SESSION ..." */
static bool read_stat(const char *pid, pid_t *session, int64_t *pages)
{
    char path[64], text[1024], *after;
    int sid;
    long long rss;

    snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
    if (!read_small(path, text, sizeof text) || !(after = strrchr(text, ')')))
        return false;
    if (sscanf(
            after + 1,
            " %*c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %*u "
            "%lld",
            &sid, &rss) != 2)
        return false;
    *session = sid;
    *pages = rss;
    return true;
}

/* The share of a process in the pages it has in common with others, bytes; `otherwise` on old
 * kernels. */
static int64_t read_pss(const char *pid, int64_t otherwise)
{
    char path[64], text[SMAP_MOST], *line;
    long long kib;

    snprintf(path, sizeof path, "/proc/%.16s/smaps_rollup", pid);
    if (!read_small(path, text, sizeof text) || !(line = strstr(text, "\nPss:")) ||
        sscanf(line, " Pss: %lld", &kib) != 1)
        return otherwise;
    return kib * 1024;
}

/* Sum over the session; `shared` divides what several map among them, which costs more to find out.
 */
static int64_t session_memory(pid_t leader, bool shared)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    int64_t sum = 0, page = sysconf(_SC_PAGESIZE);

    while (dir && (entry = readdir(dir))) {
        pid_t session;
        int64_t pages;

        if (!isdigit((unsigned char)entry->d_name[0]) ||
            !read_stat(entry->d_name, &session, &pages) || session != leader)
            continue;
        sum += shared ? read_pss(entry->d_name, pages * page) : pages * page;
    }
    if (dir)
        closedir(dir);
    return sum;
}

static bool over_by_looking(struct attempt *a)
{
    int64_t used = session_memory(a->pid, false);

    if (used > a->need.memory)
        used = session_memory(a->pid, true);
    if (used > a->max_rss)
        a->max_rss = used;
    return used > a->need.memory;
}

/* ---- all ------------------------------------------------------------------------------------- */

int64_t limits_check(struct attempt *a, int64_t most_ms)
{
    if (!a->need.memory)
        return most_ms;
    /* v1 kills one process where v2 kills the group: finish what it began. */
    if (a->cgroup ? cgroup_oom_kills(a->cgroup) > 0 : over_by_looking(a))
        run_stop(a, REASON_MEMORY, "used more memory than it asked for", 0);
    return a->cgroup ? most_ms : LOOK_MS;
}

bool limits_exceeded(const struct attempt *a)
{
    return a->cgroup && cgroup_oom_kills(a->cgroup) > 0;
}

void limits_end(struct attempt *a)
{
    struct cgroup *group = take_ptr(a->cgroup);
    struct emptying *rest;
    int64_t peak;

    if (!group)
        return;
    peak = cgroup_memory_peak(group);
    if (peak > a->max_rss)
        a->max_rss = peak;
    cgroup_kill(group);
    if (cgroup_remove(group))
        return;
    rest = xcalloc(1, sizeof *rest);
    rest->group = group;
    list_add_tail(&a->agent->emptying, &rest->node);
}

bool limits_empty(struct agent *agent)
{
    list_each_safe(at, &agent->emptying)
    {
        struct emptying *rest = list_item(at, struct emptying, node);

        cgroup_kill(rest->group);
        if (!cgroup_remove(rest->group))
            continue;
        list_del(&rest->node);
        free(rest);
    }
    return !list_empty(&agent->emptying);
}
