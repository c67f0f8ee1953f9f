/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - why a class does not run at a site, in one sentence, and what would change that.
 *
 * The same filter, ledger and searches as in a pass, asked one by one.  What would make it fit is
 * found by changing a copy of the class as advised and asking again, so that the advice is whole:
 * no second obstacle stands behind the first. */
#include <math.h>

#include "base/own.h"
#include "base/parse.h"
#include "sched/scratch.h"

/* One row in the making. */
struct row {
    struct pass *pass;
    struct sched_row *out;
    const struct sched_site *site;
    const struct sched_class *class;
    struct sched_class changed; /* as advised */
    struct sched_option option; /* the changed class's one option */
    bool settled;               /* the verdict stands; what else is wrong is advice alone */
    struct buf text, fits_if;
};

static void advise(struct row *row, const struct sched_fix *fix)
{
    if (row->out->fix_count < SCHED_FIXES_MOST)
        row->out->fixes[row->out->fix_count++] = *fix;
}

static void advise_kind(struct row *row, enum sched_fix_kind kind, int quota, int64_t amount)
{
    advise(row, &(struct sched_fix){ .kind = kind, .quota = quota, .amount = amount });
}

/* ---- words ----------------------------------------------------------------------------------- */

static void put_bytes(struct buf *out, int64_t bytes)
{
    char text[FORMAT_BYTES];

    buf_puts(out, format_bytes(bytes, text, sizeof text));
}

static void put_span(struct buf *out, int64_t ms)
{
    char text[FORMAT_BYTES];

    ms = ms < 0 ? 0 : ms;
    /* Seconds are plenty for a person. */
    buf_puts(out, format_span(ms >= 10000 ? ms / 1000 * 1000 : ms, text, sizeof text));
}

static void and_also(struct buf *out)
{
    if (out->length)
        buf_puts(out, ", and ");
}

static void put_amount(struct buf *out, const char *what, int64_t amount, bool bytes)
{
    buf_printf(out, "%s at most ", what);
    if (bytes)
        put_bytes(out, amount);
    else
        buf_printf(out, "%lld", (long long)amount);
}

/* Where a ledger line's figures are bytes. */
static bool in_bytes(const struct sched_quota *quota)
{
    return quota->kind == SCHED_QUOTA_MEMORY || quota->kind == SCHED_QUOTA_DISK;
}

static void put_figure(struct buf *out, const struct sched_quota *quota, int64_t amount)
{
    if (in_bytes(quota) && amount >= 0)
        put_bytes(out, amount);
    else
        buf_printf(out, "%lld", (long long)amount);
}

/* "cores: limit 40 - ours 8 - others 12 - reserved 4 = 16 free, 4 needed" */
static void put_ledger(struct buf *out, const struct sched_quota *quota, int64_t need)
{
    buf_printf(out, "%s: limit ", quota->name);
    put_figure(out, quota, quota->limit);
    buf_puts(out, " - ours ");
    put_figure(out, quota, quota->ours);
    buf_puts(out, " - others ");
    put_figure(out, quota, quota->others);
    buf_puts(out, " - reserved ");
    put_figure(out, quota, quota->reserved);
    buf_puts(out, " = ");
    put_figure(out, quota, quota_free(quota));
    buf_puts(out, " free, ");
    put_figure(out, quota, need);
    buf_puts(out, " needed");
}

