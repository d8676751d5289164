#!/bin/bash
# erofs-utils 1.9.4 (Debian sid): `mkfs.erofs --oci` creates an image with all files that upper layers remove, and with
# their whiteouts as ordinary files.
#
# Expected: mkfs.erofs(1): "Generate a full (f) or index-only (i) image from OCI remote source", "omit to extract all
#           layers". The file system is that of the container image, as `umoci unpack` creates it.
# Actual:   the layers are unpacked above each other, without their whiteouts: `old` stays, beside an empty file `.wh.old`.
#           A directory that an upper layer replaces keeps its old files, too. --aufs ("Replace aufs special files with
#           overlayfs metadata") and --ovlfs-strip change nothing. No message, exit status 0.
# Affected: most images that several build steps create. Files that a step deletes are back: configuration fragments,
#           libraries and programs of replaced versions. The image is larger, too.
#
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if erofs-utils behave as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf -- "$work"' EXIT
cd "$work"
# erofs-utils, crane and its registry come from Debian sid, with all libraries that they need.
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=-
    -o Acquire::Languages=none -o Debug::NoLocking=true)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" install --download-only --no-install-recommends --yes \
    erofs-utils=1.9.4-1 crane=0.20.7+ds1-5 >/dev/null
for package in cache/archives/*.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
loader=("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries")
# tool NAME ARGUMENT...: runs a program from these packages.
tool() { "${loader[@]}" "root/usr/bin/$1" "${@:2}"; }
tool mkfs.erofs --version | sed -n 1p
# The registry stops by itself if the script is killed.
timeout 120 "${loader[@]}" root/usr/bin/crane registry serve --address 127.0.0.1:15452 >registry.log 2>&1 &
pid=$!
for _ in {1..100}; do
    (: >/dev/tcp/127.0.0.1/15452) 2>/dev/null && break
    sleep 0.1
done

# The upper layer removes a file and a directory, and replaces another directory.
mkdir -p lower/etc/conf.d lower/opt/tool-1 lower/opt/data upper/etc/conf.d upper/opt/data
touch lower/etc/conf.d/{old,kept} lower/opt/tool-1/run lower/opt/data/1
touch upper/etc/conf.d/{.wh.old,new} upper/opt/.wh.tool-1 upper/opt/data/{.wh..wh..opq,2}
for layer in lower upper; do tar -C "$layer" --sort=name --owner=0 --group=0 -cf "$layer.tar" etc opt; done
image=127.0.0.1:15452/tool:1
tool crane append --oci-empty-base --new_layer lower.tar --new_layer upper.tar --new_tag "$image" >/dev/null 2>&1

# files: prints the files in the image that mkfs.erofs creates with these options.
files() {
    rm -rf extracted
    tool mkfs.erofs --quiet --oci=f,insecure "$@" image.erofs "$image"
    tool fsck.erofs --extract=extracted --no-preserve image.erofs >/dev/null
    (cd extracted && find . -type f -printf '%P\n' | LC_ALL=C sort | xargs)
}
printf 'lower layer:            %s\n' "$(tar -tf lower.tar | grep -v '/$' | xargs)"
printf 'upper layer:            %s\n' "$(tar -tf upper.tar | grep -v '/$' | xargs)"
for option in '' --aufs --ovlfs-strip=1; do
    printf '%-23s %s\n' "--oci${option:+ $option}:" "$(files ${option:+"$option"})"
done | tee output
all='etc/conf.d/.wh.old etc/conf.d/kept etc/conf.d/new etc/conf.d/old opt/.wh.tool-1 opt/data/.wh..wh..opq '
all+='opt/data/1 opt/data/2 opt/tool-1/run'
[[ $(sed -E 's/.*: +//' output) == "$all"$'\n'"$all"$'\n'"$all" ]]
