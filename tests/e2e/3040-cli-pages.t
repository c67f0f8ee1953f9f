# SPDX-License-Identifier: Apache-2.0
# 3040-cli-pages.t - help, manual pages and completion say what the program takes
# After a change to a command's table, `make pages` brings the files up to date.
. "${0%/*}/../lib/spillway.sh"

# full_names: every command and sub-command, as typed.
full_names() {
    for name in $(spillway __complete commands); do
        echo "$name"
        spillway help "$name" | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | sed "s/^/$name /"
    done
}
full_names >names
ok "there are commands" 'test "$(wc -l <names)" -gt 30'

# ---- help
while read -r name; do
    # shellcheck disable=SC2086
    help=$(spillway $name --help) || fail "$name --help"
    case $help in
    "usage: spillway $name"*Example:*"Exit codes:"*) ;;
    *) test "$name" = schedule || fail "the help of '$name' has its usage, an example, exit codes" ;;
    esac
    # shellcheck disable=SC2086
    test "$(spillway help $name)" = "$help" || fail "help $name is $name --help"
done <names
pass "every command has help with an example and exit codes"
ok "no line of it is wider than a terminal" '! { spillway help; while read -r n; do spillway help $n; done <names; } | grep -v "^  spillway\|^usage" | grep -E "^.{100}"'

# ---- manual pages
for page in spillway spillway-submit; do
    spillway __manual $page >$page.1
    ok "$page.1 is what the tables say" 'diff $page.1 "$ROOT/docs/man/$page.1"'
done
sed 's/\\-/-/g' "$ROOT"/docs/man/spillway.1 "$ROOT"/docs/man/spillway-submit.1 >pages
missing=$(while read -r name; do
    # shellcheck disable=SC2086
    spillway help $name | grep -oE '^ +(-[a-z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | while read -r option; do
        grep -qE "^\.It .*Fl -${option#--}( |\$)" pages || echo "$name $option"
    done
    grep -qx "\.Ss $name" pages || echo "$name"
done <names)
is "every command and option is in them" "$missing" ""
for page in spillwayd.8 spillway-agent.8; do
    program=${page%.8}
    missing=$("$program" --help 2>&1 | grep -oE -- '--[a-z]+' | sort -u | while read -r option; do
        grep -q "Fl ..${option#--}" "$ROOT/docs/man/$page" || echo "$option"
    done)
    is "every option of $program is in $page" "$missing" ""
done
missing=$("$LIB/json" properties <"$ROOT/docs/job.schema.json" | python3 -c '
import json, re, sys
page = open(sys.argv[1]).read()
for key in json.load(sys.stdin):
    if not re.search(r"(^|[ ,])%s([ ,]|$)" % key, page, re.M): print(key)' "$ROOT/docs/man/spillway-job.5")
is "every key of a description is in spillway-job.5" "$missing" ""
if command -v mandoc >/dev/null; then
    is "mandoc has nothing to say" "$(mandoc -Tlint "$ROOT"/docs/man/*.[1-8] | grep -v 'referenced manual not found')" ""
else
    skip "mandoc has nothing to say" "no mandoc here"
fi

# ---- completion
for shell in bash zsh; do
    spillway completion $shell >$shell.out
done
ok "the bash completion is what the tables say" 'diff bash.out "$ROOT/docs/completion/spillway.bash"'
ok "the zsh completion is what the tables say" 'diff zsh.out "$ROOT/docs/completion/_spillway"'
nok "no other shell" 'spillway completion fish'

cat >try.bash <<'BASH'
source ./bash.out
compopt() { :; }
while read -r line; do
    COMP_WORDS=(${line//_/ }) && [[ $line == *_ ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _spillway
    echo "$line: ${COMPREPLY[*]}"
done
BASH
cat >try.zsh <<'ZSH'
compdef() { :; }
source ./zsh.out
compadd() { local word; for word in "${(@P)2}"; do [[ $word == "${words[CURRENT]}"* ]] && out+=("$word"); done; }
_files() { out+=("${(@f)$(compgen_files)}"); }
compgen_files() { print -l -- "${words[CURRENT]}"*(N); }
while read -r line; do
    words=(${(s: :)${line//_/ }}) out=()
    [[ $line == *_ ]] && words+=("")
    CURRENT=$#words
    _spillway
    echo "$line: $out"
done
ZSH
broker_start
array=$(submit --hold --array 1-3 --name arr -- true)
id=$(submit --hold -- true)
: >file-here.yaml
completes() { # completes WORDS LINE WANTED: a blank is written _
    is "bash: $1" "$(echo "$2" | bash --norc try.bash 2>&1)" "$2: $3"
    if command -v zsh >/dev/null; then
        is "zsh: $1" "$(echo "$2" | zsh -f try.zsh 2>&1)" "$2: $3"
    else
        skip "zsh: $1" "no zsh here"
    fi
}
completes "commands" "spillway_ca" "cancel"
completes "options" "spillway_submit_--idem" "--idempotency-key"
completes "options that are keys of a description" "spillway_run_--exclude" "--exclude-site --exclude"
completes "sub-commands" "spillway_sites_dr" "drain"
completes "behind an option with a value" "spillway_--url_x_work" "workers"
completes "sites" "spillway_sites_drain_" "local"
completes "ids" "spillway_cancel_$id" "$id"
completes "states" "spillway_ls_--state_su" "succeeded"
completes "the few words that a key takes" "spillway_submit_--tier_h" "home"
completes "files" "spillway_submit_file-" "file-here.yaml"
completes "files behind --" "spillway_submit_--_file-" "file-here.yaml"
broker_stop
completes "nothing, and quietly, when no broker answers" "spillway_logs_" ""
done_testing
