#!/usr/bin/env bash
# layout.sh DIRECTORY BUSYBOX MB [NAME]: writes the OCI layout of an image of MB megabytes, in the same
# way as the testbed does for the images of its hub. The image contains its NAME.
set -euo pipefail
here=$(dirname -- "$(realpath -- "$0")")
# shellcheck source=testbed/lib/images.sh
source "$here/../../testbed/lib/images.sh"
write_layout "$1" "${4:-bench/env:$3}" "$3" "$2"
