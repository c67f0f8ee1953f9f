/* SPDX-License-Identifier: Apache-2.0 */
/* yaml.c - libyaml's events to a jansson tree and, in an arena beside it, a tree of places.
 *
 * Aliases become copies, so that a consumer may change one without changing the other; every node
 * of a copy counts, which is what stops a few lines from growing into gigabytes. */
#include "conf/yaml.h"

#include <string.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/map.h"
#include "base/utf8.h"

struct yaml_node {
    struct yaml_mark value, key;
    const char *name; /* the key it stands under; NULL in a sequence */
    struct yaml_node *first, *last, *next;
    size_t size; /* nodes, itself included */
    int height;  /* levels below it */
};

struct anchor {
    json_t *json; /* borrowed from the document */
    struct yaml_node *node;
};

struct loader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    const char *text;
    size_t length;
    struct arena *arena; /* of the result */
    struct arena spare;  /* anchors, until the end of the document */
    struct map anchors;
    size_t nodes;
    struct err *err;
};

static struct yaml_mark mark_of(yaml_mark_t mark)
{
    return (struct yaml_mark){ .line = (int)mark.line + 1, .column = (int)mark.column + 1 };
}

/* Line and column of a byte. */
static struct yaml_mark mark_at(const char *text, size_t offset)
{
    struct yaml_mark mark = { 1, 1 };

    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n')
            mark = (struct yaml_mark){ mark.line + 1, 1 };
        else if (((unsigned char)text[i] & 0xC0) != 0x80)
            mark.column++;
    }
    return mark;
}