static void put_fix(struct row *row, const struct sched_fix *fix)
{
    static const char *const tiers[] = { "home", "partner", "commercial" };
    struct buf *out = &row->fits_if;

    and_also(out);
    switch (fix->kind) {
    case SCHED_FIX_CPUS:
        put_amount(out, "it asks for cpus", fix->amount, false);
        break;
    case SCHED_FIX_MEMORY:
        put_amount(out, "it asks for memory", fix->amount, true);
        break;
    case SCHED_FIX_DISK:
        put_amount(out, "it asks for disk", fix->amount, true);
        break;
    case SCHED_FIX_GPUS:
        if (fix->amount == 0)
            buf_puts(out, "it asks for no GPU");
        else
            put_amount(out, "it asks for gpus", fix->amount, false);
        break;
    case SCHED_FIX_GPU_MODEL:
        buf_puts(out, "it asks for no gpu_model, or for one that is here");
        break;
    case SCHED_FIX_GPU_MEMORY:
        put_amount(out, "it asks for gpu_memory", fix->amount, true);
        break;
    case SCHED_FIX_NODES:
        put_amount(out, "it asks for nodes", fix->amount, false);
        break;
    case SCHED_FIX_IMAGE:
        buf_puts(out, "the image is added to the site, or the job names none");
        break;
    case SCHED_FIX_CONTAINER:
        buf_puts(out, "it runs without a container");
        break;
    case SCHED_FIX_DIRECTORY:
        buf_puts(out, "its workdir lies in one of the site's shared_directories");
        break;
    case SCHED_FIX_SITES:
        buf_puts(out, "placement.sites lets it go here");
        break;
    case SCHED_FIX_TIER:
        buf_printf(out, "placement.tier is %s", tiers[row->site->tier]);
        break;
    case SCHED_FIX_JURISDICTION:
        buf_puts(out, "placement.jurisdiction lets it go here");
        break;
    case SCHED_FIX_CLOUD_ACT:
        buf_puts(out, "placement.cloud_act is true");
        break;
    case SCHED_FIX_WALLTIME:
        buf_puts(out, "its walltime is at most ");
        put_span(out, fix->amount);
        break;
    case SCHED_FIX_RULE:
        buf_puts(out, "the rules of its project let it");
        break;
    case SCHED_FIX_MONEY:
        buf_puts(out, "its ceiling on money is raised");
        break;
    case SCHED_FIX_QUOTA:
        buf_puts(out, "the site has ");
        put_figure(out, &row->site->quotas[fix->quota], fix->amount);
        buf_printf(out, " more of its quota for %s", row->site->quotas[fix->quota].name);
        break;
    case SCHED_FIX_WORKERS:
        buf_printf(out, "the site's limit on workers is raised by %lld", (long long)fix->amount);
        break;
    case SCHED_FIX_MODE:
        buf_puts(out, "the site is enabled");
        break;
    case SCHED_FIX_LIMIT:
        buf_printf(out, "the limit '%s' has %lld more", row->pass->snap->limits[fix->quota].name,
                   (long long)fix->amount);
        break;
    case SCHED_FIX_NONE:
    case SCHED_FIX_COUNT:
        break;
    }
}

/* ---- what stands in the way for good --------------------------------------------------------- */

/* What the fixes so far would make of the class. */
static void change(struct row *row)
{
    static const struct site_set none;
    struct sched_class *class = &row->changed;
    struct sched_option *o = &row->option;

    for (size_t i = 0; i < row->out->fix_count; i++) {
        int64_t amount = row->out->fixes[i].amount;

        switch (row->out->fixes[i].kind) {
        case SCHED_FIX_CPUS:
            o->need.cpus = amount;
            break;
        case SCHED_FIX_MEMORY:
            o->need.memory = amount;
            break;
        case SCHED_FIX_DISK:
            o->need.disk = amount;
            break;
        case SCHED_FIX_GPUS:
            o->need.gpus = amount;
            break;
        case SCHED_FIX_GPU_MODEL:
            o->gpu_model_count = 0;
            break;
        case SCHED_FIX_GPU_MEMORY:
            o->gpu_memory = amount;
            break;
        case SCHED_FIX_WALLTIME:
            o->walltime_ms = amount;
            break;
        case SCHED_FIX_NODES:
            o->nodes = (int)amount;
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
        default:
            break;
        }
    }
    class->options = o;
    class->option_count = 1;
}

/* The option and shape with the fewest obstacles, and among these the largest shape. */
static size_t nearest(struct row *row, struct sched_fix *fixes)
{
    struct sched_fix tried[SCHED_FIXES_MOST];
    size_t least = SCHED_FIXES_MOST + 1;
    int64_t cpus = -1;

    for (int o = 0; o < (int)row->class->option_count; o++)
        for (int s = 0; s < (int)row->site->shape_count; s++) {
            size_t count = fit_shape_fixes(&row->class->options[o], row->site,
                                           &row->site->shapes[s], tried, SCHED_FIXES_MOST);

            if (count > least || (count == least && (row->site->shapes[s].room.cpus <= cpus ||
                                                     o != row->out->option || count == 0)))
                continue;
            least = count;
            cpus = row->site->shapes[s].room.cpus;
            row->out->option = o;
            row->out->shape = s;
            memcpy(fixes, tried, sizeof tried);
        }
    return least > SCHED_FIXES_MOST ? 0 : least;
}

