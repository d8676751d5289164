# shellcheck shell=bash
# The cluster's network: one bridge, and a network namespace for each host.

# host_names NODES
host_names() {
    local n
    printf '%s\n' ctl hub
    for ((n = 1; n <= $1; n++)); do printf 'n%d\n' "$n"; done
}

host_address() {
    case $1 in
        ctl) printf '10.77.0.10' ;;
        hub) printf '10.77.0.20' ;;
        *) printf '10.77.0.%d' $((100 + ${1#n})) ;;
    esac
}

# The hub has the names of Docker's registry, and of a registry that is not Docker's.
write_hosts_file() {
    local host
    printf '127.0.0.1 localhost\n'
    while read -r host; do
        printf '%s %s\n' "$(host_address "$host")" "$host"
    done < <(host_names "$1")
    printf '%s registry-1.docker.io index.docker.io auth.docker.io docker.io registry.example.org\n' \
        "$(host_address hub)"
}

make_network() {
    local host
    ip link set lo up
    ip link add bridge type bridge
    ip link set bridge up
    while read -r host; do
        attach_host "$host"
    done <"$1/hosts.list"
}

attach_host() {
    local host=$1
    ip netns add "$host"
    ip link add "$host" type veth peer name eth0 netns "$host"
    ip link set "$host" master bridge up
    ip -n "$host" link set lo up
    ip -n "$host" address add "$(host_address "$host")/24" dev eth0
    ip -n "$host" link set eth0 up
}
