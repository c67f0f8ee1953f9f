/* SPDX-License-Identifier: Apache-2.0 */
/* test_explain.c - one row a site, with the arithmetic; and advice that is tried and holds. */
#include "base/own.h"
#include "random.h"
#include "world.h"

static const struct sched_row *row_of(struct world *w, struct sched_rows *rows, int64_t class_id,
                                      const char *site)
{
    sched_explain(&w->params, &w->snap, world_class_index(w, class_id), rows);
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(w->sites[rows->list[i].site].name, site) == 0)
            return &rows->list[i];
    fail_msg("no row for %s", site);
    return NULL;
}

static void explains(const char *text, int64_t class_id, const char *site, const char *verdict,
                     const char *words, const char *fits_if)
{
    struct world *w = world_new(text);
    struct sched_rows rows;
    const struct sched_row *row = row_of(w, &rows, class_id, site);

    assert_string_equal(sched_verdict_name(row->verdict), verdict);
    if (!strstr(row->text, words))
        fail_msg("'%s' does not say '%s'", row->text, words);
    if (!fits_if)
        assert_null(row->fits_if);
    else if (!row->fits_if || !strstr(row->fits_if, fits_if))
        fail_msg("'%s' does not advise '%s'", row->fits_if ? row->fits_if : "", fits_if);
    sched_rows_free(&rows);
    world_free(w);
}

static void the_arithmetic_of_a_full_quota_is_shown(void **state)
{
    (void)state;
    explains("site a tier=partner; shape a m cpus=4; class 1 cpus=4;"
             "quota a cores limit=40 ours=8 others=26 reserved=4",
             1, "a", "full", "cores: limit 40 - ours 8 - others 26 - reserved 4 = 2 free, 4 needed",
             "2 more of its quota for cores");
}

static void what_no_shape_can_hold_is_never(void **state)
{
    (void)state;
    explains("site a; shape a m cpus=4; shape a l cpus=8; class 1 cpus=9", 1, "a", "never",
             "asks for 9 cpus, the nearest shape l has 8", "cpus at most 8");
    explains("site a; shape a m cpus=4 memory=8GiB; class 1 memory=9GiB", 1, "a", "never", "9GiB",
             "memory at most 8GiB");
    explains("site a; shape a m cpus=4; class 1 gpus=1", 1, "a", "never", "1 GPU", "no GPU");
    explains("site a; shape a m cpus=4 gpus=1 model=L4; class 1 gpus=1 model=V100", 1, "a", "never",
             "the GPUs of m are L4", "no gpu_model");
    explains("site a; shape a m gpus=1 ; quota a gpus limit=0; class 1 gpus=1", 1, "a", "never",
             "gpus: limit 0", "1 more of its quota for gpus");
}

static void placement_and_rules_are_named(void **state)
{
    (void)state;
    explains("site a jurisdiction=US; shape a m; class 1 jurisdiction=FR", 1, "a", "never",
             "jurisdiction US", "jurisdiction");
    explains("site a cloudact; shape a m; class 1 nocloudact", 1, "a", "never", "CLOUD Act",
             "cloud_act");
    explains("site a tier=commercial; shape a m; class 1 tier=partner", 1, "a", "never",
             "further tier", "placement.tier is commercial");
    explains("site a images=deb; shape a m; class 1 image=suse", 1, "a", "never", "no image 'suse'",
             "image is added");
    explains("site a images=deb,suse awaited=deb; shape a m; class 1 image=deb", 1, "a", "closed",
             "its image deb is on its way there (half of it was sent)", NULL);
    explains("site a images=deb,suse awaited=deb; shape a m; class 1", 1, "a", "closed",
             "image deb", NULL);
    explains("site a images=deb,suse awaited=deb; shape a m; class 1 image=suse", 1, "a", "ready",
             "new worker", NULL);
    explains("site a tier=partner; shape a m; project p tier=home; class 1", 1, "a", "never",
             "rule of its project", "rules of its project");
    explains("site a; shape a m; class 1 container=c", 1, "a", "never", "cannot run containers",
             "without a container");
    explains("site a; site b; shape a m; class 1 sharedby=b", 1, "a", "never",
             "does not share its working directory", "shared_directories");
}

static void a_busy_machine_says_when_it_is_free(void **state)
{
    (void)state;
    explains("site here local; shape here m cpus=2; worker 1 site=here used=2; run 1 ends=90s;"
             "run 1 ends=10m; class 1",
             1, "here", "busy", "1 worker that suits it, all busy, the first free in about 1m30s",
             NULL);
    explains("site here local; shape here m cpus=8; worker 1 site=here used=6; run 1 ends=90s n=6;"
             "class 1 cpus=4",
             1, "here", "busy", "cpus: 8 - in use 6 = 2 free, 4 needed", "cpus at most 2");
}

