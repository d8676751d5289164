#!/bin/bash
# Snakemake pulls here, and each rule is a job of its own. The image has no bash, so one is bound.
# The testbed has no accounting, so sacct, the default, never finds the end of a job.
export APPTAINER_BIND=/shared/engines/bash:/bin/bash
prefix=()
[[ -z $VIEW ]] || prefix=(--apptainer-prefix "$VIEW/snakemake")
"$VENV/bin/snakemake" --executor slurm --slurm-no-account --slurm-status-command squeue \
    --slurm-init-seconds-before-status-checks 2 --default-resources "slurm_partition=\"$SLURM_JOB_PARTITION\"" \
    --jobs 1 --sdm apptainer "${prefix[@]}" --latency-wait 5 -- a.txt && cat a.txt
