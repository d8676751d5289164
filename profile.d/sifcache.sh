# shellcheck shell=sh
# Login shells replace PATH, which removes the shims of sifcache from it. In a Slurm job with
# nested=path, this file puts the shims in front again, but only the shims of runtimes that are
# found in PATH. Otherwise it does nothing.
#
# Because of its name, it is one of the last files in /etc/profile.d, after module systems. It does
# not rely on word splitting, which zsh does not do by default.
if [ -n "${SINGULARITY_SIFCACHE-}" ] && [ -n "${PATH-}" ]; then
    case " $SINGULARITY_SIFCACHE :$PATH:" in
    *" nested=preload"[[:space:]]* | *:/usr/libexec/sifcache/bin[:-]*) ;;
    *)
        # The runtimes in the plugin's line that have a shim here. Slurm does not remove the carriage
        # return of a Windows line end.
        _sifcache_names=singularity,apptainer
        case " $SINGULARITY_SIFCACHE" in
        *" runtimes="*)
            _sifcache_names=" $SINGULARITY_SIFCACHE"
            _sifcache_names=${_sifcache_names##* runtimes=}
            _sifcache_names=${_sifcache_names%%[[:space:]]*}
            ;;
        esac
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
        unset _sifcache_a _sifcache_s _sifcache_rest _sifcache_names _sifcache_name _sifcache_file
        ;;
    esac
fi
