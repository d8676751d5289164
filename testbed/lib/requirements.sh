# shellcheck shell=bash
# The few programs needed on the machine that carries the testbed.

required_programs=(mmdebstrap:mmdebstrap ip:iproute2 nsenter:util-linux unshare:util-linux
    flock:util-linux setsid:util-linux sha256sum:coreutils tar:tar)

missing_packages() {
    local entry
    for entry in "${required_programs[@]}"; do
        command -v "${entry%%:*}" >/dev/null || printf '%s\n' "${entry#*:}"
    done | sort -u
}

install_requirements() {
    local packages
    mapfile -t packages < <(missing_packages)
    ((${#packages[@]})) || return 0
    command -v apt-get >/dev/null ||
        die "prepare: missing here: ${packages[*]}: install them, there is no apt-get to do it"
    say "installing on this machine: ${packages[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}"; } >&2 ||
        die "prepare: apt-get install ${packages[*]}: failed: see above"
}
