#!/usr/bin/python3
"""A proxy that imitates a misbehaving registry: proxy.py FAULT.

It listens on port 443 with the hub's certificate and forwards every request to the real
docker-registry at 127.0.0.1:5001, except for the fault. Every request is logged as a line in
/var/log/proxy.log. The fault:

    none             forwards everything
    manifests=500    answers every request for a manifest with 500
    blobs=500        answers every request for a blob with 500
    cut=BYTES        closes the connection after BYTES bytes of a blob
    gone=BYTES       the same, and refuses every further connection
    stall=BYTES      sends BYTES bytes of a blob, and nothing more
    corrupt          flips a bit in every blob
    slow=BYTES       sends a blob at BYTES bytes per second
    hang             accepts connections and never answers
    busy=N           answers the first N requests with 429
    undigested       omits the digest in every response to HEAD
"""
import http.client
import os
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

fault, _, value = sys.argv[1].partition("=")
number = int(value or 0)
lock = threading.Lock()
busy = number
log = open("/var/log/proxy.log", "a", buffering=1)


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        global busy
        with lock:
            log.write(f"{self.command} {self.path}\n")
            refused = fault == "busy" and busy > 0
            busy -= refused
        if refused:
            return self.fail(429)
        if fault == "hang":
            return time.sleep(300)
        if fault == "manifests" and "/manifests/" in self.path:
            return self.fail(500)
        if fault == "blobs" and "/blobs/" in self.path:
            return self.fail(500)
        self.hand_on()

    do_GET = do_HEAD = answer

    def fail(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def hand_on(self):
        upstream = http.client.HTTPConnection("127.0.0.1", 5001)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        # One by one, because Accept can occur several times.
        for key, text in self.headers.items():
            if key != "Connection":
                upstream.putheader(key, text)
        upstream.endheaders()
        response = upstream.getresponse()
        self.send_response(response.status)
        for key, text in response.getheaders():
            if key not in self.withheld():
                self.send_header(key, text)
        self.end_headers()
        if self.command == "HEAD":
            return
        is_blob = "/blobs/" in self.path and response.status == 200
        sent = 0
        while part := response.read(16384):
            if is_blob:
                part = self.spoil(part, sent)
            self.wfile.write(part)
            sent += len(part)

    def withheld(self):
        if fault == "undigested" and self.command == "HEAD":
            return ("Connection", "Transfer-Encoding", "Docker-Content-Digest", "Etag")
        return ("Connection", "Transfer-Encoding")

    def spoil(self, part, sent):
        if fault == "corrupt" and sent == 0:
            return bytes([part[0] ^ 1]) + part[1:]
        if fault == "slow":
            time.sleep(len(part) / number)
        if fault in ("cut", "gone", "stall") and sent + len(part) > number:
            self.wfile.write(part[: max(0, number - sent)])
            self.wfile.flush()
            if fault == "stall":
                time.sleep(300)
            if fault == "gone":
                os._exit(0)
            self.connection.close()
            raise ConnectionAbortedError
        return part

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


server = Server(("", 443), Proxy)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/etc/hub/hub.pem", "/etc/hub/hub.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