static void tell_static(struct row *row)
{
    const struct sched_shape *shape = &row->site->shapes[row->out->shape];

    for (size_t i = 0; i < row->out->fix_count; i++) {
        and_also(&row->text);
        switch (row->out->fixes[i].kind) {
        case SCHED_FIX_CPUS:
            buf_printf(&row->text, "it asks for %lld cpus, the nearest shape %s has %lld",
                       (long long)row->class->options[row->out->option].need.cpus, shape->name,
                       (long long)shape->room.cpus);
            break;
        case SCHED_FIX_MEMORY:
            buf_puts(&row->text, "it asks for memory ");
            put_bytes(&row->text, row->class->options[row->out->option].need.memory);
            buf_printf(&row->text, ", the nearest shape %s has ", shape->name);
            put_bytes(&row->text, shape->room.memory);
            break;
        case SCHED_FIX_DISK:
            buf_printf(&row->text, "the nearest shape %s has too little disk", shape->name);
            break;
        case SCHED_FIX_GPUS:
            buf_printf(&row->text, "it asks for %lld %s, the nearest shape %s has %lld",
                       (long long)row->class->options[row->out->option].need.gpus,
                       row->class->options[row->out->option].need.gpus == 1 ? "GPU" : "GPUs",
                       shape->name, (long long)shape->room.gpus);
            break;
        case SCHED_FIX_GPU_MODEL:
            buf_printf(&row->text, "the GPUs of %s are %s, which it does not name", shape->name,
                       shape->gpu_model ? names_text(row->pass->snap->names, shape->gpu_model)
                                        : "of an unknown model");
            break;
        case SCHED_FIX_GPU_MEMORY:
            buf_printf(&row->text, "the GPUs of %s have too little memory", shape->name);
            break;
        case SCHED_FIX_WALLTIME:
            buf_puts(&row->text, "tasks of more than ");
            put_span(&row->text, row->out->fixes[i].amount);
            buf_puts(&row->text, " are not placed here");
            break;
        case SCHED_FIX_NODES:
            buf_printf(&row->text, "it asks for %d nodes, this one machine has room for %lld",
                       row->class->options[row->out->option].nodes,
                       (long long)row->out->fixes[i].amount);
            break;
        case SCHED_FIX_SITES:
            buf_puts(&row->text, "its placement excludes the site or requires others");
            break;
        case SCHED_FIX_TIER:
            buf_puts(&row->text, "the site lies in a further tier than its placement allows");
            break;
        case SCHED_FIX_JURISDICTION:
            buf_printf(&row->text, "its data may not go to the site's jurisdiction%s%s",
                       row->site->jurisdiction ? " " : ", which is not stated",
                       names_text(row->pass->snap->names, row->site->jurisdiction));
            break;
        case SCHED_FIX_CLOUD_ACT:
            buf_puts(&row->text, "the provider is within reach of the CLOUD Act");
            break;
        case SCHED_FIX_IMAGE:
            buf_printf(&row->text, "the site has no image '%s'",
                       names_text(row->pass->snap->names, row->class->image));
            break;
        case SCHED_FIX_CONTAINER:
            buf_puts(&row->text, "the site cannot run containers");
            break;
        case SCHED_FIX_DIRECTORY:
            buf_puts(&row->text, "the site does not share its working directory");
            break;
        case SCHED_FIX_RULE:
            buf_puts(&row->text, "a rule of its project keeps it from this site");
            break;
        default:
            break;
        }
    }
}

static void look_static(struct row *row)
{
    const struct sched_project *project = &row->pass->snap->projects[row->class->project];
    struct sched_fix fixes[SCHED_FIXES_MOST];
    size_t count =
        fit_place_fixes(row->class, row->site, (size_t)row->out->site, fixes, SCHED_FIXES_MOST);

    for (size_t i = 0; i < count; i++)
        advise(row, &fixes[i]);
    if (!fit_project_site(project, row->site, (size_t)row->out->site))
        advise_kind(row, SCHED_FIX_RULE, -1, 0);
    count = nearest(row, fixes);
    for (size_t i = 0; i < count; i++)
        advise(row, &fixes[i]);
    row->settled = row->out->fix_count > 0;
    row->changed = *row->class;
    row->option = row->class->options[row->out->option < 0 ? 0 : row->out->option];
    change(row);
    if (row->settled) {
        row->out->verdict = SCHED_NEVER;
        tell_static(row);
    }
}

