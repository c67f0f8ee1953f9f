/* SPDX-License-Identifier: Apache-2.0 */
/* test_cluster.c - the life of a cluster on demand, with a maker that does as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/own.h"
#include "sites/cluster.h"
#include "sites/cluster_size.h"
#include "sites/heat/heat.h"
#include "sites/kubernetes/driver.h"
#include "sites/magnum/magnum.h"

#define BROKER "1f0c9a2e-0000-4000-8000-000000000000"

/* What the cloud is to show, and what was asked of it. */
static struct {
    enum cluster_phase phase;
    const char *words, *id;
    enum fault fault, refuse;
    int64_t nodes;
    const char *kubeconfig;
    int made, removed, resized, looked;
    int64_t made_nodes;
    char name[128];
} cloud;

static struct site_conf conf;
static char dir[64];
static void *site;

static int fake_look(void *self, const char *broker, const char *name, int64_t deadline,
                     struct cluster_seen *out, struct err *err)
{
    (void)self, (void)deadline, (void)err;
    assert_string_equal(broker, BROKER);
    snprintf(cloud.name, sizeof cloud.name, "%s", name);
    cloud.looked++;
    out->phase = cloud.phase;
    out->nodes = cloud.nodes;
    if (cloud.phase != CLUSTER_ABSENT)
        out->id = xstrdup(cloud.id);
    if (cloud.words)
        out->words = xstrdup(cloud.words);
    out->fault = cloud.fault;
    return 0;
}

static int fake_make(void *self, const char *broker, const char *name, int64_t nodes,
                     int64_t deadline, struct err *err)
{
    (void)self, (void)broker, (void)name, (void)deadline;
    cloud.made++;
    cloud.made_nodes = nodes;
    return cloud.refuse ? err_set(err, cloud.refuse, "refused") : 0;
}

static int fake_enter(void *self, const struct cluster_seen *seen, int64_t deadline,
                      struct kube_conf *out, struct err *err)
{
    (void)self, (void)seen, (void)deadline;
    return kube_conf_parse(cloud.kubeconfig, strlen(cloud.kubeconfig), "given", NULL, NULL, out,
                           err);
}

static int fake_resize(void *self, const struct cluster_seen *seen, int64_t nodes, int64_t deadline,
                       struct err *err)
{
    (void)self, (void)seen, (void)nodes, (void)deadline, (void)err;
    cloud.resized++;
    return 0;
}

static int fake_shrink(void *self, const struct cluster_seen *seen, const struct kube_nodes *idle,
                       int64_t most, int64_t deadline, struct err *err)
{
    (void)self, (void)seen, (void)idle, (void)most, (void)deadline, (void)err;
    return 0;
}

static int fake_remove(void *self, const struct cluster_seen *seen, int64_t deadline,
                       struct err *err)
{
    (void)self, (void)deadline, (void)err;
    assert_string_equal(seen->id, cloud.id);
    cloud.removed++;
    return 0;
}

static int fake_faults(void *self, const struct cluster_seen *seen, int64_t deadline,
                       struct buf *out, struct err *err)
{
    (void)self, (void)seen, (void)deadline, (void)err;
    buf_puts(out, "master: no valid host\n");
    return 0;
}

static int64_t fake_end(void *self)
{
    (void)self;
    return 12345;
}

static void fake_close(void *self)
{
    (void)self;
}

static const struct cluster_maker maker = { fake_look,   fake_make,   fake_enter,
                                            fake_resize, fake_shrink, fake_remove,
                                            fake_faults, fake_end,    fake_close };

/* Nobody listens at port 1. */
#define NOBODY                                                          \
    "apiVersion: v1\nkind: Config\ncurrent-context: a\n"                \
    "clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\n" \
    "contexts: [{name: a, context: {cluster: a, user: a}}]\n"           \
    "users: [{name: a, user: {%s}}]\n"

