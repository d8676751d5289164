# shellcheck shell=bash
# The root file system that all hosts share, built by mmdebstrap.

rootfs_packages=(
    slurmctld slurmd slurm-client munge
    squashfuse fuse3 skopeo docker-registry
    fuse2fs gocryptfs # apptainer warns about each missing one at every start
    systemd # for journald; no other part of it runs
    rsyslog ca-certificates openssl iproute2 procps strace
    rpm # for tests of sifcache's RPM packages
    busybox-static # the userland of the images on the hub
    # Programs through which jobs start other programs. openmpi-bin also installs perl.
    environment-modules openmpi-bin parallel python3 numactl make time tcsh zsh fish sudo
    e2fsprogs # makes ext3 images: apptainer overlay create
    prometheus prometheus-node-exporter
)

# Files of the packages that are not installed: documentation, and 260 MB of LLVM and ROCm, which UCX
# (used by Open MPI) needs only for AMD's graphics processors.
rootfs_excludes=(
    '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/info/*' '/usr/share/locale/*'
    '/usr/share/zsh/functions/Completion/*' '/usr/share/fish/man/*'
    '/usr/lib/llvm-*' '/usr/lib/*/libLLVM*' '/usr/lib/*/libamd_comgr*'
    '/usr/lib/*/libamdhip64*' '/usr/lib/*/libz3.so*'
)

# The packages for this suite. Tests of modules need both module systems, whose packages conflict.
suite_packages() {
    local package
    for package in "${rootfs_packages[@]}"; do
        [[ $suite:$package != trixie:environment-modules ]] || package=lmod
        printf '%s\n' "$package"
    done
}

# Everything that determines the content, so that a change causes a new build.
rootfs_stamp() {
    {
        suite_packages
        printf '%s\n' "${rootfs_excludes[@]}"
        cat -- "$lib_dir/provision.sh" "$lib_dir/suites.sh" "$lib_dir/apptainer.sh"
    } | sha256sum | cut -c1-12
}

rootfs_path() { printf '%s/rootfs-%s-%s\n' "$cache_dir" "$suite" "$(rootfs_stamp)"; }

build_rootfs() {
    local rootfs=$1 packages options sources
    local began=$SECONDS
    say "building the root file system: Debian $suite with Slurm and Apptainer (about 40 s)"
    remove_unused "$cache_dir/rootfs-$suite"-*
    rm -rf --one-file-system -- "$rootfs.new"
    suite_options
    packages=$(suite_packages | paste -sd,)
    options+=("${rootfs_excludes[@]/#/--dpkgopt=path-exclude=}")
    # mmdebstrap prints the reason last if it fails, and prints a lot even if it succeeds.
    if ! mmdebstrap --quiet --variant=minbase --include="$packages" "${options[@]}" \
        --aptopt='Acquire::Check-Valid-Until "false"' \
        --essential-hook="sh '${lib_dir//\'/\'\\\'\'}/no-services.sh' \"\$1\"" \
        "$suite" "$rootfs.new" "${sources[@]}" >"$cache_dir/rootfs-$suite.log" 2>&1; then
        tail -n 20 -- "$cache_dir/rootfs-$suite.log" >&2
        die "prepare: mmdebstrap $suite: failed: see above and $cache_dir/rootfs-$suite.log"
    fi
    chroot "$rootfs.new" /bin/bash -s <"$lib_dir/provision.sh" >>"$cache_dir/rootfs-$suite.log" 2>&1 ||
        die "prepare: provisioning the root file system: failed: see $cache_dir/rootfs-$suite.log"
    mv -- "$rootfs.new" "$rootfs"
    say "built the root file system in $((SECONDS - began)) s"
}

# remove_unused PATH…: removes older builds, unless a running cluster may use them.
remove_unused() {
    any_cluster_alive || rm -rf --one-file-system -- "$@"
}

# package_version ROOT PACKAGE
package_version() {
    dpkg-query --admindir="$1/var/lib/dpkg" --showformat '${Version}\n' --show "$2"
}

slurm_release() {
    package_version "$(rootfs_path)" slurmd | sed -E 's/^([0-9]+:)?([0-9]+\.[0-9]+).*/\2/'
}

plugin_dir() {
    local rootfs plugins
    rootfs=$(rootfs_path)
    plugins=("$rootfs"/usr/lib/*/slurm*/auth_munge.so)
    [[ -e ${plugins[0]} ]] ||
        die "plugindir: no Slurm plugin below $rootfs/usr/lib: remove $rootfs, and testbed prepare builds it again"
    dirname -- "${plugins[0]#"$rootfs"}"
}
