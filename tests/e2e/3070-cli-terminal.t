# SPDX-License-Identifier: Apache-2.0
# 3070-cli-terminal.t - colour and progress on a terminal only; what a job writes cannot act on it
. "${0%/*}/../lib/spillway.sh"
broker_start

# on_terminal COMMAND: its output as a terminal of 80 columns gets it.
on_terminal() {
    TERM=xterm timeout $((60 * SLOWER)) python3 -c '
import fcntl, os, pty, struct, sys, termios
child, fd = pty.fork()
if child == 0:
    os.execvp("sh", ["sh", "-c", "stty cols 80 rows 24; exec " + sys.argv[1]])
out = b""
while True:
    try: piece = os.read(fd, 65536)
    except OSError: break
    if not piece: break
    out += piece
sys.stdout.buffer.write(out.replace(b"\r\n", b"\n"))' "$1"
}
escape=$(printf '\033')

printf 'before\033[2J\033]0;title\007\033[31mred\033[0m\n' >expected
id=$(submit --input expected --name "$(printf 'a-name-that-is-longer-than-any-column-has-room-for-on-a-terminal')" -- cat expected)
ok "a job" 'spillway wait "$id"'
like "ls has colour on a terminal" "$(on_terminal 'spillway ls --all')" "${escape}\[32msucceeded"
unlike "but not with NO_COLOR" "$(on_terminal 'env NO_COLOR=1 spillway ls --all')" "$escape"
unlike "nor with --no-color" "$(on_terminal 'spillway ls --all --no-color')" "$escape"
unlike "nor on a dumb one" "$(on_terminal 'env TERM=dumb spillway ls --all')" "$escape"
unlike "nor in a pipe" "$(spillway ls --all)" "$escape"
ok "no line is longer than the terminal" 'test "$(on_terminal "spillway ls --all --no-color" | wc -L)" -le 80'
like "a long name is cut there" "$(on_terminal 'spillway ls --all --no-color')" 'a-name-that[a-z-]*~ '
like "and nowhere else" "$(spillway ls --all)" 'on-a-terminal '
is "a log on a terminal keeps its colour and nothing else that acts" "$(on_terminal "spillway logs $id")" \
    "before?]0;title?${escape}[31mred${escape}[0m"
ok "in a pipe it is passed on byte by byte" 'spillway logs "$id" | cmp - expected'
id=$(submit -- sleep 1)
like "wait shows its progress on a terminal" "$(on_terminal "spillway wait $id")" '0 of 1 done'
id=$(submit -- sleep 0.2)
is "and nowhere else" "$(spillway wait "$id" 2>&1)" ""
head -c 9000000 /dev/zero >zeros
like "so does an upload" "$(on_terminal 'spillway submit --input zeros -- true')" 'sending .* of 8.6 MiB'
unlike "and only there" "$(submit --input zeros -- true 2>&1)" sending
like "top draws anew" "$(on_terminal 'timeout -s INT 2 spillway top --delay 300ms')" "${escape}\[H${escape}\[J.*spillway"
like "its end by Ctrl-C is no fault" "$(on_terminal 'sh -c "timeout -s INT --preserve-status 1 spillway top; echo code \$?"')" 'code 0$'
done_testing
