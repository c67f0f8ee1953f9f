/* SPDX-License-Identifier: Apache-2.0 */
/* inputs.c - a job's inputs on this side: found and hashed. */
#include "cli/inputs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "conf/expand.h"
#include "net/hash.h"

struct walk {
    json_t *out; /* the inputs of the rewritten description */
    struct uploads *uploads;
    const char *root; /* real path of the directory that was named */
};

bool input_is_local(const char *from)
{
    return strncasecmp(from, "https://", 8) != 0 && strncasecmp(from, "http://", 7) != 0 &&
           strncmp(from, "job:", 4) != 0;
}

void uploads_free(struct uploads *uploads)
{
    for (size_t i = 0; i < uploads->count; i++) {
        free(uploads->list[i]->path);
        free(uploads->list[i]);
    }
    free(uploads->list);
    map_fini(&uploads->by_hash);
    *uploads = (struct uploads)UPLOADS_INIT;
}

static void note_upload(struct uploads *uploads, const char *sha256, const char *path, int64_t size)
{
    struct upload *upload;

    if (map_get_str(&uploads->by_hash, sha256))
        return;
    upload = xcalloc(1, sizeof *upload);
    memcpy(upload->sha256, sha256, sizeof upload->sha256);
    upload->path = xstrdup(path);
    upload->size = size;
    uploads->list = xrealloc(uploads->list, (uploads->count + 1) * sizeof(struct upload *));
    uploads->list[uploads->count++] = upload;
    uploads->bytes += size;
    map_put_str(&uploads->by_hash, upload->sha256, upload);
}

/* One file.  `wanted`: the hash that the description gives, or NULL. */
static int add_file(struct walk *walk, const char *path, const char *to, int mode,
                    const char *wanted, struct err *err)
{
    char sha256[SHA256_HEX], bits[8];
    int64_t size = 0;

    if (json_array_size(walk->out) >= JOB_INPUTS_MOST)
        return err_set(err, FAULT_INVALID,
                       "more than %d files; pack them into an archive and unpack it in the job",
                       JOB_INPUTS_MOST);
    if (sha256_file(path, sha256, &size, err) < 0)
        return -1;
    if (wanted && strcmp(wanted, sha256) != 0)
        return err_set(err, FAULT_INVALID, "%s: its sha256 is %s, not the one given", path, sha256);
    note_upload(walk->uploads, sha256, path, size);
    snprintf(bits, sizeof bits, "%04o", (unsigned)mode & 0777);
    json_array_append_new(walk->out,
                          json_pack("{s:s, s:s, s:s, s:I, s:s}", "from", path, "to", to, "sha256",
                                    sha256, "size", (json_int_t)size, "mode", bits));
    return 0;
}

/* A link inside a directory: a file below the same directory, or nothing. */
static int check_link(const struct walk *walk, const char *path, struct stat *st, struct err *err)
{
    own_str char *real = realpath(path, NULL);
    size_t length = strlen(walk->root);

    if (!real || stat(path, st) < 0)
        return err_sys(err, "%s: a link that leads nowhere", path);
    if (strncmp(real, walk->root, length) != 0 || real[length] != '/')
        return err_set(err, FAULT_INVALID,
                       "%s: a link that leads out of the directory, to %s; copy the file, or name "
                       "it as an input of its own",
                       path, real);
    if (!S_ISREG(st->st_mode))
        return err_set(err, FAULT_INVALID, "%s: a link to a directory; name what it leads to",
                       path);
    return 0;
}

static int add_directory(struct walk *walk, const char *path, const char *to, int depth,
                         struct err *err);

static int add_entry(struct walk *walk, const char *path, const char *to, int depth,
                     struct err *err)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return err_sys(err, "%s", path);
    if (S_ISLNK(st.st_mode) && check_link(walk, path, &st, err) < 0)
        return -1;
    if (S_ISDIR(st.st_mode))
        return add_directory(walk, path, to, depth + 1, err);
    if (!S_ISREG(st.st_mode))
        return err_set(err, FAULT_INVALID, "%s: neither a file nor a directory", path);
    return add_file(walk, path, to, (int)st.st_mode, NULL, err);
}

