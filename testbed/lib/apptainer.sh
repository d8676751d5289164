#!/bin/sh
# apptainer.sh ROOT: sid's Apptainer in a root file system whose C library is older
# than it needs. It gets sid's in a directory of its own; everything else, Slurm and
# its plugins above all, stays with what the suite has. Runs as a hook of mmdebstrap.
set -eu
root=$1
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
downloads=$root/var/tmp/sid
mkdir "$downloads"
cd "$downloads"
apt-get -qq download apptainer/sid libc6/sid libseccomp2/sid libsqlite3-0/sid

for package in libc6 libseccomp2 libsqlite3-0; do
    dpkg-deb --extract "${package}"_*.deb "$root/opt/sid"
done
dpkg-deb --extract apptainer_*.deb "$root"
ln -s apptainer "$root/usr/bin/singularity"

libraries=$(dirname "$root"/opt/sid/usr/lib/*/libc.so.6)
libraries=${libraries#"$root"}
loader=$(basename "$root$libraries"/ld-linux-*.so.*)
for program in "$root/usr/bin/apptainer" "$root"/usr/lib/*/apptainer/bin/starter; do
    chroot "$root" patchelf --set-interpreter "$libraries/$loader" \
        --force-rpath --set-rpath "$libraries" "${program#"$root"}"
done
chroot "$root" apptainer --version
cd /
rm -r "$downloads"
