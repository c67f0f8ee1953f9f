/* SPDX-License-Identifier: Apache-2.0 */
/* ssh_config.c - lines of an ssh_config, and which of them hold for one host. */
#include "net/ssh_config.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"

#define DEPTH_MOST 16 /* as in ssh */
#define WORD_MOST  4096

struct reading {
    struct ssh_config *config;
    const char *local_user, *path;
    ssh_config_files *files;
    void *arg;
    bool applies; /* the block at hand */
    int line;
};

void ssh_config_init(struct ssh_config *config, const char *host)
{
    memset(config, 0, sizeof *config);
    config->host = xstrdup(host);
    config->identities_only = -1;
}

static void files_free(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i]);
}

void ssh_config_fini(struct ssh_config *config)
{
    files_free(config->identities, config->identity_count);
    files_free(config->known_files, config->known_file_count);
    files_free(config->global_files, config->global_file_count);
    free(config->host);
    free(config->host_name);
    free(config->user);
    free(config->host_key_alias);
    free(config->identity_agent);
    free(config->proxy_jump);
    free(config->proxy_command);
    memset(config, 0, sizeof *config);
}

/* The next word of a line: quoted, or up to a blank.  False: none is left.  -1 in *bad: a quote
 * that nothing closes, or a word past all measure. */
static bool next_word(const char **at, struct buf *out, bool *bad)
{
    char quote = '\0';

    buf_clear(out);
    *at += strspn(*at, " \t\r");
    if (!**at || **at == '#')
        return false;
    for (; **at && (quote || !strchr(" \t\r", **at)); (*at)++) {
        if (!quote && (**at == '"' || **at == '\'')) {
            quote = **at;
            continue;
        }
        if (quote && **at == quote) {
            quote = '\0';
            continue;
        }
        if (**at == '\\' && ((*at)[1] == '"' || (*at)[1] == '\'' || (*at)[1] == '\\'))
            (*at)++;
        if (buf_putc(out, **at) < 0)
            *bad = true;
    }
    *bad |= quote != '\0';
    return !*bad;
}

static bool wild(const char *pattern, const char *text)
{
    const char *star = NULL, *back = NULL;

    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            back = text;
        } else if (*text && (*pattern == '?' ||
                             tolower((unsigned char)*pattern) == tolower((unsigned char)*text))) {
            pattern++;
            text++;
        } else if (!*text && !*pattern) {
            return true;
        } else if (star && *back) {
            pattern = star;
            text = ++back;
        } else {
            return false;
        }
    }
}

/* One pattern against the list's answer so far: a negated one that matches ends it. */
static void weigh(const char *pattern, const char *text, bool *found, bool *refused)
{
    if (*pattern == '!')
        *refused |= wild(pattern + 1, text);
    else
        *found |= wild(pattern, text);
}

static bool list_matches(const char *patterns, const char *text)
{
    bool found = false, refused = false;

    while (*patterns) {
        size_t length = strcspn(patterns, ",");
        own_str char *one = xstrndup(patterns, length);

        weigh(one, text, &found, &refused);
        patterns += length + (patterns[length] == ',');
    }
    return found && !refused;
}

static int fault(const struct reading *r, struct err *err, const char *words)
{
    return err_set(err, FAULT_INVALID, "%s:%d: %s", r->path, r->line, words);
}

static int read_host(struct reading *r, const char *rest, struct err *err)
{
    own_buf struct buf word = BUF_INIT(WORD_MOST);
    bool found = false, refused = false, bad = false;

    while (next_word(&rest, &word, &bad))
        weigh(buf_text(&word), r->config->host, &found, &refused);
    r->applies = found && !refused;
    return bad ? fault(r, err, "a quote is not closed") : 0;
}

/* What a criterion of Match is compared with; NULL: it is not one that we know. */
static const char *criterion(const struct reading *r, const char *name)
{
    const struct ssh_config *config = r->config;

    if (strcasecmp(name, "host") == 0)
        return config->host_name ? config->host_name : config->host;
    if (strcasecmp(name, "originalhost") == 0)
        return config->host;
    if (strcasecmp(name, "user") == 0)
        return config->user ? config->user : r->local_user;
    return strcasecmp(name, "localuser") == 0 ? r->local_user : NULL;
}

static int read_match(struct reading *r, const char *rest, struct err *err)
{
    own_buf struct buf word = BUF_INIT(WORD_MOST), value = BUF_INIT(WORD_MOST);
    bool bad = false;

    r->applies = true;
    while (next_word(&rest, &word, &bad)) {
        const char *name = buf_text(&word), *text;
        bool negated = *name == '!';

        if (strcasecmp(name, "all") == 0)
            continue;
        text = criterion(r, name + negated);
        if (!next_word(&rest, &value, &bad) || !text) {
            r->applies = false;
            break;
        }
        r->applies &= list_matches(buf_text(&value), text) != negated;
    }
    return bad ? fault(r, err, "a quote is not closed") : 0;
}

static int take_included(void *to, const char *path, const char *text, struct err *err)
{
    struct reading *r = to;

    return ssh_config_add(r->config, r->local_user, path, text, r->files, r->arg, err);
}

