#!/bin/bash
# Apptainer 1.4.5: a tag cannot select an image of an OCI layout. `oci:LAYOUT:TAG` is read as the path of a directory.
#
# Expected: containers-transports(5): "oci:path[:reference]", as for skopeo and buildah; umoci has LAYOUT:TAG, too.
# Actual:   `stat LAYOUT:TAG/index.json: no such file or directory`, even if the layout has only this image. Without the
#           tag, a layout with several images is refused: "must specify a digest". LAYOUT@DIGEST is accepted, but is not
#           documented. For an archive (oci-archive:FILE), there is no way to select an image.
# Affected: scripts that pass an image from skopeo, buildah or umoci to Apptainer in a layout. If `skopeo copy`
#           (1.9.3) writes a tag again, the index keeps the old image without a tag, and the layout then needs a digest.
#
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if Apptainer behaves as described, 1 otherwise.
set -euo pipefail
version=1.4.5-2
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
# The programs come from Debian sid, with the C library that they need.
mkdir -p lists/partial cache/archives/partial root home
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download "apptainer=$version" umoci=0.6.0+ds-1+b1 libc6/sid libseccomp2/sid libsqlite3-0/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
loader=("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries")
apptainer() { HOME=$work/home "${loader[@]}" root/usr/bin/apptainer --config root/etc/apptainer/apptainer.conf "$@"; }
apptainer --version
"${loader[@]}" root/usr/bin/umoci --version

# An OCI layout with the images `one` and `two`.
blobs=layout/blobs/sha256
mkdir -p "$blobs"
# add FILE: adds FILE as a blob and prints its digest and size as JSON.
add() {
    local digest
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    cp -- "$1" "$blobs/$digest"
    printf '"digest":"sha256:%s","size":%d' "$digest" "$(stat -c %s "$1")"
}
type=application/vnd.oci.image
# image TAG: adds an image with a file that contains the tag, and prints its entry in the index.
image() {
    mkdir "files.$1"
    echo "$1" >"files.$1/tag"
    tar -C "files.$1" --mtime=@0 --owner=0 --group=0 -cf "layer.$1" .
    printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$(sha256sum "layer.$1" | cut -d' ' -f1)" >"config.$1"
    printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[{"mediaType":"%s.layer.v1.tar",%s}]}' \
        "$type" "$type" "$(add "config.$1")" "$type" "$(add "layer.$1")" >"manifest.$1"
    printf '{"mediaType":"%s.manifest.v1+json",%s,"annotations":{"org.opencontainers.image.ref.name":"%s"}}' \
        "$type" "$(add "manifest.$1")" "$1"
}
one=$(image one)
two=$(image two)
printf '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
printf '{"schemaVersion":2,"manifests":[%s,%s]}' "$one" "$two" >layout/index.json
cp -r layout single
printf '{"schemaVersion":2,"manifests":[%s]}' "$one" >single/index.json

"${loader[@]}" root/usr/bin/umoci stat --image layout:two >/dev/null
echo 'umoci reads layout:two'
# build SOURCE: prints the error of a build, or the message that follows the selection of an image.
build() {
    printf '== %s\n' "$1" | tee output
    { apptainer build --force image.sif "$1" || :; } 2>&1 |
        grep -o -m 1 -E 'Extracting OCI image|conveyor failed.*' | tee -a output
}
build oci:single:one
grep -q 'stat single:one/index.json: no such file or directory' output
build oci:layout:two
grep -q 'stat layout:two/index.json: no such file or directory' output
build oci:layout
grep -q 'must specify a digest - layout contains multiple images' output
build "oci:layout@sha256:$(sha256sum manifest.two | cut -d' ' -f1)"
grep -q 'Extracting OCI image' output
build oci:single
grep -q 'Extracting OCI image' output
