/* SPDX-License-Identifier: Apache-2.0 */
/* store_bench.c - what the store alone can do, without HTTP, scheduler and agents.
 *
 *   store_bench DIR [PART...]      DIR: a new directory on a real disk
 *
 * Parts: single (8 callers, a job each), batches (1,000 jobs a submission, beside sqlite_rows on
 * the same rows), tasks (leases and reports by the hundred), array (a million tasks), load (a
 * million jobs, read back). Prints a line a figure. */
#include <pthread.h>

#include "base/io.h"
#include "bench.h"
#include "store/store.h"

#define CALLERS    8
#define SINGLE     40000 /* submissions in all */
#define BATCHES    200
#define BATCH_JOBS 1000
#define TASKS      100000
#define HUNDRED    100
#define MILLION    1000000

static const char *tools; /* directory of the other load generators */

static double now(void)
{
    return clock_at(CLOCK_MONOTONIC);
}

static _Noreturn void fault(const char *what, const struct err *err)
{
    fprintf(stderr, "store_bench: %s: %s\n", what, err->text);
    exit(1);
}

static void ignore(void *arg, const struct change *changes, size_t count)
{
    (void)arg, (void)changes, (void)count;
}

static struct store *open_at(const char *dir)
{
    struct store_options options = { .dir = dir, .on_changes = ignore };
    struct err err = ERR_INIT;
    struct store *store;

    if (store_open(&options, &store, &err) < 0)
        fault("open", &err);
    return store;
}

static struct new_job job_named(const char *name)
{
    return (struct new_job){
        .name = name,
        .project = "genomics",
        .user = "ada",
        .class_key = "{\"cpus\":1,\"project\":\"genomics\",\"user\":\"ada\"}",
        .spec = "{\"name\":\"bench\",\"command\":[\"/bin/true\"]}",
        .tasks = 1,
    };
}

static void submit(struct store *store, struct new_job *jobs, size_t count)
{
    struct submission submission = { .jobs = jobs, .count = count, .user = "ada" };
    struct err err = ERR_INIT;

    if (store_submit(store, &submission, &err) < 0)
        fault("submit", &err);
}

static void *single_caller(void *arg)
{
    struct new_job job = job_named("single");

    for (int i = 0; i < SINGLE / CALLERS; i++)
        submit(arg, &job, 1);
    return NULL;
}

static void single(const char *dir)
{
    struct store *store = open_at(dir);
    pthread_t callers[CALLERS];
    struct store_stats stats;
    struct err err = ERR_INIT;
    double began = now(), took;

    for (int i = 0; i < CALLERS; i++)
        if (pthread_create(&callers[i], NULL, single_caller, store))
            give_up("thread");
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    took = now() - began;
    if (store_stats(store, &stats, &err) < 0)
        fault("stats", &err);
    printf("single   %10.0f submissions/s by %d callers, %.1f a commit, %.0f us a commit\n",
           SINGLE / took, CALLERS, (double)stats.operations / (double)stats.commits,
           (double)stats.commit_us_sum / (double)stats.commits);
    store_close(store);
}

/* Seconds that SQLite alone takes for the rows of the database in `dir`. */
static double peer(const char *dir, int batches)
{
    char command[4096], line[256] = "";
    const char *seconds;
    FILE *pipe;

    snprintf(command, sizeof command, "'%s/sqlite_rows' '%s/spillway.db' '%s/peer.db' %d", tools,
             dir, dir, batches);
    pipe = popen(command, "r");
    if (!pipe || !fgets(line, sizeof line, pipe) || pclose(pipe) != 0)
        return 0;
    seconds = strstr(line, "\"seconds\": ");
    return seconds ? strtod(seconds + 11, NULL) : 0;
}

static void batches(const char *dir)
{
    struct store *store = open_at(dir);
    struct new_job *jobs = xcalloc(BATCH_JOBS, sizeof *jobs);
    double began, took, alone;

    for (int i = 0; i < BATCH_JOBS; i++)
        jobs[i] = job_named("batch");
    began = now();
    for (int i = 0; i < BATCHES; i++)
        submit(store, jobs, BATCH_JOBS);
    took = now() - began;
    store_close(store);
    free(jobs);
    alone = peer(dir, BATCHES);
    printf("batches  %10.0f jobs/s by submissions of %d", BATCHES * BATCH_JOBS / took, BATCH_JOBS);
    if (alone > 0)
        printf("; SQLite alone %.0f/s, ratio %.2f", BATCHES * BATCH_JOBS / alone, alone / took);
    printf("\n");
}

static int64_t worker(struct store *store)
{
    struct new_worker worker = { .site = "local", .name_stem = "bench" };
    struct join join = { .facts = "{}", .nonce = "n" };
    struct err err = ERR_INIT;

    if (store_worker_add(store, &worker, &err) < 0)
        fault("worker", &err);
    join.worker = worker.name;
    if (store_worker_join(store, &join, &err) < 0)
        fault("join", &err);
    return worker.id;
}

static void run_hundred(struct store *store, int64_t worker_id, const struct lease *which)
{
    struct lease leases[HUNDRED];
    struct report reports[HUNDRED];
    struct err err = ERR_INIT;

    for (int i = 0; i < HUNDRED; i++) {
        leases[i] = which[i];
        leases[i].worker = worker_id;
    }
    if (store_lease(store, leases, HUNDRED, &err) < 0)
        fault("lease", &err);
    for (int i = 0; i < HUNDRED; i++)
        reports[i] = (struct report){ .attempt = leases[i].attempt, .state = TASK_SUCCEEDED };
    if (store_report(store, worker_id, reports, HUNDRED, NULL, NULL, &err) < 0)
        fault("report", &err);
    if (!reports[0].settled || reports[0].stale)
        fault("report is stale", &err);
}

