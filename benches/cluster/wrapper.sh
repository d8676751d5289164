#!/bin/bash
# A wrapper that a site might write by hand to replace the runtime: each docker:// argument that has a
# file under the image root becomes its path. It is wrong for `exec image.sif echo docker://x`, for
# copies in progress, and for files that another user could have written.
root=/shared/sif
arguments=()
for argument; do
	file=$root/${argument#docker://}
	if [[ $argument == docker://* && -r $file ]]; then argument=$file; fi
	arguments+=("$argument")
done
exec "${REAL_RUNTIME:-/usr/bin/apptainer}" "${arguments[@]}"
