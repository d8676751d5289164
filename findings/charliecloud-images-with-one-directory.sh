#!/bin/bash
# Charliecloud 0.45.2 (Debian sid): if all files of an image are in one directory at the root, such as /opt or /app,
# `ch-image pull` removes this directory from their paths.
#
# Expected: the paths in the layers: /opt/tool/bin/run.
# Actual:   /tool/bin/run, without a message. Charliecloud takes the directory for the enclosing directory of a tarball,
#           unless its name is bin, dev, etc, mnt, proc, sys, tmp or usr. A second directory prevents this, and so does an
#           entry for the root directory itself, as umoci writes it.
# Affected: images `FROM scratch` with one program or with data, for example in /app, /opt, /data or /nix. Their entry point
#           and every absolute path in them, such as links and settings, lead to files that do not exist.
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

mkdir blobs
# add FILE: adds FILE as a blob and prints its digest and size as JSON.
add() {
    local digest
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    cp -- "$1" "blobs/sha256:$digest"
    printf '"digest":"sha256:%s","size":%d' "$digest" "$(stat -c %s "$1")"
}
# image NAME FILE...: creates an image with one layer that has these files.
image() {
    local type=application/vnd.oci.image
    local file
    for file in "${@:2}"; do
        mkdir -p "$1/$(dirname "$file")"
        echo "$file" >"$1/$file"
    done
    # The layer has no entry for the root directory itself.
    (cd "$1" && tar --sort=name --mtime=@0 --owner=0 --group=0 -czf "../$1.layer" -- *)
    printf '{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/opt/tool/bin/run"]},"history":[{}],"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$(gzip -dc "$1.layer" | sha256sum | cut -d' ' -f1)" >"$1.config"
    printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[{"mediaType":"%s.layer.v1.tar+gzip",%s}]}' \
        "$type" "$type" "$(add "$1.config")" "$type" "$(add "$1.layer")" >"$1.manifest"
}
image one opt/tool/bin/run opt/tool/settings
image two opt/tool/bin/run opt/tool/settings etc/settings

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
for name in one two; do
    run env REQUESTS_CA_BUNDLE=/certificate.pem CH_IMAGE_STORAGE=/storage \
        ch-image pull "127.0.0.1:15446/$name:1" >"$name.output" 2>&1
    printf 'layer:  %s\n' "$(tar -tzf "$name.layer" | grep -v '/$' | xargs)"
    # Charliecloud adds its own directory and two empty files.
    printf 'pulled: %s\n' "$(find "$root/storage/img/127.0.0.1+15446%$name+1" -type f -size +0 -printf '%P\n' |
        { grep -v '^ch/' || :; } | LC_ALL=C sort | xargs)" | tee "$name.pulled"
done
[[ $(<one.pulled) == 'pulled: tool/bin/run tool/settings' ]] &&
    [[ $(<two.pulled) == 'pulled: etc/settings opt/tool/bin/run opt/tool/settings' ]]
