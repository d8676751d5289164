#!/bin/bash
# backhand-cli 0.25.5 (crates.io): add-backhand and replace-backhand remove the extended attributes and the hard links of
# all files of an image.
#
# Expected: `add-backhand --help`: "tool to add a file or directory to squashfs filesystems". The other files stay as they
#           are, as when mksquashfs appends to an image; or an error.
# Actual:   both programs read the image and write a new one without extended attributes, so file capabilities, labels of
#           SELinux and attributes of users are gone. Each name of a hard-linked file becomes a file of its own. No
#           message, exit status 0. Neither the help nor the README mentions this; a comment in the source refers to
#           issue 32, and issue 553 requests hard links.
# Affected: root file systems and images of firmware that get another settings file this way: programs with capabilities
#           instead of a set-user-ID bit, such as ping, fail for ordinary users.
#
# Requires Debian 12 or later on x86_64, Cargo and a C compiler, and any user who may use apt and crates.io; nothing is
# installed; takes some minutes.
# Exit status: 0 if backhand-cli behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
CARGO_TARGET_DIR=$work/target cargo install --quiet --locked --root "$work/cargo" --version 0.25.5 backhand-cli \
    2>cargo.log
# squashfs-tools come from Debian sid, with the libraries that they need.
mkdir -p lists/partial cache/archives/partial root files/bin
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download squashfs-tools=1:4.7.5-1 \
    libc6/sid liblz4-1/sid liblzma5/sid liblzo2-2/sid libzstd1/sid zlib1g/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
loader=("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries")
mksquashfs=("${loader[@]}" root/usr/bin/mksquashfs)
unsquashfs=("${loader[@]}" root/usr/bin/unsquashfs)
cargo/bin/add-backhand --version

# An image with a program that has cap_net_raw and two names, and with a file that has an attribute of a user.
echo program >files/bin/ping
ln files/bin/ping files/bin/ping4
echo old >files/settings
"${mksquashfs[@]}" files image.sqfs -quiet -no-progress -all-root \
    -p 'bin/ping x security.capability=0x0100000200200000000000000000000000000000' \
    -p 'settings x user.origin=site' >/dev/null
echo new >new
cargo/bin/add-backhand --file new image.sqfs /added added.sqfs >log 2>&1
cargo/bin/replace-backhand image.sqfs new /settings replaced.sqfs >log 2>&1
# A copy to which mksquashfs appends a file.
cp image.sqfs appended.sqfs
"${mksquashfs[@]}" new appended.sqfs -quiet -no-progress -all-root >/dev/null

# entries TYPE: prints the definitions of a type: x for attributes, L for hard links.
entries() { grep -a " $1 " description | sed 's/=.*//' | LC_ALL=C sort | xargs; }
# describe IMAGE: prints the attributes and the hard links of an image.
describe() {
    local attributes links
    "${unsquashfs[@]}" -quiet -pf description "$1.sqfs" >/dev/null
    attributes=$(entries x) || attributes=none
    links=$(entries L) || links=none
    printf '%-9s attributes: %s; hard links: %s\n' "$1:" "$attributes" "$links"
}
for image in image appended added replaced; do describe "$image"; done | tee output
all='attributes: bin/ping x security.capability settings x user.origin; hard links: bin/ping4 L bin/ping'
[[ $(<output) == "image:    $all
appended: $all
added:    attributes: none; hard links: none
replaced: attributes: none; hard links: none" ]]
