/* SPDX-License-Identifier: Apache-2.0 */
/* test_place.c - worker-agent/place.c: a directory is used again only when a job left no trace in
 * it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../../worker-agent/place.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/own.h"

struct world {
    char dir[64];
    struct loop *loop;
    struct places *places;
    struct timer end;
    int64_t give_up_ms;
    bool gone;
};

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);

    snprintf(w->dir, sizeof w->dir, "/tmp/spillway-place-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->loop = loop_new(NULL);
    w->places = places_open(w->loop, w->dir, NULL);
    *state = w;
    return !w->places;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    places_close(w->places);
    loop_free(w->loop);
    io_remove_tree(w->dir, NULL);
    free(w);
    return 0;
}

static struct place *take(struct world *w)
{
    struct place *place = NULL;

    assert_int_equal(place_take(w->places, &place, NULL), 0);
    return place;
}

static void touch(const struct place_folder *folder, const char *name)
{
    int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    close(fd);
}

static ino_t inode_of(const struct place *place)
{
    struct stat status;

    assert_int_equal(stat(place->job.path, &status), 0);
    return status.st_ino;
}

static void assert_empty(const struct place *place)
{
    assert_int_equal(rmdir(place->job.path), 0);
    assert_int_equal(mkdir(place->job.path, 0700), 0);
    assert_int_equal(rmdir(place->tmp.path), 0);
    assert_int_equal(mkdir(place->tmp.path, 0700), 0);
}

static void an_untouched_one_is_used_again(void **state)
{
    struct world *w = *state;
    struct place *place = take(w);
    ino_t inode = inode_of(place);

    for (int i = 0; i < 5; i++) {
        place_give(w->places, place, true);
        place = take(w);
        assert_int_equal(inode_of(place), inode);
        clock_sleep_ms(5);
    }
    place_give(w->places, place, true);
}

/* Also at once after it was made or seen empty, within one tick of the file system's clock. */
static void any_trace_makes_a_new_one(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 40; i++) {
        struct place *place = take(w);

        if (i % 4 == 0)
            touch(&place->job, "f");
        else if (i % 4 == 1)
            touch(&place->tmp, "f");
        else if (i % 4 == 2)
            assert_int_equal(chmod(place->job.path, 0755), 0);
        place_give(w->places, place, true);
        place = take(w);
        assert_empty(place);
        place_give(w->places, place, true);
        if (i % 8 == 7)
            clock_sleep_ms(10);
    }
}

static void one_that_was_moved_away_is_not_used(void **state)
{
    struct world *w = *state;
    struct place *place = take(w);
    own_str char *aside = xasprintf("%s/aside", w->dir);

    assert_int_equal(rename(place->job.path, aside), 0);
    place_give(w->places, place, true);
    place = take(w);
    assert_empty(place);
    place_give(w->places, place, true);
}

/* Stops once there is nothing left, or it has taken far too long. */
static void look(struct timer *timer)
{
    struct world *w = list_item(timer, struct world, end);
    own_str char *trash = xasprintf("%s/trash", w->dir);

    w->gone = rmdir(trash) == 0;
    if (w->gone || clock_mono_ms() > w->give_up_ms)
        loop_stop(w->loop);
    else
        timer_set(w->loop, timer, clock_mono_ms() + 50);
}

static void no_turn(void *arg)
{
    (void)arg;
}

static void what_was_left_is_removed(void **state)
{
    struct world *w = *state;
    struct place *place = take(w);
    int fd = dup(place->job.fd);

    for (int i = 0; i < 1000; i++) {
        char name[16];

        snprintf(name, sizeof name, "f%d", i);
        touch(&place->job, name);
    }
    for (int i = 0; i < 300; i++) { /* deeper than the walk goes at once */
        int next;

        assert_int_equal(mkdirat(fd, "d", 0700), 0);
        next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = next;
    }
    assert_int_equal(fchmod(fd, 0), 0);
    close(fd);
    place_give(w->places, place, true);
    w->end.fire = look;
    w->give_up_ms = clock_mono_ms() + 60000;
    timer_set(w->loop, &w->end, clock_mono_ms() + 50);
    loop_run(w->loop, no_turn, NULL);
    assert_true(w->gone);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_untouched_one_is_used_again),
        TEST(any_trace_makes_a_new_one),
        TEST(one_that_was_moved_away_is_not_used),
        TEST(what_was_left_is_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
