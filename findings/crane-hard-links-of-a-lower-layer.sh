#!/bin/bash
# crane 0.20.7 (Debian sid): if an upper layer replaces one name of a hard-linked file, `crane export` gives the other
# names the new contents, too.
#
# Expected: the files that a container has: only the name in the upper layer changes. umoci 0.6.0 unpacks the image so.
# Actual:   crane writes the new file, omits the old one, and then writes the other names as links to the new file. If
#           the upper layer removes the name, the links lead nowhere: tar reports "Cannot hard link", and the other names
#           are missing. crane exits with 0. `crane flatten` pushes images with the same contents.
# Affected: images with hard-linked files in a lower layer, such as those of Git, Perl and conda, if a later layer
#           updates, patches or removes one of the names.
#
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if crane behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download crane=0.20.7+ds1-5 libc6/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
crane() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" root/usr/bin/crane "$@"; }
printf 'crane %s\n' "$(dpkg-deb --field crane_*.deb Version)"

# A layer with a file that has two names, a layer that replaces the file under the first name, and one that removes it.
mkdir -p lower/bin upper/bin removed/bin
echo old >lower/bin/tool-1
ln lower/bin/tool-1 lower/bin/tool-2
echo new >upper/bin/tool-1
: >removed/bin/.wh.tool-1
for layer in lower upper removed; do tar -C "$layer" --owner=0 --group=0 --sort=name -cf "$layer.tar" bin; done
# export_image LAYER: creates an image of the lower layer and LAYER in Docker's format, and prints the exported files.
export_image() {
    local status=0
    printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s"]}}' \
        "$(sha256sum lower.tar | cut -d' ' -f1)" "$(sha256sum "$1.tar" | cut -d' ' -f1)" >config.json
    printf '[{"Config":"config.json","RepoTags":null,"Layers":["lower.tar","%s.tar"]}]' "$1" >manifest.json
    tar -cf image.tar manifest.json config.json lower.tar "$1.tar"
    crane export - files.tar <image.tar
    mkdir "files.$1"
    tar -C "files.$1" -xf files.tar 2>messages || status=$?
    printf 'lower, %s: exit status of tar: %d\n' "$1" "$status"
    (cd "files.$1" && find . -type f -exec grep -H . {} + | LC_ALL=C sort | sed 's/^/    /')
    sed 's/^/    /' messages >&2
}
{
    export_image upper
    export_image removed
} | tee output
[[ $(<output) == 'lower, upper: exit status of tar: 0
    ./bin/tool-1:new
    ./bin/tool-2:new
lower, removed: exit status of tar: 2' ]]
