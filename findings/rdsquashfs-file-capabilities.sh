#!/bin/bash
# squashfs-tools-ng 1.3.2 (Debian sid): `rdsquashfs --set-xattr --chown` unpacks programs without their file capabilities.
#
# Expected: rdsquashfs(1): `--set-xattr` sets the extended attributes of the unpacked files, `--chown` their owners. With
#           both, a file has both, as with unsquashfs.
# Actual:   rdsquashfs sets the attributes first. chown(2) then removes security.capability, also if the owner stays the
#           same. No message, exit status 0; other attributes are kept. With only `--set-xattr`, the capability is there.
# Affected: root file systems that are unpacked with their owners: ping, newuidmap and other programs with capabilities
#           instead of a set-user-ID bit fail for ordinary users. sqfs2tar and tar keep them.
#
# Requires Debian 12 or later on x86_64, root, and a temporary directory that stores such attributes; nothing is installed.
# Exit status: 0 if rdsquashfs behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
# The tools come from Debian sid, with the libraries that they need.
mkdir -p lists/partial cache/archives/partial root files
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download squashfs-tools-ng=1.3.2-1+b2 libsquashfs1=1.3.2-1+b2 squashfs-tools=1:4.7.5-1 \
    libc6/sid libbz2-1.0/sid liblz4-1/sid liblzma5/sid liblzo2-2/sid libselinux1/sid libpcre2-8-0/sid libzstd1/sid zlib1g/sid \
    >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
# tool NAME ARGUMENT...: runs a program from these packages.
tool() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "root/usr/bin/$1" "${@:2}"; }
tool rdsquashfs --version | sed -n 1p

# A file with a capability (cap_net_raw) and another attribute.
python3 - <<'END_OF_PROGRAM'
import os
open("files/ping", "w").close()
os.setxattr("files/ping", "security.capability", bytes.fromhex("0100000200200000" + 24 * "0"))
os.setxattr("files/ping", "trusted.note", b"note")
END_OF_PROGRAM
tool mksquashfs files image.squashfs -quiet -no-progress
# attributes DIRECTORY: prints the names of the file's attributes, without those of the host's security module.
attributes() {
    printf '%-32s %s\n' "$1" "$(python3 -c 'import os, sys
print(*sorted(set(os.listxattr(sys.argv[1])) - {"security.selinux"}))' "$1/ping")"
}
tool unsquashfs -quiet -no-progress -dest unsquashfs image.squashfs >/dev/null
tool rdsquashfs --quiet --unpack-path / --unpack-root rdsquashfs --set-xattr image.squashfs
tool rdsquashfs --quiet --unpack-path / --unpack-root rdsquashfs-with-chown --set-xattr --chown image.squashfs
for directory in unsquashfs rdsquashfs rdsquashfs-with-chown; do attributes "$directory"; done | tee output
grep -q '^unsquashfs  *security.capability trusted.note$' output
grep -q '^rdsquashfs  *security.capability trusted.note$' output
grep -q '^rdsquashfs-with-chown  *trusted.note$' output
