# SPDX-License-Identifier: Apache-2.0
# 1120-pod.t - pods meet the restricted Pod Security Standard, which the lab enforces, and hold no credential of the site
. "${0%/*}/lab.sh"
conf
start
id=$(submit --container "$IMAGE" -- sh -c 'echo ready; sleep 600')
ok "a job runs" 'wait_state "$id" running --limit 240'
k get pod -l job-name="$(field "$id" worker)" -o json | jq '.items[0]' >pod.json
contexts='[.securityContext, (.initContainers, .containers | map(.securityContext)), .automountServiceAccountToken]'
is "it is as we made it: the standard's admission mended nothing" "$(jq -c ".spec | $contexts" pod.json)" \
    "$(k get job "$(field "$id" worker)" -o json | jq -c ".spec.template.spec | $contexts")"
cat <<YAML | k apply -f - >/dev/null
apiVersion: batch/v1
kind: Job
metadata: {name: root}
spec:
  template: {spec: {restartPolicy: Never, containers: [{name: a, image: "$IMAGE", securityContext: {runAsUser: 0}}]}}
YAML
ok "a Job that does not meet it has no pod here" 'eventually 180 "k get events | grep -q \"job/root.*PodSecurityPolicy\""'

# holds WORDS FILTER: true of the pod, as the standard's table has it.
holds() {
    is "$1" "$(jq "[.spec.containers[], .spec.initContainers[]?] as \$all | .spec as \$pod | $2" pod.json)" true
}
holds "no namespace of the host" '[$pod.hostNetwork, $pod.hostPID, $pod.hostIPC] | any | not'
holds "no port of the host" 'all($all[].ports[]?; .hostPort | not)'
holds "not privileged" 'all($all[]; .securityContext.privileged | not)'
holds "no way to more privileges" 'all($all[]; .securityContext.allowPrivilegeEscalation == false)'
holds "every capability dropped, none added" \
    'all($all[]; .securityContext.capabilities | (.drop == ["ALL"]) and ((.add // []) == []))'
holds "volumes of the permitted kinds alone" \
    'all($pod.volumes[]; (keys - ["name"]) - ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"] == [])'
holds "must not be root" '$pod.securityContext.runAsNonRoot or all($all[]; .securityContext.runAsNonRoot)'
holds "and is another" '[$pod.securityContext.runAsUser, $all[].securityContext.runAsUser] | any(. == 0) | not'
holds "seccomp as the runtime has it" '$pod.securityContext.seccompProfile.type == "RuntimeDefault"'
holds "no other proc mount, sysctl, SELinux or AppArmor profile" \
    'all($all[]; .securityContext | (.procMount // "Default") == "Default" and (has("seLinuxOptions") | not)) and (($pod.securityContext.sysctls // []) == [])
     and ((.metadata.annotations // {}) | keys | any(startswith("container.apparmor")) | not)'
holds "no service account token" '$pod.automountServiceAccountToken == false'
holds "limits are set" 'all($all[]; .resources.limits | .cpu != null and .memory != null)'

token=$(lab token "$NS" "$NS")
pod=$(jq -r .metadata.name pod.json)
unlike "the pod says no credential" "$(cat pod.json)" "$token"
unlike "nor does its Secret" "$(k get secret "$(field "$id" worker)" -o 'jsonpath={.data.*}' | base64 -d)" "$token|BEGIN|certificate-authority"
unlike "nor its environment" "$(k exec "$pod" -- cat /proc/1/environ | tr '\0' '\n')" "$token"
# shellcheck disable=SC2016
is "nor its disk" "$(k exec "$pod" -- sh -c 'find / -xdev -type f -size -1000k ! -path "/proc/*" ! -path "/sys/*" -exec grep -lF -e "$0" {} + 2>/dev/null; find /spillway -type f -exec grep -lF -e "$0" {} + 2>/dev/null' "$token")" ""
is "and no account is mounted" "$(k exec "$pod" -- ls /var/run/secrets 2>/dev/null)" ""
spillway cancel "$id" >/dev/null
ok "it ends" 'wait_state "$id" cancelled --limit 240'
ok "nothing is left" nothing_is_left
done_testing
