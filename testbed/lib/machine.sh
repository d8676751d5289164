# shellcheck shell=bash
# Single hosts of a cluster: starts, finds and crashes them, and copies files to them.

# host_alive NAME HOST sets pid to the process ID of the host's first process.
host_alive() { alive "$run_dir/$1/hosts/$2/pid"; }

# require_host NAME HOST sets pid.
require_host() {
    require_cluster "$1"
    require_known_host "$1" "$2"
    host_alive "$1" "$2" || die "$2: down: start it with testbed boot --name $1 $2"
}

require_known_host() {
    [[ $2 != */* && -d $run_dir/$1/hosts/$2 ]] ||
        die "$2: no such host in cluster $1: it has $(paste -sd' ' "$run_dir/$1/hosts.list")"
}

# Starts the host detached below the keeper, so that it is not a child of this command.
start_host() {
    local name=$1 host=$2 pid
    require_cluster "$name"
    rm -f -- "$run_dir/$name/hosts/$host/pid"
    nsenter --target "$pid" --mount --uts --ipc --net --pid --root --wd -- \
        bash /run/testbed/lib/boot.sh "$host"
}

await_host() {
    local name=$1 host=$2
    poll 30 host_settled "$name" "$host"
    host_ready "$name" "$host" || {
        cat -- "$run_dir/$name/hosts/$host/boot.log" >&2
        die "$host: did not become ready: see above and $run_dir/$name/hosts/$host/upper/var/log"
    }
}

host_ready() {
    local pid
    host_alive "$1" "$2" && [[ -e /proc/$pid/root/run/ready ]]
}

host_settled() {
    local pid_file=$run_dir/$1/hosts/$2/pid
    host_ready "$1" "$2" || { [[ -e $pid_file ]] && dead "$pid_file"; }
}

boot() {
    local name=$1 host=$2 pid
    require_cluster "$name"
    require_known_host "$name" "$host"
    ! host_alive "$name" "$host" || die "boot: $host: already up"
    start_host "$name" "$host"
    await_host "$name" "$host"
}

crash() {
    local pid
    require_host "$1" "$2"
    end_process "$run_dir/$1/hosts/$2/pid"
}

# push NAME SRC DEST MODE. The file is renamed into place, because slurmd may have the old file
# open.
push() {
    local name=$1 src=$2 dest=$3 mode=$4 host pid
    if [[ -d $src ]]; then
        push_tree "$name" "$src" "$dest"
        return
    fi
    [[ -f $src && -r $src ]] || die "push: $src: not a readable file"
    [[ $dest == /* && $dest != */ ]] || usage_error "push: $dest: not an absolute path of a file"
    require_cluster "$name"
    while read -r host; do
        [[ $host != hub ]] || continue
        require_host "$name" "$host"
        # shellcheck disable=SC2016
        nsenter --target "$pid" --mount --root --wd -- /bin/sh -c '
            mkdir -p "${2%/*}" && cat >"$2.new.$$" && chmod "$1" "$2.new.$$" && mv -f "$2.new.$$" "$2"
        ' push "$mode" "$dest" <"$src" || die "push: $host:$dest: not written: see above"
    done <"$run_dir/$name/hosts.list"
}

# tar removes an existing file first, like install(1), because the file may be in use.
push_tree() {
    local name=$1 src=$2 dest=$3 host pid
    [[ $dest == /* ]] || usage_error "push: $dest: not an absolute path"
    require_cluster "$name"
    while read -r host; do
        [[ $host != hub ]] || continue
        require_host "$name" "$host"
        tar --create --directory="$src" --owner=0 --group=0 . |
            nsenter --target "$pid" --mount --root --wd -- \
                tar --extract --directory="$dest" --no-overwrite-dir ||
            die "push: $host:$dest: not written: see above"
    done <"$run_dir/$name/hosts.list"
}

print_root() {
    local pid
    require_host "$1" "$2"
    printf '/proc/%s/root\n' "$pid"
}
