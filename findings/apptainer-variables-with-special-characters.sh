#!/bin/bash
# Apptainer 1.4.5 (Debian sid): a double quote or a backslash in a variable of a Docker or OCI image gets another
# backslash in the container.
#
# Expected: the values in the image's configuration, as with docker and podman.
# Actual:   `say "hi"` becomes `say \"hi\"`, and `C:\dir` becomes `C:\\dir`. With a backtick in one value, the
#           container has none of the image's variables, not even its PATH, and starts nevertheless.
# Affected: images with options in JSON or with quotes, regular expressions, prompts. `inspect --environment` shows the
#           script, not the values. Issue 3328 of Apptainer is about the backslashes; 1.5.0 writes single ones.
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
# image NAME VARIABLES: creates an image with these variables, a JSON list, and starts a program in it.
image() {
    local layout=$root/tmp/$1
    blobs=$layout/blobs/sha256
    mkdir -p "$blobs"
    printf '{"architecture":"amd64","os":"linux","config":{"Env":%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$2" "$(sha256sum "$work/layer" | cut -d' ' -f1)" >"$work/config"
    printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[{"mediaType":"%s.layer.v1.tar",%s}]}' \
        "$type" "$type" "$(add "$work/config")" "$type" "$(add "$work/layer")" >"$work/manifest"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json",%s}]}' \
        "$type" "$(add "$work/manifest")" >"$layout/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
    # A directory is started, because this needs no FUSE. A SIF file has the same script.
    run apptainer --quiet build --sandbox "/srv/$1" "oci:/tmp/$1"
    printf '== %s\n' "$2"
    # shellcheck disable=SC2016
    run setpriv --reuid user --regid user --clear-groups env HOME=/home/user SET=host \
        apptainer --quiet exec --userns "/srv/$1" /bin/sh -c \
        'printf "%s\n" "QUOTE=$QUOTE" "BACKSLASH=$BACKSLASH" "SET=$SET" "PATH=$PATH"' 2>&1 | tee "$work/$1"
}
image quoted '["PATH=/opt/tool/bin:/bin","SET=image","QUOTE=say \"hi\"","BACKSLASH=C:\\dir"]'
# shellcheck disable=SC2016
image backtick '["PATH=/opt/tool/bin:/bin","SET=image","NOTE=the user`s note"]'
grep -qxF 'QUOTE=say \"hi\"' "$work/quoted"
grep -qxF 'BACKSLASH=C:\\dir' "$work/quoted"
grep -qx 'SET=image' "$work/quoted"
grep -q 'PATH=/opt/tool/bin:' "$work/quoted"
grep -q 'without closing quote `$' "$work/backtick"
grep -qx 'SET=host' "$work/backtick"
! grep -q '/opt/tool/bin' "$work/backtick"
