/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - all that is unfinished, as the same records that commits give.
 *
 * One scan of the open jobs in order of id, with the dependencies read beside it in the same order
 * and each class told before its first job; then the tasks.  Workers come before them all, since a
 * task names its own.  Records go out in
 * slices whose strings live in an arena. */
#include "store/internal.h"

#define SLICE 1024

static const char OPEN_JOBS[] = "SELECT " JOB_COLUMNS " FROM jobs j WHERE j.finished = 0 "
                                "ORDER BY j.id";
static const char OPEN_DEPENDENCIES[] =
    "SELECT d.job, d.on_job, d.outcome, d.each_task FROM dependencies d "
    "CROSS JOIN jobs j ON j.id = d.job WHERE j.finished = 0 ORDER BY d.job";
static const char JOB_DEPENDENCIES[] = "SELECT d.job, d.on_job, d.outcome, d.each_task "
                                       "FROM dependencies d WHERE d.job = ?";
static const char CLASS_KEY[] = "SELECT key FROM classes WHERE id = ?";
static const char OPEN_TASKS[] = "SELECT " TASK_COLUMNS " FROM tasks t WHERE t.state < 6 "
                                 "ORDER BY t.job, t.idx";
/* Ended, but past the point where the rest begins. */
static const char AHEAD_TASKS[] =
    "SELECT " TASK_COLUMNS " FROM tasks t WHERE t.job = ? AND t.state >= 6 AND t.position >= ? "
    "ORDER BY t.idx";
static const char JOB_TASKS[] = "SELECT " TASK_COLUMNS " FROM tasks t WHERE t.job = ?1 "
                                "AND (t.state < 6 OR t.position >= ?2) ORDER BY t.idx";
static const char OPEN_WORKERS[] = "SELECT " WORKER_COLUMNS " FROM workers w WHERE w.state < 6 "
                                   "ORDER BY w.id";

static const char OPEN_NODES[] =
    "SELECT " NODE_COLUMNS " FROM tasks t CROSS JOIN attempts a ON a.gang = t.attempt "
    "WHERE t.state < 6 AND t.state > 1 AND a.gang > 0";

struct loader {
    struct conn *db;
    store_changes *each;
    void *arg;
    struct arena arena;
    struct change *slice;
    size_t count;
    struct map classes; /* told already: id -> itself */
    struct ahead {
        int64_t job, position;
    } * ahead; /* jobs with rows past next_position */
    size_t ahead_count, ahead_room;
};

static void loader_flush(struct loader *loader)
{
    if (loader->count)
        loader->each(loader->arg, loader->slice, loader->count);
    loader->count = 0;
    arena_clear(&loader->arena);
}

static struct change *loader_add(struct loader *loader, enum change_kind kind)
{
    struct change *change;

    if (loader->count == SLICE)
        loader_flush(loader);
    change = &loader->slice[loader->count++];
    *change = (struct change){ .kind = kind, .added = true };
    return change;
}

static int load_class(struct loader *loader, int64_t id, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = NULL;
    struct change *change;
    int rc;

    if (map_get(&loader->classes, (uint64_t)id))
        return 0;
    stmt = db_query(loader->db, CLASS_KEY, "i", id);
    rc = db_step(loader->db, stmt, err);
    if (rc <= 0)
        return rc < 0 ? -1 : err_set(err, FAULT_INTERNAL, "class %lld is not there", (long long)id);
    change = loader_add(loader, CHANGE_CLASS);
    change->class.id = id;
    change->class.key = arena_strdup(&loader->arena, col_text(stmt, 0));
    map_put(&loader->classes, (uint64_t)id, loader);
    return 0;
}

static void load_ahead(struct loader *loader, const struct job_row *row)
{
    if (loader->ahead_count == loader->ahead_room) {
        loader->ahead_room = loader->ahead_room ? 2 * loader->ahead_room : 64;
        loader->ahead = xrealloc(loader->ahead, loader->ahead_room * sizeof *loader->ahead);
    }
    loader->ahead[loader->ahead_count++] = (struct ahead){ row->id, row->next_position };
}

static void dependency_read(sqlite3_stmt *stmt, struct dependency_row *out)
{
    *out = (struct dependency_row){
        .job = col_int(stmt, 0),
        .on_job = col_int(stmt, 1),
        .on = (enum on_outcome)col_int(stmt, 2),
        .each = col_int(stmt, 3) != 0,
    };
}

static int load_job(struct loader *loader, sqlite3_stmt *stmt, struct err *err)
{
    struct change *change;
    struct job_row row;

    job_row_read(stmt, &row);
    if (load_class(loader, row.class_id, err) < 0)
        return -1;
    if (col_int(stmt, JOB_TASK_ROWS) > row.next_position)
        load_ahead(loader, &row);
    change = loader_add(loader, CHANGE_JOB);
    job_row_copy_strings(&loader->arena, &row);
    change->job = row;
    return 0;
}

