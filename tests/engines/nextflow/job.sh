#!/bin/bash
# Nextflow needs Java and packages that PyPI does not have. These are lines of the form that its source
# builds by default: a pull to a temporary name in its cache, a rename, and a launch of the file.
NXF_TASK_WORKDIR=$PWD
# Nextflow only reads its library, and never writes there.
library=${VIEW:-$PWD}/nextflow
mkdir -p cache
image=$library/alpine-3.20.img
if [[ ! -e $image ]]; then
    image=$PWD/cache/alpine-3.20.img
    (cd cache && bash -c "apptainer pull  --name alpine-3.20.img.pulling.$(date +%s)000 docker://alpine:3.20 > /dev/null") &&
        mv cache/*.pulling.* "$image" || exit
fi
env - PATH="$PATH" ${TMP:+APPTAINERENV_TMP="$TMP"} ${TMPDIR:+APPTAINERENV_TMPDIR="$TMPDIR"} \
    ${NXF_TASK_WORKDIR:+APPTAINERENV_NXF_TASK_WORKDIR="$NXF_TASK_WORKDIR"} \
    apptainer exec --no-home --pid -B "$PWD" "$image" /bin/sh -c "cd \"$NXF_TASK_WORKDIR\"; cat /etc/image-name"