static int fault_at(struct loader *l, struct yaml_mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
static int fault_at(struct loader *l, struct yaml_mark mark, const char *format, ...)
{
    char words[512];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    return err_set(l->err, FAULT_INVALID, "%d:%d: %s", mark.line, mark.column, words);
}

static const char *hint(const char *problem)
{
    if (strstr(problem, "cannot start any token"))
        return "; tabs do not indent, and text with odd characters needs quotes";
    if (strstr(problem, "mapping values are not allowed"))
        return "; text with ': ' in it needs quotes";
    return "";
}

/* libyaml names what it met and, often, what it was reading at the time. */
static int parser_fault(struct loader *l)
{
    const yaml_parser_t *p = &l->parser;

    if (p->error == YAML_READER_ERROR)
        return fault_at(l, mark_at(l->text, p->problem_offset < l->length ? p->problem_offset : 0),
                        "not YAML: %s", p->problem);
    if (p->context)
        return fault_at(l, mark_of(p->problem_mark), "not YAML: %s %s (begun at %zu:%zu)%s",
                        p->problem, p->context, p->context_mark.line + 1,
                        p->context_mark.column + 1, hint(p->problem));
    return fault_at(l, mark_of(p->problem_mark), "not YAML: %s%s",
                    p->problem ? p->problem : "it ends too early",
                    p->problem ? hint(p->problem) : "");
}

static void drop_event(struct loader *l)
{
    if (l->has_event)
        yaml_event_delete(&l->event);
    l->has_event = false;
}

static int next(struct loader *l)
{
    drop_event(l);
    if (!yaml_parser_parse(&l->parser, &l->event))
        return parser_fault(l);
    l->has_event = true;
    return 0;
}

/* ---- scalars
 * ----------------------------------------------------------------------------------------- */

static bool same_text(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

/* JSON's grammar of a number, but an exponent only behind a point: 12e5 is more often a name. */
static bool is_number(const char *s, size_t length)
{
    char first = s[length > 1 && s[0] == '-'];

    if (first < '0' || first > '9' || same_text(s, length, "-0"))
        return false;
    return strspn(s, "-+.0123456789eE") == length &&
           (memchr(s, '.', length) || strspn(s, "-0123456789") == length);
}

static json_t *plain_value(const char *text, size_t length)
{
    json_t *number;

    if (length == 0 || same_text(text, length, "~") || same_text(text, length, "null"))
        return json_null();
    if (same_text(text, length, "true") || same_text(text, length, "false"))
        return json_boolean(text[0] == 't');
    /* jansson refuses what is no JSON number, and integers past 64 bits: both are text. */
    if (is_number(text, length) && (number = json_loadb(text, length, JSON_DECODE_ANY, NULL)))
        return number;
    return json_stringn(text, length);
}

static int read_scalar(struct loader *l, json_t **out)
{
    const char *text = (const char *)l->event.data.scalar.value;
    size_t length = l->event.data.scalar.length;
    struct yaml_mark mark = mark_of(l->event.start_mark);

    if (memchr(text, '\0', length))
        return fault_at(l, mark, "text may not hold a NUL character");
    *out = l->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_value(text, length)
                                                                 : json_stringn(text, length);
    if (!*out) /* escapes such as "\uD800" can make what the file itself may not hold */
        return fault_at(l, mark, "text is not UTF-8");
    return 0;
}

/* ---- nodes
 * ------------------------------------------------------------------------------------------- */

static int read_node(struct loader *l, int depth, json_t **out, struct yaml_node *node);

static void node_add(struct yaml_node *parent, struct yaml_node *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->size += child->size;
    if (child->height >= parent->height)
        parent->height = child->height + 1;
}

static int read_sequence(struct loader *l, int depth, json_t **out, struct yaml_node *node)
{
    *out = json_array();
    for (;;) {
        struct yaml_node *child;
        json_t *value = NULL;

        if (next(l) < 0)
            return -1;
        if (l->event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        child = arena_alloc(l->arena, sizeof *child);
        if (read_node(l, depth + 1, &value, child) < 0) {
            json_decref(value);
            return -1;
        }
        child->key = child->value;
        json_array_append_new(*out, value);
        node_add(node, child);
    }
}

static const struct yaml_node *child_named(const struct yaml_node *node, const char *name)
{
    for (const struct yaml_node *child = node->first; child; child = child->next)
        if (child->name && strcmp(child->name, name) == 0)
            return child;
    return NULL;
}

/* The event is where a key should be. */
static int read_key(struct loader *l, const json_t *object, const struct yaml_node *node,
                    struct yaml_node *child)
{
    const char *text = (const char *)l->event.data.scalar.value;
    struct yaml_mark mark = mark_of(l->event.start_mark);
    size_t length = l->event.data.scalar.length;

    if (l->event.type != YAML_SCALAR_EVENT)
        return fault_at(l, mark, "a key must be a word; put text that begins with %s in quotes",
                        l->event.type == YAML_ALIAS_EVENT ? "*" : "[ or {");
    if (l->event.data.scalar.tag || l->event.data.scalar.anchor)
        return fault_at(l, mark, "a key may not have a tag or an anchor");
    if (memchr(text, '\0', length) || !utf8_valid(text, length))
        return fault_at(l, mark, "a key must be plain text");
    if (json_object_get(object, text)) {
        struct yaml_mark before = child_named(node, text)->key;

        return fault_at(l, mark, "key '%.100s' was given before, at %d:%d", text, before.line,
                        before.column);
    }
    child->name = arena_strdup(l->arena, text);
    child->key = mark;
    return 0;
}

static int read_mapping(struct loader *l, int depth, json_t **out, struct yaml_node *node)
{
    *out = json_object();
    for (;;) {
        struct yaml_node *child;
        json_t *value = NULL;

        if (next(l) < 0)
            return -1;
        if (l->event.type == YAML_MAPPING_END_EVENT)
            return 0;
        child = arena_alloc(l->arena, sizeof *child);
        if (read_key(l, *out, node, child) < 0 || next(l) < 0)
            return -1;
        if (read_node(l, depth + 1, &value, child) < 0) {
            json_decref(value);
            return -1;
        }
        json_object_set_new_nocheck(*out, child->name, value);
        node_add(node, child);
    }
}

static int count_nodes(struct loader *l, struct yaml_mark mark, size_t more)
{
    l->nodes += more;
    if (l->nodes > YAML_NODES_MOST)
        return fault_at(l, mark, "more than %d values in one file; split it", YAML_NODES_MOST);
    return 0;
}

static int too_deep(struct loader *l, struct yaml_mark mark)
{
    return fault_at(l, mark, "nested deeper than %d levels", YAML_DEPTH_MOST);
}

static int read_alias(struct loader *l, int depth, json_t **out, struct yaml_node *node)
{
    const char *name = (const char *)l->event.data.alias.anchor;
    const struct anchor *anchor = map_get_str(&l->anchors, name);

    if (!anchor)
        return fault_at(l, node->value, "no anchor &%.100s before this", name);
    if (depth + anchor->node->height > YAML_DEPTH_MOST)
        return too_deep(l, node->value);
    if (count_nodes(l, node->value, anchor->node->size) < 0)
        return -1;
    node->height = anchor->node->height;
    node->first = anchor->node->first;
    node->last = anchor->node->last;
    node->size = anchor->node->size;
    *out = json_deep_copy(anchor->json);
    return 0;
}

static void keep_anchor(struct loader *l, char *name, json_t *json, struct yaml_node *node)
{
    struct anchor *anchor = arena_alloc(&l->spare, sizeof *anchor);

    *anchor = (struct anchor){ .json = json, .node = node };
    /* the same name may be used again and then means the later one; the key stays the first text */
    map_put_str(&l->anchors, name, anchor);
}

static const yaml_char_t *event_tag(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT           ? event->data.scalar.tag
           : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.tag
           : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.tag
                                                      : NULL;
}

static const yaml_char_t *event_anchor(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT           ? event->data.scalar.anchor
           : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor
           : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.anchor
                                                      : NULL;
}

/* The event that begins the node is the current one. */
static int read_node(struct loader *l, int depth, json_t **out, struct yaml_node *node)
{
    const char *anchor = (const char *)event_anchor(&l->event);
    char *name = anchor ? arena_strdup(&l->spare, anchor) : NULL;
    int rc;

    node->value = mark_of(l->event.start_mark);
    node->size = 1;
    if (event_tag(&l->event))
        return fault_at(l, node->value, "tags (%.40s) are not used here; leave it out",
                        (const char *)event_tag(&l->event));
    if (depth > YAML_DEPTH_MOST)
        return too_deep(l, node->value);
    if (l->event.type == YAML_ALIAS_EVENT)
        return read_alias(l, depth, out, node);
    if (count_nodes(l, node->value, 1) < 0)
        return -1;
    if (l->event.type == YAML_SCALAR_EVENT)
        rc = read_scalar(l, out);
    else if (l->event.type == YAML_SEQUENCE_START_EVENT)
        rc = read_sequence(l, depth, out, node);
    else
        rc = read_mapping(l, depth, out, node);
    if (rc == 0 && name)
        keep_anchor(l, name, *out, node);
    return rc;
}

/* ---- documents
 * --------------------------------------------------------------------------------------- */

static bool is_empty_scalar(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0 &&
           event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.anchor &&
           !event->data.scalar.tag;
}

/* The current event starts a document; afterwards it is the one that ends it. */
static int read_document(struct loader *l, struct yaml_docs *out)
{
    struct yaml_node *places = arena_alloc(l->arena, sizeof *places);
    own_json json_t *root = NULL;

    if (next(l) < 0)
        return -1;
    if (is_empty_scalar(&l->event))
        return next(l);
    if (read_node(l, 1, &root, places) < 0)
        return -1;
    if (out->count == YAML_DOCS_MOST)
        return fault_at(l, places->value, "more than %d documents in one file", YAML_DOCS_MOST);
    if ((out->count & (out->count - 1)) == 0)
        out->list = xrealloc(out->list, (out->count ? out->count * 2 : 1) * sizeof *out->list);
    places->key = places->value;
    out->list[out->count++] = (struct yaml_doc){ .root = take_ptr(root), .places = places };
    map_fini(&l->anchors);
    l->anchors = (struct map)MAP_INIT_STR;
    arena_clear(&l->spare);
    return next(l);
}

static int read_stream(struct loader *l, struct yaml_docs *out)
{
    do {
        if (next(l) < 0)
            return -1;
        if (l->event.type == YAML_DOCUMENT_START_EVENT && read_document(l, out) < 0)
            return -1;
    } while (l->event.type != YAML_STREAM_END_EVENT);
    if (out->count == 0)
        return err_set(l->err, FAULT_INVALID, "1:1: there is nothing in it");
    return 0;
}

static int check_text(struct loader *l)
{
    size_t good;

    if (l->length > YAML_BYTES_MOST)
        return err_set(l->err, FAULT_INVALID, "1:1: larger than %zu MiB", YAML_BYTES_MOST >> 20);
    if (utf8_valid(l->text, l->length))
        return 0;
    for (good = 0; good < l->length;) {
        size_t n = 1;

        while (n <= 4 && good + n <= l->length && !utf8_valid(l->text + good, n))
            n++;
        if (n > 4 || good + n > l->length)
            break;
        good += n;
    }
    return fault_at(l, mark_at(l->text, good), "not UTF-8; save the file as UTF-8");
}

int yaml_parse(const char *text, size_t length, struct yaml_docs *out, struct err *err)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;
    struct loader l = {
        .text = text, .length = length, .arena = &docs.arena, .anchors = MAP_INIT_STR, .err = err
    };
    int rc;

    if (check_text(&l) < 0)
        return -1;
    if (length >= 3 &&
        memcmp(text, "\xEF\xBB\xBF", 3) == 0) { /* a byte-order mark, as Windows adds */
        l.text += 3;
        l.length -= 3;
    }
    if (!yaml_parser_initialize(&l.parser))
        abort(); /* memory ran out */
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)l.text, l.length);
    rc = read_stream(&l, &docs);
    drop_event(&l);
    yaml_parser_delete(&l.parser);
    map_fini(&l.anchors);
    arena_free(&l.spare);
    if (rc < 0)
        return -1;
    *out = docs;
    docs = (struct yaml_docs)YAML_DOCS_INIT;
    return 0;
}

