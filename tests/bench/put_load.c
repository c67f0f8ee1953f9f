/* SPDX-License-Identifier: Apache-2.0 */
/* put_load.c - jobs put into beanstalkd: the peer that durable submission is held against.
 *
 *   put_load PORT JOBS CONNECTIONS BYTES     {"jobs": N, "seconds": S}
 *
 * As submit_load.c: one thread a connection, an answer before the next.  With -f0 the server syncs
 * its log before it answers. */
#include <pthread.h>
#include <stdatomic.h>

#include "bench.h"

struct load {
    const char *port;
    char *request;
    size_t length;
    atomic_long left;
};

static void read_line(struct reading *in)
{
    char *end;

    while (!(end = strstr(in->data, "\r\n")))
        read_more(in);
    if (strncmp(in->data, "INSERTED", 8) != 0) {
        fprintf(stderr, "put_load: refused: %.200s\n", in->data);
        exit(1);
    }
    used(in, (size_t)(end + 2 - in->data));
}

static void *client(void *arg)
{
    struct load *load = arg;
    struct reading *in = calloc(1, sizeof *in);

    if (!in)
        give_up("calloc");
    in->fd = dial(load->port);
    while (atomic_fetch_sub(&load->left, 1) > 0) {
        send_all(in->fd, load->request, load->length);
        read_line(in);
    }
    close(in->fd);
    free(in);
    return NULL;
}

int main(int argc, char **argv)
{
    long jobs = argc == 5 ? strtol(argv[2], NULL, 10) : 0;
    long connections = argc == 5 ? strtol(argv[3], NULL, 10) : 0;
    size_t bytes = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
    struct load load = { .port = argc == 5 ? argv[1] : "" };
    pthread_t threads[64];
    double began;

    if (jobs < 1 || connections < 1 || connections > 64 || bytes < 1) {
        fprintf(stderr, "usage: put_load PORT JOBS CONNECTIONS BYTES\n");
        return 2;
    }
    load.request = malloc(bytes + 64);
    if (!load.request)
        give_up("malloc");
    load.length = (size_t)snprintf(load.request, 64, "put 0 0 60 %zu\r\n", bytes);
    memset(load.request + load.length, 'x', bytes);
    memcpy(load.request + load.length + bytes, "\r\n", 2);
    load.length += bytes + 2;
    atomic_init(&load.left, jobs);
    began = clock_at(CLOCK_MONOTONIC);
    for (long i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, client, &load) != 0)
            give_up("pthread_create");
    for (long i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    printf("{\"jobs\": %ld, \"seconds\": %.6f}\n", jobs, clock_at(CLOCK_MONOTONIC) - began);
    free(load.request);
    return 0;
}
