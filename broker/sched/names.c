/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - words as small numbers. */
#include "sched/names.h"

#include "base/own.h"

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->texts[i]);
    free(names->texts);
    map_fini(&names->numbers);
    *names = (struct names)NAMES_INIT;
}

uint32_t names_find(const struct names *names, const char *text)
{
    if (!text || !*text || names->count == 0)
        return 0;
    return (uint32_t)(uintptr_t)map_get_str(&names->numbers, text);
}

uint32_t names_number(struct names *names, const char *text)
{
    uint32_t number = names_find(names, text);

    if (number || !text || !*text)
        return number;
    if (names->count == names->room) {
        names->room = names->room ? names->room * 2 : 16;
        names->texts = xrealloc(names->texts, names->room * sizeof(*names->texts));
    }
    names->texts[names->count++] = xstrdup(text);
    number = (uint32_t)names->count;
    map_put_str(&names->numbers, names->texts[number - 1], (void *)(uintptr_t)number);
    return number;
}

const char *names_text(const struct names *names, uint32_t number)
{
    return number && number <= names->count ? names->texts[number - 1] : "";
}
