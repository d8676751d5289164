#!/bin/bash
# lxc-templates 3.0.4.97 with LXC (Debian sid): the template `oci` of lxc-create writes the command of an image so that LXC
# splits arguments with double quotes.
#
# Expected: `lxc-execute` starts the command of the image's configuration, as docker and podman do.
# Actual:   the template writes the arguments to lxc.execute.cmd as JSON, in which a double quote is `\"`. LXC does not know
#           this escape: it ends the argument after the backslash and splits the rest. Of `sh -c 'echo "one  two"'`, the
#           shell gets only `echo \` as its script. No message, exit status 0 of both programs. An argument without double
#           quotes is correct.
# Affected: images whose CMD or ENTRYPOINT is in shell form and has quotes, such as `CMD exec "$TOOL_HOME/run" --port 80`, or
#           has an argument in JSON. Incus had the same problem, and fixed it in its pull request 3704.
#
# Requires Debian 12 or later on amd64, root, and mmdebstrap; takes a minute.
# Exit status: 0 if the template and LXC behave as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT
root=$work/root
mmdebstrap --quiet --variant=minbase --include=lxc,lxc-templates,jq,skopeo,umoci,busybox-static \
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
# shellcheck disable=SC2016
run dpkg-query --show --showformat='${Package} ${Version}\n' lxc lxc-templates | tee "$work/versions"
grep -q '^lxc-templates 3\.0\.4\.97\.' "$work/versions"

cat >"$root/srv/images.sh" <<'END_OF_IMAGES'
set -eu
cd /srv
mkdir -p files/bin files/etc files/dev files/proc files/sys files/opt
cp /bin/busybox files/bin
for name in sh printf; do ln -s busybox "files/bin/$name"; done
tar -C files --owner=0 --group=0 -cf layer.tar .
umoci init --layout layout
umoci new --image layout:base
umoci raw add-layer --image layout:base layer.tar
umoci config --image layout:base --config.env PATH=/bin --config.workingdir /opt
umoci config --image layout:base --tag spaces --config.cmd printf --config.cmd '[%s]' \
    --config.cmd 'one  two' --config.cmd "it's"
umoci config --image layout:base --tag shell-form --config.cmd sh --config.cmd -c --config.cmd 'echo "one  two"'
umoci config --image layout:base --tag json --config.cmd printf --config.cmd '[%s]' --config.cmd '{"level": 3}'
for name in spaces shell-form json; do
    lxc-create --name "$name" --template oci -- --url "oci:layout:$name" --no-cache >log 2>&1
    # The container needs no network.
    echo 'lxc.net.0.type = empty' >>"/var/lib/lxc/$name/config"
    grep '^lxc.execute.cmd' "/var/lib/lxc/$name/config"
    status=0
    output=$(lxc-execute --name "$name" </dev/null 2>messages) || status=$?
    printf '%s: %s\nexit status: %s\n' "$name" "$output" "$status"
done
END_OF_IMAGES
run sh /srv/images.sh | tee "$work/output"
expected=$(
    cat <<'END_OF_OUTPUT'
lxc.execute.cmd = '"printf" "[%s]" "one  two" "it's" '
spaces: [one  two][it's]
exit status: 0
lxc.execute.cmd = '"sh" "-c" "echo \"one  two\"" '
shell-form: \
exit status: 0
lxc.execute.cmd = '"printf" "[%s]" "{\"level\": 3}" '
json: [{\][level\":][3}"]
exit status: 0
END_OF_OUTPUT
)
diff <(printf '%s\n' "$expected") "$work/output"
