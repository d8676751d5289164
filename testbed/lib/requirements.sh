# shellcheck shell=bash
# The few programs that the machine needs for the testbed.

required_programs=(mmdebstrap:mmdebstrap ip:iproute2 nsenter:util-linux unshare:util-linux
    flock:util-linux setsid:util-linux sha256sum:coreutils tar:tar)

install_requirements() {
    "$testbed_dir/need" "${required_programs[@]}" >&2 || die 'prepare: see above'
}
