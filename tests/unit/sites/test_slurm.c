/* SPDX-License-Identifier: Apache-2.0 */
/* test_slurm.c - broker/sites/slurm/text.c, on lines as Slurm 22.05 prints them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/own.h"
#include "sites/slurm/text.h"

static const char node_line[] =
    "NodeName=gpu1 Arch=x86_64 CoresPerSocket=1  CPUAlloc=1 CPUEfctv=4 CPUTot=4 CPULoad=5.70 "
    "AvailableFeatures=(null) ActiveFeatures=(null) Gres=gpu:V100:2(S:0-1) GresDrain=N/A "
    "GresUsed=gpu:V100:1(IDX:0) NodeAddr=127.0.0.1 NodeHostName=vm Version=22.05.8 "
    "OS=Linux 6.1 #1 SMP  RealMemory=4000 AllocMem=100 FreeMem=20563 State=MIXED Weight=1 "
    "Partitions=batch,gpu  BootTime=2026-11-24T05:27:50 CfgTRES=cpu=4,mem=4000M,gres/gpu=2";

static void a_node_is_read(void **state)
{
    struct slurm_node node;

    (void)state;
    assert_true(slurm_node_read(node_line, &node));
    assert_int_equal(node.cpus, 4);
    assert_int_equal(node.cpus_used, 1);
    assert_int_equal(node.memory, 4000);
    assert_int_equal(node.memory_used, 100);
    assert_int_equal(node.gpu_types, 1);
    assert_string_equal(node.gpus[0].type, "V100");
    assert_int_equal(node.gpus[0].count, 2);
    assert_int_equal(node.gpus[0].used, 1);
    assert_true(node.usable);
    assert_true(slurm_in_list(node.partitions, "gpu"));
    assert_false(slurm_in_list(node.partitions, "gp"));
    assert_false(slurm_node_read("NodeName=x CPUTot=4", &node));
    assert_false(slurm_node_read("PartitionName=batch", &node));
}

static void a_node_that_cannot_run_is_known(void **state)
{
    static const struct {
        const char *state;
        bool usable;
    } cases[] = { { "IDLE", true },        { "MIXED+CLOUD", true },
                  { "IDLE+DRAIN", false }, { "DOWN*", false },
                  { "IDLE*", false },      { "DOWN+NOT_RESPONDING", false },
                  { "ALLOCATED", true },   { "IDLE+CLOUD+POWERED_DOWN", true },
                  { "MAINT", false } };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        own_str char *line = xasprintf(
            "NodeName=a CPUAlloc=0 CPUTot=4 RealMemory=10 State=%s Partitions=p", cases[i].state);
        struct slurm_node node;

        assert_true(slurm_node_read(line, &node));
        assert_int_equal(node.usable, cases[i].usable);
    }
}

static void gpus_are_counted_by_type(void **state)
{
    struct slurm_gpus gpus[GPU_TYPES_MOST];

    (void)state;
    assert_int_equal(slurm_gres_read("gpu:V100:2(S:0,1),gpu:A100:1,shard:4,craynetwork:2", gpus, 8),
                     2);
    assert_string_equal(gpus[1].type, "A100");
    assert_int_equal(gpus[1].count, 1);
    assert_int_equal(slurm_gres_read("gpu:3", gpus, 8), 1);
    assert_string_equal(gpus[0].type, "");
    assert_int_equal(gpus[0].count, 3);
    assert_int_equal(slurm_gres_read("gres:gpu:V100:1", gpus, 8), 1);
    assert_string_equal(gpus[0].type, "V100");
    assert_int_equal(slurm_gres_read("gres/gpu", gpus, 8), 1);
    assert_int_equal(gpus[0].count, 1);
    assert_int_equal(slurm_gres_read("gpu:T4", gpus, 8), 1);
    assert_string_equal(gpus[0].type, "T4");
    assert_int_equal(slurm_gres_read("(null)", gpus, 8), 0);
    assert_int_equal(slurm_gres_read("N/A", gpus, 8), 0);
    assert_int_equal(slurm_gres_read("gpu:a:1,gpu:b:1,gpu:c:1", gpus, 2), 2);
}

static void a_partition_is_read(void **state)
{
    struct slurm_partition partition;

    (void)state;
    assert_true(slurm_partition_read("PartitionName=batch AllowGroups=ALL Default=YES "
                                     "DefaultTime=01:00:00 MaxTime=1-00:00:00 State=UP",
                                     &partition));
    assert_string_equal(partition.name, "batch");
    assert_true(partition.is_default);
    assert_true(partition.up);
    assert_int_equal(partition.max_minutes, 24 * 60);
    assert_true(slurm_partition_read("PartitionName=x Default=NO MaxTime=UNLIMITED State=DRAIN",
                                     &partition));
    assert_int_equal(partition.max_minutes, 0);
    assert_false(partition.up);
    assert_int_equal(slurm_minutes("90:00"), 90);
    assert_int_equal(slurm_minutes("soon"), -1);
}

static void a_job_is_read_and_judged(void **state)
{
    static const struct {
        const char *state, *reason;
        enum instance_state is;
        enum fault fault;
    } cases[] = {
        { "PENDING", "Priority", INSTANCE_BOOTING, FAULT_NONE },
        { "PENDING", "PartitionTimeLimit", INSTANCE_FAILED, FAULT_INVALID },
        { "CONFIGURING", "None", INSTANCE_BOOTING, FAULT_NONE },
        { "RUNNING", "None", INSTANCE_ACTIVE, FAULT_NONE },
        { "COMPLETING", "None", INSTANCE_ACTIVE, FAULT_NONE },
        { "NODE_FAIL", "None", INSTANCE_FAILED, FAULT_UNAVAILABLE },
        { "CANCELLED", "None", INSTANCE_FAILED, FAULT_NONE },
    };
    struct slurm_job job;
    enum fault fault;

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        own_str char *line =
            xasprintf("12|%s|1790000000|4|gres:gpu:V100:1|spillway-1-2|uuid|%s|0|batch\n",
                      cases[i].state, cases[i].reason);

        assert_true(slurm_job_read(line, &job));
        assert_int_equal(slurm_state(&job, &fault), cases[i].is);
        assert_int_equal(fault, cases[i].fault);
    }
    assert_string_equal(job.id, "12");
    assert_string_equal(job.name, "spillway-1-2");
    assert_string_equal(job.comment, "uuid");
    assert_string_equal(job.partition, "batch");
    assert_int_equal(job.cpus, 4);
    assert_int_equal(job.submitted_ms, 1790000000000);
    assert_int_equal(job.gpus[0].count, 1);
    assert_false(slurm_job_read("12|RUNNING", &job));
    assert_false(slurm_job_read("", &job));
}

static void members_of_an_array_are_workers(void **state)
{
    static const struct {
        const char *name, *id, *is;
    } cases[] = {
        { "spillway-1a2b3c4d-7+", "12_3", "spillway-1a2b3c4d-10" },
        { "spillway-1a2b3c4d-7+", "12_0", "spillway-1a2b3c4d-7" },
        { "spillway-1a2b3c4d-7", "12", "spillway-1a2b3c4d-7" },
        { "spillway-1a2b3c4d-7+", "12", "spillway-1a2b3c4d-7+" },
        { "spillway-1a2b3c4d-7+", "12_[0-3]", "spillway-1a2b3c4d-7+" },
        { "mine+", "12_3", "mine+" },
        { "", "12_3", "" },
    };
    struct slurm_job job;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[64];

        snprintf(name, sizeof name, "%s", cases[i].name);
        slurm_member_name(name, sizeof name, cases[i].id);
        assert_string_equal(name, cases[i].is);
    }
    assert_true(slurm_job_read(
        "12_4|PENDING|1790000000|1|N/A|spillway-1a2b3c4d-9+|u|Priority|1790000600", &job));
    assert_string_equal(job.name, "spillway-1a2b3c4d-13");
    assert_int_equal(job.start_ms, 1790000600000);
    assert_true(slurm_job_read("12|PENDING|1790000000|1|N/A|x|u|Priority|N/A", &job));
    assert_int_equal(job.start_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_read),
        cmocka_unit_test(a_node_that_cannot_run_is_known),
        cmocka_unit_test(gpus_are_counted_by_type),
        cmocka_unit_test(a_partition_is_read),
        cmocka_unit_test(a_job_is_read_and_judged),
        cmocka_unit_test(members_of_an_array_are_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
