/* SPDX-License-Identifier: Apache-2.0 */
/* spawn_loop.c - how many processes a second this machine starts and reaps, with nothing around
 * them.
 *
 *   spawn_loop COUNT AT-ONCE PROGRAM
 *
 * posix_spawn and waitpid, AT-ONCE in flight; prints {"count": N, "seconds": S}.  It is the limit
 * that the throughput of jobs is held against. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static double now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int start(char *program)
{
    char *argv[] = { program, NULL };
    pid_t pid;
    int error = posix_spawn(&pid, program, NULL, NULL, argv, environ);

    if (error)
        fprintf(stderr, "spawn_loop: %s: %s\n", program, strerror(error));
    return error ? -1 : 0;
}

static int run(long count, long at_once, char *program)
{
    long started = 0, ended = 0;

    while (ended < count) {
        while (started < count && started - ended < at_once) {
            if (start(program) < 0)
                return -1;
            started++;
        }
        if (waitpid(-1, NULL, 0) > 0)
            ended++;
        else if (errno != EINTR)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    long count = argc == 4 ? strtol(argv[1], NULL, 10) : 0;
    long at_once = argc == 4 ? strtol(argv[2], NULL, 10) : 0;
    double began = now();

    if (count < 1 || at_once < 1) {
        fprintf(stderr, "usage: spawn_loop COUNT AT-ONCE PROGRAM\n");
        return 2;
    }
    if (run(count, at_once, argv[3]) < 0)
        return 1;
    printf("{\"count\": %ld, \"seconds\": %.6f}\n", count, now() - began);
    return 0;
}
