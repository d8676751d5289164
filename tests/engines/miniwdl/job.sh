#!/bin/bash
# The image has no bash, so one is bound.
export APPTAINER_BIND=/shared/engines/bash:/bin/bash MINIWDL__SCHEDULER__CONTAINER_BACKEND=singularity
[[ -z $VIEW ]] || export MINIWDL__SINGULARITY__IMAGE_CACHE=$VIEW/miniwdl
PATH=$PATH:$VENV/bin
miniwdl run hello.wdl -o out.json --dir run &&
    python3 -c 'import json; print(json.load(open("out.json"))["outputs"]["w.o"])'
status=$?
((status == 0)) || find run -name stderr.txt -exec tail -n 5 {} +
(exit "$status")
