#!/bin/bash
# The image has no bash, so one is bound.
export APPTAINER_BIND=/shared/engines/bash:/bin/bash
[[ -z $VIEW ]] || export MINIWDL__SINGULARITY__IMAGE_CACHE=$VIEW/miniwdl
PATH=$PATH:$VENV/bin
toil-wdl-runner --container singularity --jobStore "$PWD/store" --workDir /tmp --outputDirectory "$PWD/o" \
    --retryCount 0 --defaultMemory 100Mi --defaultDisk 100Mi --disableProgress --logError hello.wdl -m o.json &&
    python3 -c 'import json; print(json.load(open("o.json"))["w.o"])'
