# shellcheck shell=bash
# The state directory of one cluster, below <cache>/testbed/run:
#
#   keeper.pid  keeper.log
#   hosts.list                the names of its hosts
#   hosts.file                their /etc/hosts
#   hosts/HOST/pid  boot.log
#   hosts/HOST/upper          its changes to the root file system, including logs
#   configless                exists if the nodes have no /etc/slurm
#   accounting                a link to the layer with slurmdbd, if the cluster has accounting
#   shared/{home,shared,etc-slurm}  directories that all its hosts share

write_state() {
    local state=$1 nodes=$2 shared=$1/shared host
    mkdir -p "$shared/home" "$shared/shared/sif"
    # Users need access, whatever the umask is.
    chmod 755 "$shared/home" "$shared/shared" "$shared/shared/sif"
    if [[ -n $option_configless ]]; then
        : >"$state/configless"
    fi
    if [[ -n $option_accounting ]]; then
        ln -s -- "$(accounting_path)" "$state/accounting"
    fi
    write_slurm_conf "$shared/etc-slurm" "$nodes" "${SIFCACHE_TESTBED_SLURMD_DEBUG:-verbose}"
    make_home "$shared/home/alice" 1001
    make_home "$shared/home/bob" 1002
    write_hosts_file "$nodes" >"$state/hosts.file"
    host_names "$nodes" >"$state/hosts.list"
    while read -r host; do mkdir -p "$state/hosts/$host"; done <"$state/hosts.list"
}

make_home() {
    mkdir "$1"
    cp -r -- "$(rootfs_path)/etc/skel/." "$1"
    chown -R "$2:$2" "$1"
    chmod 755 "$1"
}
