#!/bin/bash
# podman 5.8.6 (Debian sid): `podman import --change` stores quotes as part of values, and several variables or labels as
# one.
#
# Expected: podman-import(1): "Apply the following possible instructions": CMD, ENV, LABEL and others, as in a Dockerfile.
#           `podman build` and `podman commit --change` read the same instructions so, and `docker import --change`
#           (28.5.2, seen) does, too.
# Actual:   `ENV A="one two" B=2` becomes one variable A with the value `"one two" B=2`, and `ENV A one` a variable with
#           the name `A one`. LABEL does the same. A relative WORKDIR stays relative. No message, exit status 0. CMD and
#           ENTRYPOINT are read as in a Dockerfile.
# Affected: images that are made from an archive of files, with the variables that `podman export` or `docker export` drop:
#           programs then get a path or an option with quotes, or do not get the second variable. Issue 1289 of
#           containers/common is about spaces in such values.
#
# Requires Debian 12 or later on amd64, root, and mmdebstrap; takes a minute.
# Exit status: 0 if podman behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT
root=$work/root
mmdebstrap --quiet --variant=minbase --include=podman,crun,netavark \
    --aptopt='Acquire::Check-Valid-Until "false"' sid "$root"
touch "$root/etc/hosts" "$root/etc/resolv.conf"
# run COMMAND...: runs COMMAND in the root file system, with mounts that are removed when it ends.
run() {
    # shellcheck disable=SC2016
    unshare --mount --propagation private sh -c '
        mount --bind "$0" "$0" && mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
            mount -t sysfs sysfs "$0/sys" && mount -t cgroup2 cgroup "$0/sys/fs/cgroup" && exec chroot "$0" "$@"' \
        "$root" env TMPDIR=/tmp STORAGE_DRIVER=vfs "$@"
}
run podman --version | tee "$work/version"
grep -q ' 5\.8\.6$' "$work/version"

cat >"$root/srv/changes.sh" <<'END_OF_CHANGES'
set -eu
cd /srv
mkdir files context
echo file >files/file
tar -C files -cf files.tar .
printf 'FROM scratch\nCOPY file /\n' >context/Dockerfile
cp files/file context
podman build --quiet --tag localhost/base context >/dev/null
container=$(podman create --network none localhost/base command)
# show IMAGE: prints what an instruction changes in the configuration of an image.
show() {
    podman image inspect --format '{{json .Config.Env}} {{json .Config.Labels}} {{json .Config.WorkingDir}}' "$1" |
        sed 's/,*"io.buildah.version":"[^"]*"//; s/"\(PATH\|container\)=[^"]*",*//g; s/^null/[]/; s/null/{}/; s|""$|"/"|'
}
while IFS= read -r instruction; do
    printf '== %s\n' "$instruction"
    podman import --quiet --change "$instruction" files.tar localhost/imported >/dev/null
    printf 'FROM localhost/base\n%s\n' "$instruction" >context/Dockerfile
    podman build --quiet --tag localhost/built context >/dev/null
    podman commit --quiet --change "$instruction" "$container" localhost/committed >/dev/null
    for name in imported built committed; do printf '%-10s %s\n' "$name:" "$(show "localhost/$name")"; done
done <<'END_OF_INSTRUCTIONS'
ENV A="one two" B=2
ENV A one
LABEL a="one two" b=2
WORKDIR data
END_OF_INSTRUCTIONS
END_OF_CHANGES
run sh /srv/changes.sh | tee "$work/output"
expected=$(
    cat <<'END_OF_OUTPUT'
== ENV A="one two" B=2
imported:  ["A=\"one two\" B=2"] {} "/"
built:     ["A=one two","B=2"] {} "/"
committed: ["A=one two","B=2"] {} "/"
== ENV A one
imported:  ["A one="] {} "/"
built:     ["A=one"] {} "/"
committed: ["A=one"] {} "/"
== LABEL a="one two" b=2
imported:  [] {"a":"\"one two\" b=2"} "/"
built:     [] {"a":"one two","b":"2"} "/"
committed: [] {"a":"one two","b":"2"} "/"
== WORKDIR data
imported:  [] {} "data"
built:     [] {} "/data"
committed: [] {} "/data"
END_OF_OUTPUT
)
diff <(printf '%s\n' "$expected") "$work/output"
