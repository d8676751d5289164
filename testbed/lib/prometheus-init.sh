# shellcheck shell=bash
# prometheus-init.sh start|stop|status exporter|server: runs on a host, like an init script.

set -euo pipefail
action=$1
part=$2
pid_file=/run/prometheus-$part.pid
textfiles=/var/lib/prometheus/node-exporter
data=/tmp/prometheus
config=/run/prometheus.yml
# shellcheck source=process.sh
source "${BASH_SOURCE[0]%/*}/process.sh"

case $part in
    exporter) port=9100 log=/var/log/node-exporter.log program=prometheus-node-exporter ;;
    server) port=9090 log=/var/log/prometheus.log program=prometheus ;;
esac

running() {
    local pid
    # The kernel cuts names to 15 bytes.
    pid=$(cat "$pid_file" 2>/dev/null) && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "${program:0:15}" ]]
}

answers() { (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

gone() { ! running; }

await() {
    local tries
    for ((tries = 0; tries < 500; tries++)); do
        if "$@"; then return 0; fi
        sleep 0.02
    done
    printf 'testbed: %s: not done after 10 s: see %s\n' "$part" "$log" >&2
    exit 1
}

# as_prometheus COMMAND…: with the privileges of Debian's services.
as_prometheus() {
    detach "$log" setpriv --reuid=prometheus --regid=prometheus --clear-groups -- "$@"
    printf '%s\n' "$!" >"$pid_file"
}

start_exporter() {
    mkdir -p "$textfiles"
    as_prometheus prometheus-node-exporter --web.listen-address=:9100 \
        --collector.disable-defaults --collector.textfile --collector.textfile.directory="$textfiles"
}

start_server() {
    rm -rf "$data"
    install -d -o prometheus -g prometheus "$data"
    cat >"$config" <<'END'
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [/etc/prometheus/rules.yml]
scrape_configs:
  - job_name: node
    static_configs:
      - targets: ["ctl:9100"]
END
    as_prometheus prometheus --config.file="$config" --storage.tsdb.path="$data" \
        --web.listen-address=:9090
}

start() {
    running || "start_$part"
    await answers
}

stop() {
    running || return 0
    kill "$(cat "$pid_file")"
    await gone
    rm -f "$pid_file"
}

case $action in
    start | stop) "$action" ;;
    status) if running; then printf '%s started\n' "$part"; else printf '%s stopped\n' "$part"; fi ;;
esac
