# shellcheck shell=bash
# Starts and stops clusters, and finds those that are running.

state_dir() { printf '%s/%s\n' "$run_dir" "$1"; }

# cluster_alive NAME sets pid to the process ID of the cluster's keeper.
cluster_alive() { alive "$run_dir/$1/keeper.pid"; }

any_cluster_alive() {
    local file pid
    for file in "$run_dir"/*/keeper.pid; do
        if alive "$file"; then return 0; fi
    done
    return 1
}

# require_cluster NAME sets pid.
require_cluster() {
    cluster_alive "$1" || die "$1: this cluster is not up: start it with testbed up --name $1"
}

# up NAME NODES REUSE OWNER
up() {
    local name=$1 nodes=$2 reuse=$3 owner=$4 lock_fd pid
    prepare
    [[ -z $option_accounting ]] || prepare_accounting
    take_lock "$run_dir/$name.lock"
    if ! cluster_alive "$name"; then
        end_on_exit "$name"
        clear_state "$name"
        write_state "$(state_dir "$name")" "$nodes"
        start_keeper "$(state_dir "$name")" "$owner"
        boot_all "$name" "$nodes"
        ends_with_us=()
    elif [[ -z $reuse ]]; then
        die "up: $name: already up: use it with --reuse, or stop it with testbed down --name $name"
    fi
    drop_lock
}

# Clusters that end together with this process: one that is not fully up yet, or those that exist
# for one command.
ends_with_us=()
was_up=
# end_on_exit NAME…
end_on_exit() {
    ends_with_us=("$@")
    trap end_clusters EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# The logs of a cluster that failed to come up are kept. They are removed after
# a success or an interrupt.
end_clusters() {
    local status=$? name
    trap '' HUP INT TERM
    for name in "${ends_with_us[@]}"; do
        end_process "$(state_dir "$name")/keeper.pid"
        if [[ -n $was_up ]] || ((status > 128)); then remove_cluster "$name"; fi
    done
}

clear_state() {
    end_process "$(state_dir "$1")/keeper.pid"
    rm -rf --one-file-system -- "$(state_dir "$1")"
}

remove_cluster() {
    clear_state "$1"
    rm -f -- "$run_dir/$1.lock"
}

start_keeper() {
    local state=$1 owner=$2
    detach "$state/keeper.log" unshare --mount --pid --net --uts --ipc --fork \
        bash "$lib_dir/keeper.sh" "$state" "$(rootfs_path)" "$(storage_path)" "$hours" "$owner"
    poll 10 keeper_settled "$state" "$!"
    alive "$state/keeper.pid" || {
        cat -- "$state/keeper.log" >&2
        die "up: the cluster's first process did not become ready: see above"
    }
}

keeper_settled() { alive "$1/keeper.pid" || ! kill -0 "$2" 2>/dev/null; }

# Starts all hosts at once: the nodes retry until they find the controller.
boot_all() {
    local name=$1 nodes=$2 host hosts
    mapfile -t hosts <"$(state_dir "$name")/hosts.list"
    for host in "${hosts[@]}"; do start_host "$name" "$host"; done
    for host in "${hosts[@]}"; do await_host "$name" "$host"; done
    poll 60 nodes_idle "$name" "$nodes" ||
        die "up: the nodes are not all idle after 60 s: see $(state_dir "$name")/hosts/*/upper/var/log/slurm"
}

nodes_idle() {
    local entry idle
    find_entry "$1" ctl root /
    idle=$("${entry[@]}" sinfo --noheader --states=idle --responding --format=%D 2>/dev/null) && ((idle == $2))
}

down() {
    local name=$1 lock_fd
    [[ -d $run_dir/$name ]] || die "down: $name: no such cluster: testbed status lists the clusters"
    # This comes first, because it also ends an `up` of the same name that is in progress.
    end_process "$(state_dir "$name")/keeper.pid"
    take_lock "$run_dir/$name.lock"
    remove_cluster "$name"
    drop_lock
}

down_all() {
    local path
    for path in "$run_dir"/*/; do
        [[ ! -d $path ]] || down "$(basename -- "$path")"
    done
}
