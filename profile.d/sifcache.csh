# Login shells set PATH anew, and leave the shims of sifcache out. In a Slurm job with
# nested=path this puts them back in front: those of the runtimes that PATH has, and no other.
# Anywhere else it does nothing.
if ( $?SINGULARITY_SIFCACHE ) then
    if ( " $SINGULARITY_SIFCACHE :${PATH}:" !~ *" nested=preload "* && \
         " $SINGULARITY_SIFCACHE :${PATH}:" !~ *:/usr/libexec/sifcache/bin[:-]* ) then
        set _sifcache_a = ""
        set _sifcache_s = ""
        foreach _sifcache_d ( $path )
            if ( "$_sifcache_a" == "" && -f "$_sifcache_d/apptainer" && -x "$_sifcache_d/apptainer" ) \
                set _sifcache_a = "$_sifcache_d"
            if ( "$_sifcache_s" == "" && -f "$_sifcache_d/singularity" && -x "$_sifcache_d/singularity" ) \
                set _sifcache_s = "$_sifcache_d"
        end
        if ( "$_sifcache_a" != "" && "$_sifcache_a" == "$_sifcache_s" ) then
            setenv PATH "/usr/libexec/sifcache/bin:${PATH}"
        else
            if ( "$_sifcache_s" != "" ) setenv PATH "/usr/libexec/sifcache/bin-singularity:${PATH}"
            if ( "$_sifcache_a" != "" ) setenv PATH "/usr/libexec/sifcache/bin-apptainer:${PATH}"
        endif
        unset _sifcache_a _sifcache_s _sifcache_d
    endif
endif
