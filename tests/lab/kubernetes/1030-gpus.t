# SPDX-License-Identifier: Apache-2.0
# 1030-gpus.t - three GPU jobs on two GPUs: two run, the third says why it waits, and then runs
# run: limit 800
. "${0%/*}/lab.sh"
example nodes.yaml | kubectl apply -f - >/dev/null
kubectl label --overwrite node lab-node1 nvidia.com/gpu.product=Tesla-V100-PCIE-16GB >/dev/null
# There is no card: what would list them in the image says what a pod is given.
cp -a "$LAB/state/rootfs/busybox" gpu
printf '#!/bin/sh\necho "0, Tesla V100-PCIE-16GB, 16160"\n' >gpu/bin/nvidia-smi
chmod 755 gpu/bin/nvidia-smi
lab image lab.invalid/gpu:1 gpu
conf
start
like "the node's GPUs are known, and their model" "$(spillway sites show home)" 'V100'
cat >job.yaml <<YAML
container: lab.invalid/gpu:1
resources: {gpus: 1, gpu_model: V100}
script: |
  #!/bin/sh
  trap 'exit 0' TERM
  while :; do sleep 0.1; done
YAML
first=$(submit job.yaml)
ok "one runs" 'wait_state "$first" running --limit 240'
second=$(submit job.yaml)
ok "two run" 'wait_state "$second" running --limit 240'
third=$(submit job.yaml)
ok "the third says why it waits" 'eventually 180 "spillway explain $third | grep -Ei \"gpus?[: ].*(V100|limit|free)|(V100|GPU).*free\""'
diag "$(spillway explain "$third")"
is "it waits" "$(field "$third" state)" pending
is "each pod asked for one" "$(k get pods -o 'jsonpath={.items[*].spec.containers[0].resources.limits.nvidia\.com/gpu}')" "1 1"
spillway cancel "$first" >/dev/null
ok "it runs when one is free" 'wait_state "$third" running --limit 240'
spillway cancel "$second" "$third" >/dev/null
ok "all end" 'wait_state "$second" cancelled && wait_state "$third" cancelled'
ok "nothing is left" nothing_is_left
kubectl label node lab-node1 nvidia.com/gpu.product- >/dev/null
done_testing
