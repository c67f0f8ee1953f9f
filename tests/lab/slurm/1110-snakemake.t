# SPDX-License-Identifier: Apache-2.0
# 1110-snakemake.t - the real Snakemake runs a workflow through our sbatch, with one job that fails
. "${0%/*}/lab.sh"
command -v snakemake >/dev/null || skip_all "snakemake is not installed; 'tests/lab/slurm/lab install' brings it"
OURS=$BUILD/libexec/spillway/slurm
AREA=$LAB/home/workflow
rm -rf "$AREA"
install -d -m 777 -o "$LAB_USER" "$AREA"
conf 'shared_directories: [/]'
sed -i '/type: slurm/s/^/  - {name: here, type: local}\n/' conf.yaml
start
PATH=$OURS:$PATH
cd "$AREA" || exit 1
mkdir log

# Ten jobs, each of which is a Snakemake of its own: three that make, three that square, one that adds up, two
# behind it, and one that fails.
cat >Snakefile <<'END'
N = list(range(3))
localrules: all
rule all:
    input: "report.txt", "bad.txt"
rule make:
    output: "made/{i}.txt"
    shell: "echo {wildcards.i} >{output}"
rule square:
    input: "made/{i}.txt"
    output: "squares/{i}.txt"
    shell: "read n <{input}; echo $((n * n)) >{output}; echo $SLURM_JOB_ID $SLURM_CPUS_PER_TASK >>ids.txt"
rule add:
    input: expand("squares/{i}.txt", i=N)
    output: "sum.txt"
    threads: 2
    shell: "cat {input} | awk '{{ s += $1 }} END {{ print s }}' >{output}"
rule half:
    input: "sum.txt"
    output: "half.txt"
    shell: "read n <{input}; echo $((n / 2)) >{output}"
rule report:
    input: "half.txt"
    output: "report.txt"
    shell: "echo half of all squares: $(cat {input}) >{output}"
rule bad:
    output: "bad.txt"
    shell: "echo begun >{output}; exit 3"
END
# With CI=true Snakemake looks after its jobs every second, not every ten.
CI=true HOME=$AREA timeout 540 snakemake --keep-going --jobs 10 --latency-wait 5 \
    --cluster "sbatch --parsable -p here -J {rule} -c {threads} -o log/%j.txt" \
    --cluster-status "$ROOT/examples/snakemake/status.py" --cluster-cancel scancel >"$T/said" 2>&1
status=$?
is "the workflow fails, for one of its jobs does" $status 1
like "Snakemake names that one" "$(cat "$T/said")" 'Error in rule bad'
is "it names no other" "$(grep -c '^Error in rule' "$T/said")" 1
is "all that does not depend on it is there" "$(cat report.txt)" "half of all squares: 2"
nok "what the failed job left is taken away" 'test -e bad.txt'
is "each job had an id and its cores" "$(grep -cE '^[0-9]+ 1$' ids.txt)" 3
is "the broker has the same outcome" "$(sacct -nPX -a -o State | sort | uniq -c | tr -s ' \n' ' ')" " 9 COMPLETED 1 FAILED "
is "exit codes too" "$(sacct -nPX -a --name bad -o ExitCode)" "1:0"
ok "each has its log in the caller's folder" 'test "$(ls log | wc -l)" = 10'
rm -rf "$AREA"
done_testing
