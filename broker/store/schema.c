/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - the tables, as numbered steps.
 *
 * Step n brings a database from version n-1 to n (PRAGMA user_version); all that are due run in one
 * transaction.  A step that was released is never edited: the next change is another step.
 *
 * States and reasons are stored as their numbers, which are therefore as fixed as their names:
 * include/spillway/state.h may grow at the end of each list and nowhere else. */
#include "store/internal.h"

_Static_assert(TASK_HELD == 0 && TASK_PENDING == 1 && TASK_LEASED == 2 && TASK_RUNNING == 3 &&
                   TASK_UNREACHABLE == 4 && TASK_COMPLETING == 5 && TASK_SUCCEEDED == 6 &&
                   TASK_FAILED == 7 && TASK_CANCELLED == 8,
               "numbers of task states are stored");
_Static_assert(REASON_USER_EXIT == 1 && REASON_CANCELLED == 6 && REASON_STAGE_OUT == 9 &&
                   REASON_NO_SITE == 15 && REASON_CAPACITY == 19,
               "numbers of reasons are stored");
_Static_assert(WORKER_INTENT == 0 && WORKER_READY == 2 && WORKER_DESTROYING == 5 &&
                   WORKER_GONE == 6,
               "numbers of worker states are stored");
_Static_assert(BLAME_USER == 1 && BLAME_INFRA == 2 && BLAME_PREEMPT == 3 && ON_SUCCESS == 0 &&
                   ON_FAILURE == 1 && ON_ANY == 2 && ROLE_USER == 1 && ROLE_ADMIN == 3,
               "numbers of budgets, outcomes and roles are stored");

/* Times are ms since 1970, 0 for never.  Ids are given out by the writer and never used again;
 * `sequences` keeps what pruning would make it forget.  Wide columns come last: a scan that does
 * not ask for them does not read their pages. */
