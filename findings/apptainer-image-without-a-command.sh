#!/bin/bash
# Apptainer 1.4.5 (Debian sid): `apptainer run` of an image without a command prints all variables and exits with 0.
#
# Expected: an error, as docker and podman report it.
# Actual:   the run script that Apptainer writes for a Docker or OCI image calls `set` with the command. Without a
#           command, this lists the variables of the shell, which include those of the user. Then `exec` starts nothing.
# Affected: images without CMD and ENTRYPOINT, as they come from `FROM scratch`. A job that runs one counts as
#           successful, and has a list of variables where the next step expects a result.
#
# Requires Debian 12 or later on amd64, root, user namespaces, and mmdebstrap; takes some minutes.
# Exit status: 0 if Apptainer behaves as described, 1 otherwise.
set -euo pipefail
version=1.4.5
work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT
root=$work/root
# shellcheck disable=SC2016
mmdebstrap --quiet --variant=minbase --include=apptainer,busybox-static --aptopt='Acquire::Check-Valid-Until "false"' \
    --customize-hook='chroot "$1" useradd --create-home user' sid "$root"
mkdir "$root/old"
touch "$root/etc/hosts" "$root/etc/resolv.conf"
# run COMMAND...: runs COMMAND in the root file system, with mounts that are removed when it ends. Containers need a real
# root directory, so this is no chroot.
run() {
    # shellcheck disable=SC2016
    unshare --mount --propagation private \
        sh -c 'mount --bind "$0" "$0" && cd "$0" && mount -t proc proc proc && mount --rbind /dev dev &&
            pivot_root . old && umount --lazy /old && exec "$@"' "$root" "$@"
}
run apptainer --version | tee "$work/version"
grep -q " $version" "$work/version"

# add FILE: adds FILE as a blob and prints its digest and size as JSON.
add() {
    local digest
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    cp -- "$1" "$blobs/$digest"
    printf '"digest":"sha256:%s","size":%d' "$digest" "$(stat -c %s "$1")"
}
mkdir -p "$work/files/bin" "$work/files/etc"
cp "$root/usr/bin/busybox" "$work/files/bin/busybox"
ln -s busybox "$work/files/bin/sh"
: >"$work/files/etc/passwd"
: >"$work/files/etc/group"
tar -C "$work/files" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$work/layer" .
type=application/vnd.oci.image
layout=$root/tmp/image
blobs=$layout/blobs/sha256
mkdir -p "$blobs"
printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(sha256sum "$work/layer" | cut -d' ' -f1)" >"$work/config"
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[{"mediaType":"%s.layer.v1.tar",%s}]}' \
    "$type" "$type" "$(add "$work/config")" "$type" "$(add "$work/layer")" >"$work/manifest"
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json",%s}]}' \
    "$type" "$(add "$work/manifest")" >"$layout/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
# A directory is started, because this needs no FUSE. A SIF file has the same script.
run apptainer --quiet build --sandbox /srv/image oci:/tmp/image
status=0
run setpriv --reuid user --regid user --clear-groups env --ignore-environment PATH=/usr/bin:/bin HOME=/home/user \
    SITE=name apptainer --quiet run --userns /srv/image >"$work/output" 2>"$work/errors" || status=$?
printf 'exit status %d, %d bytes of errors, output:\n' "$status" "$(stat -c %s "$work/errors")"
grep -E '^(APPTAINER_COMMAND|OCI_CMD|PATH|SITE)=' "$work/output"
[[ $status == 0 && ! -s $work/errors ]]
grep -qx "SITE='name'" "$work/output"