static void open_site(const char *keys)
{
    struct err err = ERR_INIT;

    snprintf(dir, sizeof dir, "/tmp/spillway-cluster-XXXXXX");
    assert_non_null(mkdtemp(dir));
    memset(&cloud, 0, sizeof cloud);
    cloud.id = "c1";
    site_conf_init(&conf, "lab", "magnum");
    json_decref(conf.driver);
    conf.driver = json_loads(keys, 0, NULL);
    assert_non_null(conf.driver);
    if (cluster_open(&conf, dir, &maker, NULL, true, &site, &err) < 0)
        fail_msg("%s", err.text);
}

#define SHAPES "\"shapes\":{\"small\":{\"cpus\":2,\"memory\":\"4GiB\"}}"
#define PLAIN  "{" SHAPES ",\"nodes\":{\"most\":3,\"workers\":2}}"

static void close_site(void)
{
    cluster_close(site);
    site_conf_fini(&conf);
    assert_int_equal(io_remove_tree(dir, NULL), 0);
}

static int64_t soon(void)
{
    return clock_mono_ms() + 500; /* nobody here takes time but one that never answers */
}

static struct order order_of(const char *name)
{
    return (struct order){
        .name = name, .broker = BROKER, .shape = "small", .boot = "{}", .deadline_mono_ms = soon()
    };
}

static enum fault order_one(const char *name)
{
    struct order order = order_of(name);
    struct err err = ERR_INIT;

    return cluster_create(site, &order, &err) < 0 ? err.fault : FAULT_NONE;
}

