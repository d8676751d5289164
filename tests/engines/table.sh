# shellcheck shell=bash
# The table of engines in docs/launch-shapes.md.
# shellcheck disable=SC2034,SC2154 # This file and the scripts that read it use each other's variables.

page=$project/docs/launch-shapes.md

# version_of ENGINE PACKAGE: the version that packages/ pins.
version_of() {
    [[ $2 != - ]] || return 0
    sed -nE "s/^$2==([^ ]+).*/ \1/p" "$engines_dir/packages/${1%%-*}.txt"
}

# compare_row ENGINE PACKAGE NAME OFF PATH PRELOAD VIEW: compares the engine's row with the results, or
# writes it.
compare_row() {
    local start row note found
    start="| $3$(version_of "$1" "$2") |"
    # The name without its version, so that the row of another version is replaced.
    # shellcheck disable=SC2016 # The `$` is part of the pattern.
    row=$(grep -m1 -E "^\| $(printf %s "$3" | sed 's/[][\.*^$()+?{|]/\\&/g')( [0-9][^ ]*)? \|" "$page" || :)
    note=$(cut -d'|' -f7 <<<"$row" | sed 's/^ *//; s/ *$//')
    found="$start $4 | $5 | $6 | $7 | $note |"
    [[ $row != "$found" ]] || return 0
    if [[ -z ${SIFCACHE_BLESS:-} ]]; then
        failed=1
        printf '\ndocs/launch-shapes.md differs from the result of %s; SIFCACHE_BLESS=1 writes it:\n' "$1"
        printf '  page:   %s\n  result: %s\n\n' "${row:-no row}" "$found"
    elif [[ -n $row ]]; then
        ROW=$row FOUND=$found awk '$0 == ENVIRON["ROW"] { $0 = ENVIRON["FOUND"] } { print }' "$page" >"$page.new"
        mv -- "$page.new" "$page"
    else
        printf 'docs/launch-shapes.md has no row for %s: add one that begins with: %s\n' "$1" "$start"
        failed=1
    fi
}
