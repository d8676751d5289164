# shellcheck shell=bash
# The Debian releases whose Slurm can be had here, and how each comes by an Apptainer.
#
# Only sid has one. On trixie its package runs as it is; bookworm's C library is
# too old for it, so there it brings its own.

suites=(bookworm trixie sid)

check_suite() {
    local one
    for one in "${suites[@]}"; do
        [[ $1 != "$one" ]] || return 0
    done
    usage_error "$1: not one of the suites ${suites[*]}"
}

# What mmdebstrap is to be told besides: sets options and sources. The mirror is
# named where a second suite is wanted from it.
suite_options() {
    local mirror=http://deb.debian.org/debian
    options=()
    sources=()
    case $suite in
        sid) options+=(--include=apptainer) ;;
        trixie) options+=(--include=apptainer) ;;
        bookworm)
            # What the package depends on besides libraries.
            options+=('--include=patchelf,squashfs-tools,uidmap,e2fsprogs,containernetworking-plugins')
            options+=(--customize-hook="sh '${lib_dir//\'/\'\\\'\'}/apptainer.sh' \"\$1\"")
            ;;
    esac
    [[ $suite != sid ]] || return 0
    options+=(--aptopt="APT::Default-Release \"$suite\"")
    sources=("deb $mirror $suite main" "deb $mirror sid main")
}
