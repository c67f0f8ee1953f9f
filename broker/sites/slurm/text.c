/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - lines of squeue and scontrol. */
#include "sites/slurm/text.h"

#include <string.h>

#include "base/own.h"
#include "base/parse.h"

/* The value of KEY in "KEY=value KEY=value ..."; false: not there, or too long to be one. */
static bool field(const char *line, const char *key, char *out, size_t size)
{
    size_t length = strlen(key);

    for (const char *at = line; (at = strstr(at, key)); at += length) {
        size_t value;

        if ((at != line && at[-1] != ' ') || at[length] != '=')
            continue;
        at += length + 1;
        value = strcspn(at, " \n");
        if (value >= size)
            return false;
        memcpy(out, at, value);
        out[value] = '\0';
        return true;
    }
    return false;
}

static bool number(const char *line, const char *key, int64_t most, int64_t *out)
{
    char text[32];

    return field(line, key, text, sizeof text) && parse_i64(text, 0, most, out, NULL) == 0;
}

bool slurm_in_list(const char *list, const char *word)
{
    size_t length = strlen(word);

    while (*list) {
        size_t one = strcspn(list, ",");

        if (one == length && strncmp(list, word, one) == 0)
            return true;
        list += one + (list[one] == ',');
    }
    return false;
}

/* ---- GPUs --------------------------------------------------------------------------------------
 */

static void add_gpus(struct slurm_gpus *out, int *count, int most, const char *type, int64_t number)
{
    for (int i = 0; i < *count; i++)
        if (strcmp(out[i].type, type) == 0) {
            out[i].count += (int)number;
            return;
        }
    if (*count >= most)
        return;
    out[*count] = (struct slurm_gpus){ .count = (int)number };
    snprintf(out[*count].type, sizeof out->type, "%s", type);
    ++*count;
}

/* "gpu", "gpu:2", "gpu:V100", "gpu:V100:2"; also after "gres:" or "gres/". */
static void read_one(char *text, struct slurm_gpus *out, int *count, int most)
{
    int64_t n = 1;
    char *type = "", *colon;

    if (strncmp(text, "gres:", 5) == 0 || strncmp(text, "gres/", 5) == 0)
        text += 5;
    if (strncmp(text, "gpu", 3) != 0 || (text[3] && text[3] != ':'))
        return;
    text += 3;
    if (*text) {
        type = text + 1;
        colon = strrchr(text, ':');
        if (parse_i64(colon + 1, 0, 1024, &n, NULL) == 0) {
            *colon = '\0';
            type = *text ? text + 1 : "";
        } else {
            n = 1;
        }
    }
    if (strlen(type) < sizeof out->type)
        add_gpus(out, count, most, type, n);
}

int slurm_gres_read(const char *text, struct slurm_gpus *out, int most)
{
    int count = 0;

    while (*text) {
        size_t length = 0;
        char one[128];

        /* a comma within "(IDX:0,2)" parts nothing */
        for (int depth = 0; text[length] && (depth > 0 || text[length] != ','); length++)
            depth += text[length] == '(' ? 1 : text[length] == ')' ? -1 : 0;
        if (length < sizeof one) {
            memcpy(one, text, length);
            one[length] = '\0';
            one[strcspn(one, "(")] = '\0';
            read_one(one, out, &count, most);
        }
        text += length + (text[length] == ',');
    }
    return count;
}

/* ---- nodes and partitions
 * ------------------------------------------------------------------------
 */

static bool state_is_usable(const char *state)
{
    static const char *const bad[] = { "DOWN",           "DRAIN",  "FAIL",    "MAINT",
                                       "NOT_RESPONDING", "INVAL",  "UNKNOWN", "FUTURE",
                                       "PLANNED_DOWN",   "REBOOT", "*" };

    for (size_t i = 0; i < array_len(bad); i++)
        if (strcmp(bad[i], "DOWN") != 0 && strstr(state, bad[i]))
            return false;
    /* a node that is powered down to save energy is started for a job */
    return !strstr(state, "DOWN") || strstr(state, "POWERED_DOWN") ||
           strstr(state, "POWERING_DOWN");
}

static void note_used(struct slurm_node *node, const struct slurm_gpus *used, int count)
{
    for (int i = 0; i < count; i++)
        for (int j = 0; j < node->gpu_types; j++)
            if (strcmp(node->gpus[j].type, used[i].type) == 0)
                node->gpus[j].used = used[i].count;
}

bool slurm_node_read(const char *line, struct slurm_node *out)
{
    struct slurm_gpus used[GPU_TYPES_MOST];
    char gres[512], state[128];
    int64_t cpus, cpus_used, memory, memory_used = 0;

    if (strncmp(line, "NodeName=", 9) != 0 || !number(line, "CPUTot", 1 << 20, &cpus) ||
        !number(line, "CPUAlloc", 1 << 20, &cpus_used) ||
        !number(line, "RealMemory", (int64_t)1 << 40, &memory) ||
        !field(line, "State", state, sizeof state))
        return false;
    memset(out, 0, sizeof *out);
    number(line, "CPUEfctv", 1 << 20, &cpus); /* what is left beside the system's own share */
    number(line, "AllocMem", (int64_t)1 << 40, &memory_used);
    field(line, "Partitions", out->partitions, sizeof out->partitions);
    out->cpus = (int)cpus;
    out->cpus_used = (int)cpus_used;
    out->memory = memory;
    out->memory_used = memory_used;
    out->usable = state_is_usable(state);
    if (field(line, "Gres", gres, sizeof gres))
        out->gpu_types = slurm_gres_read(gres, out->gpus, GPU_TYPES_MOST);
    if (field(line, "GresUsed", gres, sizeof gres))
        note_used(out, used, slurm_gres_read(gres, used, GPU_TYPES_MOST));
    return true;
}

