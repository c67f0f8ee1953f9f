/* SPDX-License-Identifier: Apache-2.0 */
/* ls.c - lists of tasks, page by page.
 *
 * A line is a task that has a row, or several tasks of an array that follow each other and have none.  The cost is that of
 * the lines given and of the jobs passed over: a user's jobs are found among a million of others by
 * an index, in order of id, and several such lists (hers, and her projects') are merged. */
#include "base/parse.h"
#include "store/internal.h"

#define SLICE 200 /* ids read at once */

#define JOBS_UP   " FROM jobs j WHERE j.id >= ?1 "
#define JOBS_DOWN " FROM jobs j WHERE j.id <= ?1 "
#define UP        0
#define DOWN      1 /* newest first: the places of these in the tables below */

static const char LS_OPEN[2][600] = {
    "SELECT " JOB_COLUMNS JOBS_UP "AND j.finished = 0 ORDER BY j.id",
    "SELECT " JOB_COLUMNS JOBS_DOWN "AND j.finished = 0 ORDER BY j.id DESC",
};
static const char LS_ALL[2][600] = {
    "SELECT " JOB_COLUMNS JOBS_UP "ORDER BY j.id",
    "SELECT " JOB_COLUMNS JOBS_DOWN "ORDER BY j.id DESC",
};
static const char LS_ONE[] = "SELECT " JOB_COLUMNS " FROM jobs j WHERE j.id = ?1";
/* An index holds these: (user or project, ended or not, id). */
static const char LS_OF_USER[2][200] = {
    "SELECT id FROM jobs WHERE user = ?1 AND (finished > 0) = ?2 "
    "AND id >= ?3 ORDER BY id LIMIT ?4",
    "SELECT id FROM jobs WHERE user = ?1 AND (finished > 0) = ?2 "
    "AND id <= ?3 ORDER BY id DESC LIMIT ?4",
};
static const char LS_OF_PROJECT[2][200] = {
    "SELECT id FROM jobs WHERE project = ?1 AND (finished > 0) = ?2 "
    "AND id >= ?3 ORDER BY id LIMIT ?4",
    "SELECT id FROM jobs WHERE project = ?1 AND (finished > 0) = ?2 "
    "AND id <= ?3 ORDER BY id DESC LIMIT ?4",
};
static const char LS_TASKS_OPEN[2][600] = {
    "SELECT " TASK_COLUMNS TASKS_NAMED "AND t.idx > ?2 AND t.state < 6 ORDER BY t.idx",
    "SELECT " TASK_COLUMNS TASKS_NAMED "AND t.idx < ?2 AND t.state < 6 ORDER BY t.idx DESC",
};
static const char LS_TASKS_ALL[2][600] = {
    "SELECT " TASK_COLUMNS TASKS_NAMED "AND t.idx > ?2 ORDER BY t.idx",
    "SELECT " TASK_COLUMNS TASKS_NAMED "AND t.idx < ?2 ORDER BY t.idx DESC",
};

/* Those with rows at or beyond next_position cut the rest into pieces. */
static const char LS_BEYOND[2][200] = {
    "SELECT position FROM tasks WHERE job = ?1 AND idx > ?2 ORDER BY idx",
    "SELECT position FROM tasks WHERE job = ?1 AND idx > ?2 ORDER BY idx DESC",
};

/* A line: task `index` of `job`, or a piece of its rest, which stand behind its tasks: REST_FROM and
 * the position of its first task. */
struct place {
    int64_t job, index;
};
#define BEFORE_ALL (-1)
#define REST_FROM  ((int64_t)1 << 40)
#define BEHIND_ALL INT64_MAX

struct ls {
    struct conn *db;
    const struct ls_filter *filter;
    store_ls_each *each;
    void *arg;
    unsigned states; /* wanted */
    bool open_only;  /* no ended task is wanted */
    int order;       /* UP or DOWN */
    int64_t left;
    struct place place; /* the last line given */
    bool full;          /* the limit was reached, or the caller has enough */
};

