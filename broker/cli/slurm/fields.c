/* SPDX-License-Identifier: Apache-2.0 */
/* fields.c - a task of the API in Slurm's words, field by field. */
#include <pwd.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/json.h"
#include "base/map.h"
#include "base/own.h"
#include "base/parse.h"
#include "cli/slurm/slurm.h"
#include "conf/expand.h"
#include "spillway/state.h"

#define MIB ((int64_t)1 << 20)

/* ---- states --------------------------------------------------------------------------------------
 */

static const struct {
    const char *state, *brief;
} states[] = {
    { "PENDING", "PD" },   { "RUNNING", "R" },    { "COMPLETING", "CG" },     { "COMPLETED", "CD" },
    { "CANCELLED", "CA" }, { "FAILED", "F" },     { "TIMEOUT", "TO" },        { "NODE_FAIL", "NF" },
    { "PREEMPTED", "PR" }, { "BOOT_FAIL", "BF" }, { "OUT_OF_MEMORY", "OOM" }, { "DEADLINE", "DL" },
};

static const char *failed_state(enum reason reason)
{
    switch (reason) {
    case REASON_WALLTIME:
        return "TIMEOUT";
    case REASON_MEMORY:
        return "OUT_OF_MEMORY";
    case REASON_PREEMPTED:
        return "PREEMPTED";
    case REASON_BOOT:
        return "BOOT_FAIL";
    case REASON_IMAGE:
    case REASON_NETWORK:
    case REASON_LOST:
    case REASON_NO_SITE:
        return "NODE_FAIL";
    case REASON_DEADLINE:
        return "DEADLINE";
    case REASON_CANCELLED:
    case REASON_DEPENDENCY:
        return "CANCELLED";
    default:
        return "FAILED";
    }
}

static enum reason reason_of(const json_t *task)
{
    int reason = reason_find(field_text(task, "reason"));

    return reason < 0 ? REASON_NONE : (enum reason)reason;
}

const char *slurm_state_of(const json_t *task)
{
    switch (task_state_find(field_text(task, "state"))) {
    case TASK_HELD:
    case TASK_PENDING:
    case TASK_LEASED:
        return "PENDING";
    case TASK_RUNNING:
    case TASK_UNREACHABLE: /* silent, which is not failed */
        return "RUNNING";
    case TASK_COMPLETING:
        return "COMPLETING";
    case TASK_SUCCEEDED:
        return "COMPLETED";
    case TASK_FAILED:
    case TASK_CANCELLED:
        return reason_of(task) == REASON_NONE ? "CANCELLED" : failed_state(reason_of(task));
    default:
        return "UNKNOWN";
    }
}

const char *slurm_state_short(const char *state)
{
    for (size_t i = 0; i < array_len(states); i++)
        if (strcmp(states[i].state, state) == 0)
            return states[i].brief;
    return state;
}

/* As slurmctld words them. */
void slurm_exit_code(const json_t *task, struct buf *out)
{
    enum reason reason = reason_of(task);

    if (reason == REASON_WALLTIME || reason == REASON_CANCELLED)
        buf_puts(out, "0:0");
    else if (reason == REASON_MEMORY)
        buf_puts(out, "0:125");
    else if (reason == REASON_STAGE_IN)
        buf_puts(out, "0:53");
    else if (field_int(task, "signal") && reason == REASON_SIGNAL)
        buf_printf(out, "0:%lld", (long long)field_int(task, "signal"));
    else if (reason == REASON_STAGE_OUT)
        buf_puts(out, "1:0");
    else
        buf_printf(out, "%lld:0", (long long)field_int(task, "exit_code"));
}

static const char *pending_reason(const json_t *task)
{
    switch (reason_of(task)) {
    case REASON_DEPENDENCY:
        return "Dependency";
    case REASON_HELD:
        return "JobHeldUser";
    case REASON_LIMIT:
        return "JobArrayTaskLimit";
    case REASON_BACKOFF:
        return "BeginTime";
    case REASON_CAPACITY:
        return "Resources";
    case REASON_NO_SITE:
        return "ReqNodeNotAvail";
    default:
        return strcmp(field_text(task, "state"), "held") == 0 ? "JobHeldUser" : "Priority";
    }
}

/* ---- details -------------------------------------------------------------------------------------
 */

struct slurm_details {
    struct map jobs; /* id -> json_t */
};

struct slurm_details *slurm_details_new(void)
{
    return xcalloc(1, sizeof(struct slurm_details));
}

