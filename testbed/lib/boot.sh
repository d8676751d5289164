# shellcheck shell=bash
# boot.sh HOST: starts a host and returns; run inside the cluster's namespaces,
# so that the host becomes a child of the keeper.

set -euo pipefail

# shellcheck source=process.sh
source "${BASH_SOURCE[0]%/*}/process.sh"

# bash starts a background command with SIGINT ignored, and the tasks of slurmd would inherit this.
detach "/run/testbed/state/hosts/$1/boot.log" \
    env --default-signal=INT,QUIT nsenter --net="/run/netns/$1" \
    unshare --mount --uts --ipc --pid --fork bash /run/testbed/lib/host.sh "$1"
