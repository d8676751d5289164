#!/bin/bash
# Nextflow needs Java and packages that PyPI does not have. This is a line of the form that its source
# builds with `ociAutoPull`: the reference itself is executed, with an almost empty environment.
NXF_TASK_WORKDIR=$PWD
env - PATH="$PATH" ${TMP:+APPTAINERENV_TMP="$TMP"} ${TMPDIR:+APPTAINERENV_TMPDIR="$TMPDIR"} \
    ${NXF_TASK_WORKDIR:+APPTAINERENV_NXF_TASK_WORKDIR="$NXF_TASK_WORKDIR"} \
    apptainer exec --no-home --pid -B "$PWD" docker://alpine:3.20 \
    /bin/sh -c "cd \"$NXF_TASK_WORKDIR\"; cat /etc/image-name"
