/* SPDX-License-Identifier: Apache-2.0 */
/* bounds.c - how many tasks are open (have not ended), of each user and in all, and whether there
 * may be more.
 *
 * The writer counts them in memory: a sum over a user's jobs would cost as much as she has jobs.
 * What one group changes is kept apart until its commit and forgotten when it is rolled back.  So
 * submissions that race see each other, one after the other, and none is let in by a count that
 * was true a moment ago; tasks that end make room from the next group on. */
#include "store/internal.h"

static const char COUNT_OPEN[] = "SELECT user, sum(tasks - done) FROM jobs WHERE finished = 0 "
                                 "GROUP BY user";

struct open_count {
    int64_t open, change; /* change: of the group under way */
    struct open_count *next_changed;
    bool changed;
    char user[];
};

static struct open_count *count_of(struct store *store, const char *user)
{
    struct open_count *count = map_get_str(&store->open_of, user);
    size_t length = strlen(user) + 1;

    if (count)
        return count;
    count = xcalloc(1, sizeof *count + length);
    memcpy(count->user, user, length);
    map_put_str(&store->open_of, count->user, count);
    return count;
}

int bounds_load(struct store *store, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(store->writer_db, COUNT_OPEN, "");
    int rc;

    store->open_of = (struct map)MAP_INIT_STR;
    while ((rc = db_step(store->writer_db, stmt, err)) > 0) {
        count_of(store, col_text(stmt, 0))->open = col_int(stmt, 1);
        store->open_all += col_int(stmt, 1);
    }
    return rc;
}

void bounds_free(struct store *store)
{
    struct open_count *count;

    for (size_t at = 0; (count = map_next(&store->open_of, &at));)
        free(count);
    map_fini(&store->open_of);
}

void tx_open_add(struct tx *tx, const char *user, int64_t by)
{
    struct open_count *count;

    if (by == 0)
        return;
    count = count_of(tx->store, user);
    count->change += by;
    tx->opened += by;
    if (count->changed)
        return;
    count->changed = true;
    count->next_changed = tx->open_changed;
    tx->open_changed = count;
}

void tx_open_settle(struct tx *tx, bool committed)
{
    struct open_count *count;

    while ((count = tx->open_changed)) {
        tx->open_changed = count->next_changed;
        count->open += committed ? count->change : 0;
        count->change = 0;
        count->changed = false;
        if (count->open == 0)
            free(map_del_str(&tx->store->open_of, count->user));
    }
    tx->store->open_all += committed ? tx->opened : 0;
    tx->opened = 0;
}

static int check_user(const struct submission *submission, int64_t open, int64_t more,
                      struct err *err)
{
    int64_t most = submission->most->of_user;

    if (most < 0 || open + more <= most)
        return 0;
    if (more > most)
        return err_set(err, FAULT_INVALID,
                       "these are %lld tasks, and user '%s' may have at most %lld that have not "
                       "ended (users.%s.max_open): submit fewer, or ask the operator for more",
                       (long long)more, submission->user, (long long)most, submission->user);
    return err_set(err, FAULT_THROTTLED,
                   "user '%s' has %lld tasks that have not ended; with these %lld there would be "
                   "more than the %lld allowed (users.%s.max_open): wait until some have ended, "
                   "cancel some (`spillway cancel`), or ask the operator for more",
                   submission->user, (long long)open, (long long)more, (long long)most,
                   submission->user);
}

static int check_all(const struct submission *submission, int64_t open, int64_t more,
                     struct err *err)
{
    int64_t most = submission->most->of_all;

    if (most < 0 || open + more <= most)
        return 0;
    return err_set(err, more > most ? FAULT_INVALID : FAULT_THROTTLED,
                   "the broker holds %lld tasks that have not ended; with these %lld there would "
                   "be more than the %lld it takes (broker.bounds.open_tasks): %s, or ask the "
                   "operator to raise it",
                   (long long)open, (long long)more, (long long)most,
                   more > most ? "submit fewer" : "wait until some have ended, cancel some");
}

int tx_open_check(struct tx *tx, const struct submission *submission, struct err *err)
{
    const struct open_count *count;
    int64_t more = 0, open;

    if (!submission->most)
        return 0;
    for (size_t i = 0; i < submission->count; i++)
        more += submission->jobs[i].tasks;
    count = map_get_str(&tx->store->open_of, submission->user);
    open = count ? count->open + count->change : 0;
    if (check_user(submission, open, more, err) < 0)
        return -1;
    return check_all(submission, tx->store->open_all + tx->opened, more, err);
}