/* One turn; the resource of that name, NULL: the cluster's.  False: it is not listed. */
static bool listed(const char *name, struct resource *out, char words[512])
{
    struct resources_list list = { .list = NULL };
    struct err err = ERR_INIT;
    bool found = false;

    if (cluster_list(site, BROKER, soon(), &list, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < list.count && !found; i++) {
        const struct resource *one = &list.list[i];

        if (name ? !one->name || strcmp(one->name, name) != 0 : one->name != NULL)
            continue;
        *out = *one;
        snprintf(words, 512, "%s", one->detail ? one->detail : "");
        found = true;
    }
    resource_list_free(&list);
    return found;
}

static void without_an_order_nothing_is_made(void **state)
{
    struct resource resource;
    char words[512];
    struct probe probe = { .shapes = NULL };
    struct err err = ERR_INIT;

    (void)state;
    open_site(PLAIN);
    assert_int_equal(cluster_probe(site, soon(), &probe, &err), 0);
    assert_int_equal(probe.shape_count, 1);
    assert_string_equal(probe.shapes[0].name, "small");
    assert_int_equal(probe.quota_count, 1);
    assert_int_equal(probe.quotas[0].limit, 6);
    assert_int_equal(probe.quotas[0].ours, 0);
    assert_int_equal(probe.credential_end_ms, 12345);
    probe_free(&probe);
    assert_false(listed(NULL, &resource, words));
    assert_int_equal(cloud.made, 0);
    close_site();
}

static void the_first_order_begins_it_and_waits(void **state)
{
    struct order orders[3] = { order_of("a"), order_of("b"), order_of("c") };
    struct err errs[3] = { ERR_INIT, ERR_INIT, ERR_INIT };
    struct resource resource;
    char words[512];

    (void)state;
    open_site(PLAIN);
    cluster_create_many(site, orders, 3, errs);
    for (int i = 0; i < 3; i++)
        assert_int_equal(errs[i].fault, FAULT_NONE);
    assert_int_equal(cloud.made, 1);
    assert_int_equal(cloud.made_nodes, 2); /* three workers, two on a node */
    assert_string_equal(cloud.name, "spillway-1f0c9a2e-cluster-lab");
    /* Magnum does not show it at once. */
    assert_true(listed("b", &resource, words));
    assert_int_equal(resource.state, INSTANCE_BOOTING);
    assert_int_equal(cloud.made, 1);
    cloud.phase = CLUSTER_MAKING;
    assert_int_equal(order_one("a"), FAULT_NONE); /* the same again */
    assert_true(listed("a", &resource, words));
    assert_string_equal(words, "the cluster: it is being made");
    assert_true(listed(NULL, &resource, words));
    assert_true(resource.kept);
    assert_int_equal(resource.state, INSTANCE_BOOTING);
    assert_int_equal(cloud.made, 1);
    close_site();
}

static void a_cloud_that_refuses_ends_the_orders(void **state)
{
    struct resource resource;
    char words[512];

    (void)state;
    open_site(PLAIN);
    cloud.refuse = FAULT_QUOTA;
    assert_int_equal(order_one("a"), FAULT_QUOTA);
    assert_false(listed("a", &resource, words));
    cloud.refuse = FAULT_NONE;
    assert_int_equal(order_one("b"), FAULT_NONE);
    assert_int_equal(cloud.made, 2);
    close_site();
}

static void a_cluster_that_fails_fails_its_orders_and_goes(void **state)
{
    own_buf struct buf text = BUF_INIT(1000);
    struct resource resource;
    char words[512];
    struct err err = ERR_INIT;

    (void)state;
    open_site(PLAIN);
    assert_int_equal(order_one("a"), FAULT_NONE);
    cloud.phase = CLUSTER_BROKEN;
    cloud.words = "CREATE_FAILED: No valid host was found";
    cloud.fault = FAULT_NO_CAPACITY;
    assert_true(listed("a", &resource, words));
    assert_int_equal(resource.state, INSTANCE_FAILED);
    assert_int_equal(resource.fault, FAULT_NO_CAPACITY);
    assert_non_null(strstr(words, "No valid host"));
    assert_int_equal(cluster_diagnose(site, "a", soon(), &text, &err), 0);
    assert_string_equal(buf_text(&text), "master: no valid host\n");
    assert_int_equal(cluster_destroy(site, "a", soon(), &err), 0);
    assert_false(listed("a", &resource, words));
    assert_true(listed(NULL, &resource, words));
    assert_false(resource.kept);
    assert_int_equal(cluster_destroy(site, NULL, soon(), &err), 0);
    assert_int_equal(cloud.removed, 1);
    /* Removing it failed: not at each look again. */
    assert_true(listed(NULL, &resource, words));
    assert_true(resource.kept);
    /* What comes meanwhile waits until it is gone, and gets a new one. */
    cloud.phase = CLUSTER_LEAVING;
    cloud.words = NULL;
    assert_int_equal(order_one("b"), FAULT_NONE);
    assert_int_equal(cloud.made, 1);
    assert_int_equal(cluster_destroy(site, NULL, soon(), &err), 0);
    assert_int_equal(cloud.removed, 1);
    cloud.phase = CLUSTER_ABSENT;
    assert_true(listed("b", &resource, words));
    assert_int_equal(cloud.made, 2);
    close_site();
}

static void an_idle_one_goes_after_its_time(void **state)
{
    struct resource resource;
    char words[512];

    (void)state;
    open_site("{" SHAPES ",\"cluster_idle\":\"1h\"}");
    cloud.phase = CLUSTER_MAKING;
    assert_true(listed(NULL, &resource, words));
    assert_true(resource.kept); /* found at the start: somebody may want it soon */
    close_site();
    open_site("{" SHAPES ",\"cluster_idle\":\"0s\"}");
    cloud.phase = CLUSTER_MAKING;
    assert_true(listed(NULL, &resource, words));
    assert_false(resource.kept);
    assert_int_equal(order_one("a"), FAULT_NONE);
    assert_true(listed(NULL, &resource, words));
    assert_true(resource.kept);
    close_site();
}

static void one_that_never_answers_is_given_up(void **state)
{
    own_str char *text = xasprintf(NOBODY, "token: x");
    struct resource resource;
    char words[512];

    (void)state;
    open_site(PLAIN);
    cloud.kubeconfig = text;
    assert_int_equal(order_one("a"), FAULT_NONE);
    cloud.phase = CLUSTER_UP;
    cloud.nodes = 1;
    assert_true(listed("a", &resource, words));
    assert_int_equal(resource.state, INSTANCE_BOOTING);
    assert_non_null(strstr(words, "does not answer yet: "));
    conf.boot_deadline_ms = -1;
    assert_true(listed("a", &resource, words));
    assert_int_equal(resource.state, INSTANCE_FAILED);
    assert_int_equal(resource.fault, FAULT_TIMEOUT);
    assert_non_null(strstr(words, "not up within the boot deadline"));
    close_site();
}

/* After a restart: whoever reached it once does not take a broken link for its end. */
static void one_that_was_reached_is_only_out_of_reach(void **state)
{
    own_str char *text = xasprintf(NOBODY, "token: x"), *mark = NULL;
    struct resources_list list = { .list = NULL };
    struct err err = ERR_INIT;

    (void)state;
    open_site(PLAIN);
    mark = xasprintf("%s/cluster", dir);
    assert_int_equal(io_replace_file(mark, 0600, "c1", 2, NULL), 0);
    cloud.kubeconfig = text;
    cloud.phase = CLUSTER_UP;
    conf.boot_deadline_ms = -1;
    assert_int_equal(cluster_list(site, BROKER, clock_mono_ms() + 300, &list, &err), -1);
    assert_null(list.list);
    assert_int_equal(cloud.removed, 0);
    close_site();
}

static void a_kubeconfig_from_afar_runs_nothing_here(void **state)
{
    static const char *const users[] = {
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/true}",
        "tokenFile: /etc/hostname", "client-certificate: /etc/hostname, client-key: /etc/hostname"
    };
    struct resource resource;
    char words[512];

    (void)state;
    for (size_t i = 0; i < array_len(users); i++) {
        own_str char *text = xasprintf(NOBODY, users[i]);

        open_site(PLAIN);
        cloud.kubeconfig = text;
        cloud.phase = CLUSTER_UP;
        assert_int_equal(order_one("a"), FAULT_NONE);
        assert_true(listed("a", &resource, words));
        if (!strstr(words, "names programs or files"))
            fail_msg("%s", words);
        close_site();
    }
}

