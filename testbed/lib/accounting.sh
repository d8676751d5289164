# shellcheck shell=bash
# Slurm's accounting: slurmdbd and MariaDB on ctl, for clusters that are started with --accounting.
#
# Few clusters need these packages, so they are in a layer of their own above the root file system,
# which only ctl of such a cluster mounts.

accounting_packages=(slurmdbd mariadb-server)

# Everything that determines the content, including the root file system below.
accounting_stamp() {
    {
        rootfs_path
        printf '%s\n' "${accounting_packages[@]}"
        cat -- "$lib_dir/accounting-layer.sh"
    } | sha256sum | cut -c1-12
}

accounting_path() { printf '%s/accounting-%s-%s\n' "$cache_dir" "$suite" "$(accounting_stamp)"; }

# prepare_accounting: builds the layer if it does not exist.
prepare_accounting() {
    local layer lock_fd # set by take_lock
    take_lock "$cache_dir/prepare-accounting-$suite.lock"
    layer=$(accounting_path)
    [[ -d $layer ]] || build_accounting "$layer"
    drop_lock
}

build_accounting() {
    local layer=$1 rootfs log=$cache_dir/accounting-$suite.log
    local began=$SECONDS
    rootfs=$(rootfs_path)
    say "building the layer with slurmdbd and MariaDB: Debian $suite (about 30 s)"
    remove_unused "$cache_dir/accounting-$suite"-*
    rm -rf --one-file-system -- "$layer.new"
    mkdir -p "$layer.new/upper" "$layer.new/work"
    # The release of slurmdbd must be that of the Slurm in the root file system.
    unshare --mount --pid --fork --kill-child bash "$lib_dir/accounting-layer.sh" "$rootfs" "$layer.new" \
        "slurmdbd=$(package_version "$rootfs" slurmd)" "${accounting_packages[@]:1}" >"$log" 2>&1 || {
        tail -n 20 -- "$log" >&2
        die "up --accounting: the layer was not built: see above and $log; if the mirror has a newer Slurm, remove $rootfs"
    }
    mv -- "$layer.new/upper" "$layer"
    rm -rf --one-file-system -- "$layer.new"
    say "built the layer in $((SECONDS - began)) s"
}

# write_slurmdbd_conf DIR: slurmdbd runs as root, and MariaDB identifies root by the socket.
write_slurmdbd_conf() {
    cat >"$1/slurmdbd.conf" <<'END'
DbdHost=ctl
SlurmUser=root
AuthType=auth/munge
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
LogFile=/var/log/slurm/slurmdbd.log
PidFile=/run/slurmdbd.pid
DebugLevel=verbose
END
    # slurmdbd refuses a file that others can read, because it may contain a password.
    chmod 600 "$1/slurmdbd.conf"
}

# The lines of slurm.conf.
slurm_conf_of_accounting() {
    cat <<'END'

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=ctl
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
END
    # The fields that users can fill are not stored by default.
    case $(slurm_release) in
        2[0-2].*) printf 'AccountingStoreFlags=job_comment\n' ;;
        *) printf 'AccountingStoreFlags=job_comment,job_extra\n' ;;
    esac
}
