#!/bin/bash
# pulsar-app 0.16.0 (PyPI): with the plugin for Slurm, a running job counts as complete if one query of its state fails.
#
# Expected: squeue fails while Slurm's controller restarts or is overloaded, and says nothing about the job then. Pulsar
#           repeats the query, as its monitor does after an exception.
# Actual:   Pulsar ignores the exit status and the error message of squeue. Any answer without a line for the job means
#           that the job has left the queue: it gets the final state `complete`. No message, and no further query.
# Affected: jobs of Galaxy on clusters that Pulsar reaches with `queued_cli`: after one failed query during a restart of
#           the controller, a job has ended for Galaxy, which collects its outputs as they are at this time. The job
#           goes on in Slurm.
#
# sbatch and squeue are stand-ins: squeue fails, or prints the state of the job, as the file `state` says.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if pulsar-app behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check pulsar-app==0.16.0
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^pulsar-app '

mkdir bin
printf '#!/bin/bash\necho Submitted batch job 7\n' >bin/sbatch
cat >bin/squeue <<'END_OF_SQUEUE'
#!/bin/bash
if [[ $(<"$WORK/state") == down ]]; then
    echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2
    exit 1
fi
printf 'JOBID ST\n7 %s\n' "$(<"$WORK/state")"
END_OF_SQUEUE
chmod 755 bin/*
cat >job.py <<'END_OF_PROGRAM'
import os, time
from pathlib import Path
from pulsar.core import PulsarApp
work = os.environ["WORK"]
Path("state").write_text("R")
app = PulsarApp(config_dir=work, staging_directory=f"{work}/staging", persistence_directory=f"{work}/jobs",
                managers={"_default_": {"type": "queued_cli", "shell_plugin": "LocalShell", "job_plugin": "Slurm"}})
manager = app.only_manager
job = manager.setup_job("1", "tool", "1.0")
manager.preprocess_and_launch(job, {"command_line": "model"})
for state in "R", "down", "R":
    Path("state").write_text(state)
    for _ in range(100):
        status = manager.get_status(job)
        if status in ("running", "complete"):
            break
        time.sleep(0.1)
    print(f"squeue: {state}, Pulsar: {status}, exit status of the job: {manager.return_code(job)}", flush=True)
os._exit(0)
END_OF_PROGRAM
env HOME="$work" WORK="$work" PATH="$work/bin:$PATH" timeout 100 python/bin/python job.py 2>log | tee output ||
    { cat log; exit 1; }
[[ $(grep ^squeue output) == 'squeue: R, Pulsar: running, exit status of the job: __unknown__
squeue: down, Pulsar: complete, exit status of the job: __unknown__
squeue: R, Pulsar: complete, exit status of the job: __unknown__' ]]
