# shellcheck shell=bash
# host.sh HOST: the first process of a host. It enters the host's own root file system and continues
# there as init.sh. Runs below the keeper.

set -euo pipefail

host=$1
lib_dir=/run/testbed/lib
host_dir=/run/testbed/state/hosts/$host
root=/run/testbed/$host
# shellcheck source=process.sh
source "$lib_dir/process.sh"

mount_root() {
    local layers=/run/testbed/rootfs
    if [[ $host == ctl && -d /run/testbed/accounting ]]; then
        layers=/run/testbed/accounting:$layers
    fi
    mkdir -p "$root" "$host_dir/upper" "$host_dir/work"
    mount -t overlay overlay "$root" \
        -o "lowerdir=$layers,upperdir=$host_dir/upper,workdir=$host_dir/work"
}

# The host has its own devices, so that fuse can be accessible for everyone there without a change
# to the machine's device.
mount_devices() {
    local device name major minor
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 fuse:10:229; do
        IFS=: read -r name major minor <<<"$device"
        mknod --mode=666 "$root/dev/$name" c "$major" "$minor"
    done
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    ln -s fd/0 "$root/dev/stdin"
    ln -s fd/1 "$root/dev/stdout"
    ln -s fd/2 "$root/dev/stderr"
}

mount_kernel_and_scratch() {
    mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
    mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
}

# A node's own disk. It is in memory, so that it vanishes with the host.
mount_local() {
    mount -t tmpfs -o mode=755,size=16G tmpfs "$root/local"
    mkdir "$root/local/sif"
}

# The directories that a site has on a file server.
mount_shared() {
    local shared=/run/testbed/state/shared
    mount --bind "$shared/home" "$root/home"
    mount --bind "$shared/shared" "$root/shared"
    if [[ -e /run/testbed/state/configless && $host == n* ]]; then
        printf 'SLURMD_OPTIONS="--conf-server ctl"\n' >"$root/etc/default/slurmd"
    else
        mount --bind "$shared/etc-slurm" "$root/etc/slurm"
    fi
    cat /run/testbed/state/hosts.file >"$root/etc/hosts"
    printf '%s\n' "$host" >"$root/etc/hostname"
}

mount_storage() {
    [[ $host == hub ]] || return 0
    mkdir -p "$host_dir/storage-upper" "$host_dir/storage-work"
    mount -t overlay overlay "$root/srv/registry" \
        -o "lowerdir=/run/testbed/storage,upperdir=$host_dir/storage-upper,workdir=$host_dir/storage-work"
}

# With a plain chroot Apptainer does not start, because no user namespaces can be created there.
enter_root() {
    mkdir -p "$root/run/testbed"
    mount --bind -o ro "$lib_dir" "$root/run/testbed"
    cd "$root"
    pivot_root . .
    umount -l .
    cd /
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        /bin/bash /run/testbed/init.sh "$host"
}

printf '%s\n' "$host" >/proc/sys/kernel/hostname
record_self "$host_dir/pid"
mount_root
mount_devices
mount_kernel_and_scratch
mount_local
mount_shared
mount_storage
enter_root
