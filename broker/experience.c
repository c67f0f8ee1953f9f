/* SPDX-License-Identifier: Apache-2.0 */
/* experience.c - learnt figures by name. */
#include "experience.h"

#include <jansson.h>
#include <string.h>

#include "base/map.h"
#include "base/own.h"

enum kind { RUN, BOOT, WAIT, BREAKER, AVOID, SHARE, MONEY, COST, PART, KIND_COUNT };
static const char *const stems[KIND_COUNT] = { "run/",   "boot/",  "wait/", "breaker/", "avoid/",
                                               "share/", "money/", "cost/", "part/" };

struct figure {
    char *key; /* with its stem */
    bool dirty;
    union {
        struct learned learned;
        struct share share;
        struct breaker breaker;
        struct {
            double spent;
            int64_t since_ms;
        } money;
    };
};

struct experience {
    uint64_t version;               /* of boots and waits */
    struct map figures[KIND_COUNT]; /* by what stands behind the stem */
};

struct experience *experience_new(void)
{
    struct experience *experience = xcalloc(1, sizeof *experience);

    for (int i = 0; i < KIND_COUNT; i++)
        experience->figures[i].strings = true;
    return experience;
}

void experience_free(struct experience *experience)
{
    struct figure *figure;

    if (!experience)
        return;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        for (size_t i = 0; (figure = map_next(&experience->figures[kind], &i));) {
            free(figure->key);
            free(figure);
        }
        map_fini(&experience->figures[kind]);
    }
    free(experience);
}

/* Made at first sight. */
static struct figure *figure_of(struct experience *experience, enum kind kind, const char *name)
{
    struct figure *figure = map_get_str(&experience->figures[kind], name);

    if (figure)
        return figure;
    figure = xcalloc(1, sizeof *figure);
    figure->key = xasprintf("%s%s", stems[kind], name);
    map_put_str(&experience->figures[kind], figure->key + strlen(stems[kind]), figure);
    return figure;
}

static struct figure *of_class(struct experience *experience, enum kind kind, const char *site,
                               int64_t class_id)
{
    own_str char *name =
        class_id ? xasprintf("%s/%lld", site, (long long)class_id) : xasprintf("%s/", site);

    return figure_of(experience, kind, name);
}

static struct figure *by_class(struct experience *experience, enum kind kind, int64_t class_id)
{
    char name[24];

    snprintf(name, sizeof name, "%lld", (long long)class_id);
    return figure_of(experience, kind, name);
}

static struct figure *run_of(struct experience *experience, int64_t class_id)
{
    return by_class(experience, RUN, class_id);
}

/* ---- kept by the store ---- */

static void read_pair(const char *value, const char *number, double *out, const char *time,
                      int64_t *out_ms)
{
    json_t *object = json_loads(value, 0, NULL);

    *out = json_number_value(json_object_get(object, number));
    *out_ms = json_integer_value(json_object_get(object, time));
    json_decref(object);
}

static void read_figure(struct figure *figure, enum kind kind, const char *value)
{
    if (kind == SHARE)
        read_pair(value, "usage", &figure->share.usage, "at_ms", &figure->share.at_ms);
    else if (kind == MONEY || kind == COST)
        read_pair(value, "spent", &figure->money.spent, "since_ms", &figure->money.since_ms);
    else if (kind == BREAKER || kind == AVOID)
        breaker_parse(value, &figure->breaker, NULL);
    else
        learned_parse(value, &figure->learned, NULL); /* what cannot be read is learnt anew */
}

void experience_load(struct experience *experience, const char *key, const char *value)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        size_t length = strlen(stems[kind]);

        if (strncmp(key, stems[kind], length) == 0)
            read_figure(figure_of(experience, (enum kind)kind, key + length), (enum kind)kind,
                        value);
    }
    experience->version++;
}

