/* SPDX-License-Identifier: Apache-2.0 */
/* nodes.c - the other nodes of a gang, from the lease to the hostfile. */
#include "nodes.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "base/own.h"

#define FILE_MOST ((size_t)16 << 20)

static int check_node(const json_t *node, struct err *err)
{
    const char *host = "";
    int64_t cpus = 0;

    if (!json_is_object(node))
        return err_set(err, FAULT_INVALID, "must be an object");
    if (json_get_str(node, "host", &host, err) < 0 ||
        json_get_i64(node, "cpus", 0, 1 << 20, &cpus, err) < 0)
        return -1;
    if (!*host || strpbrk(host, " \t\r\n"))
        return err_set(err, FAULT_INVALID, "host: not a name");
    return 0;
}

int nodes_check(const json_t *lease, struct err *err)
{
    const json_t *list = NULL, *node;
    int64_t rank = 0;
    size_t i;

    if (json_opt_array(lease, "nodes", &list, err) < 0)
        return -1;
    if (!list)
        return 0;
    if (json_array_size(list) == 0 || json_array_size(list) > NODES_MOST)
        return err_set(err, FAULT_INVALID, "nodes: not 1 to %d", NODES_MOST);
    json_array_foreach(list, i, node)
    {
        if (check_node(node, err) < 0)
            return err_wrap(err, "nodes/%zu", i);
    }
    return json_get_i64(lease, "rank", 0, (int64_t)json_array_size(list) - 1, &rank, err);
}

size_t nodes_count(const struct attempt *a)
{
    return json_array_size(json_object_get(a->lease, "nodes"));
}

int64_t nodes_rank(const struct attempt *a)
{
    return json_integer_value(json_object_get(a->lease, "rank"));
}

static const json_t *node_of(const struct attempt *a, size_t rank)
{
    return json_array_get(json_object_get(a->lease, "nodes"), rank);
}

const char *nodes_host(const struct attempt *a, size_t rank)
{
    return json_string_value(json_object_get(node_of(a, rank), "host"));
}

static void put_hosts(const struct attempt *a, struct buf *out)
{
    for (size_t rank = 0; rank < nodes_count(a); rank++) {
        int64_t cpus = json_integer_value(json_object_get(node_of(a, rank), "cpus"));

        for (int64_t i = 0; (i < cpus || i == 0) && !out->failed; i++)
            buf_printf(out, "%s\n", nodes_host(a, rank));
    }
}

int nodes_write(struct attempt *a, struct err *err)
{
    own_buf struct buf text = BUF_INIT(FILE_MOST);
    own_str char *path = xasprintf("%s/nodefile", a->place->tmp.path);
    own_fd int fd = -1;

    put_hosts(a, &text);
    if (text.failed)
        return err_set(err, FAULT_INVALID, "the list of its nodes is larger than %zu bytes",
                       FILE_MOST);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || io_write_all(fd, buf_text(&text), text.length) < 0)
        return err_sys(err, "write %s", path);
    return 0;
}
