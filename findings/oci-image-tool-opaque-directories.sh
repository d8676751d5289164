#!/bin/bash
# oci-image-tool 1.0.0-rc1 (Debian sid): files under an opaque whiteout stay in the unpacked image, and a directory keeps
# the mode of the lower layer.
#
# Expected: image-spec, layer.md: `.wh..wh..opq` in a directory hides all its children in lower layers, and attributes of
#           an existing directory are replaced by those in the upper layer. umoci 0.6.0 unpacks the image so.
# Actual:   `oci-image-tool unpack` skips the opaque whiteout: the lower files are mixed with the new ones. It skips the
#           entry of a directory that exists, too. No message, exit status 0. Explicit whiteouts are applied.
# Affected: images whose build replaces a directory (`RUN rm -r /opt/tool && cp -r new /opt/tool`), which BuildKit and
#           Podman write as an opaque directory: plugins, headers or settings of the old version are loaded with the new
#           one. After `chmod` on a directory, it stays closed or open as before.
#
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if oci-image-tool behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download oci-image-tool=1.0.0~rc2+really.rc1+dfsg-2+b25 libc6/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
tool() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" root/usr/bin/oci-image-tool "$@"; }
tool --version

# The upper layer replaces the directory `opaque`, removes one file of `explicit`, and opens `closed`.
mkdir -p lower/{opaque,explicit,closed} upper/{opaque,explicit,closed}
echo 1 | tee lower/opaque/{plugin-1,settings} lower/explicit/{plugin-1,settings} >lower/closed/data
echo 2 | tee upper/opaque/plugin-2 >upper/explicit/plugin-2
touch upper/opaque/.wh..wh..opq upper/explicit/.wh.plugin-1
chmod 700 lower/closed
for layer in lower upper; do
    tar -C "$layer" --owner=0 --group=0 --sort=name -cf "$layer.tar" opaque explicit closed
done
# add FILE: adds FILE as a blob and prints its digest and size as JSON.
mkdir -p layout/blobs/sha256
add() {
    local digest
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    cp -- "$1" "layout/blobs/sha256/$digest"
    printf '"digest":"sha256:%s","size":%d' "$digest" "$(stat -c %s "$1")"
}
type=application/vnd.oci.image
printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s"]}}' \
    "$(sha256sum lower.tar | cut -d' ' -f1)" "$(sha256sum upper.tar | cut -d' ' -f1)" >config
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[' \
    "$type" "$type" "$(add config)" >manifest
printf '{"mediaType":"%s.layer.v1.tar",%s},{"mediaType":"%s.layer.v1.tar",%s}]}' \
    "$type" "$(add lower.tar)" "$type" "$(add upper.tar)" >>manifest
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json",%s,"annotations":{"org.opencontainers.image.ref.name":"latest"}}]}' \
    "$type" "$(add manifest)" >layout/index.json
printf '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
tool validate --type image --ref name=latest layout 2>&1

tool unpack --type imageLayout --ref name=latest layout files
(cd files && find . -mindepth 1 -printf '%m %P\n' | LC_ALL=C sort -k 2) | tee output
[[ $(<output) == '700 closed
644 closed/data
755 explicit
644 explicit/plugin-2
644 explicit/settings
755 opaque
644 opaque/plugin-1
644 opaque/plugin-2
644 opaque/settings' ]]
