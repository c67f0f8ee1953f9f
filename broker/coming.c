/* SPDX-License-Identifier: Apache-2.0 */
/* coming.c - the next runs of schedules that want their workers ahead of time. */
#include "coming.h"

#include "base/own.h"

int coming_new(int64_t schedule, int number, const char *class_key, struct coming **out,
               struct err *err)
{
    struct coming *coming = xcalloc(1, sizeof *coming);
    struct qclass *class = &coming->class;

    class->id = -(schedule * COMING_MOST + number);
    if (job_class_parse(class_key, &class->spec, &class->project, &class->user, err) < 0) {
        coming_free(coming);
        return -1;
    }
    *out = coming;
    return 0;
}

void coming_free(struct coming *coming)
{
    while (coming) {
        struct coming *next = coming->next;

        job_spec_free(&coming->class.spec);
        free(coming->class.project);
        free(coming->class.user);
        free(coming);
        coming = next;
    }
}

void comings_free(struct comings *comings)
{
    struct coming *coming;

    for (size_t i = 0; (coming = map_next(&comings->by_schedule, &i));)
        coming_free(coming);
    map_fini(&comings->by_schedule);
}

static size_t length(const struct coming *coming)
{
    size_t count = 0;

    for (; coming; coming = coming->next)
        count++;
    return count;
}

struct coming *comings_put(struct comings *comings, int64_t schedule, struct coming *coming)
{
    struct coming *old = coming ? map_put(&comings->by_schedule, (uint64_t)schedule, coming)
                                : map_del(&comings->by_schedule, (uint64_t)schedule);

    comings->count += length(coming) - length(old);
    return old;
}

void coming_fill(const struct coming *coming, struct experience *experience,
                 struct sched_class *class)
{
    const struct learned *run = experience_run(experience, coming->learnt_by);

    class->coming = coming->tasks;
    class->coming_ms = coming->at_ms;
    class->prepare_ms = coming->prepare_ms;
    class->run_ms = learned_mean_ms(run);
    class->run_high_ms = learned_high_ms(run);
}
