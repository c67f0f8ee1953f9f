/* SPDX-License-Identifier: Apache-2.0 */
/* firings.c - what schedules fire: a row for each instant, made together with its jobs.
 *
 * Whether a run has ended is read from its jobs, which are the truth; `ended` and `state` of a
 * firing are the copy that outlives them.  A run that was ended, counted and then retried by hand is
 * looked at again when the next one is due. */
#include "store/notices_tx.h"
#include "store/schedules.h"

_Static_assert(FIRING_MISSED == 3 && FIRING_WAITING == 4 && TASK_FAILED == 7 &&
                   REASON_DEPENDENCY == 5,
               "numbers stand in statements below");
static const char GET_SCHEDULE[] =
    "SELECT version, paused, keep, user, project, name, failures, success, pause_after, notify "
    "FROM schedules WHERE id = ?";
static const char FIND[] = "SELECT outcome FROM firings WHERE schedule = ? AND instant = ?";
/* `late` stays: a run that waited was told of already. */
static const char ADD[] =
    "INSERT INTO firings (schedule, instant, version, at, job, jobs, outcome, manual, ended, state,"
    " late, missed, missed_first, why) VALUES (?,?,?,?,?,?,?,?,?,-1,0,?,?,?) "
    "ON CONFLICT (schedule, instant) DO UPDATE SET version = excluded.version, at = excluded.at,"
    " job = excluded.job, jobs = excluded.jobs, outcome = excluded.outcome,"
    " manual = excluded.manual, ended = excluded.ended, state = -1, missed = excluded.missed,"
    " missed_first = excluded.missed_first, why = excluded.why";
/* What waited, or was missed, before more was missed. */
static const char DROP_PASSED[] = "DELETE FROM firings WHERE schedule = ?1 AND outcome IN (3, 4) "
                                  "AND instant >= ?2 AND instant < ?3";
static const char MOVE_MARK[] = "UPDATE schedules SET mark_utc = ?2, mark_local = ?3 WHERE id = ?1";
static const char DROP_OLD[] =
    "DELETE FROM firings WHERE schedule = ?1 AND ended > 0 AND instant < (SELECT instant FROM "
    "firings WHERE schedule = ?1 ORDER BY instant DESC LIMIT 1 OFFSET ?2)";

/* The jobs of a run.  One that waited for another of its run to end otherwise never ran and does not
 * count: what is to be done after a failure is no fault where there was none. */
#define OF_RUN "j.id BETWEEN f.job AND f.job + f.jobs - 1"
#define COUNTS                                                                          \
    "NOT (j.rest_state = 7 AND j.rest_reason = 5 AND j.task_rows = 0 AND j.id > f.job " \
    "AND EXISTS (SELECT 1 FROM dependencies d WHERE d.job = j.id "                      \
    "AND d.on_job BETWEEN f.job AND f.job + f.jobs - 1))"
#define SUMS                                                                          \
    "ifnull(sum(j.tasks) FILTER (WHERE " COUNTS "), 0), ifnull(sum(j.succeeded), 0)," \
    " ifnull(sum(j.failed) FILTER (WHERE " COUNTS "), 0), ifnull(sum(j.cancelled), 0)"
static const char RUNS[] =
    "SELECT f.job, f.jobs, sum(j.done + j.leased + j.running) FROM firings f JOIN jobs j ON " OF_RUN
    " WHERE f.schedule = ? AND f.ended = 0 AND f.job > 0 GROUP BY f.instant "
    "HAVING min(j.finished) = 0 ORDER BY f.instant DESC LIMIT ?";
static const char LAST_RUN[] =
    "SELECT f.instant, f.job, f.state, f.ended,"
    " CASE WHEN min(j.finished) > 0 THEN max(j.finished) ELSE 0 END, " SUMS
    " FROM (SELECT * FROM firings WHERE schedule = ? AND job > 0 ORDER BY instant DESC LIMIT 1) f "
    "LEFT JOIN jobs j ON " OF_RUN " GROUP BY f.instant";
static const char END_RUN[] =
    "UPDATE firings SET ended = ?3, state = ?4 WHERE schedule = ?1 AND instant = ?2";
