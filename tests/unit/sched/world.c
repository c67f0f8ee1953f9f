/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - a small world from a few words.  Wrong words end the test at once. */
#include "world.h"

#include "base/own.h"
#include "base/parse.h"

struct words {
    struct world *w;
    char *list[64];
    size_t count;
};

static void wrong(const char *what, const char *word)
{
    fail_msg("world: %s: '%s'", what, word);
}

static const char *value(const struct words *words, const char *key)
{
    size_t length = strlen(key);

    for (size_t i = 1; i < words->count; i++)
        if (strncmp(words->list[i], key, length) == 0 && words->list[i][length] == '=')
            return words->list[i] + length + 1;
    return NULL;
}

static bool flag(const struct words *words, const char *key)
{
    for (size_t i = 1; i < words->count; i++)
        if (strcmp(words->list[i], key) == 0)
            return true;
    return false;
}

static int64_t number(const struct words *words, const char *key, int64_t otherwise)
{
    const char *text = value(words, key);
    int64_t out = otherwise;

    if (text && parse_i64(text, INT64_MIN, INT64_MAX, &out, NULL) < 0)
        wrong("not a number", text);
    return out;
}

static double decimal(const struct words *words, const char *key, double otherwise)
{
    const char *text = value(words, key);
    double out = otherwise;

    if (text && parse_double(text, -1e18, 1e18, &out, NULL) < 0)
        wrong("not a number", text);
    return out;
}

static int64_t bytes(const struct words *words, const char *key, int64_t otherwise)
{
    const char *text = value(words, key);
    int64_t out = otherwise;

    if (text && parse_bytes(text, &out, NULL) < 0)
        wrong("not a size", text);
    return out;
}

static int64_t span(const struct words *words, const char *key, int64_t otherwise)
{
    const char *text = value(words, key);
    int64_t out = otherwise;

    if (text && strcmp(text, "-1") == 0)
        return -1;
    if (text && parse_span(text, &out, NULL) < 0)
        wrong("not a span", text);
    return out;
}

