# shellcheck shell=bash
# accounting-layer.sh ROOTFS LAYER PACKAGE…: installs packages above a root file system. The new
# files are in LAYER/upper. Runs in namespaces of its own, for mounts and processes.

set -euo pipefail

rootfs=$1 layer=$2
shift 2

# Short fixed paths, because overlay options cannot contain every character that a path can.
mount -t tmpfs tmpfs /mnt
mkdir /mnt/{rootfs,layer,root}
mount --bind "$rootfs" /mnt/rootfs
mount --bind "$layer" /mnt/layer
root=/mnt/root
mount -t overlay overlay "$root" -o lowerdir=/mnt/rootfs,upperdir=/mnt/layer/upper,workdir=/mnt/layer/work
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount --bind "$(realpath /etc/resolv.conf)" "$root/etc/resolv.conf"

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
inside apt-get -q -o 'Acquire::Check-Valid-Until=false' update
inside apt-get -q install -y --no-install-recommends "$@"
inside apt-get clean
rm -rf "$root"/var/lib/apt/lists/*