static const char COUNT_RUN[] = "UPDATE schedules SET failures = ?2, success = ?3 WHERE id = ?1";
static const char PAUSE[] = "UPDATE schedules SET paused = ?2, paused_why = ?3 WHERE id = ?1";
#define HAS_OPEN "EXISTS (SELECT 1 FROM jobs j WHERE " OF_RUN " AND j.finished = 0)"
#define IS_ENDED "f.ended = 0 AND f.job > 0 AND NOT " HAS_OPEN
#define IS_LATE                                                                           \
    "f.ended = 0 AND f.late = 0 AND s.late_ms > 0 AND f.instant * 1000 + s.late_ms < ?1 " \
    "AND (f.job = 0 OR " HAS_OPEN ") AND NOT EXISTS (SELECT 1 FROM jobs j WHERE " OF_RUN  \
    " AND j.done + j.leased + j.running > 0)"
static const char HAS_ENDED[] =
    "SELECT 1 FROM firings f JOIN schedules s ON s.id = f.schedule WHERE f.ended = 0 "
    "AND ((" IS_ENDED ") OR (" IS_LATE ")) LIMIT 1";
static const char LIST_ENDED[] =
    "SELECT f.schedule, f.instant, f.job, ifnull(max(j.finished), ?1), " SUMS
    " FROM firings f LEFT JOIN jobs j ON " OF_RUN " WHERE " IS_ENDED
    " GROUP BY f.schedule, f.instant ORDER BY f.instant LIMIT ?2";
static const char LIST_LATE[] =
    "SELECT f.schedule, f.instant, f.job FROM firings f JOIN schedules s ON s.id = f.schedule "
    "WHERE " IS_LATE " ORDER BY f.instant LIMIT ?2";
static const char SET_LATE[] = "UPDATE firings SET late = 1 WHERE schedule = ? AND instant = ?";
static const char LIST[] =
    "SELECT instant, version, at, job, jobs, outcome, manual, late, ended, state, missed, "
    "missed_first,"
    " why FROM firings WHERE schedule = ? AND instant < ? ORDER BY instant DESC LIMIT ?";

/* A schedule's row within the transaction; strings live as long as that. */
struct owner {
    int64_t id;
    int version;
    enum schedule_pause paused;
    int64_t keep, failures, success_s, pause_after;
    const char *user, *project, *name, *notify;
};

/* 1: no such schedule. */
static int owner_read(struct tx *tx, int64_t id, struct owner *out, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(tx->db, GET_SCHEDULE, "i", id);
    int rc = db_step(tx->db, stmt, err);

    if (rc <= 0)
        return rc < 0 ? -1 : 1;
    *out = (struct owner){
        .id = id,
        .version = (int)col_int(stmt, 0),
        .paused = (enum schedule_pause)col_int(stmt, 1),
        .keep = col_int(stmt, 2) ? col_int(stmt, 2) : SCHEDULE_KEEP,
        .user = tx_strdup(tx, col_text(stmt, 3)),
        .project = tx_strdup(tx, col_text(stmt, 4)),
        .name = tx_strdup(tx, col_text(stmt, 5)),
        .failures = col_int(stmt, 6),
        .success_s = col_int(stmt, 7),
        .pause_after = col_int(stmt, 8),
        .notify = tx_strdup(tx, col_text(stmt, 9)),
    };
    if (out->keep < SCHEDULE_KEEP_LEAST)
        out->keep = SCHEDULE_KEEP_LEAST;
    return 0;
}

/* ---- a run's end ----------------------------------------------------------------------------- */

static int state_of(int64_t tasks, int64_t succeeded, int64_t failed)
{
    if (tasks > 0 && succeeded == tasks)
        return TASK_SUCCEEDED;
    return failed > 0 ? TASK_FAILED : TASK_CANCELLED;
}

static int pause_failing(struct tx *tx, struct owner *owner, struct err *err)
{
    const char *why =
        arena_printf(&tx->arena, "%lld failures in a row", (long long)owner->failures);
    struct event_row event = { .kind = "schedule.paused",
                               .index = -1,
                               .user = owner->user,
                               .project = owner->project,
                               .detail = arena_printf(&tx->arena, "%s: %s", owner->name, why) };

    owner->paused = SCHEDULE_FAILING;
    if (db_run(tx->db, err, PAUSE, "iit", owner->id, (int64_t)owner->paused, why) < 0)
        return -1;
    return tx_event(tx, &event, err);
}

/* Note the end of a run, and what follows for its schedule: failures in a row, a pause.  Cancelled
 * runs leave the count as it is. */
