#!/bin/bash
# udocker 1.3.17 (PyPI): files and directories at the root of an image stay in the container although an upper layer removes
# them.
#
# Expected: image-spec, layer.md: a whiteout `.wh.NAME` removes NAME, wherever it is in the layer.
# Actual:   udocker looks for whiteouts with `tar --wildcards '*/.wh.*'`. A whiteout in a subdirectory matches, and one
#           that is written as `./.wh.NAME`, but not `.wh.NAME`, as Docker, BuildKit and containers/storage write it.
# Affected: images with `RUN rm -r /NAME` (sources, build directories, data), or that move such a directory. The removed
#           files are in the container again, without a message.
#
# Requires Python 3.8 or later with venv, GNU tar, and PyPI; nothing is installed.
# Exit status: 0 if udocker behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check udocker==1.3.17
# This file replaces the download of programs that start containers; no container is started here.
mkdir -p udocker/lib home
echo 1.2.11 >udocker/lib/VERSION
udocker() { UDOCKER_DIR=$work/udocker HOME=$work/home python/bin/udocker --quiet --allow-root "$@"; }
python/bin/udocker --allow-root version 2>/dev/null | grep '^version'

# add FILE: adds FILE as a blob and prints its digest and size as JSON.
add() {
    local digest
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    cp -- "$1" "layout/blobs/sha256/$digest"
    printf '"digest":"sha256:%s","size":%d' "$digest" "$(stat -c %s "$1")"
}
# layer NAME ENTRY...: creates NAME.tar with empty files that have exactly these names.
layer() {
    local entry
    mkdir "$1"
    for entry in "${@:2}"; do
        mkdir -p "$1/$(dirname "$entry")"
        : >"$1/$entry"
    done
    tar -C "$1" --mtime=@0 --owner=0 --group=0 -cf "$1.tar" -- "${@:2}"
    tar -tf "$1.tar" | sed "s/^/$1 layer: /"
}
type=application/vnd.oci.image
# image TAG WHITEOUT...: loads an image whose upper layer has these whiteouts, and prints the files of a container.
image() {
    rm -rf layout lower upper
    mkdir -p layout/blobs/sha256
    layer lower bin/sh top data/file sub/file
    layer upper "${@:2}"
    printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s"]}}' \
        "$(sha256sum lower.tar | cut -d' ' -f1)" "$(sha256sum upper.tar | cut -d' ' -f1)" >config
    printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[' \
        "$type" "$type" "$(add config)" >manifest
    printf '{"mediaType":"%s.layer.v1.tar",%s},{"mediaType":"%s.layer.v1.tar",%s}]}' \
        "$type" "$(add lower.tar)" "$type" "$(add upper.tar)" >>manifest
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json",%s,"annotations":{"org.opencontainers.image.ref.name":"%s"}}]}' \
        "$type" "$(add manifest)" "$1" >layout/index.json
    printf '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
    tar -C layout -cf "$1.tar" oci-layout index.json blobs
    udocker load -i "$1.tar" tool >/dev/null
    udocker create --name="$1" "tool:$1" >/dev/null
    printf 'container: '
    find "udocker/containers/$1/ROOT/" -type f -printf '%P\n' | sort | tr '\n' ' ' | tee "$1"
    echo
}
image plain .wh.top .wh.data sub/.wh.file
image dotted ./.wh.top ./.wh.data sub/.wh.file
[[ $(<plain) == 'bin/sh data/file top ' && $(<dotted) == 'bin/sh ' ]]
