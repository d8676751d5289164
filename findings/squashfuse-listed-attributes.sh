#!/bin/bash
# squashfuse 0.1.105: the list of a file's extended attributes exchanges the prefixes `trusted.` and `security.`.
#
# Expected: listxattr(2) returns the names with which the file system was made, as with unsquashfs and the kernel.
# Actual:   a file with trusted.one and security.two has, in the list, security.one and trusted.two. getxattr(2) returns
#           the value under either name.
# Affected: whoever copies files out of a mounted image: `cp --preserve=xattr`, rsync and tar take the listed names, so
#           security.capability becomes trusted.capability. Debian 12 has this version, which calls itself 0.1.104.
#
# Requires Debian 12 on x86_64, root, /dev/fuse, and a temporary directory that stores such attributes; nothing is
# installed.
# Exit status: 0 if squashfuse behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'umount "$work/mounted" 2>/dev/null || :; rm -rf -- "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download squashfuse=0.1.105-1 libsquashfuse0=0.1.105-1 \
    libfuse2/bookworm squashfs-tools=1:4.5.1-1 attr=1:2.5.1-4 >/dev/null
mkdir root files mounted
for package in *.deb; do dpkg-deb --extract "$package" root; done
export PATH=$work/root/usr/bin:$PATH LD_LIBRARY_PATH=$work/root/lib/x86_64-linux-gnu:$work/root/usr/lib/x86_64-linux-gnu
{ squashfuse --help 2>&1 || :; } | head -n 1

: >files/f
setfattr --name trusted.one --value 1 files/f
setfattr --name security.two --value 2 files/f
mksquashfs files image.squashfs -quiet -no-progress

# listed FILE: the names of its attributes, without those of the host's security module.
listed() { python3 -c 'import os, sys; print(*sorted(set(os.listxattr(sys.argv[1])) - {"security.selinux"}))' "$1"; }
# value FILE NAME: the value of an attribute.
value() { python3 -c 'import os, sys; print(os.getxattr(*sys.argv[1:]).decode())' "$@"; }

unsquashfs -quiet -no-progress -dest unpacked image.squashfs >/dev/null
squashfuse image.squashfs mounted
unpacked=$(listed unpacked/f)
mounted=$(listed mounted/f)
read_as_listed=$(value mounted/f security.one)
read_as_made=$(value mounted/f trusted.one)
printf 'unsquashfs lists:           %s\n' "$unpacked"
printf 'squashfuse lists:           %s\n' "$mounted"
printf 'security.one has the value: %s\n' "$read_as_listed"
printf 'trusted.one has the value:  %s\n' "$read_as_made"
[[ $unpacked == 'security.two trusted.one' && $mounted == 'security.one trusted.two' ]] &&
    [[ $read_as_listed == 1 && $read_as_made == 1 ]]
