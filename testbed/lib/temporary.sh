# shellcheck shell=bash
# Clusters that exist for one command: `testbed with` and `testbed shell`.

temporary_name() { printf 'tmp-%d-%04x\n' "$$" "$RANDOM"; }

# Removes temporary clusters that failed to come up, or whose process was killed; the name contains
# the process ID.
clear_abandoned() {
    local path name
    for path in "$run_dir"/tmp-*-*/; do
        name=$(basename -- "$path")
        [[ $name =~ ^tmp-([0-9]+)- ]] || continue
        if [[ ! -e /proc/${BASH_REMATCH[1]} ]]; then remove_cluster "$name"; fi
    done
}

# up_for_now NODES NAME…: starts these clusters at the same time. Their keepers also watch this
# process: if it is killed and cannot clean up, the clusters end nevertheless.
up_for_now() {
    local nodes=$1 start name child children=() failed=
    shift
    start_time "$$"
    prepare
    for name in "$@"; do
        (up "$name" "$nodes" '' "$$ $start") &
        children+=("$!")
    done
    for child in "${children[@]}"; do
        wait "$child" || failed=yes
    done
    end_on_exit "$@"
    [[ -z $failed ]] || exit 1
    was_up=yes
}

# with NODES CLUSTERS COMMAND…
with() {
    local nodes=$1 clusters=$2 first n names
    shift 2
    clear_abandoned
    first=$(temporary_name)
    names=("$first")
    for ((n = 2; n <= clusters; n++)); do names+=("$first-$n"); done
    up_for_now "$nodes" "${names[@]}"
    # Started through env, because forward runs its command with SIGINT ignored.
    forward env --default-signal=INT,QUIT SIFCACHE_TESTBED_NAME="$first" \
        SIFCACHE_TESTBED_NAMES="${names[*]}" "$@"
}

# shell NAME HOST USER
shell() {
    local name=$1 host=$2 user=$3 pid
    cluster_alive "$name" || {
        say "starting cluster $name, which ends with this shell"
        up_for_now 2 "$name"
    }
    print_welcome "$name" "$host" "$user"
    if [[ -t 0 ]]; then
        # A terminal created on the host, because the caller's terminal has no name there.
        extra_env+=(TERM="${TERM:-dumb}")
        run_in_host "$name" "$host" "$user" '' script --quiet --return --command 'exec bash -l' /dev/null
    else
        run_in_host "$name" "$host" "$user" '' bash -l
    fi
}

print_welcome() {
    cat >&2 <<END
You are $3 on $2, in cluster $1. Leave with exit.

  hosts      $(paste -sd' ' "$run_dir/$1/hosts.list"): users log in to ctl, jobs run on n1, n2, …
  users      root, alice, bob: testbed shell --name $1 --user bob, from another terminal
  images     /shared/sif, shared by all hosts; /local/sif, a different one on each host
  plugins    /etc/slurm/plugstack.conf, shared by all hosts
  logs       /var/log/syslog and /var/log/slurm on each host
  docker.io  is host hub, $(hub "$1" status) now: testbed hub start --name $1

Try: srun -N2 hostname
END
}
