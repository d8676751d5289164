#!/bin/bash
# radical.utils 1.103.1 (PyPI): in a node list such as `n[9-11]`, numbers with fewer digits get zeros that the names of the
# nodes do not have.
#
# Expected: the nodes that `scontrol show hostnames` prints: n9, n10 and n11. Numbers of a range have
#           leading zeros only if the first one has them: n[09-11] has the node n09.
# Actual:   get_hostlist pads all numbers in the brackets to the length of the longest one, and returns n09, n10 and n11 for
#           both lists. No message.
# Affected: RADICAL-Pilot, which reads SLURM_NODELIST with this function and starts tasks with `srun --nodelist=n09`: on
#           clusters whose node names have no leading zeros, jobs with nodes such as n3 and n12 use names of nodes that
#           do not exist.
#
# scontrol comes from Slurm 26.05.5 (Debian sid).
# Requires Debian 12 or later on x86_64, any user who may use apt and PyPI, and Python 3.10 or later with venv; nothing is
# installed.
# Exit status: 0 if radical.utils behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check radical.utils==1.103.1
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^radical.utils '
# scontrol comes from Debian sid, with the libraries that it needs.
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=-
    -o Acquire::Languages=none -o Debug::NoLocking=true)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" install --download-only --no-install-recommends --yes \
    slurm-client=26.05.5-1 slurm-wlm-basic-plugins=26.05.5-1 >/dev/null
for package in cache/archives/*.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find "$work/root" -name 'libc.so.6' -print -quit)")
plugins=$(dirname "$(find "$work/root" -name libslurmfull.so -print -quit)")
cat >slurm.conf <<END_OF_CONFIGURATION
ClusterName=cluster
SlurmctldHost=localhost(127.0.0.1)
AuthType=auth/none
PluginDir=$plugins
END_OF_CONFIGURATION
scontrol() {
    SLURM_CONF="$work/slurm.conf" "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$plugins" \
        root/usr/bin/scontrol "$@"
}
scontrol --version

for list in 'n[9-11]' 'n[09-11]' 'n[1-3,12]' 'n[98-101]'; do
    printf '%s:\n' "$list"
    printf '    scontrol:      %s\n' "$(scontrol show hostnames "$list" | xargs)"
    printf '    radical.utils: %s\n' "$(HOME=$work python/bin/python -c '
import sys
from radical.utils import get_hostlist
print(*get_hostlist(sys.argv[1]))' "$list")"
done | tee output
[[ $(<output) == 'n[9-11]:
    scontrol:      n9 n10 n11
    radical.utils: n09 n10 n11
n[09-11]:
    scontrol:      n09 n10 n11
    radical.utils: n09 n10 n11
n[1-3,12]:
    scontrol:      n1 n2 n3 n12
    radical.utils: n01 n02 n03 n12
n[98-101]:
    scontrol:      n98 n99 n100 n101
    radical.utils: n098 n099 n100 n101' ]]
