#!/bin/bash
# Apptainer 1.4.5 (Debian sid): `build --arch arm64` of an OCI image for arm64 whose /bin/sh is not an ELF file creates a
# SIF for the host's architecture, and succeeds.
#
# Expected: a SIF for arm64, as requested by --arch and stated in the image's configuration, or an error.
# Actual:   `INFO: Architecture not recognized, use native`, a warning that this is not the build architecture, a SIF for
#           the host's architecture, exit status 0.
# Affected: a host that fills an image root for nodes of another architecture, with an image whose /bin/sh is not an ELF
#           file. Those nodes refuse the SIF, and nodes of the build host's architecture accept it.
#
# Requires Debian 12 or later on amd64, root, and mmdebstrap; takes a minute.
# Exit status: 0 if Apptainer behaves as described, 1 otherwise.
set -euo pipefail
version=1.4.5
work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT
root=$work/root
mmdebstrap --quiet --variant=minbase --include=apptainer --aptopt='Acquire::Check-Valid-Until "false"' \
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

# An OCI layout of an arm64 image with one file, which is not a program.
layout=$root/tmp/layout
blobs=$layout/blobs/sha256
mkdir -p "$blobs" "$work/files/bin"
printf '#!/bin/none\n' >"$work/files/bin/sh"
chmod 755 "$work/files/bin/sh"
# add FILE: adds FILE as a blob and prints its digest and size as JSON.
add() {
    local digest
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    cp -- "$1" "$blobs/$digest"
    printf '"digest":"sha256:%s","size":%d' "$digest" "$(stat -c %s "$1")"
}
tar -C "$work/files" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$work/layer" .
layer=$(add "$work/layer")
printf '{"architecture":"arm64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(sha256sum "$work/layer" | cut -d' ' -f1)" >"$work/config"
type=application/vnd.oci.image
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[{"mediaType":"%s.layer.v1.tar",%s}]}' \
    "$type" "$type" "$(add "$work/config")" "$type" "$layer" >"$work/manifest"
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json",%s,"platform":{"architecture":"arm64","os":"linux"}}]}' \
    "$type" "$(add "$work/manifest")" >"$layout/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"

run apptainer build --arch arm64 /tmp/image.sif oci:/tmp/layout 2>&1 | tee "$work/output"
# The architecture in the header: 02 is amd64, 04 is arm64.
code=$(tail -c +46 "$root/tmp/image.sif" | head -c 2)
printf 'architecture of the SIF: %s\n' "$code"
grep -q 'Architecture not recognized, use native' "$work/output" && [[ $code == 02 ]]
