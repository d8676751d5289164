# shellcheck shell=bash
# Paths, messages and small checks that every part uses.

lib_dir=$testbed_dir/lib
cache_dir=${SIFCACHE_CACHE:-${testbed_dir%/*}/.cache}/testbed
[[ $cache_dir == /* ]] || cache_dir=$PWD/$cache_dir
run_dir=$cache_dir/run

say() { printf 'testbed: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

usage_error() {
    say "$*; see testbed help${known_subcommand:+ $known_subcommand}"
    exit 64
}

require_root() {
    ((EUID == 0)) || die "$1: needs root to create namespaces and mounts: run it with sudo"
}

# A name becomes part of paths and of messages.
check_name() {
    [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] ||
        usage_error "$1: not a cluster name: use letters, digits, dots, dashes and underscores"
}

# check_number WHAT VALUE MAX
check_number() {
    if ! [[ $2 =~ ^[1-9][0-9]{0,4}$ ]] || (($2 > $3)); then
        usage_error "$1 $2: not a number from 1 to $3"
    fi
}


# poll SECONDS COMMAND…: waits until COMMAND succeeds; fails after SECONDS.
poll() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS <= deadline)) || return 1
        sleep 0.02
    done
}

# take_lock FILE sets lock_fd. If the previous holder has removed the file meanwhile, the lock has
# no effect: try again.
take_lock() {
    mkdir -p -- "${1%/*}"
    while :; do
        exec {lock_fd}>"$1"
        flock "$lock_fd"
        if [[ $1 -ef /proc/self/fd/$lock_fd ]]; then return; fi
        exec {lock_fd}>&-
    done
}

drop_lock() { exec {lock_fd}>&-; }
