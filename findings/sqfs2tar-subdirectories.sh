#!/bin/bash
# squashfs-tools-ng 1.3.2 (Debian sid): `sqfs2tar --subdir` refuses each image, with a message that the image is damaged or
# an argument is invalid.
#
# Expected: sqfs2tar(1): "Unpack the given sub directory instead of the filesystem root. Can be specified more than once to
#           select multiple directories. If only one is specified, it becomes the new root".
# Actual:   with one directory, "resolving tree node path: invalid argument", and with two, "data corrupted"; the archive
#           is empty, and the exit status is 1. Only one directory with --keep-as-dir works. unsquashfs and rdsquashfs
#           read the directories of the same image. Version 1.2.0 (Debian 12) does the same (seen).
# Affected: whoever makes a layer or an archive of a part of an image, such as /opt/tool. After "data corrupted", users
#           look for a damaged disk or build a good image again.
#
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if sqfs2tar behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
mkdir -p lists/partial cache/archives/partial root
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
tool sqfs2tar --version | sed -n 1p

mkdir -p files/usr/bin files/opt
echo program >files/usr/bin/tool
echo data >files/opt/data
tool mksquashfs files image.sqfs -quiet -no-progress -all-root >/dev/null
# convert OPTION...: prints the message and the exit status of sqfs2tar, and the files in the archive.
convert() {
    local status=0 message files
    tool sqfs2tar "$@" image.sqfs >files.tar 2>messages || status=$?
    message=$(xargs <messages)
    files=$(tar -tf files.tar 2>/dev/null | grep -v '/$' | xargs) || files=
    printf '%s\n    exit status: %d, message: %s, files: %s\n' "$*" "$status" "${message:-none}" "${files:-none}"
}
{
    printf 'rdsquashfs: usr: %s, opt: %s\n' \
        "$(tool rdsquashfs --list usr image.sqfs | awk '{ print $NF }')" \
        "$(tool rdsquashfs --list opt image.sqfs | awk '{ print $NF }')"
    convert --root-becomes .
    convert --subdir usr --keep-as-dir
    convert --subdir usr
    convert --subdir usr --subdir opt
} | tee output
[[ $(<output) == 'rdsquashfs: usr: bin, opt: data
--root-becomes .
    exit status: 0, message: none, files: ./opt/data ./usr/bin/tool
--subdir usr --keep-as-dir
    exit status: 0, message: none, files: usr/bin/tool
--subdir usr
    exit status: 1, message: resolving tree node path: invalid argument., files: none
--subdir usr --subdir opt
    exit status: 1, message: resolving tree node path: data corrupted., files: none' ]]
