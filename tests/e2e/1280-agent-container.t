#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 1280-agent-container.t - how a container runtime is called, by a stand-in that says with what it was
. "${0%/*}/../lib/agent.sh"

# A stand-in for podman and apptainer: notes its arguments, then runs the command behind the image.
mkdir "$T/bin"
cat >"$T/bin/podman" <<SH
#!/bin/sh
printf '%s\n' "\$0" "\$@" >>"$T/called"
test "\$1" = run || exit 0
while [ "\$1" != image:1 ]; do
    test \$# = 0 && exit 125
    shift
done
shift
exec "\$@"
SH
chmod +x "$T/bin/podman"
called() { grep -qx -- "$1" "$T/called"; }

broker_start
PATH=$T/bin:/usr/bin:/bin
agent_start
lease 1 '"argv": ["sh", "-c", "pwd; echo $SECRET"], "container": "image:1", "environment": ["SECRET=in sight"], "memory_bytes": 50000000'
finished 1
ok "the command runs"                  'test "$(report 1 "log(\"stdout\").splitlines()[1]")" = "in sight"'
ok "in its working directory"          'report 1 "log(\"stdout\")" | grep -q "^$W/work/"'
ok "the directory is mounted"          'grep -q "^$W/work/[0-9]*/job:$W/work/[0-9]*/job$" "$T/called"'
ok "the environment goes by name"      'called SECRET && ! grep -q "in sight" "$T/called"'
ok "the memory limit too"              'called 50000000'
ok "the worker PATH stays outside"     '! called PATH'

lease 2 '"script": "#!/bin/sh\necho scripted\n", "container": "image:1"'
finished 2
ok "a script runs"                     'test "$(report 2 "log(\"stdout\").strip()")" = scripted'
lease 3 '"argv": ["true"], "container": "other:1"'
finished 3
ok "the runtime cannot: image"         'test "$(report 3 reason)" = image'
lease 4 '"argv": ["sleep", "60"], "container": "image:1", "grace_ms": 1000'
running 4
echo >"$B/cancel/4"
finished 4
ok "a cancelled one is removed by name" 'test "$(report 4 reason)" = cancelled && wait_until "called rm && called spillway-w$$-4" 5'

mv "$T/bin/podman" "$T/bin/apptainer"
sed -i 's/test "$1" = run/test "$1" = exec/; s/!= image:1/!= docker:\/\/image:1/' "$T/bin/apptainer"
lease 5 '"argv": ["echo", "by apptainer"], "container": "image:1"'
finished 5
ok "apptainer takes it from a registry" 'test "$(report 5 "log(\"stdout\").strip()")" = "by apptainer" && called docker://image:1'
done_testing
