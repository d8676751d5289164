#!/bin/bash
# erofs-utils 1.9.4 (Debian sid): from an archive with sparse files, `mkfs.erofs --tar` omits these files, or creates
# them with another name or other contents.
#
# Expected: mkfs.erofs(1): "Generate a full or index-only image from a tarball". A sparse file has its contents, or the
#           program refuses the archive.
# Actual:   with the default format of GNU tar, the file is missing. With the POSIX format, it has the name
#           GNUSparseFile.NUMBER/NAME and begins with the list of its data areas; with --sparse-version=0.0, it has the
#           right name, but its areas follow each other without the holes. No message, exit status 0. tar2sqfs of
#           squashfs-tools-ng 1.3.2 reads each of these archives correctly.
# Affected: layers and archives from `tar --sparse`, or from bsdtar, which writes sparse files as in the POSIX format
#           without an option: databases, disk images and reference data with holes.
#
# Requires Debian 12 or later on x86_64, any user who may use apt, and a temporary directory that stores holes; nothing
# is installed.
# Exit status: 0 if erofs-utils behave as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
# erofs-utils come from Debian sid, with all libraries that they need.
mkdir -p lists/partial cache/archives/partial root files
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=-
    -o Acquire::Languages=none -o Debug::NoLocking=true)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" install --download-only --no-install-recommends --yes erofs-utils=1.9.4-1 >/dev/null
for package in cache/archives/*.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
# tool NAME ARGUMENT...: runs a program from these packages.
tool() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "root/usr/bin/$1" "${@:2}"; }
tool mkfs.erofs --version | sed -n 1p

# A file with a hole between two areas.
printf start >files/sparse
truncate --size=1M files/sparse
printf end >>files/sparse
echo dense >files/dense
# image NAME OPTION...: archives the files with these options of tar, creates an image, and prints the files in it.
image() {
    local file status=0
    tar -C files "${@:2}" -cf "$1.tar" dense sparse
    tool mkfs.erofs --quiet --tar=f "$1.erofs" "$1.tar" || status=$?
    printf '%s (%s): exit status %d\n' "$1" "${*:2}" "$status"
    tool fsck.erofs --extract="$1" --no-preserve "$1.erofs" >/dev/null
    # The number in the name of a sparse file is a process id.
    while read -r file; do
        printf '    %s: %d bytes, %s\n' "$(sed -E 's/(GNUSparseFile)\.[0-9]+/\1.NUMBER/' <<<"$file")" \
            "$(stat -c %s "$1/$file")" "$(cmp -s "$1/$file" "files/${file##*/}" && echo same || echo different)"
    done < <(cd "$1" && find . -type f -printf '%P\n' | LC_ALL=C sort)
}
{
    image plain --format=gnu
    image gnu --sparse --format=gnu
    image posix --sparse --format=posix
    image posix-0.0 --sparse --format=posix --sparse-version=0.0
} | tee output
[[ $(<output) == 'plain (--format=gnu): exit status 0
    dense: 6 bytes, same
    sparse: 1048579 bytes, same
gnu (--sparse --format=gnu): exit status 0
    dense: 6 bytes, same
posix (--sparse --format=posix): exit status 0
    GNUSparseFile.NUMBER/sparse: '*' bytes, different
    dense: 6 bytes, same
posix-0.0 (--sparse --format=posix --sparse-version=0.0): exit status 0
    dense: 6 bytes, same
    sparse: '*' bytes, different' ]]
