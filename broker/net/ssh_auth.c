/* SPDX-License-Identifier: Apache-2.0 */
/* ssh_auth.c - who the other host is, and who we are to it. */
#include <errno.h>
#include <glob.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "net/known_hosts.h"
#include "net/ssh_internal.h"
#include "net/ssh_rsa.h"

#define CONFIG_MOST ((size_t)1 << 20)
#define KNOWN_MOST  ((size_t)16 << 20)
#define FILES_MOST  256

const char *ssh_local_user(void)
{
    static _Thread_local char name[64];
    struct passwd entry_room, *entry = NULL;
    char text[4096];

    if (getpwuid_r(geteuid(), &entry_room, text, sizeof text, &entry) != 0)
        entry = NULL;
    snprintf(name, sizeof name, "%s", entry ? entry->pw_name : "nobody");
    return name;
}

static const char *home(void)
{
    const char *text = getenv("HOME");

    return text ? text : "/";
}

/* ---- configuration ---------------------------------------------------------------------------
 */

/* Files that Include names: relative ones lie in ~/.ssh. */
static int included(void *arg, const char *pattern,
                    int (*take)(void *to, const char *path, const char *text, struct err *err),
                    void *to, struct err *err)
{
    own_str char *full = pattern[0] == '/'   ? xstrdup(pattern)
                         : pattern[0] == '~' ? xasprintf("%s%s", home(), pattern + 1)
                                             : xasprintf("%s/.ssh/%s", home(), pattern);
    glob_t found = { .gl_pathc = 0 };
    int rc = 0;

    (void)arg;
    if (glob(full, 0, NULL, &found) != 0)
        return 0; /* as ssh does */
    for (size_t i = 0; rc == 0 && i < found.gl_pathc && i < FILES_MOST; i++) {
        own_buf struct buf text = BUF_INIT(CONFIG_MOST);

        rc = buf_read_file(&text, found.gl_pathv[i], err) < 0
                 ? -1
                 : take(to, found.gl_pathv[i], buf_text(&text), err);
    }
    globfree(&found);
    return rc;
}

static int add_file(struct ssh_config *config, const char *path, bool must, struct err *err)
{
    own_buf struct buf text = BUF_INIT(CONFIG_MOST);

    if (access(path, F_OK) < 0)
        return must ? err_sys(err, "%s", path) : 0;
    if (buf_read_file(&text, path, err) < 0)
        return -1;
    return ssh_config_add(config, ssh_local_user(), path, buf_text(&text), included, NULL, err);
}

struct ssh_config *ssh_resolve(const struct ssh *ssh, struct err *err)
{
    struct ssh_config *config = xcalloc(1, sizeof *config);
    own_str char *usual = xasprintf("%s/.ssh/config", home());

    ssh_config_init(config, ssh->host);
    if (ssh->wanted_user)
        config->user = xstrdup(ssh->wanted_user);
    config->port = ssh->wanted_port;
    if (ssh->wanted_jump)
        config->proxy_jump = xstrdup(ssh->wanted_jump);
    if (add_file(config, ssh->config_path ? ssh->config_path : usual, ssh->config_path != NULL,
                 err) < 0 ||
        (!ssh->config_path && add_file(config, "/etc/ssh/ssh_config", false, err) < 0)) {
        ssh_resolve_free(config);
        return NULL;
    }
    return config;
}

void ssh_resolve_free(struct ssh_config *config)
{
    if (!config)
        return;
    ssh_config_fini(config);
    free(config);
}

/* ---- the host's key -------------------------------------------------------------------------
 */

static int add_known(const struct ssh_config *config, const char *file, struct buf *out,
                     struct err *err)
{
    own_buf struct buf path = BUF_INIT(4096);

    ssh_config_expand(config, home(), ssh_local_user(), file, &path);
    if (strcmp(file, "none") == 0 || access(buf_text(&path), F_OK) < 0)
        return 0;
    if (buf_read_file(out, buf_text(&path), err) < 0)
        return err_wrap(err, "known hosts");
    return buf_putc(out, '\n');
}