/* ---- what stands in the way now -------------------------------------------------------------- */

static void say(struct row *row, enum sched_verdict verdict)
{
    if (!row->settled)
        row->out->verdict = verdict;
}

#define tell(row, ...)                             \
    do {                                           \
        if (!(row)->settled)                       \
            buf_printf(&(row)->text, __VA_ARGS__); \
    } while (0)

/* The operator's switch, the site's health, breaker and credential; true: nothing can start. */
static bool look_site(struct row *row)
{
    const struct sched_site *site = row->site;
    int64_t now = row->pass->now;

    if (site->mode != SITE_ENABLED) {
        say(row, SCHED_DISABLED);
        tell(row, "the operator has it %s", site->mode == SITE_DRAINING ? "draining" : "disabled");
        advise_kind(row, SCHED_FIX_MODE, -1, 0);
        row->settled = true;
    }
    if (site->probed_ms == 0 || site->health == SCHED_DOWN) {
        say(row, SCHED_OFFLINE);
        tell(row, "%s%s",
             site->probed_ms == 0 ? "it has not told yet what it has" : "it does not answer: ",
             site->probed_ms && site->health_why ? site->health_why : "");
        row->out->fix_count = 0;
        return true;
    }
    if (site->credential_end_ms && site->credential_end_ms <= now) {
        say(row, SCHED_CLOSED);
        tell(row, "its credential has ended; renew it");
        row->out->fix_count = 0;
        return true;
    }
    if (!breaker_closed(site->closed_until_ms, now)) {
        say(row, SCHED_CLOSED);
        tell(row, "left alone after faults (%s)", site->health_why ? site->health_why : "no words");
        row->out->start_ms = site->closed_until_ms == NEVER_MS ? -1 : site->closed_until_ms;
        row->out->fix_count = 0;
        return true;
    }
    return false;
}

struct workers {
    int free, busy, booting;
    int64_t ready_ms, free_ms; /* earliest; -1 */
    int most;                  /* the busy one with the most cpus free; -1 */
};

static struct workers count_workers(struct row *row)
{
    const struct sched_snapshot *snap = row->pass->snap;
    struct workers workers = { .ready_ms = -1, .free_ms = -1, .most = -1 };
    struct room need = need_apart(row->site, &row->option);

    for (size_t w = 0; w < snap->worker_count; w++) {
        const struct sched_worker *worker = &snap->workers[w];
        int64_t end = row->pass->now + run_safe(row->pass->params, &row->changed, &row->option);
        struct room then;

        if (worker->site != row->out->site || worker->state > WORKER_READY ||
            !room_fits(&worker->total, &need) ||
            !worker_matches(snap, &row->changed, &row->option, worker) ||
            (worker->expires_ms && end > worker->expires_ms) ||
            (row->site->credential_end_ms && end > row->site->credential_end_ms))
            continue;
        if (worker->state != WORKER_READY) {
            workers.booting++;
            if (worker->ready_ms >= 0)
                workers.ready_ms = earlier(workers.ready_ms, worker->ready_ms);
        } else if (room_fits(&worker->free, &need)) {
            workers.free++;
        } else {
            int64_t at = room_at(row->pass, (int)w, &need, &then);

            workers.busy++;
            if (workers.most < 0 || worker->free.cpus > snap->workers[workers.most].free.cpus)
                workers.most = (int)w;
            if (at != NEVER_MS)
                workers.free_ms = earlier(workers.free_ms, at);
        }
    }
    return workers;
}

