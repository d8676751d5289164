#!/bin/bash
# The operator without a scheduler: its execute() is called directly.
export AIRFLOW_HOME=$PWD/airflow AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=sqlite:////tmp/airflow-$SLURM_JOB_ID.db
"$VENV/bin/python3" - <<'P'
from airflow.providers.singularity.operators.singularity import SingularityOperator

SingularityOperator(
    task_id="launch",
    image="docker://alpine:3.20",
    command="cp /etc/image-name /mnt/o.txt",
    volumes=["/home/alice/engine:/mnt"],
).execute({})
P
status=$?
cat o.txt
(exit "$status")
