/* SPDX-License-Identifier: Apache-2.0 */
/* agent_rate.c - how many /bin/true a second the agent starts, ends and reports, as a ratio to a
 * bare posix_spawn + waitpid loop with as many at once, in the same run.
 *
 *     agent_rate AGENT DIR [JOBS] [AT-ONCE] [ROUNDS]
 *
 * The broker here hands out leases and settles what is reported, and does nothing else: what is
 * measured is the agent alone.  Rounds of both take turns, and medians are compared. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"

#define AHEAD 400
#define CONNS 4

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- the peer -------------------------------------------------------------------------------- */

/* CPU time of one job, all in all, us. */
static double cpu_us(const struct rusage *from, const struct rusage *to, int jobs)
{
    double seconds = (double)(to->ru_utime.tv_sec - from->ru_utime.tv_sec) +
                     (double)(to->ru_stime.tv_sec - from->ru_stime.tv_sec);

    return (seconds * 1e6 + (double)(to->ru_utime.tv_usec - from->ru_utime.tv_usec) +
            (double)(to->ru_stime.tv_usec - from->ru_stime.tv_usec)) /
           jobs;
}

static double bare_rate(int jobs, int at_once, double *cpu)
{
    char *argv[] = { "/bin/true", NULL };
    struct rusage before[2], after[2];
    int64_t start = clock_mono_us();
    int running = 0;

    getrusage(RUSAGE_SELF, &before[0]);
    getrusage(RUSAGE_CHILDREN, &before[1]);
    for (int left = jobs; left || running;) {
        pid_t pid;

        if (left && running < at_once) {
            if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) != 0)
                fail("posix_spawn");
            left--;
            running++;
            continue;
        }
        if (waitpid(-1, NULL, 0) < 0)
            fail("waitpid");
        running--;
    }
    getrusage(RUSAGE_SELF, &after[0]);
    getrusage(RUSAGE_CHILDREN, &after[1]);
    *cpu = cpu_us(&before[0], &after[0], jobs) + cpu_us(&before[1], &after[1], jobs);
    return jobs * 1e6 / (double)(clock_mono_us() - start);
}

/* ---- the broker ------------------------------------------------------------------------------ */

struct bench {
    int listen_fd, conns[CONNS];
    struct buf in[CONNS];
    bool held[CONNS]; /* a poll that waits */
    long next, done, jobs, out, seq;
    struct buf settled;
};

