
# Completes references from the cache.
function __sifcache_references
    set -l words (commandline --tokenize --current-process --cut-at-cursor)
    set -l typed (commandline --current-token --cut-at-cursor)
    sifcache complete-references -- $words[2..-1] "$typed" 2>/dev/null
end
complete -c sifcache -n "__fish_sifcache_using_subcommand list refresh remove request" -f -a '(__sifcache_references)'
complete -c sifcache -n "__fish_sifcache_using_subcommand add explain import stage verify" -a '(__sifcache_references)'
