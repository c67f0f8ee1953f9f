/* SPDX-License-Identifier: Apache-2.0 */
/* home_text.c - what squeue and scontrol say of jobs that wait.  Pure. */
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/parse.h"
#include "sites/slurm/home.h"
#include "sites/slurm/text.h"

#define FIELDS 13
#define MIB    ((int64_t)1 << 20)

void home_job_free(struct home_job *job)
{
    free(job->id);
    free(job->user);
    free(job->account);
    free(job->partition);
    free(job->qos);
    free(job->name);
    free(job->comment);
    free(job->folder);
    free(job->gpu_model);
    free(job->mail_to);
    free(job->out);
    free(job->errors);
    *job = (struct home_job){ .id = NULL };
}

void home_jobs_free(struct home_jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++)
        home_job_free(&jobs->list[i]);
    free(jobs->list);
    *jobs = (struct home_jobs){ .list = NULL };
}

void home_files_free(struct home_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->list[i].path);
    free(files->list);
    *files = (struct home_files){ .list = NULL };
}

/* ---- squeue ------------------------------------------------------------------------------------
 */

/* What a job waits for that is there elsewhere too: room.  Limits of an association or QoS are
 * limits of this cluster. */
static enum home_state state_of(const char *reason)
{
    static const char *const room[] = { "Resources", "Priority",      "ReqNodeNotAvail",
                                        "NodeDown",  "PartitionDown", "PartitionInactive",
                                        "None" };

    if (strcmp(reason, "JobHeldUser") == 0 || strcmp(reason, "JobHeldAdmin") == 0)
        return HOME_HELD;
    for (size_t i = 0; i < array_len(room); i++)
        if (strncmp(reason, room[i], strlen(room[i])) == 0)
            return HOME_WAITS;
    if (strncmp(reason, "Assoc", 5) == 0 || strncmp(reason, "QOS", 3) == 0 ||
        strncmp(reason, "Nodes required", 14) == 0)
        return HOME_WAITS;
    return HOME_STAYS;
}

static int64_t seconds_to_ms(const char *text, int64_t otherwise)
{
    int64_t seconds;

    return parse_i64(text, 0, INT64_MAX / 1000, &seconds, NULL) == 0 ? seconds * 1000 : otherwise;
}

static char *word_or_null(const char *text)
{
    return *text && strcmp(text, "(null)") != 0 && strcmp(text, "N/A") != 0 ? xstrdup(text) : NULL;
}

bool home_job_read(char *line, const char *me, struct home_job *out)
{
    char *field[FIELDS];
    size_t count = 1;

    field[0] = line;
    for (char *at = line; count < FIELDS && (at = strchr(at, '\037')); field[count++] = at)
        *at++ = '\0';
    if (count < FIELDS || !*field[0] || strlen(field[0]) > 60)
        return false;
    *out = (struct home_job){ .id = xstrdup(field[0]),
                              .user = xstrdup(field[4]),
                              .account = word_or_null(field[5]),
                              .partition = xstrdup(field[6]),
                              .qos = word_or_null(field[7]),
                              .folder = xstrdup(field[10]),
                              .name = xstrdup(field[11]),
                              .comment = word_or_null(field[12]),
                              .submitted_ms = seconds_to_ms(field[2], 0),
                              .start_ms = seconds_to_ms(field[3], -1),
                              .state = state_of(field[1]),
                              .mine = strcmp(field[4], me) == 0 };
    /* Members of arrays ("7_3"), parts of heterogeneous jobs ("7+1"), jobs of several nodes. */
    if (out->state == HOME_WAITS &&
        (field[0][strspn(field[0], "0123456789")] || strcmp(field[8], "1") != 0))
        out->state = HOME_STAYS;
    if (out->folder[0] != '/' && out->state == HOME_WAITS)
        out->state = HOME_STAYS;
    return true;
}

/* ---- scontrol ----------------------------------------------------------------------------------
 */

static bool is_key(const char *text)
{
    size_t length =
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/:_");

    return length > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[length] == '=';
}

/* Values may hold blanks: one ends where the next key begins.  The last that is so called counts,
 * for a job's name and comment, which come before, may hold anything. */
static char *value_of(const char *line, const char *key)
{
    own_str char *mark = xasprintf(" %s=", key);
    const char *at = line, *found = NULL, *end;

    while ((at = strstr(at, mark)))
        found = at += strlen(mark);
    if (!found)
        return NULL;
    for (end = found; *end && *end != '\n' && !(*end == ' ' && is_key(end + 1));)
        end++;
    while (end > found && end[-1] == ' ')
        end--;
    return end > found ? xstrndup(found, (size_t)(end - found)) : NULL;
}

static bool is_said(const char *value)
{
    return value && strcmp(value, "(null)") != 0 && strcmp(value, "N/A") != 0 &&
           strcmp(value, "*") != 0;
}

/* "102400K", "100M", "2G", "1T" or "1.50G", as in TRES. */
static int64_t memory_of(const char *text)
{
    static const char units[] = "KMGT";
    size_t digits = strspn(text, "0123456789.");
    own_str char *number = xstrndup(text, digits);
    const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;
    double value = 0;

    if (parse_double(number, 0, 1e12, &value, NULL) < 0)
        return 0;
    for (ptrdiff_t i = unit ? unit - units : 1; i > 0; i--)
        value *= 1024;
    return (int64_t)(value * 1024);
}

