# shellcheck shell=bash
# The storage of the hub's registry. It is filled once; each cluster has its own layer above it, so
# that a cluster may push to its hub.

storage_stamp() { sha256sum -- "$lib_dir/images.sh" | cut -c1-12; }

storage_path() { printf '%s/hub-%s\n' "$cache_dir" "$(storage_stamp)"; }

build_storage() {
    local storage=$1 rootfs=$2 layouts=$cache_dir/layouts.new
    local began=$SECONDS
    say "filling the hub with $((${#hub_images[@]} / 2)) images (about 15 s)"
    remove_unused "$cache_dir"/hub-*
    rm -rf -- "$storage.new" "$layouts"
    mkdir -p "$storage.new" "$layouts"
    write_layouts "$layouts" "$rootfs/usr/bin/busybox"
    unshare --mount --pid --net --fork --kill-child \
        bash -euo pipefail "$lib_dir/fill.sh" "$rootfs" "$storage.new" "$layouts" >"$cache_dir/hub.log" 2>&1 ||
        die "prepare: filling the hub: failed: see $cache_dir/hub.log"
    rm -rf -- "$layouts"
    mv -- "$storage.new" "$storage"
    say "filled the hub in $((SECONDS - began)) s"
}

# One numbered directory per image, with the image's name in a file beside it.
write_layouts() {
    local layouts=$1 busybox=$2 n
    for ((n = 0; n < ${#hub_images[@]}; n += 2)); do
        write_layout "$layouts/$n" "${hub_images[n]}" "${hub_images[n + 1]}" "$busybox"
        printf '%s\n' "${hub_images[n]}" >"$layouts/$n.name"
    done
}

prepare() {
    local rootfs storage lock_fd # set by take_lock
    install_requirements
    # One lock per suite, so that the root file systems of several suites can be built at the same
    # time.
    take_lock "$cache_dir/prepare-$suite.lock"
    rootfs=$(rootfs_path)
    [[ -d $rootfs ]] || build_rootfs "$rootfs"
    drop_lock
    take_lock "$cache_dir/prepare-hub.lock"
    storage=$(storage_path)
    [[ -d $storage ]] || build_storage "$storage" "$rootfs"
    drop_lock
}
