#!/bin/bash
# udocker 1.3.17 (PyPI): if an upper layer replaces one name of a hard-linked file, the file changes under its other names,
# too.
#
# Expected: image-spec, layer.md: an entry replaces the file of this name. The other names keep the file of the lower layer.
# Actual:   udocker extracts each layer with `tar --overwrite`, which writes into the existing file. All its names get the
#           new content, without a message.
# Affected: images that link versions of a file (`cp -l`, `ln`), and later layers that edit or update one of them: the
#           original or the backup is lost. Charliecloud 0.45.2 does the same when it pulls an image (seen); umoci,
#           Apptainer and buildah do not.
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

# The lower layer has a file with two names. The upper layer has a new file for one of them.
mkdir -p lower/opt/tool upper/opt/tool layout/blobs/sha256
echo old >lower/opt/tool/options.original
ln lower/opt/tool/options.original lower/opt/tool/options
echo new >upper/opt/tool/options
tar -C lower --sort=name --owner=0 --group=0 -cf lower.tar opt
tar -C upper --owner=0 --group=0 -cf upper.tar opt/tool/options
tar -tvf lower.tar | sed 's/^/lower layer: /'
tar -tvf upper.tar | sed 's/^/upper layer: /'

# add FILE: adds FILE as a blob and prints its digest and size as JSON.
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
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json",%s,"annotations":{"org.opencontainers.image.ref.name":"1"}}]}' \
    "$type" "$(add manifest)" >layout/index.json
printf '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
tar -C layout -cf image.tar oci-layout index.json blobs
udocker load -i image.tar tool >/dev/null
udocker create --name=tool tool:1 >/dev/null
(cd udocker/containers/tool/ROOT/opt/tool && head options options.original) | tee container
[[ $(<container) == '==> options <==
new

==> options.original <==
new' ]]