void slurm_details_free(struct slurm_details *details)
{
    size_t at = 0;
    void *job;

    if (!details)
        return;
    while ((job = map_next(&details->jobs, &at)))
        json_decref(job);
    map_fini(&details->jobs);
    free(details);
}

const json_t *slurm_detail(struct slurm_row *row)
{
    int64_t job = field_int(row->task, "job");
    json_t *answer = map_get(&row->details->jobs, (uint64_t)job);

    if (!answer) {
        if (cli_get(row->cli, &answer, row->err, "/v1/jobs/%lld", (long long)job) < 0)
            return NULL;
        map_put(&row->details->jobs, (uint64_t)job, answer);
    }
    return json_object_get(answer, "description");
}

static const char *detail_text(struct slurm_row *row, const char *key)
{
    return field_text(slurm_detail(row), key);
}

static const json_t *resource(struct slurm_row *row, const char *key)
{
    return json_object_get(json_object_get(slurm_detail(row), "resources"), key);
}

/* "4", "4+" */
static int64_t amount(struct slurm_row *row, const char *key, int64_t otherwise)
{
    const json_t *value = resource(row, key);

    if (json_is_integer(value))
        return json_integer_value(value);
    if (json_is_string(value) && json_string_value(value)[0])
        return strtoll(json_string_value(value), NULL, 10);
    return otherwise;
}

static int64_t cpus_of(struct slurm_row *row)
{
    return amount(row, "cpus", 1) * amount(row, "nodes", 1);
}

static int64_t memory_of(struct slurm_row *row)
{
    int64_t bytes = 0;
    own_str char *text = NULL;

    if (json_is_string(resource(row, "memory"))) {
        text = xstrdup(json_string_value(resource(row, "memory")));
        text[strcspn(text, "+")] = '\0';
        parse_bytes(text, &bytes, NULL);
    }
    return bytes;
}

static int64_t limit_of(struct slurm_row *row)
{
    int64_t ms = 0;

    if (json_is_string(resource(row, "walltime")))
        parse_span(json_string_value(resource(row, "walltime")), &ms, NULL);
    return ms;
}

static bool started(const struct slurm_row *row)
{
    return field_time(row->task, "started") != 0;
}

static int64_t elapsed_s(const struct slurm_row *row)
{
    int64_t from = field_time(row->task, "started"), to = field_time(row->task, "finished");

    if (!from)
        return 0;
    return ((to ? to : row->now_ms) - from) / 1000;
}

/* ---- fields --------------------------------------------------------------------------------------
 */

#define PUT(name) static void put_##name(struct slurm_row *row, struct buf *out)

static void put_id(const struct slurm_row *row, struct buf *out, bool step)
{
    const char *id = field_text(row->task, "id");

    for (; *id; id++)
        buf_putc(out, *id == '.' ? '_' : *id);
    if (step && row->step)
        buf_puts(out, ".batch");
}

PUT(jobid)
{
    put_id(row, out, true);
}

PUT(job)
{
    buf_printf(out, "%lld", (long long)field_int(row->task, "job"));
}

PUT(index)
{
    const char *rest = strstr(field_text(row->task, "id"), ".[");

    if (json_is_integer(json_object_get(row->task, "index")))
        buf_printf(out, "%lld", (long long)field_int(row->task, "index"));
    else
        buf_puts(out, rest ? rest + 1 : "N/A");
}

PUT(name)
{
    buf_puts(out, row->step ? "batch" : field_text(row->task, "name"));
}

PUT(user)
{
    if (!row->step)
        buf_puts(out, field_text(row->task, "user"));
}

PUT(uid)
{
    const struct passwd *user = getpwnam(field_text(row->task, "user"));

    if (user && !row->step)
        buf_printf(out, "%u", (unsigned)user->pw_uid);
}

PUT(account)
{
    buf_puts(out, field_text(row->task, "project"));
}

PUT(partition)
{
    const char *site = field_text(row->task, "site");

    if (!row->step)
        buf_puts(out, *site ? site : SLURM_PARTITION);
}

PUT(state)
{
    buf_puts(out, slurm_state_of(row->task));
}

/* sacct tells who cancelled it. */
PUT(state_by)
{
    const struct passwd *user = getpwnam(field_text(row->task, "user"));

    put_state(row, out);
    if (reason_of(row->task) == REASON_CANCELLED && user && !row->step)
        buf_printf(out, " by %u", (unsigned)user->pw_uid);
}

