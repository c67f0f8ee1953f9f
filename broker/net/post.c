/* SPDX-License-Identifier: Apache-2.0 */
/* post.c - webhooks and mail, on libcurl; mail also by the machine's own sendmail. */
#include "net/post.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/own.h"

#define CONNECT_MS  8000
#define ANSWER_MOST 65536 /* bytes of an answer that are read, and dropped */

static void init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void post_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init);
}

static void free_curl(CURL **curl)
{
    if (*curl)
        curl_easy_cleanup(*curl);
}

static void free_list(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

/* 169.254.0.0/16 and fe80::/10: where clouds serve credentials to whoever asks from the inside. */
static bool is_link_local(const struct sockaddr *address)
{
    const struct sockaddr_in6 *six = (const void *)address;
    const struct sockaddr_in *four = (const void *)address;

    if (address->sa_family == AF_INET)
        return ntohl(four->sin_addr.s_addr) >> 16 == 0xa9fe;
    if (address->sa_family != AF_INET6)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return six->sin6_addr.s6_addr[12] == 169 && six->sin6_addr.s6_addr[13] == 254;
    return IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr);
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)arg, (void)purpose;
    if (is_link_local(&address->addr))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t drop_answer(char *data, size_t size, size_t count, void *arg)
{
    size_t *seen = arg;

    (void)data;
    *seen += size * count;
    return *seen > ANSWER_MOST ? 0 : size * count;
}

static CURL *prepare(const char *url, const char *protocols)
{
    CURL *curl = curl_easy_init();

    if (!curl)
        return NULL;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)POST_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_answer);
    return curl;
}

static int curl_fault(CURLcode code, const char *detail, struct err *err)
{
    enum fault fault = code == CURLE_OPERATION_TIMEDOUT ? FAULT_TIMEOUT : FAULT_UNAVAILABLE;

    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        fault = FAULT_INVALID;
    return err_set(err, fault, "%s", *detail ? detail : curl_easy_strerror(code));
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static int judge(CURL *curl, int64_t *retry_after_ms, struct err *err)
{
    long status = 0;
    curl_off_t after = 0;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &after);
    if (retry_after_ms)
        *retry_after_ms = after > 0 ? (int64_t)after * 1000 : 0;
    if (status >= 200 && status < 300)
        return 0;
    if (status == 429)
        return err_set(err, FAULT_THROTTLED, "the server answered %ld (too many)", status);
    if (status == 408 || status >= 500)
        return err_set(err, FAULT_UNAVAILABLE, "the server answered %ld", status);
    if (status >= 300 && status < 400)
        return err_set(err, FAULT_INVALID,
                       "the server answered %ld: redirects are not followed; "
                       "name the address it leads to",
                       status);
    return err_set(err, FAULT_INVALID, "the server answered %ld", status);
}

int post_http(const char *url, const char *const *headers, const void *body, size_t length,
              int64_t *retry_after_ms, struct err *err)
{
    own(free_curl) CURL *curl = prepare(url, "http,https");
    own(free_list) struct curl_slist *list = NULL;
    char detail[CURL_ERROR_SIZE] = "";
    size_t seen = 0;
    CURLcode code;

    if (!curl)
        return err_set(err, FAULT_INTERNAL, "libcurl does not start");
    for (; headers && *headers; headers++)
        list = curl_slist_append(list, *headers);
    list = curl_slist_append(list, "Expect:"); /* no waiting for 100 Continue */
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "spillway/" SPILLWAY_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &seen);
    code = curl_easy_perform(curl);
    if (retry_after_ms)
        *retry_after_ms = 0;
    if (code == CURLE_WRITE_ERROR) /* a longer answer than we care to read */
        code = CURLE_OK;
    return code == CURLE_OK ? judge(curl, retry_after_ms, err) : curl_fault(code, detail, err);
}

/* ---- SMTP ------------------------------------------------------------------------------------ */

struct reading {
    const char *data;
    size_t left;
};

static size_t read_message(char *out, size_t size, size_t count, void *arg)
{
    struct reading *reading = arg;
    size_t n = size * count < reading->left ? size * count : reading->left;

    memcpy(out, reading->data, n);
    reading->data += n;
    reading->left -= n;
    return n;
}

static int smtp(const struct mail_server *server, const char *from, const char *to,
                const char *message, size_t length, struct err *err)
{
    own(free_curl) CURL *curl = prepare(server->url, "smtp,smtps");
    own(free_list) struct curl_slist *list = NULL;
    struct reading reading = { message, length };
    char detail[CURL_ERROR_SIZE] = "";
    size_t seen = 0;
    long status = 0;
    CURLcode code;

    if (!curl)
        return err_set(err, FAULT_INTERNAL, "libcurl does not start");
    list = curl_slist_append(list, to);
    curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_TRY);
    if (server->user) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, server->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, server->password ? server->password : "");
        /* A password never goes over a line that all can read. */
        curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    }
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, list);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_message);
    curl_easy_setopt(curl, CURLOPT_READDATA, &reading);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &seen);
    code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        return 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 500 && status < 600)
        return err_set(err, FAULT_INVALID, "the mail server refused it (%ld): %s", status,
                       *detail ? detail : curl_easy_strerror(code));
    return curl_fault(code, detail, err);
}

/* ---- sendmail -------------------------------------------------------------------------------- */

/* Its end within the deadline; killed otherwise. */
static int wait_for(pid_t pid, struct err *err)
{
    int64_t until = clock_mono_ms() + POST_TIMEOUT_MS;
    int status = 0;
    pid_t got;

    while ((got = waitpid(pid, &status, WNOHANG)) == 0 && clock_mono_ms() < until)
        clock_sleep_ms(20);
    if (got == 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return err_set(err, FAULT_TIMEOUT, "sendmail did not end within %d s",
                       POST_TIMEOUT_MS / 1000);
    }
    if (got == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return err_set(err, FAULT_UNAVAILABLE, "sendmail ended with status %d",
                   WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static int spawn(const struct mail_server *server, const char *from, const char *to, int input,
                 pid_t *pid, struct err *err)
{
    const char *const argv[] = { server->sendmail, "-i", "-f", from, "--", to, NULL };
    static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;

    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    errno = posix_spawn(pid, server->sendmail, &actions, &attributes,
                        (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return errno ? err_sys(err, "start %s", server->sendmail) : 0;
}

static int by_sendmail(const struct mail_server *server, const char *from, const char *to,
                       const char *message, size_t length, struct err *err)
{
    int ends[2];
    pid_t pid = 0;
    int rc;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, "pipe");
    rc = spawn(server, from, to, ends[0], &pid, err);
    close(ends[0]);
    if (rc == 0)
        rc = io_write_all(ends[1], message, length) < 0 ? err_sys(err, "write to sendmail") : 0;
    close(ends[1]);
    if (pid > 0 && wait_for(pid, rc < 0 ? NULL : err) < 0)
        rc = -1;
    return rc;
}

int post_mail(const struct mail_server *server, const char *from, const char *to,
              const char *message, size_t length, struct err *err)
{
    if (server->url)
        return smtp(server, from, to, message, length, err);
    if (server->sendmail)
        return by_sendmail(server, from, to, message, length, err);
    return err_set(err, FAULT_UNAVAILABLE,
                   "no way to send mail; set broker.notify.smtp or broker.notify.sendmail");
}
