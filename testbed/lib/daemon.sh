# shellcheck shell=bash
# A program on a host that is started, stopped and asked for its status as by an init script. The
# script that sources this file sets these, and has a function that starts the program with `detach`
# and `record`:
#
#   part      the name for messages
#   program   the name of the program's file
#   port      the TCP port on which it answers
#   log       the file with its output

# shellcheck source=process.sh
source "${BASH_SOURCE[0]%/*}/process.sh"
pid_file=/run/$program.pid

# record: the last background process is the program.
record() { printf '%s\n' "$!" >"$pid_file"; }

running() {
    local pid
    # The kernel cuts names to 15 bytes.
    pid=$(cat "$pid_file" 2>/dev/null) && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "${program:0:15}" ]]
}

answers() { (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

gone() { ! running; }

# await COMMAND…: runs it until it succeeds.
await() {
    local tries
    for ((tries = 0; tries < 500; tries++)); do
        if "$@"; then return 0; fi
        sleep 0.02
    done
    printf 'testbed: %s: not done after 10 s: see %s on this host\n' "$part" "$log" >&2
    exit 1
}

# start_daemon COMMAND…: starts the program with this function, unless it runs, and waits until it
# answers.
start_daemon() {
    running || "$@"
    await answers
}

stop_daemon() {
    running || return 0
    kill "$(cat "$pid_file")"
    await gone
    rm -f "$pid_file"
}

status_of_daemon() {
    if running; then echo started; else echo stopped; fi
}