static int run_end(struct tx *tx, struct owner *owner, struct ended_run *run, int64_t ended_ms,
                   struct err *err)
{
    if (db_run(tx->db, err, END_RUN, "iiii", owner->id, run->instant, ended_ms,
               (int64_t)run->state) < 0)
        return -1;
    run->recovered = run->state == TASK_SUCCEEDED && owner->failures > 0;
    if (run->state == TASK_SUCCEEDED) {
        owner->failures = 0;
        owner->success_s = run->instant > owner->success_s ? run->instant : owner->success_s;
    } else if (run->state == TASK_FAILED) {
        owner->failures++;
        run->paused = owner->pause_after && owner->failures >= owner->pause_after &&
                      owner->paused == SCHEDULE_RUNS;
    }
    run->failures = owner->failures;
    run->success_s = owner->success_s;
    if (run->paused && pause_failing(tx, owner, err) < 0)
        return -1;
    return db_run(tx->db, err, COUNT_RUN, "iii", owner->id, owner->failures, owner->success_s);
}

/* The last run; when its jobs have ended, or ended otherwise since (a retry by hand), that is noted.
 */
static int last_run(struct tx *tx, struct owner *owner, struct firing_state *state, struct err *err)
{
    sqlite3_stmt *stmt = db_query(tx->db, LAST_RUN, "i", owner->id);
    int rc = db_step(tx->db, stmt, err);
    struct ended_run run = { .schedule = owner->id };
    int64_t ended, finished;

    state->last_state = -1;
    if (rc <= 0)
        return rc;
    run.instant = col_int(stmt, 0);
    state->last_job = run.job = col_int(stmt, 1);
    state->last_state = (int)col_int(stmt, 2);
    ended = col_int(stmt, 3);
    finished = col_int(stmt, 4);
    run.state = state_of(col_int(stmt, 5), col_int(stmt, 6), col_int(stmt, 7));
    sqlite3_reset(stmt);
    if (finished)
        state->last_state = run.state;
    /* One that has not been counted yet is left to store_firings_settle(), which tells of it. */
    if (!finished || !ended || finished == ended)
        return 0;
    return run_end(tx, owner, &run, finished, err);
}

static int runs_read(struct tx *tx, struct owner *owner, struct firing_state *out, struct err *err)
{
    own_stmt sqlite3_stmt *stmt =
        db_query(tx->db, RUNS, "ii", owner->id, (int64_t)SCHEDULE_ACTIVE_MOST);
    int rc;

    while ((rc = db_step(tx->db, stmt, err)) > 0) {
        out->runs[out->active++] = (struct firing_run){ col_int(stmt, 0), col_int(stmt, 1) };
        out->waiting += col_int(stmt, 2) == 0;
    }
    if (rc < 0)
        return -1;
    return last_run(tx, owner, out, err);
}

/* ---- one firing ------------------------------------------------------------------------------ */

struct fire_op {
    struct op op;
    struct firing *list;
    size_t count;
};

/* The job waits for all jobs of these runs, besides what its description says. */
static void depend(struct tx *tx, struct new_job *job, const struct firing_run *runs, int count,
                   enum on_outcome outcome)
{
    size_t more = 0, at = job->after_count;
    struct dependency *after;

    for (int i = 0; i < count; i++)
        more += (size_t)runs[i].jobs;
    after = arena_alloc(&tx->arena, (at + more + 1) * sizeof *after);
    if (at)
        memcpy(after, job->after, at * sizeof *after);
    for (int i = 0; i < count; i++)
        for (int64_t k = 0; k < runs[i].jobs; k++)
            after[at++] = (struct dependency){ .job = runs[i].job + k, .on = outcome };
    job->after = after;
    job->after_count = at;
}

static bool is_first(const struct new_job *job)
{
    for (size_t i = 0; i < job->after_count; i++)
        if (job->after[i].name)
            return false;
    return true;
}

/* The rest of a run comes after its first jobs; but where those fail, what runs after a failure
 * would, so a success is waited for by all. */
static void wait_for(struct tx *tx, struct submission *submission, const struct firing_run *runs,
                     int count, enum on_outcome outcome)
{
    for (size_t i = 0; i < submission->count; i++)
        if (outcome == ON_SUCCESS || is_first(&submission->jobs[i]))
            depend(tx, &submission->jobs[i], runs, count, outcome);
}

static bool arrange(struct tx *tx, struct firing *firing, const struct firing_state *state,
                    struct submission *submission)
{
    enum firing_action action =
        firing->decide ? firing->decide(firing->arg, state, &firing->why) : FIRING_GO;

