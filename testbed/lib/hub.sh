# shellcheck shell=bash
# The registry on host hub. `up` does not start it: without a registry, only a local image can make
# a run of docker://… succeed.

hub() {
    local name=$1 action=$2
    case $action in
        start | stop | status) run_in_host "$name" hub root / /bin/bash /run/testbed/hub-init.sh "$action" ;;
        *) usage_error "hub $action: not one of start, stop, status" ;;
    esac
}