static int load_jobs(struct loader *loader, struct err *err)
{
    own_stmt sqlite3_stmt *jobs = db_query(loader->db, OPEN_JOBS, "");
    own_stmt sqlite3_stmt *links = db_query(loader->db, OPEN_DEPENDENCIES, "");
    int more = db_step(loader->db, links, err), rc = 0;

    while (more >= 0 && (rc = db_step(loader->db, jobs, err)) > 0) {
        if (load_job(loader, jobs, err) < 0)
            return -1;
        for (; more > 0 && col_int(links, 0) == col_int(jobs, 0);
             more = db_step(loader->db, links, err))
            dependency_read(links, &loader_add(loader, CHANGE_DEPENDENCY)->dependency);
    }
    return more < 0 || rc < 0 ? -1 : 0;
}

static int load_tasks(struct loader *loader, sqlite3_stmt *stmt, struct err *err)
{
    struct task_row row;
    int rc;

    while ((rc = db_step(loader->db, stmt, err)) > 0) {
        task_row_read(stmt, 0, &row);
        row.detail = NULL;
        loader_add(loader, CHANGE_TASK)->task = row;
    }
    return rc;
}

static int load_all_tasks(struct loader *loader, struct err *err)
{
    own_stmt sqlite3_stmt *open = db_query(loader->db, OPEN_TASKS, "");

    if (load_tasks(loader, open, err) < 0)
        return -1;
    for (size_t i = 0; i < loader->ahead_count; i++) {
        own_stmt sqlite3_stmt *stmt = db_query(loader->db, AHEAD_TASKS, "ii", loader->ahead[i].job,
                                               loader->ahead[i].position);

        if (load_tasks(loader, stmt, err) < 0)
            return -1;
    }
    return 0;
}

static int load_nodes(struct loader *loader, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(loader->db, OPEN_NODES, "");
    int rc;

    while ((rc = db_step(loader->db, stmt, err)) > 0)
        node_row_read(stmt, &loader_add(loader, CHANGE_NODE)->node);
    return rc;
}

static int load_workers(struct loader *loader, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(loader->db, OPEN_WORKERS, "");
    struct worker_row row;
    int rc;

    while ((rc = db_step(loader->db, stmt, err)) > 0) {
        worker_row_read(stmt, &row);
        worker_row_copy_strings(&loader->arena, &row);
        loader_add(loader, CHANGE_WORKER)->worker = row;
        if (loader->count == SLICE)
            loader_flush(loader);
    }
    return rc;
}

int store_load(struct store *store, store_changes *each, void *arg, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    struct loader loader = { .db = reader.db, .each = each, .arg = arg };
    int rc;

    if (!reader.db || db_run(reader.db, err, "BEGIN", "") < 0)
        return -1;
    loader.slice = xcalloc(SLICE, sizeof *loader.slice);
    rc = load_workers(&loader, err);
    rc = rc < 0 ? -1 : load_jobs(&loader, err);
    rc = rc < 0 ? -1 : load_all_tasks(&loader, err);
    rc = rc < 0 ? -1 : load_nodes(&loader, err);
    if (rc == 0)
        loader_flush(&loader);
    db_run(reader.db, NULL, "ROLLBACK", "");
    arena_free(&loader.arena);
    map_fini(&loader.classes);
    free(loader.slice);
    free(loader.ahead);
    return rc;
}

/* ---- one job, inside a transaction */

static int tell_class(struct tx *tx, int64_t id, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(tx->db, CLASS_KEY, "i", id);
    struct change *change;
    int rc = db_step(tx->db, stmt, err);

    if (rc <= 0)
        return rc < 0 ? -1 : err_set(err, FAULT_INTERNAL, "class %lld is not there", (long long)id);
    change = tx_change(tx, CHANGE_CLASS);
    change->added = true;
    change->class.id = id;
    change->class.key = tx_strdup(tx, col_text(stmt, 0));
    return 0;
}

int tx_tell_whole_job(struct tx *tx, struct tx_job *job, struct err *err)
{
    const struct job_row *row = &job->row;
    own_stmt sqlite3_stmt *links = NULL, *tasks = NULL;
    struct change *change;
    int rc;

    if (tell_class(tx, row->class_id, err) < 0)
        return -1;
    change = tx_change(tx, CHANGE_JOB);
    change->added = true;
    change->job = *row;
    links = db_query(tx->db, JOB_DEPENDENCIES, "i", row->id);
    while ((rc = db_step(tx->db, links, err)) > 0) {
        change = tx_change(tx, CHANGE_DEPENDENCY);
        change->added = true;
        dependency_read(links, &change->dependency);
    }
    if (rc < 0)
        return -1;
    tasks = db_query(tx->db, JOB_TASKS, "ii", row->id, row->next_position);
    while ((rc = db_step(tx->db, tasks, err)) > 0) {
        change = tx_change(tx, CHANGE_TASK);
        change->added = true;
        task_row_read(tasks, 0, &change->task);
        change->task.detail = NULL;
    }
    return rc;
}

int store_dependencies(struct store *store, int64_t job, store_dependency_each *each, void *arg,
                       struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    struct dependency_row row;
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, JOB_DEPENDENCIES, "i", job);
    while ((rc = db_step(reader.db, stmt, err)) > 0) {
        dependency_read(stmt, &row);
        if (!each(arg, &row))
            return 0;
    }
    return rc;
}
