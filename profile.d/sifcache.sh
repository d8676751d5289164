# shellcheck shell=sh
# Login shells set PATH anew, and leave the shims of sifcache out. In a Slurm job with
# nested=path this puts them back in front; anywhere else it does nothing.
#
# The file's name makes it one of the last in /etc/profile.d, after module systems.
if [ -n "${SINGULARITY_SIFCACHE-}" ] && [ -n "${PATH-}" ]; then
    case " $SINGULARITY_SIFCACHE :$PATH:" in
    *" nested=preload "* | *:/usr/libexec/sifcache/bin:*) ;;
    *)
        PATH=/usr/libexec/sifcache/bin:$PATH
        export PATH
        ;;
    esac
fi
