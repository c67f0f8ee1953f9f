/* SPDX-License-Identifier: Apache-2.0 */
/* local.c - this machine as a site.
 *
 * A worker is an agent started as a child, with a folder of its own below the site's.  The folder
 * is made first and holds a file `pid` ("PID START") once the agent runs, START being the process's
 * start time in clock ticks (proc(5), stat, field 22): a pid that was used again for another
 * process is not ours.  The agent outlives the broker; a later broker finds it by its folder.
 * Destroying is left to `spillway-agent --reap`, which knows every process that a worker's jobs
 * have started. */
#include "sites/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/map.h"
#include "base/own.h"
#include "base/parse.h"
#include "conf/site.h"
#include "sites/program.h"

struct child {
    char *name;
    pid_t pid;
    int pidfd;
};

struct local {
    char *workers; /* the folder that holds a folder a worker */
    char *agent;   /* the program */
    int64_t cpus, memory;
    int watch;           /* epoll over the children's pidfds */
    struct map children; /* name -> struct child */
};

static const char *const keys[] = { "agent", "cpus", "memory", NULL };

static int cpus_here(void);
static int64_t memory_here(void);

/* Several workers on one machine have a part of it each, unless the file says how much. */
static void share_out(struct local *local, int64_t workers)
{
    if (workers <= 1)
        return;
    if (!local->cpus)
        local->cpus = cpus_here() > workers ? cpus_here() / workers : 1;
    if (!local->memory)
        local->memory = memory_here() / workers;
}

static int read_conf(struct local *local, const struct site_conf *conf, struct err *err)
{
    if (site_conf_only(conf, "", keys, err) < 0 ||
        site_conf_path(conf, "/agent", &local->agent, err) < 0 ||
        site_conf_i64(conf, "/cpus", 1, 65536, &local->cpus, err) < 0 ||
        site_conf_bytes(conf, "/memory", &local->memory, err) < 0)
        return -1;
    if (!local->agent)
        local->agent = agent_program();
    share_out(local, conf->limits.workers);
    return 0;
}

static void local_close(void *self)
{
    struct local *local = self;
    struct child *child;

    for (size_t i = 0; (child = map_next(&local->children, &i));) {
        close(child->pidfd);
        free(child->name);
        free(child);
    }
    map_fini(&local->children);
    if (local->watch >= 0)
        close(local->watch);
    free(local->workers);
    free(local->agent);
    free(local);
}

static int local_open(const struct site_conf *conf, const char *dir, void **self, struct err *err)
{
    struct local *local = xcalloc(1, sizeof *local);

    local->workers = xstrdup(dir);
    local->children.strings = true;
    local->watch = epoll_create1(EPOLL_CLOEXEC);
    if (local->watch < 0 || read_conf(local, conf, err) < 0) {
        if (local->watch < 0)
            err_sys(err, "epoll_create1");
        local_close(local);
        return -1;
    }
    *self = local;
    return 0;
}

/* ---- what there is -----------------------------------------------------------------------------
 */

