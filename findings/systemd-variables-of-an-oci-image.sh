#!/bin/bash
# systemd 262.1 (Debian sid): `importctl pull-oci` writes the variables and the command of an image to a settings file,
# in a form that systemd-nspawn reads differently.
#
# Expected: the container has the variables and the command of the image's configuration (image-spec, config.md).
# Actual:   systemd-nspawn splits a value of Environment= at spaces: `JAVA_OPTS=-Xms1g -Xmx4g` becomes JAVA_OPTS=-Xms1g,
#           and the rest an entry of its own. Each backslash is doubled. A double quote in an argument is written as
#           `\"`, which systemd-nspawn reads as a backslash and the end of the quotes: `echo "$JAVA_OPTS"` prints the
#           name of the variable, and `{"level": 3}` arrives as `{\level\: 3}`. No message, exit status 0.
# Affected: images with several options in a variable, as Java and Spark use them, or with a regular expression; images
#           whose CMD or ENTRYPOINT is in shell form and quotes a variable, or has an argument in JSON.
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
mkdir -p files/bin files/usr files/etc
cp /bin/busybox files/bin
for name in sh env printf; do ln -s busybox "files/bin/$name"; done
echo ID=tool >files/etc/os-release
tar -C files --owner=0 --group=0 -cf layer.tar bin usr etc
umoci init --layout layout
umoci new --image layout:base
umoci raw add-layer --image layout:base layer.tar
umoci config --image layout:base --config.env PATH=/bin \
    --config.env 'JAVA_OPTS=-Xms1g -Xmx4g' --config.env 'PATTERN=^\d+$'
umoci config --image layout:base --tag variables --config.cmd env
umoci config --image layout:base --tag command --config.cmd printf --config.cmd '[%s]' --config.cmd 'a b'
umoci config --image layout:base --tag quotes --config.cmd sh --config.cmd -c --config.cmd 'echo "$JAVA_OPTS" is set'
umoci config --image layout:base --tag json --config.cmd printf --config.cmd '[%s]' --config.cmd '{"level": 3}'
for name in variables command quotes json; do
    skopeo copy --quiet --insecure-policy --dest-tls-verify=false "oci:layout:$name" "docker://registry.test/tool:$name"
    /usr/lib/systemd/systemd-pull --class=machine oci "registry.test/tool:$name" "$name" 2>"$name.pull"
    printf '== image %s: settings\n' "$name"
    grep -E '^(Environment|Parameters)=' "/var/lib/machines/$name.nspawn"
    printf '== image %s: container\n' "$name"
    status=0
    systemd-nspawn --quiet --pipe --register=no --keep-unit --machine="$name" \
        >"$name.output" 2>"$name.messages" </dev/null || status=$?
    grep -vE '^(PATH|container|TERM|HOME|USER|LOGNAME|NOTIFY_SOCKET|LANG|container_.*)=' "$name.output"
    printf 'exit status: %s\n' "$status"
done
kill "$registry"
END_OF_IMAGES
run sh /srv/images.sh | tee "$work/output"
expected=$(
    cat <<'END_OF_OUTPUT'
== image variables: settings
Environment=PATH=/bin
Environment=JAVA_OPTS=-Xms1g -Xmx4g
Environment=PATTERN=^\\d+$
Parameters=env
== image variables: container
JAVA_OPTS=-Xms1g
-Xmx4g
PATTERN=^\\d+$
exit status: 0
== image command: settings
Environment=PATH=/bin
Environment=JAVA_OPTS=-Xms1g -Xmx4g
Environment=PATTERN=^\\d+$
Parameters=printf "[%s]" "a b"
== image command: container
[a b]
exit status: 0
== image quotes: settings
Environment=PATH=/bin
Environment=JAVA_OPTS=-Xms1g -Xmx4g
Environment=PATTERN=^\\d+$
Parameters=sh -c "echo \"$JAVA_OPTS\" is set"
== image quotes: container
$JAVA_OPTS is set
exit status: 0
== image json: settings
Environment=PATH=/bin
Environment=JAVA_OPTS=-Xms1g -Xmx4g
Environment=PATTERN=^\\d+$
Parameters=printf "[%s]" "{\"level\": 3}"
== image json: container
[{\level\: 3}]
exit status: 0
END_OF_OUTPUT
)
diff <(printf '%s\n' "$expected") "$work/output"