static void keys_are_checked(void **state)
{
    static const struct {
        const char *keys, *wanted;
    } cases[] = {
        { "{}", "needs 'shapes'" },
        { "{" SHAPES ",\"nodes\":{\"most\":0}}", "nodes.most" },
        { "{" SHAPES ",\"nodes\":{\"least\":3,\"most\":2}}", "nodes.most" },
        { "{" SHAPES ",\"nodes\":{\"workers\":0}}", "nodes.workers" },
        { "{" SHAPES ",\"nodes\":{\"max\":3}}", "max" },
        { "{" SHAPES ",\"cluster_idle\":\"soon\"}", "cluster_idle" },
        { "{\"shapes\":{\"a\":{\"cpus\":\"many\"}}}", "cpus" },
    };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        struct site_conf bad;
        struct err err = ERR_INIT;
        void *self = NULL;

        site_conf_init(&bad, "lab", "magnum");
        json_decref(bad.driver);
        bad.driver = json_loads(cases[i].keys, 0, NULL);
        assert_int_equal(cluster_open(&bad, "/nowhere", &maker, NULL, true, &self, &err), -1);
        if (!strstr(err.text, cases[i].wanted))
            fail_msg("'%s' has no '%s'", err.text, cases[i].wanted);
        site_conf_fini(&bad);
    }
}

#define SECOND 1000

