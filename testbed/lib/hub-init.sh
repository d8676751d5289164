# shellcheck shell=bash
# hub-init.sh start|stop|status: runs on host hub, like an init script.

set -euo pipefail
part=hub program=docker-registry port=443 log=/var/log/registry.log
# shellcheck source=daemon.sh
source "${BASH_SOURCE[0]%/*}/daemon.sh"

serve() {
    detach "$log" docker-registry serve /etc/docker/registry/hub.yml
    record
}

case $1 in
    start) start_daemon serve ;;
    stop) stop_daemon ;;
    status) status_of_daemon ;;
esac