static const char STEP_1[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE sequences (name TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE classes (id INTEGER PRIMARY KEY, cpus INTEGER NOT NULL, gpus INTEGER NOT NULL,"
    "  key TEXT NOT NULL UNIQUE) STRICT;"

    "CREATE TABLE jobs (id INTEGER PRIMARY KEY, class INTEGER NOT NULL, priority INTEGER NOT NULL,"
    "  submitted INTEGER NOT NULL, deadline INTEGER NOT NULL, not_before INTEGER NOT NULL,"
    "  finished INTEGER NOT NULL, tasks INTEGER NOT NULL, array_parallel INTEGER NOT NULL,"
    "  next_position INTEGER NOT NULL, task_rows INTEGER NOT NULL, rest_state INTEGER NOT NULL,"
    "  rest_reason INTEGER NOT NULL, rest_finished INTEGER NOT NULL, done INTEGER NOT NULL,"
    "  succeeded INTEGER NOT NULL, failed INTEGER NOT NULL, cancelled INTEGER NOT NULL,"
    "  leased INTEGER NOT NULL, running INTEGER NOT NULL, pruning INTEGER NOT NULL,"
    "  name TEXT NOT NULL,"
    "  project TEXT NOT NULL, user TEXT NOT NULL, array TEXT, rest_detail TEXT,"
    "  spec TEXT) STRICT;"
    /* descriptions too large to be copied with each change of their job's row */
    "CREATE TABLE specs (job INTEGER PRIMARY KEY REFERENCES jobs, spec TEXT NOT NULL) STRICT;"
    "CREATE INDEX jobs_open ON jobs (id) WHERE finished = 0;"
    "CREATE INDEX jobs_user ON jobs (user, (finished > 0));"
    "CREATE INDEX jobs_project ON jobs (project, (finished > 0));"
    "CREATE INDEX jobs_ended ON jobs (finished) WHERE finished > 0;"

    "CREATE TABLE submissions (user TEXT NOT NULL, key TEXT NOT NULL, first_job INTEGER NOT NULL,"
    "  jobs INTEGER NOT NULL, at INTEGER NOT NULL, digest TEXT NOT NULL,"
    "  PRIMARY KEY (user, key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX submissions_at ON submissions (at);"

    "CREATE TABLE dependencies (job INTEGER NOT NULL REFERENCES jobs, on_job INTEGER NOT NULL,"
    "  outcome INTEGER NOT NULL, each_task INTEGER NOT NULL,"
    "  PRIMARY KEY (job, on_job, outcome, each_task)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX dependencies_on ON dependencies (on_job);"

    "CREATE TABLE tasks (job INTEGER NOT NULL REFERENCES jobs, idx INTEGER NOT NULL,"
    "  position INTEGER NOT NULL, state INTEGER NOT NULL, reason INTEGER NOT NULL,"
    "  attempt INTEGER NOT NULL, attempts INTEGER NOT NULL, user_retries INTEGER NOT NULL,"
    "  infra_retries INTEGER NOT NULL, preempt_retries INTEGER NOT NULL,"
    "  not_before INTEGER NOT NULL, cancel_asked INTEGER NOT NULL, exit_code INTEGER NOT NULL,"
    "  signal INTEGER NOT NULL, worker INTEGER NOT NULL, leased INTEGER NOT NULL,"
    "  started INTEGER NOT NULL, finished INTEGER NOT NULL, cpu_ms INTEGER NOT NULL,"
    "  max_rss INTEGER NOT NULL, detail TEXT, PRIMARY KEY (job, idx)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX tasks_open ON tasks (job, idx) WHERE state < 6;"

    "CREATE TABLE attempts (id INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES jobs,"
    "  idx INTEGER NOT NULL, number INTEGER NOT NULL, worker INTEGER NOT NULL,"
    "  state INTEGER NOT NULL, reason INTEGER NOT NULL, budget INTEGER NOT NULL,"
    "  next INTEGER NOT NULL, exit_code INTEGER NOT NULL, signal INTEGER NOT NULL,"
    "  leased INTEGER NOT NULL, started INTEGER NOT NULL, finished INTEGER NOT NULL,"
    "  ended INTEGER NOT NULL, wall_ms INTEGER NOT NULL, cpu_ms INTEGER NOT NULL,"
    "  max_rss INTEGER NOT NULL, detail TEXT, decision TEXT) STRICT;"
    "CREATE INDEX attempts_task ON attempts (job, idx);"
    "CREATE INDEX attempts_open ON attempts (worker) WHERE ended = 0;"
    "CREATE INDEX attempts_ended ON attempts (ended) WHERE ended > 0;"

    "CREATE TABLE workers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, site TEXT NOT NULL,"
    "  shape TEXT, image TEXT, project TEXT, state INTEGER NOT NULL, reason INTEGER NOT NULL,"
    "  class INTEGER NOT NULL, created INTEGER NOT NULL, joined INTEGER NOT NULL,"
    "  gone INTEGER NOT NULL, absent INTEGER NOT NULL, absent_at INTEGER NOT NULL,"
    "  join_hash BLOB NOT NULL, join_nonce TEXT, session_hash BLOB, detail TEXT, facts TEXT,"
    "  decision TEXT) STRICT;"
    "CREATE INDEX workers_open ON workers (id) WHERE state < 6;"

    "CREATE TABLE sites (name TEXT PRIMARY KEY, mode TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE learned (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL,"
    "  created INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE blob_owners (owner TEXT NOT NULL, sha256 TEXT NOT NULL REFERENCES blobs,"
    "  at INTEGER NOT NULL, PRIMARY KEY (owner, sha256)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX blob_owners_of ON blob_owners (sha256);"
    /* of ended jobs, blobs may be pruned while these still say what there was */
    "CREATE TABLE job_blobs (job INTEGER NOT NULL REFERENCES jobs,"
    "  sha256 TEXT NOT NULL, PRIMARY KEY (job, sha256)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX job_blobs_of ON job_blobs (sha256);"
    "CREATE TABLE outputs (attempt INTEGER NOT NULL REFERENCES attempts, path TEXT NOT NULL,"
    "  sha256 TEXT NOT NULL, size INTEGER NOT NULL, mode INTEGER NOT NULL,"
    "  PRIMARY KEY (attempt, path)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX outputs_of ON outputs (sha256);"
    /* id: twice the attempt, plus the stream */
    "CREATE TABLE logs (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, cut INTEGER NOT NULL,"
    "  in_file INTEGER NOT NULL, sha256 TEXT NOT NULL, data BLOB) STRICT;"

    "CREATE TABLE tokens (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL,"
    "  user TEXT NOT NULL, projects TEXT NOT NULL, role INTEGER NOT NULL,"
    "  created INTEGER NOT NULL, expires INTEGER NOT NULL, revoked INTEGER NOT NULL,"
    "  used INTEGER NOT NULL) STRICT;"

    /* span > 1: as many events with ids and jobs that follow each other (a submission) */
    "CREATE TABLE events (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, job INTEGER NOT NULL,"
    "  idx INTEGER NOT NULL, attempt INTEGER NOT NULL, worker INTEGER NOT NULL,"
    "  span INTEGER NOT NULL, kind TEXT NOT NULL, user TEXT, project TEXT, site TEXT, state TEXT,"
    "  reason TEXT, detail TEXT) STRICT;"
    "CREATE INDEX events_of ON events (job) WHERE job > 0;"
    "CREATE INDEX events_spans ON events (job) WHERE span > 1;"

    /* what pruned attempts add up to, by the hour of their end */
    "CREATE TABLE usage_past (hour INTEGER NOT NULL, project TEXT NOT NULL, user TEXT NOT NULL,"
    "  site TEXT NOT NULL, tasks INTEGER NOT NULL, succeeded INTEGER NOT NULL,"
    "  failed INTEGER NOT NULL, cancelled INTEGER NOT NULL, wall_ms INTEGER NOT NULL,"
    "  cpu_ms INTEGER NOT NULL, cpu_wall_ms INTEGER NOT NULL, gpu_wall_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (hour, project, user, site)) STRICT, WITHOUT ROWID;"
    /* tasks ended since the database was made, by state */
    "CREATE TABLE ended (state INTEGER PRIMARY KEY, tasks INTEGER NOT NULL) STRICT;";

/* Recurring jobs.  A firing's key is what makes an instant fire once; `ended` is set at once where
 * no job was made.  marks are seconds, instants too. */
static const char STEP_2[] =
    "CREATE TABLE schedules (id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL,"
    "  created INTEGER NOT NULL, updated INTEGER NOT NULL, paused INTEGER NOT NULL,"
    "  mark_utc INTEGER NOT NULL, mark_local INTEGER NOT NULL, failures INTEGER NOT NULL,"
    "  success INTEGER NOT NULL, pause_after INTEGER NOT NULL, keep INTEGER NOT NULL,"
    "  late_ms INTEGER NOT NULL, name TEXT NOT NULL, project TEXT NOT NULL, user TEXT NOT NULL,"
    "  paused_why TEXT, rule TEXT NOT NULL, UNIQUE (user, name)) STRICT;"
    "CREATE TABLE schedule_versions (schedule INTEGER NOT NULL REFERENCES schedules,"
    "  version INTEGER NOT NULL, at INTEGER NOT NULL, spec TEXT NOT NULL,"
    "  PRIMARY KEY (schedule, version)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE schedule_blobs (schedule INTEGER NOT NULL REFERENCES schedules,"
    "  sha256 TEXT NOT NULL REFERENCES blobs, PRIMARY KEY (schedule, sha256))"
    "  STRICT, WITHOUT ROWID;"
    "CREATE INDEX schedule_blobs_of ON schedule_blobs (sha256);"
    "CREATE TABLE firings (schedule INTEGER NOT NULL REFERENCES schedules,"
    "  instant INTEGER NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL,"
    "  job INTEGER NOT NULL, outcome INTEGER NOT NULL, manual INTEGER NOT NULL,"
    "  ended INTEGER NOT NULL, state INTEGER NOT NULL, late INTEGER NOT NULL,"
    "  missed INTEGER NOT NULL, missed_first INTEGER NOT NULL, why TEXT,"
    "  PRIMARY KEY (schedule, instant)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX firings_open ON firings (schedule, instant, job) WHERE ended = 0;"
    "CREATE INDEX firings_runs ON firings (schedule, instant, job) WHERE job > 0;";

/* Who is told of what.  A watch is a job whose end somebody waits for. */
static const char STEP_3[] =
    "ALTER TABLE schedules ADD COLUMN notify TEXT;"
    "CREATE TABLE watches (job INTEGER PRIMARY KEY, started INTEGER NOT NULL,"
    "  notify TEXT NOT NULL) STRICT;"
    "CREATE TABLE notices (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,"
    "  due INTEGER NOT NULL, done INTEGER NOT NULL, kind INTEGER NOT NULL, state INTEGER NOT NULL,"
    "  tries INTEGER NOT NULL, target TEXT NOT NULL, user TEXT NOT NULL, project TEXT NOT NULL,"
    "  error TEXT, event TEXT NOT NULL) STRICT;"
    "CREATE INDEX notices_pending ON notices (kind, target, id) WHERE state = 0;"
    "CREATE INDEX notices_done ON notices (state, done) WHERE state > 0;";

/* A run may have several jobs: `job` is the first, their ids follow each other. */
static const char STEP_4[] = "ALTER TABLE firings ADD COLUMN jobs INTEGER NOT NULL DEFAULT 1;"
                             "CREATE INDEX firings_of_jobs ON firings (job, jobs) "
                             "WHERE ended = 0 AND job > 0;";

/* Jobs taken from a site's own queue; broker/store/bursts.h. */
static const char STEP_5[] =
    "CREATE TABLE bursts (id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL,"
    "  home TEXT NOT NULL, submitted INTEGER NOT NULL, state INTEGER NOT NULL,"
    "  job INTEGER NOT NULL, tries INTEGER NOT NULL, asked INTEGER NOT NULL,"
    "  taken INTEGER NOT NULL, changed INTEGER NOT NULL, user TEXT NOT NULL,"
    "  project TEXT NOT NULL, name TEXT NOT NULL, why TEXT NOT NULL, detail TEXT NOT NULL,"
    "  UNIQUE (site, home, submitted)) STRICT;"
    "CREATE INDEX bursts_open ON bursts (id) WHERE state < 9;";

/* Tasks that run on several workers at once: an attempt a node.  `gang` is the attempt of rank 0,
 * which is the task's own; 0: the attempt is alone. */
static const char STEP_6[] = "ALTER TABLE attempts ADD COLUMN gang INTEGER NOT NULL DEFAULT 0;"
                             "ALTER TABLE attempts ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;"
                             "CREATE INDEX attempts_gang ON attempts (gang) WHERE gang > 0;";

static const char *const steps[] = { STEP_1, STEP_2, STEP_3, STEP_4, STEP_5, STEP_6 };

static const char GET_VERSION[] = "PRAGMA user_version";
static const char COUNT_TABLES[] = "SELECT count(*) FROM sqlite_schema";

static int apply_from(struct conn *db, int64_t version, struct err *err)
{
    own_str char *stamp = xasprintf("PRAGMA user_version=%zu", array_len(steps));

    for (size_t i = (size_t)version; i < array_len(steps); i++)
        if (db_script(db, steps[i], err) < 0)
            return err_wrap(err, "schema step %zu", i + 1);
    return db_script(db, stamp, err);
}

int schema_apply(struct conn *db, const char *path, struct err *err)
{
    int64_t version = 0, tables = 0;

    if (db_int(db, 0, &tables, err, COUNT_TABLES, "") < 0 ||
        db_int(db, 0, &version, err, GET_VERSION, "") < 0)
        return err_wrap(err, "%s", path);
    if (version > (int64_t)array_len(steps))
        return err_set(err, FAULT_CONFLICT,
                       "%s: written by a newer spillwayd (schema %lld, this one knows %zu); "
                       "install that version, or restore a copy made before the upgrade",
                       path, (long long)version, array_len(steps));
    if (version < 0 || (version == 0 && tables > 0))
        return err_set(err, FAULT_INVALID,
                       "%s: a database of another program; give spillwayd a state directory of "
                       "its own",
                       path);
    if (version == (int64_t)array_len(steps))
        return 0;
    if (db_script(db, "BEGIN IMMEDIATE", err) < 0)
        return err_wrap(err, "%s", path);
    if (apply_from(db, version, err) < 0 || db_script(db, "COMMIT", err) < 0) {
        sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
        return err_wrap(err, "%s", path);
    }
    return 0;
}
