# shellcheck shell=bash
# The Debian releases whose Slurm the testbed can run, and the installation of Apptainer on each.
#
# Only sid has a package of Apptainer. On trixie, this package runs unchanged. bookworm's C library
# is too old for it, so on bookworm it is installed together with sid's C library.

suites=(bookworm trixie sid)

check_suite() {
    local one
    for one in "${suites[@]}"; do
        [[ $1 != "$one" ]] || return 0
    done
    usage_error "$1: not one of the suites ${suites[*]}"
}

# Sets options and sources: further arguments of mmdebstrap. The mirror is specified only if
# packages of a second suite are needed.
suite_options() {
    local mirror=http://deb.debian.org/debian
    options=()
    sources=()
    case $suite in
        sid) options+=(--include=apptainer) ;;
        trixie) options+=(--include=apptainer) ;;
        bookworm)
            # The dependencies of the package besides libraries.
            options+=('--include=patchelf,squashfs-tools,uidmap,e2fsprogs,containernetworking-plugins')
            options+=(--customize-hook="sh '${lib_dir//\'/\'\\\'\'}/apptainer.sh' \"\$1\"")
            ;;
    esac
    [[ $suite != sid ]] || return 0
    options+=(--aptopt="APT::Default-Release \"$suite\"")
    sources=("deb $mirror $suite main" "deb $mirror sid main")
}
