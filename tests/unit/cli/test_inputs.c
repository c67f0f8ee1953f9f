/* SPDX-License-Identifier: Apache-2.0 */
/* test_inputs.c - broker/cli/inputs.c and describe.c: what is sent of this side's files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/describe.h"
#include "cli/inputs.h"

static char top[] = "/tmp/spillway-inputs-XXXXXX";

static void put_file(const char *path, const char *text, mode_t mode)
{
    assert_int_equal(io_replace_file(path, mode, text, strlen(text), NULL), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(top) || chdir(top) < 0)
        return -1;
    if (mkdir("job", 0700) || mkdir("job/data", 0700) || mkdir("job/data/deep", 0700))
        return -1;
    put_file("job/call.sh", "#!/bin/sh\n", 0755);
    put_file("job/data/b.txt", "same", 0640);
    put_file("job/data/a.txt", "same", 0644);
    put_file("job/data/deep/c.txt", "other", 0644);
    put_file("here.txt", "here", 0600);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return chdir("/") < 0 ? -1 : io_remove_tree(top, NULL);
}

static const struct command submit = { .name = "submit", .help = "", .synopsis = "" };

/* Prepares job/job.yaml with these inputs; the rewritten ones as "to mode size;". */
static int prepared(const char *inputs, struct buf *seen, struct uploads *uploads)
{
    own_str char *text =
        xasprintf("command: [./call.sh]\nafter: [{job: split}]\ninputs: %s\n", inputs);
    const char *words[] = { "job/job.yaml", NULL };
    struct args args = { .command = &submit, .words = words, .word_count = 1 };
    own_drafts struct drafts drafts = { .list = NULL };
    struct err err = ERR_INIT;
    size_t i;
    json_t *one;

    put_file("job/job.yaml", text, 0600);
    if (drafts_read(&args, &drafts, &err) < 0 || drafts_check(&args, &drafts, &err) < 0)
        fail_msg("%s: %s", inputs, err.text);
    if (inputs_prepare(&args, &drafts.list[0], uploads, &err) < 0)
        return -1;
    json_array_foreach(json_object_get(drafts.list[0].description, "inputs"), i, one)
    {
        if (json_is_object(one) && json_object_get(one, "size"))
            buf_printf(seen, "%s %s %lld;", json_string_value(json_object_get(one, "to")),
                       json_string_value(json_object_get(one, "mode")),
                       json_integer_value(json_object_get(one, "size")));
        else
            buf_puts(seen, "kept;");
    }
    return 0;
}

static void rewrites(const char *inputs, const char *wanted, size_t files)
{
    own_uploads struct uploads uploads = UPLOADS_INIT;
    own_buf struct buf seen = BUF_INIT(0);

    if (prepared(inputs, &seen, &uploads) < 0)
        fail_msg("%s was refused", inputs);
    assert_string_equal(buf_text(&seen), wanted);
    assert_int_equal(uploads.count, files);
}

static void refused(const char *inputs)
{
    own_uploads struct uploads uploads = UPLOADS_INIT;
    own_buf struct buf seen = BUF_INIT(0);

    if (prepared(inputs, &seen, &uploads) == 0)
        fail_msg("%s was taken", inputs);
}

static void files_start_at_the_description(void **state)
{
    (void)state;
    rewrites("[call.sh]", "call.sh 0755 10;", 1);
    rewrites("call.sh", "call.sh 0755 10;", 1);
    rewrites("[../here.txt]", "here.txt 0600 4;", 1);
    rewrites("[{from: call.sh, to: bin/run, mode: \"0700\"}]", "bin/run 0700 10;", 1);
    rewrites("[{from: call.sh, to: bin/}]", "bin/call.sh 0755 10;", 1);
}

static void a_directory_is_its_files_in_order(void **state)
{
    (void)state;
    rewrites("[data/]", "data/a.txt 0644 4;data/b.txt 0640 4;data/deep/c.txt 0644 5;", 2);
    rewrites("[{from: data, to: in}]", "in/a.txt 0644 4;in/b.txt 0640 4;in/deep/c.txt 0644 5;", 2);
}

static void what_is_elsewhere_stays_as_it_is(void **state)
{
    (void)state;
    rewrites("[\"https://x.example/ref.fa\", {from: \"job:split/part.txt\", to: parts/}]",
             "kept;kept;", 0);
}

static void a_hash_that_is_given_is_checked(void **state)
{
    (void)state;
    rewrites("[{from: ../here.txt, to: h, sha256: "
             "fcec91509759ad995c2cd14bcb26b2720993faf61c29d379b270d442d92290eb}]",
             "h 0600 4;", 1);
    refused("[{from: call.sh, to: c, sha256: "
            "0000000000000000000000000000000000000000000000000000000000000000}]");
}

static void what_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    refused("[missing.txt]");
    refused("[\"{task}.txt\"]");
    refused("[{from: data, to: d, sha256: "
            "0000000000000000000000000000000000000000000000000000000000000000}]");
    assert_int_equal(mkfifo("job/pipe", 0600), 0);
    refused("[pipe]");
    assert_int_equal(unlink("job/pipe"), 0);
}

static void links_stay_inside(void **state)
{
    (void)state;
    assert_int_equal(symlink("a.txt", "job/data/within"), 0);
    rewrites("[data]",
             "data/a.txt 0644 4;data/b.txt 0640 4;data/deep/c.txt 0644 5;data/within 0644 4;", 2);
    assert_int_equal(symlink("../../here.txt", "job/data/out"), 0);
    refused("[data]");
    assert_int_equal(unlink("job/data/out"), 0);
    assert_int_equal(symlink("deep", "job/data/folder"), 0);
    refused("[data]");
    assert_int_equal(unlink("job/data/folder"), 0);
    assert_int_equal(symlink("nowhere", "job/data/dangling"), 0);
    refused("[data]");
    assert_int_equal(unlink("job/data/dangling"), 0);
    assert_int_equal(unlink("job/data/within"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_start_at_the_description),
        cmocka_unit_test(a_directory_is_its_files_in_order),
        cmocka_unit_test(what_is_elsewhere_stays_as_it_is),
        cmocka_unit_test(a_hash_that_is_given_is_checked),
        cmocka_unit_test(what_cannot_be_sent_is_refused),
        cmocka_unit_test(links_stay_inside),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
