#!/usr/bin/python3
"""Makes an image for the benchmarks of fills: images.py NAME DIRECTORY BUSYBOX [PARTS]

    big    300 files of 1 MiB that do not compress
    many   28,000 small files in three copies of one tree, scattered over 400 directories each
    real   Debian and Python in 8 layers, from the directories and archives in PARTS
    huge   10 GB: five copies of the layers of `real`, whose layout is PARTS, with other contents

DIRECTORY becomes an OCI layout. All but `real` and `huge` are the same on each machine.
"""
import io
import json
import os
import random
import sys
import tarfile

from layout import Image

PACKAGES = "usr/local/lib/python3.11/dist-packages"
APPLETS = "sh cat ls id env echo stat find sha256sum head tail wc sort test true mkdir touch xargs".split()


def userland(layer, busybox):
    for name in "bin dev etc home opt proc root sys usr usr/bin var".split():
        layer.directory_entry(name)
    for name in "tmp", "var/tmp":
        layer.directory_entry(name, 0o1777)
    with open(busybox, "rb") as file:
        layer.add("bin/busybox", mode=0o755, data=file.read())
    for applet in APPLETS:
        layer.symlink(f"bin/{applet}", "busybox")
    layer.add("etc/passwd", data=b"root:x:0:0:root:/root:/bin/sh\n")
    layer.add("etc/group", data=b"root:x:0:\n")


def big(image, busybox, _):
    numbers = random.Random(1)

    def files(layer):
        layer.directory_entry("opt/data")
        for number in range(300):
            layer.add(f"opt/data/f{number}", data=numbers.randbytes(1 << 20))

    image.layer(lambda layer: userland(layer, busybox))
    image.layer(files)
    image.finish({"Env": ["PATH=/bin"], "Cmd": ["sh"]})


def small_files():
    numbers = random.Random(1)
    words = [bytes(numbers.choices(b"abcdefghijklmnopqrstuvwxyz_", k=numbers.randint(2, 9))) for _ in range(3000)]
    for number in range(9333):
        size = int(min(400_000, numbers.lognormvariate(9.0, 1.3)))
        text = b" ".join(numbers.choices(words, k=size // 6 + 1))[:size]
        yield f"d{number % 400}/m{number % 7}", f"f{number}.py", text


def copy_of_tree(layer, files, top):
    seen = set()
    layer.directory_entry(top)
    for directory, name, text in files:
        for path in directory.split("/")[0], directory:
            if path not in seen:
                seen.add(path)
                layer.directory_entry(f"{top}/{path}")
        layer.add(f"{top}/{directory}/{name}", data=text)


def many(image, busybox, _):
    files = list(small_files())
    image.layer(lambda layer: userland(layer, busybox))
    # One copy in each layer: the upper two hold what a `cp -r` in a build step adds.
    for number in range(3):
        image.layer(lambda layer: copy_of_tree(layer, files, f"opt/c{number}"))
    image.finish({"Env": ["PATH=/bin"], "Cmd": ["sh"]})


def debian(layer, archive, lower):
    """The entries of an archive that the lower one does not have. Returns all of them."""
    entries = {}
    with tarfile.open(archive) as source:
        for entry in source:
            name = entry.name.removeprefix("./")
            key = (entry.type, entry.mode, entry.size, entry.mtime, entry.linkname)
            entries[name] = key
            if name in ("", ".") or name.startswith("dev/") or lower.get(name) == key:
                continue
            entry.name = name
            if entry.islnk():
                entry.linkname = entry.linkname.removeprefix("./")
            layer.tar.addfile(entry, source.extractfile(entry) if entry.isreg() else None)
    return entries


def cleaned(layer, parts):
    """What a last build step changes: removed documentation, a replaced directory, a `chmod -R`."""
    layer.directory_entry("usr/share")
    for name in "doc", "man", "info":
        layer.whiteout(f"usr/share/{name}")
    layer.directory_entry("var/lib/apt/lists")
    layer.opaque("var/lib/apt/lists")
    layer.directory_entry(f"{PACKAGES}/scipy/linalg")
    layer.whiteout(f"{PACKAGES}/scipy/linalg/tests")
    layer.directory_entry(f"{PACKAGES}/django/conf/urls")
    layer.opaque(f"{PACKAGES}/django/conf/urls")
    layer.add(f"{PACKAGES}/django/conf/urls/__init__.py", data=b"# replaced\n")
    layer.tree(f"{parts}/science/numpy", f"{PACKAGES}/numpy", mode=0o664)


def application(layer, parts):
    layer.directory_entry("opt/app", uid=1000, gid=1000)
    layer.tree(f"{parts}/science/pandas/core", "opt/app/core", owner=1000)
    layer.add("opt/app/tool", mode=0o4755, data=b"#!/bin/sh\nid -u\n")
    layer.directory_entry("opt/app/team", 0o2775, uid=1000, gid=50)
    layer.hard_link("opt/app/tool2", "opt/app/tool")
    layer.add("opt/app/origin", pax_headers={"SCHILY.xattr.user.origin": "measured"})
    layer.add("opt/app/pipe", tarfile.FIFOTYPE, 0o640)
    layer.add("etc/motd", data=b"replaced\n")


def real(image, _, parts):
    lower = {}
    image.layer(lambda layer: lower.update(debian(layer, f"{parts}/base.tar", {})))
    image.layer(lambda layer: debian(layer, f"{parts}/python.tar", lower))
    for name in "science", "tools", "arrays":
        image.layer(lambda layer: layer.tree(f"{parts}/{name}", PACKAGES))
    image.layer(lambda layer: cleaned(layer, parts))
    image.layer(lambda layer: application(layer, parts))
    image.layer(lambda layer: layer.add("etc/image-name", data=b"real\n"))
    image.finish({
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "A=b c", "Q=it's"],
        "Entrypoint": ["/usr/bin/env"], "Cmd": ["python3", "-c", 'print("hi")'],
        "WorkingDir": "/opt/app", "Labels": {"org.example.what": "benchmark"},
    })


def shifted(layer, blob, number):
    """A layer again, in a directory of its own. Other bytes, so that no content occurs twice, with the
    same entropy."""
    table = bytes((byte + number) % 256 for byte in range(256))
    top = f"copy{number}/" if number else ""
    with tarfile.open(blob, "r|gz") as source:
        for entry in source:
            content = source.extractfile(entry).read().translate(table) if entry.isreg() else b""
            entry.name = top + entry.name
            if entry.islnk():
                entry.linkname = top + entry.linkname
            layer.tar.addfile(entry, io.BytesIO(content))


def huge(image, _, real):
    def document(descriptor):
        return read(f"{real}/blobs/{descriptor['digest'].replace(':', '/')}")

    def read(path):
        with open(path, "rb") as file:
            return json.load(file)

    manifest = document(read(f"{real}/index.json")["manifests"][0])
    for number in range(5):
        for descriptor in manifest["layers"]:
            blob = f"{real}/blobs/{descriptor['digest'].replace(':', '/')}"
            image.layer(lambda layer: shifted(layer, blob, number))
    image.finish(document(manifest["config"])["config"])


def main():
    name, directory, busybox, *parts = sys.argv[1:]
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    {"big": big, "many": many, "real": real, "huge": huge}[name](Image(directory), busybox, *(parts or [""]))


main()
