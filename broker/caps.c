/* SPDX-License-Identifier: Apache-2.0 */
/* caps.c - named limits, and the `max_tasks` of projects and users as limits of their own. */
#include "caps.h"

#include <string.h>

#include "base/own.h"

void caps_free(struct caps *caps)
{
    for (size_t i = 0; i < caps->count; i++) {
        free(caps->list[i].of);
        free(caps->list[i].name);
    }
    free(caps->list);
    *caps = (struct caps)CAPS_INIT;
}

static char *title(enum cap_kind kind, const char *of)
{
    switch (kind) {
    case CAP_PROJECT:
        return xasprintf("max_tasks of project %s", of);
    case CAP_USER:
        return xasprintf("max_tasks of user %s", of);
    default:
        return xstrdup(of);
    }
}

static int place(struct caps *caps, enum cap_kind kind, const char *of)
{
    for (size_t i = 0; i < caps->count; i++)
        if (caps->list[i].kind == kind && strcmp(caps->list[i].of, of) == 0)
            return (int)i;
    caps->list = xrealloc(caps->list, (caps->count + 1) * sizeof *caps->list);
    caps->list[caps->count] =
        (struct cap){ .kind = kind, .of = xstrdup(of), .name = title(kind, of), .most = 1 };
    return (int)caps->count++;
}

void caps_configure(struct caps *caps, const struct broker_conf *conf)
{
    for (size_t i = 0; i < caps->count; i++)
        caps->list[i].most = 1;
    for (size_t i = 0; i < conf->limit_count; i++) {
        /* First the place, then the list: a new name moves it. */
        int at = place(caps, CAP_NAMED, conf->limits[i].name);

        caps->list[at].most = conf->limits[i].most;
    }
}

/* -1: there is no such rule. */
static size_t use_rule(struct caps *caps, enum cap_kind kind, const char *of, int64_t most,
                       struct sched_limit_use *use)
{
    if (most < 0)
        return 0;
    *use = (struct sched_limit_use){ .limit = place(caps, kind, of), .count = 1 };
    caps->list[use->limit].most = most;
    return 1;
}

size_t caps_of(struct caps *caps, const struct broker_conf *conf, const struct job_spec *spec,
               const char *project, const char *user, struct sched_limit_use *uses)
{
    const struct project_rule *project_rule = broker_conf_project(conf, project);
    const struct user_rule *user_rule = broker_conf_user(conf, user);
    size_t count = 0;

    for (; count < spec->limit_count; count++)
        uses[count] =
            (struct sched_limit_use){ .limit = place(caps, CAP_NAMED, spec->limits[count].name),
                                      .count = spec->limits[count].count };
    count += use_rule(caps, CAP_PROJECT, project, project_rule ? project_rule->max_tasks : -1,
                      &uses[count]);
    count += use_rule(caps, CAP_USER, user, user_rule ? user_rule->max_tasks : -1, &uses[count]);
    return count;
}
