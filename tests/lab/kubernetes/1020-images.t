# SPDX-License-Identifier: Apache-2.0
# 1020-images.t - an image without a shell, the agent from an image of the operator's, and images that are not there
# run: limit 900
. "${0%/*}/lab.sh"

# One program and nothing else; it says what it was given and writes a file.
mkdir -p bare agent
cat >bare.c <<'C'
#include <stdio.h>
#include <sys/stat.h>
int main(int argc, char **argv)
{
    struct stat st;
    FILE *out = fopen("said", "w");
    fprintf(out, "%s\n", argv[argc - 1]);
    printf("%d arguments, %s\n", argc - 1, stat("/bin/sh", &st) == 0 ? "a shell" : "no shell");
    return fclose(out);
}
C
gcc -Os -static -s -o bare/say bare.c
lab image lab.invalid/bare:1 bare
cp "$BUILD/bin/spillway-agent" agent/
lab image lab.invalid/spillway-agent:1 agent /spillway-agent
conf
start
cat >bare.yaml <<'YAML'
container: lab.invalid/bare:1
command: [/say, "a b", "ünï"]
outputs: [said]
YAML
id=$(submit bare.yaml)
ok "a program runs in an image that has no shell" 'wait_state "$id" succeeded --limit 240'
is "as it was told" "$(spillway logs "$id")" "2 arguments, no shell"
ok "its output is there" 'spillway fetch "$id" -o bare-out && test "$(cat bare-out/said)" = ünï'

registry="$T/registry"
cat >"$registry" <<'PYTHON'
"""A registry that has no image, which the lab's node cannot be without: real ones are out of reach.

While a file `busy` is there, it says that it cannot answer."""
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"{}" if self.path == "/v2/" else b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}'
        status = 503 if os.path.exists("busy") else 200 if self.path == "/v2/" else 404
        if status == 503:
            open("asked", "a").write(self.path + "\n")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)
    do_HEAD = do_GET
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", 5000), Handler).serve_forever()
PYTHON
python3 "$registry" &
registry_pid=$!
missing=$(submit --container 127.0.0.1:5000/none:1 -- true)
ok "an image that its registry does not know" 'wait_state "$missing" failed --limit 240'
is "is the reason" "$(field "$missing" reason)" image
like "which names it" "$(field "$missing" detail)" '127.0.0.1:5000/none:1.*not found'
is "the user's, at the first attempt" "$(attempts "$missing" budget)" user

touch busy
missing=$(submit --container 127.0.0.1:5000/none:2 -- true)
ok "a registry that cannot answer is asked again" 'eventually 180 "test \$(grep -c none asked) -ge 2"'
is "the job waits" "$(field "$missing" state)" pending
is "at the expense of none of its attempts" "$(attempts "$missing" budget)" ""
rm busy
ok "until the registry answers, in this case that it has none" 'wait_state "$missing" failed --limit 240'
is "for that reason" "$(field "$missing" reason)" image
kill $registry_pid

broker_stop
conf "agent_image: lab.invalid/spillway-agent:1"
start
id=$(submit bare.yaml)
ok "the agent comes from an image as well" 'wait_state "$id" succeeded --limit 240'
is "with the same result" "$(spillway logs "$id")" "2 arguments, no shell"
ok "nothing is left" nothing_is_left
done_testing
