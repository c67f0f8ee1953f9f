/* SPDX-License-Identifier: Apache-2.0 */
/* userdata.c - what a server is told at its first boot.  Pure.
 *
 * Three files: the boot payload, a script that fetches the agent, checks its hash and starts it,
 * and a systemd unit.  The agent removes the payload once it has read it, and goes on by --resume
 * after a reboot.  JSON is YAML, so that one library writes cloud-config and Ignition alike. */
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "net/hash.h"
#include "sites/openstack/openstack.h"

#define HOME "/var/lib/spillway"

/* The fetch is not trusted, whoever answers it: only the hash, which came with the user data, is.
 */
static const char script[] =
    "#!/bin/sh\n"
    "# Fetch Spillway's agent, check it, run it.  Written at the first boot.\n"
    "cd " HOME " || exit 1\n"
    ". ./agent.conf\n"
    "right() { test \"$(sha256sum agent 2>/dev/null | cut -d' ' -f1)\" = \"$SHA256\"; }\n"
    "fetch() {\n"
    "    rm -f agent.new\n"
    "    if command -v curl >/dev/null; then curl -fsSLk -m 300 -o agent.new \"$URL\"\n"
    "    elif command -v wget >/dev/null; then wget -q -T 300 --no-check-certificate -O agent.new "
    "\"$URL\"\n"
    "    else python3 -c 'import ssl, sys, urllib.request as u\n"
    "c = ssl.create_default_context(); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE\n"
    "open(\"agent.new\", \"wb\").write(u.urlopen(sys.argv[1], context=c).read())' \"$URL\"\n"
    "    fi && mv agent.new agent\n"
    "}\n"
    "disk() {\n" /* the device of a volume: its serial begins with the volume's id */
    "    tries=0\n"
    "    until for d in /dev/disk/by-id/*\"$(echo \"$1\" | cut -c1-20)\"*; do test -b \"$d\" && "
    "break; "
    "done\n"
    "    do\n"
    "        tries=$((tries + 1))\n"
    "        test $tries -le 60 || { echo \"spillway: volume $1 does not show\" >&2; exit 1; }\n"
    "        sleep 1\n"
    "    done\n"
    "}\n"
    "mkdir -p -m 700 work\n"
    "if test -n \"$SCRATCH\" && ! grep -q \" $PWD/work \" /proc/mounts; then\n"
    "    disk \"$SCRATCH\"\n"
    "    blkid \"$d\" >/dev/null || mkfs.ext4 -q \"$d\" || exit 1\n"
    "    mount \"$d\" work && chmod 700 work || exit 1\n"
    "fi\n"
    "if test -n \"$KEPT\" && ! grep -q \" $MOUNT \" /proc/mounts; then\n"
    "    disk \"$KEPT\"\n"
    "    mkdir -p \"$MOUNT\"\n"
    "    mount \"$d\" \"$MOUNT\" || mount -o ro \"$d\" \"$MOUNT\" || exit 1\n"
    "fi\n"
    "tries=0\n"
    "until right; do\n"
    "    tries=$((tries + 1))\n"
    "    test $tries -le 60 || { echo 'spillway: no agent, giving up' >&2; exit 1; }\n"
    "    fetch && right && break\n"
    "    echo \"spillway: the agent at $URL cannot be fetched or has another hash\" >&2\n"
    "    sleep 5\n"
    "done\n"
    "chmod 755 agent\n"
    "test ! -e boot.json || exec ./agent --boot boot.json\n"
    "exec ./agent --resume " HOME "/work\n";

static const char unit[] = "[Unit]\n"
                           "Description=Spillway agent\n"
                           "Wants=network-online.target\n"
                           "After=network-online.target\n"
                           "[Service]\n"
                           "ExecStart=/bin/sh " HOME "/start\n"
                           "Restart=on-failure\n"
                           "RestartSec=5\n"
                           "KillMode=process\n"
                           "[Install]\n"
                           "WantedBy=multi-user.target\n";

static const char launch[] = "if test -d /run/systemd/system; then\n"
                             "    systemctl daemon-reload\n"
                             "    systemctl enable spillway-agent.service\n"
                             "    systemctl start --no-block spillway-agent.service\n"
                             "else\n"
                             "    setsid nohup /bin/sh " HOME "/start </dev/null "
                             ">" HOME "/start.log 2>&1 &\n"
                             "fi\n";

/* A session whose other end is gone must not keep the port from the next one. */
static const char sshd_conf[] = "Match User %s\n"
                                "    ClientAliveInterval 10\n"
                                "    ClientAliveCountMax 3\n";
#define SSHD_CONF "/etc/ssh/sshd_config.d/10-spillway.conf"
#define HOST_KEY  "/etc/ssh/ssh_host_ed25519_key"

/* One who may have sshd listen there, and nothing else. */
static char *authorized(const struct user_data_ssh *ssh)
{
    return xasprintf("restrict,port-forwarding,permitlisten=\"127.0.0.1:%d\" %s", ssh->port,
                     ssh->login_line);
}

static json_t *cloud_file(const char *path, const char *mode, const char *text)
{
    return json_pack("{s:s, s:s, s:s}", "path", path, "permissions", mode, "content", text);
}

/* cloud-init puts keys and user in place before sshd starts.  A user of the system's would have no
 * home for sshd to look into. */
