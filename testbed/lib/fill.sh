# shellcheck shell=bash
# fill.sh ROOTFS STORAGE LAYOUTS: pushes the layouts to a registry that stores its data in STORAGE.
# Runs in its own mount, process and network namespaces, which end with it.

rootfs=$1 storage=$2 layouts=$3

ip link set lo up
mount -t tmpfs tmpfs "$rootfs/tmp"
mkdir "$rootfs/tmp/storage" "$rootfs/tmp/layouts"
mount --bind "$storage" "$rootfs/tmp/storage"
mount --bind "$layouts" "$rootfs/tmp/layouts"
mount -t proc proc "$rootfs/proc"
cat >"$rootfs/tmp/registry.yml" <<'END'
version: 0.1
storage:
  filesystem:
    rootdirectory: /tmp/storage
http:
  addr: 127.0.0.1:5000
END

chroot "$rootfs" docker-registry serve /tmp/registry.yml &
for ((tries = 0; tries < 500; tries++)); do
    # The shell itself opens the connection; this fails until the registry listens.
    if (: >/dev/tcp/127.0.0.1/5000) 2>/dev/null; then break; fi
    sleep 0.02
done
for name_file in "$layouts"/*.name; do
    name=$(<"$name_file")
    layout=${name_file##*/}
    chroot "$rootfs" skopeo copy --quiet --insecure-policy --dest-tls-verify=false \
        "oci:/tmp/layouts/${layout%.name}" "docker://127.0.0.1:5000/$name"
done