#define OPEN_STATES                                                                  \
    (1u << TASK_HELD | 1u << TASK_PENDING | 1u << TASK_LEASED | 1u << TASK_RUNNING | \
     1u << TASK_UNREACHABLE | 1u << TASK_COMPLETING)
#define ALL_STATES ((1u << TASK_STATE_COUNT) - 1)

static int place_parse(const char *cursor, struct place *out, struct err *err)
{
    own_str char *copy = xstrdup(cursor);
    char *dot = strchr(copy, '.');
    struct err ignored = ERR_INIT;

    if (!dot)
        return err_set(err, FAULT_INVALID, "cursor: not one that this list gave");
    *dot++ = '\0';
    if (parse_i64(copy, 0, INT64_MAX, &out->job, &ignored) < 0 ||
        parse_i64(dot, BEFORE_ALL, INT64_MAX, &out->index, &ignored) < 0)
        return err_set(err, FAULT_INVALID, "cursor: not one that this list gave");
    return 0;
}

static bool ls_wants_job(const struct ls_filter *filter, const struct job_row *job)
{
    bool mine = !filter->user || strcmp(filter->user, job->user) == 0;

    for (size_t i = 0; !mine && filter->projects && filter->projects[i]; i++)
        mine = strcmp(filter->projects[i], job->project) == 0;
    return mine && (!filter->name || strcmp(filter->name, job->name) == 0) &&
           (!filter->project || strcmp(filter->project, job->project) == 0);
}

static void ls_give(struct ls *ls, const struct ls_row *row, int64_t index)
{
    if (ls->left == 0) {
        ls->full = true;
        return;
    }
    ls->left--;
    ls->place = (struct place){ row->job.id, index };
    ls->full = !ls->each(ls->arg, row);
}

static int ls_tasks(struct ls *ls, struct ls_row *row, int64_t after, struct err *err)
{
    own_stmt sqlite3_stmt *stmt =
        db_query(ls->db, (ls->open_only ? LS_TASKS_OPEN : LS_TASKS_ALL)[ls->order], "ii",
                 row->job.id, after);
    int rc = 1;

    while (!ls->full && (rc = db_step(ls->db, stmt, err)) > 0) {
        task_row_read_named(stmt, &row->task);
        if (!(ls->states & 1u << row->task.state))
            continue;
        row->first = row->task.index;
        row->count = 1;
        ls_give(ls, row, row->task.index);
    }
    return rc < 0 ? -1 : 0;
}

/* ---- tasks without rows */

/* The array index at `position`; 0 of a plain job. */
static int64_t index_at(const struct index_set *set, int64_t position)
{
    return position < set->size ? index_set_nth(set, position) : 0;
}

/* Positions first .. end - 1, unless the last line given was at or behind them. */
static void ls_piece(struct ls *ls, struct ls_row *row, const struct index_set *set, int64_t after,
                     int64_t first, int64_t end)
{
    int64_t place = REST_FROM + first;

    if (ls->full || first >= end || (ls->order == UP ? place <= after : place >= after))
        return;
    row->first = first;
    row->count = end - first;
    row->task.index = index_at(set, first);
    ls_give(ls, row, place);
}

static int ls_pieces(struct ls *ls, struct ls_row *row, const struct index_set *set, int64_t after,
                     struct err *err)
{
    int64_t begin = row->job.next_position, end = row->job.tasks;
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc = 0;

    stmt = db_query(ls->db, LS_BEYOND[ls->order], "ii", row->job.id, index_at(set, begin));
    while (!ls->full && (rc = db_step(ls->db, stmt, err)) > 0) {
        int64_t position = col_int(stmt, 0);

        if (ls->order == UP) {
            ls_piece(ls, row, set, after, begin, position);
            begin = position + 1;
        } else {
            ls_piece(ls, row, set, after, position + 1, end);
            end = position;
        }
    }
    ls_piece(ls, row, set, after, begin, end);
    return rc < 0 ? -1 : 0;
}

