#!/bin/bash
# Apptainer 1.4.5 (Debian sid): a pull writes the reference of another pull into the SIF file if both references have
# the same content.
#
# Expected: `inspect --deffile` of a pulled file shows the reference that this file was pulled from.
# Actual:   the runtime's cache is keyed by the digest. The second pull copies the cached SIF file, whose definition
#           names the first reference.
# Affected: everything that takes the origin of a file from its definition, and users who pull a version tag after
#           `latest`: `inspect` says that the file is `latest`.
#
# Requires Debian 12 or later on amd64, root, and mmdebstrap; takes a minute.
# Exit status: 0 if Apptainer behaves as described, 1 otherwise.
set -euo pipefail
version=1.4.5
work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT
root=$work/root
mmdebstrap --quiet --variant=minbase --include=apptainer,busybox-static --aptopt='Acquire::Check-Valid-Until "false"' \
    sid "$root"
touch "$root/etc/hosts" "$root/etc/resolv.conf"
# run COMMAND...: runs COMMAND in the root file system, with mounts that are removed when it ends.
run() {
    # shellcheck disable=SC2016
    unshare --mount --propagation private \
        sh -c 'mount --bind "$0" "$0" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" "$@"
}
run apptainer --version | tee "$work/version"
grep -q " $version" "$work/version"

# An OCI layout with one image, under two names.
layout=$root/tmp/layout
blobs=$layout/blobs/sha256
mkdir -p "$blobs" "$work/files/bin"
cp "$root/usr/bin/busybox" "$work/files/bin/sh"
# add FILE: adds FILE as a blob and prints its digest and size as JSON.
add() {
    local digest
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    cp -- "$1" "$blobs/$digest"
    printf '"digest":"sha256:%s","size":%d' "$digest" "$(stat -c %s "$1")"
}
tar -C "$work/files" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$work/layer" .
layer=$(add "$work/layer")
printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(sha256sum "$work/layer" | cut -d' ' -f1)" >"$work/config"
type=application/vnd.oci.image
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[{"mediaType":"%s.layer.v1.tar",%s}]}' \
    "$type" "$type" "$(add "$work/config")" "$type" "$layer" >"$work/manifest"
manifest=$(add "$work/manifest")
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json",%s}]}' "$type" "$manifest" >"$layout/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
cp -r "$layout" "$root/tmp/latest"
cp -r "$layout" "$root/tmp/3.20"

for tag in latest 3.20; do
    run apptainer --quiet pull "/tmp/$tag.sif" "oci:/tmp/$tag"
    printf '%s.sif: ' "$tag"
    run apptainer inspect --deffile "/tmp/$tag.sif" | grep '^from:' | tee "$work/$tag"
done
grep -qx 'from: /tmp/latest' "$work/latest" && grep -qx 'from: /tmp/latest' "$work/3.20"
