# shellcheck shell=bash
# Commands on a host: `testbed exec` and everything else that runs something there.

# find_user ROOT USER sets uid, gid, home and user_shell. It reads the host's passwd file with
# builtins only, because exec should take only a few milliseconds.
find_user() {
    local name _
    while IFS=: read -r name _ uid gid _ home user_shell; do
        [[ $name != "$2" ]] || return 0
    done <"$1/etc/passwd"
    return 1
}

# run_in_host NAME HOST USER CWD COMMAND…, with the settings in extra_env.
run_in_host() {
    local entry
    find_entry "${@:1:4}"
    forward "${entry[@]}" "${@:5}"
}

# find_entry NAME HOST USER CWD sets entry: the words to put before a command.
find_entry() {
    local name=$1 host=$2 user=$3 cwd=$4 pid uid gid home user_shell path
    require_host "$name" "$host"
    find_user "/proc/$pid/root" "$user" || die "exec: $user: no such user on $host"
    path=/usr/local/bin:/usr/bin:/bin
    ((uid)) || path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    if [[ -z $cwd ]]; then
        cwd=$home
        ((uid)) || cwd=/
    fi
    entry=(nsenter --target "$pid" --mount --uts --ipc --net --pid --root --wd --
        /usr/bin/setpriv --reuid="$uid" --regid="$gid" --init-groups --pdeathsig=TERM --
        /usr/bin/env --ignore-environment "--default-signal=INT,QUIT" --chdir="$cwd"
        PATH="$path" HOME="$home" USER="$user" LOGNAME="$user" SHELL="$user_shell" LANG=C.UTF-8
        "${extra_env[@]}")
}

# print_entry NAME HOST USER CWD: prints these words, each terminated by a NUL.
print_entry() {
    local entry
    find_entry "$@"
    printf '%s\0' "${entry[@]}"
}

# forward COMMAND…: runs COMMAND, forwards signals to it, and returns its status.
#
# The command runs in the background, because bash does not handle signals while a foreground
# command runs. bash starts a background command with SIGINT ignored, hence --default-signal above.
# From a terminal, Ctrl-C reaches the whole process group anyway.
forward() {
    local child status=0
    "$@" <&0 &
    child=$!
    trap 'kill -TERM "$child" 2>/dev/null || :' TERM HUP
    trap '[[ -t 0 ]] || kill -TERM "$child" 2>/dev/null || :' INT
    while :; do
        # A trapped signal interrupts the wait, but does not end the command.
        wait "$child" 2>/dev/null || :
        kill -0 "$child" 2>/dev/null || break
    done
    trap - TERM HUP INT
    wait "$child" 2>/dev/null || status=$?
    return "$status"
}
