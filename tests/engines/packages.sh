# shellcheck shell=bash
# The engines' packages from PyPI: a directory for each engine in the cache, and a virtual environment
# on a cluster.
#
# packages/NAME.txt pins every package with the hashes of its wheels for x86_64. pip of this machine
# installs for the Python of the cluster, so the machine's own Python may be another one.

engines_dir=$(dirname -- "$(realpath -- "${BASH_SOURCE[0]}")")
project=$(dirname -- "$(dirname -- "$engines_dir")")
engines_cache=${SIFCACHE_CACHE:-$project/.cache}/engines

# pip_for PYTHON: sets pip, a command that selects packages for this version of Python on a machine
# with at least the C library of Debian 13. Two packages are source archives without compiled code,
# which are built with Debian's setuptools.
pip_for() {
    local minor
    # The recommended packages are compilers, for packages without wheels.
    "$project/testbed/need" --no-install-recommends /usr/bin/pip3:python3-pip
    pip=(/usr/bin/python3 -m pip install --quiet --root-user-action=ignore --disable-pip-version-check
        --no-compile --no-deps --no-build-isolation --ignore-requires-python --python-version "$1"
        --platform manylinux2014_x86_64)
    for minor in {41..5}; do pip+=(--platform "manylinux_2_${minor}_x86_64"); done
}

# packages_path NAME PYTHON: the directory of these packages. A changed list has another directory.
packages_path() {
    printf '%s/%s-%s-%s\n' "$engines_cache" "$1" "$2" \
        "$(sha256sum "$engines_dir/packages/$1.txt" | cut -c1-12)"
}

# install_packages NAME PYTHON: installs the packages in the cache, after a check of their hashes.
install_packages() {
    local path pip
    path=$(packages_path "$1" "$2")
    mkdir -p -- "$engines_cache"
    # Two checks may run at the same time.
    (
        flock 9
        [[ ! -d $path ]] || exit 0
        rm -rf -- "$engines_cache/$1-$2"-*
        pip_for "$2"
        "${pip[@]}" --require-hashes --target "$path.new" -r "$engines_dir/packages/$1.txt" || exit
        mv -- "$path.new" "$path"
    ) 9>"$engines_cache/$1-$2.lock"
}

# push_environment NAME PYTHON USER: creates a virtual environment of these packages on the cluster,
# in /home/USER/venv/NAME. It belongs to the user, so the first run of an engine saves the compiled
# modules.
#
# pip on this machine cannot create an environment for another Python, so this is done on the
# cluster. Programs of the packages have the path of this machine's Python in their first line.
push_environment() {
    # shellcheck disable=SC2016 # the shell on the cluster expands it
    local make='
        set -e
        python3 -m venv --without-pip "$1"
        site=$1/lib/python$2/site-packages
        tar -C "$site" --no-same-owner -x
        for program in "$site"/bin/*; do
            [ -f "$program" ] || continue
            sed "1s|^#!.*python.*|#!$1/bin/python3|" "$program" >"$1/bin/${program##*/}"
            chmod 755 "$1/bin/${program##*/}"
        done
        rm -rf "$site/bin"'
    tar -C "$(packages_path "$1" "$2")" -c . |
        "$project/testbed/testbed" exec --user "$3" -- sh -c "$make" - "/home/$3/venv/$1" "$2"
}
