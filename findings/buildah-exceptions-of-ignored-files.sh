#!/bin/bash
# buildah 1.43.2 (Debian sid): exceptions in .containerignore that have a wildcard in a directory's name are not found in
# ignored directories, and the files are not in the image.
#
# Expected: containerignore(5): "the last line of the .containerignore or .dockerignore file that matches a particular file
#           determines whether it is included or excluded", and to list the files of the context: "specify * as the first
#           pattern, followed by one or more ! exception patterns". `**` "matches any number of directories (including
#           zero)". With `*` and `!**/*.c`, the image has all C files.
# Actual:   buildah skips an ignored directory, unless its name is the beginning of an exception as a plain string. With
#           `*` and `!**/*.c`, `COPY . /x` copies no file of a directory; with `!src/**/*.c`, those of src, but not those of
#           src/lib. No message, exit status 0. `*` and `!src` work.
# Affected: builds with a list of file types, such as `*` and `!**/*.py`: packages are missing in the image, and the build
#           succeeds. `podman build` uses buildah.
#
# Requires Debian 12 or later on x86_64, and root; nothing is installed; takes a minute.
# Exit status: 0 if buildah behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT
cd "$work"
root=$work/root
# buildah comes from Debian sid, with the packages that it needs, in a directory that becomes its root.
mkdir -p lists/partial cache/archives/partial "$root"
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=-
    -o Acquire::Languages=none -o Debug::NoLocking=true)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" install --download-only --no-install-recommends --yes \
    base-files base-passwd buildah=1.43.2+ds1-3+b1 netavark coreutils dash findutils >/dev/null
for package in cache/archives/*.deb; do dpkg-deb --extract "$package" "$root"; done
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
touch "$root/etc/hosts" "$root/etc/resolv.conf"
# run COMMAND...: runs COMMAND in the root file system, with mounts that are removed when it ends.
run() {
    # shellcheck disable=SC2016
    unshare --mount --propagation private sh -c '
        mount --bind "$0" "$0" && mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
            exec chroot "$0" "$@"' \
        "$root" env -i PATH=/usr/bin HOME=/root STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot "$@"
}
run buildah --version | tee version
grep -q ' 1\.43\.2 ' version

context=$root/srv/context
mkdir -p "$context/src/lib"
touch "$context"/{main.c,README} "$context"/src/{a.c,a.h} "$context"/src/lib/{b.c,b.h}
printf 'FROM scratch\nCOPY . /x/\n' >"$root/srv/containerfile"
# files PATTERN...: builds an image with these lines in .containerignore, and prints the files in it.
files() {
    printf '%s: ' "$*"
    printf '%s\n' "$@" >"$root/srv/ignored"
    run buildah build --quiet --ignorefile /srv/ignored --file /srv/containerfile --tag localhost/image \
        /srv/context >/dev/null
    # shellcheck disable=SC2016
    run sh -c 'container=$(buildah from --pull-never localhost/image) && directory=$(buildah mount "$container") &&
        cd "$directory/x" && find . -type f -printf "%P\n" && buildah rm "$container" >/dev/null' | sort | xargs
}
{
    files '*' '!src'
    files '*' '!**/*.c'
    files '*' '!*.c' '!*/*.c' '!*/*/*.c'
    files 'src' '!src/**/*.c'
    files '**/*.h' '**/*.c' '!**/b.c'
} | tee output
[[ $(<output) == '* !src: src/a.c src/a.h src/lib/b.c src/lib/b.h
* !**/*.c: main.c
* !*.c !*/*.c !*/*/*.c: main.c
src !src/**/*.c: README main.c src/a.c
**/*.h **/*.c !**/b.c: README src/lib/b.c' ]]
