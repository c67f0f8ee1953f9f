/* SPDX-License-Identifier: Apache-2.0 */
/* reap.c - find the processes of a dead agent's jobs, and end them.
 *
 * The first process of each attempt dies with the agent (PR_SET_PDEATHSIG), its children do not.
 * They are known by their process group, which the roster holds, by their cgroup, or by
 * the mark in their environment.  A number in the roster may have been given anew since: then its
 * process was started after the agent's last sign of life. */
#include "reap.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/own.h"
#include "boot.h"
#include "cgroup.h"
#include "roster.h"

#define ROUNDS    100
#define KEEPER_MS 30000
#define ROUND_MS  20
#define DYING_MS \
    2000 /* a killed agent may hold its lock so long: kill() does not wait for the end */
#define SLACK_MS     60000 /* the roster's beat is that old at most while the agent lives */
#define ENVIRON_MOST (4 * 1024 * 1024)

struct search {
    struct roster_row *rows;
    size_t count;
    int64_t beat_mono_ms;
    char *mark; /* NULL: none */
};

/* Group and start of /proc/PID/stat. */
static bool read_stat(const char *pid, int *group, int64_t *start_ms)
{
    own_str char *path = xasprintf("/proc/%s/stat", pid);
    own_buf struct buf text = BUF_INIT(4096);
    unsigned long long ticks;
    char *after;

    if (buf_read_file(&text, path, NULL) < 0 || !text.length ||
        !(after = strrchr(text.data, ')')) ||
        sscanf(after + 1,
               " %*c %*d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               group, &ticks) != 2)
        return false;
    *start_ms = (int64_t)(ticks * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
    return true;
}

static bool has_mark(const char *pid, const char *mark)
{
    own_str char *path = xasprintf("/proc/%s/environ", pid);
    own_buf struct buf text = BUF_INIT(ENVIRON_MOST);

    if (!mark || buf_read_file(&text, path, NULL) < 0)
        return false;
    for (size_t at = 0; at < text.length; at += strlen(text.data + at) + 1)
        if (strcmp(text.data + at, mark) == 0)
            return true;
    return false;
}

static bool in_roster(const struct search *search, const char *pid)
{
    int group;
    int64_t start_ms;

    if (!search->count || !read_stat(pid, &group, &start_ms) ||
        start_ms > search->beat_mono_ms + SLACK_MS)
        return false;
    for (size_t i = 0; i < search->count; i++)
        if (search->rows[i].pid && search->rows[i].pid == group)
            return true;
    return false;
}

static bool is_ours(const struct search *search, const char *name)
{
    own_str char *path = xasprintf("/proc/%s", name);
    struct stat status;

    if (!isdigit((unsigned char)name[0]) || strtol(name, NULL, 10) == getpid() ||
        stat(path, &status) < 0 || (status.st_uid != geteuid() && geteuid() != 0))
        return false;
    return in_roster(search, name) || has_mark(name, search->mark);
}

/* How many were killed. */
static int kill_round(const struct search *search)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    int killed = 0;

    while (dir && (entry = readdir(dir)))
        if (is_ours(search, entry->d_name) &&
            kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL) == 0)
            killed++;
    if (dir)
        closedir(dir);
    return killed;
}

void reap_processes(const char *dir, const char *worker)
{
    struct search search = { .rows = xcalloc(ROSTER_ROWS, sizeof *search.rows) };
    own_mem struct roster_row *rows = search.rows;
    own_str char *mark = worker ? xasprintf("SPILLWAY_WORKER=%s", worker) : NULL;
    char cgroups[1024];

    search.mark = mark;
    search.count =
        roster_read(dir, rows, ROSTER_ROWS, &search.beat_mono_ms, cgroups, sizeof cgroups);
    if (cgroups[0])
        cgroups_reap(cgroups);
    /* Until a round finds none: one that was forking is found in the next. */
    for (int i = 0; i < ROUNDS && kill_round(&search) > 0; i++)
        clock_sleep_ms(ROUND_MS);
}

/* The agent holds a lock on its roster while it lives; 0: none does. */
static pid_t agent_of(const char *dir)
{
    own_str char *path = xasprintf("%s/roster", dir);
    own_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
        return 0;
    return lock.l_pid;
}

static void kill_agent(const char *dir)
{
    pid_t pid;

    for (int i = 0; i < ROUNDS && (pid = agent_of(dir)) > 0; i++) {
        kill(pid, SIGKILL);
        clock_sleep_ms(ROUND_MS);
    }
}

int reap_worker(const char *dir, struct err *err)
{
    own_boot struct boot boot = BOOT_INIT;
    struct err unread = ERR_INIT;

    if (access(dir, F_OK) < 0 && errno == ENOENT)
        return 0;
    kill_agent(dir);
    if (boot_resume(dir, &boot, &unread) < 0)
        log_warn("%s; going by the roster alone", unread.text);
    reap_processes(dir, boot.worker);
    return io_remove_tree(dir, err);
}

/* ---- the keeper ------------------------------------------------------------------------------ */

static void keep(int fd, const char *dir, const char *worker, const char *cgroups)
{
    char word;
    ssize_t got;

    setsid();
    prctl(PR_SET_NAME, "spillway-keeper");
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    do
        got = read(fd, &word, 1);
    while (got < 0 && errno == EINTR);
    if (cgroups)
        cgroups_leave(cgroups);
    if (got != 1) {
        reap_processes(dir, worker);
        if (cgroups) /* known here even when the directory went first */
            cgroups_reap(cgroups);
    }
    _exit(0);
}

/* A keeper holds the lock as long as it lives.  It may still be at work for an agent that was
 * killed a moment ago, and must not take the next one's jobs for its own. */
int keeper_lock(const char *dir, int *lock, struct err *err)
{
    own_str char *path = xasprintf("%s/keeper", dir);
    own_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return err_sys(err, "create %s", path);
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        if (i >= KEEPER_MS / ROUND_MS || (i >= DYING_MS / ROUND_MS && agent_of(dir)))
            return err_set(err, FAULT_CONFLICT, "%s is in use by another agent", dir);
        clock_sleep_ms(ROUND_MS);
    }
    *lock = take_fd(&fd);
    return 0;
}

pid_t keeper_start(const char *dir, const char *worker, const char *cgroups, int lock, int *fd,
                   struct err *err)
{
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(err, "pipe");
    pid = fork();
    if (pid == 0) {
        close(fds[1]);
        keep(fds[0], dir, worker, cgroups);
    }
    close(fds[0]);
    close(lock); /* the keeper has it now */
    if (pid < 0) {
        close(fds[1]);
        return err_sys(err, "fork");
    }
    *fd = fds[1];
    return pid;
}

void keeper_dismiss(pid_t keeper, int fd)
{
    (void)!write(fd, "q", 1);
    close(fd);
    waitpid(keeper, NULL, 0);
}
