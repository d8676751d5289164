#!/bin/bash
# A registry with one recipe: the installation pulls by digest, and creates a program that starts the file.
digest=$(cat /shared/engines/digest)
mkdir -p registry/alpine
cat >registry/alpine/container.yaml <<Y
docker: alpine
url: https://example.org
maintainer: '@me'
description: test
latest: {"3.20": "$digest"}
tags: {"3.20": "$digest"}
aliases: {name: "/bin/cat /etc/image-name"}
Y
base=$PWD/containers
[[ -z $VIEW ]] || base=$VIEW/shpc
sed -E "s|^registry:.*|registry: [$PWD/registry]|; s|^module_sys: lmod|module_sys: tcl|
    s|^container_base:.*|container_base: $base|; s|\\\$root_dir|$PWD|" \
    "$VENV"/lib/python3*/site-packages/shpc/settings.yml >settings.yml
"$VENV/bin/shpc" --settings-file settings.yml install alpine:3.20 &&
    "$(find modules -type f -name name | head -n 1)"