/* What the ledger lacks for `count` workers of the shape; true: nothing. */
static bool look_quota(struct row *row, int64_t count, bool none)
{
    const struct sched_site *site = row->site;
    const struct sched_shape *shape = &site->shapes[row->out->shape];
    int64_t have = 0, whole = nodes_apart(site, &row->option);
    bool enough = true;

    for (size_t w = 0; w < row->pass->snap->worker_count; w++)
        have += row->pass->snap->workers[w].site == row->out->site &&
                row->pass->snap->workers[w].state != WORKER_GONE;
    for (size_t q = 0; q < site->quota_count; q++) {
        const struct sched_quota *quota = &site->quotas[q];
        int64_t need = quota_need(quota, shape) * count;

        if (quota->limit < 0 || need <= 0 || need <= quota_free(quota))
            continue;
        if (!row->settled) {
            and_also(&row->text);
            put_ledger(&row->text, quota, need);
            if ((none && quota->limit < need) ||
                (whole > 1 && quota->limit < quota_need(quota, shape) * whole))
                row->out->verdict = SCHED_NEVER;
        }
        advise_kind(row, SCHED_FIX_QUOTA, (int)q, need - quota_free(quota));
        enough = false;
    }
    if (site->max_workers >= 0 && have + count > site->max_workers) {
        if (!row->settled) {
            and_also(&row->text);
            buf_printf(&row->text, "workers: limit %lld - %lld there = %lld free, %lld needed",
                       (long long)site->max_workers, (long long)have,
                       (long long)(site->max_workers - have), (long long)count);
            if ((none && site->max_workers < count) || (whole > 1 && site->max_workers < whole))
                row->out->verdict = SCHED_NEVER;
        }
        if (!site->local)
            advise_kind(row, SCHED_FIX_WORKERS, -1, have + count - site->max_workers);
        enough = false;
    }
    return enough;
}

/* The smallest shape that fits and that quota allows now; else the smallest that fits. */
static void pick_shape(struct row *row, int64_t count)
{
    int64_t best = -1;
    const struct sched_site *site = row->site;

    for (int s = 0; s < (int)site->shape_count; s++) {
        int64_t head = NO_LIMIT, cpus = site->shapes[s].room.cpus;

        if (!fit_option(&row->option, site, &site->shapes[s]))
            continue;
        for (size_t q = 0; q < site->quota_count; q++) {
            int64_t need = quota_need(&site->quotas[q], &site->shapes[s]) * count;

            if (site->quotas[q].limit >= 0 && need > 0 && need > quota_free(&site->quotas[q]))
                head = 0;
        }
        if (!breaker_closed(site->shapes[s].closed_until_ms, row->pass->now))
            head = 0;
        /* Enough is enough; then the smallest. */
        if (head > 0)
            head = NO_LIMIT - cpus;
        else
            head = (NO_LIMIT >> 1) - cpus;
        if (head > best) {
            best = head;
            row->out->shape = s;
        }
    }
}

/* What `count` new workers, or room on `count` that are there, would cost. */
static double money_needed(const struct row *row, bool new_worker, int64_t count)
{
    const struct sched_shape *shape = &row->site->shapes[row->out->shape];
    int64_t boot = boot_ms(row->pass->params, row->site, row->out->shape, row->changed.image);
    double run = (double)run_safe(row->pass->params, &row->changed, &row->option);

    if (!new_worker)
        return task_cost(shape->price_hour, &shape->room, &row->option.need, (int64_t)run) *
               (double)count;
    return worker_cost(row->site, shape, boot, run * fmax(1, ceil((double)boot / run))) *
           (double)count;
}

static bool look_money(struct row *row, bool new_worker, int64_t count)
{
    const struct sched_shape *shape = &row->site->shapes[row->out->shape];
    double left = row->pass->projects[row->class->project].money_left;
    double cost = money_needed(row, new_worker, count);
    bool blind = shape->price_hour < 0 && row->site->tier == TIER_COMMERCIAL;

    if (row->class->cost_left >= 0)
        left = fmin(left, row->class->cost_left);
    if (isinf(left) || (!blind && (cost <= 0 || cost <= left)))
        return true;
    say(row, SCHED_WAITS);
    if (blind)
        tell(row, "%sthere is a ceiling on money and the price here is not known",
             row->text.length ? ", and " : "");
    else
        tell(row, "%sit needs about %.2f, and %.2f may still be spent",
             row->text.length ? ", and " : "", cost, fmax(left, 0));
    advise_kind(row, SCHED_FIX_MONEY, -1, 0);
    return false;
}

static void look_limits(struct row *row)
{
    bool enough = true;

    for (size_t i = 0; i < row->class->limit_count; i++) {
        const struct sched_limit_use *use = &row->class->limits[i];
        const struct sched_limit *limit = &row->pass->snap->limits[use->limit];
        int64_t left = limit->capacity - limit->in_use;

        if (use->count <= left)
            continue;
        say(row, limit->capacity < use->count ? SCHED_NEVER : SCHED_WAITS);
        tell(row, "%slimit '%s': capacity %lld - in use %lld = %lld free, %lld needed",
             row->text.length ? ", and " : "", limit->name, (long long)limit->capacity,
             (long long)limit->in_use, (long long)left, (long long)use->count);
        advise_kind(row, SCHED_FIX_LIMIT, use->limit, use->count - left);
        enough = false;
    }
    row->settled |= !enough;
}

