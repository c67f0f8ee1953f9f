/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - options, start, signals, end.
 *
 * Start order, top to bottom: directory, roster (whose lock says that we are alone), what an
 * earlier life left, cgroups, keeper, loop, places, broker.  Stop order is its mirror image. */
#include "main.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "reap.h"
#include "sync.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SETTLE_MS    10000 /* to be heard for the last time, beyond the jobs' grace */
#define NOTICE_MS    2000

/* ---- ways to end ----------------------------------------------------------------------------- */

static void give_up(struct timer *timer)
{
    loop_stop(list_item(timer, struct agent, last)->loop);
}

/* Stop taking in work, stop what runs, and be gone in bounded time. */
static void wind_down(struct agent *agent, enum reason reason, const char *detail)
{
    lease_drain(agent);
    lease_stop_all(agent, reason, detail, agent->boot.grace_ms);
    if (!agent->last.slot)
        timer_set(agent->loop, &agent->last, clock_mono_ms() + agent->boot.grace_ms + SETTLE_MS);
}

void agent_end(struct agent *agent, const char *why)
{
    if (agent->ending)
        return;
    log_info("ending: %s", why);
    agent->ending = true;
    wind_down(agent, REASON_LOST, "its worker was told to end");
}

void agent_orphaned(struct agent *agent)
{
    if (agent->ending)
        return;
    log_error("the broker has been gone for too long%s",
              agent->boot.poweroff ? "; powering off" : "");
    agent->poweroff = agent->boot.poweroff;
    agent->exit_code = 3;
    agent->ending = true;
    wind_down(agent, REASON_LOST, "its worker lost the broker");
}

void agent_leave(struct agent *agent, const char *why)
{
    if (agent->leaving) { /* asked twice: do not wait for grace */
        run_kill_all(agent);
        return;
    }
    log_info("leaving: %s", why);
    agent->leaving_why = why;
    agent->leaving = true;
    wind_down(agent, REASON_PREEMPTED, "its worker is being taken away");
    sync_nudge(agent->sync);
}

void agent_fail(struct agent *agent, const char *why)
{
    log_error("%s", why);
    agent->exit_code = 1;
    loop_stop(agent->loop);
}

/* ---- the loop's hooks ------------------------------------------------------------------------ */

static void on_signal(struct watch *watch, uint32_t events)
{
    struct agent *agent = list_item(watch, struct agent, signals);
    struct signalfd_siginfo info[4];
    ssize_t got = read(watch->fd, info, sizeof info); /* what is left wakes us again */

    (void)events;
    for (size_t i = 0; got > 0 && i < (size_t)got / sizeof *info; i++) {
        if (info[i].ssi_signo == SIGCHLD)
            agent->reap_now = true;
        else
            agent_leave(agent, "signal");
    }
}

static void look_for_notice(struct timer *timer)
{
    struct agent *agent = list_item(timer, struct agent, notice);

    if (access(agent->boot.notice_file, F_OK) == 0)
        agent_leave(agent, "preempted");
    else
        timer_set(agent->loop, timer, clock_mono_ms() + NOTICE_MS);
}

static void turn(void *arg)
{
    struct agent *agent = arg;

    if (agent->reap_now) {
        agent->reap_now = false;
        run_reap(agent);
    }
    lease_start_ready(agent);
    sync_turn(agent->sync);
    roster_beat(agent->roster);
    if (agent->ending && list_empty(&agent->running))
        loop_stop(agent->loop);
    if (agent->leaving && agent->attempts.count == 0 && sync_leaving_was_heard(agent->sync))
        loop_stop(agent->loop);
}

/* ---- start ----------------------------------------------------------------------------------- */

/* HOME and the login name, by /etc/passwd alone: NSS is not for a static program. */
static void find_user(struct agent *agent)
{
    const char *home = getenv("HOME"), *user = getenv("USER");
    own_file FILE *file = fopen("/etc/passwd", "re");
    struct passwd *entry;

    while ((!home || !user) && file && (entry = fgetpwent(file))) {
        if (entry->pw_uid != geteuid())
            continue;
        agent->home = xstrdup(home ? home : entry->pw_dir);
        agent->user = xstrdup(user ? user : entry->pw_name);
        return;
    }
    agent->home = xstrdup(home ? home : agent->boot.dir);
    agent->user = user ? xstrdup(user) : xasprintf("%d", (int)geteuid());
}

