/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - a job's processes, from the first to the last.
 *
 * The first leads a process group.  When it ends, the rest of the group is killed
 * before it is waited for: until then its number cannot be given to anyone else.  What left the
 * group is handed to us when its parent dies (we are the subreaper) and killed then, unless its
 * attempt still runs. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>

#include "agent.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "cgroup.h"
#include "container.h"
#include "limits.h"
#include "nodes.h"
#include "spawn.h"
#include "workdir.h"

#define YOUNG_MS  20 /* by then most short jobs have ended, and nobody had to watch their pipes */
#define TICK_MS   1000
#define STRAYS_MS 200
#define SETTLE_MS 300 /* until a signal to all of a batch job has surely reached the agent */

/* ---- the start ------------------------------------------------------------------------------- */

/* What a shell would say, and the status it would give. */
static void refuse_start(struct attempt *a, const char *command, int error)
{
    own_str char *detail = NULL;

    switch (error) {
    case ENOENT:
        detail = xasprintf("%s: command not found, or its interpreter is missing", command);
        a->exit_code = 127;
        break;
    case EACCES:
    case ENOEXEC:
    case EISDIR:
        detail = xasprintf("%s: not executable: %s", command, strerror(error));
        a->exit_code = 126;
        break;
    default:
        detail = xasprintf("%s: cannot be started: %s", command, strerror(error));
        a->exit_code = error == ENOTDIR ? 127 : 126;
    }
    a->finished_wall_ms = a->started_wall_ms;
    lease_finish(a, REASON_USER_EXIT, detail);
}

static int write_script(struct attempt *a, const char *path, struct err *err)
{
    own_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0700);

    a->place_is_clean = false;
    if (fd < 0 || io_write_all(fd, a->script, strlen(a->script)) < 0)
        return err_sys(err, "write the job's script");
    return 0;
}

static char **command_of(struct attempt *a, struct err *err)
{
    struct arena *arena = &a->agent->scratch;
    const json_t *list = json_object_get(a->lease, "argv"), *item;
    char **argv = arena_alloc(arena, (json_array_size(list) + 2) * sizeof *argv);
    size_t i, before = a->script ? 1 : 0;

    json_array_foreach(list, i, item)
    {
        argv[before + i] = (char *)json_string_value(item);
    }
    if (a->script) {
        argv[0] = arena_printf(arena, "%s/script", a->place->path);
        return write_script(a, argv[0], err) < 0 ? NULL : argv;
    }
    return argv;
}

static int open_logs(struct attempt *a, struct err *err)
{
    if (joblog_open(&a->logs[0], a->agent->loop, a->log_most, err) < 0 ||
        joblog_open(&a->logs[1], a->agent->loop, a->log_most, err) < 0)
        return -1;
    joblog_name(&a->logs[0], xasprintf("%s/stdout", a->place->path));
    joblog_name(&a->logs[1], xasprintf("%s/stderr", a->place->path));
    return 0;
}

static void set_wall_timer(struct attempt *a)
{
    int64_t at = a->started_ms + a->walltime_ms;

    if (!a->walltime_ms)
        return;
    if (a->early_signal && !a->early_sent && a->signal_before_ms)
        at -= a->signal_before_ms < a->walltime_ms ? a->signal_before_ms : a->walltime_ms;
    timer_set(a->agent->loop, &a->wall, at);
}

static void started(struct attempt *a)
{
    struct agent *agent = a->agent;

    a->phase = PHASE_RUNNING;
    joblog_started(&a->logs[0]);
    joblog_started(&a->logs[1]);
    roster_set_pid(agent->roster, a->roster_row, a->pid);
    map_put(&agent->by_pid, (uint64_t)a->pid, a);
    list_add_tail(&agent->running, &a->node);
    agent->active++;
    timer_set(agent->loop, &a->tick, a->started_ms + YOUNG_MS);
    set_wall_timer(a);
}

/* A fault of ours or of the machine, not of the job. */
static void start_fault(struct attempt *a, const struct err *err)
{
    own_str char *detail = xasprintf("the worker could not start it: %s", err->text);

    lease_finish(a, REASON_LOST, detail);
}

static int prepare(struct attempt *a, const struct workdir *workdir, struct spawn *spawn,
                   struct err *err)
{
    struct agent *agent = a->agent;
    char **argv, **env;

    if (!a->place) {
        if (place_take(agent->places, &a->place, err) < 0)
            return -1;
        a->place_is_clean = true;
    }
    if ((nodes_count(a) && nodes_write(a, err) < 0) || open_logs(a, err) < 0 ||
        !(argv = command_of(a, err)))
        return -1;
    env = env_build(agent, a);
    if (a->container && !(argv = container_argv(a, argv, &env, err)))
        return -1;
    limits_prepare(a, spawn);
    spawn->argv = argv;
    spawn->envp = env;
    spawn->path = env_get(env, "PATH", agent->path);
    spawn->cwd_fd = workdir->fd >= 0 ? workdir->fd : a->place->job.fd;
    spawn->in_fd = agent->null_fd;
    spawn->out_fd = workdir->out_fd >= 0 ? workdir->out_fd : a->logs[0].write_fd;
    spawn->err_fd = workdir->err_fd >= 0 ? workdir->err_fd : a->logs[1].write_fd;
    spawn->files_most = agent->files_most;
    return 0;
}

