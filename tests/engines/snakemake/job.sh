#!/bin/bash
# The image has no bash, so one is bound.
export APPTAINER_BIND=/shared/engines/bash:/bin/bash
prefix=()
[[ -z $VIEW ]] || prefix=(--apptainer-prefix "$VIEW/snakemake")
"$VENV/bin/snakemake" --cores 1 --sdm apptainer "${prefix[@]}" -- a.txt && cat a.txt
