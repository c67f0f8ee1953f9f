/* SPDX-License-Identifier: Apache-2.0 */
/* glance.c - which images there are, and which of them we brought. */
#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "sites/openstack/openstack.h"

#define IMAGES_MOST 2000

void image_fini(struct image *image)
{
    free(image->id);
    free(image->name);
    free(image->visibility);
    json_decref(image->properties);
}

static void images_free(struct image *images, size_t count)
{
    for (size_t i = 0; i < count; i++)
        image_fini(&images[i]);
    free(images);
}

static bool is_ignition(const json_t *image)
{
    const char *distro = os_text(image, "os_distro");

    return distro && (strcmp(distro, "fedora-coreos") == 0 || strcmp(distro, "coreos") == 0 ||
                      strcmp(distro, "rhcos") == 0 || strcmp(distro, "flatcar") == 0);
}

static void image_add(struct image **images, size_t *count, const json_t *from)
{
    const char *id = os_text(from, "id"), *name = os_text(from, "name");

    if (!id || !name || *count >= IMAGES_MOST)
        return;
    *images = xrealloc(*images, (*count + 1) * sizeof **images);
    (*images)[(*count)++] =
        (struct image){ .id = xstrdup(id),
                        .name = xstrdup(name),
                        .visibility =
                            xstrdup(os_text(from, "visibility") ? os_text(from, "visibility") : ""),
                        .created_ms = os_time(json_object_get(from, "created_at")),
                        .size = json_integer_value(json_object_get(from, "size")),
                        .properties = json_incref((json_t *)(uintptr_t)from),
                        .ignition = is_ignition(from) };
}

static bool is_active(const json_t *image)
{
    const char *status = os_text(image, "status");

    return status && strcmp(status, "active") == 0;
}

int glance_images(struct openstack *os, int64_t deadline, struct err *err)
{
    own_str char *path = xstrdup("/images?sort=created_at:desc&limit=200");
    struct image *images = NULL, *brought = NULL;
    size_t count = 0, brought_count = 0;

    for (int page = 0; path && page < PAGES_MOST && count < IMAGES_MOST; page++) {
        own_os_call struct os_call call = { .service = OS_IMAGE, .method = "GET", .path = path };
        const json_t *each;
        const char *next;
        size_t i;

        if (session_call(os->session, &call, deadline, err) < 0) {
            images_free(images, count);
            images_free(brought, brought_count);
            return -1;
        }
        json_array_foreach(json_object_get(call.answer, "images"), i, each)
        {
            if (is_active(each))
                image_add(&images, &count, each);
            if (os_text(each, MARK_BROKER))
                image_add(&brought, &brought_count, each);
        }
        /* "/v2/images?marker=...": below what our endpoint ends in. */
        next = os_text(call.answer, "next");
        next = next ? strstr(next, "/images") : NULL;
        free(path);
        path = next ? xstrdup(next) : NULL;
    }
    images_free(os->images, os->image_count);
    os->images = images;
    os->image_count = count;
    images_free(os->brought, os->brought_count);
    os->brought = brought;
    os->brought_count = brought_count;
    return 0;
}

void images_old(const struct openstack *os, int64_t now_ms, json_t *out)
{
    for (size_t i = 0; i < os->image_count; i++) {
        const struct image *image = &os->images[i];
        int64_t days = (now_ms - image->created_ms) / 86400000;
        own_str char *words = NULL;

        if (!image->created_ms || days <= 365)
            continue;
        words = xasprintf("image %s (%s, %s) is %lld days old", image->name, image->id,
                          image->visibility, (long long)days);
        json_array_append_new(out, json_string(words));
    }
}

/* Glance gives what users set as text, and its own figures as numbers. */
static bool has_property(const json_t *properties, const char *key, const char *value)
{
    const json_t *found = json_object_get(properties, key);
    own_str char *text = NULL;

    if (json_is_string(found))
        return strcasecmp(json_string_value(found), value) == 0;
    text = found ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    return text && strcmp(text, value) == 0;
}

bool image_has(const json_t *properties, const char *wanted)
{
    own_str char *copy = xstrdup(wanted);
    char *save = NULL;
    bool any = false;

    for (char *each = strtok_r(copy, ", ", &save); each; each = strtok_r(NULL, ", ", &save)) {
        char *equals = strchr(each, '=');

        if (!equals)
            return false;
        *equals = '\0';
        if (!has_property(properties, each, equals + 1))
            return false;
        any = true;
    }
    return any;
}

