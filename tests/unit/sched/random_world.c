/* SPDX-License-Identifier: Apache-2.0 */
/* random_world.c - worlds by the thousand, as text, so that one that fails can be read. */
#include "base/buf.h"
#include "base/own.h"
#include "random.h"
#include "world.h"

static const char *const models[] = { "V100", "A100", "L4" };
static const char *const tiers[] = { "home", "partner", "commercial" };
static const char *const zones[] = { "FR", "DE", "US" };

struct maker {
    struct dice dice;
    struct buf text;
    int sites, projects, limits, classes, workers;
    int shapes[16], cpus[16][4], gpus[16][4];
    bool images[16];
};

#define R(least, most) ((long long)dice_roll(&m->dice, least, most))
#define PUT(...)       buf_printf(&m->text, __VA_ARGS__)
#define MAYBE(percent, ...)                 \
    do {                                    \
        if (dice_chance(&m->dice, percent)) \
            PUT(__VA_ARGS__);               \
    } while (0)

static void make_quotas(struct maker *m, int s)
{
    if (dice_chance(&m->dice, 60))
        PUT("quota s%d workers limit=%lld ours=%lld others=%lld reserved=%lld\n", s, R(0, 12),
            R(0, 4), R(0, 4), R(0, 2));
    if (dice_chance(&m->dice, 60))
        PUT("quota s%d cores limit=%lld ours=%lld others=%lld\n", s, R(0, 64), R(0, 24), R(0, 24));
    if (dice_chance(&m->dice, 30))
        PUT("quota s%d memory limit=%lldGiB\n", s, R(1, 256));
    if (dice_chance(&m->dice, 40))
        PUT("quota s%d gpus:%s limit=%lld ours=%lld\n", s, models[R(0, 2)], R(0, 4), R(0, 2));
    if (dice_chance(&m->dice, 20))
        PUT("quota s%d other limit=%lld each=%lld\n", s, R(0, 10), R(1, 3));
}

static void make_site(struct maker *m, int s)
{
    m->images[s] = dice_chance(&m->dice, 40);
    PUT("site s%d tier=%s max=%lld overflow=%lldm idle=%lldm boot=%llds", s, tiers[R(0, 2)],
        R(-1, 8), R(0, 20), R(0, 10), R(1, 600));
    MAYBE(10, " phase=test");
    MAYBE(50, " jurisdiction=%s", zones[R(0, 2)]);
    MAYBE(20, " cloudact");
    MAYBE(30, " shared");
    MAYBE(30, " containers");
    MAYBE(20, " bound");
    MAYBE(10, " mode=%s", R(0, 1) ? "draining" : "disabled");
    MAYBE(5, " down");
    MAYBE(5, " closed=%lldm", R(1, 60));
    MAYBE(10, " walltime=%lldh", R(1, 10));
    MAYBE(10, " credential=%lldm", R(1, 600));
    MAYBE(20, " wait=%lldm", R(0, 60));
    MAYBE(20, " creates=%lld", R(1, 4));
    if (m->images[s])
        PUT(" images=deb,alma");
    PUT("\n");
    m->shapes[s] = (int)R(1, 4);
    for (int i = 0; i < m->shapes[s]; i++) {
        m->cpus[s][i] = (int)R(1, 16);
        m->gpus[s][i] = dice_chance(&m->dice, 30) ? (int)R(1, 4) : 0;
        PUT("shape s%d h%d cpus=%d memory=%lldGiB", s, i, m->cpus[s][i], R(1, 64));
        if (m->gpus[s][i])
            PUT(" gpus=%d model=%s gpumem=%lldGiB", m->gpus[s][i], models[R(0, 2)], R(8, 40));
        MAYBE(60, " price=%lld.%02lld", R(0, 3), R(0, 99));
        MAYBE(5, " closed=%lldm", R(0, 30));
        PUT("\n");
    }
    make_quotas(m, s);
}

static void make_needs(struct maker *m)
{
    PUT(" cpus=%lld", R(1, dice_chance(&m->dice, 20) ? 20 : 4));
    MAYBE(10, "+");
    MAYBE(40, " memory=%lldMiB", R(1, 16000));
    if (dice_chance(&m->dice, 20)) {
        PUT(" gpus=%lld", R(1, 4));
        MAYBE(50, " model=%s,%s", models[R(0, 2)], models[R(0, 2)]);
        MAYBE(30, " gpumem=%lldGiB", R(8, 40));
    }
    MAYBE(15, " nodes=%lld", R(2, 4));
    MAYBE(50, " wall=%lldm", R(1, 900));
}

