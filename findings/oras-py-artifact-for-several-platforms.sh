#!/bin/bash
# oras 0.2.43 (PyPI): `OrasClient.pull` pulls nothing if the reference leads to an index, and reports no error.
#
# Expected: the files for this machine, or those of all platforms, as with the command `oras pull` of the same project;
#           or an exception.
# Actual:   `pull` returns an empty list and creates no file. The index has no layers, and nothing else is read from it.
# Affected: artifacts and images for several platforms, such as a tag for a SIF file for amd64 and one for arm64, as
#           `oras manifest index create` makes it. A tag that becomes an index delivers no files from then on.
#
# The registry is an HTTP server in the same program, which has the manifests, the index and two blobs. docker-registry
# 2.8.3 leads to the same result.
# Requires Python 3.8 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if oras behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check oras==0.2.43
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^oras '

cat >pull.py <<'END_OF_PROGRAM'
import hashlib, http.server, json, os, threading
import oras.client

TYPE = "application/vnd.oci.image"
blobs, manifests = {}, {}

def blob(content, **fields):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    blobs[digest] = content
    return {"digest": digest, "size": len(content), **fields}

def manifest(tag, media_type, **fields):
    content = json.dumps({"schemaVersion": 2, "mediaType": media_type, **fields}).encode()
    descriptor = blob(content, mediaType=media_type)
    manifests[tag] = manifests[descriptor["digest"]] = (media_type, content)
    return descriptor

class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind, reference = self.path.split("/")[-2:]
        media_type, content = (
            manifests[reference] if kind == "manifests" else ("application/octet-stream", blobs[reference]))
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def log_message(self, *arguments):
        pass

platforms = []
for architecture in "amd64", "arm64":
    layer = blob(architecture.encode(), mediaType="application/vnd.sylabs.sif.layer.v1.sif",
                 annotations={"org.opencontainers.image.title": f"tool-{architecture}.sif"})
    descriptor = manifest(architecture, f"{TYPE}.manifest.v1+json", layers=[layer],
                          config=blob(b"{}", mediaType="application/vnd.oci.empty.v1+json"))
    platforms.append({**descriptor, "platform": {"os": "linux", "architecture": architecture}})
manifest("all", f"{TYPE}.index.v1+json", manifests=platforms)

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
threading.Thread(target=server.serve_forever, daemon=True).start()
registry = f"127.0.0.1:{server.server_port}"
client = oras.client.OrasClient(hostname=registry, insecure=True)
for tag in "amd64", "arm64", "all":
    files = client.pull(target=f"{registry}/tool:{tag}", outdir=tag)
    print(f"{tag}: {[os.path.basename(file) for file in files]} {os.path.exists(tag) and os.listdir(tag)}")
END_OF_PROGRAM
python/bin/python pull.py | tee output
[[ $(<output) == "amd64: ['tool-amd64.sif'] ['tool-amd64.sif']
arm64: ['tool-arm64.sif'] ['tool-arm64.sif']
all: [] False" ]]
