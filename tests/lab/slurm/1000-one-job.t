# SPDX-License-Identifier: Apache-2.0
# 1000-one-job.t - a job runs in a pilot of a real Slurm, and a GPU job where the GPUs are
. "${0%/*}/lab.sh"
conf
start

cat >job.yaml <<'YAML'
script: |
  #!/bin/sh
  echo "I am $(id -un)"
  echo result >result.txt
outputs: [result.txt]
YAML
id=$(submit job.yaml)
ok "a job ends well" 'wait_state "$id" succeeded'
is "its log came back" "$(spillway logs "$id")" "I am $LAB_USER"
ok "its result too" 'spillway fetch "$id" -o out && test "$(cat out/result.txt)" = result'
is "it ran at the cluster" "$(field "$id" site)" home
like "the agent lies there once, by its hash" "$(as_user ls .spillway/bin)" '^agent-[0-9a-f]{64}$'

cat >gpu.yaml <<'YAML'
resources: {cpus: 1, gpus: 1, gpu_model: V100}
command: [sh, -c, 'echo "gpu $CUDA_VISIBLE_DEVICES"']
YAML
id=$(submit gpu.yaml)
ok "a GPU job ends well" 'wait_state "$id" succeeded'
like "with one of the GPUs" "$(spillway logs "$id")" '^gpu [01]$'
worker=$(field "$id" worker)
ok "its pilot asked for one, by Slurm's accounts, where GPUs are" \
    'eventually 30 "sacct -nXP --name $worker -o Partition,NodeList,ReqTRES | grep -q \"^gpu|gpu1|.*gres/gpu=1\""'

cat >fail.yaml <<'YAML'
command: [sh, -c, "exit 7"]
YAML
id=$(submit fail.yaml)
ok "a failure is one" 'wait_state "$id" failed'
is "with its exit code" "$(field "$id" exit_code)" 7

nok "no secret stands in the queue" 'scontrol show job -o | grep -i token'
ok "idle pilots go, and nothing is left" nothing_is_left
done_testing
