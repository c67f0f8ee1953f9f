# SPDX-License-Identifier: Apache-2.0
# 1180-image-upload.t - images that the site file brings to Glance: once, whole, and as their checksum says
# run: limit 600
. "${0%/*}/lab.sh"
images() { openstack --os-cloud site-a image list --private -f value -c Name -c Status; }
servers() { openstack --os-cloud site-a server list -f value -c Name; }
property() { openstack --os-cloud site-a image show "$1" -f json | json "$2"; }
why() { spillway sites show site-a --json | json "more.uploads.*.state" "more.uploads.*.why"; }
clean() {
    for id in $(openstack --os-cloud site-a image list --private -f value -c ID); do
        openstack --os-cloud site-a image delete "$id"
    done
}
clean

# 5 MiB of nothing in particular, here and behind https; a server that stops half way until it may go on.
head -c 5242880 /dev/urandom >small.raw
head -c 6000000 /dev/urandom >far.qcow2
small=$(sha256sum <small.raw | cut -d ' ' -f 1)
far=$(sha512sum <far.qcow2 | cut -d ' ' -f 1)
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout key.pem -out cert.pem 2>/dev/null
"$OPENSTACK/slow.py" cert.pem key.pem far.qcow2 "$T/go" >slow.port 2>slow.log &
slow=$!
ok "a server has the other" 'eventually 20 "test -s slow.port"'
SSL_CERT_FILE=$PWD/cert.pem
export SSL_CERT_FILE

conf ", idle: 1s, flavors: [m1.tiny], images: {
     debian: {from: small.raw, sha256: $small, properties: {os_distro: debian}},
     far: {name: from afar, from: \"https://localhost:$(cat slow.port)/far.qcow2\", sha512: $far}}" site-a
guests_start
broker_start --config conf.yaml
id=$(submit --name one --image debian -- true)
ok "the file is sent" 'eventually 60 "images | grep -qx \"debian active\""'
is "as Glance's own sum says" "$(property debian checksum)" "$(md5sum <small.raw | cut -d ' ' -f 1)"
is "private, of its format, with its properties" \
    "$(openstack --os-cloud site-a image show debian -f json | json visibility disk_format properties.os_distro | tr '\n' ' ')" \
    "private raw debian "
ok "the job runs with it" 'wait_state "$id" succeeded --limit 180'

# The other has begun, and the server stopped: the broker dies with the image half made.
ok "the remote one is on its way" 'eventually 60 "images | grep -Eqx \"from afar (queued|saving)\""'
ok "no server stands any more" 'eventually 60 "test -z \"\$(servers)\""'
far_id=$(submit --image far -- true)
ok "a job that needs it waits, and is told" \
    'eventually 60 "spillway explain $far_id | grep -q \"image far is on its way there (. of 6 MiB were sent)\""'
is "no server was made for it" "$(servers)" ""
broker_kill
ok "Glance keeps the half" 'images | grep -Eqx "from afar (queued|saving)"'
half=$(openstack --os-cloud site-a image list --name "from afar" -f value -c ID)
touch "$T/go"
broker_start --config conf.yaml
ok "the next broker brings it whole" 'eventually 90 "images | grep -qx \"from afar active\""'
nok "and the half is gone" 'openstack --os-cloud site-a image show "$half"'
is "one is left" "$(images | grep -c afar)" 1
is "as Glance's own sum says, too" "$(property "from afar" properties.os_hash_value)" "$far"
ok "the job runs with it" 'wait_state "$far_id" succeeded --limit 180'
is "the first was not sent again" "$(grep -c 'image debian: sending' "$T/broker.log")" 1
ok "both are shown" 'spillway sites show site-a | grep -Eq "^debian +.*small.raw +there"'
like "with whose they are and since when" "$(spillway sites show site-a)" "^debian +[0-9a-f-]{36} +private +$(date -u +%Y)-"
like "the audit knows them for wanted" "$(spillway sites audit site-a)" "image +.* active +.* yes .*debian, private, active"
nok "and has nothing to reap" 'spillway sites audit site-a | grep -q "^image.* NO "'
broker_stop

# Not what was said: no image is left of it, and never was one that could be used.
conf ", idle: 1s, images: {debian: {from: small.raw, sha256: $(echo "$small" | tr 0-9a-f 1-9a-f0)}}" site-a
broker_start --config conf.yaml
ok "another checksum is told, with both" \
    'eventually 90 "why | tr \"\\n\" \" \" | grep -q \"failed .*small.raw: its SHA-256 is $small, where .* was expected\""'
is "nothing is left of it" "$(images | grep -c -v active)" 0
ok "those that the site file does not name any more go" 'eventually 60 "test -z \"\$(images)\""'
guests_stop
kill "$slow"
done_testing
