# shellcheck shell=bash
# prometheus-init.sh start|stop|status exporter|server: runs on a host, like an init script.

set -euo pipefail
action=$1
part=$2
textfiles=/var/lib/prometheus/node-exporter
data=/tmp/prometheus
config=/run/prometheus.yml

case $part in
    exporter) port=9100 log=/var/log/node-exporter.log program=prometheus-node-exporter ;;
    server) port=9090 log=/var/log/prometheus.log program=prometheus ;;
esac

# shellcheck source=daemon.sh
source "${BASH_SOURCE[0]%/*}/daemon.sh"

# as_prometheus COMMAND…: with the privileges of Debian's services.
as_prometheus() {
    detach "$log" setpriv --reuid=prometheus --regid=prometheus --clear-groups -- "$@"
    record
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

case $action in
    start) start_daemon "start_$part" ;;
    stop) stop_daemon ;;
    status) printf '%s %s\n' "$part" "$(status_of_daemon)" ;;
esac