static int one_of(const struct words *words, const char *key, const char *const *names,
                  int otherwise)
{
    const char *text = value(words, key);

    for (int i = 0; text && names[i]; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    if (text)
        wrong(key, text);
    return otherwise;
}

static uint32_t *name_list(const struct words *words, const char *key, size_t *count)
{
    const char *text = value(words, key);
    own_str char *copy = xstrdup(text ? text : "");
    uint32_t *list = arena_alloc(&words->w->arena, 16 * sizeof *list);
    char *rest = NULL;

    *count = 0;
    for (char *t = strtok_r(copy, ",", &rest); t; t = strtok_r(NULL, ",", &rest))
        list[(*count)++] = names_number(&words->w->names, t);
    return list;
}

static int site_index(const struct world *w, const char *name)
{
    for (size_t i = 0; name && i < w->snap.site_count; i++)
        if (strcmp(w->sites[i].name, name) == 0)
            return (int)i;
    wrong("no such site", name ? name : "(none)");
    return -1;
}

static struct site_set site_list(const struct words *words, const char *key)
{
    const char *text = value(words, key);
    own_str char *copy = xstrdup(text ? text : "");
    struct site_set set = { { 0 } };
    char *rest = NULL;

    for (char *t = strtok_r(copy, ",", &rest); t; t = strtok_r(NULL, ",", &rest))
        site_set_add(&set, (size_t)site_index(words->w, t));
    return set;
}

static const char *const tiers[] = { "home", "partner", "commercial", NULL };

static int project_index(struct world *w, const char *name)
{
    for (size_t i = 0; i < w->snap.project_count; i++)
        if (strcmp(w->projects[i].name, name) == 0)
            return (int)i;
    w->projects[w->snap.project_count] =
        (struct sched_project){ .name = arena_strdup(&w->arena, name),
                                .weight = 1,
                                .tier = TIER_COMMERCIAL,
                                .phase = PHASE_PRODUCTION,
                                .max_workers = -1,
                                .money_limit = -1 };
    return (int)w->snap.project_count++;
}

static int user_index(struct world *w, const char *name, const char *project)
{
    int p = project_index(w, project);

    for (size_t i = 0; i < w->snap.user_count; i++)
        if (strcmp(w->users[i].name, name) == 0 && w->users[i].project == p)
            return (int)i;
    w->users[w->snap.user_count] =
        (struct sched_user){ .name = arena_strdup(&w->arena, name), .project = p, .weight = 1 };
    return (int)w->snap.user_count++;
}

static void add_project(struct words *words)
{
    struct sched_project *p = &words->w->projects[project_index(words->w, words->list[1])];

    p->weight = decimal(words, "weight", p->weight);
    p->usage = decimal(words, "usage", p->usage);
    p->money_limit = decimal(words, "money", p->money_limit);
    p->money_spent = decimal(words, "spent", p->money_spent);
    p->money_committed = decimal(words, "committed", p->money_committed);
    p->max_workers = number(words, "max", p->max_workers);
    p->workers = number(words, "has", p->workers);
    p->tier = (enum tier)one_of(words, "tier", tiers, (int)p->tier);
    p->sites = site_list(words, "sites");
    p->phase = flag(words, "test") ? PHASE_TEST : PHASE_PRODUCTION;
}

static void add_user(struct words *words)
{
    const char *project = value(words, "project");
    int u = user_index(words->w, words->list[1], project ? project : "p");

    words->w->users[u].weight = decimal(words, "weight", 1);
    words->w->users[u].usage = decimal(words, "usage", 0);
}

static void add_limit(struct words *words)
{
    struct world *w = words->w;

    w->limits[w->snap.limit_count++] =
        (struct sched_limit){ .name = arena_strdup(&w->arena, words->list[1]),
                              .capacity = number(words, "cap", 1),
                              .in_use = number(words, "used", 0) };
}

static void add_awaited(const struct words *words, struct sched_site *site)
{
    uint32_t *images = name_list(words, "awaited", &site->awaited_count);
    struct sched_awaited *awaited =
        arena_alloc(&words->w->arena, site->awaited_count * sizeof *awaited);

    for (size_t i = 0; i < site->awaited_count; i++)
        awaited[i] = (struct sched_awaited){ .image = images[i], .why = "half of it was sent" };
    site->awaited = awaited;
}

static void add_site(struct words *words)
{
    static const char *const phases[] = { "test", "pre-production", "production", NULL };
    static const char *const modes[] = { "enabled", "disabled", "draining", NULL };
    struct world *w = words->w;
    struct sched_site *site = &w->sites[w->snap.site_count++];
    int64_t credential = span(words, "credential", 0), boot = span(words, "boot", 60000);
    struct sched_boot *boots = arena_alloc(&w->arena, sizeof *boots);

    *boots = (struct sched_boot){ .shape = -1, .mean_ms = boot, .high_ms = 2 * boot };
    *site = (struct sched_site){
        .name = arena_strdup(&w->arena, words->list[1]),
        .generation = ++w->generation,
        .tier = (enum tier)one_of(words, "tier", tiers, TIER_HOME),
        .phase = (enum phase)one_of(words, "phase", phases, PHASE_PRODUCTION),
        .jurisdiction = names_number(&w->names, value(words, "jurisdiction")),
        .cloud_act = flag(words, "cloudact"),
        .local = flag(words, "local"),
        .containers = flag(words, "containers") || flag(words, "bound"),
        .container_bound = flag(words, "bound"),
        .any_project = flag(words, "shared"),
        .max_walltime_ms = span(words, "walltime", 0),
        .max_age_ms = span(words, "age", 0),
        .shapes = arena_alloc(&w->arena, SCHED_SHAPES_MOST * sizeof *site->shapes),
        .mode = (enum site_mode)one_of(words, "mode", modes, SITE_ENABLED),
        .health = flag(words, "down") ? SCHED_DOWN : SCHED_UP,
        .closed_until_ms = value(words, "closed") ? w->snap.now_ms + span(words, "closed", 0) : 0,
        .probed_ms = flag(words, "unprobed") ? 0 : w->snap.now_ms - 1000,
        .quotas = arena_alloc(&w->arena, 16 * sizeof *site->quotas),
        .max_workers = number(words, "max", flag(words, "local") ? 1 : -1),
        .credential_end_ms = credential ? w->snap.now_ms + credential : 0,
        .overflow_after_ms = span(words, "overflow", 0),
        .idle_ms = span(words, "idle", 300000),
        .wait_ms = span(words, "wait", -1),
        .boots = boots,
        .boot_count = boot >= 0,
        .creates_most = number(words, "creates", 0),
    };
    site->images = name_list(words, "images", &site->image_count);
    site->image = site->image_count ? site->images[0] : 0;
    add_awaited(words, site);
}

static void add_shape(struct words *words)
{
    struct world *w = words->w;
    struct sched_site *site = &w->sites[site_index(w, words->list[1])];
    int64_t closed = span(words, "closed", -1);

    site->shapes[site->shape_count++] = (struct sched_shape){
        .name = arena_strdup(&w->arena, words->list[2]),
        .room = { .cpus = number(words, "cpus", 1),
                  .memory = bytes(words, "memory", (int64_t)64 << 30),
                  .disk = bytes(words, "disk", (int64_t)1 << 40),
                  .gpus = number(words, "gpus", 0) },
        .gpu_model = names_number(&w->names, value(words, "model")),
        .gpu_memory = bytes(words, "gpumem", 0),
        .price_hour = decimal(words, "price", -1),
        .closed_until_ms = closed >= 0 ? w->snap.now_ms + closed : 0,
    };
}

static void add_quota(struct words *words)
{
    static const char *const kinds[] = {
        "workers", "cores", "memory", "disk", "gpus", "other", NULL
    };
    struct world *w = words->w;
    struct sched_site *site = &w->sites[site_index(w, words->list[1])];
    struct sched_quota *quota = (struct sched_quota *)(uintptr_t)&site->quotas[site->quota_count++];
    char *model = strchr(words->list[2], ':');

    quota->name = arena_strdup(&w->arena, words->list[2]);
    if (model)
        *model = '\0';
    for (int i = 0; kinds[i]; i++)
        if (strcmp(kinds[i], words->list[2]) == 0)
            quota->kind = (enum sched_quota_kind)i;
    quota->gpu_model = model ? names_number(&w->names, model + 1) : 0;
    quota->per_worker = number(words, "each", 1);
    quota->limit =
        quota->kind == SCHED_QUOTA_MEMORY ? bytes(words, "limit", -1) : number(words, "limit", -1);
    quota->ours = number(words, "ours", 0);
    quota->others = number(words, "others", 0);
    quota->reserved = number(words, "reserved", 0);
}

static void read_option(const struct words *words, struct sched_option *option)
{
    const char *cpus = value(words, "cpus");
    own_str char *plain = xstrdup(cpus ? cpus : "1");
    size_t length = strlen(plain);

    option->cpus_open = length && plain[length - 1] == '+';
    if (option->cpus_open)
        plain[length - 1] = '\0';
    if (parse_i64(plain, 0, INT32_MAX, &option->need.cpus, NULL) < 0)
        wrong("cpus", plain);
    option->need.memory = bytes(words, "memory", 0);
    option->need.disk = bytes(words, "disk", 0);
    option->need.gpus = number(words, "gpus", 0);
    option->gpu_models = name_list(words, "model", &option->gpu_model_count);
    option->gpu_memory = bytes(words, "gpumem", 0);
    option->nodes = (int)number(words, "nodes", 1);
    option->walltime_ms = span(words, "wall", 0);
}

static void read_limits(const struct words *words, struct sched_class *class)
{
    const char *text = value(words, "limit"), *colon;
    struct sched_limit_use *use = arena_alloc(&words->w->arena, sizeof *use);

    if (!text)
        return;
    colon = strchr(text, ':');
    for (size_t i = 0; i < words->w->snap.limit_count; i++)
        if (strncmp(words->w->limits[i].name, text, strcspn(text, ":")) == 0)
            use->limit = (int)i;
    use->count = 1;
    if (colon && parse_i64(colon + 1, 0, INT32_MAX, &use->count, NULL) < 0)
        wrong("limit", text);
    class->limits = use;
    class->limit_count = 1;
}

static void add_class(struct words *words)
{
    static const char *const objectives[] = { "balanced", "time", "cost", NULL };
    struct world *w = words->w;
    struct sched_class *class = &w->classes[w->snap.class_count++];
    struct sched_option *options = arena_alloc(&w->arena, 8 * sizeof *options);
    const char *project = value(words, "project"), *user = value(words, "user");
    int64_t now = w->snap.now_ms, deadline = span(words, "deadline", 0);

    *class = (struct sched_class){
        .generation = ++w->generation,
        .options = options,
        .option_count = 1,
        .ordered = flag(words, "ordered"),
        .image = names_number(&w->names, value(words, "image")),
        .container = names_number(&w->names, value(words, "container")),
        .require = site_list(words, "require"),
        .exclude = site_list(words, "exclude"),
        .prefer = site_list(words, "prefer"),
        .avoid = site_list(words, "avoid"),
        .tier = (enum tier)one_of(words, "tier", tiers, TIER_COMMERCIAL),
        .cloud_act_free = flag(words, "nocloudact"),
        .objective = (enum objective)one_of(words, "objective", objectives, OBJECTIVE_BALANCED),
        .project = project_index(w, project ? project : "p"),
        .user = user_index(w, user ? user : "u", project ? project : "p"),
        .priority = (int)number(words, "priority", 0),
        .ready = number(words, "n", value(words, "coming") ? 0 : 1),
        .coming = number(words, "coming", 0),
        .coming_ms = now + span(words, "in", 0),
        .prepare_ms = span(words, "prepare", -1),
        .running = number(words, "running", 0),
        .oldest_ms = now - span(words, "age", 1000),
        .served_ms = value(words, "served") ? now - span(words, "served", 0) : 0,
        .deadline_ms = deadline ? now + deadline : 0,
        .cost_left = decimal(words, "cost", -1),
        .run_ms = span(words, "run", -1),
        .run_high_ms = span(words, "high", span(words, "run", -1)),
    };
    if (parse_i64(words->list[1], 1, INT64_MAX, &class->id, NULL) < 0)
        wrong("class", words->list[1]);
    class->jurisdictions = name_list(words, "jurisdiction", &class->jurisdiction_count);
    class->in_place = value(words, "sharedby");
    class->shared_by = site_list(words, "sharedby");
    read_option(words, options);
    read_limits(words, class);
}

static void add_option(struct words *words)
{
    struct sched_class *class = &words->w->classes[words->w->snap.class_count - 1];

    read_option(words, (struct sched_option *)(uintptr_t) & class->options[class->option_count++]);
}

static int shape_index(const struct sched_site *site, const char *name)
{
    for (size_t i = 0; name && i < site->shape_count; i++)
        if (strcmp(site->shapes[i].name, name) == 0)
            return (int)i;
    return 0;
}

static void add_worker(struct words *words)
{
    static const char *const states[] = { "intent",   "booting",    "ready", "silent",
                                          "draining", "destroying", "gone",  NULL };
    struct world *w = words->w;
    struct sched_worker *worker = &w->workers[w->snap.worker_count++];
    int s = site_index(w, value(words, "site"));
    int shape = shape_index(&w->sites[s], value(words, "shape"));
    const struct sched_shape *of = &w->sites[s].shapes[shape];
    const char *project = value(words, "project");
    int64_t used = number(words, "used", 0), now = w->snap.now_ms;

    *worker = (struct sched_worker){
        .site = s,
        .shape = shape,
        .state = (enum worker_state)one_of(words, "state", states, WORKER_READY),
        .project = project ? project_index(w, project) : -1,
        .class_id = number(words, "class", 0),
        .image = names_number(&w->names, value(words, "image")),
        .gpu_model = of->gpu_model,
        .gpu_memory = of->gpu_memory,
        .total = of->room,
        .free = of->room,
        .leases = (int)number(words, "leases", used),
        .created_ms = now - span(words, "created", 600000),
        .ready_ms = value(words, "ready") ? now + span(words, "ready", 0) : -1,
        .expires_ms = value(words, "expires") ? now + span(words, "expires", 0) : 0,
        .keep = flag(words, "keep"),
    };
    if (!worker->image)
        worker->image = w->sites[s].image;
    worker->free.cpus = number(words, "free", worker->total.cpus - used);
    worker->idle_ms = worker->leases ? 0 : now - span(words, "idle", 1000);
    if (parse_i64(words->list[1], 1, INT64_MAX, &worker->id, NULL) < 0)
        wrong("worker", words->list[1]);
}

static void add_run(struct words *words)
{
    struct world *w = words->w;
    int64_t id = 0, now = w->snap.now_ms;

    if (parse_i64(words->list[1], 1, INT64_MAX, &id, NULL) < 0)
        wrong("worker", words->list[1]);
    w->runs[w->snap.run_count++] = (struct sched_run){
        .worker = (int)(world_worker(w, id) - w->workers),
        .class_index = -1,
        .count = (int32_t)number(words, "n", 1),
        .need = { .cpus = number(words, "cpus", 1),
                  .memory = bytes(words, "memory", 0),
                  .gpus = number(words, "gpus", 0) },
        .ends_ms = value(words, "ends") ? now + span(words, "ends", 0) : -1,
        .latest_ms = value(words, "latest") ? now + span(words, "latest", 0) : -1,
    };
}

static void set_params(struct words *words)
{
    static const char *const orders[] = { "fair", "age", NULL };
    static const char *const overflows[] = { "gain", "greedy", "never", NULL };
    struct sched_params *p = &words->w->params;

    p->order = (enum sched_order)one_of(words, "order", orders, (int)p->order);
    p->overflow = (enum sched_overflow)one_of(words, "overflow", overflows, (int)p->overflow);
    p->backfill = !flag(words, "nobackfill");
    p->reservations = (int)number(words, "reservations", p->reservations);
    p->reserve_after_ms = span(words, "reserve", p->reserve_after_ms);
    p->ahead_ms = span(words, "ahead", p->ahead_ms);
}

static void set_now(struct words *words)
{
    if (parse_i64(words->list[1], 0, INT64_MAX, &words->w->snap.now_ms, NULL) < 0)
        wrong("now", words->list[1]);
}

static const struct {
    const char *kind;
    void (*add)(struct words *words);
    size_t least;
} statements[] = {
    { "now", set_now, 2 },       { "project", add_project, 2 }, { "user", add_user, 2 },
    { "limit", add_limit, 2 },   { "site", add_site, 2 },       { "shape", add_shape, 3 },
    { "quota", add_quota, 3 },   { "class", add_class, 2 },     { "or", add_option, 1 },
    { "worker", add_worker, 2 }, { "run", add_run, 2 },         { "params", set_params, 1 },
};

void world_add(struct world *w, const char *text)
{
    own_str char *copy = xstrdup(text);
    char *rest = NULL;

    for (char *line = strtok_r(copy, ";\n", &rest); line; line = strtok_r(NULL, ";\n", &rest)) {
        struct words words = { .w = w };
        char *next = NULL;
        size_t i;

        for (char *t = strtok_r(line, " ", &next); t && words.count < array_len(words.list);
             t = strtok_r(NULL, " ", &next))
            words.list[words.count++] = t;
        if (words.count == 0)
            continue;
        for (i = 0; i < array_len(statements); i++)
            if (strcmp(statements[i].kind, words.list[0]) == 0)
                break;
        if (i == array_len(statements) || words.count < statements[i].least)
            wrong("statement", words.list[0]);
        else
            statements[i].add(&words);
    }
}

struct world *world_new(const char *text)
{
    struct world *w = xcalloc(1, sizeof *w);

    w->names = (struct names)NAMES_INIT;
    w->params = (struct sched_params)SCHED_PARAMS_DEFAULT;
    w->classes = xcalloc(WORLD_MOST, sizeof *w->classes);
    w->workers = xcalloc(WORLD_MOST, sizeof *w->workers);
    w->sites = xcalloc(SCHED_SITES_MOST, sizeof *w->sites);
    w->runs = xcalloc(WORLD_MOST, sizeof *w->runs);
    w->projects = xcalloc(WORLD_MOST, sizeof *w->projects);
    w->users = xcalloc(WORLD_MOST, sizeof *w->users);
    w->limits = xcalloc(WORLD_MOST, sizeof *w->limits);
    w->snap = (struct sched_snapshot){ .now_ms = 1000000000,
                                       .classes = w->classes,
                                       .workers = w->workers,
                                       .sites = w->sites,
                                       .runs = w->runs,
                                       .projects = w->projects,
                                       .users = w->users,
                                       .limits = w->limits,
                                       .names = &w->names };
    world_add(w, text);
    return w;
}

void world_free(struct world *w)
{
    sched_free(w->sched);
    sched_decisions_free(&w->decisions);
    names_free(&w->names);
    arena_free(&w->arena);
    free(w->classes);
    free(w->workers);
    free(w->sites);
    free(w->runs);
    free(w->projects);
    free(w->users);
    free(w->limits);
    free(w);
}

int world_class_index(const struct world *w, int64_t id)
{
    for (size_t i = 0; i < w->snap.class_count; i++)
        if (w->classes[i].id == id)
            return (int)i;
    fail_msg("no class %lld", (long long)id);
    return -1;
}

struct sched_class *world_class(struct world *w, int64_t id)
{
    return &w->classes[world_class_index(w, id)];
}

struct sched_worker *world_worker(struct world *w, int64_t id)
{
    for (size_t i = 0; i < w->snap.worker_count; i++)
        if (w->workers[i].id == id)
            return &w->workers[i];
    fail_msg("no worker %lld", (long long)id);
    return NULL;
}

struct sched_site *world_site(struct world *w, const char *name)
{
    return &w->sites[site_index(w, name)];
}

struct sched_quota *world_quota(struct world *w, const char *site, const char *kind)
{
    struct sched_site *s = world_site(w, site);

    for (size_t i = 0; i < s->quota_count; i++)
        if (strcmp(s->quotas[i].name, kind) == 0)
            return (struct sched_quota *)(uintptr_t)&s->quotas[i];
    fail_msg("no quota %s at %s", kind, site);
    return NULL;
}

void decide(struct world *w)
{
    if (!w->sched)
        w->sched = sched_new(&w->params);
    sched_decide(w->sched, &w->snap, &w->decisions);
}

static bool is_about(const struct world *w, const struct sched_decision *d, int64_t class_id,
                     int64_t worker)
{
    return (class_id == 0 || (d->class_index >= 0 && w->classes[d->class_index].id == class_id)) &&
           (worker == 0 || (d->worker >= 0 && w->workers[d->worker].id == worker));
}

int64_t leased(const struct world *w, int64_t class_id, int64_t worker)
{
    int64_t sum = 0;

    for (size_t i = 0; i < w->decisions.count; i++) {
        const struct sched_decision *d = &w->decisions.list[i];

        if (d->kind == SCHED_LEASE && is_about(w, d, class_id, worker))
            sum += d->count;
    }
    return sum;
}

int64_t created(const struct world *w, int64_t class_id, const char *site)
{
    int64_t sum = 0;

    for (size_t i = 0; i < w->decisions.count; i++) {
        const struct sched_decision *d = &w->decisions.list[i];

        if (d->kind == SCHED_CREATE && is_about(w, d, class_id, 0) &&
            (!site || strcmp(w->sites[d->site].name, site) == 0))
            sum += d->count;
    }
    return sum;
}

const struct sched_decision *decided(const struct world *w, enum sched_kind kind, int64_t class_id,
                                     int64_t worker)
{
    for (size_t i = 0; i < w->decisions.count; i++) {
        const struct sched_decision *d = &w->decisions.list[i];

        if (d->kind == kind && is_about(w, d, class_id, worker))
            return d;
    }
    return NULL;
}

void world_print(const struct world *w)
{
    for (size_t i = 0; i < w->decisions.count; i++) {
        own_buf struct buf text = BUF_INIT(0);

        sched_decision_json(&w->snap, &w->decisions.list[i], &text);
        print_message("%s\n", buf_text(&text));
    }
}