static int ls_rest(struct ls *ls, struct ls_row *row, int64_t task_rows, int64_t after,
                   struct err *err)
{
    struct index_set set = { .ranges = NULL };
    int rc = 0;

    if (ls->full || task_rows == row->job.tasks || !(ls->states & 1u << row->job.rest_state))
        return 0;
    if (row->job.array && index_set_parse(row->job.array, &set, err) < 0)
        return -1;
    task_row_of_rest(&row->job, 0, &row->task);
    if (task_state_final(row->job.rest_state))
        row->task.finished_ms = row->job.finished_ms;
    if (task_rows > row->job.next_position)
        rc = ls_pieces(ls, row, &set, after, err);
    else
        ls_piece(ls, row, &set, after, row->job.next_position, row->job.tasks);
    index_set_free(&set);
    return rc;
}

static int ls_job(struct ls *ls, sqlite3_stmt *stmt, const struct place *from, struct err *err)
{
    struct ls_row row = { 0 };
    int64_t task_rows = col_int(stmt, JOB_TASK_ROWS), after;

    job_row_read(stmt, &row.job);
    if (!ls_wants_job(ls->filter, &row.job))
        return 0;
    after = row.job.id == from->job ? from->index : ls->order == UP ? BEFORE_ALL : BEHIND_ALL;
    if (ls->order == DOWN && ls_rest(ls, &row, task_rows, after, err) < 0)
        return -1;
    if (task_rows && !ls->full && ls_tasks(ls, &row, after, err) < 0)
        return -1;
    return ls->order == UP ? ls_rest(ls, &row, task_rows, after, err) : 0;
}

/* ---- whose jobs */

/* Ids of one user's, or one project's, jobs in order, read a slice at a time: the same statement
 * serves several sources in turn. */
struct source {
    const char *sql, *value;
    int64_t has_ended, next;
    int64_t ids[SLICE];
    int count, at;
};

/* No further id, and what follows the last one. */
static int64_t at_end(const struct ls *ls)
{
    return ls->order == UP ? INT64_MAX : 0;
}

static int64_t next_to(const struct ls *ls, int64_t id)
{
    return ls->order == UP ? id + 1 : id - 1;
}

/* The first id that was not taken yet, or at_end(). */
static int source_head(const struct ls *ls, struct source *source, int64_t *id, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc = 0;

    if (source->at == source->count && source->next != at_end(ls)) {
        source->at = source->count = 0;
        stmt = db_query(ls->db, source->sql, "tiii", source->value, source->has_ended, source->next,
                        (int64_t)SLICE);
        while ((rc = db_step(ls->db, stmt, err)) > 0)
            source->ids[source->count++] = col_int(stmt, 0);
        source->next = source->count < SLICE ? at_end(ls) : next_to(ls, source->ids[SLICE - 1]);
    }
    *id = source->at < source->count ? source->ids[source->at] : at_end(ls);
    return rc;
}

/* The next job of any of the sources, once. */
static int sources_next(const struct ls *ls, struct source *sources, size_t count, int64_t *id,
                        struct err *err)
{
    *id = at_end(ls);
    for (size_t i = 0; i < count; i++) {
        int64_t head;

        if (source_head(ls, &sources[i], &head, err) < 0)
            return -1;
        if (ls->order == UP ? head < *id : head > *id)
            *id = head;
    }
    for (size_t i = 0; i < count; i++)
        if (sources[i].at < sources[i].count && sources[i].ids[sources[i].at] == *id)
            sources[i].at++;
    return 0;
}

