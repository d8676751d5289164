#!/bin/bash
# containerify 4.1.0 (npm): a new entry point gets the command of the base image as arguments, and a variable that is
# set again has both values.
#
# Expected: as in a Dockerfile, `--entrypoint` removes the command of the base image ("setting ENTRYPOINT will reset CMD
#           to an empty value"), and `--env NAME=VALUE` replaces the value of the base image.
# Actual:   the command of the base image stays. Images from Docker Hub's `node` have the command `node`: with the entry
#           point `node server.js`, the program is started as `node server.js node`. Env has two entries for one name.
#           The first one is that of the base image: getenv(3) returns it, and runtimes differ. No message.
# Affected: programs that read arguments: an additional file name or subcommand. With `NODE_ENV=production` for a base
#           image that has `development`, programs run with the settings for development.
#
# Requires Debian 12 or later on x86_64, any user who may use apt, npm, Node.js 18 or later, and Python.
# Exit status: 0 if containerify behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf -- "$work"' EXIT
cd "$work"
npm install --silent --no-fund --no-audit --prefix "$work" containerify@4.1.0 >/dev/null
printf 'containerify %s\n' "$(node_modules/.bin/containerify --version)"
# crane and its registry come from Debian sid, with the C library that they need.
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download crane=0.20.7+ds1-5 libc6/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libc.so.6' -print -quit)")
loader=("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries")
crane() { "${loader[@]}" root/usr/bin/crane "$@" >/dev/null 2>>messages; }
# The registry stops by itself if the script is killed.
timeout 120 "${loader[@]}" root/usr/bin/crane registry serve --address 127.0.0.1:15452 >registry.log 2>&1 &
pid=$!
for _ in {1..100}; do
    (: >/dev/tcp/127.0.0.1/15452) 2>/dev/null && break
    sleep 0.1
done

# A base image with the settings of Docker Hub's `node`, and a variable.
registry=127.0.0.1:15452
echo base >file
tar -cf layer.tar file
crane append --oci-empty-base --new_layer layer.tar --new_tag "$registry/layer:1"
crane mutate "$registry/layer:1" --entrypoint docker-entrypoint.sh --cmd node --env NODE_ENV=development \
    --set-platform linux/amd64 --tag "$registry/node:1"
mkdir program
echo '{"name": "program", "version": "1.0.0"}' >program/package.json
echo 'console.log("arguments:", process.argv.slice(2).join(" "))' >program/server.js
node_modules/.bin/containerify --fromRegistry "http://$registry/v2/" --fromImage node:1 --platform linux/amd64 \
    --folder program --toImage program:1 --entrypoint 'node server.js' --env NODE_ENV=production --toTar image.tar >log
tar -xf image.tar config.json
cat >show.py <<'END_OF_PROGRAM'
import json, subprocess
config = json.load(open("config.json"))["config"]
for name in "Entrypoint", "Cmd", "Env":
    print(name, json.dumps(config.get(name)))
# What a container runtime executes.
subprocess.run(config["Entrypoint"] + (config.get("Cmd") or []), cwd="program", check=True)
END_OF_PROGRAM
python3 -u show.py | tee output
[[ $(<output) == 'Entrypoint ["node", "server.js"]
Cmd ["node"]
Env ["NODE_ENV=development", "NODE_ENV=production"]
arguments: node' ]]
