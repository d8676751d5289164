#!/bin/bash
# squashfuse 0.5.2 (Debian sid): an extended attribute with an empty value is listed, but cannot be read.
#
# Expected: getxattr(2) returns a value of 0 bytes, as after unsquashfs and with the kernel's squashfs.
# Actual:   listxattr(2) returns the name, getxattr(2) fails with ENODATA ("No data available"). squashfuse_ll, which
#           Apptainer uses for SIF files without privileges, does the same.
# Affected: an overlay above a mounted image: a program that opens such a file for writing gets the same error, because the
#           kernel cannot copy the attribute. `cp --preserve=xattr` from the image prints the error and exits with 1, and
#           `tar --xattrs` drops the attribute without a message. `setfattr --name user.marker FILE` sets an empty value.
#
# Requires Debian 12 or later on x86_64, root, /dev/fuse, the kernel's overlay, and a temporary directory that stores user
# attributes and can be the upper directory of an overlay; nothing is installed.
# Exit status: 0 if squashfuse behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'umount "$work/mounted" 2>/dev/null || :; rm -rf --one-file-system -- "$work"' EXIT
cd "$work"
# squashfuse comes from Debian sid, with the libraries that it needs.
mkdir -p lists/partial cache/archives/partial root files mounted
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download squashfuse=0.5.2-0.3+b1 libsquashfuse0=0.5.2-0.3+b1 squashfs-tools=1:4.7.5-1 \
    libc6/sid libfuse3-4/sid liblz4-1/sid liblzma5/sid liblzo2-2/sid libxxhash0/sid libzstd1/sid zlib1g/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
# tool NAME ARGUMENT...: runs a program from these packages.
tool() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "root/usr/bin/$1" "${@:2}"; }
{ tool squashfuse --help 2>&1 || :; } | sed -n 1p

: >files/f
python3 -c 'import os; os.setxattr("files/f", "user.empty", b""); os.setxattr("files/f", "user.full", b"1")'
tool mksquashfs files image.squashfs -quiet -no-progress
tool unsquashfs -quiet -no-progress -dest unpacked image.squashfs >/dev/null

# attributes FILE: prints the attributes `user.*` in the list, and the value of each, or the error.
attributes() {
    python3 -c 'import os, sys
def value(name):
    try:
        return repr(os.getxattr(sys.argv[1], name).decode())
    except OSError as error:
        return error.strerror
for name in sorted(os.listxattr(sys.argv[1])):
    if name.startswith("user."):
        print(f"    {name}: {value(name)}")' "$1"
}
# open_in_overlay DIRECTORY: opens the file for writing in an overlay above DIRECTORY, and prints `yes` or the error.
open_in_overlay() {
    rm -rf upper work
    mkdir -p upper work merged
    # shellcheck disable=SC2016
    unshare --mount --propagation private sh -c '
        mount -t overlay -o "lowerdir=$0,upperdir=upper,workdir=work" none merged && exec python3 -c "$1"' "$1" '
try:
    open("merged/f", "a").close()
    print("yes")
except OSError as error:
    print(error.strerror)'
}
# report NAME DIRECTORY: prints what can be done with the file in DIRECTORY.
report() {
    local status=0
    printf '%s:\n' "$1"
    attributes "$2/f"
    cp --preserve=xattr "$2/f" copy 2>>messages || status=$?
    printf '    cp --preserve=xattr: exit status %d\n' "$status"
    printf '    opened for writing in an overlay: %s\n' "$(open_in_overlay "$2")"
}
{
    report unsquashfs unpacked
    for program in squashfuse squashfuse_ll; do
        tool "$program" image.squashfs mounted
        report "$program" mounted
        umount mounted
    done
} | tee output
sort -u messages
failed="    user.empty: No data available
    user.full: '1'
    cp --preserve=xattr: exit status 1
    opened for writing in an overlay: No data available"
[[ $(<output) == "unsquashfs:
    user.empty: ''
    user.full: '1'
    cp --preserve=xattr: exit status 0
    opened for writing in an overlay: yes
squashfuse:
$failed
squashfuse_ll:
$failed" ]]