/* Separate jobs, then one array. */
static void tasks(const char *dir)
{
    struct store *store = open_at(dir);
    int64_t worker_id = worker(store);
    struct new_job *jobs = xcalloc(TASKS, sizeof *jobs), array = job_named("array");
    struct lease *leases = xcalloc(TASKS, sizeof *leases);
    double began;

    for (int i = 0; i < TASKS; i++)
        jobs[i] = job_named("task");
    submit(store, jobs, TASKS);
    for (int i = 0; i < TASKS; i++)
        leases[i].job = jobs[i].id;
    began = now();
    for (int i = 0; i < TASKS; i += HUNDRED)
        run_hundred(store, worker_id, leases + i);
    printf("tasks    %10.0f separate jobs/s leased and ended, by the hundred\n",
           TASKS / (now() - began));
    array.array = "1-100000";
    array.tasks = TASKS;
    submit(store, &array, 1);
    for (int i = 0; i < TASKS; i++)
        leases[i] = (struct lease){ .job = array.id, .index = i + 1 };
    began = now();
    for (int i = 0; i < TASKS; i += HUNDRED)
        run_hundred(store, worker_id, leases + i);
    printf("tasks    %10.0f array tasks/s leased and ended, by the hundred\n",
           TASKS / (now() - began));
    free(jobs);
    free(leases);
    store_close(store);
}

static bool one_row(void *arg, const struct ls_row *row)
{
    (void)row;
    ++*(int *)arg;
    return true;
}

static void array(const char *dir)
{
    struct store *store = open_at(dir);
    struct new_job job = job_named("array");
    struct ls_filter filter = { .limit = 50 };
    struct target target = { .index = -1 };
    struct err err = ERR_INIT;
    double times[6];
    int rows = 0;

    job.array = "0-999999";
    job.tasks = MILLION;
    times[0] = now();
    submit(store, &job, 1);
    target.job = job.id;
    times[1] = now();
    if (store_hold(store, target, &err) != MILLION)
        fault("hold", &err);
    times[2] = now();
    if (store_release(store, target, &err) != MILLION)
        fault("release", &err);
    times[3] = now();
    if (store_ls(store, &filter, one_row, &rows, NULL, &err) < 0 || rows != 1)
        fault("ls", &err);
    times[4] = now();
    if (store_cancel(store, target, REASON_CANCELLED, "", &err) != MILLION)
        fault("cancel", &err);
    times[5] = now();
    printf("array    %10.2f ms submit, %.2f hold, %.2f release, %.2f ls, %.2f cancel\n",
           1e3 * (times[1] - times[0]), 1e3 * (times[2] - times[1]), 1e3 * (times[3] - times[2]),
           1e3 * (times[4] - times[3]), 1e3 * (times[5] - times[4]));
    store_close(store);
}

static void count_jobs(void *arg, const struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *(long *)arg += changes[i].kind == CHANGE_JOB;
}

static long resident_mib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file && fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE) >> 20;
}

static void load(const char *dir)
{
    struct store *store = open_at(dir);
    struct new_job *jobs = xcalloc(10000, sizeof *jobs);
    struct ls_filter filter = { .limit = 50 };
    struct err err = ERR_INIT;
    double began;
    long loaded = 0;
    int rows = 0;

    for (int i = 0; i < 10000; i++)
        jobs[i] = job_named("queued");
    began = now();
    for (int i = 0; i < MILLION; i += 10000)
        submit(store, jobs, 10000);
    free(jobs);
    printf("load     %10.2f s to submit a million jobs, %ld MiB resident then\n", now() - began,
           resident_mib());
    store_close(store);
    began = now();
    store = open_at(dir);
    if (store_load(store, count_jobs, &loaded, &err) < 0 || loaded != MILLION)
        fault("load", &err);
    printf("load     %10.2f s to open and load them", now() - began);
    began = now();
    if (store_ls(store, &filter, one_row, &rows, NULL, &err) < 0 || rows != 50)
        fault("ls", &err);
    printf("; ls of 50: %.2f ms; %ld MiB resident\n", 1e3 * (now() - began), resident_mib());
    store_close(store);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const char *dir);
    } parts[] = { { "single", single },
                  { "batches", batches },
                  { "tasks", tasks },
                  { "array", array },
                  { "load", load } };
    own_str char *self = xstrdup(argv[0]);
    char *slash = strrchr(self, '/');

    if (argc < 2) {
        fprintf(stderr, "usage: store_bench DIR [single|batches|tasks|array|load ...]\n");
        return 2;
    }
    if (slash)
        *slash = '\0';
    tools = slash ? self : ".";
    for (size_t i = 0; i < array_len(parts); i++) {
        own_str char *dir = xasprintf("%s/%s", argv[1], parts[i].name);
        bool wanted = argc == 2;

        for (int k = 2; k < argc; k++)
            wanted = wanted || strcmp(argv[k], parts[i].name) == 0;
        if (!wanted)
            continue;
        if (io_mkdirs(dir, 0700, NULL) < 0)
            give_up(dir);
        parts[i].run(dir);
        fflush(stdout);
        io_remove_tree(dir, NULL);
    }
    return 0;
}
