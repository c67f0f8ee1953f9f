/* SPDX-License-Identifier: Apache-2.0 */
/* burst_rule.c - which jobs of a site's own queue may go, as what, and whether they gain by it. */
#include <pwd.h>
#include <string.h>

#include "base/clock.h"
#include "base/glob.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "burst_parts.h"
#include "conf/script.h"
#include "internal.h"

static bool is_in(char *const *list, const char *word)
{
    for (; word && *list; list++)
        if (strcmp(*list, word) == 0)
            return true;
    return false;
}

bool burst_is_watched(const struct site_burst *rule, const struct home_job *job)
{
    if (job->state != HOME_WAITS || (job->needed && !rule->receipt))
        return false;
    if (rule->users ? !is_in(rule->users, job->user) : !rule->all_users && !job->mine)
        return false;
    return (!rule->partitions || is_in(rule->partitions, job->partition)) &&
           (!rule->qos || is_in(rule->qos, job->qos)) &&
           (!rule->comment || (job->comment && glob_match(rule->comment, job->comment)));
}

const char *burst_project(const struct broker_conf *conf, const struct home_job *job)
{
    const struct project_rule *rule = job->account ? broker_conf_project(conf, job->account) : NULL;

    if (rule && strcmp(rule->name, job->account) == 0)
        return rule->name;
    return conf->project ? conf->project : "default";
}

/* Those of the account that the broker itself logs in with are its own user's, whatever she is
 * called there. */
const char *burst_user(const struct home_job *job, char *out, size_t size)
{
    char room[4096];
    struct passwd entry, *found = NULL;

    if (job->mine && getpwuid_r(geteuid(), &entry, room, sizeof room, &found) == 0 && found)
        snprintf(out, size, "%s", entry.pw_name);
    else
        snprintf(out, size, "%s", job->user);
    return out;
}

/* ---- the description ---------------------------------------------------------------------------
 */

static void set_resources(const struct home_job *job, json_t *spec)
{
    json_t *resources = json_object();

    json_object_set_new(resources, "cpus", json_integer(job->cpus));
    if (job->memory > 0)
        json_object_set_new(resources, "memory", json_sprintf("%lldB", (long long)job->memory));
    if (job->gpus > 0)
        json_object_set_new(resources, "gpus", json_integer(job->gpus));
    if (job->gpus > 0 && job->gpu_model)
        json_object_set_new(resources, "gpu_model", json_string(job->gpu_model));
    if (job->walltime_ms > 0)
        json_object_set_new(resources, "walltime",
                            json_sprintf("%llds", (long long)(job->walltime_ms / 1000)));
    json_object_set_new(spec, "resources", resources);
}

/* Never back to where it came from. */
static void set_placement(const char *site, json_t *spec)
{
    json_t *placement = json_object_get(spec, "placement"), *sites, *exclude;

    if (!placement)
        json_object_set_new(spec, "placement", placement = json_object());
    sites = json_object_get(placement, "sites");
    if (!json_is_object(sites))
        json_object_set_new(placement, "sites", sites = json_object());
    exclude = json_object_get(sites, "exclude");
    if (json_is_string(exclude))
        json_object_set_new(sites, "exclude", exclude = json_pack("[O]", exclude));
    if (!exclude)
        json_object_set_new(sites, "exclude", exclude = json_array());
    json_array_append_new(exclude, json_string(site));
}

/* What a script finds in a job of the cluster, as far as it is true elsewhere. */
static void set_environment(const struct home_job *job, json_t *spec)
{
    json_t *environment = json_object_get(spec, "environment");

    if (!json_is_object(environment))
        json_object_set_new(spec, "environment", environment = json_object());
    json_object_set_new(environment, "SLURM_JOB_ID", json_string(job->id));
    json_object_set_new(environment, "SLURM_JOBID", json_string(job->id));
    json_object_set_new(environment, "SLURM_JOB_NAME", json_string(job->name));
    json_object_set_new(environment, "SLURM_JOB_USER", json_string(job->user));
    json_object_set_new(environment, "SLURM_JOB_PARTITION", json_string(job->partition));
    if (job->account)
        json_object_set_new(environment, "SLURM_JOB_ACCOUNT", json_string(job->account));
    json_object_set_new(environment, "SLURM_CPUS_PER_TASK", json_sprintf("%d", job->cpus));
    json_object_set_new(environment, "SLURM_CPUS_ON_NODE", json_sprintf("%d", job->cpus));
    json_object_set_new(environment, "SLURM_NNODES", json_string("1"));
    json_object_set_new(environment, "SLURM_NTASKS", json_string("1"));
    json_object_set_new(environment, "SLURM_PROCID", json_string("0"));
    json_object_set_new(environment, "SLURM_JOB_NUM_NODES", json_string("1"));
}

/* What its user asked for on sbatch's command line; lines of the script are in the description. */
static void set_mail(const struct home_job *job, json_t *spec)
{
    json_t *on = json_array();

    if (job->mail_on & MAIL_BEGIN)
        json_array_append_new(on, json_string("started"));
    if (job->mail_on & MAIL_END) {
        json_array_append_new(on, json_string("succeeded"));
        json_array_append_new(on, json_string("cancelled"));
    }
    if (job->mail_on & (MAIL_END | MAIL_FAIL))
        json_array_append_new(on, json_string("failed"));
    json_object_set_new(spec, "notify", json_pack("{s:o, s:[s]}", "on", on, "mail", job->mail_to));
}