static bool look_rule_workers(struct row *row, int64_t count)
{
    const struct sched_project *project = &row->pass->snap->projects[row->class->project];

    if (row->site->tier == TIER_HOME || project->max_workers < 0 ||
        project->workers + count <= project->max_workers)
        return true;
    tell(row, "%sits project may have %lld workers outside home and has %lld",
         row->text.length ? ", and " : "", (long long)project->max_workers,
         (long long)project->workers);
    advise_kind(row, SCHED_FIX_RULE, -1, 0);
    return false;
}

static void tell_busy(struct row *row, const struct workers *workers)
{
    if (workers->busy) {
        tell(row, "%d worker%s that suit%s it, all busy", workers->busy,
             workers->busy == 1 ? "" : "s", workers->busy == 1 ? "s" : "");
        row->out->start_ms = workers->free_ms;
        if (workers->free_ms >= 0 && !row->settled) {
            buf_puts(&row->text, ", the first free in about ");
            put_span(&row->text, workers->free_ms - row->pass->now);
        }
    }
    if (workers->booting) {
        tell(row, "%s%d worker%s that suit%s it booting", row->text.length ? ", " : "",
             workers->booting, workers->booting == 1 ? "" : "s", workers->booting == 1 ? "s" : "");
        if (workers->ready_ms >= 0)
            row->out->start_ms = earlier(row->out->start_ms, workers->ready_ms);
    }
}

/* A credential that ends before the task would; false: before any task would. */
static bool look_credential(struct row *row, int64_t boot)
{
    int64_t end = row->site->credential_end_ms, now = row->pass->now;

    if (!end || now + boot + run_safe(row->pass->params, &row->changed, &row->option) <= end)
        return true;
    say(row, SCHED_CLOSED);
    if (!row->settled) {
        buf_puts(&row->text, "the site's credential ends in ");
        put_span(&row->text, end - now);
        buf_puts(&row->text, ", before the task would");
    }
    row->settled = true;
    if (end - now - boot <= 0) {
        row->out->fix_count = 0;
        return false;
    }
    advise_kind(row, SCHED_FIX_WALLTIME, -1, end - now - boot);
    row->option.walltime_ms = end - now - boot;
    return true;
}

static void look_new_worker(struct row *row, const struct workers *workers, int64_t count)
{
    const struct sched_shape *shape = &row->site->shapes[row->out->shape];
    int64_t boot = boot_ms(row->pass->params, row->site, row->out->shape, row->changed.image) +
                   wait_there(row->class, row->site, row->out->site);
    const struct sched_awaited *awaited = image_awaited(&row->changed, row->site);
    bool fits;

    if (!look_credential(row, boot))
        return;
    if (awaited || !breaker_closed(shape->closed_until_ms, row->pass->now)) {
        say(row, SCHED_CLOSED);
        tell(row, "%s%s %s is %s (%s)", row->text.length ? ", and " : "",
             awaited ? "its image" : "shape",
             awaited ? names_text(row->pass->snap->names, awaited->image) : shape->name,
             awaited ? "on its way there" : "left alone after faults",
             awaited             ? awaited->why
             : shape->closed_why ? shape->closed_why
                                 : "no words");
        if (!awaited && shape->closed_until_ms != NEVER_MS)
            row->out->start_ms = earlier(row->out->start_ms, shape->closed_until_ms);
        row->out->fix_count = 0;
        return;
    }
    say(row, workers->booting ? SCHED_BOOTING : workers->busy ? SCHED_BUSY : SCHED_FULL);
    fits = look_quota(row, count, workers->busy + workers->booting == 0);
    if (fits)
        say(row, SCHED_WAITS);
    fits &= look_rule_workers(row, count);
    fits &= look_money(row, true, count);
    if (!fits)
        return;
    say(row, SCHED_READY);
    row->out->start_ms = row->pass->now + boot;
    if (row->settled)
        return;
    buf_printf(&row->text, "%sa new worker of shape %s could be ready in about ",
               row->text.length ? "; " : "", shape->name);
    put_span(&row->text, boot);
}

