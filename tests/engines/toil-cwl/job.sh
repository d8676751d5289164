#!/bin/bash
# The whole of Toil runs inside this job.
[[ -z $VIEW ]] || export CWL_SINGULARITY_CACHE=$VIEW/cwltool
PATH=$PATH:$VENV/bin
toil-cwl-runner --singularity --jobStore "$PWD/store" --workDir /tmp --outdir "$PWD/o" --retryCount 0 \
    --defaultMemory 100Mi --defaultDisk 100Mi --disableProgress --logError tool.cwl && cat o/o.txt
