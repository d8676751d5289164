#!/bin/bash
# gridtk 4.0.0 (PyPI): a job array of Slurm has the state of its last task: an array with failed tasks is completed.
#
# Expected: `gridtk list` has the state of a job. `gridtk list --state FAILED` and `gridtk resubmit` select jobs with
#           failed tasks.
# Actual:   gridtk looks for the id of the array in the output of `sacct --json`. Slurm gives each task an id of its own
#           when it starts, and the last task keeps the id of the array. So the array has the state, the exit code and
#           the nodes of its last task. Other tasks that failed, or that somebody cancelled, have no effect.
# Affected: each array whose last task succeeds: its failed tasks are neither reported nor submitted again. In the other
#           case, one failed task of thousands makes the array a failed one, and `gridtk resubmit` repeats all of them.
#
# sbatch, squeue and sacct are stand-ins. sacct prints what Slurm 26.05.5 prints for an array whose first two of three
# tasks failed, without the fields that gridtk does not read.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if gridtk behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check gridtk==4.0.0
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^gridtk '

mkdir bin
printf '#!/bin/bash\necho Submitted batch job 1\n' >bin/sbatch
printf '#!/bin/bash\n' >bin/squeue
cat >bin/sacct <<'END_OF_SACCT'
#!/usr/bin/env python3
import json
def task(job_id, number, state, exit_code):
    return {"job_id": job_id, "nodes": "node1", "state": {"current": [state], "reason": "None"},
            "array": {"job_id": 1, "task_id": {"set": True, "infinite": False, "number": number}, "task": ""},
            "exit_code": {"return_code": {"set": True, "infinite": False, "number": exit_code},
                          "signal": {"id": {"set": False, "infinite": False, "number": 0}, "name": ""}}}
print(json.dumps({"jobs": [task(2, 0, "FAILED", 1), task(3, 1, "FAILED", 1), task(1, 2, "COMPLETED", 0)]}))
END_OF_SACCT
chmod 755 bin/*
printf '#!/bin/bash\n' >job.sh
gridtk() { PATH="$work/bin:$PATH" COLUMNS=200 python/bin/gridtk "$@"; }
printf 'sacct:\n'
bin/sacct | python3 -c 'import json, sys
for job in json.load(sys.stdin)["jobs"]:
    print("    id", job["job_id"], "task", job["array"]["task_id"]["number"], *job["state"]["current"])'
{
    printf 'gridtk submit --array 0-2: '
    gridtk submit --array 0-2 job.sh
    printf 'gridtk list:\n'
    gridtk list
    printf 'gridtk list --state FAILED: '
    gridtk list --state FAILED
    printf 'gridtk resubmit: '
    gridtk resubmit
} | tee output
grep -Eq '^ +1 +1 +node1 +COMPLETED \(0\) ' output
grep -qx 'gridtk list --state FAILED: No jobs were found.' output
grep -q '^gridtk resubmit: No jobs were resubmitted' output
