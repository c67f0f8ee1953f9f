/* SPDX-License-Identifier: Apache-2.0 */
/* gpu.c - the GPUs of this machine.
 *
 * Best first: nvidia-smi knows index, model and memory.  Where only the kernel module is loaded,
 * /proc names the models.  Where not even that is, the PCI bus shows that a card is there; it
 * cannot be used by a job, but a site's operator is told.
 *
 * A batch system may have lent us only some of the cards: CUDA_VISIBLE_DEVICES says which. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/parse.h"
#include "facts.h"

#define SMI_MS    10000 /* it can hang on a card that fell off the bus */
#define FILE_MOST 65536

static char *trim(char *text)
{
    char *end;

    while (isspace((unsigned char)*text))
        text++;
    end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return text;
}

bool gpu_from_line(const char *line, struct gpu *out)
{
    own_str char *copy = xstrdup(line);
    char *rest = NULL, *id = strtok_r(copy, ",", &rest), *model = strtok_r(NULL, ",", &rest),
         *memory = strtok_r(NULL, ",", &rest);
    int64_t mib = 0, index;

    if (!id || !model || !memory || parse_i64(trim(id), 0, 1023, &index, NULL) < 0)
        return false;
    parse_i64(trim(memory), 0, (int64_t)1 << 30, &mib, NULL); /* "[N/A]" on some cards */
    *out = (struct gpu){ .memory = mib * 1024 * 1024 };
    snprintf(out->id, sizeof out->id, "%s", trim(id));
    snprintf(out->model, sizeof out->model, "%s", trim(model));
    return true;
}

static void read_until(int fd, struct buf *out, int64_t deadline_ms)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    char data[4096];

    for (;;) {
        int64_t left = deadline_ms - clock_mono_ms();
        ssize_t got;

        if (left <= 0 || poll(&poll_fd, 1, (int)left) <= 0)
            return;
        got = read(fd, data, sizeof data);
        if (got <= 0 || buf_put(out, data, (size_t)got) < 0)
            return;
    }
}

static void run_smi(struct buf *out)
{
    char *argv[] = { "nvidia-smi", "--query-gpu=index,name,memory.total",
                     "--format=csv,noheader,nounits", NULL };
    posix_spawn_file_actions_t actions;
    int pipe_fds[2];
    pid_t pid;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 1);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) == 0) {
        close(take_fd(&pipe_fds[1]));
        read_until(pipe_fds[0], out, clock_mono_ms() + SMI_MS);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[0]);
    if (pipe_fds[1] >= 0)
        close(pipe_fds[1]);
}

static int from_smi(struct gpu *out, int most)
{
    own_buf struct buf text = BUF_INIT(FILE_MOST);
    char *rest = NULL;
    int count = 0;

    run_smi(&text);
    if (!text.length)
        return 0;
    for (char *line = strtok_r(text.data, "\n", &rest); line && count < most;
         line = strtok_r(NULL, "\n", &rest))
        count += gpu_from_line(line, &out[count]);
    return count;
}

/* /proc/driver/nvidia/gpus/0000:00:1e.0/information: "Model: \t\t Tesla V100", "Device Minor: \t 0"
 */
static bool from_information(const char *path, struct gpu *out)
{
    own_buf struct buf text = BUF_INIT(FILE_MOST);
    char *rest = NULL;

    if (buf_read_file(&text, path, NULL) < 0 || !text.length)
        return false;
    *out = (struct gpu){ .memory = 0 };
    for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');

        if (!colon)
            continue;
        if (strncmp(line, "Model:", 6) == 0)
            snprintf(out->model, sizeof out->model, "%s", trim(colon + 1));
        else if (strncmp(line, "Device Minor:", 13) == 0)
            snprintf(out->id, sizeof out->id, "%s", trim(colon + 1));
    }
    return out->model[0] && out->id[0];
}

static int from_proc(struct gpu *out, int most)
{
    DIR *dir = opendir("/proc/driver/nvidia/gpus");
    struct dirent *entry;
    int count = 0;

    while (dir && count < most && (entry = readdir(dir))) {
        own_str char *path = xasprintf("/proc/driver/nvidia/gpus/%s/information", entry->d_name);

        if (entry->d_name[0] != '.')
            count += from_information(path, &out[count]);
    }
    if (dir)
        closedir(dir);
    return count;
}

static bool file_begins(const char *folder, const char *name, const char *with)
{
    own_str char *path = xasprintf("/sys/bus/pci/devices/%s/%s", folder, name);
    own_buf struct buf text = BUF_INIT(FILE_MOST);

    return buf_read_file(&text, path, NULL) == 0 &&
           strncmp(buf_text(&text), with, strlen(with)) == 0;
}

/* Class 0x03: display controllers, of which 0x0302 are those without a display. */
static int from_pci(struct gpu *out, int most)
{
    DIR *dir = opendir("/sys/bus/pci/devices");
    struct dirent *entry;
    int count = 0;

    while (dir && count < most && (entry = readdir(dir))) {
        struct gpu *gpu = &out[count];

        if (entry->d_name[0] == '.' || !file_begins(entry->d_name, "class", "0x03") ||
            !file_begins(entry->d_name, "vendor", "0x10de"))
            continue;
        *gpu = (struct gpu){ .memory = 0 };
        snprintf(gpu->model, sizeof gpu->model, "NVIDIA (no driver loaded, PCI %.32s)",
                 entry->d_name);
        count++;
    }
    if (dir)
        closedir(dir);
    return count;
}

static bool in_list(const char *list, const char *id)
{
    size_t length = strlen(id);

    while (*list) {
        size_t one = strcspn(list, ",");

        if (one == length && strncmp(list, id, one) == 0)
            return true;
        list += one + (list[one] == ',');
    }
    return false;
}

/* Cards named by index, as batch systems do; a list of other names (UUIDs) is left to the driver.
 * Where a cgroup hides the others, those that are left may be counted anew from 0: a list that
 * names none of them takes none away. */
int gpus_lent(struct gpu *gpus, int count, const char *visible)
{
    int kept = 0;

    if (!visible || strspn(visible, "0123456789,") != strlen(visible))
        return count;
    for (int i = 0; i < count; i++)
        kept += in_list(visible, gpus[i].id);
    if (kept == 0 && *visible)
        return count;
    kept = 0;
    for (int i = 0; i < count; i++)
        if (in_list(visible, gpus[i].id))
            gpus[kept++] = gpus[i];
    return kept;
}

int gpus_find(struct gpu *out, int most)
{
    int count = from_smi(out, most);

    if (!count)
        count = from_proc(out, most);
    if (!count)
        count = from_pci(out, most);
    return gpus_lent(out, count, getenv("CUDA_VISIBLE_DEVICES"));
}