static size_t sources_add(const struct ls *ls, struct source *sources, const char *sql,
                          const char *value)
{
    size_t count = ls->open_only ? 1 : 2;

    for (size_t i = 0; i < count; i++) {
        sources[i].sql = sql;
        sources[i].value = value;
        sources[i].has_ended = (int64_t)i;
        sources[i].next = ls->place.job;
        sources[i].count = sources[i].at = 0;
    }
    return count;
}

/* What the filter names; none: everybody's. */
static struct source *sources_of(const struct ls *ls, size_t *count)
{
    const struct ls_filter *filter = ls->filter;
    struct source *sources;
    size_t projects = 0;

    *count = 0;
    if (filter->job || (!filter->user && !filter->project))
        return NULL;
    while (!filter->project && filter->projects && filter->projects[projects])
        projects++;
    sources = xcalloc(2 * (projects + 1), sizeof *sources);
    if (filter->project) {
        *count = sources_add(ls, sources, LS_OF_PROJECT[ls->order], filter->project);
        return sources;
    }
    *count = sources_add(ls, sources, LS_OF_USER[ls->order], filter->user);
    for (size_t i = 0; i < projects; i++)
        *count += sources_add(ls, sources + *count, LS_OF_PROJECT[ls->order], filter->projects[i]);
    return sources;
}

static int ls_sources(struct ls *ls, struct source *sources, size_t count, const struct place *from,
                      struct err *err)
{
    int64_t id;
    int rc = sources_next(ls, sources, count, &id, err);

    for (; rc == 0 && id != at_end(ls) && !ls->full;
         rc = sources_next(ls, sources, count, &id, err)) {
        own_stmt sqlite3_stmt *stmt = db_query(ls->db, LS_ONE, "i", id);

        rc = db_step(ls->db, stmt, err);
        if (rc < 0 || (rc > 0 && ls_job(ls, stmt, from, err) < 0))
            return -1;
    }
    return rc < 0 ? -1 : 0;
}

static sqlite3_stmt *ls_query(const struct ls *ls, int64_t from)
{
    if (ls->filter->job)
        return db_query(ls->db, LS_ONE, "i", ls->filter->job);
    return db_query(ls->db, (ls->open_only ? LS_OPEN : LS_ALL)[ls->order], "i", from);
}

static int ls_run(struct ls *ls, struct err *err)
{
    struct place from = ls->place;
    size_t count;
    own_mem struct source *sources = sources_of(ls, &count);
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc = 0;

    if (sources)
        return ls_sources(ls, sources, count, &from, err);
    stmt = ls_query(ls, from.job);
    while (!ls->full && (rc = db_step(ls->db, stmt, err)) > 0)
        if (ls_job(ls, stmt, &from, err) < 0)
            return -1;
    return rc < 0 ? -1 : 0;
}

int store_ls(struct store *store, const struct ls_filter *filter, store_ls_each *each, void *arg,
             struct buf *cursor, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    struct ls ls = { .db = reader.db,
                     .filter = filter,
                     .each = each,
                     .arg = arg,
                     .left = filter->limit,
                     .order = filter->newest_first ? DOWN : UP,
                     .place = { filter->newest_first ? INT64_MAX : 0, BEFORE_ALL } };
    int rc;

    if (!reader.db)
        return -1;
    ls.states = filter->states ? filter->states : filter->all ? ALL_STATES : OPEN_STATES;
    ls.open_only = !(ls.states & ~OPEN_STATES);
    if (filter->cursor && *filter->cursor && place_parse(filter->cursor, &ls.place, err) < 0)
        return -1;
    if (db_run(reader.db, err, "BEGIN", "") < 0)
        return -1;
    rc = ls_run(&ls, err);
    db_run(reader.db, NULL, "ROLLBACK", "");
    if (rc < 0 || !cursor)
        return rc;
    buf_clear(cursor);
    if (ls.full)
        buf_printf(cursor, "%lld.%lld", (long long)ls.place.job, (long long)ls.place.index);
    return 0;
}
