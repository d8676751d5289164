#!/bin/bash
# sqfsdiff of squashfs-tools-ng 1.3.2 (Debian sid): two images are equal although their files have different values of
# extended attributes.
#
# Expected: sqfsdiff(1): "compare two squashfs images by contents and metadata"; exit status: "0 means equal". There are
#           options to skip owners, permissions and contents, and options to add times and numbers of inodes. No other
#           metadata is excluded.
# Actual:   if a file has other capabilities, another label of SELinux, or a further attribute, sqfsdiff prints nothing
#           and exits with 0, with all options for a complete comparison, too. Only a file with attributes in one image,
#           and without any in the other, differs: "has an extended type".
# Affected: tests for reproducible images, and reviews of what changed in a new image: a program that has the wrong
#           capabilities does not work in it, and one that gained some remains unnoticed.
#
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if sqfsdiff behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
mkdir -p lists/partial cache/archives/partial root files
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=-
    -o Acquire::Languages=none -o Debug::NoLocking=true)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" install --download-only --no-install-recommends --yes \
    squashfs-tools-ng=1.3.2-1+b2 squashfs-tools=1:4.7.5-1 >/dev/null
for package in cache/archives/*.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
tool() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "root/usr/bin/$1" "${@:2}"; }
tool sqfsdiff --version | sed -n 1p

# image NAME DEFINITION...: creates an image of a file with these additional definitions of mksquashfs.
echo program >files/ping
image() {
    printf '%s\n' "${@:2}" >definitions
    tool mksquashfs files "$1.sqfs" -quiet -no-progress -all-root -all-time 0 -mkfs-time 0 -no-exports -pf definitions
}
raw=security.capability=0x0100000200200000000000000000000000000000
admin=security.capability=0x0100000200002000000000000000000000000000
image none 'ping m 755 0 0'
image raw 'ping m 755 0 0' "ping x $raw"
image admin 'ping m 755 0 0' "ping x $admin"
image label 'ping m 755 0 0' "ping x $raw" 'ping x security.selinux=system_u:object_r:ping_exec_t:s0'
image mode 'ping m 700 0 0' "ping x $raw"
# compare FIRST SECOND: compares two images, and prints the attributes in them and the exit status.
compare() {
    local attributes image status=0
    for image in "$1" "$2"; do
        attributes=$(tool rdsquashfs --xattr /ping "$image.sqfs" | paste -sd ' ')
        printf '%s: %s\n' "$image" "${attributes:-no attributes}"
    done
    tool sqfsdiff --timestamps --inode-num --old "$1.sqfs" --new "$2.sqfs" || status=$?
    printf 'exit status %d\n' "$status"
}
{
    compare none raw
    compare raw mode
    compare raw admin
    compare raw label
} | tee output
[[ $(<output) == "none: no attributes
raw: $raw
/ping has an extended type
exit status 1
raw: $raw
mode: $raw
/ping has different permissions
exit status 1
raw: $raw
admin: $admin
exit status 0
raw: $raw
label: $raw security.selinux=system_u:object_r:ping_exec_t:s0
exit status 0" ]]
