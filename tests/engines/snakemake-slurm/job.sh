#!/bin/bash
# Snakemake pulls here, and each rule is a job of its own. The image has no bash, so one is bound.
export APPTAINER_BIND=/shared/engines/bash:/bin/bash
prefix=()
[[ -z $VIEW ]] || prefix=(--apptainer-prefix "$VIEW/snakemake")
"$VENV/bin/snakemake" --executor slurm --slurm-no-account --slurm-init-seconds-before-status-checks 2 --jobs 1 \
    --sdm apptainer "${prefix[@]}" --default-resources "slurm_partition=\"$SLURM_JOB_PARTITION\"" --latency-wait 5 \
    -- a.txt && cat a.txt