static void take_surroundings(struct agent *agent)
{
    const char *path = getenv("PATH"), *lang = getenv("LANG");
    struct rlimit files;

    agent->path = xstrdup(path && *path ? path : PATH_DEFAULT);
    agent->batch = getenv("SLURM_JOB_ID") != NULL;
    agent->lang = xstrdup(lang && *lang ? lang : "C.UTF-8");
    find_user(agent);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        agent->files_most = files.rlim_cur;
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int open_signals(struct agent *agent, struct err *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* the shell that started us may go */
    agent->signals.ready = on_signal;
    agent->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (agent->signals.fd < 0)
        return err_sys(err, "signalfd");
    watch_set(agent->loop, &agent->signals, EPOLLIN);
    return 0;
}

/* Ours by the pod's limits, say, though the image has no tool to see them. */
static void believe_gpus(const struct boot *boot, struct facts *facts)
{
    if (facts->gpu_count)
        return;
    for (; facts->gpu_count < boot->gpus && facts->gpu_count < GPUS_MOST; facts->gpu_count++) {
        struct gpu *gpu = &facts->gpus[facts->gpu_count];

        snprintf(gpu->id, sizeof gpu->id, "%d", facts->gpu_count);
        snprintf(gpu->model, sizeof gpu->model, "%s", boot->gpu_model ? boot->gpu_model : "GPU");
        gpu->memory = boot->gpu_memory;
    }
}

static void set_slots(struct agent *agent)
{
    const struct boot *boot = &agent->boot;

    if (boot->cpus)
        agent->facts.cpus = (int)boot->cpus;
    if (boot->memory)
        agent->facts.memory = boot->memory;
    believe_gpus(boot, &agent->facts);
    agent->slots = (struct slots){ .cpus = agent->facts.cpus,
                                   .memory = agent->facts.memory,
                                   .gpus = agent->facts.gpu_count };
}

/* Attempts of an earlier life: those that had a process are lost with it, the others go back. */
static void take_over(struct agent *agent, const struct roster_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct attempt *a = attempt_bare(agent, rows[i].attempt);

        map_put(&agent->attempts, (uint64_t)a->id, a);
        a->roster_row = roster_add(agent->roster, a->id);
        agent->queued++;
        if (rows[i].started) {
            roster_set_pid(agent->roster, a->roster_row, 0);
            lease_finish(a, REASON_LOST, "the agent on its worker ended and was started again");
            continue;
        }
        agent->queued--;
        a->phase = PHASE_FINISHED;
        a->say_returned = true;
        sync_say(a);
    }
}

static int open_all(struct agent *agent, struct err *err)
{
    const struct boot *boot = &agent->boot;

    agent->loop = loop_new(err);
    if (!agent->loop || open_signals(agent, err) < 0)
        return -1;
    facts_find(boot->dir, &agent->facts);
    set_slots(agent);
    agent->places = places_open(agent->loop, boot->dir, err);
    if (!agent->places || !(agent->cache = stage_open(agent, err)))
        return -1;
    agent->resolver = resolver_new(agent->loop);
    agent->bulk = http_new(agent->loop, agent->resolver, &boot->server, 4);
    agent->sync = sync_new(agent);
    agent->strays.fire = run_strays;
    agent->last.fire = give_up;
    agent->notice.fire = look_for_notice;
    if (boot->notice_file)
        timer_set(agent->loop, &agent->notice, clock_mono_ms() + NOTICE_MS);
    return 0;
}

static int start(struct agent *agent, struct err *err)
{
    own_mem struct roster_row *rows = xcalloc(ROSTER_ROWS, sizeof *rows);
    char cgroups[1024];
    int64_t beat;
    size_t count;
    int lock = -1;

    if (io_mkdirs(agent->boot.dir, 0700, err) < 0 || keeper_lock(agent->boot.dir, &lock, err) < 0)
        return -1;
    count = roster_read(agent->boot.dir, rows, ROSTER_ROWS, &beat, cgroups, sizeof cgroups);
    if (count)
        reap_processes(agent->boot.dir, agent->boot.worker);
    if (!(agent->roster = roster_open(agent->boot.dir, err)) || boot_save(&agent->boot, err) < 0)
        return -1;
    agent->cgroups = cgroups_open(agent->boot.worker);
    roster_set_cgroups(agent->roster, cgroups_path(agent->cgroups));
    agent->keeper = keeper_start(agent->boot.dir, agent->boot.worker, cgroups_path(agent->cgroups),
                                 lock, &agent->keeper_fd, err);
    if (agent->keeper < 0)
        return -1;
    map_put(&agent->helpers, (uint64_t)agent->keeper, agent);
    take_surroundings(agent);
    if (open_all(agent, err) < 0)
        return -1;
    take_over(agent, rows, count);
    sync_start(agent->sync);
    return 0;
}