static void it_shrinks_when_it_had_too_many_for_a_while(void **state)
{
    struct cluster_size size = {
        .least = 1, .most = 6, .workers = 2, .nodes = 5, .wait_ms = 300 * SECOND
    };

    (void)state;
    assert_int_equal(cluster_size_wanted(&size, 0), 1);
    assert_int_equal(cluster_size_wanted(&size, 3), 2);
    assert_int_equal(cluster_size_wanted(&size, 99), 6);
    assert_int_equal(cluster_size_spare(&size, 3, 1000 * SECOND), 0);
    assert_int_equal(cluster_size_spare(&size, 3, 1299 * SECOND), 0);
    /* Demand comes back for a moment: the wait begins anew. */
    assert_int_equal(cluster_size_spare(&size, 9, 1299 * SECOND), 0);
    assert_int_equal(cluster_size_spare(&size, 3, 1300 * SECOND), 0);
    assert_int_equal(cluster_size_spare(&size, 3, 1599 * SECOND), 0);
    assert_int_equal(cluster_size_spare(&size, 3, 1600 * SECOND), 3);
    /* What could not go then is tried again, but not at each turn. */
    assert_int_equal(cluster_size_spare(&size, 3, 1601 * SECOND), 0);
    assert_int_equal(cluster_size_spare(&size, 0, 1900 * SECOND), 4);
    size.workers = 0;
    assert_int_equal(cluster_size_spare(&size, 0, 9999 * SECOND), 0);
}

static void while_nodes_go_nothing_is_put_on_any(void **state)
{
    struct cluster_size size = { .least = 1, .most = 6, .workers = 2, .nodes = 5 };

    (void)state;
    assert_false(cluster_size_falls(&size, 1000 * SECOND));
    size.grew = true;
    cluster_size_changes(&size, 1000 * SECOND);
    assert_false(cluster_size_falls(&size, 1000 * SECOND));
    /* Somebody changes it, and it was not we who make it larger: after a restart, that may be us. */
    size.grew = false;
    cluster_size_changes(&size, 1000 * SECOND);
    cluster_size_changes(&size, 1100 * SECOND);
    assert_true(cluster_size_falls(&size, 1159 * SECOND));
    assert_false(cluster_size_falls(&size, 1160 * SECOND));
    /* What we began is believed to go on until it is seen to, or for a minute. */
    cluster_size_ask(&size, false, 2000 * SECOND);
    assert_true(cluster_size_falls(&size, 2001 * SECOND));
    assert_true(cluster_size_is_asked(&size, 2059 * SECOND));
    assert_false(cluster_size_is_asked(&size, 2060 * SECOND));
    cluster_size_ask(&size, true, 3000 * SECOND);
    assert_false(cluster_size_falls(&size, 3001 * SECOND));
    cluster_size_changes(&size, 3002 * SECOND);
    assert_false(cluster_size_is_asked(&size, 3003 * SECOND));
    assert_false(cluster_size_falls(&size, 3003 * SECOND));
}

#define A "0a000000-0000-4000-8000-000000000001"
#define B "0b000000-0000-4000-8000-000000000002"
#define C "0c000000-0000-4000-8000-000000000003"

/* A master, and a machine that is none of the cluster's, are never named, however idle. */
static void only_its_own_workers_are_taken_away(void **state)
{
    own_json json_t *workers = json_loads("[\"10.0.0.2\", 7, \"10.0.0.3\"]", 0, NULL);
    char a[] = A, b[] = B, c[] = C;
    struct kube_node nodes[] = {
        { a, json_loads("[{\"type\":\"InternalIP\",\"address\":\"10.0.0.1\"}]", 0, NULL) },
        { b, json_loads("[{\"type\":\"Hostname\",\"address\":\"n\"},{\"address\":\"10.0.0.2\"}]", 0,
                        NULL) },
        { c, json_loads("[7, {\"address\":7}, {\"address\":\"10.0.0.3\"}]", 0, NULL) },
        { c, NULL },
    };
    const struct kube_nodes idle = { nodes, array_len(nodes) };
    own_json json_t *all = magnum_pick(workers, &idle, 9), *one = magnum_pick(workers, &idle, 1);
    own_json json_t *none = magnum_pick(NULL, &idle, 9);

    (void)state;
    assert_int_equal(json_array_size(all), 2);
    assert_string_equal(json_string_value(json_array_get(all, 0)), B);
    assert_string_equal(json_string_value(json_array_get(all, 1)), C);
    assert_int_equal(json_array_size(one), 1);
    assert_int_equal(json_array_size(none), 0);
    for (size_t i = 0; i < array_len(nodes); i++)
        json_decref(nodes[i].addresses);
}