static void answer(struct bench *b, int c, const char *body)
{
    own_buf struct buf text = BUF_INIT(64 << 20);

    buf_printf(&text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    for (size_t at = 0; at < text.length;) {
        ssize_t put = write(b->conns[c], text.data + at, text.length - at);

        if (put < 0)
            fail("write");
        at += (size_t)put;
    }
}

static void answer_sync(struct bench *b, int c)
{
    own_buf struct buf body = BUF_INIT(64 << 20);
    const char *comma = "";

    if (b->next < b->jobs && b->out < AHEAD)
        b->seq++;
    buf_printf(&body, "{\"epoch\":\"e\",\"seq\":%ld,\"leases\":[", b->seq);
    while (b->next < b->jobs && b->out < AHEAD) {
        b->next++;
        b->out++;
        buf_printf(&body,
                   "%s{\"attempt\":%ld,\"task\":\"%ld\",\"job\":%ld,\"index\":0,\"name\":\"true\","
                   "\"project\":\"bench\",\"user\":\"root\",\"argv\":[\"/bin/true\"],"
                   "\"environment\":[],\"outputs\":[],\"inputs\":[],\"cpus\":1,\"grace_ms\":10000,"
                   "\"log_most\":104857600}",
                   comma, b->next, b->next, b->next);
        comma = ",";
    }
    buf_printf(&body, "],\"settled\":[%s]}", buf_text(&b->settled));
    buf_clear(&b->settled);
    answer(b, c, body.data);
}

static void take_reports(struct bench *b, const char *body)
{
    static const char finished[] = "\"state\":\"finished\"";

    for (const char *at = body; (at = strstr(at, finished)); at += sizeof finished) {
        const char *id = at;

        while (id > body && *id != '{')
            id--;
        b->done++;
        b->out--;
        buf_printf(&b->settled, "%s%ld", b->settled.length ? "," : "",
                   strtol(id + strlen("{\"attempt\":"), NULL, 10));
    }
}

static void request(struct bench *b, int c, const char *head, const char *body)
{
    if (strstr(head, "/v1/agent/join")) {
        answer(b, c, "{\"session\":\"s\",\"epoch\":\"e\",\"heartbeat_ms\":60000,\"orphan_ms\":0}");
        return;
    }
    take_reports(b, body);
    if (strstr(body, "\"wait_ms\":0")) {
        answer_sync(b, c);
        return;
    }
    b->held[c] = true;
    if (b->next == 0)
        b->held[c] = false, answer_sync(b, c);
}

static void readable(struct bench *b, int c)
{
    struct buf *in = &b->in[c];
    ssize_t got;
    char *body, *length;

    buf_reserve(in, 1 << 16);
    got = read(b->conns[c], in->data + in->length, 1 << 16);
    if (got <= 0) {
        close(b->conns[c]);
        b->conns[c] = -1;
        buf_clear(in);
        return;
    }
    in->length += (size_t)got;
    in->data[in->length] = '\0';
    while (in->length && (body = strstr(in->data, "\r\n\r\n"))) {
        size_t size = 0, all;

        length = strstr(in->data, "Content-Length: ");
        if (length && length < body)
            size = strtoul(length + 16, NULL, 10);
        body += 4;
        all = (size_t)(body - in->data) + size;
        if (in->length < all)
            return;
        request(b, c, in->data, body);
        buf_drop_front(in, all);
    }
}

static void accept_one(struct bench *b)
{
    for (int c = 0; c < CONNS; c++)
        if (b->conns[c] < 0) {
            b->conns[c] = accept(b->listen_fd, NULL, NULL);
            return;
        }
}

static void serve(struct bench *b)
{
    struct pollfd fds[CONNS + 1];

    while (b->done < b->jobs) {
        for (int c = 0; c < CONNS; c++)
            fds[c] = (struct pollfd){ .fd = b->conns[c], .events = POLLIN };
        fds[CONNS] = (struct pollfd){ .fd = b->listen_fd, .events = POLLIN };
        if (poll(fds, CONNS + 1, 30000) <= 0)
            fail("nothing for half a minute");
        for (int c = 0; c < CONNS; c++)
            if (fds[c].revents)
                readable(b, c);
        if (fds[CONNS].revents)
            accept_one(b);
    }
}

static pid_t start_agent(const char *agent, const char *dir, const char *socket, int at_once)
{
    posix_spawn_file_actions_t actions;
    own_buf struct buf boot = BUF_INIT(8192);
    char *argv[] = { (char *)agent, "--boot", "-", NULL };
    int fds[2];
    pid_t pid;

    if (pipe(fds) < 0)
        fail("pipe");
    buf_printf(&boot,
               "{\"url\":\"unix://%s\",\"worker\":\"bench\",\"token\":\"t\",\"dir\":\"%s/w\","
               "\"cpus\":%d}",
               socket, dir, at_once);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[0], 0);
    posix_spawn_file_actions_addclose(&actions, fds[1]);
    if (posix_spawn(&pid, agent, &actions, NULL, argv, environ) != 0)
        fail(agent);
    close(fds[0]);
    if (write(fds[1], boot.data, boot.length) != (ssize_t)boot.length)
        fail("boot payload");
    close(fds[1]);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static double agent_rate(const char *agent, const char *dir, int jobs, int at_once, double *cpu)
{
    struct rusage none = { .ru_minflt = 0 }, usage;
    struct bench b = { .jobs = jobs, .settled = BUF_INIT(64 << 20) };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int64_t start;
    double rate;
    pid_t pid;

    snprintf(address.sun_path, sizeof address.sun_path, "%s/bench.sock", dir);
    unlink(address.sun_path);
    b.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(b.listen_fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(b.listen_fd, 8) < 0)
        fail(address.sun_path);
    for (int c = 0; c < CONNS; c++)
        b.conns[c] = -1;
    pid = start_agent(agent, dir, address.sun_path, at_once);
    start = clock_mono_us();
    serve(&b);
    rate = jobs * 1e6 / (double)(clock_mono_us() - start);
    kill(pid, SIGKILL);
    wait4(pid, NULL, 0, &usage);
    *cpu = cpu_us(&none, &usage, jobs);
    for (int c = 0; c < CONNS; c++)
        if (b.conns[c] >= 0)
            close(b.conns[c]);
    for (int c = 0; c < CONNS; c++)
        buf_free(&b.in[c]);
    close(b.listen_fd);
    buf_free(&b.settled);
    return rate;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int jobs = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 4000;
    int at_once = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 2;
    int rounds = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 5;
    double bare[32], agent[32], bare_cpu[32], agent_cpu[32];

    if (argc < 3 || jobs < 1 || at_once < 1 || rounds < 1 || rounds > 32) {
        fprintf(stderr, "Usage: %s AGENT DIR [JOBS] [AT-ONCE] [ROUNDS]\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < rounds; i++) {
        bare[i] = bare_rate(jobs, at_once, &bare_cpu[i]);
        agent[i] = agent_rate(argv[1], argv[2], jobs, at_once, &agent_cpu[i]);
        printf("# round %d: bare %.0f/s, %.0f us CPU each; agent %.0f/s, %.0f us CPU each\n", i + 1,
               bare[i], bare_cpu[i], agent[i], agent_cpu[i]);
        fflush(stdout);
    }
    qsort(bare, (size_t)rounds, sizeof *bare, by_value);
    qsort(agent, (size_t)rounds, sizeof *agent, by_value);
    qsort(bare_cpu, (size_t)rounds, sizeof *bare_cpu, by_value);
    qsort(agent_cpu, (size_t)rounds, sizeof *agent_cpu, by_value);
    printf("agent_true_ratio %.3f (agent %.0f/s, posix_spawn loop %.0f/s, %d at once)\n",
           agent[rounds / 2] / bare[rounds / 2], agent[rounds / 2], bare[rounds / 2], at_once);
    printf("agent_true_cpu_ratio %.3f (agent %.0f us, bare %.0f us a job)\n",
           agent_cpu[rounds / 2] / bare_cpu[rounds / 2], agent_cpu[rounds / 2],
           bare_cpu[rounds / 2]);
    return 0;
}
