#!/bin/bash
# crane 0.20.7 (Debian sid): if an image removes a directory and creates it again, the files that `crane export` writes
# include those of the removed directory.
#
# Expected: image-spec, layer.md: a whiteout removes the directory of the lower layers, and an opaque whiteout removes
#           the files in it. umoci 0.6.0 unpacks the image so.
# Actual:   crane ignores the whiteout `.wh.data` if a layer above it has an entry for `data`, and takes the opaque
#           whiteout `.wh..wh..opq` for the whiteout of a file with the name `.wh..opq`. It exits with 0. `crane flatten`
#           pushes images with the same contents.
# Affected: images with `RUN rm -r DIRECTORY` and a later `WORKDIR`, `COPY` or `mkdir` of this directory, and images from
#           builders that write an opaque whiteout if one step does both. Removed settings, plugins and data are back.
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

# list LAYER...: creates an image with these layers in Docker's format, and prints the files that crane exports.
list() {
    local layer digests names
    for layer; do
        digests+=,\"sha256:$(sha256sum "$layer.tar" | cut -d' ' -f1)\"
        names+=,\"$layer.tar\"
    done
    printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%s]}}' \
        "${digests#,}" >config.json
    printf '[{"Config":"config.json","RepoTags":null,"Layers":[%s]}]' "${names#,}" >manifest.json
    tar -cf image manifest.json config.json -- *.tar
    crane export - - <image >files
    printf '%s: %s\n' "$*" "$(tar -tf files | grep -v '/$' | LC_ALL=C sort | xargs)"
}
mkdir -p lower/data removed again/data opaque/data
echo old | tee lower/data/old >lower/other
: >removed/.wh.data
echo new | tee again/data/new >opaque/data/new
: >opaque/data/.wh..wh..opq
tar -C lower --owner=0 --group=0 --sort=name -cf lower.tar data other
tar -C removed --owner=0 --group=0 -cf removed.tar .wh.data
for layer in again opaque; do tar -C "$layer" --owner=0 --group=0 --sort=name -cf "$layer.tar" data; done
{
    list lower removed
    list lower removed again
    list lower opaque
} | tee output
[[ $(<output) == 'lower removed: other
lower removed again: data data/new data/old other
lower opaque: data data/new data/old other' ]]
