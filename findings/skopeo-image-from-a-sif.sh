#!/bin/bash
# skopeo 1.22.0 (Debian sid): an image that is copied from a SIF file has no environment, entry point, working directory or
# labels, and its command is `bash`, even if the image has no bash.
#
# Expected: containers-transports(5): "Only reading images is supported, and not all scripts can be represented in the OCI
#           format." An entry point and variables that came from an OCI image, and that the SIF file starts with, can be.
# Actual:   the configuration is {"Cmd":["bash"]}. The transport reads only the definition of the SIF file. A pulled file
#           has the definition `bootstrap: docker, from: ...`, without %environment and %runscript.
# Affected: sites that convert SIF files for podman, buildah or a registry (`skopeo copy sif:FILE docker://...`). The copy
#           succeeds; programs then run without PATH and variables of the image, or `bash` is not found.
#
# Requires Debian 12 or later on amd64, root, and mmdebstrap; takes some minutes.
# Exit status: 0 if skopeo behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT
root=$work/root
mmdebstrap --quiet --variant=minbase --include=apptainer,busybox-static,fakeroot,skopeo \
    --aptopt='Acquire::Check-Valid-Until "false"' sid "$root"
touch "$root/etc/hosts" "$root/etc/resolv.conf"
# run COMMAND...: runs COMMAND in the root file system, with mounts that are removed when it ends.
run() {
    # shellcheck disable=SC2016
    unshare --mount --propagation private \
        sh -c 'mount --bind "$0" "$0" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" "$@"
}
run apptainer --version
run skopeo --version | tee "$work/version"
grep -q ' 1\.22\.0' "$work/version"

# An OCI layout with one image, without bash.
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
settings='{"Env":["PATH=/bin","TOOL=/opt/tool"],"Entrypoint":["/opt/tool/main"],"Cmd":["--help"],"Labels":{"version":"1"}}'
printf '{"architecture":"amd64","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$settings" "$(sha256sum "$work/layer" | cut -d' ' -f1)" >"$work/config"
type=application/vnd.oci.image
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[{"mediaType":"%s.layer.v1.tar",%s}]}' \
    "$type" "$type" "$(add "$work/config")" "$type" "$layer" >"$work/manifest"
manifest=$(add "$work/manifest")
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json",%s}]}' "$type" "$manifest" >"$layout/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"

# settings IMAGE: prints the settings in the configuration of an image.
settings() {
    run skopeo inspect --config "$1" |
        python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["config"], separators=(",", ":")))'
}
run apptainer --quiet build /tmp/image.sif oci:/tmp/layout
printf 'image:      %s\n' "$(settings oci:/tmp/layout)"
printf 'SIF file:\n'
run apptainer inspect --runscript --environment /tmp/image.sif | grep -E "OCI_(ENTRYPOINT|CMD)='|TOOL=" | tee "$work/sif"
run skopeo --insecure-policy copy --quiet sif:/tmp/image.sif oci:/tmp/copy:1
printf 'copy:       %s\n' "$(settings oci:/tmp/copy:1)" | tee "$work/copy"
grep -q 'OCI_ENTRYPOINT=' "$work/sif" && grep -q 'TOOL=' "$work/sif" && grep -q ' {"Cmd":\["bash"\]}$' "$work/copy"