/* One machine has one worker and no quota: what that has left is the arithmetic, and the advice. */
static void look_part(struct row *row, const char *what, enum sched_fix_kind kind, int64_t unit,
                      int64_t total, int64_t free, int64_t need)
{
    free = free > 0 ? free / unit : 0;
    need = (need + unit - 1) / unit;
    if (need <= free)
        return;
    buf_printf(&row->text, ", %s: %lld - in use %lld = %lld free, %lld needed", what,
               (long long)(total / unit), (long long)(total / unit - free), (long long)free,
               (long long)need);
    advise_kind(row, kind, -1, free * unit);
}

static void look_machine(struct row *row, const struct sched_worker *worker)
{
    const struct room *total = &worker->total, *free = &worker->free, *need = &row->option.need;

    if (row->settled || row->option.nodes > 1)
        return;
    look_part(row, "cpus", SCHED_FIX_CPUS, 1, total->cpus, free->cpus, need->cpus);
    look_part(row, "MiB", SCHED_FIX_MEMORY, 1 << 20, total->memory, free->memory, need->memory);
    look_part(row, "GPUs", SCHED_FIX_GPUS, 1, total->gpus, free->gpus, need->gpus);
    if (free->cpus < 1 || (need->memory && free->memory < 1 << 20) || need->disk > free->disk)
        row->out->fix_count = 0; /* nothing could start beside what runs */
}

static void look_now(struct row *row)
{
    struct workers workers;
    int64_t count;
    int nodes;

    if (look_site(row))
        return;
    if (row->out->shape < 0) {
        say(row, SCHED_NEVER);
        tell(row, "the site offers no shape of worker");
        row->out->fix_count = 0;
        return;
    }
    workers = count_workers(row);
    nodes = nodes_apart(row->site, &row->option);
    count = row->option.nodes > 1 ? nodes - (int64_t)(workers.free + workers.busy + workers.booting)
                                  : 1;
    pick_shape(row, count);
    look_limits(row);
    if (workers.free >= nodes) {
        if (look_money(row, false, row->option.nodes))
            tell(row, "%d worker%s with room for it now", workers.free,
                 workers.free == 1 ? "" : "s");
        row->out->start_ms = row->pass->now;
        return;
    }
    tell_busy(row, &workers);
    if (row->site->local && workers.busy && !workers.booting)
        look_machine(row, &row->pass->snap->workers[workers.most]);
    look_new_worker(row, &workers, count);
}

/* ---- what the scheduler would do ------------------------------------------------------------- */

struct intent {
    struct site_set sites; /* it gets something there */
    enum sched_why why;    /* it waits */
    int worker_site, create_site;
    int64_t start_ms;
};

static struct intent intent_of(const struct sched_params *params, const struct sched_snapshot *snap,
                               int class_index)
{
    struct sched *sched = sched_new(params);
    struct sched_decisions decisions = { .list = NULL };
    struct intent intent = { .worker_site = -1, .create_site = -1, .start_ms = -1 };

    sched_decide(sched, snap, &decisions);
    for (size_t i = 0; i < decisions.count; i++) {
        const struct sched_decision *d = &decisions.list[i];

        if (d->class_index != class_index)
            continue;
        if (d->kind == SCHED_WAIT) {
            intent.why = d->why;
            intent.start_ms = d->figures.start_ms;
        } else if (d->kind == SCHED_LEASE || d->kind == SCHED_CREATE) {
            int *site = d->kind == SCHED_LEASE ? &intent.worker_site : &intent.create_site;

            site_set_add(&intent.sites, (size_t)d->site);
            if (*site < 0)
                *site = d->site;
        }
    }
    sched_decisions_free(&decisions);
    sched_free(sched);
    return intent;
}