int64_t slurm_minutes(const char *text)
{
    int64_t ms;

    if (strcmp(text, "UNLIMITED") == 0 || strcmp(text, "NONE") == 0)
        return 0;
    return parse_span(text, &ms, NULL) == 0 ? (ms + 59999) / 60000 : -1;
}

bool slurm_partition_read(const char *line, struct slurm_partition *out)
{
    char word[64];

    memset(out, 0, sizeof *out);
    if (strncmp(line, "PartitionName=", 14) != 0 ||
        !field(line, "PartitionName", out->name, sizeof out->name))
        return false;
    out->is_default = field(line, "Default", word, sizeof word) && strcmp(word, "YES") == 0;
    out->up = field(line, "State", word, sizeof word) && strcmp(word, "UP") == 0;
    if (field(line, "MaxTime", word, sizeof word))
        out->max_minutes = slurm_minutes(word);
    if (out->max_minutes < 0)
        out->max_minutes = 0;
    return true;
}

/* ---- the queue
 * -----------------------------------------------------------------------------------
 */

static bool next_part(const char **at, char *out, size_t size)
{
    size_t length = strcspn(*at, "|\n"), kept = length < size ? length : size - 1;

    memcpy(out, *at, kept);
    out[kept] = '\0';
    if ((*at)[length] != '|')
        return false;
    *at += length + 1;
    return true;
}

int64_t slurm_name_number(const char *name, size_t *prefix)
{
    size_t at = strlen(name);
    int64_t number;

    while (at && name[at - 1] >= '0' && name[at - 1] <= '9')
        at--;
    *prefix = at;
    return parse_i64(name + at, 0, INT32_MAX, &number, NULL) == 0 ? number : -1;
}

void slurm_member_name(char *name, size_t size, const char *id)
{
    const char *member = strchr(id, '_');
    size_t length = strlen(name), prefix;
    int64_t base, index;

    if (!length || name[length - 1] != '+' || !member ||
        parse_i64(member + 1, 0, INT32_MAX, &index, NULL) < 0)
        return;
    name[length - 1] = '\0';
    base = slurm_name_number(name, &prefix);
    index += base;
    if (base < 0)
        name[length - 1] = '+';
    else
        snprintf(name + prefix, size - prefix, "%lld", (long long)index);
}

bool slurm_job_read(const char *line, struct slurm_job *out)
{
    char submitted[32], start[32], cpus[16], gres[512];
    int64_t seconds = 0, count = 0;

    memset(out, 0, sizeof *out);
    if (!next_part(&line, out->id, sizeof out->id) ||
        !next_part(&line, out->state, sizeof out->state) ||
        !next_part(&line, submitted, sizeof submitted) || !next_part(&line, cpus, sizeof cpus) ||
        !next_part(&line, gres, sizeof gres) || !next_part(&line, out->name, sizeof out->name) ||
        !next_part(&line, out->comment, sizeof out->comment))
        return false;
    if (next_part(&line, out->reason, sizeof out->reason)) {
        if (next_part(&line, start, sizeof start))
            next_part(&line, out->partition, sizeof out->partition);
        if (parse_i64(start, 0, INT64_MAX / 1000, &seconds, NULL) == 0)
            out->start_ms = seconds * 1000;
        seconds = 0;
    }
    slurm_member_name(out->name, sizeof out->name, out->id);
    if (parse_i64(submitted, 0, INT64_MAX / 1000, &seconds, NULL) == 0)
        out->submitted_ms = seconds * 1000;
    if (parse_i64(cpus, 0, 1 << 20, &count, NULL) == 0)
        out->cpus = (int)count;
    out->gpu_types = slurm_gres_read(gres, out->gpus, GPU_TYPES_MOST);
    return out->id[0] != '\0';
}

/* Reasons that time alone does not end. */
static bool never_starts(const char *reason)
{
    static const char *const reasons[] = {
        "PartitionTimeLimit", "BadConstraints",    "InvalidAccount",
        "InvalidQOS",         "AccountNotAllowed", "QOSNotAllowed",
        "JobHeldAdmin",       "JobHeldUser",       "launch failed requeued held"
    };

    for (size_t i = 0; i < array_len(reasons); i++)
        if (strcmp(reason, reasons[i]) == 0)
            return true;
    return false;
}

enum instance_state slurm_state(const struct slurm_job *job, enum fault *fault)
{
    static const char *const booting[] = { "PENDING", "CONFIGURING", "REQUEUED", "RESV_DEL_HOLD",
                                           "REQUEUE_FED" };
    static const char *const active[] = { "RUNNING",   "COMPLETING", "SUSPENDED", "STOPPED",
                                          "SIGNALING", "STAGE_OUT",  "RESIZING" };

    *fault = FAULT_NONE;
    for (size_t i = 0; i < array_len(active); i++)
        if (strcmp(job->state, active[i]) == 0)
            return INSTANCE_ACTIVE;
    for (size_t i = 0; i < array_len(booting); i++)
        if (strcmp(job->state, booting[i]) == 0) {
            *fault = never_starts(job->reason) ? FAULT_INVALID : FAULT_NONE;
            return *fault ? INSTANCE_FAILED : INSTANCE_BOOTING;
        }
    *fault = strcmp(job->state, "NODE_FAIL") == 0 ? FAULT_UNAVAILABLE : FAULT_NONE;
    return INSTANCE_FAILED;
}