static void states_of_sites_are_told(void **state)
{
    (void)state;
    explains("site a mode=disabled; shape a m; class 1", 1, "a", "disabled", "disabled", "enabled");
    explains("site a down; shape a m; class 1", 1, "a", "down", "does not answer", NULL);
    explains("site a unprobed; class 1", 1, "a", "down", "has not told yet", NULL);
    explains("site a closed=10m; shape a m; class 1", 1, "a", "closed", "after faults", NULL);
    explains("site a credential=10m; shape a m; class 1 wall=1h", 1, "a", "closed",
             "credential ends in 10m, before", "walltime is at most 9m");
}

static void limits_and_money_are_told(void **state)
{
    (void)state;
    explains("site a; shape a m; worker 1 site=a; limit db cap=2 used=2; class 1 limit=db:1", 1,
             "a", "waits", "limit 'db': capacity 2 - in use 2 = 0 free, 1 needed",
             "'db' has 1 more");
    explains("site a tier=commercial; shape a m price=10; project p money=5; class 1 run=1h", 1,
             "a", "waits", "5.00 may still be spent", "ceiling on money");
}

static void a_further_tier_waits_for_its_gain(void **state)
{
    (void)state;
    explains("site home max=1; shape home m cpus=1; worker 1 site=home used=1; run 1 ends=5m;"
             "site b tier=partner overflow=30m boot=1m; shape b m; class 1 run=1h",
             1, "b", "waits", "not worth leaving nearer sites for a gain below 30m", NULL);
    explains("site home max=1; shape home m cpus=1; worker 1 site=home used=1; run 1 ends=55m;"
             "site b tier=partner overflow=30m boot=1m; shape b m; class 1 run=1h",
             1, "b", "ready", "new worker of shape m could be ready in about 1m", NULL);
}

static void a_broker_that_knows_no_site_yet_refuses_nothing(void **state)
{
    struct world *w = world_new("site a unprobed; class 1 cpus=1000");
    struct sched_rows rows;

    (void)state;
    row_of(w, &rows, 1, "a");
    assert_false(rows.never);
    sched_rows_free(&rows);
    world_site(w, "a")->probed_ms = w->snap.now_ms;
    world_add(w, "shape a m cpus=4");
    row_of(w, &rows, 1, "a");
    assert_true(rows.never);
    assert_string_equal(rows.text, "no site can run it as configured");
    sched_rows_free(&rows);
    world_free(w);
}

/* ---- advice is tried ------------------------------------------------------------------------- */

static void take_advice(struct world *w, struct sched_class *class, const struct sched_row *row,
                        const struct sched_fix *fix)
{
    struct sched_site *site = &w->sites[row->site];
    struct sched_option *o = (struct sched_option *)(uintptr_t) & class->options[0];
    struct sched_project *project = &w->projects[class->project];
    struct sched_quota *quotas = (struct sched_quota *)(uintptr_t)site->quotas;
    const struct site_set none = { { 0 } };

    switch (fix->kind) {
    case SCHED_FIX_CPUS:
        o->need.cpus = fix->amount;
        break;
    case SCHED_FIX_MEMORY:
        o->need.memory = fix->amount;
        break;
    case SCHED_FIX_DISK:
        o->need.disk = fix->amount;
        break;
    case SCHED_FIX_GPUS:
        o->need.gpus = fix->amount;
        break;
    case SCHED_FIX_GPU_MODEL:
        o->gpu_model_count = 0;
        break;
    case SCHED_FIX_GPU_MEMORY:
        o->gpu_memory = fix->amount;
        break;
    case SCHED_FIX_NODES:
        o->nodes = (int)fix->amount;
        break;
    case SCHED_FIX_WALLTIME:
        o->walltime_ms = fix->amount;
        break;
    case SCHED_FIX_IMAGE:
        class->image = 0;
        break;
    case SCHED_FIX_CONTAINER:
        class->container = 0;
        break;
    case SCHED_FIX_DIRECTORY:
        class->in_place = false;
        break;
    case SCHED_FIX_SITES:
        class->require = class->exclude = none;
        break;
    case SCHED_FIX_TIER:
        class->tier = site->tier;
        break;
    case SCHED_FIX_JURISDICTION:
        class->jurisdiction_count = 0;
        break;
    case SCHED_FIX_CLOUD_ACT:
        class->cloud_act_free = false;
        break;
    case SCHED_FIX_RULE:
        project->sites = none;
        project->tier = TIER_COMMERCIAL;
        project->phase = PHASE_TEST;
        project->max_workers = -1;
        break;
    case SCHED_FIX_MONEY:
        project->money_limit = -1;
        class->cost_left = -1;
        break;
    case SCHED_FIX_QUOTA:
        quotas[fix->quota].limit += fix->amount;
        break;
    case SCHED_FIX_WORKERS:
        site->max_workers += fix->amount;
        break;
    case SCHED_FIX_MODE:
        site->mode = SITE_ENABLED;
        break;
    case SCHED_FIX_LIMIT:
        w->limits[fix->quota].capacity += fix->amount;
        break;
    case SCHED_FIX_NONE:
    case SCHED_FIX_COUNT:
        fail_msg("advice without a kind");
    }
    class->generation = ++w->generation;
    site->generation = ++w->generation;
}

