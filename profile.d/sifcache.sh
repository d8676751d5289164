# shellcheck shell=sh
# Login shells set PATH anew, and leave the shims of sifcache out. In a Slurm job with
# nested=path this puts them back in front: those of the runtimes that PATH has, and no other.
# Anywhere else it does nothing.
#
# The file's name makes it one of the last in /etc/profile.d, after module systems.
if [ -n "${SINGULARITY_SIFCACHE-}" ] && [ -n "${PATH-}" ]; then
    case " $SINGULARITY_SIFCACHE :$PATH:" in
    *" nested=preload "* | *:/usr/libexec/sifcache/bin[:-]*) ;;
    *)
        _sifcache_a=$(command -v apptainer) || _sifcache_a=
        _sifcache_s=$(command -v singularity) || _sifcache_s=
        # Neither a function nor an alias is a program.
        case $_sifcache_a in /*) ;; *) _sifcache_a= ;; esac
        case $_sifcache_s in /*) ;; *) _sifcache_s= ;; esac
        if [ -n "$_sifcache_a" ] && [ "${_sifcache_a%/*}" = "${_sifcache_s%/*}" ]; then
            # shellcheck disable=SC3013
            if [ "$_sifcache_a" -ef "$_sifcache_s" ]; then
                PATH=/usr/libexec/sifcache/bin-linked:$PATH
            else
                PATH=/usr/libexec/sifcache/bin:$PATH
            fi
        else
            [ -z "$_sifcache_s" ] || PATH=/usr/libexec/sifcache/bin-singularity:$PATH
            [ -z "$_sifcache_a" ] || PATH=/usr/libexec/sifcache/bin-apptainer:$PATH
        fi
        export PATH
        unset _sifcache_a _sifcache_s
        ;;
    esac
fi
