#!/bin/bash
# Apptainer 1.4.5: `apptainer pull docker://…` trusts a certificate in a certs.d directory when it queries the
# image's digest, but not when it fetches the image.
#
# Expected: certs.d/HOST:PORT/ca.crt is sufficient to pull from HOST:PORT, as for podman, skopeo and Apptainer 1.3; or it
#           has no effect at all.
# Actual:   the registry answers `HEAD …/manifests/1` with 200; the next connection ends with "certificate signed by
#           unknown authority". With the same certificate in SSL_CERT_FILE, the manifest is fetched.
# Affected: sites with their own registry whose certificate is only in /etc/containers/certs.d or /etc/docker/certs.d.
#           Since Apptainer 1.4, containers/image queries the digest and go-containerregistry fetches the image.
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
import http.server, ssl
class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        manifest = "/manifests/" in self.path
        # These answers are sufficient to query the digest; there is no image.
        print(self.command, self.path, 200 if self.command == "HEAD" or not manifest else 404, flush=True)
        self.send_response(200 if self.command == "HEAD" or not manifest else 404)
        self.send_header("Docker-Content-Digest", "sha256:" + 64 * "a")
        self.send_header("Content-Length", "0")
        self.end_headers()
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

pull() {
    : >requests
    env -u SSL_CERT_DIR -u SSL_CERT_FILE HOME="$work/home" PATH="$work/bin:$PATH" \
        "$@" "${apptainer[@]}" pull --disable-cache image.sif \
        docker://127.0.0.1:15443/o/i:1 >output 2>&1 || :
    echo "== ${*:-certs.d}"
    tail -n 1 output
    cat requests
}
certificates=home/.config/containers/certs.d/127.0.0.1:15443
mkdir -p "$certificates"
cp certificate.pem "$certificates/ca.crt"
pull
grep -q 'HEAD /v2/o/i/manifests/1 200' requests
if grep -q 'GET /v2/o/i/manifests' requests; then exit 1; fi
grep -q 'conveyor failed to get.*certificate signed by unknown authority' output
rm -r "$certificates"
pull "SSL_CERT_FILE=$work/certificate.pem"
grep -q 'GET /v2/o/i/manifests/1' requests
