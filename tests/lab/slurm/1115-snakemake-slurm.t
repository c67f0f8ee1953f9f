# SPDX-License-Identifier: Apache-2.0
# 1115-snakemake-slurm.t - the real Snakemake's own `--slurm` with our commands in place of Slurm's
# run: limit 900
. "${0%/*}/lab.sh"
command -v snakemake >/dev/null || skip_all "snakemake is not installed; 'tests/lab/slurm/lab install' brings it"
snakemake --help | grep -q -- '--slurm' || skip_all "this Snakemake has no --slurm"
PATH=$BUILD/libexec/spillway/slurm:$PATH
USER=$(id -un)
export USER
# Its jobs take up to half a gigabyte each: one at a time beside its own.
cat >conf.yaml <<'YAML'
sites: [{name: here, type: local, limits: {cores: 2}}]
YAML
broker_start --config conf.yaml

cat >Snakefile <<'END'
localrules: all
rule all:
    input: "two.txt", "bad.txt"
rule one:
    output: "one.txt"
    shell: "echo 20 >{output}"
rule two:
    input: "one.txt"
    output: "two.txt"
    shell: "read n <{input}; echo $((n + 22)) >{output}"
rule bad:
    output: "bad.txt"
    shell: "echo begun >{output}; exit 3"
END
# It looks after its jobs every 33 seconds unless told otherwise.
timeout 840 snakemake --slurm --keep-going --jobs 2 --latency-wait 5 --max-status-checks-per-second 1 \
    --default-resources slurm_partition=here runtime=30 mem_mb=500 >"$T/said" 2>&1
is "the workflow fails, for one of its jobs does" $? 1
like "Snakemake names that one" "$(cat "$T/said")" 'Error in rule bad'
is "it names no other" "$(grep -c '^Error in rule' "$T/said")" 1
is "all that does not depend on it is there" "$(cat two.txt)" 42
nok "what the failed job left is taken away" 'test -e bad.txt'
is "the broker has the same outcome" "$(sacct -nPX -a -o State | sort | uniq -c | tr -s ' \n' ' ')" " 2 COMPLETED 1 FAILED "
is "its jobs were sent to the partition that was named" "$(sacct -nPX -a -o Partition | sort -u)" here
is "with their limits" "$(squeue -h -t all -o '%l %m' | sort -u)" "30:00 500M"
test "$tap_failed" = 0 || diag "$(cat "$T/said")"
done_testing
