#!/bin/bash
# umoci 0.6.0 (Debian sid): if a directory is replaced by a link to another directory, `umoci repack` creates a layer that
# removes files from that other directory.
#
# Expected: the repacked image has the files of the bundle.
# Actual:   the layer has an entry for the link, and after it a whiteout `LINK/.wh.NAME` for each file that the old directory
#           had. When the layer is unpacked, the whiteouts are resolved through the new link. The files of these names in
#           the other directory are gone, without a message. `umoci unpack`, buildah 1.43.2 and Apptainer 1.4.5 agree.
# Affected: images that replace copies by a link, such as `rm -r /opt/tool/share && ln -s /usr/share /opt/tool/share`. If the
#           files were moved first (`mv sbin/* bin`, then `sbin -> bin`), umoci and Apptainer unpack the layer correctly.
#           buildah removes the moved files again, or refuses the layer if directories are among them.
#
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if umoci behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
# umoci comes from Debian sid, with the C library that it needs.
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download umoci=0.6.0+ds-1+b1 libc6/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
umoci() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" root/usr/bin/umoci "$@"; }
umoci --version | sed -n 1p

# files DIRECTORY: prints the files and links in a root file system.
files() { (cd "$1" && find . '(' -type f -o -type l ')' -printf '%P ' | xargs -n 1 | LC_ALL=C sort | xargs); }
# The lower layer has two directories with a file of the same name.
umoci init --layout layout
umoci new --image layout:empty
umoci unpack --rootless --image layout:empty bundle >/dev/null 2>&1
mkdir -p bundle/rootfs/usr/share bundle/rootfs/opt/tool/share
echo shared >bundle/rootfs/usr/share/data
echo copied >bundle/rootfs/opt/tool/share/data
umoci repack --refresh-bundle --image layout:lower bundle >/dev/null 2>&1
# The upper layer replaces one of them.
rm -r bundle/rootfs/opt/tool/share
ln -s ../../usr/share bundle/rootfs/opt/tool/share
umoci repack --image layout:upper bundle >/dev/null 2>&1
umoci unpack --rootless --image layout:upper unpacked >/dev/null 2>&1

printf 'layer:\n'
python3 - <<'END_OF_LISTING'
import json, tarfile
def blob(descriptor):
    return "layout/blobs/" + descriptor["digest"].replace(":", "/")
images = json.load(open("layout/index.json"))["manifests"]
image = [i for i in images if i["annotations"]["org.opencontainers.image.ref.name"] == "upper"][0]
for entry in tarfile.open(blob(json.load(open(blob(image)))["layers"][-1])):
    print("   ", entry.name, *(["->", entry.linkname] if entry.issym() else []))
END_OF_LISTING
printf 'bundle:   %s\n' "$(files bundle/rootfs)"
printf 'unpacked: %s\n' "$(files unpacked/rootfs)"
[[ $(files bundle/rootfs) == 'opt/tool/share usr/share/data' && $(files unpacked/rootfs) == 'opt/tool/share' ]]
