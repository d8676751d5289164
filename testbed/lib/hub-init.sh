# shellcheck shell=bash
# hub-init.sh start|stop|status: runs on host hub, like an init script.

set -euo pipefail
pid_file=/run/hub.pid
# shellcheck source=process.sh
source "${BASH_SOURCE[0]%/*}/process.sh"

running() {
    local pid
    pid=$(cat "$pid_file" 2>/dev/null) && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == docker-registry ]]
}

answers() { (: >/dev/tcp/127.0.0.1/443) 2>/dev/null; }

await() {
    local tries
    for ((tries = 0; tries < 500; tries++)); do
        if "$@"; then return 0; fi
        sleep 0.02
    done
    printf 'testbed: hub: not done after 10 s: see /var/log/registry.log on host hub\n' >&2
    exit 1
}

start() {
    running || {
        detach /var/log/registry.log docker-registry serve /etc/docker/registry/hub.yml
        printf '%s\n' "$!" >"$pid_file"
    }
    await answers
}

gone() { ! running; }

stop() {
    running || return 0
    kill "$(cat "$pid_file")"
    await gone
    rm -f "$pid_file"
}

case $1 in
    start) start ;;
    stop) stop ;;
    status) if running; then echo started; else echo stopped; fi ;;
esac