/* Tokens are not for jobs that run as the same user; nor are descriptors that we were started with.
 */
static int shut_off(struct agent *agent, struct err *err)
{
    setsid(); /* away from a terminal that we may have been started on, and the jobs with us */
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    umask(022);
#ifdef SYS_close_range
    syscall(SYS_close_range, 3U, ~0U, 0U);
#endif
    agent->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (agent->null_fd < 0 || dup2(agent->null_fd, STDIN_FILENO) < 0)
        return err_sys(err, "/dev/null");
    return 0;
}

/* ---- end ------------------------------------------------------------------------------------- */

/* What the process holds in memory goes with it; what it left in the world is for us. */
static void stop(struct agent *agent)
{
    run_kill_all(agent);
    keeper_dismiss(agent->keeper, agent->keeper_fd);
    reap_processes(agent->boot.dir, agent->boot.worker);
    cgroups_close(agent->cgroups);
    if (!agent->poweroff)
        return;
    sync();
    if (reboot(RB_POWER_OFF) < 0)
        log_error("cannot power off: %s", strerror(errno));
}

static int run(struct agent *agent)
{
    struct err err = ERR_INIT;

    if (shut_off(agent, &err) < 0 || start(agent, &err) < 0) {
        log_error("%s", err.text);
        return 1;
    }
    loop_run(agent->loop, turn, agent);
    stop(agent);
    return agent->exit_code;
}

static int usage(FILE *out, int code)
{
    fputs("Usage: spillway-agent --boot FILE     join a broker; FILE is removed, - is standard "
          "input\n"
          "       spillway-agent --resume DIR    go on where an agent of DIR ended\n"
          "       spillway-agent --reap DIR      end all that the agent of DIR left, remove DIR\n"
          "       spillway-agent --install FILE  copy itself there\n"
          "       spillway-agent --version\n"
          "The agent runs jobs for a Spillway broker.  It is started by the broker's sites, as a "
          "rule.\n",
          out);
    return code;
}

/* For an image that brings the agent to another's side. */
static int install(const char *path, struct err *err)
{
    own_buf struct buf self = BUF_INIT((size_t)64 << 20);

    if (buf_read_file(&self, "/proc/self/exe", err) < 0)
        return -1;
    return io_replace_file(path, 0755, self.data, self.length, err);
}

static int command(struct agent *agent, int option, const char *argument)
{
    struct err err = ERR_INIT;
    int rc = 0;

    switch (option) {
    case 'b':
        rc = boot_read(argument, &agent->boot, &err);
        break;
    case 'r':
        rc = boot_resume(argument, &agent->boot, &err);
        break;
    case 'x':
        rc = reap_worker(argument, &err);
        break;
    case 'i':
        rc = install(argument, &err);
        break;
    case 'v':
        puts("spillway-agent " SPILLWAY_VERSION);
        return 0;
    case 'h':
        return usage(stdout, 0);
    default:
        return usage(stderr, 2);
    }
    if (rc < 0) {
        log_error("%s", err.text);
        return 1;
    }
    return option == 'x' || option == 'i' ? 0 : run(agent);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "boot", required_argument, NULL, 'b' },
        { "resume", required_argument, NULL, 'r' },
        { "reap", required_argument, NULL, 'x' },
        { "install", required_argument, NULL, 'i' },
        { "version", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    static struct agent agent = { .attempts = MAP_INIT, .signals = { .fd = -1 } };
    int option;

    log_open("spillway-agent", LOG_LEVEL_INFO);
    list_init(&agent.ready);
    list_init(&agent.running);
    list_init(&agent.emptying);
    option = getopt_long(argc, argv, "", options, NULL);
    if (option < 0 || option == '?' || optind != argc)
        return usage(stderr, 2);
    return command(&agent, option, optarg);
}
