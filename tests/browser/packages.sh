# shellcheck shell=bash
# The pinned packages of npm that drive the browser.

# install_packages HERE: installs the packages of HERE/package-lock.json in the cache, unless they
# are there, and sets SIFCACHE_BROWSER_PACKAGES to their directory.
install_packages() {
    local here=$1 project cache work
    project=$(realpath -- "$here/../..")
    cache=${SIFCACHE_CACHE:-$project/.cache}/browser
    export SIFCACHE_BROWSER_PACKAGES
    SIFCACHE_BROWSER_PACKAGES=$cache/$(sha256sum <"$here/package-lock.json" | cut -c1-16)
    [[ ! -d $SIFCACHE_BROWSER_PACKAGES ]] || return 0
    # Debian's npm recommends compilers.
    "$project/testbed/need" --no-install-recommends node:nodejs npm:npm
    mkdir -p -- "$cache"
    work=$(mktemp -d -p "$cache" new.XXXXXX)
    cp -- "$here/package.json" "$here/package-lock.json" "$work"
    # No package needs a script, and one of them would download a browser.
    npm ci --prefix "$work" --ignore-scripts --no-audit --no-fund --loglevel=error >"$cache/npm.log" 2>&1 </dev/null || {
        cat -- "$cache/npm.log" >&2
        printf 'npm ci failed: see above and %s\n' "$cache/npm.log" >&2
        return 1
    }
    # Another run may have been faster.
    mv -T -- "$work" "$SIFCACHE_BROWSER_PACKAGES" 2>/dev/null || rm -r -- "$work"
}