const struct image *image_find(const struct openstack *os, const char *name, struct err *err)
{
    own_buf struct buf names = BUF_INIT(300);

    for (size_t i = 0; i < os->image_count; i++)
        if (strcmp(os->images[i].id, name) == 0)
            return &os->images[i];
    for (size_t i = 0; i < os->image_count; i++)
        if (strcmp(os->images[i].name, name) == 0)
            return &os->images[i];
    for (size_t i = 0; strchr(name, '=') && i < os->image_count; i++)
        if (image_has(os->images[i].properties, name))
            return &os->images[i];
    for (size_t i = 0; i < os->image_count && i < 8; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", os->images[i].name);
    err_set(err, FAULT_NOT_FOUND, "no image '%s'; there is %s%s", name,
            os->image_count ? buf_text(&names) : "none", os->image_count > 8 ? ", ..." : "");
    return NULL;
}

/* ---- those that we brought ------------------------------------------------------------------- */

static bool text_is(const json_t *image, const char *key, const char *wanted)
{
    const char *text = os_text(image, key);

    return text && strcmp(text, wanted) == 0;
}

static bool sum_is(const json_t *image, const char *algorithm, const char *sum, const char *project)
{
    own_str char *content = NULL;

    if (!sum)
        return false;
    if (text_is(image, "os_hash_algo", algorithm) && text_is(image, "os_hash_value", sum))
        return true;
    /* Anybody may set a property, but not on an image of our project. */
    content = xasprintf("%s:%s", algorithm, sum);
    return text_is(image, MARK_CONTENT, content) && text_is(image, "owner", project);
}

bool image_is(const json_t *image, const struct image_name *wanted, const char *project)
{
    return text_is(image, "disk_format", wanted->disk_format) &&
           (sum_is(image, "sha512", wanted->sha512, project) ||
            sum_is(image, "sha256", wanted->sha256, project));
}

const struct image *image_brought(const struct openstack *os, const struct image_name *wanted)
{
    const char *project = session_project(os->session);

    for (size_t i = 0; i < os->image_count; i++)
        if (image_is(os->images[i].properties, wanted, project))
            return &os->images[i];
    return NULL;
}

bool image_wanted(const struct site_conf *conf, const json_t *image)
{
    const char *content = os_text(image, MARK_CONTENT);

    for (size_t i = 0; i < conf->image_count; i++) {
        const struct image_name *each = &conf->images[i];

        if (each->from && text_is(image, "name", each->here) &&
            (!content || image_is(image, each, os_text(image, "owner"))))
            return true;
    }
    return false;
}

static bool is_of_this_site(const struct openstack *os, const struct image *image)
{
    return os->broker[0] && text_is(image->properties, MARK_BROKER, os->broker) &&
           text_is(image->properties, MARK_SITE, os->conf->name) &&
           text_is(image->properties, "owner", session_project(os->session));
}

void images_list(const struct openstack *os, struct resources_list *out)
{
    for (size_t i = 0; i < os->brought_count; i++) {
        const struct image *image = &os->brought[i];
        const char *status = os_text(image->properties, "status");
        struct resource *made;

        if (!is_of_this_site(os, image))
            continue;
        made = resource_list_add(out, "image", image->id, NULL);
        made->state = is_active(image->properties) ? INSTANCE_ACTIVE : INSTANCE_BOOTING;
        made->kept = image_wanted(os->conf, image->properties);
        made->created_ms = image->created_ms;
        made->detail = xasprintf("%s, %s, %s", image->name, image->visibility, status);
    }
}

/* One that cannot go now is asked again when images are looked at anew. */
int images_remove(struct openstack *os, int64_t deadline, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < os->brought_count; i++) {
        struct image *image = &os->brought[i];
        own_str char *path = xasprintf("/images/%s", image->id);

        if (!is_of_this_site(os, image) || image_wanted(os->conf, image->properties))
            continue;
        if (os_delete(os, OS_IMAGE, path, deadline, err) < 0)
            rc = -1;
        image_fini(image);
        os->brought[i--] = os->brought[--os->brought_count];
    }
    return rc;
}
