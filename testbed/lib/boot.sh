# shellcheck shell=bash
# boot.sh HOST: starts a host and returns; run inside the cluster's namespaces,
# so that the host becomes a child of the keeper.

set -euo pipefail

# shellcheck source=process.sh
source "${BASH_SOURCE[0]%/*}/process.sh"

# Tasks of slurmd inherit ignored signals: SIGINT from bash, if this is a background command, and others
# from the program that started it.
detach "/run/testbed/state/hosts/$1/boot.log" \
    env --default-signal nsenter --net="/run/netns/$1" \
    unshare --mount --uts --ipc --pid --fork bash /run/testbed/lib/host.sh "$1"
