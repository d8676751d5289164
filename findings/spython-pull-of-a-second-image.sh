#!/bin/bash
# spython 0.3.14 (PyPI) with Apptainer 1.4.5: `Client.pull` returns the file of another image if the last component and the
# tag of both references are the same. A pull that fails returns a file name, too.
#
# Expected: a file with the requested image, or an exception.
# Actual:   the default file name omits the registry and the organization, so one/tool:1 and two/tool:1 are both
#           tool:1.sif. The runtime refuses to overwrite it and exits with 255. spython ignores this exit status and
#           returns the name of the existing file.
# Affected: `Client.execute(Client.pull(reference), ...)` with images of two organizations in one directory starts the
#           wrong one; and so does a second pull of a tag that has moved. `stream=True` raises CalledProcessError.
#
# Requires Debian 12 or later on x86_64, Python with venv, and any user who may use apt and PyPI; nothing is installed.
# Exit status: 0 if spython behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check spython==0.3.14
# Apptainer and a registry come from Debian sid, with the C library that they need.
mkdir -p lists/partial cache/archives/partial root home bin
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download apptainer=1.4.5-2 docker-registry=2.8.3+ds1-3 \
    libc6/sid libseccomp2/sid libsqlite3-0/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$work/$(dirname "$(find root -name 'libc.so.6' -print -quit)")
loader="$libraries/ld-linux-x86-64.so.2 --library-path $libraries"
printf '#!/bin/sh\nexec %s %s --config %s "$@"\n' \
    "$loader" "$work/root/usr/bin/apptainer" "$work/root/etc/apptainer/apptainer.conf" >bin/singularity
chmod 755 bin/singularity
# spython does not pass --no-https.
export PATH=$work/bin:$PATH HOME=$work/home APPTAINER_NOHTTPS=1
singularity --version
python/bin/pip list 2>/dev/null | grep spython

cat >registry.yml <<END_OF_REGISTRY
version: 0.1
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:15445"}
END_OF_REGISTRY
# shellcheck disable=SC2086
$loader root/usr/bin/docker-registry serve registry.yml >registry.log 2>&1 &
pid=$!
for _ in {1..100}; do
    (: >/dev/tcp/127.0.0.1/15445) 2>/dev/null && break
    sleep 0.1
done
# Two SIF files with different contents, in the registry as one/tool:1 and two/tool:1.
for organization in one two; do
    echo "$organization" >text
    singularity --quiet sif new "$organization.sif"
    singularity --quiet sif add --datatype 7 "$organization.sif" text
    singularity --quiet push "$organization.sif" "oras://127.0.0.1:15445/$organization/tool:1"
done
mkdir images
cd images
cat >pull.py <<'END_OF_PULL'
import subprocess
from spython.main import Client
registry = "oras://127.0.0.1:15445"
for name in ("one/tool:1", "two/tool:1", "two/missing:1"):
    print(name, Client.pull(f"{registry}/{name}", quiet=True))
try:
    list(Client.pull(f"{registry}/two/tool:1", quiet=True, stream=True)[1])
except subprocess.CalledProcessError as error:
    print("with stream=True: exit status", error.returncode)
END_OF_PULL
../python/bin/python pull.py | tee ../returned
for organization in one two; do
    if cmp --silent tool:1.sif "../$organization.sif"; then echo "tool:1.sif is the image of $organization/tool:1"; fi
done | tee ../content
[[ $(<../returned) == $'one/tool:1 tool:1.sif\ntwo/tool:1 tool:1.sif\ntwo/missing:1 missing:1.sif\nwith stream=True: exit status 255' ]]
[[ $(<../content) == 'tool:1.sif is the image of one/tool:1' && ! -e missing:1.sif ]]