    switch (action) {
    case FIRING_GO:
        break;
    case FIRING_SKIP:
        return false;
    case FIRING_BEHIND:
        wait_for(tx, submission, state->runs, state->active > 0, ON_ANY);
        break;
    case FIRING_BEHIND_SUCCESS:
        wait_for(tx, submission, state->runs, state->active > 0, ON_SUCCESS);
        break;
    case FIRING_REPLACE:
        wait_for(tx, submission, state->runs, state->active, ON_ANY);
        firing->cancel_count = state->active;
        memcpy(firing->cancel, state->runs, (size_t)state->active * sizeof state->runs[0]);
        break;
    }
    return true;
}

/* FIRING_FIRED, or why no job was made; -1: the database's fault. */
static int make_jobs(struct tx *tx, struct owner *owner, struct firing *firing, struct err *err)
{
    struct firing_state state = { 0 };
    size_t bytes = firing->job_count * sizeof *firing->jobs;
    struct submission submission = { .count = firing->job_count,
                                     .user = owner->user,
                                     .most = firing->most };

    if (!firing->jobs)
        return firing->missed ? FIRING_MISSED : FIRING_REFUSED;
    if (runs_read(tx, owner, &state, err) < 0)
        return -1;
    /* A copy, since what they wait for is of this transaction. */
    submission.jobs = arena_alloc(&tx->arena, bytes);
    memcpy(submission.jobs, firing->jobs, bytes);
    if (!arrange(tx, firing, &state, &submission))
        return FIRING_SKIPPED;
    if (tx_submit(tx, &submission, &firing->refused) == 0) {
        for (size_t i = 0; i < firing->job_count; i++)
            firing->jobs[i].id = submission.jobs[i].id;
        return FIRING_FIRED;
    }
    if (tx->db->trouble) {
        *err = firing->refused;
        return -1;
    }
    firing->cancel_count = 0;
    firing->why = firing->refused.text;
    return firing->refused.fault == FAULT_THROTTLED ? FIRING_WAITING : FIRING_REFUSED;
}

/* A run that could not even be queued has failed. */
static int tell_refused(struct tx *tx, const struct owner *owner, const struct firing *firing,
                        struct err *err)
{
    struct notice_event notice = { .event = "failed",
                                   .name = owner->name,
                                   .user = owner->user,
                                   .project = owner->project,
                                   .schedule = owner->name,
                                   .instant = firing->instant,
                                   .failures = owner->failures };

    return tx_notices(tx, owner->notify, &notice, err) < 0 ? -1 : 0;
}

static int record(struct tx *tx, const struct owner *owner, struct firing *firing, struct err *err)
{
    static const char *const kinds[] = { "schedule.fired", "schedule.skipped", "schedule.refused",
                                         "schedule.missed", "schedule.waiting" };
    bool fired = firing->outcome == FIRING_FIRED;
    bool is_open = fired || firing->outcome == FIRING_WAITING;
    int64_t job = fired ? firing->jobs[0].id : 0;
    struct event_row event = { .kind = kinds[firing->outcome],
                               .job = job,
                               .index = -1,
                               .user = owner->user,
                               .project = owner->project };

    event.detail =
        firing->why ? arena_printf(&tx->arena, "%s: %s", owner->name, firing->why) : owner->name;
    if (firing->missed && db_run(tx->db, err, DROP_PASSED, "iii", owner->id, firing->missed_first,
                                 firing->instant) < 0)
        return -1;
    if (db_run(tx->db, err, ADD, "iiiiiiiiiiit", owner->id, firing->instant,
               (int64_t)owner->version, tx->now_ms, job, fired ? (int64_t)firing->job_count : 0,
               (int64_t)firing->outcome, (int64_t)firing->manual, is_open ? 0 : tx->now_ms,
               firing->missed, firing->missed_first, firing->why) < 0)
        return -1;
    if (!firing->manual &&
        db_run(tx->db, err, MOVE_MARK, "iii", owner->id, firing->mark_utc, firing->mark_local) < 0)
        return -1;
    if (db_run(tx->db, err, DROP_OLD, "ii", owner->id, owner->keep) < 0 ||
        (firing->outcome == FIRING_REFUSED && tell_refused(tx, owner, firing, err) < 0))
        return -1;
    return tx_event(tx, &event, err);
}

/* What was only missed may still fire: its time came again, the clock having been set back. */
static bool is_done(const struct firing *firing, int64_t known)
{
    if (known == FIRING_MISSED)
        return !firing->jobs;
    return known >= 0 && known != FIRING_WAITING;
}

