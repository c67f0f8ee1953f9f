/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - spillwayd: start order from top to bottom, stop order its mirror image. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "api/api.h"
#include "base/io.h"
#include "base/log.h"
#include "base/own.h"
#include "broker.h"
#include "conf/broker.h"
#include "cron/timer.h"
#include "notify/notify.h"
#include "sites/site.h"

struct options {
    const char *config, *state, *listen;
};

static const char usage[] =
    "Usage: spillwayd [--config FILE] [--state DIR] [--listen ADDR:PORT]\n"
    "\n"
    "The Spillway broker.  Runs in the foreground, logs to standard error.  With no options it "
    "serves\n"
    "the Unix socket spillway.sock in $XDG_STATE_HOME/spillway or ~/.local/state/spillway and "
    "offers one\n"
    "site, `local`: this machine.\n"
    "\n"
    "  --config FILE       sites and settings (spillway-site(5))\n"
    "  --state DIR         database, logs, results and socket\n"
    "  --listen ADDR:PORT  also serve the API over TCP, with TLS\n"
    "  --check             read the configuration, say what is wrong with it, and end\n"
    "  --help, --version\n"
    "\n"
    "SIGTERM ends it within seconds and leaves its workers to run on; SIGHUP reads the "
    "configuration anew.\n"
    "\n"
    "Example:  spillwayd --config /etc/spillway/spillway.yaml\n";

/* Takes the place of what the file says. */
static void apply_options(struct broker_conf *conf, const struct options *options)
{
    if (options->state) {
        char *full = realpath(options->state, NULL);

        free(conf->state);
        conf->state = full ? full : xstrdup(options->state);
    }
    if (options->listen) {
        free(conf->listen);
        conf->listen = xstrdup(options->listen);
    }
}

static int load_conf(const struct options *options, struct broker_conf *conf, struct err *err)
{
    /* A state directory given by hand must exist before its full name can be known. */
    if (options->state && io_mkdirs(options->state, 0700, err) < 0)
        return -1;
    if (broker_conf_load(options->config, conf, err) < 0)
        return -1;
    apply_options(conf, options);
    for (size_t i = 0; conf->warnings && conf->warnings[i]; i++)
        log_warn("%s", conf->warnings[i]);
    return 0;
}

/* One daemon on one state directory: the lock dies with the process. */
static int take_state(const char *state, int *lock, struct err *err)
{
    own_str char *path = xasprintf("%s/lock", state);

    if (io_mkdirs(state, 0700, err) < 0)
        return -1;
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*lock < 0)
        return err_sys(err, "open %s", path);
    if (flock(*lock, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, FAULT_CONFLICT,
                       "another spillwayd runs on %s; end it first, or give another --state",
                       state);
    return 0;
}

/* sd_notify(3), by its protocol: one datagram to $NOTIFY_SOCKET. */
static void tell_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    own_fd int fd = -1;
    size_t length;

    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    length = strlen(path);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
}

struct daemon {
    struct options options;
    struct broker_conf *conf;
    struct broker *broker;
    struct api *api;
    struct timer *timer; /* of schedules */
    struct notify *notify;
    sigset_t signals;
};

static void conf_free(struct broker_conf *conf)
{
    broker_conf_free(conf);
    free(conf);
}

/* Without it notices wait; that is no reason for jobs to. */
static void start_notify(struct daemon *daemon)
{
    struct err err = ERR_INIT;

    if (notify_start(broker_store(daemon->broker), daemon->conf, &daemon->notify, &err) < 0)
        log_error("no notices are sent: %s", err.text);
}

static void reload(struct daemon *daemon)
{
    struct broker_conf *conf = xcalloc(1, sizeof *conf), *old = daemon->conf;
    struct err err = ERR_INIT;

    tell_systemd("RELOADING=1");
    if (load_conf(&daemon->options, conf, &err) < 0) {
        log_error("the configuration stays as it was: %s", err.text);
        free(conf);
    } else {
        if (broker_reload(daemon->broker, conf, &err) < 0)
            log_error("reading the configuration anew: %s", err.text);
        api_reload(daemon->api, conf);
        /* Readers of the old one are done once both have returned. */
        daemon->conf = conf;
        notify_stop(take_ptr(daemon->notify));
        start_notify(daemon);
        conf_free(old);
        log_info("configuration read anew: sites=%zu", conf->site_count);
    }
    tell_systemd("READY=1");
}