int ssh_known_text(const struct ssh_config *config, struct buf *out, struct err *err)
{
    static const char *const usual[] = { "~/.ssh/known_hosts", "~/.ssh/known_hosts2" };
    static const char *const global[] = { "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2" };

    out->cap = KNOWN_MOST;
    for (size_t i = 0; i < config->known_file_count; i++)
        if (add_known(config, config->known_files[i], out, err) < 0)
            return -1;
    for (size_t i = 0; i < array_len(usual) && !config->known_file_count; i++)
        if (add_known(config, usual[i], out, err) < 0)
            return -1;
    for (size_t i = 0; i < config->global_file_count; i++)
        if (add_known(config, config->global_files[i], out, err) < 0)
            return -1;
    for (size_t i = 0; i < array_len(global) && !config->global_file_count; i++)
        if (add_known(config, global[i], out, err) < 0)
            return -1;
    return 0;
}

/* What may be asked for: never a certificate, which libssh2 cannot check.  1.10 offers those of ECDSA
 * all the same, and a server that shows one would end this process. */
static const struct {
    const char *type, *algorithms;
} host_keys[] = { { "ssh-ed25519", "ssh-ed25519" },
                  { "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256" },
                  { "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384" },
                  { "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521" },
                  { "ssh-rsa", "rsa-sha2-512,rsa-sha2-256,ssh-rsa" } };

static bool has_type(const struct buf *types, const char *type)
{
    own_str char *list = xasprintf(",%s,", buf_text(types));
    own_str char *one = xasprintf(",%s,", type);

    return strstr(list, one) != NULL;
}

void ssh_prefer_known(LIBSSH2_SESSION *session, const char *known, const char *name)
{
    own_buf struct buf types = BUF_INIT(4096), wanted = BUF_INIT(4096), all = BUF_INIT(4096);

    known_hosts_types(known, name, &types);
    for (size_t i = 0; i < array_len(host_keys); i++) {
        buf_printf(&all, "%s%s", all.length ? "," : "", host_keys[i].algorithms);
        if (has_type(&types, host_keys[i].type))
            buf_printf(&wanted, "%s%s", wanted.length ? "," : "", host_keys[i].algorithms);
    }
    libssh2_session_method_pref(session, LIBSSH2_METHOD_HOSTKEY,
                                buf_text(wanted.length ? &wanted : &all));
}

int ssh_handshake_fault(LIBSSH2_SESSION *session, const char *known, const char *name,
                        struct err *err)
{
    own_buf struct buf types = BUF_INIT(4096);
    int code = libssh2_session_last_errno(session);

    known_hosts_types(known, name, &types);
    if (code != LIBSSH2_ERROR_KEX_FAILURE && code != LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE)
        return 0;
    if (ssh_rsa_needed() && strcmp(buf_text(&types), "ssh-rsa") == 0)
        return err_set(err, FAULT_AUTH,
                       "known_hosts has only an RSA key of %s, and libssh2 %s cannot check the "
                       "signatures that servers make with one today: add its Ed25519 or ECDSA key "
                       "once it was confirmed (ssh-keyscan -t ed25519 shows it)",
                       name, libssh2_version(0));
    return err_set(
        err, FAULT_AUTH,
        "%s and libssh2 %s agree on no key exchange; of its host keys %s can be used here "
        "(no certificate can, and no RSA key before libssh2 1.11)",
        name, libssh2_version(0), types.length ? buf_text(&types) : "Ed25519 and ECDSA ones");
}

static void fingerprint(LIBSSH2_SESSION *session, struct buf *out)
{
    const char *hash = libssh2_hostkey_hash(session, LIBSSH2_HOSTKEY_HASH_SHA256);

    buf_puts(out, "SHA256:");
    if (hash)
        buf_put_base64(out, hash, 32);
    while (out->length && out->data[out->length - 1] == '=')
        out->data[--out->length] = '\0';
}

