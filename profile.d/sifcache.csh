# Puts the shims of sifcache in front of PATH in a login shell, but only the shims of runtimes that
# are found in PATH: in a Slurm job with nested=path, because login shells replace PATH, and outside
# of jobs on a host with the file /etc/sifcache/login-node. Otherwise it does nothing, and starts no
# process.
set _sifcache_n = ""
if ( $?SINGULARITY_SIFCACHE ) then
    if ( " $SINGULARITY_SIFCACHE :${PATH}:" !~ *" nested=preload"* && \
         " $SINGULARITY_SIFCACHE :${PATH}:" !~ *:/usr/libexec/sifcache/bin[:-]* ) then
        # The runtimes in the plugin's line; those without a shim here are skipped below.
        set _sifcache_n = "singularity apptainer"
        # Slurm does not remove the carriage return of a Windows line end.
        if ( " $SINGULARITY_SIFCACHE" =~ *" runtimes="* ) set _sifcache_n = \
            "`printenv SINGULARITY_SIFCACHE | tr ' \r' '\n\n' | sed -n 's/^runtimes=//p' | tr ',' ' '`"
    endif
else if ( ! $?SLURMD_NODENAME && -e /etc/sifcache/login-node && -x /usr/libexec/sifcache/sifcache-shim ) then
    if ( ":${PATH}:" !~ *:/usr/libexec/sifcache/bin[:-]* ) then
        # The runtimes that have a shim. The shim itself compares them with the plugin's line.
        foreach _sifcache_w ( /usr/libexec/sifcache/bin-* )
            set _sifcache_n = "$_sifcache_n ${_sifcache_w:t:s/bin-//}"
        end
    endif
endif
if ( "$_sifcache_n" != "" ) then
    set _sifcache_a = ""
    set _sifcache_s = ""
    set _sifcache_r = ""
    foreach _sifcache_w ( $_sifcache_n:x )
        if ( ! -x "/usr/libexec/sifcache/bin-$_sifcache_w/$_sifcache_w" ) continue
        set _sifcache_f = ""
        foreach _sifcache_d ( $path:q )
            if ( "$_sifcache_f" == "" && -f "$_sifcache_d/$_sifcache_w" && -x "$_sifcache_d/$_sifcache_w" ) \
                set _sifcache_f = "$_sifcache_d"
        end
        if ( "$_sifcache_f" !~ /* ) continue
        switch ( "$_sifcache_w" )
        case apptainer:
            set _sifcache_a = "$_sifcache_f"
            breaksw
        case singularity:
            set _sifcache_s = "$_sifcache_f"
            breaksw
        default:
            set _sifcache_r = "${_sifcache_r}/usr/libexec/sifcache/bin-${_sifcache_w}:"
        endsw
    end
    if ( "$_sifcache_a" != "" && "$_sifcache_a" == "$_sifcache_s" ) then
        setenv PATH "/usr/libexec/sifcache/bin:${_sifcache_r}${PATH}"
    else
        setenv PATH "${_sifcache_r}${PATH}"
        if ( "$_sifcache_s" != "" ) setenv PATH "/usr/libexec/sifcache/bin-singularity:${PATH}"
        if ( "$_sifcache_a" != "" ) setenv PATH "/usr/libexec/sifcache/bin-apptainer:${PATH}"
    endif
    unset _sifcache_a _sifcache_s _sifcache_r _sifcache_w _sifcache_f _sifcache_d
endif
unset _sifcache_n
