/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.c - which tasks a command is about. */
#include <ctype.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/slurm/slurm.h"
#include "conf/job.h"

const char *slurm_user(void)
{
    static char name[256];
    const struct passwd *user = *name ? NULL : getpwuid(geteuid());

    if (user)
        snprintf(name, sizeof name, "%s", user->pw_name);
    return name;
}

/* Cuts the list's next member off. */
static bool next_word(const char **at, char out[256])
{
    size_t length;

    *at += strspn(*at, ", ");
    if (!(length = strcspn(*at, ", ")))
        return false;
    snprintf(out, 256, "%.*s", (int)(length < 255 ? length : 255), *at);
    *at += length;
    return true;
}

bool slurm_has_word(const char *list, const char *word)
{
    char one[256];

    while (next_word(&list, one))
        if (strcasecmp(one, word) == 0)
            return true;
    return false;
}

/* ---- ids -----------------------------------------------------------------------------------------
 */

void slurm_id_free(struct slurm_id *id)
{
    free(take_ptr(id->indices));
}

int slurm_id_parse(const char *text, struct slurm_id *out, struct err *err)
{
    own_str char *copy = xstrndup(text, strcspn(text, "."));
    char *indices = strchr(copy, '_');
    struct index_set set;

    *out = (struct slurm_id){ .job = 0 };
    if (indices)
        *indices++ = '\0';
    if (parse_i64(copy, 1, INT64_MAX, &out->job, NULL) < 0)
        return err_set(err, FAULT_INVALID, "Invalid job id %.40s", text);
    if (!indices || strcmp(indices, "*") == 0)
        return 0;
    if (*indices == '[' && indices[strlen(indices) - 1] == ']') {
        indices[strlen(indices) - 1] = '\0';
        indices++;
    }
    if (index_set_parse(indices, &set, NULL) < 0)
        return err_set(err, FAULT_INVALID, "Invalid job id %.40s", text);
    index_set_free(&set);
    out->indices = xstrdup(indices);
    return 0;
}

/* ---- tasks ---------------------------------------------------------------------------------------
 */

struct gathering {
    struct cli *cli;
    const struct slurm_query *query;
    const struct index_set *indices; /* NULL: any */
    json_t *tasks;
};

static bool is_wanted(const struct gathering *g, const json_t *task)
{
    const struct slurm_query *query = g->query;
    const char *site = field_text(task, "site"), *state = slurm_state_of(task);

    return (!query->users || slurm_has_word(query->users, field_text(task, "user"))) &&
           (!query->names || slurm_has_word(query->names, field_text(task, "name"))) &&
           (!query->accounts || slurm_has_word(query->accounts, field_text(task, "project"))) &&
           (!query->partitions || slurm_has_word(query->partitions, SLURM_PARTITION) ||
            slurm_has_word(query->partitions, site)) &&
           (!query->states || slurm_has_word(query->states, state) ||
            slurm_has_word(query->states, slurm_state_short(state)));
}

static void add_task(const struct gathering *g, json_t *task)
{
    if (is_wanted(g, task))
        json_array_append(g->tasks, task);
}

/* The tasks of an array that wait are one entry: its members, or those that are asked for. */
static int add_waiting(const struct gathering *g, json_t *task, struct err *err)
{
    own_json json_t *job = NULL;
    own_str char *text = NULL;
    struct index_set set = { .count = 0 };
    int64_t first, count = field_int(task, "tasks");

    if (!g->query->expand && !g->indices) {
        add_task(g, task);
        return 0;
    }
    if (cli_get(g->cli, &job, err, "/v1/jobs/%lld", (long long)field_int(task, "job")) < 0)
        return -1;
    text = xstrndup(field_text(job, "array"), strcspn(field_text(job, "array"), "%"));
    if (index_set_parse(text, &set, err) < 0)
        return -1;
    first = index_set_find(&set, strtoll(strchr(field_text(task, "id"), '[') + 1, NULL, 10));
    for (int64_t i = 0; first >= 0 && i < count && first + i < set.size; i++) {
        int64_t index = index_set_nth(&set, first + i);
        own_json json_t *one = NULL;

        if (g->indices && index_set_find(g->indices, index) < 0)
            continue;
        one = json_copy(task);
        json_object_set_new(one, "index", json_integer(index));
        json_object_del(one, "tasks");
        json_object_set_new(
            one, "id",
            json_sprintf("%lld.%lld", (long long)field_int(task, "job"), (long long)index));
        add_task(g, one);
    }
    index_set_free(&set);
    return 0;
}

static int take_page(void *arg, const json_t *answer, struct err *err)
{
    const struct gathering *g = arg;
    size_t i;
    json_t *task;

    json_array_foreach(json_object_get(answer, "tasks"), i, task)
    {
        if (strstr(field_text(task, "id"), ".[")) {
            if (add_waiting(g, task, err) < 0)
                return -1;
        } else if (!g->indices || (json_is_integer(json_object_get(task, "index")) &&
                                   index_set_find(g->indices, field_int(task, "index")) >= 0)) {
            add_task(g, task);
        }
    }
    return 0;
}

/* Of one job.  Nothing found can mean that it is not there, or that nothing of it is asked for. */
static int take_job(struct gathering *g, const char *text, struct err *err)
{
    own_slurm_id struct slurm_id id = { .job = 0 };
    own_str char *path = NULL;
    own_json json_t *job = NULL;
    struct index_set set = { .count = 0 };
    size_t before = json_array_size(g->tasks);
    int rc;

    if (slurm_id_parse(text, &id, err) < 0 ||
        (id.indices && index_set_parse(id.indices, &set, err) < 0))
        return -1;
    g->indices = id.indices ? &set : NULL;
    path = xasprintf("/v1/jobs?limit=10000&job=%lld%s", (long long)id.job,
                     g->query->ended ? "&all=1" : "");
    rc = cli_pages(g->cli, path, take_page, g, err);
    index_set_free(&set);
    if (rc < 0 || json_array_size(g->tasks) > before)
        return rc;
    return cli_get(g->cli, &job, err, "/v1/jobs/%lld", (long long)id.job);
}

int slurm_tasks(struct cli *cli, const struct slurm_query *query, json_t *tasks, struct err *err)
{
    struct gathering g = { .cli = cli, .query = query, .tasks = tasks };
    own_buf struct buf path = BUF_INIT(0);
    const char *at = query->jobs;
    char one[256];

    if (query->jobs) {
        while (next_word(&at, one))
            if (take_job(&g, one, err) < 0)
                return -1;
        return 0;
    }
    buf_puts(&path, "/v1/jobs?limit=10000");
    if (query->ended)
        query_add(&path, "all", "1");
    if (query->users && !strchr(query->users, ','))
        query_add(&path, "user", query->users);
    if (query->names && !strchr(query->names, ','))
        query_add(&path, "name", query->names);
    return cli_pages(cli, buf_text(&path), take_page, &g, err);
}

int slurm_load_fault(struct err *err)
{
    return err->fault == FAULT_NOT_FOUND || err->fault == FAULT_INVALID
               ? err_set(err, err->fault, "slurm_load_jobs error: Invalid job id specified")
               : err_wrap(err, "slurm_load_jobs error");
}