static void tick(struct timer *timer);
static void wall(struct timer *timer);
static void grace_over(struct timer *timer);

void run_start(struct attempt *a)
{
    struct spawn spawn = { .procs_fd = -1 };
    own_workdir struct workdir workdir = WORKDIR_INIT;
    struct err err = ERR_INIT;
    int error = 0;

    a->tick.fire = tick;
    a->wall.fire = wall;
    a->kill.fire = grace_over;
    arena_clear(&a->agent->scratch);
    if (a->workdir && workdir_open(a, &workdir, &err) < 0) {
        lease_finish(a, REASON_STAGE_IN, err.text);
        return;
    }
    if (prepare(a, &workdir, &spawn, &err) < 0) {
        if (err.fault == FAULT_NOT_FOUND && a->container)
            lease_finish(a, REASON_IMAGE, err.text);
        else
            start_fault(a, &err);
        return;
    }
    a->oom_kills = cgroup_oom_kills_here();
    a->started_ms = clock_mono_ms();
    a->started_wall_ms = clock_wall_ms();
    a->pid = spawn_start(&spawn, &error);
    if (a->pid > 0) {
        started(a);
        return;
    }
    a->pid = 0;
    if (error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE) {
        errno = error;
        err_sys(&err, "start a process");
        start_fault(a, &err);
        return;
    }
    refuse_start(a, spawn.argv[0], error);
}

/* ---- while it runs --------------------------------------------------------------------------- */

static void signal_group(const struct attempt *a, int number)
{
    if (a->pid <= 0)
        return;
    kill(-a->pid, number);
    if (number == SIGKILL && a->cgroup)
        cgroup_kill(a->cgroup);
}

static void tick(struct timer *timer)
{
    struct attempt *a = list_item(timer, struct attempt, tick);
    int64_t next = limits_check(a, TICK_MS);

    if (!a->logs[0].watch.events && !a->logs[1].watch.events &&
        clock_mono_ms() < a->started_ms + TICK_MS) {
        joblog_listen(&a->logs[0]);
        joblog_listen(&a->logs[1]);
    } else {
        upload_logs(a);
    }
    timer_set(a->agent->loop, &a->tick, clock_mono_ms() + next);
}

static void wall(struct timer *timer)
{
    struct attempt *a = list_item(timer, struct attempt, wall);

    if (a->early_signal && a->signal_before_ms && !a->early_sent) {
        a->early_sent = true;
        signal_group(a, a->early_signal);
        set_wall_timer(a);
        return;
    }
    run_stop(a, REASON_WALLTIME, "ran longer than its walltime", a->grace_ms);
}

static void grace_over(struct timer *timer)
{
    signal_group(list_item(timer, struct attempt, kill), SIGKILL);
}

void run_stop(struct attempt *a, enum reason reason, const char *detail, int64_t grace_ms)
{
    if (a->phase != PHASE_RUNNING)
        return;
    if (a->stop == REASON_NONE) { /* the first reason is the one that counts */
        a->stop = reason;
        a->stop_detail = detail;
    }
    if (grace_ms > 0) {
        if (!a->kill.slot || a->kill.at > clock_mono_ms() + grace_ms)
            timer_set(a->agent->loop, &a->kill, clock_mono_ms() + grace_ms);
        signal_group(a, SIGTERM);
        signal_group(a, SIGCONT); /* a stopped process would not notice */
        return;
    }
    signal_group(a, SIGKILL);
}

void run_kill_all(struct agent *agent)
{
    list_each(at, &agent->running) signal_group(list_item(at, struct attempt, node), SIGKILL);
}

/* ---- the end --------------------------------------------------------------------------------- */

static int64_t ms_of(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000 + time.tv_usec / 1000;
}

/* The kernel's doing, for the machine, the pod or the batch job as a whole had no memory left.  It
 * kills one process, and a shell around that ends with 128 + SIGKILL. */
static bool killed_for_memory(const struct attempt *a)
{
    return (a->signal == SIGKILL || a->exit_code == 128 + SIGKILL) &&
           cgroup_oom_kills_here() > a->oom_kills;
}

static void judge(struct attempt *a)
{
    const char *container = a->container ? container_fault(a) : NULL;

    if (a->stop != REASON_NONE) {
        a->reason = a->stop;
        a->detail = xstrdup(a->stop_detail);
    } else if (limits_exceeded(a)) {
        a->reason = REASON_MEMORY;
        a->detail = xasprintf("used more memory than its %" PRId64 " bytes", a->need.memory);
    } else if (killed_for_memory(a)) {
        a->reason = REASON_MEMORY;
        a->detail = xstrdup("killed by the kernel: its worker had no memory left");
    } else if (container) {
        a->reason = REASON_IMAGE;
        a->detail = xstrdup(container);
    } else if (a->signal) {
        a->reason = REASON_SIGNAL;
        a->detail = xasprintf("ended by signal %d (%s)", a->signal, strsignal(a->signal));
    } else if (a->exit_code != 0) {
        a->reason = REASON_USER_EXIT;
        a->detail = xasprintf("exit status %d", a->exit_code);
    }
}

