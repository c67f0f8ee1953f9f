# Completion of spillway for bash; made by `spillway completion bash`.

_spillway_tables() {
    swopts='' swvals='' swwords=''
    case "$1" in
    '')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords=':submit run ls show explain logs fetch wait cancel hold release retry schedule notices burst sites workers top usage events simulate token doctor version completion help' ;;
    'submit')
        swopts=' --wait --parsable --dry-run --anyway --idempotency-key --name --job-name --project --account --comment --cpus --cpus-per-task --memory --mem --disk --tmp --gpus --gpu-model --gpu-memory --nodes --walltime --time --array --input --inputs --output --outputs --env --environment --image --container --workdir --stdout --stderr --after --retries --retry-infra --retry-preempt --retry-on-exit --on-exit --backoff --signal --grace --limit --licenses --limits --deadline --begin --priority --hold --site --require --prefer-site --prefer --exclude-site --exclude --tier --jurisdiction --no-cloud-act --cloud-act --objective --max-cost --notify --notify-webhook --webhook --notify-mail --mail --cron --every --timezone --overlap --catch-up --url --token-file --json --no-color --help --version'
        swvals=' --idempotency-key= --name= --job-name= --project= --account= --comment= --cpus= --cpus-per-task= --memory= --mem= --disk= --tmp= --gpus= --gpu-model= --gpu-memory= --nodes= --walltime= --time= --array= --input=file --inputs=file --output= --outputs= --env= --environment= --image= --container= --workdir= --stdout= --stderr= --after=jobs --retries= --retry-infra= --retry-preempt= --retry-on-exit= --on-exit= --backoff= --signal= --grace= --limit= --licenses= --limits= --deadline= --begin= --priority= --site=sites --require=sites --prefer-site=sites --prefer=sites --exclude-site=sites --exclude=sites --tier=:home,partner,commercial --jurisdiction= --cloud-act=:true,false --objective=:balanced,time,cost --max-cost= --notify=:started,succeeded,failed,cancelled,recovered,late --notify-webhook= --webhook= --notify-mail= --mail= --cron= --every= --timezone= --overlap=:skip,queue,replace,allow --catch-up=:none,latest,all --url= --token-file=file'
        swwords='file' ;;
    'run')
        swopts=' --anyway --name --job-name --project --account --comment --cpus --cpus-per-task --memory --mem --disk --tmp --gpus --gpu-model --gpu-memory --nodes --walltime --time --array --input --inputs --output --outputs --env --environment --image --container --workdir --stdout --stderr --after --retries --retry-infra --retry-preempt --retry-on-exit --on-exit --backoff --signal --grace --limit --licenses --limits --deadline --begin --priority --hold --site --require --prefer-site --prefer --exclude-site --exclude --tier --jurisdiction --no-cloud-act --cloud-act --objective --max-cost --notify --notify-webhook --webhook --notify-mail --mail --cron --every --timezone --overlap --catch-up --url --token-file --json --no-color --help --version'
        swvals=' --name= --job-name= --project= --account= --comment= --cpus= --cpus-per-task= --memory= --mem= --disk= --tmp= --gpus= --gpu-model= --gpu-memory= --nodes= --walltime= --time= --array= --input=file --inputs=file --output= --outputs= --env= --environment= --image= --container= --workdir= --stdout= --stderr= --after=jobs --retries= --retry-infra= --retry-preempt= --retry-on-exit= --on-exit= --backoff= --signal= --grace= --limit= --licenses= --limits= --deadline= --begin= --priority= --site=sites --require=sites --prefer-site=sites --prefer=sites --exclude-site=sites --exclude=sites --tier=:home,partner,commercial --jurisdiction= --cloud-act=:true,false --objective=:balanced,time,cost --max-cost= --notify=:started,succeeded,failed,cancelled,recovered,late --notify-webhook= --webhook= --notify-mail= --mail= --cron= --every= --timezone= --overlap=:skip,queue,replace,allow --catch-up=:none,latest,all --url= --token-file=file'
        swwords='file' ;;
    'ls')
        swopts=' --all --state --name --project --user --limit --expand --url --token-file --json --no-color --help --version'
        swvals=' --state=states -s=states --name= -n= --project= -p= --user= -u= --limit= -l= --url= --token-file=file'
        swwords='jobs' ;;
    'show')
        swopts=' --description --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='jobs' ;;
    'explain')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='jobs' ;;
    'logs')
        swopts=' --follow --stdout --stderr --attempt --node --url --token-file --json --no-color --help --version'
        swvals=' --attempt= --node= --url= --token-file=file'
        swwords='jobs' ;;
    'fetch')
        swopts=' --output --logs --force --url --token-file --json --no-color --help --version'
        swvals=' --output=dir -o=dir --url= --token-file=file'
        swwords='jobs' ;;
    'wait')
        swopts=' --timeout --url --token-file --json --no-color --help --version'
        swvals=' --timeout= -t= --url= --token-file=file'
        swwords='jobs' ;;
    'cancel')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='jobs' ;;
    'hold')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='jobs' ;;
    'release')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='jobs' ;;
    'retry')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='jobs' ;;
    'schedule')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords=':add ls show next pause resume trigger history rm' ;;
    'schedule add')
        swopts=' --anyway --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='file' ;;
    'schedule ls')
        swopts=' --user --url --token-file --json --no-color --help --version'
        swvals=' --user= -u= --url= --token-file=file'
        swwords='' ;;
    'schedule show')
        swopts=' --user --version --url --token-file --json --no-color --help --version'
        swvals=' --user= -u= --version= --url= --token-file=file'
        swwords='' ;;
    'schedule next')
        swopts=' --count --from --timezone --name --user --url --token-file --json --no-color --help --version'
        swvals=' --count= -n= --from= --timezone= --name= --user= -u= --url= --token-file=file'
        swwords='file' ;;
    'schedule pause')
        swopts=' --user --reason --url --token-file --json --no-color --help --version'
        swvals=' --user= -u= --reason= --url= --token-file=file'
        swwords='' ;;
    'schedule resume')
        swopts=' --user --url --token-file --json --no-color --help --version'
        swvals=' --user= -u= --url= --token-file=file'
        swwords='' ;;
    'schedule trigger')
        swopts=' --user --url --token-file --json --no-color --help --version'
        swvals=' --user= -u= --url= --token-file=file'
        swwords='' ;;
    'schedule history')
        swopts=' --user --limit --url --token-file --json --no-color --help --version'
        swvals=' --user= -u= --limit= -n= --url= --token-file=file'
        swwords='' ;;
    'schedule rm')
        swopts=' --user --url --token-file --json --no-color --help --version'
        swvals=' --user= -u= --url= --token-file=file'
        swwords='' ;;
    'notices')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords=':ls replay' ;;
    'notices ls')
        swopts=' --state --url --token-file --json --no-color --help --version'
        swvals=' --state= -s= --url= --token-file=file'
        swwords='' ;;
    'notices replay')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='' ;;
    'burst')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords=':ls show release' ;;
    'burst ls')
        swopts=' --all --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='' ;;
    'burst show')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='' ;;
    'burst release')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='' ;;
    'sites')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords=':show probe enable disable drain audit' ;;
    'sites show')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='sites' ;;
    'sites probe')
        swopts=' --quick --timeout --url --token-file --json --no-color --help --version'
        swvals=' --timeout= -t= --url= --token-file=file'
        swwords='sites' ;;
    'sites enable')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='sites' ;;
    'sites disable')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='sites' ;;
    'sites drain')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='sites' ;;
    'sites audit')
        swopts=' --reap --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='sites' ;;
    'workers')
        swopts=' --all --site --url --token-file --json --no-color --help --version'
        swvals=' --site=sites -s=sites --url= --token-file=file'
        swwords=':show drain rm' ;;
    'workers show')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='workers' ;;
    'workers drain')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='workers' ;;
    'workers rm')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='workers' ;;
    'top')
        swopts=' --once --delay --url --token-file --json --no-color --help --version'
        swvals=' --delay= -d= --url= --token-file=file'
        swwords='' ;;
    'usage')
        swopts=' --from --to --shares --url --token-file --json --no-color --help --version'
        swvals=' --from= --to= --url= --token-file=file'
        swwords='' ;;
    'events')
        swopts=' --follow --job --after --limit --url --token-file --json --no-color --help --version'
        swvals=' --job=jobs -j=jobs --after= --limit= -l= --url= --token-file=file'
        swwords='' ;;
    'simulate')
        swopts=' --trace --from --sites --policy --seed --plot --url --token-file --json --no-color --help --version'
        swvals=' --trace=file --from= --sites=file --policy=file --seed= --plot=file --url= --token-file=file'
        swwords='' ;;
    'token')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords=':add ls revoke' ;;
    'token add')
        swopts=' --user --role --project --expires --url --token-file --json --no-color --help --version'
        swvals=' --user= -u= --role= -r= --project= -p= --expires= -e= --url= --token-file=file'
        swwords='' ;;
    'token ls')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='' ;;
    'token revoke')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='' ;;
    'doctor')
        swopts=' --check --backup --prune --url --token-file --json --no-color --help --version'
        swvals=' --backup=file --url= --token-file=file'
        swwords='' ;;
    'version')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='' ;;
    'completion')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='' ;;
    'help')
        swopts=' --url --token-file --json --no-color --help --version'
        swvals=' --url= --token-file=file'
        swwords='commands' ;;
    esac
}

