/* SPDX-License-Identifier: Apache-2.0 */
/* stamp.c - a job that writes down when its process began, and ends. */
#include <fcntl.h>

#include "bench.h"

int main(int argc, char **argv)
{
    double began = clock_at(CLOCK_REALTIME);
    char text[64];
    int length = snprintf(text, sizeof text, "%.6f\n", began);
    int fd = argc == 2 ? open(argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1;

    return fd >= 0 && write(fd, text, (size_t)length) == length ? 0 : 1;
}