static void serve(struct daemon *daemon)
{
    int signal = 0;

    for (;;) {
        if (sigwait(&daemon->signals, &signal) != 0)
            continue;
        if (signal != SIGHUP)
            break;
        reload(daemon);
    }
    log_info("ending (%s); workers run on", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    tell_systemd("STOPPING=1");
}

/* A schedule's next run that wants its workers ahead of time. */
static void coming(void *arg, int64_t schedule, const struct coming_run *run)
{
    struct daemon *daemon = arg;

    broker_coming(daemon->broker, schedule, run);
}

/* Where the rules cannot be read, they are not taken to have changed. */
static bool may_make(void *arg, const char *user, const char *project, struct open_most *most,
                     struct err *why)
{
    struct daemon *daemon = arg;

    *most = api_open_most(daemon->api, user);
    return api_user_may(daemon->api, user, project, why) == 0 || why->fault != FAULT_AUTH;
}

static int start(struct daemon *daemon, struct err *err)
{
    struct timer_options schedules = {
        .hooks = { .coming = coming, .may = may_make, .arg = daemon },
    };

    if (broker_open(daemon->conf, &daemon->broker, err) < 0 ||
        api_open(daemon->broker, daemon->conf, &daemon->api, err) < 0)
        return -1;
    broker_set_pin(daemon->broker, api_pin(daemon->api));
    schedules.store = broker_store(daemon->broker);
    if (broker_start(daemon->broker, err) < 0 || timer_start(&schedules, &daemon->timer, err) < 0 ||
        api_start(daemon->api, err) < 0)
        return -1;
    start_notify(daemon);
    log_info("ready: version=%s socket=%s sites=%zu", SPILLWAY_VERSION, api_socket(daemon->api),
             daemon->conf->site_count);
    tell_systemd("READY=1");
    return 0;
}

static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int run(struct options options)
{
    struct daemon daemon = { .options = options, .conf = xcalloc(1, sizeof *daemon.conf) };
    struct err err = ERR_INIT;
    own_fd int lock = -1;
    int rc = 1;

    block_signals(&daemon.signals);
    if (load_conf(&options, daemon.conf, &err) < 0) {
        fprintf(stderr, "spillwayd: %s\n", err.text);
        free(daemon.conf);
        return 2;
    }
    log_open("spillwayd", (enum log_level)daemon.conf->log_level);
    umask(0077);
    if (take_state(daemon.conf->state, &lock, &err) == 0 && start(&daemon, &err) == 0) {
        serve(&daemon);
        rc = 0;
    } else {
        log_error("%s", err.text);
    }
    if (daemon.api)
        api_stop(daemon.api);
    timer_stop(daemon.timer);
    notify_stop(daemon.notify);
    /* The streams that the API holds open ask the broker, so it goes after them. */
    if (daemon.broker)
        broker_on_events(daemon.broker, NULL, NULL);
    broker_close(daemon.broker);
    api_close(daemon.api);
    conf_free(daemon.conf);
    return rc;
}

/* A site's own keys are its driver's to judge; opening one asks nothing of the network.  What spoilt
 * an entry as a whole was told when it was read. */
static size_t check_sites(const struct broker_conf *conf)
{
    size_t broken = 0;

    for (size_t i = 0; i < conf->site_count; i++) {
        struct site *site = NULL;
        struct err err = ERR_INIT;

        if (!conf->sites[i].fault && site_open(&conf->sites[i], conf->state, &site, &err) < 0) {
            fprintf(stderr, "%s\n", err.text);
            broken++;
        }
        site_close(site);
    }
    return broken;
}

static int check(const struct options *options)
{
    struct broker_conf conf = { .file = NULL };
    struct err err = ERR_INIT;
    int rc = load_conf(options, &conf, &err);
    size_t broken = rc < 0 ? 1 : check_sites(&conf);

    if (rc < 0)
        fprintf(stderr, "%s\n", err.text);
    else if (!broken && !conf.warnings)
        printf("%s: %zu %s\n", options->config ? options->config : "defaults", conf.site_count,
               conf.site_count == 1 ? "site" : "sites");
    rc = broken || conf.warnings ? 1 : 0;
    broker_conf_free(&conf);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        { "config", required_argument, NULL, 'c' },
        { "state", required_argument, NULL, 's' },
        { "listen", required_argument, NULL, 'l' },
        { "check", no_argument, NULL, 'k' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    struct options options = { .config = NULL };
    bool only_check = false;
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            options.config = optarg;
            break;
        case 's':
            options.state = optarg;
            break;
        case 'l':
            options.listen = optarg;
            break;
        case 'k':
            only_check = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'V':
            printf("spillwayd %s\n", SPILLWAY_VERSION);
            return 0;
        default:
            fputs("Try 'spillwayd --help'.\n", stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "spillwayd: unexpected '%s'; try 'spillwayd --help'\n", argv[optind]);
        return 2;
    }
    log_open("spillwayd", LOG_LEVEL_INFO);
    return only_check ? check(&options) : run(options);
}
