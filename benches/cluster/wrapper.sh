#!/bin/bash
# What a site writes by hand in the runtime's place: each docker:// argument that has a file
# under the image root becomes its path. Wrong for `exec image.sif echo docker://x`, for
# copies in progress, and for files that somebody else could have written.
root=/shared/sif
arguments=()
for argument; do
	file=$root/${argument#docker://}
	if [[ $argument == docker://* && -r $file ]]; then argument=$file; fi
	arguments+=("$argument")
done
exec "${REAL_RUNTIME:-/usr/bin/apptainer}" "${arguments[@]}"