static void cloud_add_ssh(json_t *config, const struct user_data_ssh *ssh)
{
    own_str char *key = authorized(ssh), *conf = xasprintf(sshd_conf, ssh->user);

    json_array_append_new(json_object_get(config, "write_files"),
                          cloud_file(SSHD_CONF, "0644", conf));
    json_object_set_new(config, "ssh_keys",
                        json_pack("{s:s, s:s}", "ed25519_private", ssh->host_key, "ed25519_public",
                                  ssh->host_line));
    json_object_set_new(config, "users",
                        json_pack("[s, {s:s, s:s, s:b, s:[s]}]", "default", "name", ssh->user,
                                  "shell", "/usr/sbin/nologin", "lock_passwd", 1,
                                  "ssh_authorized_keys", key));
}

static json_t *cloud_config(const char *boot, const char *conf, const struct user_data_ssh *ssh)
{
    json_t *config = json_pack(
        "{s:[o,o,o,o], s:[[s,s,s]]}", "write_files", cloud_file(HOME "/boot.json", "0600", boot),
        cloud_file(HOME "/agent.conf", "0600", conf), cloud_file(HOME "/start", "0755", script),
        cloud_file("/etc/systemd/system/spillway-agent.service", "0644", unit), "runcmd", "/bin/sh",
        "-c", launch);

    if (ssh)
        cloud_add_ssh(config, ssh);
    return config;
}

static json_t *ignition_file(const char *path, int mode, const char *text)
{
    own_buf struct buf url = BUF_INIT(USER_DATA_MOST);

    buf_puts(&url, "data:;base64,");
    buf_put_base64(&url, text, strlen(text));
    return json_pack("{s:s, s:i, s:b, s:{s:s}}", "path", path, "mode", mode, "overwrite", 1,
                     "contents", "source", buf_text(&url));
}

static void ignition_add_ssh(json_t *config, const struct user_data_ssh *ssh)
{
    own_str char *key = authorized(ssh), *conf = xasprintf(sshd_conf, ssh->user);
    own_str char *line = xasprintf("%s\n", ssh->host_line);
    json_t *files = json_object_get(json_object_get(config, "storage"), "files");

    json_array_append_new(files, ignition_file(HOST_KEY, 0600, ssh->host_key));
    json_array_append_new(files, ignition_file(HOST_KEY ".pub", 0644, line));
    json_array_append_new(files, ignition_file(SSHD_CONF, 0644, conf));
    json_object_set_new(config, "passwd",
                        json_pack("{s:[{s:s, s:s, s:[s]}]}", "users", "name", ssh->user, "shell",
                                  "/usr/sbin/nologin", "sshAuthorizedKeys", key));
}

static json_t *ignition(const char *boot, const char *conf, const struct user_data_ssh *ssh)
{
    json_t *config = json_pack(
        "{s:{s:s}, s:{s:[o,o,o]}, s:{s:[{s:s, s:b, s:s}]}}", "ignition", "version", "3.0.0",
        "storage", "files", ignition_file(HOME "/boot.json", 0600, boot),
        ignition_file(HOME "/agent.conf", 0600, conf), ignition_file(HOME "/start", 0755, script),
        "systemd", "units", "name", "spillway-agent.service", "enabled", 1, "contents", unit);

    if (ssh)
        ignition_add_ssh(config, ssh);
    return config;
}

/* The broker's payload with what only this kind of site knows: where to work, and that the machine
 * is the agent's own to switch off. */
static char *boot_text(const char *order_boot, struct err *err)
{
    own_json json_t *boot = json_parse(order_boot, strlen(order_boot), err);

    if (!boot)
        return NULL;
    json_object_set_new(boot, "dir", json_string(HOME "/work"));
    json_object_set_new(boot, "poweroff", json_true());
    return json_dumps(boot, JSON_COMPACT);
}

static int check_url(const char *url, struct err *err)
{
    if ((strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0) ||
        strpbrk(url, "'\"\\ \n\t$`"))
        return err_set(err, FAULT_INVALID,
                       "workers of this site cannot reach the broker at %.200s; set broker.listen "
                       "and broker.url, or the site's url",
                       url);
    return 0;
}

int user_data_make(const struct user_data *what, char **out, struct err *err)
{
    own_buf struct buf base64 = BUF_INIT(USER_DATA_MOST);
    own_str char *conf =
        xasprintf("URL='%s'\nSHA256=%s\nSCRATCH='%s'\nKEPT='%s'\nMOUNT='%s'\n", what->agent_url,
                  what->sha256, what->scratch ? what->scratch : "", what->kept ? what->kept : "",
                  what->mount ? what->mount : "");
    own_str char *boot = NULL, *text = NULL, *whole = NULL;
    own_json json_t *document = NULL;
    bool fits;

    if (check_url(what->agent_url, err) < 0 || !(boot = boot_text(what->boot, err)))
        return -1;
    document =
        what->ignition ? ignition(boot, conf, what->ssh) : cloud_config(boot, conf, what->ssh);
    text = json_dumps(document, JSON_COMPACT);
    whole = xasprintf("%s%s\n", what->ignition ? "" : "#cloud-config\n", text);
    fits = buf_put_base64(&base64, whole, strlen(whole)) == 0;
    explicit_bzero(boot, strlen(boot));
    explicit_bzero(text, strlen(text));
    explicit_bzero(whole, strlen(whole));
    if (!fits)
        return err_set(err, FAULT_INVALID, "user data would have more than %d bytes",
                       USER_DATA_MOST);
    *out = buf_take(&base64);
    return 0;
}
