#!/bin/bash
# buildah 1.43.2 (Debian sid) with the storage driver vfs: if a file of an image is replaced by one of the same size and
# time of modification, the new image has the old contents.
#
# Expected: after `COPY directory /tool`, the image has the files of the directory, as with the driver overlay.
# Actual:   buildah creates a layer from the files whose metadata differ, as rsync without --checksum does. A file with
#           the same owner, mode, size and time is not in it. No message, exit status 0. podman 5.8.6 does the same.
# Affected: files whose times are fixed, as in archives of `npm pack` (1985), in Nix and Guix (1970), or by `touch` with
#           a constant. An update from 1.2.3 to 1.2.4 often changes no size: the image then has the new program with the
#           old package.json. vfs is the driver where overlay does not work, for example on NFS.
#
# Requires Debian 12 or later on amd64, root, and mmdebstrap; takes a minute.
# Exit status: 0 if buildah behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT
root=$work/root
mmdebstrap --quiet --variant=minbase --include=buildah,netavark \
    --aptopt='Acquire::Check-Valid-Until "false"' sid "$root"
touch "$root/etc/hosts" "$root/etc/resolv.conf"
# run COMMAND...: runs COMMAND in the root file system, with mounts that are removed when it ends.
run() {
    # shellcheck disable=SC2016
    unshare --mount --propagation private sh -c '
        mount --bind "$0" "$0" && mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
            exec chroot "$0" "$@"' \
        "$root" env STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot "$@"
}
run buildah --version | tee "$work/version"
grep -q ' 1\.43\.2 ' "$work/version"

# Two versions of a package, with the time that `npm pack` gives to all files.
context=$root/srv/context
mkdir -p "$context/1.2.3" "$context/1.2.4"
for version in 1.2.3 1.2.4; do
    printf '{"version": "%s"}\n' "$version" >"$context/$version/package.json"
    echo "program of $version" >"$context/$version/program"
    # The second program has another size.
    [[ $version == 1.2.3 ]] || echo '// fixed' >>"$context/$version/program"
done
touch --date=1985-10-26T08:15:00Z "$context"/*/*
printf 'FROM scratch\nCOPY 1.2.3 /tool\n' >"$context/old.containerfile"
printf 'FROM localhost/tool:old\nCOPY 1.2.4 /tool\n' >"$context/new.containerfile"
for tag in old new; do
    run buildah build --quiet --file "/srv/context/$tag.containerfile" --tag "localhost/tool:$tag" \
        /srv/context >/dev/null
done

# files IMAGE: prints the files of an image.
files() {
    # shellcheck disable=SC2016
    run sh -c 'container=$(buildah from --pull-never "$0") && directory=$(buildah mount "$container") &&
        cd "$directory/tool" && head -n 1 -- * && buildah rm "$container" >/dev/null' "$1"
}
for tag in old new; do
    printf '== image %s\n' "$tag"
    files "localhost/tool:$tag" | tee "$work/$tag"
done
[[ $(<"$work/new") == '==> package.json <==
{"version": "1.2.3"}

==> program <==
program of 1.2.4' ]]
