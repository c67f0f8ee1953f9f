/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c - roles, projects and limits, copied out of the configuration. */
#include "api/policy.h"

#include <stdatomic.h>
#include <string.h>

#include "api/auth.h"
#include "base/own.h"
#include "spillway/placement.h"

struct user {
    char *name, *project;
    enum role role;
    int64_t max_open; /* -1: any */
};
struct project {
    char *name, **users; /* NULL: everyone */
};

struct policy {
    atomic_int refs;
    char *default_project;
    struct user *users;
    size_t user_count;
    struct project *projects;
    size_t project_count;
    struct retention retention;
    int64_t upload_most, output_most, open_tasks_most;
    size_t body_most;
    double rate;
};

static char **copy_list(char *const *list)
{
    size_t count = 0;
    char **copy;

    if (!list)
        return NULL;
    while (list[count])
        count++;
    copy = xcalloc(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = xstrdup(list[i]);
    return copy;
}

static void free_list(char **list)
{
    for (char **at = list; at && *at; at++)
        free(*at);
    free(list);
}

static void copy_rules(struct policy *policy, const struct broker_conf *conf)
{
    policy->users = xcalloc(conf->user_count + 1, sizeof *policy->users);
    policy->user_count = conf->user_count;
    for (size_t i = 0; i < conf->user_count; i++) {
        const struct user_rule *rule = &conf->users[i];

        policy->users[i].name = xstrdup(rule->name);
        policy->users[i].project = rule->project ? xstrdup(rule->project) : NULL;
        policy->users[i].max_open = rule->max_open;
        policy->users[i].role = rule->is_admin      ? ROLE_ADMIN
                                : rule->is_operator ? ROLE_OPERATOR
                                                    : ROLE_USER;
    }
    policy->projects = xcalloc(conf->project_count + 1, sizeof *policy->projects);
    policy->project_count = conf->project_count;
    for (size_t i = 0; i < conf->project_count; i++) {
        policy->projects[i].name = xstrdup(conf->projects[i].name);
        policy->projects[i].users = copy_list(conf->projects[i].users);
    }
}

struct policy *policy_new(const struct broker_conf *conf)
{
    struct policy *policy = xcalloc(1, sizeof *policy);

    atomic_init(&policy->refs, 1);
    policy->default_project = xstrdup(conf->project ? conf->project : "default");
    policy->retention = (struct retention){ .jobs_ms = conf->retention.jobs_ms,
                                            .logs_ms = conf->retention.logs_ms,
                                            .blobs_ms = conf->retention.blobs_ms,
                                            .events_ms = conf->retention.events_ms };
    policy->upload_most = conf->upload_most;
    policy->output_most = conf->output_most;
    policy->open_tasks_most = conf->open_tasks_most;
    policy->body_most = (size_t)conf->http.body_most;
    policy->rate = conf->http.requests_per_second;
    copy_rules(policy, conf);
    return policy;
}

struct policy *policy_ref(struct policy *policy)
{
    atomic_fetch_add(&policy->refs, 1);
    return policy;
}

void policy_unref(struct policy *policy)
{
    if (!policy || atomic_fetch_sub(&policy->refs, 1) != 1)
        return;
    for (size_t i = 0; i < policy->user_count; i++) {
        free(policy->users[i].name);
        free(policy->users[i].project);
    }
    for (size_t i = 0; i < policy->project_count; i++) {
        free(policy->projects[i].name);
        free_list(policy->projects[i].users);
    }
    free(policy->users);
    free(policy->projects);
    free(policy->default_project);
    free(policy);
}

static const struct user *user_of(const struct policy *policy, const char *name)
{
    const struct user *other = NULL;

    for (size_t i = 0; i < policy->user_count; i++) {
        if (strcmp(policy->users[i].name, name) == 0)
            return &policy->users[i];
        if (strcmp(policy->users[i].name, "*") == 0)
            other = &policy->users[i];
    }
    return other;
}

static const struct project *project_of(const struct policy *policy, const char *name)
{
    const struct project *other = NULL;

    for (size_t i = 0; i < policy->project_count; i++) {
        if (strcmp(policy->projects[i].name, name) == 0)
            return &policy->projects[i];
        if (strcmp(policy->projects[i].name, "*") == 0)
            other = &policy->projects[i];
    }
    return other;
}

enum role policy_role(const struct policy *policy, const char *user)
{
    const struct user *rule = user_of(policy, user);

    return rule ? rule->role : ROLE_USER;
}

const char *policy_project(const struct policy *policy, const struct caller *caller)
{
    const struct user *rule = user_of(policy, caller->user);

    if (caller->projects[0])
        return caller->projects[0];
    return rule && rule->project ? rule->project : policy->default_project;
}

static bool is_in(const char *const *list, const char *word)
{
    for (; *list; list++)
        if (strcmp(*list, word) == 0)
            return true;
    return false;
}

static int for_operators(struct err *err)
{
    return err_set(err, FAULT_AUTH, "project '%s' is for operators: spillway sites probe",
                   PROBE_PROJECT);
}

int policy_may_use(const struct policy *policy, const struct caller *caller, const char *project,
                   struct err *err)
{
    const struct project *rule = project_of(policy, project);

    if (caller->role >= ROLE_OPERATOR)
        return 0;
    if (strcmp(project, PROBE_PROJECT) == 0)
        return for_operators(err);
    if (caller->projects[0] && !is_in(caller->projects, project))
        return err_set(err, FAULT_AUTH, "this token is not for project '%s'", project);
    if (!caller->projects[0] && rule && rule->users &&
        !is_in((const char *const *)rule->users, caller->user))
        return err_set(err, FAULT_AUTH,
                       "user '%s' may not submit under project '%s': ask the administrator to add "
                       "you to its users",
                       caller->user, project);
    return 0;
}

int policy_user_may(const struct policy *policy, const char *user, enum role role,
                    const char *project, struct err *err)
{
    const struct project *rule = project_of(policy, project);

    if (role >= ROLE_OPERATOR || !rule || !rule->users ||
        is_in((const char *const *)rule->users, user))
        return 0;
    return err_set(err, FAULT_AUTH, "user '%s' may not submit under project '%s' any more", user,
                   project);
}

struct open_most policy_open_most(const struct policy *policy, const char *user)
{
    const struct user *rule = user_of(policy, user);

    return (struct open_most){ rule ? rule->max_open : -1, policy->open_tasks_most };
}

const struct retention *policy_retention(const struct policy *policy)
{
    return &policy->retention;
}

int64_t policy_upload_most(const struct policy *policy)
{
    return policy->upload_most;
}

int64_t policy_output_most(const struct policy *policy)
{
    return policy->output_most;
}

size_t policy_body_most(const struct policy *policy)
{
    return policy->body_most;
}

double policy_rate(const struct policy *policy)
{
    return policy->rate;
}
