/* SPDX-License-Identifier: Apache-2.0 */
/* facts.c - cores, memory, disk, as far as affinity and the cgroups above us let us have them. */
#include "facts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/parse.h"
#include "cgroup.h"

static int cpus_by_affinity(void)
{
    size_t size = CPU_ALLOC_SIZE(8192);
    cpu_set_t *set = CPU_ALLOC(8192);
    int count = set && sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;

    CPU_FREE(set);
    return count > 0 ? count : 1;
}

static int64_t memory_total(void)
{
    struct sysinfo info;

    return sysinfo(&info) == 0 ? (int64_t)info.totalram * info.mem_unit : 0;
}

static int64_t uptime_ms(void)
{
    struct timespec now;

    return clock_gettime(CLOCK_BOOTTIME, &now) < 0
               ? 0
               : (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The address that this machine has towards the world: of a datagram that is never sent. */
static bool address_towards(int family, const char *where, char *out, size_t most)
{
    struct sockaddr_storage to = { .ss_family = (sa_family_t)family }, own = { .ss_family = 0 };
    struct sockaddr_in *to4 = (struct sockaddr_in *)&to;
    struct sockaddr_in6 *to6 = (struct sockaddr_in6 *)&to;
    bool is_4 = family == AF_INET;
    socklen_t length = sizeof own;
    own_fd int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (is_4)
        to4->sin_port = htons(9);
    else
        to6->sin6_port = htons(9);
    if (fd < 0 || inet_pton(family, where, is_4 ? (void *)&to4->sin_addr : &to6->sin6_addr) != 1 ||
        connect(fd, (struct sockaddr *)&to, is_4 ? sizeof *to4 : sizeof *to6) < 0 ||
        getsockname(fd, (struct sockaddr *)&own, &length) < 0)
        return false;
    return inet_ntop(family,
                     is_4 ? (void *)&((struct sockaddr_in *)&own)->sin_addr
                          : &((struct sockaddr_in6 *)&own)->sin6_addr,
                     out, (socklen_t)most) != NULL;
}

void facts_find(const char *dir, struct facts *out)
{
    struct statvfs disk;
    struct utsname names;
    double quota;
    int64_t limit;

    *out = (struct facts){ .cpus = cpus_by_affinity(), .memory = memory_total() };
    quota = cgroup_cpu_quota();
    if (quota > 0 && quota < out->cpus)
        out->cpus = quota < 1 ? 1 : (int)quota;
    limit = cgroup_memory_limit();
    if (limit > 0 && limit < out->memory)
        out->memory = limit;
    out->began_ms = uptime_ms();
    if (statvfs(dir, &disk) == 0)
        out->disk = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    if (uname(&names) == 0) {
        snprintf(out->kernel, sizeof out->kernel, "%s", names.release);
        snprintf(out->hostname, sizeof out->hostname, "%s", names.nodename);
        snprintf(out->arch, sizeof out->arch, "%s", names.machine);
    }
    /* networks for documentation: they are nowhere, so the route is the default one */
    if (!address_towards(AF_INET, "192.0.2.1", out->address, sizeof out->address) &&
        !address_towards(AF_INET6, "2001:db8::1", out->address, sizeof out->address))
        snprintf(out->address, sizeof out->address, "127.0.0.1");
    out->gpu_count = gpus_find(out->gpus, GPUS_MOST);
}

json_t *facts_json(const struct facts *facts, const char *cgroup)
{
    json_t *gpus = json_array();
    json_t *out;

    for (int i = 0; i < facts->gpu_count; i++) {
        const struct gpu *gpu = &facts->gpus[i];

        json_array_append_new(gpus,
                              json_pack("{s:s, s:I, s:s}", "model", gpu->model, "memory_bytes",
                                        (json_int_t)gpu->memory, "id", gpu->id));
    }
    out = json_pack("{s:i, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:o}", "cpus", facts->cpus,
                    "memory_bytes", (json_int_t)facts->memory, "disk_bytes",
                    (json_int_t)facts->disk, "uptime_ms", (json_int_t)uptime_ms(), "age_ms",
                    (json_int_t)uptime_ms() - (json_int_t)facts->began_ms + 1, "kernel",
                    facts->kernel, "hostname", facts->hostname, "address", facts->address, "arch",
                    facts->arch, "cgroup", cgroup, "gpus", gpus);
    return out ? out : json_object();
}
