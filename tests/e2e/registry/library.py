#!/usr/bin/python3
"""A stand-in for a library server, for the tests: library.py PORT.

It is not a real server. It answers only what a runtime asks for a pull, as the clients of the
runtimes (container-library-client of Apptainer, scs-library-client of Sylabs) send it:

    GET /assets/config/config.prod.json   the addresses of the services, for `remote add`
    GET /version                          the version of the interface
    GET /v1/images/PATH:TAG?arch=ARCH     the hash and the size of an image
    GET /v1/imagefile/PATH:TAG?arch=ARCH  the image; or, if the tag ends with -parts, the address
                                          from which the client fetches it in parts
    GET /files/...                        a part of an image
    anything else                         404: no other registry behind it, and no key

The images are the files /srv/library/PATH/TAG.ARCH. A hash in place of the tag, such as
sha256.0f..., selects the image with this content. Each request is a line of /var/log/library.log.
"""
import hashlib
import http.server
import json
import pathlib
import ssl
import sys
import urllib.parse

PORT = int(sys.argv[1])
ADDRESS = f"https://registry.example.org:{PORT}"
IMAGES = pathlib.Path("/srv/library")


def content_hash(file):
    return "sha256." + hashlib.sha256(file.read_bytes()).hexdigest()


def find(name, architecture):
    """The file of an image PATH:TAG, or None."""
    path, _, tag = name.rpartition(":")
    directory = IMAGES / path
    if tag.startswith("sha256."):
        files = directory.glob(f"*.{architecture}")
        return next((file for file in files if content_hash(file) == tag), None)
    file = directory / f"{tag}.{architecture}"
    return file if file.is_file() else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        architecture = query.get("arch", [""])[0]
        if url.path == "/assets/config/config.prod.json":
            services = {name: {"uri": ADDRESS} for name in ("libraryAPI", "keystoreAPI")}
            return self.send_json(services)
        if url.path == "/version":
            return self.send_json({"data": {"version": "1", "apiVersion": "2.0.0-alpha.2"}})
        if url.path.startswith("/files/"):
            return self.send_part(IMAGES / url.path.removeprefix("/files/"))
        for kind, send in ("/v1/images/", self.send_metadata), ("/v1/imagefile/", self.send_image):
            if url.path.startswith(kind):
                file = find(url.path.removeprefix(kind), architecture)
                if file is not None:
                    return send(file, architecture)
        return self.send(404, b'{"error": {"code": 404, "message": "not found"}}')

    def send_metadata(self, file, architecture):
        image = {
            "id": "1",
            "hash": content_hash(file),
            "size": file.stat().st_size,
            "uploaded": True,
            "arch": architecture,
        }
        self.send_json({"data": image})

    def send_image(self, file, _architecture):
        if not file.stem.endswith("-parts"):
            return self.send(200, file.read_bytes())
        self.send(303, b"", {"Location": f"{ADDRESS}/files/{file.relative_to(IMAGES)}"})

    def send_part(self, file):
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        self.send(206, file.read_bytes()[int(first) : int(last) + 1])

    def send_json(self, value):
        self.send(200, json.dumps(value).encode())

    def send(self, status, body, headers={}):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *values):
        with open("/var/log/library.log", "a") as log:
            log.write(f"{self.command} {self.path}\n")


server = http.server.ThreadingHTTPServer(("", PORT), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/etc/hub/hub.pem", "/etc/hub/hub.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
