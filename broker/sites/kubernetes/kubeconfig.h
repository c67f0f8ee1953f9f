/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfig.h - which API server, and by what credential, as kubectl's own files say it.
 *
 * kube_conf_load() merges the files as kubectl does: what a file sets first stands, names are looked
 * for in each in turn.  What the credential is (a token, the output of a program, the contents of
 * the certificate files) is read later and anew by auth.c, so that one that is renewed on disk is
 * seen without a restart.  kube_conf_parse() takes one document from memory: a cluster that was made
 * by somebody's API comes with its kubeconfig as an answer, not as a file. */
#ifndef SPILLWAY_KUBERNETES_KUBECONFIG_H
#define SPILLWAY_KUBERNETES_KUBECONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/own.h"

#define KUBE_FILE_MOST  ((size_t)4 << 20)
#define KUBE_FILES_MOST 32

/* A program that prints a credential. */
struct kube_exec {
    char *version; /* "client.authentication.k8s.io/v1" */
    char *command; /* a path, or a name to be found by PATH */
    char **args;   /* NULL-terminated, without the program's name */
    char **env;    /* "NAME=VALUE"; NULL-terminated */
    char *hint;    /* what to do when the program is missing; NULL */
    bool cluster_info;
};

struct kube_conf {
    char *where;  /* "FILE, context NAME", for messages */
    char *server; /* "https://HOST:PORT/PREFIX", no '/' at its end */
    char *namespace;
    char *server_name; /* who the certificate must name, when it is not the URL's host */
    char *proxy;
    bool insecure;
    /* PEM; what is given as data wins over the file.  NULL: not given. */
    char *ca, *ca_file, *cert, *cert_file, *key, *key_file;
    char *token, *token_file;
    char *user, *password; /* of HTTP Basic, as some proxies in front of a server want it */
    struct kube_exec *exec;
};

/* `files`: one path, or several with ':' between them, which must all be there when `must`; NULL:
 * those of $KUBECONFIG, else ~/.kube/config, else the service account of the pod that we run in.
 * `context`: NULL for the current one.  Reads those files alone. */
int kube_conf_load(const char *files, const char *context, struct kube_conf *out, struct err *err);
/* `name` stands for the file in messages; relative paths in it are below `dir` (NULL: refused). */
int kube_conf_parse(const char *text, size_t length, const char *name, const char *dir,
                    const char *context, struct kube_conf *out, struct err *err);
/* From the service account that is mounted at `dir` and the KUBERNETES_SERVICE_* variables. */
int kube_conf_in_cluster(const char *dir, struct kube_conf *out, struct err *err);
#define KUBE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"
void kube_conf_fini(struct kube_conf *conf);
#define own_kube_conf own(kube_conf_fini)

#endif
