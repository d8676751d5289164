#!/bin/sh
# apptainer.sh ROOT: installs sid's Apptainer in a root file system whose C library is too old for
# it, together with sid's C library in a separate directory. All other programs, in particular Slurm
# and its plugins, use the libraries of the suite. Runs as a hook of mmdebstrap.
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
