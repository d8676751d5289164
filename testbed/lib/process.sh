# shellcheck shell=bash
# Process IDs in files, as "PID START". The start time distinguishes a process from a later one with
# the same ID.

# start_time PID sets start; fails if there is no such process, or only a zombie. It uses a builtin
# read and no subshell, because `testbed exec` runs this every time.
start_time() {
    local line fields
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The command name, in parentheses, may contain any character, including blanks.
    read -ra fields <<<"${line##*) }"
    [[ ${fields[0]} != [ZX] ]] || return 1
    start=${fields[19]}
}

# record_self FILE: records the calling shell as seen by the /proc mounted here. For a shell in its
# own process namespace, this ID is not $$.
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

# detach LOG COMMAND…: starts a process that continues to run. It must not inherit the open files of
# its starter: another process may wait for the end of a pipe, or for a lock.
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
        # bash reads its script from descriptor 255.
        if ((fd > 2 && fd != 255)); then exec {fd}>&-; fi
    done
}

# end_process FILE: kills the recorded process and waits until it is gone.
end_process() {
    local pid
    alive "$1" || return 0
    kill -KILL "$pid" 2>/dev/null || :
    poll 10 dead "$1" || die "process $pid: still there 10 s after SIGKILL: look at /proc/$pid/stack"
}
