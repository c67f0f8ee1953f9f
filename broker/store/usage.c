/* SPDX-License-Identifier: Apache-2.0 */
/* usage.c - who used how much, where.
 *
 * Exact to the millisecond while the attempts are in the record; what was pruned is kept as sums by
 * the hour in which the attempts ended. */
#include "store/internal.h"

#define HOUR_MS "3600000"
#define SUMS                                                                                \
    "sum(a.next >= 6), sum(a.next = 6), sum(a.next = 7), sum(a.next = 8), sum(a.wall_ms), " \
    "sum(a.cpu_ms), sum(a.wall_ms * ifnull(c.cpus, 1)), sum(a.wall_ms * ifnull(c.gpus, 0)) "
#define SOURCES                                                                          \
    "FROM attempts a JOIN jobs j ON j.id = a.job LEFT JOIN classes c ON c.id = j.class " \
    "LEFT JOIN workers w ON w.id = a.worker "

static const char USAGE[] =
    "SELECT project, user, site, sum(n1), sum(n2), sum(n3), sum(n4), sum(n5), sum(n6), sum(n7),"
    " sum(n8) FROM ("
    "SELECT j.project AS project, j.user AS user, ifnull(w.site, '') AS site,"
    " (a.next >= 6) AS n1, (a.next = 6) AS n2, (a.next = 7) AS n3, (a.next = 8) AS n4,"
    " a.wall_ms AS n5, a.cpu_ms AS n6, a.wall_ms * ifnull(c.cpus, 1) AS n7,"
    " a.wall_ms * ifnull(c.gpus, 0) AS n8 " SOURCES
    "WHERE a.ended > 0 AND a.ended >= ?1 AND a.ended < ?2 "
    "UNION ALL SELECT project, user, site, tasks, succeeded, failed, cancelled, wall_ms, cpu_ms,"
    " cpu_wall_ms, gpu_wall_ms FROM usage_past "
    "WHERE hour * " HOUR_MS " >= ?1 AND hour * " HOUR_MS " < ?2) "
    "GROUP BY project, user, site ORDER BY project, user, site";
static const char FOLD[] =
    "INSERT INTO usage_past (hour, project, user, site, tasks, succeeded, failed, cancelled,"
    " wall_ms, cpu_ms, cpu_wall_ms, gpu_wall_ms) "
    "SELECT a.ended / " HOUR_MS ", j.project, j.user, ifnull(w.site, ''), " SUMS SOURCES
    "WHERE a.job = ?1 AND a.id <= ?2 AND a.ended > 0 GROUP BY 1, 2, 3, 4 "
    "ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks,"
    " succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed,"
    " cancelled = cancelled + excluded.cancelled, wall_ms = wall_ms + excluded.wall_ms,"
    " cpu_ms = cpu_ms + excluded.cpu_ms, cpu_wall_ms = cpu_wall_ms + excluded.cpu_wall_ms,"
    " gpu_wall_ms = gpu_wall_ms + excluded.gpu_wall_ms";

int tx_usage_fold(struct tx *tx, int64_t job, int64_t last, struct err *err)
{
    return db_run(tx->db, err, FOLD, "ii", job, last);
}

int store_usage(struct store *store, int64_t from_ms, int64_t to_ms, store_usage_each *each,
                void *arg, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, USAGE, "ii", from_ms, to_ms);
    while ((rc = db_step(reader.db, stmt, err)) > 0) {
        struct usage_row row = {
            .project = col_text(stmt, 0),
            .user = col_text(stmt, 1),
            .site = col_text(stmt, 2),
            .tasks = col_int(stmt, 3),
            .succeeded = col_int(stmt, 4),
            .failed = col_int(stmt, 5),
            .cancelled = col_int(stmt, 6),
            .wall_ms = col_int(stmt, 7),
            .cpu_ms = col_int(stmt, 8),
            .cpu_wall_ms = col_int(stmt, 9),
            .gpu_wall_ms = col_int(stmt, 10),
        };

        if (!each(arg, &row))
            return 0;
    }
    return rc;
}
