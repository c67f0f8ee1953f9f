/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_rows.c - how fast SQLite alone commits the rows that a database holds.
 *
 *   sqlite_rows FROM.db NEW.db BATCHES      {"rows": N, "seconds": S}
 *
 * Reads every row of every table of FROM into memory, makes the same schema in NEW (WAL,
 * synchronous=FULL, as the broker has it) and inserts the rows in BATCHES transactions, a like
 * share of each table in each. Only the inserting is timed.  It is the peer of submissions in
 * requests of many jobs. */
#include <sqlite3.h>

#include "bench.h"

#define TABLES_MOST 64

struct table {
    char name[128];
    int columns;
    long rows, room, done;
    sqlite3_value **values; /* rows * columns */
    sqlite3_stmt *insert;
};

static _Noreturn void sql_fault(sqlite3 *db, const char *what)
{
    fprintf(stderr, "sqlite_rows: %s: %s\n", what, sqlite3_errmsg(db));
    exit(1);
}

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        sql_fault(db, sql);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        sql_fault(db, sql);
    return statement;
}

static void read_rows(sqlite3 *from, struct table *table)
{
    char sql[256];
    sqlite3_stmt *select;

    snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", table->name);
    select = prepare(from, sql);
    table->columns = sqlite3_column_count(select);
    while (sqlite3_step(select) == SQLITE_ROW) {
        if (table->rows == table->room) {
            table->room = table->room ? table->room * 2 : 1024;
            table->values = realloc(table->values, (size_t)table->room * (size_t)table->columns *
                                                       sizeof(sqlite3_value *));
            if (!table->values)
                give_up("realloc");
        }
        for (int i = 0; i < table->columns; i++)
            table->values[table->rows * table->columns + i] =
                sqlite3_value_dup(sqlite3_column_value(select, i));
        table->rows++;
    }
    sqlite3_finalize(select);
}

static void prepare_insert(sqlite3 *to, struct table *table)
{
    char sql[1024];
    int length = snprintf(sql, sizeof sql, "INSERT INTO \"%s\" VALUES(?", table->name);

    for (int i = 1; i < table->columns; i++)
        length += snprintf(sql + length, sizeof sql - (size_t)length, ",?");
    snprintf(sql + length, sizeof sql - (size_t)length, ")");
    table->insert = prepare(to, sql);
}

/* The same tables and indexes, in the order in which they were made. */
static size_t copy_schema(sqlite3 *from, sqlite3 *to, struct table *tables)
{
    sqlite3_stmt *select =
        prepare(from, "SELECT type, name, sql FROM sqlite_schema "
                      "WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid");
    size_t count = 0;

    while (sqlite3_step(select) == SQLITE_ROW) {
        run(to, (const char *)sqlite3_column_text(select, 2));
        if (strcmp((const char *)sqlite3_column_text(select, 0), "table") != 0 ||
            count == TABLES_MOST)
            continue;
        snprintf(tables[count].name, sizeof tables[count].name, "%s",
                 (const char *)sqlite3_column_text(select, 1));
        read_rows(from, &tables[count]);
        count++;
    }
    sqlite3_finalize(select);
    return count;
}

static void insert_until(sqlite3 *to, struct table *table, long end)
{
    for (; table->done < end; table->done++) {
        for (int i = 0; i < table->columns; i++)
            sqlite3_bind_value(table->insert, i + 1,
                               table->values[table->done * table->columns + i]);
        if (sqlite3_step(table->insert) != SQLITE_DONE)
            sql_fault(to, table->name);
        sqlite3_reset(table->insert);
    }
}

int main(int argc, char **argv)
{
    static struct table tables[TABLES_MOST];
    long batches = argc == 4 ? strtol(argv[3], NULL, 10) : 0, rows = 0;
    sqlite3 *from, *to;
    size_t count;
    double began;

    if (batches < 1) {
        fprintf(stderr, "usage: sqlite_rows FROM.db NEW.db BATCHES\n");
        return 2;
    }
    if (sqlite3_open_v2(argv[1], &from, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        sql_fault(from, argv[1]);
    if (sqlite3_open(argv[2], &to) != SQLITE_OK)
        sql_fault(to, argv[2]);
    run(to, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    count = copy_schema(from, to, tables);
    for (size_t i = 0; i < count; i++)
        prepare_insert(to, &tables[i]);
    began = clock_at(CLOCK_MONOTONIC);
    for (long batch = 1; batch <= batches; batch++) {
        run(to, "BEGIN IMMEDIATE");
        for (size_t i = 0; i < count; i++)
            insert_until(to, &tables[i], tables[i].rows * batch / batches);
        run(to, "COMMIT");
    }
    began = clock_at(CLOCK_MONOTONIC) - began;
    for (size_t i = 0; i < count; i++)
        rows += tables[i].rows;
    printf("{\"rows\": %ld, \"seconds\": %.6f}\n", rows, began);
    return 0;
}
