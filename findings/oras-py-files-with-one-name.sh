#!/bin/bash
# oras 0.2.43 (PyPI): of two files with one name in different directories, `OrasClient.push` and `pull` keep one.
#
# Expected: the files have the paths that were given to `push`, as with the command `oras push` of the same project;
#           or an exception.
# Actual:   `push` gives both layers the name without the directory as their title. `pull` writes the second file over
#           the first one, and returns the same path twice. No message.
# Affected: artifacts with SIF files or data in several directories, such as amd64/tool.sif and arm64/tool.sif. The
#           registry has both files, but nothing tells which is which.
#
# Requires Debian 12 or later on x86_64, Python with venv, and any user who may use apt and PyPI; nothing is installed.
# Exit status: 0 if oras behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check oras==0.2.43
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^oras '
# A registry and the command oras come from Debian sid, with the C library that they need.
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download oras=1.3.3-1 docker-registry=2.8.3+ds1-3 libc6/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
loader=("$work/$libraries/ld-linux-x86-64.so.2" --library-path "$work/$libraries")

cat >registry.yml <<END_OF_REGISTRY
version: 0.1
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:15447"}
END_OF_REGISTRY
"${loader[@]}" root/usr/bin/docker-registry serve registry.yml >registry.log 2>&1 &
pid=$!
for _ in {1..100}; do
    (: >/dev/tcp/127.0.0.1/15447) 2>/dev/null && break
    sleep 0.1
done
mkdir amd64 arm64 pulled pulled-by-command
echo 'for amd64' >amd64/tool.sif
echo 'for arm64' >arm64/tool.sif
cat >push_and_pull.py <<'END_OF_PROGRAM'
import os
import oras.client
client = oras.client.OrasClient(hostname="127.0.0.1:15447", insecure=True)
client.push(target="127.0.0.1:15447/tool:1", files=["amd64/tool.sif", "arm64/tool.sif"])
for file in client.pull(target="127.0.0.1:15447/tool:1", outdir="pulled"):
    print("pull returned", os.path.relpath(file))
END_OF_PROGRAM
# files DIRECTORY: prints the files in it and their contents.
files() { find "$1" -type f -exec grep -H . {} + | LC_ALL=C sort; }
{
    python/bin/python push_and_pull.py
    files pulled
    oras=("${loader[@]}" "$work/root/usr/bin/oras")
    "${oras[@]}" push --plain-http 127.0.0.1:15447/tool:2 amd64/tool.sif arm64/tool.sif >log
    "${oras[@]}" pull --plain-http --output pulled-by-command 127.0.0.1:15447/tool:2 >log
    files pulled-by-command
} | tee output
[[ $(<output) == 'pull returned pulled/tool.sif
pull returned pulled/tool.sif
pulled/tool.sif:for arm64
pulled-by-command/amd64/tool.sif:for amd64
pulled-by-command/arm64/tool.sif:for arm64' ]]