PUT(state_short)
{
    buf_puts(out, slurm_state_short(slurm_state_of(row->task)));
}

PUT(exit_code)
{
    slurm_exit_code(row->task, out);
}

PUT(no_code)
{
    (void)row;
    buf_puts(out, "0:0");
}

static void put_span(struct buf *out, int64_t seconds, bool brief)
{
    long long days = seconds / 86400, hours = seconds / 3600 % 24, minutes = seconds / 60 % 60;

    if (days)
        buf_printf(out, "%lld-%02lld:%02lld:%02lld", days, hours, minutes, (long long)seconds % 60);
    else if (hours || !brief)
        buf_printf(out, brief ? "%lld:%02lld:%02lld" : "%02lld:%02lld:%02lld", hours, minutes,
                   (long long)seconds % 60);
    else
        buf_printf(out, "%lld:%02lld", minutes, (long long)seconds % 60);
}

PUT(elapsed)
{
    put_span(out, elapsed_s(row), false);
}

PUT(elapsed_short)
{
    put_span(out, elapsed_s(row), true);
}

PUT(elapsed_raw)
{
    buf_printf(out, "%lld", (long long)elapsed_s(row));
}

PUT(limit)
{
    if (row->step)
        return;
    if (limit_of(row))
        put_span(out, limit_of(row) / 1000, false);
    else
        buf_puts(out, "UNLIMITED");
}

PUT(limit_short)
{
    if (limit_of(row))
        put_span(out, limit_of(row) / 1000, true);
    else
        buf_puts(out, "UNLIMITED");
}

PUT(left)
{
    int64_t left = limit_of(row) / 1000 - elapsed_s(row);

    if (!limit_of(row))
        buf_puts(out, "UNLIMITED");
    else
        put_span(out, left > 0 ? left : 0, true);
}

static void put_when(struct buf *out, int64_t ms, const char *otherwise)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[32];

    if (ms && localtime_r(&seconds, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm))
        buf_puts(out, text);
    else
        buf_puts(out, otherwise);
}

PUT(submitted)
{
    put_when(out, field_time(row->task, "submitted"), "Unknown");
}

PUT(start)
{
    put_when(out, field_time(row->task, "started"), "Unknown");
}

PUT(end)
{
    put_when(out, field_time(row->task, "finished"), "Unknown");
}

PUT(start_na)
{
    put_when(out, field_time(row->task, "started"), "N/A");
}

PUT(end_na)
{
    put_when(out, field_time(row->task, "finished"), "N/A");
}

PUT(cpus)
{
    buf_printf(out, "%lld", (long long)cpus_of(row));
}

/* None while it waits. */
PUT(cpus_given)
{
    buf_printf(out, "%lld", (long long)(started(row) ? cpus_of(row) : 0));
}

PUT(nodes)
{
    buf_printf(out, "%lld", (long long)amount(row, "nodes", 1));
}

PUT(memory)
{
    int64_t mib = memory_of(row) / MIB;

    if (mib && mib % 1024 == 0)
        buf_printf(out, "%lldG", (long long)mib / 1024);
    else if (!row->step)
        buf_printf(out, "%lldM", (long long)mib);
}

PUT(memory_min)
{
    int64_t mib = memory_of(row) / MIB;

    if (mib && mib % 1024 == 0)
        buf_printf(out, "%lldG", (long long)mib / 1024);
    else if (mib)
        buf_printf(out, "%lldM", (long long)mib);
    else
        buf_puts(out, "0");
}

PUT(max_rss)
{
    int64_t bytes = field_int(row->task, "max_rss_bytes");

    if (bytes)
        buf_printf(out, "%lldK", (long long)bytes / 1024);
}

PUT(cpu_time)
{
    put_span(out, elapsed_s(row) * cpus_of(row), false);
}

PUT(cpu_time_raw)
{
    int64_t seconds = elapsed_s(row) * cpus_of(row);

    buf_printf(out, "%lld", (long long)seconds);
}

PUT(total_cpu)
{
    double seconds = field_real(row->task, "cpu_seconds");
    int minutes = seconds < 3600 ? (int)(seconds / 60) : 0;

    if (seconds < 3600)
        buf_printf(out, "%02d:%06.3f", minutes, seconds - 60.0 * minutes);
    else
        put_span(out, (int64_t)seconds, false);
}

PUT(node_list)
{
    const char *worker = field_text(row->task, "worker");

    buf_puts(out, *worker && started(row) ? worker : "None assigned");
}