static void members_of_a_group_as_heat_shows_them(void **state)
{
    own_json json_t *resources =
        json_loads("[{\"resource_type\":\"OS::Nova::Server\",\"physical_resource_id\":\"" A "\"},"
                   " {\"resource_type\":\"OS::Nova::Server\",\"physical_resource_id\":\"" B "\","
                   "  \"parent_resource\":\"workers\"},"
                   " {\"resource_type\":\"OS::Neutron::Port\",\"physical_resource_id\":\"" C "\","
                   "  \"parent_resource\":\"workers\"}, 7, {\"resource_type\":null}]",
                   0, NULL);
    own_json json_t *members = stack_members_of(resources), *none = stack_members_of(NULL);

    (void)state;
    assert_non_null(resources);
    assert_int_equal(json_object_size(members), 1);
    assert_true(json_is_true(json_object_get(members, B)));
    assert_int_equal(json_object_size(none), 0);
}

static void words_for_states(void **state)
{
    static const struct {
        const char *status;
        enum cluster_phase phase;
    } cases[] = {
        { "CREATE_IN_PROGRESS", CLUSTER_MAKING },  { "CREATE_COMPLETE", CLUSTER_UP },
        { "CREATE_FAILED", CLUSTER_BROKEN },       { "UPDATE_IN_PROGRESS", CLUSTER_CHANGING },
        { "UPDATE_COMPLETE", CLUSTER_UP },         { "UPDATE_FAILED", CLUSTER_UP },
        { "DELETE_IN_PROGRESS", CLUSTER_LEAVING }, { "DELETE_FAILED", CLUSTER_BROKEN },
        { "DELETE_COMPLETE", CLUSTER_LEAVING },    { "ROLLBACK_COMPLETE", CLUSTER_UP },
        { "CHECK_IN_PROGRESS", CLUSTER_CHANGING }, { "SNAPSHOT_COMPLETE", CLUSTER_UP },
    };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++)
        assert_int_equal(cluster_phase_of(cases[i].status), cases[i].phase);
}

static void assert_output(const char *json, const char *wanted)
{
    own_json json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    own_buf struct buf out = BUF_INIT(100);
    struct err err = ERR_INIT;
    int rc = kubeconfig_of_output(value, &out, &err);

    assert_int_equal(rc, wanted ? 0 : -1);
    if (wanted)
        assert_string_equal(buf_text(&out), wanted);
}

static void outputs_as_templates_give_them(void **state)
{
    (void)state;
    assert_output("\"a: b\\n\"", "a: b\n");
    assert_output("\"YTogYg==\"", "a: b");
    assert_output("{\"1\": \"YTogYg==\"}", "a: b");
    assert_output("\"{\\\"1\\\": \\\"YTogYg==\\\"}\"", "a: b");
    assert_output("\"{\\\"1\\\": \\\"a: b\\\"}\"", "a: b");
    assert_output("\"{\\\"apiVersion\\\": \\\"v1\\\"}\"", "{\"apiVersion\": \"v1\"}");
    assert_output("null", NULL);
    assert_output("\"\"", NULL);
    assert_output("3", NULL);
    assert_output("{}", NULL);
    assert_output("{\"1\": {\"2\": \"a: b\"}}", NULL);
    assert_output("\"not base64\"", NULL);
    assert_output("{\"1\": \"a: b\", \"2\": \"a: b\"}", NULL);
}

