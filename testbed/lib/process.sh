# shellcheck shell=bash
# Process numbers kept in files: "PID START". The start time tells a process
# from a later one that was given the same number.

# start_time PID sets start; fails if there is no such process, or only its
# zombie. A builtin read and no subshell: `testbed exec` runs this every time.
start_time() {
    local line fields
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The command name, in parentheses, may hold anything, blanks included.
    read -ra fields <<<"${line##*) }"
    [[ ${fields[0]} != [ZX] ]] || return 1
    start=${fields[19]}
}

# record_self FILE: the calling shell, as seen by the /proc mounted here. For a
# shell in a process namespace of its own, that number is not $$.
record_self() {
    local pid _ start
    read -r pid _ </proc/self/stat
    start_time "$pid"
    printf '%s %s\n' "$pid" "$start" >"$1.new"
    mv -- "$1.new" "$1"
}

# alive FILE sets pid; fails unless the process recorded in FILE still runs.
alive() {
    local recorded start
    { read -r pid recorded <"$1"; } 2>/dev/null || return 1
    start_time "$pid" && [[ $start == "$recorded" ]]
}

dead() { ! alive "$1"; }

# detach LOG COMMAND…: starts something that runs on. It must not hold what its
# starter had open: someone may wait for the end of that pipe, or for that lock.
detach() {
    local log=$1
    shift
    (
        close_inherited
        exec setsid "$@"
    ) </dev/null >>"$log" 2>&1 &
}

close_inherited() {
    local path fd
    for path in /proc/self/fd/*; do
        fd=${path##*/}
        # 255 is where bash reads its script from.
        if ((fd > 2 && fd != 255)); then exec {fd}>&-; fi
    done
}

# end_process FILE: kills that process and waits until it is gone.
end_process() {
    local pid
    alive "$1" || return 0
    kill -KILL "$pid" 2>/dev/null || :
    poll 10 dead "$1" || die "process $pid: still there 10 s after SIGKILL: look at /proc/$pid/stack"
}
