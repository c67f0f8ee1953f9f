/* SPDX-License-Identifier: Apache-2.0 */
/* broker.h - the configuration file: `broker:`, `limits:`, `projects:`, `users:` and `sites:`.
 *
 * A fault outside `sites:` refuses the file, with every problem named; a fault in one site spoils
 * that site alone (site_conf.fault, and a line in `warnings`).  Reading it again is how SIGHUP
 * works. */
#ifndef SPILLWAY_CONF_BROKER_H
#define SPILLWAY_CONF_BROKER_H

#include "conf/site.h"

/* projects: {genomics: {...}, "*": {...}}; "*" is for projects that have no entry. */
struct project_rule {
    char *name;
    double weight;       /* of its fair share; default 1 */
    int64_t max_workers; /* away from home; -1: any */
    int64_t max_tasks;   /* running at once; -1: any */
    double max_money;    /* per money_ms; < 0: any */
    int64_t money_ms;    /* default 30 days */
    bool may_overflow;   /* false: home only */
    enum tier tier;      /* the furthest; default commercial */
    enum phase phase;    /* the least trusted sites it may use; default production */
    char **sites;        /* these only; NULL-terminated, or NULL: all */
    char **users;        /* who may submit under it; NULL: everyone */
};

/* users: {alice: {...}, "*": {...}}. */
struct user_rule {
    char *name;
    double weight;
    char *project;              /* default project; NULL: broker_conf.project */
    int64_t max_tasks;          /* running at once; -1: any */
    int64_t max_open;           /* tasks not finished; -1: any */
    bool is_operator, is_admin; /* on the Unix socket */
};

/* limits: {license-x: 3}: how many running tasks may use it at once. */
struct named_limit {
    char *name;
    int64_t most;
};

struct broker_conf {
    char *file;               /* NULL: nothing was read, all are defaults */
    char *state;              /* directory */
    char *listen;             /* "0.0.0.0:7455"; NULL: Unix socket only */
    char *url;                /* as agents and users see it; NULL: from `listen` */
    char *tls_cert, *tls_key; /* both or none; none: self-made, below `state` */
    char *socket;             /* NULL: STATE/spillway.sock */
    int socket_mode;          /* default 0660 */
    int log_level;            /* enum log_level */

    struct {
        int64_t jobs_ms, logs_ms, blobs_ms, events_ms; /* since the end; 0: for ever */
    } retention;
    /* for jobs that do not say */
    char *project;       /* "default" */
    char *image;         /* NULL: the site's first */
    int64_t walltime_ms; /* 0: none */
    int retries_infra, retries_preempt;
    int64_t backoff_ms;

    int64_t lease_ttl_ms, heartbeat_ms, orphan_ms;
    int64_t log_most;        /* bytes kept of one stream of one attempt */
    int64_t output_most;     /* bytes of all outputs of one attempt */
    int64_t upload_most;     /* bytes of one input */
    int64_t open_tasks_most; /* not finished, of all users */

    struct {
        int threads, connections, connections_each; /* each: from one address */
        int64_t body_most, idle_ms;
        double requests_per_second; /* of one user; 0: any */
    } http;

    int64_t half_life_ms;     /* of fair-share usage */
    int64_t reserve_after_ms; /* a job at the head that waited so long has capacity kept for it */

    struct {
        char *smtp; /* "smtp://host:25", "smtps://…"; NULL: no SMTP */
        char *user, *password_file, *from;
        char *sendmail;    /* program; NULL: none */
        char *secret_file; /* HMAC key of webhooks */
        char *webhook;     /* operator's own alarms; NULL: none */
        char *mail;        /* the same by mail; NULL: none */
        int64_t most_per_hour;
    } notify;

    struct named_limit *limits;
    size_t limit_count;
    struct project_rule *projects;
    size_t project_count;
    struct user_rule *users;
    size_t user_count;
    struct site_conf *sites;
    size_t site_count;

    char **warnings; /* "FILE:LINE:COLUMN: sites[1].limits.cores: ..."; NULL-terminated, or NULL */
    struct yaml_docs *docs; /* keeps the marks that `sites` point into */
};

/* NULL path: defaults, the state directory $XDG_STATE_HOME/spillway or ~/.local/state/spillway, and
 * one site, `local`.  On a fault *out is as it was, and `err` names as many problems as it holds,
 * one a line, and how many more there are. */
int broker_conf_load(const char *path, struct broker_conf *out, struct err *err);
/* The same from text; `file` is its name in messages. */
int broker_conf_parse(const char *text, size_t length, const char *file, struct broker_conf *out,
                      struct err *err);
void broker_conf_free(struct broker_conf *conf); /* what it holds, not itself */

/* The entry of that name, else that of "*", else NULL. */
const struct project_rule *broker_conf_project(const struct broker_conf *conf, const char *name);
const struct user_rule *broker_conf_user(const struct broker_conf *conf, const char *name);
const struct site_conf *broker_conf_site(const struct broker_conf *conf, const char *name);
/* -1: no such limit. */
int64_t broker_conf_limit(const struct broker_conf *conf, const char *name);

#endif