/* The script lies beside the job's files under a name of ours; as in Slurm, standard error goes to
 * the same file as standard output unless it was given one of its own. */
static void set_command(const struct home_job *job, json_t *spec)
{
    bool merged = !job->errors || (job->out && strcmp(job->out, job->errors) == 0);

    json_object_del(spec, "script");
    json_object_set_new(spec, "command",
                        json_pack("[s, s, s, s]", "/bin/sh", "-c",
                                  merged ? "SLURM_SUBMIT_DIR=$PWD; export SLURM_SUBMIT_DIR; "
                                           "exec \"$0\" 2>&1"
                                         : "SLURM_SUBMIT_DIR=$PWD; export SLURM_SUBMIT_DIR; "
                                           "exec \"$0\"",
                                  "./.spillway-script"));
}

json_t *burst_describe(const struct home_job *job, const char *site, const char *script,
                       size_t length, bool with_mail, struct err *err)
{
    static const char *const not_carried[] = { "array",    "after",    "begin",   "hold",
                                               "schedule", "deadline", "project", "priority",
                                               "name",     "limits" };
    struct script parsed;
    json_t *spec = NULL;

    if (script_parse(script, length, job->name, clock_wall_ms(), &parsed) < 0) {
        const struct script_note *note = parsed.faults.list;

        err_set(err, FAULT_INVALID, "its script, line %d: %s", note ? note->line : 0,
                note ? note->text : "not understood");
    } else {
        spec = json_deep_copy(parsed.description);
    }
    script_free(&parsed);
    if (!spec)
        return NULL;
    for (size_t i = 0; i < array_len(not_carried); i++)
        json_object_del(spec, not_carried[i]);
    if (!with_mail)
        json_object_del(spec, "notify");
    else if (job->mail_to && !json_object_get(spec, "notify"))
        set_mail(job, spec);
    json_object_set_new(spec, "name", json_string(job->name));
    set_resources(job, spec);
    set_placement(site, spec);
    set_environment(job, spec);
    set_command(job, spec);
    return spec;
}

/* ---- the comparison ----------------------------------------------------------------------------
 */

/* When it would start at home: as its scheduler says; else as long after its submission as others of
 * late have waited; else as long again as it has waited already. */
static int64_t home_start(struct turn *turn, const struct home_job *job, const char **source)
{
    int64_t now = clock_wall_ms(), wait = broker_learned_wait(turn->broker, turn->conf->name);

    *source = "by its own scheduler";
    if (job->start_ms > 0)
        return job->start_ms > now ? job->start_ms : now;
    *source = "by what jobs have waited there";
    if (wait > 0 && job->submitted_ms + wait > now)
        return job->submitted_ms + wait;
    *source = "as long again as it has waited";
    return now + (now - job->submitted_ms);
}

static char *words(const struct turn *turn, const struct best_start *best, int64_t home,
                   const char *source, int64_t need, int64_t now, bool gains)
{
    char at_home[FORMAT_BYTES], there[FORMAT_BYTES], sooner[FORMAT_BYTES], least[FORMAT_BYTES];
    int64_t gain = home - best->start_ms;

    format_span((home - now) / 1000 * 1000, at_home, sizeof at_home);
    if (!best->site[0])
        return xasprintf("would start at %s in %s (%s); no other site can start it: %s",
                         turn->conf->name, at_home, source, best->why);
    format_span((best->start_ms - now) / 1000 * 1000, there, sizeof there);
    format_span(need, least, sizeof least);
    format_span((gain < 0 ? -gain : gain) / 1000 * 1000, sooner, sizeof sooner);
    return xasprintf("would start at %s in %s (%s), at %s in %s: %s %s, %s than %s",
                     turn->conf->name, at_home, source, best->site, there, sooner,
                     gain < 0 ? "later" : "sooner", gains ? "more" : "not more", least);
}

int burst_gains(struct turn *turn, const struct home_job *job, const json_t *document,
                const char *project, const char *user, int64_t *home_start_ms, char **why,
                struct err *err)
{
    struct problems problems = { .list = NULL };
    struct best_start best;
    struct job_spec spec;
    const char *source;
    int64_t need, now = clock_wall_ms();
    bool gains;

    if (job_spec_parse(document, &spec, &problems) < 0) {
        err_set(err, FAULT_INVALID, "%s: %s", problems.count ? problems.list[0].pointer : "",
                problems.count ? problems.list[0].text : "not understood");
        problems_free(&problems);
        return -1;
    }
    problems_free(&problems);
    *home_start_ms = home_start(turn, job, &source);
    if (broker_best_start(turn->broker, &spec, project, user, turn->conf->burst.gain_ms,
                          *home_start_ms, &best, err) < 0) {
        job_spec_free(&spec);
        return -1;
    }
    job_spec_free(&spec);
    need = turn->conf->burst.gain_ms >= 0 ? turn->conf->burst.gain_ms : best.overflow_after_ms;
    gains = best.site[0] && *home_start_ms - best.start_ms > need;
    *why = words(turn, &best, *home_start_ms, source, need, now, gains);
    return gains;
}