/* The mark stays before it, so that it is due again, after a restart too. */
static int wait_longer(struct tx *tx, const struct owner *owner, struct firing *firing,
                       int64_t known, struct err *err)
{
    firing->result = FIRING_WAITS;
    if (firing->manual)
        return 0;
    firing->mark_utc = firing->before_utc;
    firing->mark_local = firing->before_local;
    if (known == FIRING_WAITING)
        return db_run(tx->db, err, MOVE_MARK, "iii", owner->id, firing->mark_utc,
                      firing->mark_local);
    return record(tx, owner, firing, err);
}

static int fire_one(struct tx *tx, struct firing *firing, struct err *err)
{
    struct owner owner;
    int64_t known = -1;
    int rc = owner_read(tx, firing->schedule, &owner, err);

    firing->result = FIRING_STALE;
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (owner.version != firing->version || (owner.paused != SCHEDULE_RUNS && !firing->manual))
        return 0;
    if (db_int(tx->db, -1, &known, err, FIND, "ii", firing->schedule, firing->instant) < 0)
        return -1;
    if (is_done(firing, known)) {
        firing->result = FIRING_ALREADY;
        if (firing->manual)
            return 0;
        return db_run(tx->db, err, MOVE_MARK, "iii", owner.id, firing->mark_utc,
                      firing->mark_local);
    }
    if ((rc = make_jobs(tx, &owner, firing, err)) < 0)
        return -1;
    firing->result = FIRING_DONE;
    firing->outcome = (enum firing_outcome)rc;
    if (rc == FIRING_WAITING)
        return wait_longer(tx, &owner, firing, known, err);
    return record(tx, &owner, firing, err);
}

static int64_t fire_apply(struct tx *tx, struct op *op, struct err *err)
{
    struct fire_op *fire = (struct fire_op *)op;
    int64_t waits = 0; /* the schedule whose next has to wait */

    for (size_t i = 0; i < fire->count; i++) {
        struct firing *firing = &fire->list[i];

        firing->cancel_count = 0;
        firing->refused = (struct err)ERR_INIT;
        firing->result = FIRING_WAITS;
        if (firing->schedule == waits)
            continue;
        if (fire_one(tx, firing, err) < 0)
            return -1;
        if (firing->result == FIRING_WAITS)
            waits = firing->schedule;
    }
    return 0;
}

int store_fire(struct store *store, struct firing *list, size_t count, struct err *err)
{
    struct fire_op op = { .op.apply = fire_apply, .list = list, .count = count };

    return (int)writer_call(store, &op.op, err);
}

/* ---- settling -------------------------------------------------------------------------------- */

struct job_end {
    int64_t ended_ms, tasks, succeeded, failed, cancelled;
};

struct settle_op {
    struct op op;
    int64_t now_ms;
    struct ended_run *runs;
    struct job_end *ends; /* of runs */
    size_t count;
};

static int list_runs(struct tx *tx, struct settle_op *settle, const char *sql, bool late,
                     struct err *err)
{
    own_stmt sqlite3_stmt *stmt =
        db_query(tx->db, sql, "ii", settle->now_ms, (int64_t)ENDED_MOST - (int64_t)settle->count);
    int rc = 0;

    while (settle->count < ENDED_MOST && (rc = db_step(tx->db, stmt, err)) > 0) {
        struct ended_run *run = &settle->runs[settle->count];
        struct job_end *end = &settle->ends[settle->count++];

        *run = (struct ended_run){ .schedule = col_int(stmt, 0),
                                   .instant = col_int(stmt, 1),
                                   .job = col_int(stmt, 2),
                                   .late = late,
                                   .state = -1 };
        if (late)
            continue;
        *end = (struct job_end){ col_int(stmt, 3), col_int(stmt, 4), col_int(stmt, 5),
                                 col_int(stmt, 6), col_int(stmt, 7) };
        run->state = state_of(end->tasks, end->succeeded, end->failed);
    }
    return rc;
}

/* One notice a run: that it recovered says that it succeeded. */
static int tell_run(struct tx *tx, const struct owner *owner, const struct ended_run *run,
                    const struct job_end *end, struct err *err)
{
    struct notice_event event = { .event = "late",
                                  .job = run->job,
                                  .finished_ms = end->ended_ms,
                                  .name = owner->name,
                                  .user = owner->user,
                                  .project = owner->project,
                                  .tasks = end->tasks,
                                  .succeeded = end->succeeded,
                                  .failed = end->failed,
                                  .cancelled = end->cancelled,
                                  .schedule = owner->name,
                                  .instant = run->instant,
                                  .failures = run->failures,
                                  .paused = run->paused };
    int made;

    if (!run->late)
        event.event = task_state_name((enum task_state)run->state);
    if (run->recovered) {
        event.event = "recovered";
        made = tx_notices(tx, owner->notify, &event, err);
        if (made != 0)
            return made < 0 ? -1 : 0;
        event.event = "succeeded";
    }
    return tx_notices(tx, owner->notify, &event, err) < 0 ? -1 : 0;
}

