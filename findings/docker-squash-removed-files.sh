#!/bin/bash
# docker-squash 1.2.2 (PyPI) with Docker 28.5.2: a squashed image lacks files and links that the image has, if upper layers
# remove other files.
#
# Expected: the squashed image has the files of the image: `docker export` shows the same for both.
# Actual:   - hard link: if an upper layer removes one name of a file, the other names are missing, too.
#           - link: if an upper layer removes /build, a link such as /opt/tool/current -> build is missing. Its target
#             /opt/tool/build still exists: docker-squash compares the target of each link with the removed paths as if it
#             were relative to the root directory.
#           No message, exit status 0.
# Affected: images that clean up after an installation (`RUN rm -r /build /src`) and have links with such names, and images
#           with hard-linked programs, as those of Git, Perl and conda, of which a later step removes one name.
#
# Requires Debian 12 or later on amd64, root, mmdebstrap, Python with venv, and PyPI; takes a minute.
# Exit status: 0 if docker-squash behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
root=$work/root
trap '[ ! -e "$root/srv/docker.pid" ] || kill "$(<"$root/srv/docker.pid")"; wait; rm -rf --one-file-system -- "$work"' EXIT
python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet --disable-pip-version-check docker-squash==1.2.2
mmdebstrap --quiet --variant=minbase --include=docker.io,docker-cli,skopeo,umoci \
    --aptopt='Acquire::Check-Valid-Until "false"' sid "$root"
touch "$root/etc/hosts" "$root/etc/resolv.conf"
# run COMMAND...: runs COMMAND in the root file system, with mounts that are removed when it ends.
run() {
    # shellcheck disable=SC2016
    unshare --mount --propagation private --net sh -c '
        mount --bind "$0" "$0" && mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
            mount -t sysfs sysfs "$0/sys" && mount -t cgroup2 cgroup "$0/sys/fs/cgroup" &&
            mount -t tmpfs tmpfs "$0/run" && exec chroot "$0" "$@"' \
        "$root" "$@"
}
docker() { run docker --host unix:///srv/docker.sock "$@"; }

# The lower layer has a program with two names, and a link to one of two directories with the same name.
files=$root/srv/files
mkdir -p "$files"/lower/{bin,build,opt/tool/build} "$files"/upper/bin
echo program >"$files/lower/bin/tool"
ln "$files/lower/bin/tool" "$files/lower/bin/tool-1.2"
touch "$files"/lower/{build/temporary,opt/tool/build/run}
ln -s build "$files/lower/opt/tool/current"
# The upper layer removes one of the names, and the other directory.
touch "$files"/upper/{.wh.build,bin/.wh.tool}
tar -C "$files/lower" --sort=name --owner=0 --group=0 -cf "$files/lower.tar" bin build opt
tar -C "$files/upper" --sort=name --owner=0 --group=0 -cf "$files/upper.tar" bin .wh.build
run sh -euc '
    cd /srv/files
    umoci init --layout layout
    umoci new --image layout:1
    umoci raw add-layer --image layout:1 lower.tar
    umoci raw add-layer --image layout:1 upper.tar
    umoci config --image layout:1 --config.cmd /bin/tool-1.2
    skopeo copy --quiet --insecure-policy oci:layout:1 docker-archive:/srv/image.tar:tool:1'
# The daemon stops by itself if the script is killed.
run timeout 120 dockerd --data-root /srv/data --exec-root /srv/exec --pidfile /srv/docker.pid \
    --host unix:///srv/docker.sock --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs \
    >"$work/dockerd.log" 2>&1 &
for _ in {1..100}; do
    docker version >/dev/null 2>&1 && break
    sleep 0.2
done
docker version --format 'Docker {{.Server.Version}}' 2>/dev/null
docker load --quiet --input /srv/image.tar >"$work/log"
DOCKER_HOST=unix://$root/srv/docker.sock "$work/python/bin/docker-squash" --tag tool:squashed tool:1 \
    >"$work/squash.log" 2>&1
grep -o 'docker-squash version [0-9.]*' "$work/squash.log"

# files IMAGE: prints the files and links of an image.
files() {
    local container
    container=$(docker create "$1" 2>/dev/null)
    docker export "$container" >"$work/files.tar"
    tar -tf "$work/files.tar" | grep -E '^(bin|build|opt)/.*[^/]$' | LC_ALL=C sort | xargs
}
{
    printf 'image:    %s\n' "$(files tool:1)"
    printf 'squashed: %s\n' "$(files tool:squashed)"
} | tee "$work/output"
[[ $(<"$work/output") == 'image:    bin/tool-1.2 opt/tool/build/run opt/tool/current
squashed: opt/tool/build/run' ]]
