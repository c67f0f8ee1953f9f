/* SPDX-License-Identifier: Apache-2.0 */
/* io.h - files and paths: the few calls that every program here needs and libc leaves long. */
#ifndef SPILLWAY_IO_H
#define SPILLWAY_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* mkdir -p; directories that exist are left as they are. */
int io_mkdirs(const char *path, mode_t mode, struct err *err);
/* All of `data`, through EINTR and short writes; -1 with errno. */
int io_write_all(int fd, const void *data, size_t length);
/* Replace `path` so that a reader, or a crash at any point, sees the old or the new content:
 * written beside it, fsynced, renamed, the directory fsynced. */
int io_replace_file(const char *path, mode_t mode, const void *data, size_t length,
                    struct err *err);
int io_fsync_dir(const char *path, struct err *err);
/* rm -r, never following links; missing is success. */
int io_remove_tree(const char *path, struct err *err);
/* A relative path that stays below where it starts: no "..", ".", empty part, leading '/', control
 * character, bad UTF-8, part above 255 bytes or path above 1024. */
bool io_path_is_below(const char *path);
/* `count` random bytes as lower-case hex, NUL-terminated: out has 2*count+1 bytes. */
void io_random_hex(char *out, size_t count);
void io_random(void *out, size_t count);

#endif