PUT(node_list_brief)
{
    if (started(row))
        buf_puts(out, field_text(row->task, "worker"));
}

PUT(reason)
{
    bool waits = strcmp(slurm_state_of(row->task), "PENDING") == 0;

    buf_puts(out, waits ? pending_reason(row->task) : "None");
}

PUT(node_list_or_reason)
{
    if (strcmp(slurm_state_of(row->task), "PENDING") == 0)
        buf_printf(out, "(%s)", pending_reason(row->task));
    else
        put_node_list_brief(row, out);
}

PUT(workdir)
{
    if (!row->step)
        buf_puts(out, detail_text(row, "workdir"));
}

PUT(command)
{
    const json_t *command = json_object_get(slurm_detail(row), "command");

    buf_puts(out, json_is_array(command) ? json_string_value(json_array_get(command, 0))
                                         : field_text(row->task, "name"));
}

static void put_file(struct slurm_row *row, const char *key, struct buf *out)
{
    struct job_vars vars = { .job = field_int(row->task, "job"),
                             .index = field_int(row->task, "index"),
                             .name = field_text(row->task, "name") };
    own_str char *file = job_expand(detail_text(row, key), &vars);

    if (*file && *file != '/')
        buf_printf(out, "%s/", detail_text(row, "workdir"));
    buf_puts(out, file);
}

PUT(out_file)
{
    put_file(row, "stdout", out);
}

PUT(err_file)
{
    put_file(row, "stderr", out);
}

PUT(comment)
{
    buf_puts(out, detail_text(row, "comment"));
}

PUT(priority)
{
    buf_printf(out, "%lld", (long long)field_int(row->task, "priority") + 1000);
}

PUT(qos)
{
    if (!row->step)
        buf_puts(out, "normal");
}

PUT(cluster)
{
    (void)row;
    buf_puts(out, SLURM_PARTITION);
}

PUT(restarts)
{
    int64_t attempts = field_int(row->task, "attempt");

    buf_printf(out, "%lld", (long long)(attempts > 1 ? attempts - 1 : 0));
}

PUT(tres)
{
    buf_printf(out, "billing=%lld,cpu=%lld", (long long)cpus_of(row), (long long)cpus_of(row));
    if (amount(row, "gpus", 0))
        buf_printf(out, ",gres/gpu=%lld", (long long)amount(row, "gpus", 0));
    if (memory_of(row))
        buf_printf(out, ",mem=%lldM", (long long)(memory_of(row) / MIB));
    buf_printf(out, ",node=%lld", (long long)amount(row, "nodes", 1));
}

PUT(gres)
{
    if (amount(row, "gpus", 0))
        buf_printf(out, "gres:gpu:%lld", (long long)amount(row, "gpus", 0));
    else
        buf_puts(out, "N/A");
}

/* ---- the table -----------------------------------------------------------------------------------
 */