/* "cpu=4,mem=100M,node=1,billing=4,gres/gpu=2,gres/gpu:V100=2" */
static void read_tres(const char *tres, struct home_job *job)
{
    own_str char *copy = xstrdup(tres);
    char *rest = NULL;

    for (char *one = strtok_r(copy, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        int64_t n = 0;

        if (strncmp(one, "mem=", 4) == 0)
            job->memory = memory_of(one + 4);
        else if (strncmp(one, "cpu=", 4) == 0 && parse_i64(one + 4, 1, 100000, &n, NULL) == 0)
            job->cpus = (int)n;
        else if (strncmp(one, "gres/gpu=", 9) == 0 && parse_i64(one + 9, 0, 1024, &n, NULL) == 0)
            job->gpus = (int)n;
        else if (strncmp(one, "node=", 5) == 0 && strcmp(one, "node=1") != 0)
            job->bound = true;
    }
}

static void read_gpus(const char *line, struct home_job *job)
{
    static const char *const keys[] = { "TresPerNode", "TresPerJob", "TresPerTask" };
    struct slurm_gpus gpus[GPU_TYPES_MOST];

    for (size_t i = 0; i < array_len(keys); i++) {
        own_str char *value = value_of(line, keys[i]);
        int types = is_said(value) ? slurm_gres_read(value, gpus, GPU_TYPES_MOST) : 0;

        if (types > 1)
            job->bound = true;
        if (types < 1)
            continue;
        if (!job->gpus)
            job->gpus = gpus[0].count;
        if (*gpus[0].type) {
            free(job->gpu_model);
            job->gpu_model = xstrdup(gpus[0].type);
        }
    }
}

/* "MailUser=ada@lab.example MailType=END,FAIL"; a name without a host is of the cluster's own mail. */
static void read_mail(const char *line, struct home_job *job)
{
    static const struct {
        const char *name;
        unsigned bit;
    } types[] = { { "BEGIN", MAIL_BEGIN }, { "END", MAIL_END }, { "FAIL", MAIL_FAIL } };
    own_str char *to = value_of(line, "MailUser"), *type = value_of(line, "MailType");

    free(job->mail_to);
    job->mail_to = NULL;
    job->mail_on = 0;
    for (size_t i = 0; type && i < array_len(types); i++) {
        const char *found = strstr(type, types[i].name);
        size_t length = strlen(types[i].name);

        if (found && (found == type || found[-1] == ',') &&
            (!found[length] || found[length] == ','))
            job->mail_on |= types[i].bit;
    }
    if (job->mail_on && to && strchr(to, '@'))
        job->mail_to = take_ptr(to);
}

void home_detail_read(const char *line, struct home_job *job)
{
    static const char *const binding[] = { "ReqNodeList", "Features", "Licenses", "Network" };
    own_str char *tres = value_of(line, "TRES"), *asked = value_of(line, "ReqTRES");
    own_str char *limit = value_of(line, "TimeLimit"), *out = value_of(line, "StdOut");
    own_str char *errors = value_of(line, "StdErr"), *share = value_of(line, "OverSubscribe");
    int64_t minutes = limit ? slurm_minutes(limit) : -1;

    job->cpus = job->gpus = 0;
    job->memory = job->walltime_ms = 0;
    if (asked || tres)
        read_tres(asked ? asked : tres, job);
    read_gpus(line, job);
    read_mail(line, job);
    if (job->cpus < 1)
        job->cpus = 1;
    if (minutes > 0)
        job->walltime_ms = minutes * 60000;
    for (size_t i = 0; i < array_len(binding); i++) {
        own_str char *value = value_of(line, binding[i]);

        job->bound |= is_said(value);
    }
    job->bound |= share && strcmp(share, "NO") == 0; /* the node for itself */
    free(job->out);
    free(job->errors);
    job->out = is_said(out) ? home_path_expand(job, out) : NULL;
    job->errors = is_said(errors) ? home_path_expand(job, errors) : NULL;
}

char *home_path_expand(const struct home_job *job, const char *path)
{
    own_buf struct buf out = BUF_INIT(0);

    if (path[0] != '/')
        buf_printf(&out, "%s/", job->folder);
    for (; *path; path++) {
        const char *digits = path + 1 + strspn(*path == '%' ? path + 1 : "", "0123456789");

        if (*path != '%' || !strchr("jAxu%", *digits) || !*digits) {
            buf_putc(&out, *path);
            continue;
        }
        if (*digits == '%')
            buf_putc(&out, '%');
        else
            buf_puts(&out, *digits == 'x' ? job->name : *digits == 'u' ? job->user : job->id);
        path = digits;
    }
    return buf_take(&out);
}

/* ---- several scripts ---------------------------------------------------------------------------
 */

bool home_part_next(char **at, size_t *left, const char *mark, struct home_part *out)
{
    own_str char *begin = xasprintf("\n%s ", mark);
    char *line = *left ? memmem(*at, *left, begin, strlen(begin)) : NULL;
    char *end = line ? memchr(line + 1, '\n', *left - (size_t)(line + 1 - *at)) : NULL;
    char *words, *blank;
    int64_t status;

    if (!end)
        return false;
    *end = *line = '\0';
    words = line + strlen(begin);
    *out = (struct home_part){ .text = *at, .length = (size_t)(line - *at), .errors = "" };
    blank = strchr(words, ' ');
    if (blank) {
        *blank = '\0';
        out->errors = blank + 1;
    }
    if (parse_i64(words, 0, 255, &status, NULL) < 0)
        return false;
    out->status = (int)status;
    *left -= (size_t)(end + 1 - *at);
    *at = end + 1;
    return true;
}