static void put_figure(const struct figure *figure, enum kind kind, struct buf *out)
{
    if (kind == SHARE)
        buf_printf(out, "{\"usage\":%.17g,\"at_ms\":%lld}", figure->share.usage,
                   (long long)figure->share.at_ms);
    else if (kind == MONEY || kind == COST)
        buf_printf(out, "{\"spent\":%.17g,\"since_ms\":%lld}", figure->money.spent,
                   (long long)figure->money.since_ms);
    else if (kind == BREAKER || kind == AVOID)
        breaker_put(&figure->breaker, out);
    else
        learned_put(&figure->learned, out);
}

void experience_save(struct experience *experience, experience_record *each, void *arg)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct figure *figure;

        for (size_t i = 0; (figure = map_next(&experience->figures[kind], &i));) {
            own_buf struct buf text = BUF_INIT(0);

            if (!figure->dirty)
                continue;
            put_figure(figure, (enum kind)kind, &text);
            each(arg, figure->key, buf_text(&text));
            figure->dirty = false;
        }
    }
}

void experience_show(const struct experience *experience, experience_record *each, void *arg)
{
    for (int kind = BOOT; kind <= AVOID; kind++) {
        const struct figure *figure;

        for (size_t i = 0; (figure = map_next(&experience->figures[kind], &i));) {
            own_buf struct buf text = BUF_INIT(0);

            if (kind < BREAKER ? !figure->learned.seen
                               : !figure->breaker.faults && !figure->breaker.opened)
                continue;
            put_figure(figure, (enum kind)kind, &text);
            each(arg, figure->key, buf_text(&text));
        }
    }
}

/* ---- run and boot times ---- */

const struct learned *experience_run(struct experience *experience, int64_t class_id)
{
    return &run_of(experience, class_id)->learned;
}

static void learn(struct figure *figure, int64_t ms)
{
    learned_add(&figure->learned, (double)(ms > 0 ? ms : 1));
    figure->dirty = true;
}

void experience_ran(struct experience *experience, int64_t class_id, int64_t run_ms)
{
    learn(run_of(experience, class_id), run_ms);
}

const struct learned *experience_part(struct experience *experience, const char *who)
{
    return &figure_of(experience, PART, who)->learned;
}

#define TEACHERS 3 /* tasks of a class that teach what is not known of others */
void experience_took(struct experience *experience, int64_t class_id, const char *project,
                     const char *user, int64_t run_ms, int64_t walltime_ms)
{
    own_str char *both = xasprintf("%s/%s", project, user);
    const char *const who[] = { both, project, "" };

    if (walltime_ms <= 0 || run_of(experience, class_id)->learned.seen >= TEACHERS)
        return;
    for (size_t i = 0; i < array_len(who); i++)
        learn(figure_of(experience, PART, who[i]),
              (int64_t)(1000.0 * (double)run_ms / (double)walltime_ms));
}

void experience_booted(struct experience *experience, const char *site, const char *image,
                       const char *shape, int64_t boot_ms)
{
    own_str char *name = xasprintf("%s/%s/%s", site, image, shape);

    learn(figure_of(experience, BOOT, name), boot_ms);
    experience->version++;
}

void experience_waited(struct experience *experience, const char *site, int64_t class_id,
                       int64_t wait_ms)
{
    learn(of_class(experience, WAIT, site, class_id), wait_ms);
    experience->version++;
}

uint64_t experience_version(const struct experience *experience)
{
    return experience->version;
}

static void each_learned(const struct experience *experience, enum kind kind,
                         experience_learned *each, void *arg)
{
    const struct figure *figure;

    for (size_t i = 0; (figure = map_next(&experience->figures[kind], &i));)
        if (figure->learned.seen)
            each(arg, figure->key + strlen(stems[kind]), &figure->learned);
}

void experience_boots(const struct experience *experience, experience_learned *each, void *arg)
{
    each_learned(experience, BOOT, each, arg);
}

void experience_waits(const struct experience *experience, experience_learned *each, void *arg)
{
    each_learned(experience, WAIT, each, arg);
}

/* ---- faults ---- */

