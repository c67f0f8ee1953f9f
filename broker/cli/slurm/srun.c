/* SPDX-License-Identifier: Apache-2.0 */
/* srun.c - `srun` inside a job: a command, once for each task of the job, on this machine.
 *
 * Scripts written for Slurm start their programs by it.  There is no broker in this: the job has its
 * machine already, and what bound tasks to cores and nodes there has no meaning here. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/parse.h"
#include "cli/slurm/slurm.h"

#define TASKS_MOST 1024

/* Options that have a value, in the next word unless behind '='; of all others none is taken. */
static const char with_value[] = " -J -c -t -p -A -N -w -x -o -e -i -m -d -D -q -C -u -K ";
static const char *const long_with_value[] = {
    "job-name", "cpus-per-task", "time",        "partition", "account",         "nodes",
    "nodelist", "exclude",       "output",      "error",     "input",           "distribution",
    "chdir",    "mem",           "mem-per-cpu", "jobid",     "cpu-bind",        "mem-bind",
    "gres",     "gpus",          "mpi",         "export",    "ntasks-per-node", "gpus-per-task",
    "gpu-bind", "hint",          "constraint",
};

static int read_count(const char *text, int64_t *out, struct err *err)
{
    return parse_i64(text, 1, TASKS_MOST, out, err) < 0 ? err_wrap(err, "--ntasks") : 0;
}

static bool has_value(const char *word)
{
    own_str char *key = xasprintf(" %s ", word);

    if (word[1] != '-')
        return !word[2] && strstr(with_value, key);
    for (size_t i = 0; i < array_len(long_with_value); i++)
        if (strcmp(word + 2, long_with_value[i]) == 0)
            return true;
    return false;
}

/* The command, behind the options. */
static int read_options(const char *const *words, const char *const **command, int64_t *tasks,
                        struct err *err)
{
    for (; *words && words[0][0] == '-' && words[0][1]; words++) {
        const char *word = *words;
        bool apart = strcmp(word, "-n") == 0 || strcmp(word, "--ntasks") == 0;

        if (strcmp(word, "--") == 0) {
            words++;
            break;
        }
        if (apart && !words[1])
            return err_set(err, FAULT_INVALID, "%s needs a number", word);
        if (apart && read_count(*++words, tasks, err) < 0)
            return -1;
        if (!apart && strncmp(word, "--ntasks=", 9) == 0 && read_count(word + 9, tasks, err) < 0)
            return -1;
        if (!apart && strncmp(word, "-n", 2) == 0 && read_count(word + 2, tasks, err) < 0)
            return -1;
        if (!apart && has_value(word) && words[1])
            words++;
    }
    if (!*words)
        return err_set(err, FAULT_INVALID, "No command given to execute");
    *command = words;
    return 0;
}

static void start(const char *const *command, int64_t number, int64_t tasks)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)number);
    setenv("SLURM_PROCID", text, 1);
    setenv("SLURM_LOCALID", text, 1);
    snprintf(text, sizeof text, "%lld", (long long)tasks);
    setenv("SLURM_NTASKS", text, 1);
    setenv("SLURM_NPROCS", text, 1);
    setenv("SLURM_STEP_ID", "0", 1);
    execvp(command[0], (char *const *)command);
    slurm_say("srun", "error: ", "%s: %s", command[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

/* The highest exit code of all; 128 and the signal's number for an end by one. */
static int run_all(const char *const *command, int64_t tasks)
{
    int code = 0, status;

    for (int64_t i = 0; i < tasks; i++) {
        pid_t pid = fork();

        if (pid == 0)
            start(command, i, tasks);
        if (pid < 0) {
            slurm_say("srun", "error: ", "fork: %s", strerror(errno));
            code = 1;
            break;
        }
    }
    while (wait(&status) > 0) {
        int one = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

        code = one > code ? one : code;
    }
    return code;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *const *command = args->rest;
    const char *said = getenv("SLURM_NTASKS");
    int64_t tasks = 1;

    (void)cli;
    if (!getenv("SLURM_JOB_ID"))
        return err_set(err, FAULT_INVALID,
                       "not inside a job; use 'sbatch --wait --wrap' or 'spillway run'");
    if ((said && read_count(said, &tasks, err) < 0) ||
        read_options(args->rest, &command, &tasks, err) < 0)
        return -1;
    if (tasks == 1)
        start(command, 0, 1);
    return run_all(command, tasks);
}

const struct command command_srun = {
    .name = "srun",
    .help = "inside a job: runs a command once for each of its tasks",
    .synopsis = "[OPTIONS] COMMAND [ARG...]",
    .example = "srun -n 4 ./simulate",
    .run = run,
};
