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

# Slurm's accounting. Nothing of it survives the cluster, so the database does not wait for the disk.
# slurmctld does not start without an answer of slurmdbd.
start_accounting() {
    install -d -o mysql -g mysql -m 755 /run/mysqld
    # Newer packages have the socket there.
    ln -s mysqld /run/mariadbd
    mariadbd --user=mysql --skip-networking --innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync \
        --loose-innodb-snapshot-isolation=OFF \
        --innodb-buffer-pool-size=32M >/var/log/mariadb.log 2>&1 &
    await_connection mariadbd mariadb-admin --silent ping
    # slurmdbd creates it, but not with the client library of MariaDB 11.8.9: a second connection
    # attempt with the same handle, after one to an unknown database, then accepts no columns.
    mariadb --execute='create database if not exists slurm_acct_db'
    slurmdbd
    await_connection slurmdbd timeout 1 bash -c ': </dev/tcp/ctl/6819'
}

# await_connection WHAT COMMAND…
await_connection() {
    local deadline=$((SECONDS + 20)) what=$1
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS <= deadline)) || {
            printf '%s: no answer after 20 s\n' "$what" >&2
            exit 1
        }
        sleep 0.05
    done
}

start_daemons() {
    start_syslog
    case $1 in
        hub) ;;
        ctl)
            start_munge
            if [[ -x /usr/sbin/slurmdbd ]]; then start_accounting; fi
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