static int given_refused(const char *name, const char *type, const char *print, struct err *err)
{
    return err_set(
        err, FAULT_AUTH,
        "THE HOST KEY OF %s IS NOT ITS OWN: it shows %s %s, and was given another when it "
        "was made.  Somebody may stand in between, or its image makes keys of its own.  "
        "Nothing was sent",
        name, type, print);
}

int ssh_verify_host(LIBSSH2_SESSION *session, const char *known, const char *name, bool given,
                    struct err *err)
{
    own_buf struct buf print = BUF_INIT(128);
    own_str char *type = NULL;
    size_t length = 0;
    int kind = 0;
    const unsigned char *key =
        (const unsigned char *)libssh2_session_hostkey(session, &length, &kind);
    size_t type_length = 0;

    if (key && length > 4)
        type_length = (size_t)key[0] << 24 | (size_t)key[1] << 16 | (size_t)key[2] << 8 | key[3];
    if (!key || length < 4 || type_length > length - 4 || type_length > 64)
        return err_set(err, FAULT_AUTH, "%s showed no key that can be read", name);
    type = xstrndup((const char *)key + 4, type_length);
    fingerprint(session, &print);
    switch (known_hosts_check(known, name, type, key, length)) {
    case KNOWN_OK:
        return 0;
    case KNOWN_REVOKED:
        return err_set(err, FAULT_AUTH, "THE HOST KEY OF %s IS REVOKED (%s %s): nothing was sent",
                       name, type, buf_text(&print));
    case KNOWN_CHANGED:
        if (given)
            return given_refused(name, type, buf_text(&print), err);
        return err_set(err, FAULT_AUTH,
                       "THE HOST KEY OF %s HAS CHANGED: it is now %s %s, and known_hosts says "
                       "otherwise.  Somebody may stand in between.  Nothing was sent; ask the "
                       "site's administrators, then replace the line with ssh-keygen -R '%s' and "
                       "ssh",
                       name, type, buf_text(&print), name);
    case KNOWN_AUTHORITY:
        return err_set(err, FAULT_AUTH,
                       "%s is known by a certificate authority alone, and host certificates cannot "
                       "be checked here: add its own key (%s %s) to known_hosts once it was "
                       "confirmed",
                       name, type, buf_text(&print));
    case KNOWN_UNKNOWN:
        break;
    }
    return err_set(
        err, FAULT_AUTH,
        "the host key of %s is not known (%s %s): add it to known_hosts, for instance by "
        "a first ssh by hand as this user",
        name, type, buf_text(&print));
}

/* ---- our keys --------------------------------------------------------------------------------
 */

static bool by_agent(LIBSSH2_SESSION *session, const char *user, const char *socket)
{
    LIBSSH2_AGENT *agent = libssh2_agent_init(session);
    struct libssh2_agent_publickey *key = NULL, *last = NULL;
    bool in = false;

    if (!agent)
        return false;
    libssh2_agent_set_identity_path(agent, socket);
    if (libssh2_agent_connect(agent) == 0 && libssh2_agent_list_identities(agent) == 0)
        while (!in && libssh2_agent_get_identity(agent, &key, last) == 0) {
            in = (ssh_rsa_needed() &&
                  ssh_rsa_by_agent(session, user, socket, key->blob, key->blob_len)) ||
                 libssh2_agent_userauth(agent, user, key) == 0;
            last = key;
        }
    libssh2_agent_disconnect(agent);
    libssh2_agent_free(agent);
    return in;
}

/* What became of each key, for the words of the refusal. */
static bool by_file(LIBSSH2_SESSION *session, const char *user, const char *path, bool named,
                    struct buf *tried)
{
    char *words = NULL;

