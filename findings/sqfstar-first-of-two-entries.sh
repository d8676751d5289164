#!/bin/bash
# squashfs-tools 4.7.5 (Debian sid): if an archive has two entries for a file, sqfstar takes the first one. If layers of an
# image are concatenated, the files of lower layers replace those of upper layers.
#
# Expected: sqfstar(1): "-ignore-zeros: allow tar files to be concatenated together and fed to Sqfstar." The last entry
#           is the current one, as for `tar --extract`, and as `tar --append` and `tar --update` write it.
# Actual:   sqfstar prints "FILE already exists in the tar file, ignoring" for the later entry and exits with 0. For
#           directories, the owner and mode of the first entry remain.
# Affected: `cat lower.tar upper.tar | sqfstar -ignore-zeros image.sqfs`, as a short way from the layers of an image to a
#           file system, and archives that were updated: they have the old files. tar2sqfs of squashfs-tools-ng refuses
#           such archives ("File exists"). Layers can be concatenated in the opposite order if they have no whiteouts.
#
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if sqfstar behaves as described, 1 otherwise.
set -euo pipefail
umask 022
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
# squashfs-tools come from Debian sid, with the libraries that they need.
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download squashfs-tools=1:4.7.5-1 \
    libc6/sid liblz4-1/sid liblzma5/sid liblzo2-2/sid libzstd1/sid zlib1g/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
loader=("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries")
mksquashfs=("${loader[@]}" root/usr/bin/mksquashfs)
unsquashfs=("${loader[@]}" root/usr/bin/unsquashfs)
"${mksquashfs[@]}" -version | head -n 1

# Two layers, which have a file and a directory in common.
mkdir -p lower/opt/tool upper/opt/tool
chmod 700 upper/opt/tool
echo lower >lower/opt/tool/version
echo upper >upper/opt/tool/version
for layer in lower upper; do tar -C "$layer" --owner=0 --group=0 -cf "$layer.tar" opt; done
# An archive whose file was updated.
cp lower.tar updated.tar
tar -C upper --owner=0 --group=0 --append -f updated.tar opt

# read_archives FILE...: concatenates archives and prints the file as tar and as sqfstar read it. `mksquashfs - FILE -tar` is sqfstar.
read_archives() {
    rm -rf extracted image.sqfs
    mkdir extracted
    cat "$@" | tar -C extracted --extract --ignore-zeros
    cat "$@" | "${mksquashfs[@]}" - image.sqfs -tar -ignore-zeros -no-progress -quiet 2>messages >/dev/null
    printf '%-20s tar: %s %s  sqfstar: %s %s\n' "$*" \
        "$(stat -c %a extracted/opt/tool)" "$(<extracted/opt/tool/version)" \
        "$("${unsquashfs[@]}" -lln image.sqfs opt/tool | grep -m 1 'opt/tool$' | cut -d' ' -f1)" \
        "$("${unsquashfs[@]}" -cat image.sqfs opt/tool/version)" | tee -a output
    cat messages
}
read_archives lower.tar upper.tar
read_archives updated.tar
grep -q '^lower.tar upper.tar *tar: 700 upper  sqfstar: drwxr-xr-x lower$' output
grep -q '^updated.tar *tar: 700 upper  sqfstar: drwxr-xr-x lower$' output
