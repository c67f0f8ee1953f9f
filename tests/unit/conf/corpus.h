/* SPDX-License-Identifier: Apache-2.0 */
/* corpus.h - the files under tests/data, and what their heads say about them. */
#ifndef SPILLWAY_TESTS_CORPUS_H
#define SPILLWAY_TESTS_CORPUS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

typedef void corpus_case(void *arg, const char *path, const char *text, size_t length);
/* Every file of a folder, by name; returns their number. */
size_t corpus_each(const char *folder, corpus_case *each, void *arg);
/* The lines behind "# expect: " at the head of a text, each with its end. */
void corpus_expected(const char *text, struct buf *out);
/* Assert that each expected line is how a line of `found` starts, one for one. */
void corpus_compare(const char *path, const char *expected, const char *found);

#endif
