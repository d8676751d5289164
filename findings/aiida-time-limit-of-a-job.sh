#!/bin/bash
# aiida-core 2.9.4 (PyPI): a Slurm job that ended at its time limit has no exit code for it, if the job had written to
# its standard error before.
#
# Expected: without accounting, AiiDA looks for Slurm's message in the standard error of the job, and sets exit code
#           120, "The job ran out of walltime". Workflows submit such a calculation again with other settings.
# Actual:   only the first line of the standard error is searched: the expression is matched from the start of the file,
#           and `.` does not match the end of a line. Slurm's message is the last line. No message, no exit code. The
#           same for exit code 110, "The job ran out of memory".
# Affected: clusters without accounting, or whose sacct fails. Warnings of programs and modules come before Slurm's
#           message, so that it is found only in jobs that write nothing.
#
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed. It takes a minute.
# Exit status: 0 if AiiDA behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check aiida-core==2.9.4
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^aiida-core '

# What Slurm 26.05.5 writes at the time limit of a job, and what older versions wrote for lack of memory.
time_limit='[2026-11-30T15:39:50.004] error: *** JOB 4 ON n1 CANCELLED AT 2026-11-30T15:39:50 DUE TO TIME LIMIT ***'
memory='slurmstepd: error: Step 42.0 exceeded memory limit (2097156 > 1048576), being killed'
printf '%s\n' "$time_limit" >silent
printf 'step 1 of 9\n%s\n' "$time_limit" >one-line-before
printf '%s\n' "$memory" >memory
printf 'step 1 of 9\n%s\n' "$memory" >memory-one-line-before
cat >parse.py <<'END_OF_PROGRAM'
from aiida.schedulers.plugins.slurm import SlurmScheduler
for name in "silent", "one-line-before", "memory", "memory-one-line-before":
    # Without accounting, `detailed_job_info` is None.
    exit_code = SlurmScheduler().parse_output(detailed_job_info=None, stdout="", stderr=open(name).read())
    print(f"{name}: {exit_code and exit_code.status}")
END_OF_PROGRAM
tail silent one-line-before memory memory-one-line-before
AIIDA_PATH=$work python/bin/python -W ignore parse.py | tee output
[[ $(<output) == 'silent: 120
one-line-before: None
memory: 110
memory-one-line-before: None' ]]
