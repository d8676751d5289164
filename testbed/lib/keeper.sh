# shellcheck shell=bash
# keeper.sh STATE ROOTFS STORAGE HOURS OWNER: the first process of a cluster.
#
# It runs in its own namespaces (mount, pid, net, uts, ipc). The processes of all hosts are below
# it, and all mounts and interfaces are inside these namespaces. The kernel therefore removes
# everything when this process ends, however it ends.

set -euo pipefail

state=$1 rootfs=$2 storage=$3 hours=$4 owner=$5
lib_dir=${BASH_SOURCE[0]%/*}
# shellcheck source=process.sh
source "$lib_dir/process.sh"
# shellcheck source=network.sh
source "$lib_dir/network.sh"

# Short fixed paths, because overlay options cannot contain every character that a path can.
mount_short_paths() {
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/netns /run/testbed/{rootfs,state,storage,lib}
    mount --bind "$rootfs" /run/testbed/rootfs
    mount --bind "$state" /run/testbed/state
    mount --bind "$storage" /run/testbed/storage
    mount --bind "$lib_dir" /run/testbed/lib
    if [[ -e $state/accounting ]]; then
        mkdir /run/testbed/accounting
        mount --bind "$state/accounting/" /run/testbed/accounting
    fi
}

# owner is the "PID START" of a process, or empty; the cluster ends shortly after that process. It
# also ends if its state directory is gone, because then no command could find the cluster any more.
# Hosts that are booted later become children of this process, and bash reaps them.
keep() {
    local start
    while ((SECONDS < hours * 3600)); do
        [[ -e $state/keeper.pid ]] || break
        if [[ -n $owner ]]; then
            start_time "${owner% *}" || break
            [[ $start == "${owner#* }" ]] || break
        fi
        sleep 1
    done
}

mount_short_paths
make_network "$state"
record_self "$state/keeper.pid"
keep