int yaml_load(const char *path, struct yaml_docs *out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(YAML_BYTES_MOST);
    bool standard_input = strcmp(path, "-") == 0;

    if (standard_input) {
        if (buf_read_fd(&text, STDIN_FILENO, err) < 0)
            return err_wrap(err, "standard input");
    } else if (buf_read_file(&text, path, err) < 0) {
        return -1;
    }
    if (yaml_parse(buf_text(&text), text.length, out, err) < 0) {
        char words[ERR_TEXT_BYTES];

        if (!err)
            return -1;
        memcpy(words, err->text, sizeof words);
        return err_set(err, err->fault, "%s:%s", standard_input ? "standard input" : path, words);
    }
    return 0;
}

void yaml_docs_free(struct yaml_docs *docs)
{
    for (size_t i = 0; i < docs->count; i++)
        json_decref(docs->list[i].root);
    free(docs->list);
    arena_free(&docs->arena);
    *docs = (struct yaml_docs)YAML_DOCS_INIT;
}

/* ---- places
 * ------------------------------------------------------------------------------------------ */

/* Does a pointer's token, of `length` bytes, name `name`?  "~1" stands for '/', "~0" for '~'. */
static bool token_is(const char *token, size_t length, const char *name)
{
    for (size_t i = 0; i < length; i++, name++) {
        char c = token[i];

        if (c == '~' && i + 1 < length) {
            c = token[i + 1] == '1' ? '/' : '~';
            i++;
        }
        if (!*name || *name != c)
            return false;
    }
    return !*name;
}

static const struct yaml_node *child_of(const struct yaml_node *node, const char *token,
                                        size_t length)
{
    char text[24];
    size_t at = 0;

    for (const struct yaml_node *child = node->first; child; child = child->next, at++) {
        if (!child->name)
            snprintf(text, sizeof text, "%zu", at);
        if (token_is(token, length, child->name ? child->name : text))
            return child;
    }
    return NULL;
}

struct yaml_mark yaml_mark(const struct yaml_doc *doc, const char *pointer, bool key)
{
    const struct yaml_node *node = doc->places;

    while (*pointer == '/') {
        size_t length = strcspn(++pointer, "/");
        const struct yaml_node *child = child_of(node, pointer, length);

        if (!child) /* what is missing has no place of its own: name where it belongs */
            return node->key;
        node = child;
        pointer += length;
    }
    return key ? node->key : node->value;
}
