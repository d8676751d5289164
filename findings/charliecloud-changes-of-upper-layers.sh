#!/bin/bash
# Charliecloud 0.45.2 (Debian sid): `ch-image pull` misapplies three kinds of changes that upper layers make.
#
# Expected: image-spec, layer.md: the layers are applied in the order of the manifest, and `.wh.NAME` removes NAME.
# Actual:   - twice: of a layer that occurs twice, only the first occurrence is used. Files that a layer between them
#             removes are missing, although the second occurrence has them. A warning mentions the layer.
#           - removed: a whiteout at the root has no effect: Charliecloud looks for `/NAME` among paths without `/`.
#           - linked: a new file for one name of a hard-linked file is written into the file, so all names change.
#           The exit status is 0. umoci 0.6.0 unpacks all three as expected.
# Affected: images in which files are copied, removed, and copied again with the same times; images with
#           `RUN rm -r /NAME`; images that update a program with several names.
#
# Requires Debian 12 or later on amd64, root, mmdebstrap, openssl and Python; takes a minute.
# Exit status: 0 if Charliecloud behaves as described, 1 otherwise.
set -euo pipefail
version=0.45.2
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf --one-file-system -- "$work"' EXIT
root=$work/root
mmdebstrap --quiet --variant=minbase --include=charliecloud --aptopt='Acquire::Check-Valid-Until "false"' sid "$root"
touch "$root/etc/hosts" "$root/etc/resolv.conf"
# run COMMAND...: runs COMMAND in the root file system, with mounts that are removed when it ends.
run() {
    # shellcheck disable=SC2016
    unshare --mount --propagation private \
        sh -c 'mount --bind "$0" "$0" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" "$@"
}
cd "$work"
printf 'ch-image %s\n' "$(run ch-image --version)" | tee version
grep -qx "ch-image $version" version

mkdir blobs files
# add FILE: adds FILE as a blob and prints its digest and size as JSON.
add() {
    local digest
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    cp -- "$1" "blobs/sha256:$digest"
    printf '"digest":"sha256:%s","size":%d' "$digest" "$(stat -c %s "$1")"
}
# layer NAME FILE...: archives these files.
layer() { tar -C "files/$1" --sort=name --mtime=@0 --owner=0 --group=0 -czf "$1.layer" -- "${@:2}"; }
# image NAME LAYER...: creates an image with these layers.
image() {
    local type=application/vnd.oci.image layers='' digests='' layer
    for layer in "${@:2}"; do
        layers+=",{\"mediaType\":\"$type.layer.v1.tar+gzip\",$(add "$layer.layer")}"
        digests+=",\"sha256:$(gzip -dc "$layer.layer" | sha256sum | cut -d' ' -f1)\""
    done
    printf '{"architecture":"amd64","os":"linux","config":{},"history":[{}],"rootfs":{"type":"layers","diff_ids":[%s]}}' \
        "${digests#,}" >"$1.config"
    printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[%s]}' \
        "$type" "$type" "$(add "$1.config")" "${layers#,}" >"$1.manifest"
}
mkdir -p files/base/opt files/base/srv files/without/opt files/whiteout files/new/opt
echo old | tee files/base/opt/tool files/base/srv/data >/dev/null
ln files/base/opt/tool files/base/opt/tool-2
echo new >files/new/opt/tool
touch files/without/opt/.wh.tool files/whiteout/.wh.srv
layer base opt srv
layer new opt/tool
layer without opt/.wh.tool
layer whiteout .wh.srv
image twice base new without new
image removed base whiteout
image linked base new

openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 2>/dev/null
cp certificate.pem "$root/certificate.pem"
cat >registry.py <<'END_OF_REGISTRY'
import http.server, ssl
class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        _, _, image, kind, reference = self.path.split("/")
        content = open(f"{image}.manifest" if kind == "manifests" else f"blobs/{reference}", "rb").read()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 15446), Registry)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("certificate.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
END_OF_REGISTRY
python3 registry.py 2>errors &
pid=$!
for _ in {1..100}; do
    (: >/dev/tcp/127.0.0.1/15446) 2>/dev/null && break
    sleep 0.1
done
for name in twice removed linked; do
    run env REQUESTS_CA_BUNDLE=/certificate.pem CH_IMAGE_STORAGE=/storage \
        ch-image pull "127.0.0.1:15446/$name:1" >"$name.output" 2>&1
    printf '%s:\n' "$name"
    (cd "$root/storage/img/127.0.0.1+15446%$name+1" && find opt srv -type f -exec grep -H . {} + | LC_ALL=C sort |
        sed 's/^/    /')
done | tee files.pulled
grep -h duplicate ./*.output
[[ $(<files.pulled) == 'twice:
    opt/tool-2:old
    srv/data:old
removed:
    opt/tool-2:old
    opt/tool:old
    srv/data:old
linked:
    opt/tool-2:new
    opt/tool:new
    srv/data:old' ]]