static void make_class(struct maker *m, int c)
{
    PUT("class %d n=%lld project=p%lld user=u%lld age=%lldm", c, R(1, R(0, 1) ? 5 : 200),
        R(0, m->projects - 1), R(0, 2), R(0, 20));
    make_needs(m);
    MAYBE(60, " run=%lldms", R(1, R(0, 1) ? 5000 : 7200000));
    MAYBE(20, " running=%lld", R(1, 20));
    MAYBE(10, " deadline=%lldm", R(1, 300));
    MAYBE(20, " priority=%lld", R(-5, 5));
    MAYBE(20, " tier=%s", tiers[R(0, 2)]);
    MAYBE(10, " prefer=s%lld", R(0, m->sites - 1));
    MAYBE(10, " exclude=s%lld", R(0, m->sites - 1));
    MAYBE(5, " require=s%lld", R(0, m->sites - 1));
    MAYBE(5, " avoid=s%lld", R(0, m->sites - 1));
    MAYBE(15, " jurisdiction=%s,%s", zones[R(0, 2)], zones[R(0, 2)]);
    MAYBE(15, " image=%s", R(0, 1) ? "deb" : "suse");
    MAYBE(10, " container=python");
    MAYBE(30, " objective=%s", R(0, 1) ? "time" : "cost");
    MAYBE(15, " cost=%lld.5", R(0, 20));
    MAYBE(10, " nocloudact");
    MAYBE(10, " sharedby=s%lld", R(0, m->sites - 1));
    MAYBE(20, " served=%lldm", R(0, 10));
    if (m->limits)
        MAYBE(20, " limit=l%lld:%lld", R(0, m->limits - 1), R(1, 3));
    MAYBE(30, " ordered");
    PUT("\n");
    if (dice_chance(&m->dice, 20)) {
        PUT("or");
        make_needs(m);
        PUT("\n");
    }
}

static void make_worker(struct maker *m, int w)
{
    static const char *const states[] = { "intent", "booting", "ready",  "ready",    "ready",
                                          "ready",  "ready",   "silent", "draining", "destroying" };
    int s = (int)R(0, m->sites - 1), shape = (int)R(0, m->shapes[s] - 1);
    const char *state = states[R(0, 9)];
    int used = state[0] == 'i' || state[0] == 'b' ? 0 : (int)R(0, m->cpus[s][shape]);

    PUT("worker %d site=s%d shape=h%d state=%s used=%d idle=%lldm", w, s, shape, state, used,
        R(0, 12));
    MAYBE(60, " project=p%lld", R(0, m->projects - 1));
    MAYBE(10, " class=%lld", R(1, m->classes));
    MAYBE(10, " expires=%lldm", R(1, 600));
    MAYBE(5, " keep");
    if (m->images[s])
        MAYBE(50, " image=alma");
    PUT("\n");
    for (int i = 0; i < used; i++) {
        PUT("run %d cpus=1", w);
        MAYBE(70, " ends=%lldm", R(1, 200));
        MAYBE(50, " latest=%lldm", R(1, 400));
        PUT("\n");
    }
}

char *world_random_text(uint64_t seed)
{
    struct maker maker = { .dice = { seed }, .text = BUF_INIT(0) }, *m = &maker;

    m->sites = (int)R(1, 6);
    m->projects = (int)R(1, 3);
    m->limits = (int)R(0, 2);
    m->classes = (int)R(1, 8);
    m->workers = (int)R(0, 12);
    for (int p = 0; p < m->projects; p++) {
        PUT("project p%d weight=%lld usage=%lld", p, R(1, 4), R(0, 5000));
        MAYBE(30, " money=%lld spent=%lld committed=%lld", R(0, 50), R(0, 10), R(0, 5));
        MAYBE(20, " max=%lld has=%lld", R(0, 6), R(0, 3));
        MAYBE(20, " tier=%s", tiers[R(0, 2)]);
        MAYBE(40, " test");
        PUT("\n");
    }
    for (int l = 0; l < m->limits; l++)
        PUT("limit l%d cap=%lld used=%lld\n", l, R(0, 10), R(0, 5));
    for (int s = 0; s < m->sites; s++)
        make_site(m, s);
    for (int c = 1; c <= m->classes; c++)
        make_class(m, c);
    for (int w = 1; w <= m->workers; w++)
        make_worker(m, w);
    MAYBE(20, "params order=age reserve=0s reservations=1\n");
    MAYBE(10, "params overflow=greedy\n");
    return buf_take(&m->text);
}

struct world *world_random(uint64_t seed)
{
    own_str char *text = world_random_text(seed);

    return world_new(text);
}
