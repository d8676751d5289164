"""Writes OCI layouts with gzip layers, without holding a layer in memory."""
import hashlib
import io
import json
import os
import tarfile
import zlib

CREATED = "2026-01-02T03:04:05Z"
TIME = 1_700_000_000


class Blob(io.RawIOBase):
    """A gzip stream into a file: hashes what is written, and what is stored."""

    def __init__(self, path):
        super().__init__()
        self.file = open(path, "wb")
        self.compressor = zlib.compressobj(6, zlib.DEFLATED, 31)
        self.content, self.stored = hashlib.sha256(), hashlib.sha256()
        self.size = 0

    def writable(self):
        return True

    def write(self, data):
        self.content.update(data)
        self.store(self.compressor.compress(data))
        return len(data)

    def store(self, data):
        self.stored.update(data)
        self.size += len(data)
        self.file.write(data)

    def finish(self):
        self.store(self.compressor.flush())
        self.file.close()


class Layer:
    def __init__(self, directory):
        self.directory = directory
        self.path = f"{directory}/blobs/sha256/new"
        self.blob = Blob(self.path)
        self.tar = tarfile.open(fileobj=self.blob, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20)

    def add(self, name, kind=tarfile.REGTYPE, mode=0o644, data=b"", **fields):
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.mtime, entry.size = kind, mode, TIME, len(data)
        for field, value in fields.items():
            setattr(entry, field, value)
        self.tar.addfile(entry, io.BytesIO(data))

    def directory_entry(self, name, mode=0o755, **fields):
        self.add(name, tarfile.DIRTYPE, mode, **fields)

    def symlink(self, name, target, **fields):
        self.add(name, tarfile.SYMTYPE, 0o777, linkname=target, **fields)

    def hard_link(self, name, target, **fields):
        self.add(name, tarfile.LNKTYPE, linkname=target, **fields)

    def whiteout(self, path):
        parent, _, name = path.rpartition("/")
        self.add(f"{parent}/.wh.{name}")

    def opaque(self, directory):
        self.add(f"{directory}/.wh..wh..opq")

    def tree(self, source, target, mode=None, owner=0):
        """The files of a directory of this machine, with their hard links."""
        linked = {}
        for top, directories, files in os.walk(source):
            directories.sort()
            below = os.path.relpath(top, source)
            base = target if below == "." else f"{target}/{below}"
            self.directory_entry(base, uid=owner, gid=owner)
            for name in sorted(files + [d for d in directories if os.path.islink(f"{top}/{d}")]):
                self.one(f"{top}/{name}", f"{base}/{name}", linked, mode, owner)

    def one(self, source, target, linked, mode, owner):
        status = os.lstat(source)
        if os.path.islink(source):
            self.symlink(target, os.readlink(source), uid=owner, gid=owner)
        elif status.st_ino in linked:
            self.hard_link(target, linked[status.st_ino], uid=owner, gid=owner)
        else:
            if status.st_nlink > 1:
                linked[status.st_ino] = target
            with open(source, "rb") as file:
                self.add(target, mode=mode or status.st_mode & 0o7777, data=file.read(), uid=owner, gid=owner)

    def finish(self):
        """Returns the descriptor and the diff ID."""
        self.tar.close()
        self.blob.finish()
        digest = self.blob.stored.hexdigest()
        os.rename(self.path, f"{self.directory}/blobs/sha256/{digest}")
        descriptor = {
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": f"sha256:{digest}",
            "size": self.blob.size,
        }
        return descriptor, f"sha256:{self.blob.content.hexdigest()}"


class Image:
    """A layout under construction, which gets its name when it is complete."""

    def __init__(self, directory):
        self.directory, self.new = directory, directory + ".new"
        os.makedirs(self.new + "/blobs/sha256")
        self.layers, self.diff_ids = [], []

    def layer(self, fill):
        layer = Layer(self.new)
        fill(layer)
        descriptor, diff_id = layer.finish()
        self.layers.append(descriptor)
        self.diff_ids.append(diff_id)

    def blob(self, media_type, value):
        data = json.dumps(value).encode()
        digest = hashlib.sha256(data).hexdigest()
        with open(f"{self.new}/blobs/sha256/{digest}", "wb") as file:
            file.write(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def finish(self, config):
        oci = "application/vnd.oci.image."
        config = self.blob(oci + "config.v1+json", {
            "architecture": "amd64", "os": "linux", "created": CREATED, "config": config,
            "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
        })
        manifest = self.blob(oci + "manifest.v1+json", {
            "schemaVersion": 2, "mediaType": oci + "manifest.v1+json", "config": config, "layers": self.layers,
        })
        manifest["platform"] = {"architecture": "amd64", "os": "linux"}
        with open(self.new + "/index.json", "w") as file:
            json.dump({"schemaVersion": 2, "mediaType": oci + "index.v1+json", "manifests": [manifest]}, file)
        with open(self.new + "/oci-layout", "w") as file:
            file.write('{"imageLayoutVersion":"1.0.0"}')
        os.rename(self.new, self.directory)
