/* SPDX-License-Identifier: Apache-2.0 */
/* site.h - one entry of `sites:`, checked and with its units resolved.
 *
 * The keys that every kind of site has are read here; the rest belongs to the driver, which reads
 * it from `driver` in its open() with the site_conf_* calls below and reports faults through
 * site_conf_error(), so that they name file, line, column and key.  Credentials are never in this
 * file.
 *
 * A broken entry does not stop the others: it is kept with `fault` set, so that `spillway sites`
 * can show what is wrong with it, and nothing else in it may be relied on but `name`. */
#ifndef SPILLWAY_CONF_SITE_H
#define SPILLWAY_CONF_SITE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/job.h"
#include "conf/yaml.h"

#define SITES_MOST 1000

/* How an agent reaches the broker: by itself, or through a tunnel that the broker opens to it. */
enum connect { CONNECT_HTTPS, CONNECT_SSH };

/* limits: what the operator lends, below what the site's own quota allows.  -1: no limit of ours.
 */
struct site_limits {
    int64_t workers, cores;
    int64_t memory, disk; /* bytes */
    int64_t gpus;         /* of all models; `gpus: 4` */
    struct gpu_count {    /* of one model; `gpus: {V100: 2}` */
        char *model;
        int64_t count;
    } * models;
    size_t model_count;
};

/* gpus: what a shape holds, where the site's API does not say: {g1.v100: "V100:1"}. */
struct shape_gpus {
    char *shape;
    char *model;
    int count;
    int64_t memory; /* bytes, of each; 0: not known */
};

/* images: {debian-12: "the site's own name of it"}, or {debian-12: {from: ..., sha256: ...}} for one
 * that is brought there. */
struct image_name {
    char *name, *here;
    char *from;            /* an http:// or https:// URL or a file; NULL: it is there already */
    char *sha256, *sha512; /* lower-case hex; one at least */
    char *disk_format;
    json_t *properties; /* an object of texts; NULL: none */
};

struct shape_price {
    char *shape;
    double hour;
};

/* burst: which jobs of the site's own queue may run elsewhere.  All that is said must hold. */
struct site_burst {
    bool on;
    char **partitions, **qos;       /* one of these; NULL-terminated, or NULL: any */
    char *comment;                  /* a pattern */
    char **users;                   /* whose; NULL: those of the account that we log in with */
    bool all_users;                 /* users: all */
    bool receipt;                   /* end: receipt */
    int64_t gain_ms;                /* < 0: overflow_after of where it would go */
    int64_t bytes_most, files_most; /* carried, of one job */
    int64_t jobs_most;              /* away at a time */
    int64_t every_ms;
};

struct site_conf {
    char *name, *type;
    enum tier tier; /* default home for local, slurm and ssh, else partner */
    enum phase phase;
    char *jurisdiction; /* "FR"; NULL: not said, so a job that asks for one is not sent there */
    bool cloud_act;     /* the provider is in reach of the CLOUD Act; default: tier commercial */
    bool enabled;
    char *fault; /* NULL, or why this entry cannot be used: "FILE:LINE:COLUMN: ..." lines */

    int64_t overflow_after_ms; /* used only if that finishes sooner by more than this */
    struct site_limits limits;
    char *currency;    /* NULL: no prices */
    double price_hour; /* of a worker of any other shape; < 0: not known */
    /* of a GiB of volume and of a floating address, an hour; < 0: not known */
    double price_volume, price_address;
    struct shape_price *prices;
    size_t price_count;
    struct image_name *images;
    size_t image_count;
    struct shape_gpus *gpus;
    size_t gpu_count;
    char **projects; /* who may use it; NULL-terminated, or NULL: all */
    bool shared;     /* a worker may serve several projects, one after the other */
    /* Directories that are the same here as where jobs are submitted; NULL-terminated, or NULL:
     * none. */
    char **shared_directories;

    enum connect connect;
    char *url;                      /* broker's URL as seen from there; NULL: broker_conf.url */
    int64_t idle_ms;                /* an idle worker is kept this long */
    int64_t max_age_ms;             /* of a worker; 0: none */
    int64_t max_walltime_ms;        /* longer jobs are not placed here; 0: any */
    int64_t boot_deadline_ms;       /* before boot times were learned */
    int64_t probe_ms, reconcile_ms; /* how often */
    double calls_per_second;        /* to the site's API */
    int calls_burst;
    struct site_burst burst;

    json_t *driver; /* an object: the keys that are not listed above */
    /* where it stands, for site_conf_error() */
    const struct yaml_doc *doc; /* broker_conf owns it; NULL for a site that was made up */
    const char *file;
    size_t index; /* in `sites:` */
};

/* Report a fault in a driver's key: `pointer` is into this site, "/ssh/host".  -1, FAULT_INVALID:
 * "FILE:12:9: sites[1].ssh.host: WORDS".  A pointer to a key that is missing gives its parent's
 * place. */
int site_conf_error(const struct site_conf *conf, const char *pointer, struct err *err,
                    const char *format, ...) __attribute__((format(printf, 4, 5), cold));
/* Refuse what is not in `known` (NULL-terminated) below `pointer` ("" for the site itself). */
int site_conf_only(const struct site_conf *conf, const char *pointer, const char *const *known,
                   struct err *err);
/* Read one of the driver's keys.  *out is left alone when it is missing; strings are borrowed. */
int site_conf_str(const struct site_conf *conf, const char *pointer, const char **out,
                  struct err *err);
int site_conf_i64(const struct site_conf *conf, const char *pointer, int64_t least, int64_t most,
                  int64_t *out, struct err *err);
int site_conf_bool(const struct site_conf *conf, const char *pointer, bool *out, struct err *err);
int site_conf_span(const struct site_conf *conf, const char *pointer, int64_t *out_ms,
                   struct err *err);
int site_conf_bytes(const struct site_conf *conf, const char *pointer, int64_t *out,
                    struct err *err);
/* NULL when missing. */
const json_t *site_conf_get(const struct site_conf *conf, const char *pointer);
/* The same, a fault when missing. */
int site_conf_need_str(const struct site_conf *conf, const char *pointer, const char **out,
                       struct err *err);
/* A file as users write it: "~/x" below $HOME, relative to the configuration's folder.  Owned by
 * the caller; NULL when the key is missing. */
int site_conf_path(const struct site_conf *conf, const char *pointer, char **out, struct err *err);

/* The site's own name of an image; NULL: the map has none. */
const char *site_conf_image(const struct site_conf *conf, const char *name);
/* Where it comes from, a file by its path from here; owned by the caller. */
char *site_conf_source(const struct site_conf *conf, const struct image_name *image);
/* What the map says a shape holds; NULL: nothing. */
const struct shape_gpus *site_conf_gpus(const struct site_conf *conf, const char *shape);
/* Whether `path` lies in one of the shared directories. */
bool site_conf_shares(const struct site_conf *conf, const char *path);
/* < 0: not known. */
double site_conf_price(const struct site_conf *conf, const char *shape);

/* Of what a driver lists, so far: a worker of that shape (NULL: not known), a volume of so many bytes,
 * a floating address; `age_ms` < 0: not known.  < 0: not known, or it costs nothing by itself. */
double site_conf_cost(const struct site_conf *conf, const char *kind, const char *shape,
                      int64_t bytes, int64_t age_ms);

/* A site with no entry in any file: defaults and an empty `driver`. */
void site_conf_init(struct site_conf *conf, const char *name, const char *type);
void site_conf_fini(struct site_conf *conf);
const char *tier_name(enum tier tier);
const char *phase_name(enum phase phase);

#endif
