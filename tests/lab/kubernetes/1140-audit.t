# SPDX-License-Identifier: Apache-2.0
# 1140-audit.t - what the account may do beyond its Role, and a dashboard that is open to all, are named
. "${0%/*}/lab.sh"
conf
start
findings() {
    spillway sites audit home
}
unlike "by the example's Role there is nothing to say" "$(findings)" 'more than it needs'
k create rolebinding wide --clusterrole=edit --serviceaccount="$NS:$NS" >/dev/null
ok "a wider role is named" 'eventually 180 "findings | grep -q \"more than it needs in namespace $NS: reading the namespace\""'
k delete rolebinding wide >/dev/null

cat <<YAML | kubectl apply -f - >/dev/null
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: $NS-nodes}
rules: [{apiGroups: [""], resources: [services, pods], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: $NS-nodes}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: $NS-nodes}
subjects: [{kind: ServiceAccount, name: $NS, namespace: $NS}]
---
apiVersion: v1
kind: Service
metadata: {name: kubernetes-dashboard, namespace: $NS, labels: {k8s-app: kubernetes-dashboard}}
spec: {type: NodePort, selector: {k8s-app: kubernetes-dashboard}, ports: [{port: 80, targetPort: 9090}]}
YAML
ok "a dashboard that the nodes' addresses lead to is named" 'eventually 180 "findings | grep -q dashboard"'
diag "$(findings)"
k delete service kubernetes-dashboard >/dev/null
ok "until it is gone" 'eventually 180 "! findings | grep -q dashboard"'
done_testing
