# shellcheck shell=bash
# init.sh HOST: the first process of a host, inside its root file system. Starts the host's daemons,
# then reaps processes that end.

set -euo pipefail

start_syslog() {
    rsyslogd
}

start_munge() {
    install -d -o munge -g munge -m 755 /run/munge
    install -d -o munge -g munge -m 700 /var/lib/munge /var/log/munge
    setpriv --reuid=munge --regid=munge --init-groups munged --force
}

# Like Debian's unit file.
start_slurmd() {
    local SLURMD_OPTIONS=''
    # shellcheck source=/dev/null
    source /etc/default/slurmd
    # shellcheck disable=SC2086 # words
    slurmd $SLURMD_OPTIONS
}

start_daemons() {
    start_syslog
    case $1 in
        hub) ;;
        ctl)
            start_munge
            slurmctld
            ;;
        *)
            start_munge
            start_slurmd
            ;;
    esac
}

start_daemons "$1"
: >/run/ready
# While it waits for a child, bash also reaps processes that it did not start.
while :; do
    sleep 3600 &
    wait "$!" || :
done
