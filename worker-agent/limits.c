/* SPDX-License-Identifier: Apache-2.0 */
/* limits.c - memory.
 *
 * Without a cgroup the resident memory of the whole job is added up a few times a second.
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

struct process {
    pid_t pid, parent, group;
    int64_t bytes;
    bool ours;
};

/* From /proc/PID/stat: "PID (NAME) S PPID PGRP SESSION ..." */
static bool read_stat(const char *pid, struct process *out)
{
    char path[64], text[1024], *after;
    long long pages;
    int parent, group;

    snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
    if (!read_small(path, text, sizeof text) || !(after = strrchr(text, ')')))
        return false;
    if (sscanf(after + 1,
               " %*c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %*u "
               "%lld",
               &parent, &group, &pages) != 3)
        return false;
    *out = (struct process){ .pid = (pid_t)strtol(pid, NULL, 10),
                             .parent = parent,
                             .group = group,
                             .bytes = pages * sysconf(_SC_PAGESIZE) };
    return true;
}

/* The share of a process in the pages it has in common with others, bytes; `otherwise` on old
 * kernels. */
static int64_t read_pss(pid_t pid, int64_t otherwise)
{
    char path[64], text[SMAP_MOST], *line;
    long long kib;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    if (!read_small(path, text, sizeof text) || !(line = strstr(text, "\nPss:")) ||
        sscanf(line, " Pss: %lld", &kib) != 1)
        return otherwise;
    return kib * 1024;
}

static struct process *all_processes(size_t *count)
{
    struct process *list = NULL;
    size_t room = 0;
    DIR *dir = opendir("/proc");
    struct dirent *entry;

    *count = 0;
    while (dir && (entry = readdir(dir))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        if (*count == room) {
            room = room ? room * 2 : 256;
            list = xrealloc(list, room * sizeof *list);
        }
        *count += read_stat(entry->d_name, &list[*count]);
    }
    if (dir)
        closedir(dir);
    return list;
}

static bool has_parent_of_ours(const struct process *list, size_t count, pid_t parent)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].ours && list[i].pid == parent)
            return true;
    return false;
}

/* The group of `leader`, and what descends from it in groups of its own. */
static void mark_ours(struct process *list, size_t count, pid_t leader)
{
    bool more = true;

    for (size_t i = 0; i < count; i++)
        list[i].ours = list[i].group == leader;
    while (more) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            if (list[i].ours || !has_parent_of_ours(list, count, list[i].parent))
                continue;
            list[i].ours = more = true;
        }
    }
}

/* Sum over the job; `shared` divides what several map among them, which costs more to find out. */
static int64_t job_memory(pid_t leader, bool shared)
{
    size_t count;
    own_mem struct process *list = all_processes(&count);
    int64_t sum = 0;

    mark_ours(list, count, leader);
    for (size_t i = 0; i < count; i++)
        if (list[i].ours)
            sum += shared ? read_pss(list[i].pid, list[i].bytes) : list[i].bytes;
    return sum;
}

static bool over_by_looking(struct attempt *a)
{
    int64_t used = job_memory(a->pid, false);

    if (used > a->need.memory)
        used = job_memory(a->pid, true);
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
