
# Completes references from the cache, and everything else with the function above. bash splits words
# at colons, equals signs and others, and replaces only the part after the last of them.
_sifcache_references() {
    local line=${COMP_LINE:0:COMP_POINT} word begin found=() words=()
    IFS=$' \t\n' read -ra words <<<"$line"
    [[ $line != *[[:blank:]] ]] || words+=('')
    word=${words[${#words[@]} - 1]}
    mapfile -t found < <("${words[0]}" complete-references -- "${words[@]:1}" 2>/dev/null)
    if ((${#found[@]} == 0)); then
        _sifcache "$@"
        return
    fi
    begin=${word%"${word##*[$COMP_WORDBREAKS]}"}
    # An at sign belongs to the part after it.
    begin=${begin%@}
    COMPREPLY=("${found[@]#"$begin"}")
    # More follows after a slash.
    if [[ ${#found[@]} == 1 && ${found[0]} == */ ]]; then compopt -o nospace; fi
}