    if (access(path, R_OK) < 0) {
        if (named)
            buf_printf(tried, "%s%s: %s", tried->length ? "; " : "", path, strerror(errno));
        return false;
    }
    if (ssh_rsa_needed() && ssh_rsa_by_file(session, user, path))
        return true;
    if (libssh2_userauth_publickey_fromfile_ex(session, user, (unsigned)strlen(user), NULL, path,
                                               NULL) == 0)
        return true;
    libssh2_session_last_error(session, &words, NULL, 0);
    buf_printf(tried, "%s%s: %s", tried->length ? "; " : "", path, words ? words : "refused");
    return false;
}

static bool by_files(LIBSSH2_SESSION *session, const struct ssh_config *config, const char *user,
                     struct buf *tried)
{
    static const char *const usual[] = { "~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa" };
    bool named = config->identity_count > 0;
    size_t count = named ? config->identity_count : array_len(usual);

    for (size_t i = 0; i < count; i++) {
        own_buf struct buf path = BUF_INIT(4096);

        ssh_config_expand(config, home(), ssh_local_user(),
                          named ? config->identities[i] : usual[i], &path);
        if (by_file(session, user, buf_text(&path), named, tried))
            return true;
    }
    return false;
}

static bool agent_wanted(const struct ssh_config *config, struct buf *socket)
{
    const char *env = getenv("SSH_AUTH_SOCK"), *said = config->identity_agent;

    if (said && strcasecmp(said, "none") == 0)
        return false;
    if (config->identities_only == 1)
        return false;
    if (said && said[0] == '$')
        env = getenv(said + 1);
    else if (said && strcmp(said, "SSH_AUTH_SOCK") != 0) {
        ssh_config_expand(config, home(), ssh_local_user(), said, socket);
        return true;
    }
    if (!env || !*env)
        return false;
    buf_puts(socket, env);
    return true;
}

/* libssh2 frees the signature. */
static int sign(LIBSSH2_SESSION *session, unsigned char **out, size_t *out_length,
                const unsigned char *data, size_t length, void **abstract)
{
    (void)session;
    *out = xmalloc(SSH_SIGNATURE_BYTES);
    *out_length = SSH_SIGNATURE_BYTES;
    return ssh_key_sign(*abstract, data, length, *out);
}

int ssh_authenticate_by(LIBSSH2_SESSION *session, const char *user, const struct ssh_key *key,
                        struct err *err)
{
    own_buf struct buf blob = BUF_INIT(256);
    void *abstract = (void *)key;
    char *words = NULL;

    ssh_key_put_blob(key, &blob);
    if (libssh2_userauth_publickey(session, user, (const unsigned char *)blob.data, blob.length,
                                   sign, &abstract) == 0)
        return 0;
    libssh2_session_last_error(session, &words, NULL, 0);
    return err_set(err, FAULT_AUTH, "user %s is refused: %s", user, words ? words : "no words");
}

int ssh_authenticate(LIBSSH2_SESSION *session, const struct ssh_config *config, const char *user,
                     const char *identity, struct err *err)
{
    own_buf struct buf tried = BUF_INIT(4096), socket = BUF_INIT(4096);
    const char *methods = libssh2_userauth_list(session, user, (unsigned)strlen(user));
    own_str char *ways = methods ? xstrdup(methods) : NULL;

    if (!methods && libssh2_userauth_authenticated(session))
        return 0;
    if (identity && by_file(session, user, identity, true, &tried))
        return 0;
    if (agent_wanted(config, &socket) && by_agent(session, user, buf_text(&socket)))
        return 0;
    if (by_files(session, config, user, &tried))
        return 0;
    return err_set(
        err, FAULT_AUTH,
        "user %s is refused (it takes %s; tried: %s): load a key into ssh-agent, or name "
        "an Ed25519 or ECDSA key without a passphrase",
        user, ways ? ways : "nothing", tried.length ? buf_text(&tried) : "no key found");
}
