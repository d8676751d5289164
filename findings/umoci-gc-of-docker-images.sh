#!/bin/bash
# umoci 0.6.0 (Debian sid): `umoci gc` removes the layers and the configuration of each image in an OCI layout whose
# manifest has Docker's media type, although the image is listed in index.json.
#
# Expected: umoci-gc(1): "only retaining blobs which can be reached by a descriptor path from the root set of tags". The
#           manifest of the image has a tag, and descriptors of its layers and its configuration.
# Actual:   umoci reads only manifests and indexes with OCI media types. A manifest or manifest list with Docker's type
#           counts as a file without references: it stays, and its layers and configuration are removed. No message, exit
#           status 0. A layer that an OCI image of the layout also has stays.
# Affected: layouts that other programs share with umoci. `crane pull --format=oci` and `oras copy --to-oci-layout` keep
#           Docker's media types, which many images in registries have. In a layout on a cluster without a connection to
#           the registry, these images are lost.
#
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if umoci behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf -- "$work"' EXIT
cd "$work"
# umoci, crane and its registry come from Debian sid, with the C library that they need.
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download umoci=0.6.0+ds-1+b1 crane=0.20.7+ds1-5 libc6/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
loader=("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries")
umoci() { "${loader[@]}" root/usr/bin/umoci "$@"; }
crane() { "${loader[@]}" root/usr/bin/crane "$@" 2>>messages; }
umoci --version | sed -n 1p
# The registry stops by itself if the script is killed.
timeout 120 "${loader[@]}" root/usr/bin/crane registry serve --address 127.0.0.1:15451 >registry.log 2>&1 &
pid=$!
for _ in {1..100}; do
    (: >/dev/tcp/127.0.0.1/15451) 2>/dev/null && break
    sleep 0.1
done

# Two images with one layer each: one has Docker's media types, as crane creates them by default, the other one OCI's.
registry=127.0.0.1:15451
for type in docker oci; do
    echo "$type" >file
    tar -cf "$type.tar" file
done
crane append --new_layer docker.tar --new_tag "$registry/docker:1" >/dev/null
crane append --oci-empty-base --new_layer oci.tar --new_tag "$registry/oci:1" >/dev/null
for type in docker oci; do crane pull --format=oci --annotate-ref "$registry/$type:1" layout; done

# blobs: prints, for each image in the layout, its media type and which of its blobs exist.
blobs() {
    python3 - <<'END_OF_LISTING'
import json, os
def path(descriptor):
    return "layout/blobs/" + descriptor["digest"].replace(":", "/")
for image in json.load(open("layout/index.json"))["manifests"]:
    manifest = json.load(open(path(image)))
    parts = {"config": manifest["config"], "layer": manifest["layers"][0]}
    print("   ", image["mediaType"], *(f"{name}: {os.path.exists(path(part))}" for name, part in parts.items()))
END_OF_LISTING
}
printf 'tags:\n'
umoci ls --layout layout | sed 's/^/    /'
printf 'before umoci gc:\n'
blobs | tee before
crane push --index layout "$registry/before:1" >/dev/null && echo 'crane push: exit status 0'
umoci gc --layout layout
printf 'after umoci gc:\n'
blobs | tee after
: >messages
status=0
crane push --index layout "$registry/after:1" >/dev/null || status=$?
printf 'crane push: exit status %d\n' "$status"
sed -n 's/.*: open/    open/p' messages
[[ $(<before) == '    application/vnd.docker.distribution.manifest.v2+json config: True layer: True
    application/vnd.oci.image.manifest.v1+json config: True layer: True' ]] &&
    [[ $(<after) == '    application/vnd.docker.distribution.manifest.v2+json config: False layer: False
    application/vnd.oci.image.manifest.v1+json config: True layer: True' ]] && ((status != 0))
