# shellcheck shell=bash
# The running clusters, in human-readable form.

# status NAME, or of all clusters if NAME is empty.
status() {
    local path name found=
    if [[ -n $1 ]]; then
        require_cluster "$1"
        print_cluster "$1"
        return
    fi
    for path in "$run_dir"/*/; do
        [[ -d $path ]] || continue
        found=yes
        name=$(basename -- "$path")
        print_cluster "$name"
    done
    [[ -n $found ]] || printf 'no cluster is up\n'
}

print_cluster() {
    local name=$1 pid
    if ! cluster_alive "$name"; then
        printf '%s: dead; testbed down --name %s removes its files\n' "$name" "$name"
        return
    fi
    printf '%s: up\n' "$name"
    printf '  %-10s pid %s\n' keeper "$pid"
    print_hosts "$name"
    print_versions "$name"
    printf '  %-10s %s\n' state "$(state_dir "$name")"
}

print_hosts() {
    local host pid detail
    while read -r host; do
        detail=$(host_address "$host")
        [[ $host != hub ]] || detail+=", registry $(hub "$1" status)"
        if host_alive "$1" "$host"; then
            printf '  %-10s pid %s, %s\n' "$host" "$pid" "$detail"
        else
            printf '  %-10s down\n' "$host"
        fi
    done <"$run_dir/$1/hosts.list"
}

print_versions() {
    local pid
    host_alive "$1" ctl || return 0
    printf '  %-10s %s\n' slurm "$(package_version "/proc/$pid/root" slurmd)" \
        apptainer "$(chroot "/proc/$pid/root" apptainer --version | cut -d' ' -f3)"
}
