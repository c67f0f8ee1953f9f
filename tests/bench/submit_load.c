/* SPDX-License-Identifier: Apache-2.0 */
/* submit_load.c - jobs sent to the broker's API, as fast as it answers.
 *
 *   submit_load SOCKET JOBS CONNECTIONS JOBS-PER-REQUEST   {"jobs": N, "requests": N, "seconds": S}
 *   submit_load latency SOCKET COUNT STAMP DIR             {"count": N, "ms": [sorted]}
 *
 * One thread a connection, each waits for an answer before it asks again, so every job counted is
 * durable.  `latency` sends one job at a time, which runs STAMP (stamp.c), and takes the time from
 * before the call to the moment that the started process wrote down; the worker is idle in between.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "bench.h"

#define NAME_BYTES  512
#define HEAD_BYTES  256
#define IDLE_US     20000
#define PATIENCE_MS 20000

static const char JOB[] = "{\"name\":\"bench\",\"command\":[\"/bin/true\"]}";

struct load {
    const char *socket;
    long per_request;
    char *request; /* head and body */
    size_t length;
    atomic_long left; /* requests not taken yet */
};

static char *make_request(const char *body, size_t *length)
{
    char *request = malloc(strlen(body) + HEAD_BYTES);

    if (!request)
        give_up("malloc");
    *length = (size_t)snprintf(request, strlen(body) + HEAD_BYTES,
                               "POST /v1/jobs HTTP/1.1\r\nHost: spillway\r\nContent-Type: "
                               "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                               strlen(body), body);
    return request;
}

static char *make_body(long jobs)
{
    size_t room = (size_t)jobs * sizeof JOB + 32, length;
    char *body = malloc(room);

    if (!body)
        give_up("malloc");
    length = (size_t)snprintf(body, room, "{\"jobs\":[%s", JOB);
    for (long i = 1; i < jobs; i++)
        length += (size_t)snprintf(body + length, room - length, ",%s", JOB);
    snprintf(body + length, room - length, "]}");
    return body;
}

/* One answer; ends the program unless it is 201. */
static void read_answer(struct reading *in)
{
    char *end, *field;
    size_t length;

    while (!(end = strstr(in->data, "\r\n\r\n")))
        read_more(in);
    field = strcasestr(in->data, "\r\nContent-Length:");
    if (strncmp(in->data, "HTTP/1.1 201", 12) != 0 || !field || field > end) {
        fprintf(stderr, "submit_load: refused: %.400s\n", in->data);
        exit(1);
    }
    length = (size_t)(end + 4 - in->data) + strtoul(field + 17, NULL, 10);
    /* Long answers are let go piece by piece. */
    while (length > in->have) {
        length -= in->have;
        used(in, in->have);
        read_more(in);
    }
    used(in, length);
}

static void *client(void *arg)
{
    struct load *load = arg;
    struct reading *in = calloc(1, sizeof *in);

    if (!in)
        give_up("calloc");
    in->fd = dial(load->socket);
    while (atomic_fetch_sub(&load->left, 1) > 0) {
        send_all(in->fd, load->request, load->length);
        read_answer(in);
    }
    close(in->fd);
    free(in);
    return NULL;
}

static int submit(const char *socket, long jobs, long connections, long per_request)
{
    struct load load = { .socket = socket, .per_request = per_request };
    char *body = make_body(per_request);
    long requests = jobs / per_request;
    pthread_t *threads = calloc((size_t)connections, sizeof *threads);
    double began;

    if (!threads)
        give_up("calloc");
    load.request = make_request(body, &load.length);
    atomic_init(&load.left, requests);
    began = clock_at(CLOCK_MONOTONIC);
    for (long i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, client, &load) != 0)
            give_up("pthread_create");
    for (long i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    printf("{\"jobs\": %ld, \"requests\": %ld, \"seconds\": %.6f}\n", requests * per_request,
           requests, clock_at(CLOCK_MONOTONIC) - began);
    free(threads);
    free(load.request);
    free(body);
    return 0;
}

/* ---- latency
 * ------------------------------------------------------------------------------------- */

/* The time that the started process wrote down; it writes it whole, in one call. */
static double read_stamp(const char *path)
{
    char text[64];

    for (int ms = 0; ms < PATIENCE_MS; ms++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

        if (fd >= 0)
            close(fd);
        if (got > 0) {
            text[got] = '\0';
            return strtod(text, NULL);
        }
        usleep(1000);
    }
    fprintf(stderr, "submit_load: the job did not start in %d ms\n", PATIENCE_MS);
    exit(1);
}

static double one_latency(struct reading *in, const char *stamp, const char *path)
{
    char body[NAME_BYTES * 3];
    char *request;
    size_t length;
    double began;

    snprintf(body, sizeof body, "{\"jobs\":[{\"name\":\"stamp\",\"command\":[\"%s\",\"%s\"]}]}",
             stamp, path);
    request = make_request(body, &length);
    began = clock_at(CLOCK_REALTIME);
    send_all(in->fd, request, length);
    read_answer(in);
    free(request);
    return (read_stamp(path) - began) * 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int latency(const char *socket, long count, const char *stamp, const char *dir)
{
    struct reading *in = calloc(1, sizeof *in);
    double *ms = calloc((size_t)count, sizeof *ms);
    char path[NAME_BYTES];

    if (!in || !ms)
        give_up("calloc");
    in->fd = dial(socket);
    for (long i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%ld", dir, i);
        ms[i] = one_latency(in, stamp, path);
        usleep(IDLE_US);
    }
    qsort(ms, (size_t)count, sizeof *ms, by_value);
    printf("{\"count\": %ld, \"ms\": [", count);
    for (long i = 0; i < count; i++)
        printf("%s%.3f", i ? ", " : "", ms[i]);
    printf("]}\n");
    free(ms);
    free(in);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "latency") == 0)
        return latency(argv[2], strtol(argv[3], NULL, 10), argv[4], argv[5]);
    if (argc == 5)
        return submit(argv[1], strtol(argv[2], NULL, 10), strtol(argv[3], NULL, 10),
                      strtol(argv[4], NULL, 10));
    fprintf(stderr, "usage: submit_load SOCKET JOBS CONNECTIONS JOBS-PER-REQUEST\n"
                    "       submit_load latency SOCKET COUNT STAMP DIR\n");
    return 2;
}
