/* SPDX-License-Identifier: Apache-2.0 */
/* cli.c - what the commands share: the connection, fields of answers, printing. */
#include "cli/cli.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"

#define TOKEN_FILE_MOST 4096

/* The first word of the file; others must not be able to read it. */
static int read_token(const char *path, char **out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(TOKEN_FILE_MOST);
    struct stat st;
    size_t length;

    if (buf_read_file(&text, path, err) < 0)
        return err_wrap(err, "--token-file");
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077))
        warn("%s can be read by others; `chmod 600 %s` mends that", path, path);
    length = strcspn(buf_text(&text), " \t\r\n");
    if (length == 0)
        return err_set(err, FAULT_INVALID, "--token-file: %s is empty", path);
    *out = xstrndup(buf_text(&text), length);
    return 0;
}

static int find_endpoint(const struct cli *cli, struct endpoint *out, struct err *err)
{
    const char *url = cli->url ? cli->url : getenv("SPILLWAY_URL");

    if (!url || !*url)
        return endpoint_default(out, err);
    if (endpoint_parse(url, out, err) < 0)
        return err_wrap(err, "%s", cli->url ? "--url" : "SPILLWAY_URL");
    return 0;
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

int cli_client(struct cli *cli, struct client **out, struct err *err)
{
    own_endpoint struct endpoint endpoint = { .socket = NULL };
    own_str char *token = NULL;
    struct client_options options = { .cacert = environment("SPILLWAY_CACERT"),
                                      .pin = environment("SPILLWAY_PIN") };

    if (!cli->client) {
        if (find_endpoint(cli, &endpoint, err) < 0)
            return -1;
        if (cli->token_file && read_token(cli->token_file, &token, err) < 0)
            return -1;
        options.token = token ? token : environment("SPILLWAY_TOKEN");
        if (client_open(&endpoint, &options, &cli->client, err) < 0)
            return -1;
    }
    *out = cli->client;
    return 0;
}

int cli_get(struct cli *cli, json_t **out, struct err *err, const char *path, ...)
{
    own_buf struct buf text = BUF_INIT(0);
    struct client *client;
    va_list args;

    va_start(args, path);
    buf_vprintf(&text, path, args);
    va_end(args);
    if (cli_client(cli, &client, err) < 0)
        return -1;
    return client_json(client, &(struct call){ .path = buf_text(&text) }, out, err);
}

int cli_post(struct cli *cli, const char *path, const json_t *body, json_t **out, struct err *err)
{
    own_str char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    own_json json_t *answer = NULL;
    struct client *client;
    struct call call = { .method = "POST", .path = path, .body = text };

    call.body_length = text ? strlen(text) : 0;
    if (cli_client(cli, &client, err) < 0 || client_json(client, &call, &answer, err) < 0)
        return -1;
    if (out)
        *out = take_ptr(answer);
    return 0;
}

void print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
}

void print_json_line(const json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    putchar('\n');
    fflush(stdout);
}

static bool is_nested(const json_t *value)
{
    return json_is_object(value) ||
           (json_is_array(value) && json_is_object(json_array_get(value, 0)));
}

static bool is_empty(const json_t *value)
{
    return json_is_null(value) || (json_is_array(value) && !json_array_size(value));
}

static void put_plain(struct buf *out, const json_t *value)
{
    own_str char *text = json_is_string(value) ? xstrdup(json_string_value(value))
                                               : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    buf_puts(out, text);
}

/* "arch x86_64, cpus 2" */
static void put_pairs(struct buf *out, const json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        if (is_nested(value) || is_empty(value))
            continue;
        buf_printf(out, "%s%s ", out->length ? ", " : "", key);
        put_plain(out, value);
    }
}

void print_object(const json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        own_buf struct buf text = BUF_INIT(0);
        own_str char *safe = NULL, *name = safe_text(key);

        if (json_is_object(value))
            put_pairs(&text, value);
        else if (!is_nested(value) && !is_empty(value))
            put_plain(&text, value);
        safe = safe_text(buf_text(&text));
        if (*safe)
            printf("%-12s %s\n", name, safe);
    }
}

void warn(const char *format, ...)
{
    own_buf struct buf text = BUF_INIT(0);
    own_str char *safe = NULL;
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    safe = safe_text(buf_text(&text));
    fprintf(stderr, "spillway: %s\n", safe);
}

const char *field_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

int64_t field_int(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

double field_real(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

bool field_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

int64_t field_time(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    int64_t ms = 0;

    return text && parse_time(text, &ms, NULL) == 0 ? ms : 0;
}

int cli_pages(struct cli *cli, const char *query, page_fn *each, void *arg, struct err *err)
{
    own_str char *cursor = NULL;

    do {
        own_buf struct buf path = BUF_INIT(0);
        own_json json_t *answer = NULL;

        buf_puts(&path, query);
        query_add(&path, "cursor", cursor);
        if (cli_get(cli, &answer, err, "%s", buf_text(&path)) < 0 || each(arg, answer, err) < 0)
            return -1;
        free(cursor);
        cursor = *field_text(answer, "cursor") ? xstrdup(field_text(answer, "cursor")) : NULL;
    } while (cursor);
    return 0;
}

struct whole_list {
    const char *key;
    json_t *list;
};

static int add_whole_page(void *arg, const json_t *answer, struct err *err)
{
    const struct whole_list *whole = arg;

    (void)err;
    json_array_extend(whole->list, json_object_get(answer, whole->key));
    return 0;
}

int cli_get_all(struct cli *cli, const char *query, const char *key, json_t *list, struct err *err)
{
    struct whole_list whole = { key, list };

    return cli_pages(cli, query, add_whole_page, &whole, err);
}

int job_id_check(const char *text, struct err *err)
{
    size_t job = strspn(text, "0123456789"), task = 0;

    if (job && text[job] == '.')
        task = strspn(text + job + 1, "0123456789");
    if (job == 0 || job > 18 || task > 18 || text[job + (task ? task + 1 : 0)])
        return err_set(err, FAULT_INVALID,
                       "'%.60s' is not the id of a job; ids look like 1234, or 1234.7 for one task "
                       "of an array (see `spillway ls`)",
                       text);
    return 0;
}

int job_ids_check(const struct args *args, struct err *err)
{
    for (size_t i = 0; i < args->word_count; i++)
        if (job_id_check(args->words[i], err) < 0)
            return -1;
    return 0;
}