/* A batch system that takes its machine back tells every process of ours, jobs included: one may be gone
 * before the agent has read its own signal.  That is no failure of the job's. */
static void settle(struct timer *timer)
{
    struct attempt *a = list_item(timer, struct attempt, kill);

    if (a->agent->leaving) {
        free(a->detail);
        a->reason = REASON_PREEMPTED;
        a->detail = xstrdup("its worker is being taken away");
    }
    upload_start(a);
}

static void finish(struct attempt *a)
{
    if (!a->agent->batch || (a->reason != REASON_SIGNAL && a->reason != REASON_USER_EXIT)) {
        upload_start(a);
        return;
    }
    a->kill.fire = settle;
    timer_set(a->agent->loop, &a->kill, clock_mono_ms() + SETTLE_MS);
}

static void ended(struct attempt *a, int status, const struct rusage *usage)
{
    struct agent *agent = a->agent;

    a->wall_ms = clock_mono_ms() - a->started_ms;
    a->finished_wall_ms = clock_wall_ms();
    a->cpu_ms = ms_of(usage->ru_utime) + ms_of(usage->ru_stime);
    a->max_rss = (int64_t)usage->ru_maxrss * 1024;
    if (WIFSIGNALED(status))
        a->signal = WTERMSIG(status);
    else
        a->exit_code = WEXITSTATUS(status);
    map_del(&agent->by_pid, (uint64_t)a->pid);
    roster_set_pid(agent->roster, a->roster_row, 0);
    a->pid = 0;
    timer_clear(agent->loop, &a->tick);
    timer_clear(agent->loop, &a->wall);
    timer_clear(agent->loop, &a->kill);
    joblog_end(&a->logs[0]);
    joblog_end(&a->logs[1]);
    judge(a);
    limits_end(a);
    container_end(a);
    slots_give(&agent->slots, &a->need, a->gpus);
    list_del(&a->node);
    a->phase = PHASE_COMPLETING;
    if (!agent->strays.slot)
        timer_set(agent->loop, &agent->strays, clock_mono_ms() + STRAYS_MS);
    finish(a);
}

void run_reap(struct agent *agent)
{
    siginfo_t info;

    for (;;) {
        struct attempt *a;
        struct rusage usage;
        int status;

        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
            return;
        a = map_get(&agent->by_pid, (uint64_t)info.si_pid);
        if (a)
            signal_group(a, SIGKILL); /* the rest of it, while its number is still taken */
        if (wait4(info.si_pid, &status, 0, &usage) != info.si_pid)
            return;
        if (a)
            ended(a, status, &usage);
        else
            map_del(&agent->helpers, (uint64_t)info.si_pid);
    }
}

/* ---- strays ---------------------------------------------------------------------------------- */

/* The attempt in whose environment it was started; 0: it does not say. */
static int64_t attempt_of(pid_t pid)
{
    static const char mark[] = "SPILLWAY_ATTEMPT=";
    own_str char *path = xasprintf("/proc/%d/environ", (int)pid);
    own_buf struct buf text = BUF_INIT(4 * 1024 * 1024);
    int64_t id = 0;

    if (buf_read_file(&text, path, NULL) < 0)
        return 0;
    for (size_t at = 0; at < text.length; at += strlen(text.data + at) + 1)
        if (strncmp(text.data + at, mark, sizeof mark - 1) == 0)
            id = strtoll(text.data + at + sizeof mark - 1, NULL, 10);
    return id;
}

static bool may_live(struct agent *agent, pid_t pid)
{
    const struct attempt *a;
    int64_t id;

    if (map_get(&agent->helpers, (uint64_t)pid) || map_get(&agent->by_pid, (uint64_t)pid))
        return true;
    id = attempt_of(pid);
    if (!id) /* its environment was cleared: it may belong to any that runs */
        return !list_empty(&agent->running);
    a = map_get(&agent->attempts, (uint64_t)id);
    return a && a->phase == PHASE_RUNNING;
}

/* Children of ours that are no attempt's first process. */
static bool kill_strays(struct agent *agent)
{
    own_str char *path = xasprintf("/proc/self/task/%d/children", (int)getpid());
    own_buf struct buf text = BUF_INIT(1024 * 1024);
    bool killed = false;
    char *rest = NULL;

    if (buf_read_file(&text, path, NULL) < 0 || !text.length)
        return false;
    for (char *word = strtok_r(text.data, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        pid_t pid = (pid_t)strtol(word, NULL, 10);

        if (pid > 1 && !may_live(agent, pid) && kill(pid, SIGKILL) == 0)
            killed = true;
    }
    return killed;
}

void run_strays(struct timer *timer)
{
    struct agent *agent = list_item(timer, struct agent, strays);
    bool again = kill_strays(agent); /* their children are handed to us next */

    again = limits_empty(agent) || again;
    if (again)
        timer_set(agent->loop, &agent->strays, clock_mono_ms() + STRAYS_MS);
}
