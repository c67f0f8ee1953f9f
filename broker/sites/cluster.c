/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.c - one cluster's life: absent, in the making, up, changing its size, leaving.
 *
 * All that is known of it is looked up anew at each turn, so that a crash loses nothing but the
 * orders that wait.  A cluster that answers no call although it is said to be up is still in the
 * making, until the boot deadline; one that answered once is only out of reach, and decisions about
 * its workers are frozen as for any other cluster. */
#include "sites/cluster.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/list.h"
#include "base/log.h"
#include "base/own.h"
#include "sites/cluster_size.h"

#define MINUTE_MS  60000
#define TURN_MS    10000     /* a cluster that is not at rest is looked at this often */
#define MADE_MS    MINUTE_MS /* until a new one is surely shown */
#define REMOVE_MS  MINUTE_MS /* between two tries */
#define SHRINK_MS  (5 * (int64_t)MINUTE_MS)
#define RESIZE_MS  (10 * MINUTE_MS)
#define KEEP_MS    (15 * (int64_t)MINUTE_MS)
#define NODES_MOST 10000
#define ID_MOST    256
#define REACH_MS   10000 /* for one that never answered: others wait meanwhile */

const char *const cluster_keys[] = { "nodes", "cluster_idle", NULL };
static const char *const node_keys[] = { "least", "most", "workers", NULL };

/* An order that waits for the cluster, or for room in it, and what came of it. */
struct held {
    struct list link;
    struct order order; /* a copy */
    bool tried;         /* handed to the cluster: it has it, or `err` says why not */
    struct err err;
};

struct cluster {
    const struct site_conf *conf;
    const struct cluster_maker *maker;
    void *maker_self;
    char name[128], broker[64];
    char *mark;  /* the file with the id of a cluster that was reached */
    char *keeps; /* SITE_KEEPS */
    struct cluster_size size;
    int64_t keep_ms;

    void *plan;   /* a Kubernetes site without a cluster: what the site file says */
    void *inside; /* the Kubernetes site; NULL: not up */
    int epoll, timer;

    struct list held;
    struct cluster_seen seen; /* at the last look */
    bool reached;             /* the one with that id was, once */
    int64_t first_mono_ms;    /* when we met that id */
    int64_t live;             /* workers in it */
    int64_t used_mono_ms, made_mono_ms, resized_mono_ms, removed_mono_ms; /* last; 0: never */
    char given_up[ID_MOST]; /* the id of one that took too long */
    char why[512];          /* what keeps it from being reached */
};

/* ---- orders that wait ------------------------------------------------------------------------ */

static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static struct held *hold(struct cluster *cluster, const struct order *order)
{
    struct held *held = xcalloc(1, sizeof *held);

    held->order = (struct order){ .name = xstrdup(order->name),
                                  .broker = xstrdup(order->broker),
                                  .worker = order->worker,
                                  .shape = copy_or_null(order->shape),
                                  .image = copy_or_null(order->image),
                                  .project = copy_or_null(order->project),
                                  .container = copy_or_null(order->container),
                                  .boot = xstrdup(order->boot) };
    list_add_tail(&cluster->held, &held->link);
    return held;
}

