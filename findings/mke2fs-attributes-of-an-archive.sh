#!/bin/bash
# e2fsprogs 1.47.4 (Debian sid): `mke2fs -d ARCHIVE` drops the extended attributes of files, except file capabilities.
#
# Expected: mke2fs(8): "Copy the contents of the given directory or tarball". From both, files have the same attributes.
# Actual:   from a directory, all attributes are copied; from an archive, only security.capability. No message, exit
#           status 0. tar extracts the attributes of this archive, and tar2sqfs of squashfs-tools-ng 1.3.2 stores them.
# Affected: ext3 overlays for Apptainer that are made from an archive of another overlay: without the attributes
#           trusted.overlay.opaque or user.overlay.opaque, files that were removed with their directory are back.
#           Attributes of users are lost, too.
#
# Requires Debian 12 or later on x86_64, root, and a temporary directory that stores such attributes; nothing is
# installed.
# Exit status: 0 if mke2fs behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
# e2fsprogs come from Debian sid, with all libraries that they need. libarchive is loaded when it is used.
mkdir -p lists/partial cache/archives/partial root files/upper/data
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=-
    -o Acquire::Languages=none -o Debug::NoLocking=true)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" install --download-only --no-install-recommends --yes \
    e2fsprogs=1.47.4-1+b2 libarchive13t64/sid >/dev/null
for package in cache/archives/*.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
# tool NAME ARGUMENT...: runs a program from these packages.
tool() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "root/usr/sbin/$1" "${@:2}"; }
tool mke2fs -V 2>&1 | sed -n 1p

# A directory of an overlay, and a program with a capability (cap_net_raw).
python3 - <<'END_OF_PROGRAM'
import os
os.setxattr("files/upper/data", "trusted.overlay.opaque", b"y")
os.setxattr("files/upper/data", "user.overlay.opaque", b"y")
open("files/upper/ping", "w").close()
os.setxattr("files/upper/ping", "security.capability", bytes.fromhex("0100000200200000" + 24 * "0"))
os.setxattr("files/upper/ping", "user.note", b"note")
END_OF_PROGRAM
tar -C files --xattrs --xattrs-include='*' -cf files.tar upper
# image SOURCE: creates an ext3 image of SOURCE and prints the names of the attributes in it.
image() {
    tool mke2fs -q -t ext3 -d "$1" image 8M
    for file in upper/data upper/ping; do
        printf '%s: %s [%s]\n' "$1" "$file" "$(tool debugfs -R "ea_list $file" image 2>/dev/null |
            sed -nE 's/^ *(security.capability|(trusted|user)\.[a-z.]+) .*/\1/p' | LC_ALL=C sort | xargs)"
    done
    rm image
}
{
    image files
    image files.tar
} | tee output
[[ $(<output) == 'files: upper/data [trusted.overlay.opaque user.overlay.opaque]
files: upper/ping [security.capability user.note]
files.tar: upper/data []
files.tar: upper/ping [security.capability]' ]]
