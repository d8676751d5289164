# Login shells set PATH anew, and leave the shims of sifcache out. In a Slurm job with
# nested=path this puts them back in front; anywhere else it does nothing.
if ( $?SINGULARITY_SIFCACHE ) then
    if ( " $SINGULARITY_SIFCACHE :${PATH}:" !~ *" nested=preload "* && \
         " $SINGULARITY_SIFCACHE :${PATH}:" !~ *:/usr/libexec/sifcache/bin:* ) then
        setenv PATH "/usr/libexec/sifcache/bin:${PATH}"
    endif
endif
