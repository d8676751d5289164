#!/usr/bin/python3
"""A registry of OCI layouts: layouts.py PORT DIRECTORY.

It serves with the hub's certificate. Repository NAME is the layout DIRECTORY/NAME, and each of its
tags names the first manifest or index of its index.json. The server checks nothing: blobs may have
other sizes and digests than their descriptors say. A blob is sent with the length of its file.
"""
import json
import os
import re
import shutil
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, directory = int(sys.argv[1]), sys.argv[2]
PATH = re.compile(r"/v2/(.+)/(manifests|blobs)/([^/]+)$")


class Layouts(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def answer(self):
        if self.path == "/v2/":
            return self.send(None, "application/json", "")
        found = PATH.match(self.path)
        try:
            self.find(*found.groups())
        except (AttributeError, OSError, IndexError):
            self.send_error(404)

    do_GET = do_HEAD = answer

    def find(self, name, what, reference):
        layout = os.path.join(directory, name)
        if ":" not in reference:
            with open(layout + "/index.json") as index:
                reference = json.load(index)["manifests"][0]["digest"]
        path = f"{layout}/blobs/sha256/" + reference.removeprefix("sha256:")
        kind = "application/octet-stream"
        if what == "manifests":
            with open(path) as manifest:
                kind = json.load(manifest)["mediaType"]
        with open(path, "rb") as blob:
            self.send(blob, kind, reference)

    def send(self, blob, kind, digest):
        size = os.fstat(blob.fileno()).st_size if blob else 0
        start = 0
        wanted = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        if wanted and blob:
            start = int(wanted[1])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.send_header("Content-Type", kind)
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if blob and self.command == "GET":
            blob.seek(start)
            shutil.copyfileobj(blob, self.wfile, 1 << 18)
        self.wfile.flush()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("", port), Layouts)
server.daemon_threads = True
# Clients close connections in the middle of a blob.
server.handle_error = lambda *_: None
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/etc/hub/hub.pem", "/etc/hub/hub.key")
# The handshake takes place in the thread of the connection.
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