static void each_breaker(const struct experience *experience, enum kind kind,
                         experience_breaker *each, void *arg)
{
    const struct figure *figure;

    for (size_t i = 0; (figure = map_next(&experience->figures[kind], &i));)
        if (figure->breaker.faults || figure->breaker.opened)
            each(arg, figure->key + strlen(stems[kind]), &figure->breaker);
}

void experience_breakers(const struct experience *experience, experience_breaker *each, void *arg)
{
    each_breaker(experience, BREAKER, each, arg);
}

void experience_avoided(const struct experience *experience, experience_breaker *each, void *arg)
{
    each_breaker(experience, AVOID, each, arg);
}

void experience_breaker_set(struct experience *experience, const char *name,
                            const struct breaker *breaker)
{
    struct figure *figure = map_get_str(&experience->figures[BREAKER], name);
    const struct breaker *was;

    if (!figure && !breaker->faults && !breaker->opened)
        return;
    figure = figure_of(experience, BREAKER, name);
    was = &figure->breaker;
    if (was->faults == breaker->faults && was->opened == breaker->opened &&
        was->open_until_ms == breaker->open_until_ms && was->last_ms == breaker->last_ms)
        return;
    figure->breaker = *breaker;
    figure->dirty = true;
}

void experience_failed(struct experience *experience, const char *site, int64_t class_id,
                       int64_t now_ms, const char *why)
{
    struct figure *figure = of_class(experience, AVOID, site, class_id);

    breaker_fault(&figure->breaker, now_ms, true, why);
    figure->dirty = true;
}

void experience_worked(struct experience *experience, const char *site, int64_t class_id)
{
    struct figure *figure;

    if (experience->figures[AVOID].count == 0)
        return;
    figure = of_class(experience, AVOID, site, class_id);
    if (!figure->breaker.faults)
        return;
    breaker_success(&figure->breaker);
    figure->dirty = true;
}

/* ---- usage and money ---- */

struct share *experience_share(struct experience *experience, const char *who)
{
    return &figure_of(experience, SHARE, who)->share;
}

void experience_used(struct experience *experience, const char *who, const struct room *part,
                     const struct room *whole, int64_t held_ms, int64_t now_ms,
                     int64_t half_life_ms)
{
    struct figure *figure = figure_of(experience, SHARE, who);

    share_add(&figure->share, part, whole, held_ms, now_ms, half_life_ms);
    figure->dirty = true;
}

static struct figure *money_of(struct experience *experience, const char *project,
                               int64_t period_ms, int64_t now_ms)
{
    struct figure *figure = figure_of(experience, MONEY, project);

    if (!figure->money.since_ms || (period_ms && now_ms - figure->money.since_ms > period_ms)) {
        figure->money.spent = 0;
        figure->money.since_ms = now_ms;
        figure->dirty = true;
    }
    return figure;
}

double experience_spent(struct experience *experience, const char *project, int64_t period_ms,
                        int64_t now_ms)
{
    return money_of(experience, project, period_ms, now_ms)->money.spent;
}

void experience_paid(struct experience *experience, const char *project, double cost,
                     int64_t period_ms, int64_t now_ms)
{
    struct figure *figure = money_of(experience, project, period_ms, now_ms);

    figure->money.spent += cost;
    figure->dirty = true;
}

double experience_cost(struct experience *experience, int64_t class_id)
{
    return by_class(experience, COST, class_id)->money.spent;
}

void experience_cost_add(struct experience *experience, int64_t class_id, double cost)
{
    struct figure *figure = by_class(experience, COST, class_id);

    figure->money.spent += cost;
    figure->dirty |= cost > 0;
}

size_t experience_users(const struct experience *experience)
{
    return experience->figures[SHARE].count;
}

void experience_each_user(const struct experience *experience, experience_user *each, void *arg)
{
    const struct figure *figure;

    for (size_t i = 0; (figure = map_next(&experience->figures[SHARE], &i));) {
        own_str char *project = xstrdup(figure->key + strlen(stems[SHARE]));
        char *slash = strrchr(project, '/');

        if (!slash || figure->share.usage <= 0)
            continue;
        *slash = '\0';
        each(arg, project, slash + 1);
    }
}
