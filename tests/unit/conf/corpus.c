/* SPDX-License-Identifier: Apache-2.0 */
/* corpus.c - reading the corpora. */
#include "corpus.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

size_t corpus_each(const char *folder, corpus_case *each, void *arg)
{
    struct dirent **names = NULL;
    int count = scandir(folder, &names, not_hidden, alphasort);

    for (int i = 0; i < count; i++) {
        own_buf struct buf text = BUF_INIT(0);
        own_str char *path = xasprintf("%s/%s", folder, names[i]->d_name);
        struct err err = ERR_INIT;

        if (buf_read_file(&text, path, &err) < 0)
            fail_msg("%s", err.text);
        each(arg, path, buf_text(&text), text.length);
        free(names[i]);
    }
    free(names);
    return count < 0 ? 0 : (size_t)count;
}

void corpus_expected(const char *text, struct buf *out)
{
    static const char mark[] = "# expect: ";

    while (strncmp(text, mark, sizeof mark - 1) == 0) {
        size_t length = strcspn(text, "\n");

        buf_put(out, text + sizeof mark - 1, length - (sizeof mark - 1));
        buf_putc(out, '\n');
        text += length + (text[length] == '\n');
    }
}

void corpus_compare(const char *path, const char *expected, const char *found)
{
    const char *e = expected, *f = found;

    while (*e && *f) {
        size_t want = strcspn(e, "\n"), have = strcspn(f, "\n");

        if (want > have || strncmp(e, f, want) != 0)
            break;
        e += want + (e[want] == '\n');
        f += have + (f[have] == '\n');
    }
    if (*e || *f)
        fail_msg("%s: expected\n%s\nfound\n%s", path, expected, found);
}