/* What an operator should know of: nobody may look at the schedule's own notices. */
static int alarm_operator(struct tx *tx, const struct owner *owner, const struct ended_run *run,
                          struct err *err)
{
    struct notice_event event = { .event = run->late ? "late" : "paused",
                                  .job = run->job,
                                  .name = owner->name,
                                  .user = owner->user,
                                  .project = owner->project,
                                  .schedule = owner->name,
                                  .instant = run->instant,
                                  .failures = run->failures,
                                  .paused = run->paused };

    if (!run->late && !run->paused)
        return 0;
    if (run->paused)
        event.why = arena_printf(&tx->arena, "%lld failures in a row", (long long)run->failures);
    return tx_operator(tx, &event, err);
}

static int settle_run(struct tx *tx, struct ended_run *run, const struct job_end *end,
                      struct err *err)
{
    struct owner owner;
    int rc = owner_read(tx, run->schedule, &owner, err);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (run->late) {
        run->failures = owner.failures;
        run->success_s = owner.success_s;
        rc = db_run(tx->db, err, SET_LATE, "ii", run->schedule, run->instant);
    } else {
        rc = run_end(tx, &owner, run, end->ended_ms, err);
    }
    if (rc < 0 || tell_run(tx, &owner, run, end, err) < 0)
        return -1;
    return alarm_operator(tx, &owner, run, err);
}

static int64_t settle_apply(struct tx *tx, struct op *op, struct err *err)
{
    struct settle_op *settle = (struct settle_op *)op;

    settle->count = 0;
    if (list_runs(tx, settle, LIST_ENDED, false, err) < 0 ||
        list_runs(tx, settle, LIST_LATE, true, err) < 0)
        return -1;
    for (size_t i = 0; i < settle->count; i++)
        if (settle_run(tx, &settle->runs[i], &settle->ends[i], err) < 0)
            return -1;
    return 0;
}

/* 1: there is something to settle. */
static int settle_wanted(struct store *store, int64_t now_ms, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    int64_t found = 0;

    if (!reader.db || db_int(reader.db, 0, &found, err, HAS_ENDED, "i", now_ms) < 0)
        return -1;
    return found != 0;
}

int store_firings_settle(struct store *store, int64_t now_ms, struct ended_run **out, size_t *count,
                         struct err *err)
{
    struct settle_op op = { .op.apply = settle_apply, .now_ms = now_ms };
    int rc = settle_wanted(store, now_ms, err);

    *out = NULL;
    *count = 0;
    if (rc <= 0)
        return rc;
    op.runs = xcalloc(ENDED_MOST, sizeof *op.runs);
    op.ends = xcalloc(ENDED_MOST, sizeof *op.ends);
    rc = (int)writer_call(store, &op.op, err);
    free(op.ends);
    if (rc < 0) {
        free(op.runs);
        return -1;
    }
    *out = op.runs;
    *count = op.count;
    return 0;
}

/* ---- history --------------------------------------------------------------------------------- */

int store_firings(struct store *store, int64_t schedule, int64_t before, int64_t limit,
                  store_firing_each *each, void *arg, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, LIST, "iii", schedule, before, limit);
    while ((rc = db_step(reader.db, stmt, err)) > 0) {
        struct firing_row row = {
            .instant = col_int(stmt, 0),
            .version = (int)col_int(stmt, 1),
            .at_ms = col_int(stmt, 2),
            .job = col_int(stmt, 3),
            .jobs = col_int(stmt, 4),
            .outcome = (enum firing_outcome)col_int(stmt, 5),
            .manual = col_int(stmt, 6) != 0,
            .late = col_int(stmt, 7) != 0,
            .ended_ms = col_int(stmt, 8),
            .state = (int)col_int(stmt, 9),
            .missed = col_int(stmt, 10),
            .missed_first = col_int(stmt, 11),
            .why = col_text(stmt, 12),
        };

        if (!each(arg, &row))
            return 0;
    }
    return rc;
}
