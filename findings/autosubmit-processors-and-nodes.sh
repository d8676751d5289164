#!/bin/bash
# autosubmit 4.1.17.1 (PyPI): with Slurm, a job with a number of nodes loses its number of processors.
#
# Expected: `PROCESSORS: 8` becomes `#SBATCH -n 8`, and `NODES: 2` becomes `#SBATCH --nodes=2`, as each of them does
#           alone.
# Actual:   with NODES, the script has no `-n`. `NODES: 1` is left out as well, as all values of 1 are, so that the job
#           requests neither: by default, Slurm gives it one task with one processor. No message.
# Affected: jobs that set both, for instance to have all processes on one node: an MPI program starts one process
#           instead of 8, or one on each node. `TASKS: 1`, for one process on each node, is left out, too.
#
# `autosubmit inspect` writes the job scripts; nothing is submitted, and the platform's host is not contacted.
# Requires Python 3.9 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if autosubmit behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check autosubmit==4.1.17.1
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^autosubmit '

autosubmit() {
    env -i HOME="$work" LANG=C.UTF-8 USER=user PATH="$work/python/bin:$PATH" autosubmit "$@" >>log 2>&1 ||
        { cat log; exit 1; }
}
autosubmit configure
autosubmit install
autosubmit expid --HPC cluster --description experiment --minimal_configuration
cat >autosubmit/a000/conf/minimal.yml <<'END_OF_EXPERIMENT'
CONFIG: {AUTOSUBMIT_VERSION: 4.1.17.1, MAXWAITINGJOBS: 20, TOTALJOBS: 20}
DEFAULT: {EXPID: a000, HPCARCH: cluster, CUSTOM_CONFIG: ""}
PROJECT: {PROJECT_TYPE: none}
EXPERIMENT:
  {DATELIST: 20260101, MEMBERS: m1, CHUNKSIZEUNIT: month, CHUNKSIZE: 1, NUMCHUNKS: 1, CHUNKINI: "", CALENDAR: standard}
PLATFORMS:
  CLUSTER:
    {TYPE: slurm, HOST: login.example.org, USER: user, PROJECT: account, SCRATCH_DIR: /scratch, QUEUE: normal}
JOBS:
  J1: {SCRIPT: srun model, PLATFORM: cluster, RUNNING: once, WALLCLOCK: "01:00", PROCESSORS: 8}
  J2: {SCRIPT: srun model, PLATFORM: cluster, RUNNING: once, WALLCLOCK: "01:00", PROCESSORS: 8, NODES: 2}
  J3: {SCRIPT: srun model, PLATFORM: cluster, RUNNING: once, WALLCLOCK: "01:00", PROCESSORS: 8, NODES: 1}
  J4: {SCRIPT: srun model, PLATFORM: cluster, RUNNING: once, WALLCLOCK: "01:00", NODES: 4, TASKS: 2}
  J5: {SCRIPT: srun model, PLATFORM: cluster, RUNNING: once, WALLCLOCK: "01:00", PROCESSORS: 8, TASKS: 1}
END_OF_EXPERIMENT
autosubmit create --noplot a000
autosubmit inspect --force a000
for job in J{1..5}; do
    printf '%s:\n' "$(sed -n "s/^  $job: .*\"01:00\", \(.*\)}/\1/p" autosubmit/a000/conf/minimal.yml)"
    sed -nE 's/^#SBATCH (-n|--nodes|--ntasks)/    \1/p' "autosubmit/a000/tmp/a000_$job.cmd"
done | tee output
[[ $(<output) == 'PROCESSORS: 8:
    -n 8
PROCESSORS: 8, NODES: 2:
    --nodes=2
PROCESSORS: 8, NODES: 1:
NODES: 4, TASKS: 2:
    --ntasks-per-node=2
    --nodes=4
PROCESSORS: 8, TASKS: 1:
    -n 8' ]]
