#!/bin/bash
# fuse-overlayfs 1.14 (Debian sid): changes of a hard-linked file of the lower directory are lost when the overlay is
# mounted again, although the upper directory has them.
#
# Expected: what a program writes to a file stays as long as the upper directory. The other name may keep the old
#           contents, as with the kernel's overlay.
# Actual:   while the overlay is mounted, both names have the new contents. After a new mount, both have the old
#           contents again; the file in the upper directory is ignored. If data were appended, the old contents are
#           followed by zeros. No message, exit status 0.
# Affected: persistent overlays of Apptainer without privileges. With Apptainer 1.4.5, `--overlay DIRECTORY` and a SIF
#           file, a file that was changed under its first name has the old contents under this name at the next start.
#           Environments of conda and installations of git and perl have many hard links. Files that a program changes
#           in place, such as settings and databases, lose the changes; a file that is replaced by a new one keeps
#           them.
#
# Requires Debian 12 or later on x86_64, root, /dev/fuse, the kernel's overlay, and a temporary directory that can be
# the upper directory of an overlay; nothing is installed.
# Exit status: 0 if fuse-overlayfs behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'umount "$work/merged" 2>/dev/null || :; rm -rf --one-file-system -- "$work"' EXIT
cd "$work"
# fuse-overlayfs comes from Debian sid, with the libraries that it needs.
mkdir -p lists/partial cache/archives/partial root merged
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download fuse-overlayfs=1.14-1+b1 libc6/sid libfuse3-4/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
dpkg-deb --field fuse-overlayfs_*.deb Package Version

# mount_overlay PROGRAM: mounts the overlay.
mount_overlay() {
    local options=lowerdir=$work/lower,upperdir=$work/upper,workdir=$work/workdir
    if [[ $1 == kernel ]]; then
        mount -t overlay -o "$options" none merged
    else
        "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" root/usr/bin/fuse-overlayfs -o "$options" merged \
            2>>messages
    fi
}
# contents DIRECTORY: prints the names of files and their contents, with `.` for a zero and `+` for the end of a line.
contents() { (cd "$1" && for file in *; do printf ' %s=%s' "$file" "$(tr '\0\n' '.+' <"$file")"; done); }
# overlay PROGRAM COMMAND: runs COMMAND in an overlay, and prints the files before and after a new mount.
overlay() {
    rm -rf lower upper workdir
    mkdir lower upper workdir
    echo old >lower/a
    ln lower/a lower/b
    mount_overlay "$1"
    (cd merged && eval "$2")
    printf '%s: %s\n    mounted:%s\n' "$1" "$2" "$(contents merged)"
    umount merged
    printf '    upper directory:%s\n' "$(contents upper)"
    mount_overlay "$1"
    printf '    mounted again:%s\n' "$(contents merged)"
    umount merged
}
for program in kernel fuse-overlayfs; do
    for command in 'echo new >a' 'echo new >>a'; do overlay "$program" "$command"; done
done | tee output
[[ $(<output) == 'kernel: echo new >a
    mounted: a=new+ b=old+
    upper directory: a=new+
    mounted again: a=new+ b=old+
kernel: echo new >>a
    mounted: a=old+new+ b=old+
    upper directory: a=old+new+
    mounted again: a=old+new+ b=old+
fuse-overlayfs: echo new >a
    mounted: a=new+ b=new+
    upper directory: a=new+
    mounted again: a=old+ b=old+
fuse-overlayfs: echo new >>a
    mounted: a=old+new+ b=old+new+
    upper directory: a=old+new+
    mounted again: a=old+.... b=old+....' ]]
