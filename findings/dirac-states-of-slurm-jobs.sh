#!/bin/bash
# DIRAC 9.1.22 (PyPI): the state of a Slurm job that somebody cancelled, or that ended for lack of memory, is Unknown.
#
# Expected: sacct(1), "State": the UID that cancelled a job follows the state, as in "CANCELLED by 1000". DIRAC has the
#           state Aborted for cancelled jobs. OUT_OF_MEMORY, DEADLINE and BOOT_FAIL are final, as are TIMEOUT and
#           NODE_FAIL, which become Failed.
# Actual:   the state is compared with the word CANCELLED alone, and the other three are missing. All of them become
#           Unknown, as for a job that Slurm does not list, such as the job 9 here.
# Affected: sites whose pilots run in Slurm, with LocalComputingElement or SSHComputingElement. DIRAC counts Unknown
#           among the states of pilots that may still run, and sets Aborted after an hour. A pilot that needed too much
#           memory never counts as Failed.
#
# sacct is a stand-in that prints one job for each state.
# Requires Python 3.11 or later with venv, and PyPI; nothing is installed. The class for Slurm needs no other package,
# and is loaded from its file, as DIRAC does it on a remote host.
# Exit status: 0 if DIRAC behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check --no-deps DIRAC==9.1.22
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^DIRAC '

mkdir bin
cat >bin/sacct <<'END_OF_SACCT'
#!/bin/bash
printf '%s\n' 1,COMPLETED 2,TIMEOUT 3,NODE_FAIL 4,PREEMPTED '5,CANCELLED by 1000' 6,OUT_OF_MEMORY 7,DEADLINE 8,BOOT_FAIL
END_OF_SACCT
chmod 755 bin/sacct
cat >states.py <<'END_OF_PROGRAM'
import os, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from SLURM import SLURM
jobs = [str(number) for number in range(1, 10)]
for job, state in sorted(SLURM().getJobStatus(JobIDList=jobs)["Jobs"].items()):
    print(job, state)
END_OF_PROGRAM
file=$(find python -path '*/BatchSystems/SLURM.py')
PATH="$work/bin:$PATH" python/bin/python states.py "$file" | tee output
[[ $(<output) == '1 Done
2 Failed
3 Failed
4 Aborted
5 Unknown
6 Unknown
7 Unknown
8 Unknown
9 Unknown' ]]