static void burn(const char *text)
{
    char *secret = (char *)(uintptr_t)text;

    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static void held_free(struct held *held)
{
    list_del(&held->link);
    burn(held->order.boot);
    free((char *)(uintptr_t)held->order.name);
    free((char *)(uintptr_t)held->order.broker);
    free((char *)(uintptr_t)held->order.shape);
    free((char *)(uintptr_t)held->order.image);
    free((char *)(uintptr_t)held->order.project);
    free((char *)(uintptr_t)held->order.container);
    free(held);
}

static struct held *find_held(struct cluster *cluster, const char *name)
{
    list_each(at, &cluster->held)
    {
        struct held *held = list_item(at, struct held, link);

        if (strcmp(held->order.name, name) == 0)
            return held;
    }
    return NULL;
}

static bool waits(const struct held *held)
{
    return !held->tried;
}

static int64_t count_waiting(const struct cluster *cluster)
{
    int64_t count = 0;

    list_each(at, &cluster->held) count += waits(list_item(at, struct held, link));
    return count;
}

/* All that wait end with these words. */
static void refuse(struct cluster *cluster, enum fault fault, const char *words)
{
    list_each(at, &cluster->held)
    {
        struct held *held = list_item(at, struct held, link);

        if (!waits(held))
            continue;
        held->tried = true;
        err_set(&held->err, fault == FAULT_NONE ? FAULT_UNAVAILABLE : fault, "the cluster: %s",
                words);
    }
}

/* ---- configuration --------------------------------------------------------------------------- */

int cluster_only(const struct site_conf *conf, const char *const *own, struct err *err)
{
    const char *known[128];
    const char *const *const parts[] = { own, cluster_keys, kubernetes_keys };
    size_t count = 0;

    for (size_t i = 0; i < array_len(parts); i++)
        for (const char *const *each = parts[i]; *each && count < array_len(known) - 1; each++)
            known[count++] = *each;
    known[count] = NULL;
    return site_conf_only(conf, "", known, err);
}

static int read_nodes(struct cluster *cluster, bool resizes, struct err *err)
{
    const struct site_conf *conf = cluster->conf;
    struct cluster_size *size = &cluster->size;

    size->least = 1;
    size->wait_ms = cluster->keep_ms / 3 < SHRINK_MS ? cluster->keep_ms / 3 : SHRINK_MS;
    if (!site_conf_get(conf, "/nodes"))
        return 0;
    if (!resizes)
        return site_conf_error(conf, "/nodes", err, "the template has no parameter 'nodes'");
    size->workers = 1;
    if (site_conf_only(conf, "/nodes", node_keys, err) < 0 ||
        site_conf_i64(conf, "/nodes/least", 1, NODES_MOST, &size->least, err) < 0)
        return -1;
    size->most = size->least;
    if (site_conf_i64(conf, "/nodes/most", size->least, NODES_MOST, &size->most, err) < 0)
        return -1;
    return site_conf_i64(conf, "/nodes/workers", 1, NODES_MOST, &size->workers, err);
}

static int read_conf(struct cluster *cluster, bool resizes, struct err *err)
{
    const struct site_conf *conf = cluster->conf;
    struct kube_conf nowhere = { .server = xstrdup("https://cluster.invalid"),
                                 .where = xstrdup("a cluster to come") };

    cluster->keep_ms = KEEP_MS;
    if (kubernetes_open(conf, &nowhere, &cluster->plan, err) < 0 ||
        site_conf_span(conf, "/cluster_idle", &cluster->keep_ms, err) < 0)
        return -1;
    if (!site_conf_get(conf, "/shapes"))
        return site_conf_error(conf, "", err,
                               "needs 'shapes': what a worker may be, told before there is a "
                               "cluster that could be asked");
    return read_nodes(cluster, resizes, err);
}

static int open_fds(struct cluster *cluster, struct err *err)
{
    struct epoll_event event = { .events = EPOLLIN };

    cluster->epoll = epoll_create1(EPOLL_CLOEXEC);
    cluster->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (cluster->epoll < 0 || cluster->timer < 0 ||
        epoll_ctl(cluster->epoll, EPOLL_CTL_ADD, cluster->timer, &event) < 0)
        return err_sys(err, "a descriptor to wait for the cluster with");
    return 0;
}

int cluster_open(const struct site_conf *conf, const char *dir, const struct cluster_maker *maker,
                 void *maker_self, bool resizes, void **self, struct err *err)
{
    struct cluster *cluster = xcalloc(1, sizeof *cluster);

    cluster->conf = conf;
    cluster->maker = maker;
    cluster->maker_self = maker_self;
    cluster->mark = xasprintf("%s/cluster", dir);
    cluster->keeps = xasprintf("%s/" SITE_KEEPS, dir);
    cluster->epoll = cluster->timer = -1;
    cluster->used_mono_ms = clock_mono_ms(); /* one that is found idles from now on */
    list_init(&cluster->held);
    if (read_conf(cluster, resizes, err) < 0 || open_fds(cluster, err) < 0) {
        cluster_close(cluster);
        return -1;
    }
    *self = cluster;
    return 0;
}

/* ---- the Kubernetes site inside -------------------------------------------------------------- */

static void leave(struct cluster *cluster)
{
    if (cluster->inside)
        kubernetes_driver.close(cluster->inside);
    cluster->inside = NULL;
    cluster->live = 0;
}

void cluster_close(void *self)
{
    struct cluster *cluster = self;

    leave(cluster);
    if (cluster->plan)
        kubernetes_driver.close(cluster->plan);
    list_each_safe(at, &cluster->held) held_free(list_item(at, struct held, link));
    cluster->maker->close(cluster->maker_self);
    if (cluster->epoll >= 0)
        close(cluster->epoll);
    if (cluster->timer >= 0)
        close(cluster->timer);
    cluster_seen_fini(&cluster->seen);
    free(cluster->mark);
    free(cluster->keeps);
    free(cluster);
}

/* It comes from elsewhere: nothing of this machine may be run or read for it. */
static bool is_whole(const struct kube_conf *kube)
{
    return !kube->exec && !kube->ca_file && !kube->cert_file && !kube->key_file &&
           !kube->token_file;
}

static int enter(struct cluster *cluster, int64_t deadline, struct err *err)
{
    struct kube_conf kube = { .server = NULL };
    struct epoll_event event = { .events = EPOLLIN };

    if (cluster->inside)
        return 0;
    if (cluster->maker->enter(cluster->maker_self, &cluster->seen, deadline, &kube, err) < 0)
        return -1;
    if (!is_whole(&kube)) {
        kube_conf_fini(&kube);
        return err_set(err, FAULT_INVALID,
                       "its kubeconfig names programs or files; whoever made the cluster could run "
                       "and read anything here by it: put certificates and tokens into it");
    }
    if (kubernetes_open(cluster->conf, &kube, &cluster->inside, err) < 0) {
        cluster->inside = NULL;
        return -1;
    }
    if (epoll_ctl(cluster->epoll, EPOLL_CTL_ADD, kubernetes_driver.watch_fd(cluster->inside),
                  &event) < 0) {
        err_sys(err, "wait for the cluster's workers");
        leave(cluster);
        return -1;
    }
    return 0;
}

static void count_live(struct cluster *cluster, const struct resources_list *list)
{
    cluster->live = 0;
    for (size_t i = 0; i < list->count; i++)
        cluster->live += list->list[i].name && strcmp(list->list[i].kind, "worker") == 0 &&
                         list->list[i].state != INSTANCE_FAILED;
}

/* What is in it; `list` is filled anew. */
static int list_inside(struct cluster *cluster, int64_t deadline, struct resources_list *list,
                       struct err *err)
{
    resource_list_free(list);
    if (kubernetes_driver.list(cluster->inside, cluster->broker, deadline, list, err) < 0)
        return -1;
    count_live(cluster, list);
    return 0;
}

/* ---- what is known of it --------------------------------------------------------------------- */

static bool was_reached(const struct cluster *cluster)
{
    own_buf struct buf text = BUF_INIT(ID_MOST);

    return cluster->seen.id && buf_read_file(&text, cluster->mark, NULL) == 0 &&
           strcmp(buf_text(&text), cluster->seen.id) == 0;
}

static void remember_reached(struct cluster *cluster)
{
    struct err err = ERR_INIT;
    own_str char *dir = xstrdup(cluster->mark);

    cluster->reached = true;
    cluster->why[0] = '\0';
    *strrchr(dir, '/') = '\0';
    if (io_mkdirs(dir, 0700, &err) < 0 ||
        io_replace_file(cluster->mark, 0600, cluster->seen.id, strlen(cluster->seen.id), &err) < 0)
        log_error("site %s: %s", cluster->conf->name, err.text);
    log_info("site %s: the cluster is up", cluster->conf->name);
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static int look(struct cluster *cluster, int64_t deadline, struct err *err)
{
    own_cluster_seen struct cluster_seen seen = { .nodes = -1 };
    struct cluster_seen former = cluster->seen;

    if (cluster->maker->look(cluster->maker_self, cluster->broker, cluster->name, deadline, &seen,
                             err) < 0)
        return -1;
    cluster->seen = seen;
    seen = former; /* freed on return */
    if (!same(cluster->seen.id, former.id)) {
        leave(cluster);
        cluster->first_mono_ms = clock_mono_ms();
        cluster->reached = was_reached(cluster);
        cluster->size.nodes = cluster->size.asked_mono_ms = 0;
        cluster->given_up[0] = cluster->why[0] = '\0';
    }
    if (cluster->seen.id)
        cluster->made_mono_ms = 0;
    if (cluster->seen.phase == CLUSTER_CHANGING)
        cluster_size_changes(&cluster->size, clock_mono_ms());
    else if (cluster_size_is_asked(&cluster->size, clock_mono_ms()))
        cluster->seen.phase =
            cluster->seen.phase == CLUSTER_UP ? CLUSTER_CHANGING : cluster->seen.phase;
    else if (cluster->seen.phase == CLUSTER_UP && cluster->seen.nodes >= 0)
        cluster->size.nodes = cluster->seen.nodes;
    return 0;
}

/* One that was never reached is given up after the boot deadline, counted from when we met it: a
 * broker that was away has not watched it. */
static void give_up_late(struct cluster *cluster)
{
    const struct cluster_seen *seen = &cluster->seen;
    int64_t age = clock_mono_ms() - cluster->first_mono_ms;

    if (cluster->reached || !seen->id || seen->phase == CLUSTER_LEAVING ||
        seen->phase == CLUSTER_BROKEN || age <= cluster->conf->boot_deadline_ms)
        return;
    snprintf(cluster->given_up, sizeof cluster->given_up, "%s", seen->id);
}

static bool is_given_up(const struct cluster *cluster)
{
    return cluster->seen.id && strcmp(cluster->given_up, cluster->seen.id) == 0;
}

static enum cluster_phase phase_of(const struct cluster *cluster)
{
    if (is_given_up(cluster) && cluster->seen.phase != CLUSTER_LEAVING)
        return CLUSTER_BROKEN;
    if (cluster->seen.phase == CLUSTER_ABSENT && cluster->made_mono_ms &&
        clock_mono_ms() - cluster->made_mono_ms < MADE_MS)
        return CLUSTER_MAKING;
    return cluster->seen.phase;
}

static bool falls(const struct cluster *cluster)
{
    return cluster_size_falls(&cluster->size, clock_mono_ms());
}

/* Words for people on why a worker waits; at most `size` bytes. */
static void describe(const struct cluster *cluster, char *out, size_t size)
{
    static const char *const words[] = {
        [CLUSTER_ABSENT] = "is to be made",      [CLUSTER_MAKING] = "is being made",
        [CLUSTER_UP] = "is up, and has no room", [CLUSTER_CHANGING] = "is getting more nodes",
        [CLUSTER_LEAVING] = "is being removed",  [CLUSTER_BROKEN] = "failed",
    };
    enum cluster_phase phase = phase_of(cluster);
    const char *why = cluster->seen.words ? cluster->seen.words : cluster->why;

    if (is_given_up(cluster))
        snprintf(out, size, "it was not up within the boot deadline%s%s", *why ? ": " : "", why);
    else if (phase == CLUSTER_UP && !cluster->reached)
        snprintf(out, size, "it does not answer yet%s%s", *why ? ": " : "", why);
    else if (falls(cluster))
        snprintf(out, size, "it is being made smaller%s%s", *why ? ": " : "", why);
    else
        snprintf(out, size, "it %s%s%s", words[phase], *why ? ": " : "", why);
}

/* ---- turning: towards what is wanted --------------------------------------------------------- */

static int64_t workers_wanted(const struct cluster *cluster)
{
    return cluster->live + count_waiting(cluster);
}

/* Before it is made, and as long as it is there. */
static int note_kept(struct cluster *cluster, struct err *err)
{
    own_str char *dir = xstrdup(cluster->keeps);

    *strrchr(dir, '/') = '\0';
    if (access(cluster->keeps, F_OK) == 0)
        return 0;
    return io_mkdirs(dir, 0700, err) < 0
               ? -1
               : io_replace_file(cluster->keeps, 0600, cluster->name, strlen(cluster->name), err);
}

static void begin(struct cluster *cluster, int64_t deadline)
{
    int64_t nodes = cluster_size_wanted(&cluster->size, workers_wanted(cluster));
    struct err why = ERR_INIT;

    if (count_waiting(cluster) == 0) {
        unlink(cluster->keeps);
        return;
    }
    log_info("site %s: making the cluster %s", cluster->conf->name, cluster->name);
    cluster->made_mono_ms = clock_mono_ms();
    if (note_kept(cluster, &why) == 0 &&
        cluster->maker->make(cluster->maker_self, cluster->broker, cluster->name, nodes, deadline,
                             &why) == 0)
        return;
    cluster->made_mono_ms = 0;
    refuse(cluster, why.fault, why.text);
}

/* Hand over as many of those that wait as there is room for. */
static bool place(struct cluster *cluster, int64_t deadline)
{
    const struct cluster_size *size = &cluster->size;
    int64_t room = size->workers ? size->nodes * size->workers - cluster->live : SITE_CREATES_MOST;
    struct held *each[SITE_CREATES_MOST];
    own_mem struct order *orders = xcalloc(SITE_CREATES_MOST, sizeof *orders);
    own_mem struct err *errs = xcalloc(SITE_CREATES_MOST, sizeof *errs);
    size_t count = 0;

    list_each(at, &cluster->held)
    {
        struct held *held = list_item(at, struct held, link);

        if (!waits(held) || count == array_len(each) || (int64_t)count >= room)
            continue;
        each[count] = held;
        orders[count] = held->order;
        orders[count++].deadline_mono_ms = deadline;
    }
    if (count == 0)
        return false;
    kubernetes_driver.create_many(cluster->inside, orders, count, errs);
    for (size_t i = 0; i < count; i++) {
        each[i]->tried = true;
        each[i]->err = errs[i];
    }
    return true;
}

/* Those that still wait want more nodes. */
static void grow(struct cluster *cluster, int64_t deadline)
{
    int64_t nodes = cluster_size_wanted(&cluster->size, workers_wanted(cluster));
    int64_t now = clock_mono_ms();
    bool failed = cluster->seen.words != NULL;
    struct err why = ERR_INIT;

    if (count_waiting(cluster) == 0 || !cluster->size.workers || nodes <= cluster->size.nodes)
        return;
    if (failed && cluster->resized_mono_ms && now - cluster->resized_mono_ms < RESIZE_MS) {
        refuse(cluster, cluster->seen.fault, cluster->seen.words);
        return;
    }
    log_info("site %s: the cluster is to have %lld nodes", cluster->conf->name, (long long)nodes);
    cluster->resized_mono_ms = now;
    if (cluster->maker->resize(cluster->maker_self, &cluster->seen, nodes, deadline, &why) < 0) {
        refuse(cluster, why.fault, why.text);
        return;
    }
    cluster->seen.phase = CLUSTER_CHANGING;
    cluster_size_ask(&cluster->size, true, now);
}

/* Take away what nothing of ours runs on; where nothing runs at all, whichever nodes. */
static int64_t take_away(struct cluster *cluster, int64_t spare, int64_t deadline, struct err *err)
{
    own(kube_nodes_fini) struct kube_nodes idle = { .list = NULL };
    const struct cluster_maker *maker = cluster->maker;
    int64_t nodes = cluster->size.nodes - spare;

    if (cluster->live == 0)
        return maker->resize(cluster->maker_self, &cluster->seen, nodes, deadline, err) < 0 ? -1
                                                                                            : spare;
    if (kubernetes_idle(cluster->inside, deadline, &idle, err) < 0)
        return -1;
    return idle.count == 0
               ? 0
               : maker->shrink(cluster->maker_self, &cluster->seen, &idle, spare, deadline, err);
}

static void shrink(struct cluster *cluster, int64_t deadline)
{
    int64_t now = clock_mono_ms(), taken = 0;
    int64_t spare = cluster_size_spare(&cluster->size, workers_wanted(cluster), now);
    struct err why = ERR_INIT;

    if (count_waiting(cluster) || spare == 0 || cluster->seen.nodes < 0)
        return;
    taken = take_away(cluster, spare, deadline, &why);
    if (taken < 0)
        log_warn("site %s: the cluster cannot be made smaller: %s", cluster->conf->name, why.text);
    if (taken <= 0)
        return;
    log_info("site %s: the cluster has more nodes than it needs; it is to have %lld",
             cluster->conf->name, (long long)(cluster->size.nodes - taken));
    cluster->seen.phase = CLUSTER_CHANGING;
    cluster_size_ask(&cluster->size, false, now);
}

/* It is said to be up: into it.  A fault, once it was reached, is the site's. */
static int use(struct cluster *cluster, int64_t deadline, struct resources_list *list,
               struct err *err)
{
    struct err why = ERR_INIT;
    int64_t soon = clock_mono_ms() + REACH_MS;

    if (!cluster->reached && soon < deadline)
        deadline = soon;
    if (enter(cluster, deadline, &why) < 0 || list_inside(cluster, deadline, list, &why) < 0) {
        snprintf(cluster->why, sizeof cluster->why, "%s", why.text);
        if (why.fault == FAULT_AUTH)
            leave(cluster); /* with the next turn a new login */
        if (!cluster->reached)
            return 0;
        *err = why;
        return -1;
    }
    if (!cluster->reached)
        remember_reached(cluster);
    if (falls(cluster))
        return 0;
    if (place(cluster, deadline) && list_inside(cluster, deadline, list, err) < 0)
        return -1;
    if (phase_of(cluster) == CLUSTER_UP)
        grow(cluster, deadline);
    if (phase_of(cluster) == CLUSTER_UP)
        shrink(cluster, deadline);
    return 0;
}

static void set_timer(struct cluster *cluster)
{
    enum cluster_phase phase = phase_of(cluster);
    bool rests = count_waiting(cluster) == 0 &&
                 (phase == CLUSTER_ABSENT || phase == CLUSTER_UP || phase == CLUSTER_BROKEN);
    int64_t ms = cluster->conf->reconcile_ms < TURN_MS ? cluster->conf->reconcile_ms : TURN_MS;
    struct itimerspec when = { .it_value = { ms / 1000, ms % 1000 * 1000000 } };

    if (rests)
        when.it_value = (struct timespec){ 0, 0 };
    timerfd_settime(cluster->timer, 0, &when, NULL);
}

/* Look, and do the next thing.  `list`: what is in it. */
static int turn(struct cluster *cluster, const char *broker, int64_t deadline,
                struct resources_list *list, struct err *err)
{
    char words[768];
    int rc = 0;

    snprintf(cluster->broker, sizeof cluster->broker, "%s", broker);
    snprintf(cluster->name, sizeof cluster->name, "spillway-%.8s-cluster-%.60s", broker,
             cluster->conf->name);
    if (look(cluster, deadline, err) < 0)
        return -1;
    give_up_late(cluster);
    if (cluster->seen.id && note_kept(cluster, err) < 0)
        return -1;
    switch (phase_of(cluster)) {
    case CLUSTER_ABSENT:
        begin(cluster, deadline);
        break;
    case CLUSTER_UP:
    case CLUSTER_CHANGING:
        rc = use(cluster, deadline, list, err);
        break;
    case CLUSTER_BROKEN:
        leave(cluster);
        describe(cluster, words, sizeof words);
        refuse(cluster, cluster->seen.words ? cluster->seen.fault : FAULT_TIMEOUT, words);
        break;
    case CLUSTER_MAKING:
    case CLUSTER_LEAVING:
        leave(cluster);
        break;
    }
    if (count_waiting(cluster) || cluster->live)
        cluster->used_mono_ms = clock_mono_ms();
    set_timer(cluster);
    return rc;
}

/* ---- the driver's functions ------------------------------------------------------------------ */

int cluster_probe(void *self, int64_t deadline_mono_ms, struct probe *out, struct err *err)
{
    struct cluster *cluster = self;
    int64_t ours = cluster->live + count_waiting(cluster);

    if (cluster->inside && cluster->reached) {
        if (kubernetes_driver.probe(cluster->inside, deadline_mono_ms, out, err) < 0)
            return -1;
    } else {
        kubernetes_shapes(cluster->plan, out);
    }
    out->credential_end_ms = cluster->maker->credential_end(cluster->maker_self);
    if (!cluster->size.workers)
        return 0;
    /* What the nodes of now have is not what there could be. */
    for (size_t i = 0; i < out->quota_count; i++)
        free(out->quotas[i].name);
    out->quotas = xrealloc(out->quotas, sizeof *out->quotas);
    out->quota_count = 1;
    out->quotas[0] = (struct quota){ .name = xstrdup("instances"),
                                     .limit = cluster->size.most * cluster->size.workers,
                                     .ours = ours };
    return 0;
}

void cluster_create_many(void *self, const struct order *orders, size_t count, struct err *errs)
{
    struct cluster *cluster = self;
    struct resources_list list = { .list = NULL };
    struct err why = ERR_INIT;
    int rc;

    for (size_t i = 0; i < count; i++)
        if (!find_held(cluster, orders[i].name))
            hold(cluster, &orders[i]);
    rc = turn(cluster, orders[0].broker, orders[0].deadline_mono_ms, &list, &why);
    resource_list_free(&list);
    for (size_t i = 0; i < count; i++) {
        struct held *held = find_held(cluster, orders[i].name);

        errs[i] = rc < 0 ? why : held->err;
        if (held->tried || rc < 0)
            held_free(held);
    }
}

int cluster_create(void *self, const struct order *order, struct err *err)
{
    struct err why = ERR_INIT;

    cluster_create_many(self, order, 1, &why);
    if (why.fault == FAULT_NONE)
        return 0;
    *err = why;
    return -1;
}

static struct resource *add(struct resources_list *list, const char *kind, const char *id,
                            const char *name)
{
    struct resource *resource = resource_list_add(list, kind, id, name);

    resource->created_ms = clock_wall_ms();
    return resource;
}

static void add_held(struct cluster *cluster, struct resources_list *out)
{
    char words[768];

    describe(cluster, words, sizeof words);
    list_each_safe(at, &cluster->held)
    {
        struct held *held = list_item(at, struct held, link);
        struct resource *resource;

        if (held->tried && held->err.fault == FAULT_NONE) {
            held_free(held); /* it is in the cluster's own list */
            continue;
        }
        resource = add(out, "worker", held->order.name, held->order.name);
        resource->state = held->tried ? INSTANCE_FAILED : INSTANCE_BOOTING;
        resource->fault = held->err.fault;
        resource->detail = xasprintf("the cluster: %s", words);
        if (!held->tried)
            continue;
        free(resource->detail);
        resource->detail = xstrdup(held->err.text);
    }
}

static void add_cluster(const struct cluster *cluster, struct resources_list *out)
{
    static const enum instance_state states[] = {
        [CLUSTER_ABSENT] = INSTANCE_GONE,    [CLUSTER_MAKING] = INSTANCE_BOOTING,
        [CLUSTER_UP] = INSTANCE_ACTIVE,      [CLUSTER_CHANGING] = INSTANCE_ACTIVE,
        [CLUSTER_LEAVING] = INSTANCE_ACTIVE, [CLUSTER_BROKEN] = INSTANCE_FAILED,
    };
    enum cluster_phase phase = phase_of(cluster);
    int64_t now = clock_mono_ms();
    struct resource *resource;
    char words[768];

    if (!cluster->seen.id)
        return;
    describe(cluster, words, sizeof words);
    resource = add(out, "cluster", cluster->seen.id, NULL);
    resource->state = states[phase];
    resource->created_ms = cluster->seen.created_ms;
    if (phase == CLUSTER_BROKEN)
        resource->kept = cluster->removed_mono_ms && now - cluster->removed_mono_ms < REMOVE_MS;
    else
        resource->kept = phase == CLUSTER_LEAVING || count_waiting(cluster) ||
                         now - cluster->used_mono_ms < cluster->keep_ms;
    if (phase != CLUSTER_UP || !cluster->reached)
        resource->detail = xstrdup(words);
}

/* What the Kubernetes site calls shared goes with its last worker, by itself. */
static void keep_inside(struct resources_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        list->list[i].kept = !list->list[i].name;
}

int cluster_list(void *self, const char *broker, int64_t deadline_mono_ms,
                 struct resources_list *out, struct err *err)
{
    struct cluster *cluster = self;
    uint64_t count;

    (void)!read(cluster->timer, &count, sizeof count);
    if (turn(cluster, broker, deadline_mono_ms, out, err) < 0) {
        resource_list_free(out);
        set_timer(cluster);
        return -1;
    }
    keep_inside(out);
    add_held(cluster, out);
    add_cluster(cluster, out);
    return 0;
}

int cluster_inspect(void *self, const char *name, int64_t deadline_mono_ms,
                    enum instance_state *out, struct buf *detail, struct err *err)
{
    struct cluster *cluster = self;
    const struct held *held = find_held(cluster, name);
    char words[768];

    if (!held && cluster->inside)
        return kubernetes_driver.inspect(cluster->inside, name, deadline_mono_ms, out, detail, err);
    *out = !held ? INSTANCE_GONE : held->err.fault ? INSTANCE_FAILED : INSTANCE_BOOTING;
    if (held) {
        describe(cluster, words, sizeof words);
        buf_printf(detail, "the cluster: %s", words);
    }
    return 0;
}

int cluster_diagnose(void *self, const char *name, int64_t deadline_mono_ms, struct buf *out,
                     struct err *err)
{
    struct cluster *cluster = self;

    if (cluster->inside && !find_held(cluster, name))
        return kubernetes_driver.diagnose(cluster->inside, name, deadline_mono_ms, out, err);
    if (!cluster->seen.id)
        return 0;
    return cluster->maker->faults(cluster->maker_self, &cluster->seen, deadline_mono_ms, out, err);
}

/* The cluster itself, when nobody wants it. */
static int remove_it(struct cluster *cluster, int64_t deadline, struct err *err)
{
    if (count_waiting(cluster) || !cluster->seen.id || cluster->seen.phase == CLUSTER_LEAVING)
        return 0;
    log_info("site %s: removing the cluster %s", cluster->conf->name, cluster->name);
    cluster->removed_mono_ms = clock_mono_ms();
    leave(cluster);
    if (cluster->maker->remove(cluster->maker_self, &cluster->seen, deadline, err) < 0)
        return -1;
    cluster->seen.phase = CLUSTER_LEAVING;
    set_timer(cluster);
    return 0;
}

int cluster_destroy(void *self, const char *name, int64_t deadline_mono_ms, struct err *err)
{
    struct cluster *cluster = self;
    struct held *held = name ? find_held(cluster, name) : NULL;

    if (!name)
        return remove_it(cluster, deadline_mono_ms, err);
    if (held)
        held_free(held);
    return cluster->inside ? kubernetes_driver.destroy(cluster->inside, name, deadline_mono_ms, err)
                           : 0;
}

int cluster_watch_fd(void *self)
{
    return ((struct cluster *)self)->epoll;
}

int cluster_audit(void *self, int64_t deadline_mono_ms, json_t *findings, struct err *err)
{
    struct cluster *cluster = self;

    return cluster->inside && cluster->reached
               ? kubernetes_driver.audit(cluster->inside, deadline_mono_ms, findings, err)
               : 0;
}