static const struct slurm_field fields[] = {
    { "JobID", "JOBID", 'i', -12, put_jobid },
    { "JobIDRaw", "JOBID", 0, -12, put_jobid },
    { "JobArrayID", "JOBID", 0, -12, put_jobid },
    { "ArrayJobID", "ARRAY_JOB_ID", 'F', 12, put_job },
    { "ArrayTaskID", "ARRAY_TASK_ID", 'K', 12, put_index },
    { "JobNumber", "JOBID", 'A', 12, put_job },
    { "JobName", "NAME", 'j', 10, put_name },
    { "Name", "NAME", 0, 10, put_name },
    { "User", "USER", 'u', 9, put_user },
    { "UserName", "USER", 0, 9, put_user },
    { "UID", "UID", 'U', 6, put_uid },
    { "Account", "ACCOUNT", 'a', 10, put_account },
    { "Partition", "PARTITION", 'P', 10, put_partition },
    { "State", "STATE", 'T', 10, put_state },
    { "StateCompact", "ST", 't', 10, put_state_short },
    { "ExitCode", "EXIT_CODE", 0, 8, put_exit_code },
    { "exit_code", "EXIT_CODE", 0, 8, put_exit_code },
    { "DerivedExitCode", "EXIT_CODE", 0, 15, put_no_code },
    { "Elapsed", "TIME", 0, 10, put_elapsed },
    { "TimeUsed", "TIME", 'M', 10, put_elapsed_short },
    { "ElapsedRaw", "TIME", 0, 10, put_elapsed_raw },
    { "Timelimit", "TIME_LIMIT", 0, 10, put_limit },
    { "TimelimitShort", "TIME_LIMIT", 'l', 10, put_limit_short },
    { "TimeLeft", "TIME_LEFT", 'L', 10, put_left },
    { "Submit", "SUBMIT_TIME", 'V', 19, put_submitted },
    { "SubmitTime", "SUBMIT_TIME", 0, 19, put_submitted },
    { "Eligible", "ELIGIBLE_TIME", 0, 19, put_submitted },
    { "Start", "START_TIME", 0, 19, put_start },
    { "StartTime", "START_TIME", 'S', 19, put_start_na },
    { "End", "END_TIME", 0, 19, put_end },
    { "EndTime", "END_TIME", 'e', 19, put_end_na },
    { "NCPUS", "CPUS", 0, 10, put_cpus_given },
    { "AllocCPUS", "CPUS", 0, 10, put_cpus_given },
    { "ReqCPUS", "CPUS", 0, 8, put_cpus },
    { "NumCPUs", "CPUS", 'C', 8, put_cpus },
    { "NNodes", "NODES", 0, 8, put_nodes },
    { "AllocNodes", "NODES", 0, 10, put_nodes },
    { "ReqNodes", "NODES", 0, 8, put_nodes },
    { "NumNodes", "NODES", 'D', 8, put_nodes },
    { "ReqMem", "MIN_MEMORY", 0, 10, put_memory },
    { "MinMemory", "MIN_MEMORY", 'm', 10, put_memory_min },
    { "MaxRSS", "MAX_RSS", 0, 10, put_max_rss },
    { "AveRSS", "AVE_RSS", 0, 10, put_max_rss },
    { "CPUTime", "CPU_TIME", 0, 10, put_cpu_time },
    { "CPUTimeRAW", "CPU_TIME", 0, 10, put_cpu_time_raw },
    { "TotalCPU", "TOTAL_CPU", 0, 10, put_total_cpu },
    { "NodeList", "NODELIST", 0, 15, put_node_list },
    { "Nodes", "NODELIST", 'N', 15, put_node_list_brief },
    { "BatchHost", "EXEC_HOST", 'B', 15, put_node_list_brief },
    { "Reason", "REASON", 'r', 22, put_reason },
    { "ReasonList", "NODELIST(REASON)", 'R', 22, put_node_list_or_reason },
    { "WorkDir", "WORK_DIR", 'Z', 20, put_workdir },
    { "Command", "COMMAND", 'o', 20, put_command },
    { "StdOut", "STDOUT", 0, 20, put_out_file },
    { "StdErr", "STDERR", 0, 20, put_err_file },
    { "Comment", "COMMENT", 'k', 14, put_comment },
    { "Priority", "PRIORITY", 'Q', 10, put_priority },
    { "PriorityLong", "PRIORITY", 'p', 10, put_priority },
    { "QOS", "QOS", 'q', 10, put_qos },
    { "Cluster", "CLUSTER", 0, 10, put_cluster },
    { "Restarts", "RESTARTS", 0, 8, put_restarts },
    { "RestartCnt", "RESTARTS", 0, 8, put_restarts },
    { "AllocTRES", "TRES_ALLOC", 0, 10, put_tres },
    { "ReqTRES", "TRES_REQ", 0, 10, put_tres },
    { "Gres", "TRES_PER_NODE", 'b', 15, put_gres },
    { "tres-per-node", "TRES_PER_NODE", 0, 15, put_gres },
    { "StateBy", "STATE", 0, 10, put_state_by }, /* of sacct, by the name State */
};

const struct slurm_field *slurm_field_named(const char *name)
{
    for (size_t i = 0; i < array_len(fields); i++)
        if (strcasecmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

const struct slurm_field *slurm_field_lettered(char letter)
{
    for (size_t i = 0; i < array_len(fields); i++)
        if (fields[i].letter == letter)
            return &fields[i];
    return NULL;
}

void slurm_put(struct slurm_row *row, const char *name, struct buf *out)
{
    slurm_field_named(name)->put(row, out);
}

void slurm_pad(struct buf *out, const char *text, int width, bool cut)
{
    own_str char *safe = safe_text(text);
    int wide = (int)text_width(safe), room = width < 0 ? -width : width;

    if (cut && room && wide > room) { /* as Slurm does, and it cuts bytes, too */
        buf_printf(out, "%.*s", room, safe);
        return;
    }
    buf_printf(out, "%*s%s%*s", width > wide ? width - wide : 0, "", safe,
               width < 0 && room > wide ? room - wide : 0, "");
}