static int cpus_here(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static int64_t memory_here(void)
{
    struct sysinfo info;

    return sysinfo(&info) == 0 ? (int64_t)info.totalram * info.mem_unit : 0;
}

static int64_t disk_here(const char *path)
{
    struct statvfs fs;

    return statvfs(path, &fs) == 0 ? (int64_t)fs.f_bavail * (int64_t)fs.f_frsize : 0;
}

static int count_gpus(void)
{
    DIR *dir = opendir("/proc/driver/nvidia/gpus");
    struct dirent *entry;
    int count = 0;

    if (!dir)
        return 0;
    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* "Model: \t\t NVIDIA H100 80GB HBM3" of the first GPU; NULL where there is none. */
static char *gpu_model(void)
{
    own_buf struct buf text = BUF_INIT(65536);
    DIR *dir = opendir("/proc/driver/nvidia/gpus");
    struct dirent *entry;
    char *model = NULL;

    while (dir && !model && (entry = readdir(dir))) {
        own_str char *path = xasprintf("/proc/driver/nvidia/gpus/%s/information", entry->d_name);
        char *line;

        buf_clear(&text);
        if (entry->d_name[0] == '.' || buf_read_file(&text, path, NULL) < 0 ||
            !(line = strstr(text.data, "Model:")))
            continue;
        line += strlen("Model:");
        line += strspn(line, " \t");
        line[strcspn(line, "\n")] = '\0';
        model = xstrdup(strncmp(line, "NVIDIA ", 7) == 0 ? line + 7 : line);
    }
    if (dir)
        closedir(dir);
    return model;
}

static int local_probe(void *self, int64_t deadline_mono_ms, struct probe *out, struct err *err)
{
    struct local *local = self;
    struct shape *shape;

    (void)deadline_mono_ms;
    if (access(local->agent, X_OK) < 0)
        return err_sys(err, "the agent's program %s", local->agent);
    if (io_mkdirs(local->workers, 0700, err) < 0)
        return -1;
    shape = out->shapes = xcalloc(1, sizeof *out->shapes);
    out->shape_count = 1;
    shape->name = xstrdup("machine");
    shape->cpus = local->cpus ? (int)local->cpus : cpus_here();
    shape->memory = local->memory ? local->memory : memory_here();
    shape->disk = disk_here(local->workers);
    shape->gpus = count_gpus();
    shape->gpu_model = gpu_model();
    return 0;
}

/* ---- workers ------------------------------------------------------------------------------------
 */

/* Start time of a process in ticks since boot; -1: no such process, or only its ashes. */
static int64_t start_ticks(pid_t pid)
{
    own_buf struct buf text = BUF_INIT(4096);
    own_str char *path = xasprintf("/proc/%d/stat", (int)pid);
    char *at, *save = NULL, *field = NULL;
    int64_t ticks = -1;

    if (buf_read_file(&text, path, NULL) < 0 || !(at = strrchr(text.data, ')')))
        return -1;
    if (at[1] && (at[2] == 'Z' || at[2] == 'X'))
        return -1;
    /* behind the name: field 3 is the state, field 22 the start time */
    for (int i = 3; i <= 22; i++, at = NULL)
        field = strtok_r(at ? at + 2 : NULL, " ", &save);
    return field && parse_i64(field, 0, INT64_MAX, &ticks, NULL) == 0 ? ticks : -1;
}

/* The pid in a worker's folder, when that very process still runs; 0: none does. */
static pid_t worker_pid(const struct local *local, const char *name)
{
    own_buf struct buf text = BUF_INIT(256);
    own_str char *path = xasprintf("%s/%s/pid", local->workers, name);
    int64_t pid = 0, ticks = 0;
    char *space;

    if (buf_read_file(&text, path, NULL) < 0 || !(space = strchr(text.data, ' ')))
        return 0;
    *space = '\0';
    space[1 + strcspn(space + 1, "\n")] = '\0';
    if (parse_i64(text.data, 1, INT32_MAX, &pid, NULL) < 0 ||
        parse_i64(space + 1, 0, INT64_MAX, &ticks, NULL) < 0)
        return 0;
    return start_ticks((pid_t)pid) == ticks ? (pid_t)pid : 0;
}

static int pidfd_of(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static void child_forget(struct local *local, const char *name)
{
    struct child *child = map_del_str(&local->children, name);

    if (!child)
        return;
    waitpid(child->pid, NULL, WNOHANG);
    close(child->pidfd); /* leaves the epoll set with its last descriptor */
    free(child->name);
    free(child);
}

/* Have the site's thread woken when the agent ends, be it our child or an earlier broker's. */
static void child_watch(struct local *local, const char *name, pid_t pid)
{
    struct child *child;
    struct epoll_event event = { .events = EPOLLIN };
    int fd;

    if (map_get_str(&local->children, name) || (fd = pidfd_of(pid)) < 0)
        return;
    child = xcalloc(1, sizeof *child);
    child->name = xstrdup(name);
    child->pid = pid;
    child->pidfd = fd;
    map_put_str(&local->children, child->name, child);
    epoll_ctl(local->watch, EPOLL_CTL_ADD, fd, &event);
}

/* Agents leave the broker's process group and session, so that a Ctrl-C at its terminal spares
 * them. */
static int spawn(char *const argv[], int in, int out, pid_t *pid, struct err *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int rc;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, out, 2);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    rc = posix_spawn(pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (rc == 0)
        return 0;
    errno = rc;
    return err_sys(err, "start %s", argv[0]);
}

/* The boot payload with this worker's folder added. */
static char *boot_text(const struct order *order, const char *dir, const struct local *local)
{
    own_json json_t *boot = json_loads(order->boot, 0, NULL);
    char *text;

    json_object_set_new(boot, "dir", json_string(dir));
    if (local->cpus)
        json_object_set_new(boot, "cpus", json_integer(local->cpus));
    if (local->memory)
        json_object_set_new(boot, "memory_bytes", json_integer(local->memory));
    text = json_dumps(boot, JSON_COMPACT);
    return text;
}

/* The payload goes through an unlinked file: it holds a secret, and a pipe could block. */
static int payload_fd(const char *dir, const char *text, struct err *err)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0)
        fd = (int)syscall(SYS_memfd_create, "boot", 1 /* MFD_CLOEXEC */);
    if (fd < 0)
        return err_sys(err, "a file for the boot payload");
    if (io_write_all(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        err_sys(err, "write the boot payload");
        close(fd);
        return -1;
    }
    return fd;
}

static int record_pid(const struct local *local, const char *name, pid_t pid, struct err *err)
{
    own_str char *path = xasprintf("%s/%s/pid", local->workers, name);
    own_str char *text = xasprintf("%d %lld\n", (int)pid, (long long)start_ticks(pid));

    return io_replace_file(path, 0600, text, strlen(text), err);
}

static int start_agent(struct local *local, const struct order *order, const char *dir,
                       struct err *err)
{
    own_str char *text = boot_text(order, dir, local);
    own_str char *log = xasprintf("%s/agent.log", dir);
    own_fd int in = payload_fd(dir, text, err);
    own_fd int out = -1;
    char *argv[] = { local->agent, "--boot", "-", NULL };
    pid_t pid = 0;

    if (in < 0)
        return -1;
    out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0)
        return err_sys(err, "create %s", log);
    if (spawn(argv, in, out, &pid, err) < 0)
        return -1;
    if (record_pid(local, order->name, pid, err) < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return -1;
    }
    child_watch(local, order->name, pid);
    return 0;
}

static int local_create(void *self, const struct order *order, struct err *err)
{
    struct local *local = self;
    own_str char *dir = xasprintf("%s/%s", local->workers, order->name);

    if (worker_pid(local, order->name))
        return 0;
    if (io_mkdirs(dir, 0700, err) < 0)
        return -1;
    return start_agent(local, order, dir, err);
}

static void add_resource(struct local *local, struct resources_list *out, const char *name)
{
    own_str char *path = xasprintf("%s/%s", local->workers, name);
    pid_t pid = worker_pid(local, name);
    struct resource *resource;
    struct stat st;

    if (pid)
        child_watch(local, name, pid);
    else
        child_forget(local, name);
    out->list = xrealloc(out->list, (out->count + 1) * sizeof *out->list);
    resource = &out->list[out->count++];
    memset(resource, 0, sizeof *resource);
    resource->kind = xstrdup("worker");
    resource->id = xstrdup(name);
    resource->name = xstrdup(name);
    resource->state = pid ? INSTANCE_ACTIVE : INSTANCE_FAILED;
    resource->detail = pid ? NULL : xstrdup("the agent's process ended");
    resource->created_ms = stat(path, &st) == 0 ? st.st_mtim.tv_sec * 1000 : 0;
}

/* The folder is below this broker's own state, so all in it bears our mark. */
static int local_list(void *self, const char *broker, int64_t deadline_mono_ms,
                      struct resources_list *out, struct err *err)
{
    struct local *local = self;
    struct dirent *entry;
    DIR *dir = opendir(local->workers);

    (void)broker;
    (void)deadline_mono_ms;
    if (!dir)
        return errno == ENOENT ? 0 : err_sys(err, "open %s", local->workers);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            add_resource(local, out, entry->d_name);
    closedir(dir);
    return 0;
}

static int local_inspect(void *self, const char *name, int64_t deadline_mono_ms,
                         enum instance_state *out, struct buf *detail, struct err *err)
{
    struct local *local = self;
    own_str char *dir = xasprintf("%s/%s", local->workers, name);

    (void)deadline_mono_ms;
    (void)err;
    if (worker_pid(local, name)) {
        *out = INSTANCE_ACTIVE;
        return 0;
    }
    *out = access(dir, F_OK) == 0 ? INSTANCE_FAILED : INSTANCE_GONE;
    buf_puts(detail, "the agent's process ended");
    return 0;
}

/* The last of the agent's own log. */
static int local_diagnose(void *self, const char *name, int64_t deadline_mono_ms, struct buf *out,
                          struct err *err)
{
    struct local *local = self;
    own_str char *path = xasprintf("%s/%s/agent.log", local->workers, name);
    own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end;

    (void)deadline_mono_ms;
    if (fd < 0)
        return errno == ENOENT ? 0 : err_sys(err, "open %s", path);
    end = lseek(fd, 0, SEEK_END);
    lseek(fd, end > 4096 ? end - 4096 : 0, SEEK_SET);
    return buf_read_fd(out, fd, err);
}

static int wait_for(pid_t pid, int64_t deadline_mono_ms)
{
    own_fd int fd = pidfd_of(pid);
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    int64_t left = deadline_mono_ms - clock_mono_ms();

    if (fd < 0)
        return 0;
    return poll(&wait, 1, left > 0 ? (int)left : 0) == 1 ? 0 : -1;
}

static int local_destroy(void *self, const char *name, int64_t deadline_mono_ms, struct err *err)
{
    struct local *local = self;
    own_str char *dir = xasprintf("%s/%s", local->workers, name);
    char *argv[] = { local->agent, "--reap", dir, NULL };
    own_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid = worker_pid(local, name), reaper = 0;
    int status = 0;

    if (pid) {
        kill(pid, SIGKILL); /* its jobs follow by the reaper */
        wait_for(pid, deadline_mono_ms);
    }
    child_forget(local, name);
    if (access(dir, F_OK) < 0)
        return 0;
    if (spawn(argv, null, 2, &reaper, err) < 0)
        return -1;
    if (wait_for(reaper, deadline_mono_ms) < 0) {
        kill(reaper, SIGKILL);
        waitpid(reaper, NULL, 0);
        return err_set(err, FAULT_TIMEOUT, "processes of %s did not end in time", name);
    }
    waitpid(reaper, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, FAULT_UNAVAILABLE, "%s --reap %s failed", local->agent, dir);
    return 0;
}

static int local_watch_fd(void *self)
{
    return ((struct local *)self)->watch;
}

const struct site_driver local_driver = {
    .type = "local",
    .settle_ms = 0,
    .single = true,
    .open = local_open,
    .close = local_close,
    .probe = local_probe,
    .create = local_create,
    .list = local_list,
    .inspect = local_inspect,
    .diagnose = local_diagnose,
    .destroy = local_destroy,
    .watch_fd = local_watch_fd,
};
