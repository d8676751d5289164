# shellcheck shell=bash
# Shared by both kinds of packages: names, versions, and the location of the files.
# shellcheck disable=SC2034 # Their scripts use the variables.

set -euo pipefail
umask 022

packaging=$(dirname -- "$(realpath -- "${BASH_SOURCE[0]}")")
project=$(dirname -- "$packaging")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$project/Cargo.toml" | head -n 1)
# Makes builds reproducible: two builds of the same sources are identical.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$project" log -1 --format=%ct 2>/dev/null || stat -c %Y "$project/CHANGELOG.md")}
export SOURCE_DATE_EPOCH

# The release of Slurm that a plugin was built for, as MAJOR.MINOR.
plugin_release() {
    local address number
    address=0x$(nm -D -- "$1" | sed -n 's/^\([0-9a-f]*\) . plugin_version$/\1/p')
    # Little endian: micro, minor, major.
    number=$(objdump -s --start-address="$address" --stop-address="$((address + 4))" -- "$1" | tail -n 1)
    read -r _ number _ <<<"$number"
    printf '%d.%02d\n' "0x${number:4:2}" "0x${number:2:2}"
}

# The smallest version number after that of a release. No release need have this number: package
# managers only compare with it.
after() { printf '%s.%02d\n' "${1%.*}" "$((10#${1#*.} + 1))"; }

# make_trees RELEASE DIR PLUGINDIR: creates DIR/slurm-spank-sifcache with the plugin and its line
# for plugstack.conf, and DIR/sifcache with everything else.
make_trees() {
    local release=$1 plugindir=$3 rest=$2/sifcache plugin=$2/slurm-spank-sifcache
    make --silent --no-print-directory --directory="$project" install-files RELEASE="$release" \
        DESTDIR="$rest" prefix=/usr plugindir="$plugindir"
    mkdir -p "$plugin$(dirname -- "$plugindir")" "$plugin/etc"
    mv -- "$rest$plugindir" "$plugin$plugindir"
    mv -- "$rest/etc/slurm" "$plugin/etc/slurm"
    find "$rest" "$plugin" -type d -empty -delete
    gzip -9n -- "$rest"/usr/share/man/man1/*
    find "$rest" "$plugin" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

# The summaries in the packages' descriptions.
summary='start docker:// images of Slurm jobs from local SIF files'
plugin_summary='SPANK plugin that starts docker:// images from local SIF files'
