#!/bin/bash
# systemd 262.1 (Debian sid): a container of an image that `importctl pull-oci` pulled has all files that upper layers
# remove, and their whiteouts as ordinary files.
#
# Expected: image-spec, layer.md: a whiteout `.wh.NAME` removes NAME, and `.wh..wh..opq` hides all files of the directory in
#           lower layers. systemd.mstack(7) says that the layers are mounted with overlayfs, which has whiteouts of its own.
# Actual:   systemd-pull extracts each layer with tar and converts no whiteouts. Overlayfs does not know these names: the
#           container has `old` beside an empty file `.wh.old`, and the old files of replaced directories. No message, exit
#           status 0. umoci 0.6.0 unpacks the image as specified.
# Affected: most images that several build steps create. Settings, libraries and plugins that a step removes are loaded
#           again.
#
# `importctl` asks systemd-importd to start systemd-pull; the script starts systemd-pull itself, with a registry on
# loopback in a network namespace.
# Requires Debian 12 or later on amd64, root, and mmdebstrap; takes a minute.
# Exit status: 0 if systemd behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
root=$work/root
# systemd-pull makes the layers immutable.
trap 'chattr -R -f -i "$root/var/lib/machines" || :; rm -rf --one-file-system -- "$work"' EXIT
mmdebstrap --quiet --variant=minbase --include=systemd-container,libcurl4t64,libssl3t64,libarchive13t64 \
    --include=ca-certificates,openssl,docker-registry,skopeo,umoci,busybox-static \
    --aptopt='Acquire::Check-Valid-Until "false"' sid "$root"
echo '127.0.0.1 registry.test' >"$root/etc/hosts"
touch "$root/etc/resolv.conf"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
# run COMMAND...: runs COMMAND in the root file system, in namespaces of its own.
run() {
    # shellcheck disable=SC2016
    unshare --mount --propagation private --net sh -c '
        ip link set lo up && mount --bind "$0" "$0" && mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
            mount -t sysfs sysfs "$0/sys" && mount -t cgroup2 cgroup "$0/sys/fs/cgroup" &&
            mount -t tmpfs tmpfs "$0/run" && exec chroot "$0" "$@"' \
        "$root" "$@"
}
run importctl --version | sed -n 1p | tee "$work/version"
grep -q '^systemd 262 (262\.1-' "$work/version"

cat >"$root/srv/registry.yml" <<'END_OF_REGISTRY'
version: 0.1
storage: {filesystem: {rootdirectory: /srv/registry}}
http: {addr: "127.0.0.1:443", tls: {certificate: /srv/registry.crt, key: /srv/registry.key}}
END_OF_REGISTRY
cat >"$root/srv/images.sh" <<'END_OF_IMAGES'
set -eu
export SYSTEMD_LOG_TARGET=console
cd /srv
openssl req -x509 -newkey rsa:2048 -nodes -keyout registry.key -out registry.crt -days 2 -subj /CN=registry.test \
    -addext subjectAltName=DNS:registry.test 2>/dev/null
cat registry.crt >>/etc/ssl/certs/ca-certificates.crt
# The registry stops by itself if the script is killed.
timeout 60 docker-registry serve registry.yml >registry.log 2>&1 &
registry=$!
# The upper layer removes a file and a directory, and replaces another directory.
mkdir -p lower/bin lower/usr lower/etc/conf.d lower/opt/tool-1 lower/opt/data upper/etc/conf.d upper/opt/data
cp /bin/busybox lower/bin
ln -s busybox lower/bin/find
echo ID=tool >lower/etc/os-release
touch lower/etc/conf.d/old lower/etc/conf.d/kept lower/opt/tool-1/run lower/opt/data/1
touch upper/etc/conf.d/.wh.old upper/etc/conf.d/new upper/opt/.wh.tool-1 upper/opt/data/.wh..wh..opq upper/opt/data/2
tar -C lower --owner=0 --group=0 -cf lower.tar bin usr etc opt
tar -C upper --owner=0 --group=0 -cf upper.tar etc opt
umoci init --layout layout
umoci new --image layout:1
umoci raw add-layer --image layout:1 lower.tar
umoci raw add-layer --image layout:1 upper.tar
umoci config --image layout:1 --config.env PATH=/bin --config.cmd find --config.cmd /etc/conf.d --config.cmd /opt \
    --config.cmd -type --config.cmd f
umoci unpack --image layout:1 unpacked >umoci.log 2>&1
printf 'umoci: %s\n' "$(cd unpacked/rootfs && find etc/conf.d opt -type f | LC_ALL=C sort | xargs)"
skopeo copy --quiet --insecure-policy --dest-tls-verify=false oci:layout:1 docker://registry.test/tool:1
/usr/lib/systemd/systemd-pull --class=machine oci registry.test/tool:1 tool 2>pull.log
status=0
systemd-nspawn --quiet --pipe --register=no --keep-unit --machine=tool >output 2>messages </dev/null || status=$?
printf 'container: %s\nexit status: %s\n' "$(sed 's|^/||' output | LC_ALL=C sort | xargs)" "$status"
kill "$registry"
END_OF_IMAGES
run sh /srv/images.sh | tee "$work/output"
[[ $(<"$work/output") == 'umoci: etc/conf.d/kept etc/conf.d/new opt/data/2
container: etc/conf.d/.wh.old etc/conf.d/kept etc/conf.d/new etc/conf.d/old'\
' opt/.wh.tool-1 opt/data/.wh..wh..opq opt/data/1 opt/data/2 opt/tool-1/run
exit status: 0' ]]
