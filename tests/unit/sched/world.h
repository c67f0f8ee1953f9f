/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a small world from a few words, what the scheduler decides in it, and what to assert.
 *
 * Statements are parted by ';' or a new line; each is a kind, a name, and key=value words.
 *
 *   now MS
 *   project NAME weight= usage= money= spent= committed= max= has= tier= sites=A,B test
 *   user NAME project= weight= usage=
 *   limit NAME cap= used=
 *   site NAME tier= phase= jurisdiction= max= overflow= idle= wait= boot= walltime= age=
 * credential= mode= images=A,B awaited=A,B closed= creates= local cloudact containers bound shared down
 * unprobed shape SITE NAME cpus= memory= disk= gpus= model= gpumem= price= closed= quota SITE KIND
 * limit= ours= others= reserved= each=   (KIND: workers cores memory disk other gpus gpus:MODEL)
 *   class ID n= cpus= memory= disk= gpus= model=A,B gpumem= nodes= run= high= wall= project= user=
 *        priority= age= served= deadline= tier= prefer= exclude= require= avoid= jurisdiction=
 *        sharedby=A,B image= container= objective= cost= running= limit=NAME:N ordered nocloudact
 *        coming= in= prepare=      (n tasks to come; without prepare: auto)
 *   or   (the last class's next alternative) cpus= ... wall=
 *   worker ID site= shape= state= free= used= project= class= image= leases= idle= created= ready=
 *        expires= keep      (used, free: cpus)
 *   run  WORKER n= cpus= memory= gpus= ends= latest=       (from now; left out: not known)
 *   params order=age|fair overflow=gain|greedy|never nobackfill reservations= reserve= ahead=
 *
 * Spans are as parse_span() takes them, ages and idle times count back from now, deadlines forward.
 * A project and a user come into being when first named; a class without one belongs to "p" and
 * "u". */
#ifndef SPILLWAY_TESTS_WORLD_H
#define SPILLWAY_TESTS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "sched/sched.h"

#define WORLD_MOST 8192

struct world {
    struct arena arena;
    struct names names;
    struct sched_params params;
    struct sched_snapshot snap;
    struct sched_class *classes;
    struct sched_worker *workers;
    struct sched_site *sites;
    struct sched_run *runs;
    struct sched_project *projects;
    struct sched_user *users;
    struct sched_limit *limits;
    uint64_t generation;
    struct sched *sched;
    struct sched_decisions decisions;
};

struct world *world_new(const char *text);
/* A world that follows from the seed alone: a few sites, classes and workers in any state. */
struct world *world_random(uint64_t seed);
/* The text it was made from. */
char *world_random_text(uint64_t seed);
void world_add(struct world *w, const char *text);
void world_free(struct world *w);
struct sched_class *world_class(struct world *w, int64_t id);
int world_class_index(const struct world *w, int64_t id);
struct sched_worker *world_worker(struct world *w, int64_t id);
struct sched_site *world_site(struct world *w, const char *name);
struct sched_quota *world_quota(struct world *w, const char *site, const char *kind);

void decide(struct world *w);
/* Tasks of the class leased to the worker; worker 0: to any. */
int64_t leased(const struct world *w, int64_t class_id, int64_t worker);
/* Workers to be made at the site (NULL: anywhere) for the class (0: for any). */
int64_t created(const struct world *w, int64_t class_id, const char *site);
/* The first decision of the kind that is about this class and worker (0: any), or NULL. */
const struct sched_decision *decided(const struct world *w, enum sched_kind kind, int64_t class_id,
                                     int64_t worker);
#define assert_why(w, kind, class_id, worker, expected)                         \
    do {                                                                        \
        const struct sched_decision *why_ = decided(w, kind, class_id, worker); \
        assert_non_null(why_);                                                  \
        assert_string_equal(sched_why_name(why_->why), expected);               \
    } while (0)
/* Print all decisions; for a test that is being written. */
void world_print(const struct world *w);

#endif