/* Returns whether the row had advice. */
static bool try_row(uint64_t seed, int class_index, size_t site)
{
    struct world *w = world_random(seed);
    struct sched_class *class = &w->classes[class_index];
    struct sched_rows rows, after;
    const struct sched_row *row;
    bool advised;

    sched_explain(&w->params, &w->snap, class_index, &rows);
    row = &rows.list[site];
    advised = row->fix_count > 0;
    assert_true(strlen(row->text) > 0);
    assert_true((row->fits_if != NULL) == advised);
    if (advised) {
        if (row->option > 0)
            ((struct sched_option *)(uintptr_t) class->options)[0] = class->options[row->option];
        class->option_count = 1;
        for (size_t i = 0; i < row->fix_count; i++)
            take_advice(w, class, row, &row->fixes[i]);
        sched_explain(&w->params, &w->snap, class_index, &after);
        /* The scheduler may still prefer another site, but nothing stands in the way here. */
        if (after.list[site].fix_count ||
            (after.list[site].verdict != SCHED_READY && after.list[site].verdict != SCHED_WAITS)) {
            own_str char *text = world_random_text(seed);

            print_message("%s", text);
            fail_msg("world %llu class %d site %zu: '%s' fits if '%s', then '%s' (%s)",
                     (unsigned long long)seed, class_index + 1, site, row->text, row->fits_if,
                     after.list[site].text, sched_verdict_name(after.list[site].verdict));
        }
        sched_rows_free(&after);
    }
    sched_rows_free(&rows);
    world_free(w);
    return advised;
}

static void every_advice_is_tried_and_does_fit(void **state)
{
    int tried = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct world *w = world_random(seed);
        size_t classes = w->snap.class_count, sites = w->snap.site_count;

        world_free(w);
        for (size_t c = 0; c < classes; c++)
            for (size_t s = 0; s < sites; s++)
                tried += try_row(seed, (int)c, s);
    }
    assert_true(tried > 1000);
}

/* What a row calls ready, the scheduler carries out; what it calls never, it does not. */
static void verdicts_agree_with_decisions(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct world *w = world_random(seed);

        decide(w);
        for (size_t c = 0; c < w->snap.class_count; c++) {
            struct sched_rows rows;

            sched_explain(&w->params, &w->snap, (int)c, &rows);
            for (size_t i = 0; i < w->decisions.count; i++) {
                const struct sched_decision *d = &w->decisions.list[i];

                if (d->class_index != (int)c || w->classes[c].option_count > 1 ||
                    (d->kind != SCHED_LEASE && d->kind != SCHED_CREATE) ||
                    rows.list[d->site].verdict != SCHED_NEVER)
                    continue;
                world_print(w);
                fail_msg("world %llu class %zu: decided, yet '%s'", (unsigned long long)seed, c + 1,
                         rows.list[d->site].text);
            }
            sched_rows_free(&rows);
        }
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_arithmetic_of_a_full_quota_is_shown),
        cmocka_unit_test(what_no_shape_can_hold_is_never),
        cmocka_unit_test(placement_and_rules_are_named),
        cmocka_unit_test(a_busy_machine_says_when_it_is_free),
        cmocka_unit_test(states_of_sites_are_told),
        cmocka_unit_test(limits_and_money_are_told),
        cmocka_unit_test(a_further_tier_waits_for_its_gain),
        cmocka_unit_test(a_broker_that_knows_no_site_yet_refuses_nothing),
        cmocka_unit_test(every_advice_is_tried_and_does_fit),
        cmocka_unit_test(verdicts_agree_with_decisions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
