# shellcheck shell=bash
# The site on a testbed of trixie: sifcache, one image in the cache, and a user's virtual
# environments with the engines.
# shellcheck disable=SC2034,SC2154 # This file and the scripts that read it use each other's variables.

build=${BUILD:?the directory with the built files}
# The Python of trixie.
python=3.13
# The image of all workflows, and the content of its /etc/image-name.
image=/shared/sif/alpine:3.20
expected=library/alpine:3.20
# The image in the log, by its tag or its digest.
served="image=/shared/sif/alpine[:@]"

testbed() { "$project/testbed/testbed" "$@"; }
on() { testbed exec --on "$1" -- "${@:2}"; }

# Installs sifcache and fills the image root, like an admin. The registry is down afterwards.
prepare_site() {
    local tree
    "$project/testbed/need" bash-static:bash-static
    tree=$(mktemp -d)
    make --no-print-directory --silent -C "$project" install-files DESTDIR="$tree" RELEASE="$build" \
        plugindir="$(testbed plugindir --suite trixie)"
    testbed push "$tree" /
    rm -r -- "$tree"
    on ctl mkdir -p /shared/engines
    # Some engines start bash in the container, but the image has no bash.
    testbed push "$(command -v bash-static)" /shared/engines/bash 755
    configure path
    testbed hub start >/dev/null
    on ctl sifcache add alpine:3.20 >/dev/null 2>&1
    testbed hub stop >/dev/null
    # shellcheck disable=SC2016 # The shell on the host expands it.
    on ctl sh -c 'cd /shared/sif && set -- alpine@sha256:* && echo "${1#*@}" >/shared/engines/digest'
}

# configure NESTED [OPTION…]: writes plugstack.conf.
configure() {
    on ctl tee /etc/slurm/plugstack.conf >/dev/null <<<"optional spank_sifcache.so image_root=/shared/sif nested=$*"
}

# environment NAME: installs the packages of packages/NAME.txt, once on each cluster.
environment() {
    install_packages "$1" "$python"
    on ctl test -d "/home/alice/venv/$1" || push_environment "$1" "$python" alice
}
