# shellcheck shell=bash
# node_exporter on ctl, and a Prometheus on host hub that scrapes it over the network.

prometheus() {
    local name=$1 action=$2
    case $action in
        start | status) prometheus_on ctl exporter && prometheus_on hub server ;;
        stop) prometheus_on hub server && prometheus_on ctl exporter ;;
        *) usage_error "prometheus $action: not one of start, stop, status" ;;
    esac
}

# prometheus_on HOST PART, with name and action of the caller.
prometheus_on() {
    run_in_host "$name" "$1" root / /bin/bash /run/testbed/prometheus-init.sh "$action" "$2"
}
