# shellcheck shell=sh
# Puts the shims of sifcache in front of PATH in a login shell, but only the shims of runtimes that
# are found in PATH:
#
# - In a Slurm job with nested=path. Login shells replace PATH, which removes the shims from it.
# - Outside of jobs, on a host with the file /etc/sifcache/login-node.
#
# Otherwise it does nothing, and starts no process.
#
# Because of its name, it is one of the last files in /etc/profile.d, after module systems. It does
# not rely on word splitting, which zsh does not do by default.
_sifcache_names=''
case :${PATH-}: in
:: | *:/usr/libexec/sifcache/bin[:-]*) ;;
*)
    if [ -n "${SINGULARITY_SIFCACHE-}" ]; then
        # The runtimes in the plugin's line that have a shim here. Slurm does not remove the carriage
        # return of a Windows line end.
        case " $SINGULARITY_SIFCACHE " in
        *" nested=preload"[[:space:]]*) ;;
        *" runtimes="*)
            _sifcache_names=" $SINGULARITY_SIFCACHE"
            _sifcache_names=${_sifcache_names##* runtimes=}
            _sifcache_names=${_sifcache_names%%[[:space:]]*}
            ;;
        *) _sifcache_names=singularity,apptainer ;;
        esac
    elif [ -e /etc/sifcache/login-node ] && [ -z "${SLURMD_NODENAME-}" ] &&
        [ -x /usr/libexec/sifcache/sifcache-shim ]; then
        # The runtimes that have a shim. The shim itself compares them with the plugin's line.
        for _sifcache_file in /usr/libexec/sifcache/bin-*; do
            _sifcache_names=$_sifcache_names,${_sifcache_file##*/bin-}
        done
    fi
    ;;
esac
if [ -n "$_sifcache_names" ]; then
    _sifcache_a='' _sifcache_s='' _sifcache_rest=''
    while [ -n "$_sifcache_names" ]; do
        _sifcache_name=${_sifcache_names%%,*}
        case $_sifcache_names in
        *,*) _sifcache_names=${_sifcache_names#*,} ;;
        *) _sifcache_names='' ;;
        esac
        [ -x "/usr/libexec/sifcache/bin-$_sifcache_name/$_sifcache_name" ] || continue
        _sifcache_file=$(command -v "$_sifcache_name") || continue
        # Functions and aliases are ignored: only a path is a program.
        case $_sifcache_name:$_sifcache_file in
        apptainer:/*) _sifcache_a=$_sifcache_file ;;
        singularity:/*) _sifcache_s=$_sifcache_file ;;
        *:/*) _sifcache_rest=$_sifcache_rest/usr/libexec/sifcache/bin-$_sifcache_name: ;;
        esac
    done
    if [ -n "$_sifcache_a" ] && [ "${_sifcache_a%/*}" = "${_sifcache_s%/*}" ]; then
        # shellcheck disable=SC3013
        if [ "$_sifcache_a" -ef "$_sifcache_s" ]; then
            PATH=/usr/libexec/sifcache/bin-linked:$_sifcache_rest$PATH
        else
            PATH=/usr/libexec/sifcache/bin:$_sifcache_rest$PATH
        fi
    else
        PATH=$_sifcache_rest$PATH
        [ -z "$_sifcache_s" ] || PATH=/usr/libexec/sifcache/bin-singularity:$PATH
        [ -z "$_sifcache_a" ] || PATH=/usr/libexec/sifcache/bin-apptainer:$PATH
    fi
    export PATH
    unset _sifcache_a _sifcache_s _sifcache_rest _sifcache_name _sifcache_file
fi
unset _sifcache_names
