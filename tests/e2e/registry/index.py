#!/usr/bin/python3
"""Pushes an index to the hub: index.py REPOSITORY TAG ARCHITECTURE...

Each architecture's manifest is already on the hub, tagged with the architecture's name. The
script does not check which architecture the content was made for.
"""
import json
import ssl
import sys
import urllib.request

repository, tag, *architectures = sys.argv[1:]
base = f"https://registry-1.docker.io/v2/{repository}/manifests/"
manifest = "application/vnd.oci.image.manifest.v1+json"
index = "application/vnd.oci.image.index.v1+json"
# The testbed's CA certificate has no key usage extension.
context = ssl.create_default_context()
context.verify_flags &= ~ssl.VERIFY_X509_STRICT
entries = []
for architecture in architectures:
    request = urllib.request.Request(base + architecture, headers={"Accept": manifest})
    with urllib.request.urlopen(request, context=context) as answer:
        size, digest = len(answer.read()), answer.headers["Docker-Content-Digest"]
    platform = {"os": "linux", "architecture": architecture}
    entries.append({"mediaType": manifest, "digest": digest, "size": size, "platform": platform})
text = json.dumps({"schemaVersion": 2, "mediaType": index, "manifests": entries}).encode()
request = urllib.request.Request(base + tag, text, {"Content-Type": index}, method="PUT")
with urllib.request.urlopen(request, context=context) as answer:
    print(answer.headers["Docker-Content-Digest"], *(entry["digest"] for entry in entries))
