#!/bin/bash
# Apptainer 1.4.5: if a user without privileges builds or pulls an image, files that their owner cannot read are empty
# in the SIF file, and directories that their owner cannot list are missing.
#
# Expected: the files of the image, as in a SIF file that root builds; or an error.
# Actual:   the layers are unpacked with the modes of the image. mksquashfs then runs as the user, cannot read these
#           files, and creates empty ones. Apptainer discards its messages, even with --debug, and exits with 0.
#           `apptainer build --fix-perms` adds the permissions before, and so changes the modes. `apptainer pull` has no
#           such option.
# Affected: programs that may only be executed, with modes such as 0111, or 4111 as sudo of Fedora and RHEL: they do not
#           start. /etc/shadow of these distributions has the mode 0000, and is empty for `apptainer exec --fakeroot`.
#
# Requires Debian 12 or later on amd64, root, and mmdebstrap; takes a minute.
# Exit status: 0 if Apptainer behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT
root=$work/root
mmdebstrap --quiet --variant=minbase --include=apptainer,squashfs-tools \
    --aptopt='Acquire::Check-Valid-Until "false"' sid "$root"
touch "$root/etc/hosts" "$root/etc/resolv.conf"
# run COMMAND...: runs COMMAND as a user in the root file system, with mounts that are removed when it ends.
run() {
    # shellcheck disable=SC2016
    unshare --mount --propagation private sh -c '
        mount --bind "$0" "$0" && mount -t proc proc "$0/proc" &&
            exec chroot --userspec=user:user "$0" env HOME=/home/user "$@"' "$root" "$@"
}
chroot "$root" useradd --create-home user
run apptainer --version | tee "$work/version"
grep -qx 'apptainer version 1\.4\.5' "$work/version"

# An OCI layout with one image.
layout=$root/srv/layout
mkdir -p "$layout/blobs/sha256"
(cd "$layout" && python3 -) <<'END_OF_IMAGE'
import hashlib, io, json, os, tarfile
def add(content, kind):
    digest = hashlib.sha256(content).hexdigest()
    open(f"blobs/sha256/{digest}", "wb").write(content)
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}
layer = io.BytesIO()
archive = tarfile.open(fileobj=layer, mode="w")
for name, mode in [("etc", 0o755), ("etc/shadow", 0o000), ("opt", 0o755), ("opt/tool", 0o111), ("opt/readable", 0o555),
                   ("opt/hidden", 0o311), ("opt/hidden/data", 0o644)]:
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    content = b"#!/bin/sh\necho started\n"
    if name in ("etc", "opt", "opt/hidden"):
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    else:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
archive.close()
descriptor = add(layer.getvalue(), "layer.v1.tar")
config = add(json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": [descriptor["digest"]]}}).encode(), "config.v1+json")
manifest = add(json.dumps({"schemaVersion": 2, "config": config, "layers": [descriptor]}).encode(), "manifest.v1+json")
json.dump({"schemaVersion": 2, "manifests": [manifest]}, open("index.json", "w"))
json.dump({"imageLayoutVersion": "1.0.0"}, open("oci-layout", "w"))
END_OF_IMAGE
# files NAME OPTION...: builds an image with these options, and prints mode, size and name of the files in it.
files() {
    local id
    printf '== apptainer build %s\n' "${*:2}"
    run apptainer build "${@:2}" "/home/user/$1.sif" oci:/srv/layout 2>&1 | { grep -v INFO || :; }
    id=$(run apptainer sif list "/home/user/$1.sif" | sed -n 's/^\([0-9]*\) .*Squashfs.*/\1/p')
    run apptainer sif dump "$id" "/home/user/$1.sif" >"$root/srv/$1.squashfs"
    run unsquashfs -lln "/srv/$1.squashfs" |
        sed -nE 's#^(\S+) \S+ +([0-9]+) .* squashfs-root/((etc/shadow|opt).*)#    \1 \2 \3#p'
}
files plain | tee "$work/plain"
files fixed --fix-perms | tee "$work/fixed"
cd "$work"
grep -qx '    ---------- 0 etc/shadow' plain
grep -qx '    ---x--x--x 0 opt/tool' plain
grep -qx '    -r-xr-xr-x 23 opt/readable' plain
[[ $(grep -c hidden plain) == 0 && $(grep -c WARN plain) == 0 ]]
grep -qx '    -rw------- 23 etc/shadow' fixed
grep -qx '    -rwx--x--x 23 opt/tool' fixed
grep -qx '    -rw-r--r-- 23 opt/hidden/data' fixed
