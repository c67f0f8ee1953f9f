# SPDX-License-Identifier: Apache-2.0
# 0900-lab.t - the cluster itself does what the other tests rely on
# run: alone
. "${0%/*}/lab.sh"

job() { # job NAME COMMAND
    cat <<YAML
apiVersion: batch/v1
kind: Job
metadata: {name: $1, namespace: default}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "lab.invalid/busybox:1", command: [sh, -c, "$2"]}]
YAML
}
ended() { # ended NAME CONDITION
    test "$(kubectl get "job/$1" -o 'jsonpath={.status.conditions[?(@.status=="True")].type}')" = "$2"
}

job good 'echo hello' | kubectl apply -f - >/dev/null
job bad 'exit 3' | kubectl apply -f - >/dev/null
ok "a Job completes" 'eventually 180 "ended good Complete"'
is "with its log, by way of the kubelet" "$(kubectl logs job/good)" hello
ok "a Job fails" 'eventually 180 "ended bad Failed"'
is "with its container's exit code" "$(kubectl get pods -l job-name=bad -o \
    'jsonpath={.items[0].status.containerStatuses[0].state.terminated.exitCode}')" 3
lab stop-part apiserver
nok "a part can be stopped" 'kubectl get --raw /readyz'
lab start-part apiserver
lab stop-part kubelet
lab start-part kubelet
ok "and started again, and remembers" 'ended good Complete'
ok "the node has GPUs" 'eventually 180 "test \$(kubectl get node lab-node1 -o \"jsonpath={.status.allocatable.nvidia\\.com/gpu}\") = 2"'
kubectl delete job good bad >/dev/null
done_testing
