#!/bin/bash
# Apptainer 1.4.5: if registries.conf has several mirrors, only the first one can provide an image, although the others are
# queried for its digest. If that mirror is unreachable, the registry itself is not tried.
#
# Expected: containers-registries.conf(5): "The mirrors are attempted in the specified order; the first one that can be
#           contacted and contains the image will be used (and if none of the mirrors contains the image, the primary
#           location ...)".
# Actual:   the first mirror is unreachable, the second one answers the query for the digest. The image is then
#           requested only from the first one: "connection refused". With the two mirrors in the opposite order, the
#           manifest is fetched.
# Affected: sites that list several mirrors as a fallback. Since Apptainer 1.4, containers/image queries the digest, and
#           go-containerregistry fetches the image from `Mirrors[0]`.
#
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if Apptainer behaves as described, 1 otherwise.
set -euo pipefail
version=1.4.5-2
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf -- "$work"' EXIT
cd "$work"
# Apptainer comes from Debian sid, with the C library that it needs.
mkdir -p lists/partial cache/archives/partial root home
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download "apptainer=$version" libc6/sid libseccomp2/sid libsqlite3-0/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
apptainer=("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" root/usr/bin/apptainer
    --config root/etc/apptainer/apptainer.conf)
# Apptainer checks that this program exists; it is never run here.
mkdir bin
printf '#!/bin/sh\n' >bin/mksquashfs
chmod 755 bin/mksquashfs
"${apptainer[@]}" --version

openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 2>/dev/null
cat >registry.py <<'END'
import http.server, json, ssl
BLOB = {"mediaType": "x", "size": 1, "digest": "sha256:" + 64 * "a"}
MANIFEST = json.dumps({"schemaVersion": 2, "config": BLOB, "layers": [],
    "mediaType": "application/vnd.oci.image.manifest.v1+json"}).encode()
class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        manifest = "/manifests/" in self.path
        body = MANIFEST if manifest else b"{}"
        print(self.command, self.path, 200, flush=True)
        self.send_response(200)
        if manifest:
            self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
    do_HEAD = do_GET
    def log_message(self, *arguments):
        pass
class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass
server = Server(("127.0.0.1", 15443), Registry)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("certificate.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
END
python3 registry.py >>requests &
pid=$!
for _ in {1..100}; do
    (: >/dev/tcp/127.0.0.1/15443) 2>/dev/null && break
    sleep 0.1
done

configuration=home/.config/containers/registries.conf
mkdir -p home/.config/containers

# pull MIRROR...
pull() {
    : >requests
    printf '[[registry]]\nlocation = "127.0.0.1:15440"\n' >"$configuration"
    printf '[[registry.mirror]]\nlocation = "%s"\n' "$@" >>"$configuration"
    env -u SSL_CERT_DIR SSL_CERT_FILE="$work/certificate.pem" HOME="$work/home" PATH="$work/bin:$PATH" \
        "${apptainer[@]}" pull --disable-cache image.sif docker://127.0.0.1:15440/o/i:1 >output 2>&1 || :
    echo "== mirrors: $*"
    tail -n 1 output
    cat requests
}
there=127.0.0.1:15443 gone=127.0.0.1:15441
pull "$gone" "$there"
# This mirror was queried for the digest, but not for the image afterwards.
[[ $(tail -n 1 requests) == 'GET /v2/o/i/manifests/1 '* && $(grep -c manifests requests) == 1 ]]
grep -q "conveyor failed to get.*$gone.*connection refused" output
pull "$there" "$gone"
(($(grep -c 'GET /v2/o/i/manifests/1' requests) == 2))