static void a_request_names_whose_it_is(void **state)
{
    char *key = NULL, *request = NULL, name[256];
    struct err err = ERR_INIT;
    X509_REQ *read;
    EVP_PKEY *pair;
    BIO *bio;

    (void)state;
    assert_int_equal(pair_make(&key, &request, &err), 0);
    bio = BIO_new_mem_buf(request, -1);
    read = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(read);
    bio = BIO_new_mem_buf(key, -1);
    pair = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(pair);
    assert_int_equal(X509_REQ_verify(read, pair), 1);
    X509_NAME_oneline(X509_REQ_get_subject_name(read), name, sizeof name);
    assert_string_equal(name, "/CN=admin/O=system:masters");
    EVP_PKEY_free(pair);
    X509_REQ_free(read);
    free(key);
    free(request);
}

static void a_cluster_as_magnum_shows_it(void **state)
{
    own_json json_t *up = json_loads(
        "{\"uuid\":\"c1\",\"status\":\"CREATE_COMPLETE\",\"status_reason\":null,\"node_count\":2,"
        "\"node_addresses\":[\"10.0.0.50\"],\"created_at\":\"2026-11-24T12:37:29+00:00\",\"api_"
        "address\":\"https://10.0.0.49:6443\"}",
        0, NULL);
    own_json json_t *failed = json_loads(
        "{\"uuid\":\"c1\",\"status\":\"UPDATE_FAILED\",\"status_reason\":\"Quota exceeded\","
        "\"node_count\":\"x\",\"api_address\":null}",
        0, NULL);
    own_json json_t *none = json_loads("{\"uuid\":3}", 0, NULL);
    struct magnum_cluster cluster = { .api = NULL };
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(magnum_read(up, &cluster, &err), 0);
    assert_int_equal(cluster.seen.phase, CLUSTER_UP);
    assert_int_equal(cluster.seen.nodes, 2);
    assert_int_equal(cluster.seen.created_ms, 1795523849000);
    assert_null(cluster.seen.words);
    assert_string_equal(cluster.api, "https://10.0.0.49:6443");
    assert_int_equal(json_array_size(cluster.workers), 1);
    magnum_cluster_fini(&cluster);
    assert_int_equal(magnum_read(failed, &cluster, &err), 0);
    assert_int_equal(cluster.seen.phase, CLUSTER_UP);
    assert_int_equal(cluster.seen.fault, FAULT_QUOTA);
    assert_string_equal(cluster.seen.words, "UPDATE_FAILED: Quota exceeded");
    assert_int_equal(cluster.seen.nodes, -1);
    assert_null(cluster.api);
    magnum_cluster_fini(&cluster);
    assert_int_equal(magnum_read(none, &cluster, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_order_nothing_is_made),
        cmocka_unit_test(the_first_order_begins_it_and_waits),
        cmocka_unit_test(a_cloud_that_refuses_ends_the_orders),
        cmocka_unit_test(a_cluster_that_fails_fails_its_orders_and_goes),
        cmocka_unit_test(an_idle_one_goes_after_its_time),
        cmocka_unit_test(one_that_never_answers_is_given_up),
        cmocka_unit_test(one_that_was_reached_is_only_out_of_reach),
        cmocka_unit_test(a_kubeconfig_from_afar_runs_nothing_here),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(it_shrinks_when_it_had_too_many_for_a_while),
        cmocka_unit_test(while_nodes_go_nothing_is_put_on_any),
        cmocka_unit_test(only_its_own_workers_are_taken_away),
        cmocka_unit_test(members_of_a_group_as_heat_shows_them),
        cmocka_unit_test(words_for_states),
        cmocka_unit_test(outputs_as_templates_give_them),
        cmocka_unit_test(a_request_names_whose_it_is),
        cmocka_unit_test(a_cluster_as_magnum_shows_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
