#!/usr/bin/env bash
# layouts.sh DIRECTORY BUSYBOX MB...: writes OCI layouts of images of these sizes, each into
# DIRECTORY/MB, as the testbed makes those of its hub.
set -euo pipefail
here=$(dirname -- "$(realpath -- "$0")")
source "$here/../../testbed/lib/images.sh"
directory=$1 busybox=$2
for megabytes in "${@:3}"; do
	write_layout "$directory/$megabytes" "bench/env:$megabytes" "$megabytes" "$busybox"
done
