# Completes references from the cache, or files if there are none. More follows after a slash.
(( $+functions[_sifcache_references] )) ||
_sifcache_references() {
    local -a found=("${(@f)$(sifcache complete-references -- "${(@)sifcache_words}" 2>/dev/null)}")
    found=(${found:#})
    (( $#found )) || { _default; return }
    compadd -S '' -- ${(M)found:#*/}
    compadd -- ${found:#*/}
}
