/* SPDX-License-Identifier: Apache-2.0 */
/* known_hosts.c - the lines of a file of known hosts, one after the other. */
#include "net/known_hosts.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <strings.h>

#define SHA1_BYTES 20
#define LINE_MOST  16384

enum mark { MARK_NONE, MARK_AUTHORITY, MARK_REVOKED, MARK_OTHER };

struct line {
    enum mark mark;
    char *names, *type, *key;
};

static char *word(char **at)
{
    char *start = *at + strspn(*at, " \t\r");
    size_t length = strcspn(start, " \t\r");

    *at = start + length;
    if (**at)
        *(*at)++ = '\0';
    return length ? start : NULL;
}

/* Cuts `text` in place; false: a comment, an empty line or not a line of this format. */
static bool line_split(char *text, struct line *out)
{
    char *first = word(&text);

    if (!first || *first == '#')
        return false;
    out->mark = MARK_NONE;
    if (*first == '@') {
        out->mark = strcmp(first, "@cert-authority") == 0 ? MARK_AUTHORITY
                    : strcmp(first, "@revoked") == 0      ? MARK_REVOKED
                                                          : MARK_OTHER;
        first = word(&text);
    }
    out->names = first;
    out->type = word(&text);
    out->key = word(&text);
    return out->names && out->type && out->key && out->mark != MARK_OTHER;
}

/* '*' and '?', as ssh has them: they match any character, and case does not count. */
static bool pattern_matches(const char *pattern, size_t length, const char *name)
{
    const char *end = pattern + length, *star = NULL, *back = NULL;

    for (;;) {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            back = name;
        } else if (*name && pattern < end &&
                   (*pattern == '?' ||
                    tolower((unsigned char)*pattern) == tolower((unsigned char)*name))) {
            pattern++;
            name++;
        } else if (!*name && pattern == end) {
            return true;
        } else if (star && *back) {
            pattern = star;
            name = ++back;
        } else {
            return false;
        }
    }
}

/* "|1|SALT|HASH", both base64: HMAC-SHA1 of the name under the salt. */
static bool hash_matches(const char *names, const char *name)
{
    own_buf struct buf salt = BUF_INIT(256), hash = BUF_INIT(256);
    own_str char *first = NULL;
    unsigned char made[EVP_MAX_MD_SIZE];
    unsigned int made_length = 0;
    const char *bar = strchr(names + 3, '|');

    if (!bar)
        return false;
    first = xstrndup(names + 3, (size_t)(bar - names - 3));
    if (buf_put_unbase64(&salt, first, strlen(first)) < 0 ||
        buf_put_unbase64(&hash, bar + 1, strlen(bar + 1)) < 0 || salt.length != SHA1_BYTES ||
        hash.length != SHA1_BYTES)
        return false;
    HMAC(EVP_sha1(), salt.data, (int)salt.length, (const unsigned char *)name, strlen(name), made,
         &made_length);
    return made_length == SHA1_BYTES && memcmp(made, hash.data, SHA1_BYTES) == 0;
}

static bool names_match(const char *names, const char *name)
{
    bool found = false;

    if (strncmp(names, "|1|", 3) == 0)
        return hash_matches(names, name);
    while (*names) {
        size_t length = strcspn(names, ",");
        bool negated = *names == '!';

        if (pattern_matches(names + negated, length - negated, name)) {
            if (negated)
                return false;
            found = true;
        }
        names += length + (names[length] == ',');
    }
    return found;
}

/* The next line that speaks of `name`; its parts are cut out of `copy`. */
static bool next_line(const char **at, const char *name, struct buf *copy, struct line *out)
{
    while (**at) {
        size_t length = strcspn(*at, "\n");
        const char *start = *at;

        *at += length + ((*at)[length] == '\n');
        buf_clear(copy);
        if (length == 0 || buf_put(copy, start, length) < 0)
            continue;
        if (line_split(copy->data, out) && names_match(out->names, name))
            return true;
    }
    return false;
}

static bool same_key(const struct line *line, const char *type, const void *key, size_t length)
{
    own_buf struct buf plain = BUF_INIT(LINE_MOST);

    return strcmp(line->type, type) == 0 &&
           buf_put_unbase64(&plain, line->key, strlen(line->key)) == 0 && plain.length == length &&
           memcmp(plain.data, key, length) == 0;
}

void known_hosts_name(const char *host, int port, struct buf *out)
{
    size_t start;

    if (port == 22)
        buf_puts(out, host);
    else
        buf_printf(out, "[%s]:%d", host, port);
    start = out->length;
    for (size_t i = 0; i < start; i++)
        out->data[i] = (char)tolower((unsigned char)out->data[i]);
}

enum known known_hosts_check(const char *text, const char *name, const char *type, const void *key,
                             size_t length)
{
    own_buf struct buf copy = BUF_INIT(LINE_MOST);
    enum known found = KNOWN_UNKNOWN;
    struct line line;

    while (next_line(&text, name, &copy, &line)) {
        bool same = same_key(&line, type, key, length);
        enum known says = KNOWN_UNKNOWN;

        if (line.mark == MARK_REVOKED)
            says = same ? KNOWN_REVOKED : KNOWN_UNKNOWN;
        else if (line.mark == MARK_AUTHORITY)
            says = KNOWN_AUTHORITY;
        else
            says = same ? KNOWN_OK : KNOWN_CHANGED;
        if (says > found)
            found = says;
    }
    return found;
}

static bool has_word(const char *list, const char *one)
{
    size_t length = strlen(one);

    for (const char *at = list; (at = strstr(at, one)); at += length)
        if ((at == list || at[-1] == ',') && (!at[length] || at[length] == ','))
            return true;
    return false;
}

void known_hosts_types(const char *text, const char *name, struct buf *out)
{
    own_buf struct buf copy = BUF_INIT(LINE_MOST);
    struct line line;

    while (next_line(&text, name, &copy, &line))
        if (line.mark == MARK_NONE && !has_word(buf_text(out), line.type) &&
            !strchr(line.type, ','))
            buf_printf(out, "%s%s", out->length ? "," : "", line.type);
}
