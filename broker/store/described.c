/* SPDX-License-Identifier: Apache-2.0 */
/* described.c - what a job's row points to. */
#include "store/described.h"

#include <string.h>
#include <strings.h>

bool input_is_blob(const struct input *input)
{
    const char *from = input->from;

    return !from || (strncasecmp(from, "https://", 8) != 0 &&
                     strncasecmp(from, "http://", 7) != 0 && strncmp(from, "job:", 4) != 0);
}

static const char **blobs_of(const struct job_spec *spec)
{
    const char **blobs = xcalloc(spec->input_count + 1, sizeof *blobs);
    size_t count = 0;

    for (size_t i = 0; i < spec->input_count; i++)
        if (spec->inputs[i].sha256 && input_is_blob(&spec->inputs[i]))
            blobs[count++] = spec->inputs[i].sha256;
    return blobs;
}

int described_read(const json_t *document, struct described *out, struct problems *problems)
{
    *out = (struct described){ .text = NULL };
    if (job_spec_parse(document, &out->spec, problems) < 0) {
        *out = (struct described){ .text = NULL };
        return -1;
    }
    out->text = json_dumps(document, JSON_COMPACT);
    out->array = out->spec.array.size ? index_set_text(&out->spec.array) : NULL;
    out->notify = out->spec.notify ? json_dumps(out->spec.notify, JSON_COMPACT) : NULL;
    out->blobs = blobs_of(&out->spec);
    return 0;
}

void described_row(struct described *from, const char *project, const char *user,
                   struct new_job *row)
{
    const struct job_spec *spec = &from->spec;

    from->class_key = job_class_key_new(spec, project, user);
    *row = (struct new_job){ .name = spec->name,
                             .project = project,
                             .user = user,
                             .class_key = from->class_key,
                             .spec = from->text,
                             .priority = spec->priority,
                             .tasks = spec->array.size ? spec->array.size : 1,
                             .array_parallel = spec->array_parallel,
                             .deadline_ms = spec->deadline_ms,
                             .not_before_ms = spec->not_before_ms,
                             .array = from->array,
                             .hold = spec->hold,
                             .after = spec->after,
                             .after_count = spec->after_count,
                             .notify = from->notify,
                             .blobs = from->blobs };
}

void described_free(struct described *described)
{
    job_spec_free(&described->spec);
    free(described->class_key);
    free(described->text);
    free(described->array);
    free(described->notify);
    free(described->blobs);
    *described = (struct described){ .text = NULL };
}