# The command (and sub-command) among the words, into `name`; whether "--" came, into `rest`.
_spillway_find() {
    name='' rest=''
    local word skip='' swopts swvals swwords
    _spillway_tables ''
    for word in "$@"; do
        if [ -n "$skip" ]; then skip=''; continue; fi
        case "$word" in
        --) rest=1; return ;;
        -*)
            case "$swvals " in *" $word="*) skip=1 ;; esac ;;
        *)
            case "$swwords" in
            :*)
                case " ${swwords#:} " in
                *" $word "*)
                    name="${name:+$name }$word"
                    _spillway_tables "$name" ;;
                esac ;;
            esac ;;
        esac
    done
}

# Candidates for the current word, one a line: _spillway_candidates CURRENT WORDS-BEFORE...
_spillway_candidates() {
    local current="$1" previous='' kind='' name rest swopts swvals swwords word
    shift
    _spillway_find "$@"
    for previous in "$@"; do :; done
    if [ -n "$rest" ]; then echo '<file>'; return; fi
    _spillway_tables "$name"
    case "$previous" in
    -*)
        case "$swvals " in
        *" $previous="*)
            kind="${swvals#*" $previous="}"
            _spillway_kind "${kind%%' '*}"
            return ;;
        esac ;;
    esac
    case "$current" in
    -*) printf '%s\n' $(echo $swopts) ;;
    *)
        case "$swwords" in
        :*) printf '%s\n' $(echo ${swwords#:}) ;;
        *) _spillway_kind "$swwords" ;;
        esac ;;
    esac
}

_spillway_kind() {
    case "$1" in
    '') ;;
    :*) printf '%s' "${1#:}" | tr ',' '\n' ;;
    file | dir) echo "<$1>" ;;
    *) spillway __complete "$1" 2>/dev/null ;;
    esac
}

_spillway() {
    local current="${COMP_WORDS[COMP_CWORD]}" found
    COMPREPLY=()
    found=$(_spillway_candidates "$current" "${COMP_WORDS[@]:1:COMP_CWORD-1}")
    case "$found" in
    '<file>') compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    '<dir>') compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$found" -- "$current") ;;
    esac
}
complete -F _spillway spillway