static int read_include(struct reading *r, const char *rest, struct err *err)
{
    own_buf struct buf word = BUF_INIT(WORD_MOST);
    bool bad = false;

    if (!r->applies)
        return 0;
    if (r->config->depth >= DEPTH_MOST)
        return fault(r, err, "Include goes too deep");
    while (next_word(&rest, &word, &bad)) {
        int rc;

        r->config->depth++;
        rc = r->files ? r->files(r->arg, buf_text(&word), take_included, r, err) : 0;
        r->config->depth--;
        if (rc < 0)
            return -1;
    }
    return bad ? fault(r, err, "a quote is not closed") : 0;
}

static void set_once(char **slot, const char *value)
{
    if (!*slot)
        *slot = xstrdup(value);
}

/* All words of the line; `more`: lines after the first add to it. */
static void add_files(char **list, size_t *count, const char *rest, bool more)
{
    own_buf struct buf word = BUF_INIT(WORD_MOST);
    bool bad = false;

    if (*count && !more)
        return;
    while (*count < SSH_FILES_MOST && next_word(&rest, &word, &bad))
        list[(*count)++] = xstrdup(buf_text(&word));
}

static int set_port(struct reading *r, const char *value, struct err *err)
{
    int64_t port = 0;

    if (parse_i64(value, 1, 65535, &port, NULL) < 0)
        return fault(r, err, "Port must be a number from 1 to 65535");
    if (!r->config->port)
        r->config->port = (int)port;
    return 0;
}

static int read_value(struct reading *r, const char *key, const char *rest, struct err *err)
{
    struct ssh_config *config = r->config;
    own_buf struct buf word = BUF_INIT(WORD_MOST);
    const struct {
        const char *key;
        char **slot;
    } texts[] = { { "HostName", &config->host_name },
                  { "User", &config->user },
                  { "HostKeyAlias", &config->host_key_alias },
                  { "IdentityAgent", &config->identity_agent },
                  { "ProxyJump", &config->proxy_jump } };
    const char *at = rest;
    bool bad = false;

    if (!next_word(&at, &word, &bad))
        return bad ? fault(r, err, "a quote is not closed") : 0;
    for (size_t i = 0; i < array_len(texts); i++)
        if (strcasecmp(key, texts[i].key) == 0)
            set_once(texts[i].slot, buf_text(&word));
    if (strcasecmp(key, "Port") == 0)
        return set_port(r, buf_text(&word), err);
    if (strcasecmp(key, "IdentityFile") == 0)
        add_files(config->identities, &config->identity_count, rest, true);
    else if (strcasecmp(key, "UserKnownHostsFile") == 0)
        add_files(config->known_files, &config->known_file_count, rest, false);
    else if (strcasecmp(key, "GlobalKnownHostsFile") == 0)
        add_files(config->global_files, &config->global_file_count, rest, false);
    else if (strcasecmp(key, "IdentitiesOnly") == 0 && config->identities_only < 0)
        config->identities_only = strcasecmp(buf_text(&word), "yes") == 0;
    else if (strcasecmp(key, "ProxyCommand") == 0)
        set_once(&config->proxy_command, rest);
    return 0;
}

/* "Key value", "Key=value" or "Key = value". */
static int read_line(struct reading *r, char *line, struct err *err)
{
    char *key = line + strspn(line, " \t\r"), *rest;
    size_t length = strcspn(key, " \t\r=");

    if (!*key || *key == '#')
        return 0;
    rest = key + length;
    rest += strspn(rest, " \t\r");
    if (*rest == '=')
        rest++;
    rest += strspn(rest, " \t\r");
    key[length] = '\0';
    if (strcasecmp(key, "Host") == 0)
        return read_host(r, rest, err);
    if (strcasecmp(key, "Match") == 0)
        return read_match(r, rest, err);
    if (strcasecmp(key, "Include") == 0)
        return read_include(r, rest, err);
    return r->applies ? read_value(r, key, rest, err) : 0;
}

int ssh_config_add(struct ssh_config *config, const char *local_user, const char *path,
                   const char *text, ssh_config_files *files, void *arg, struct err *err)
{
    struct reading r = { .config = config,
                         .local_user = local_user,
                         .path = path,
                         .files = files,
                         .arg = arg,
                         .applies = true };

    while (*text) {
        size_t length = strcspn(text, "\n");
        own_str char *line = xstrndup(text, length);

        r.line++;
        if (length >= WORD_MOST)
            return fault(&r, err, "the line is too long");
        if (read_line(&r, line, err) < 0)
            return -1;
        text += length + (text[length] == '\n');
    }
    return 0;
}

static void put_token(const struct ssh_config *config, const char *home, const char *local_user,
                      char token, struct buf *out)
{
    switch (token) {
    case 'h':
        buf_puts(out, config->host_name ? config->host_name : config->host);
        break;
    case 'n':
        buf_puts(out, config->host);
        break;
    case 'p':
        buf_printf(out, "%d", config->port ? config->port : 22);
        break;
    case 'r':
        buf_puts(out, config->user ? config->user : local_user);
        break;
    case 'u':
        buf_puts(out, local_user);
        break;
    case 'd':
        buf_puts(out, home);
        break;
    default:
        if (token != '%')
            buf_putc(out, '%');
        buf_putc(out, token);
    }
}

void ssh_config_expand(const struct ssh_config *config, const char *home, const char *local_user,
                       const char *value, struct buf *out)
{
    if (value[0] == '~' && value[1] == '/') {
        buf_puts(out, home);
        value++;
    }
    for (; *value; value++) {
        if (*value == '%' && value[1])
            put_token(config, home, local_user, *++value, out);
        else
            buf_putc(out, *value);
    }
}