static int not_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* In order of names, so that the same directory always makes the same request. */
static int add_directory(struct walk *walk, const char *path, const char *to, int depth,
                         struct err *err)
{
    struct dirent **entries = NULL;
    int count, rc = 0;

    if (depth > INPUT_DEPTH_MOST)
        return err_set(err, FAULT_INVALID, "%s: more than %d directories deep", path,
                       INPUT_DEPTH_MOST);
    count = scandir(path, &entries, not_dots, alphasort);
    if (count < 0)
        return err_sys(err, "%s", path);
    for (int i = 0; i < count; i++) {
        own_str char *below = xasprintf("%s/%s", path, entries[i]->d_name);
        own_str char *target = xasprintf("%s%s%s", to, *to ? "/" : "", entries[i]->d_name);

        if (rc == 0)
            rc = add_entry(walk, below, target, depth, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

/* "to: parts/" puts a file into parts; the checker has taken the '/' away. */
static char *file_target(const json_t *written, const struct input *input, const char *path)
{
    const char *to = json_string_value(json_object_get(written, "to"));
    const char *slash = strrchr(path, '/');

    if (to && *to && to[strlen(to) - 1] == '/')
        return xasprintf("%s/%s", input->to, slash ? slash + 1 : path);
    return xstrdup(input->to);
}

static int add_local(struct walk *walk, const struct draft *draft, size_t i, const json_t *written,
                     struct err *err)
{
    const struct input *input = &draft->spec.inputs[i];
    own_str char *path = NULL, *real = NULL, *target = NULL;
    struct stat st;

    if (job_expands(input->from))
        return err_set(err, FAULT_INVALID,
                       "'%s': a file of this machine cannot differ from task to task; name the "
                       "directory, and let the command pick the file",
                       input->from);
    path = xasprintf("%s%s", input->from[0] == '/' ? "" : draft_folder(draft, i), input->from);
    while (strlen(path) > 1 && path[strlen(path) - 1] == '/')
        path[strlen(path) - 1] = '\0';
    if (stat(path, &st) < 0)
        return err_sys(err, "%s", path);
    if (S_ISDIR(st.st_mode)) {
        if (input->sha256)
            return err_set(err, FAULT_INVALID, "%s: a directory has no sha256", path);
        if (!(real = realpath(path, NULL)))
            return err_sys(err, "%s", path);
        walk->root = real;
        return add_directory(walk, path, input->to, 0, err);
    }
    if (!S_ISREG(st.st_mode))
        return err_set(err, FAULT_INVALID, "%s: neither a file nor a directory", path);
    target = file_target(written, input, path);
    return add_file(walk, path, target, input->mode ? input->mode : (int)st.st_mode, input->sha256,
                    err);
}

int inputs_prepare(const struct args *args, struct draft *draft, struct uploads *uploads,
                   struct err *err)
{
    const json_t *written = json_object_get(draft->description, "inputs");
    struct walk walk = { .out = json_array(), .uploads = uploads };
    size_t faults = 0;

    for (size_t i = 0; i < draft->spec.input_count; i++) {
        const json_t *one = json_is_array(written) ? json_array_get(written, i) : written;
        const char *from = draft->spec.inputs[i].from;
        struct err fault = ERR_INIT;
        char pointer[48];

        if (!from || !input_is_local(from)) {
            json_array_append(walk.out, (json_t *)one);
            continue;
        }
        if (add_local(&walk, draft, i, one, &fault) == 0)
            continue;
        snprintf(pointer, sizeof pointer, "/inputs/%zu", i);
        draft_fault(args, draft, json_is_array(written) ? pointer : "/inputs", fault.text, NULL);
        faults++;
    }
    if (written)
        json_object_set(draft->description, "inputs", walk.out);
    json_decref(walk.out);
    if (faults)
        return err_set(err, FAULT_INVALID, "%zu %s cannot be read, nothing was submitted", faults,
                       faults == 1 ? "input" : "inputs");
    return 0;
}