static void tell_intent(const struct sched_snapshot *snap, const struct intent *intent, bool never,
                        struct sched_rows *out)
{
    static const char *const words[SCHED_WHY_COUNT] = {
        [SCHED_WHY_BUSY] = "waits: all workers that suit it are busy",
        [SCHED_WHY_COMING] = "waits: a worker that suits it is booting",
        [SCHED_WHY_QUOTA] = "waits: no site has quota for a worker that suits it",
        [SCHED_WHY_OVERFLOW] = "waits: a further tier would not finish it sooner by enough",
        [SCHED_WHY_LIMIT] = "waits: a named limit is used up",
        [SCHED_WHY_MONEY] = "waits: its ceiling on money is reached",
        [SCHED_WHY_RULE] = "waits: the rules of its project leave no site",
        [SCHED_WHY_BEHIND] = "waits: it would delay a reservation",
        [SCHED_WHY_NO_SITE] = "no site can run it as configured",
        [SCHED_WHY_SITE_DOWN] = "waits: the sites that could run it are down, closed or disabled",
    };

    if (never)
        out->text = xstrdup(words[SCHED_WHY_NO_SITE]);
    else if (intent->worker_site >= 0)
        out->text = xasprintf("would start now at %s", snap->sites[intent->worker_site].name);
    else if (intent->create_site >= 0)
        out->text =
            xasprintf("a worker would be started at %s", snap->sites[intent->create_site].name);
    else if (words[intent->why])
        out->text = xstrdup(words[intent->why]);
    else
        out->text = xstrdup("nothing of it is ready to run");
}

/* Possible here, but the scheduler would not: say so rather than "ready". */
static void look_intent(struct row *row, const struct intent *intent)
{
    if (row->out->verdict != SCHED_READY || site_set_has(&intent->sites, (size_t)row->out->site) ||
        row->class->ready == 0)
        return;
    row->out->verdict = SCHED_WAITS;
    if (intent->why == SCHED_WHY_OVERFLOW && row->site->tier > TIER_HOME) {
        buf_puts(&row->text, "; not worth leaving nearer sites for a gain below ");
        put_span(&row->text, row->site->overflow_after_ms);
    } else if (intent->worker_site >= 0 || intent->create_site >= 0) {
        buf_printf(&row->text, "; %s is better",
                   row->pass->snap
                       ->sites[intent->worker_site >= 0 ? intent->worker_site : intent->create_site]
                       .name);
    } else {
        buf_puts(&row->text, "; its turn has not come");
    }
}

static void finish_row(struct row *row)
{
    const struct sched_row *out = row->out;
    const struct sched_shape *shape = out->shape >= 0 ? &row->site->shapes[out->shape] : NULL;

    for (size_t i = 0; i < out->fix_count; i++)
        put_fix(row, &out->fixes[i]);
    if (shape && shape->price_hour >= 0)
        row->out->cost = task_cost(shape->price_hour, &shape->room, &row->option.need,
                                   run_typical(row->pass->params, &row->changed, &row->option)) *
                         row->option.nodes;
    row->out->text = buf_take(&row->text);
    row->out->fits_if = row->fits_if.length ? buf_take(&row->fits_if) : NULL;
    buf_free(&row->text);
    buf_free(&row->fits_if);
}

void sched_explain(const struct sched_params *params, const struct sched_snapshot *snapshot,
                   int class_index, struct sched_rows *out)
{
    struct sched *sched = sched_new(params);
    struct sched_decisions none = { .list = NULL };
    struct pass pass = {
        .params = params, .snap = snapshot, .out = &none, .sched = sched, .now = snapshot->now_ms
    };
    struct intent intent = intent_of(params, snapshot, class_index);

    pass_begin(&pass);
    *out = (struct sched_rows){ .list = xcalloc(snapshot->site_count + 1, sizeof *out->list),
                                .count = snapshot->site_count,
                                .never = true };
    for (size_t s = 0; s < snapshot->site_count; s++) {
        struct row row = { .pass = &pass,
                           .out = &out->list[s],
                           .site = &snapshot->sites[s],
                           .class = &snapshot->classes[class_index] };

        *row.out = (struct sched_row){ .site = (int)s,
                                       .verdict = SCHED_READY,
                                       .option = -1,
                                       .shape = -1,
                                       .start_ms = -1,
                                       .cost = -1 };
        look_static(&row);
        look_now(&row);
        look_intent(&row, &intent);
        finish_row(&row);
        out->never &= row.out->verdict == SCHED_NEVER;
    }
    tell_intent(snapshot, &intent, out->never, out);
    sched_decisions_free(&none);
    sched_free(sched);
}

void sched_rows_free(struct sched_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        free(rows->list[i].text);
        free(rows->list[i].fits_if);
    }
    free(rows->list);
    free(rows->text);
    *rows = (struct sched_rows){ .list = NULL };
}
