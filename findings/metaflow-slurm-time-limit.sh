#!/bin/bash
# metaflow-slurm 0.0.4 (PyPI) with metaflow 2.19.39: each job requests a time limit of 300 days, and `@timeout` does not
# change it.
#
# Expected: `slurm step --help`: "--run-time-limit INTEGER: Run time limit in seconds for Slurm job", with a default of
#           five days in the source, as in Metaflow's decorators for other systems, which also take the limit from
#           @timeout.
# Actual:   the number of seconds becomes `#SBATCH --time=432000`. sbatch(1): a number alone is minutes. The decorator
#           never sets the limit, so a step with @timeout(minutes=30) gets the same line.
# Affected: partitions with a maximum below 300 days: the job is refused, or stays pending with the reason
#           PartitionTimeLimit. Elsewhere, no job starts early by backfill or before a maintenance, and a job that hangs
#           is not ended. @slurm has no parameter for the limit.
#
# The SSH library asyncssh is a stand-in that runs the commands on this machine. sbatch prints the options in the script
# that it gets, and scontrol reports that the job failed, so that Metaflow ends. The code package is not fetched.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if metaflow-slurm behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check metaflow-slurm==0.0.4 metaflow==2.19.39
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^metaflow'

mkdir bin library
cat >library/asyncssh.py <<'END_OF_LIBRARY'
import shutil, subprocess
class Connection:
    async def run(self, command):
        command = command.replace("source /etc/profile", "")
        return subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    def close(self):
        pass
async def connect(*arguments, **options):
    return Connection()
async def scp(source, target, **options):
    shutil.copy(source, target[1])
def read_private_key(path):
    return path
END_OF_LIBRARY
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
sed -nE 's/^#SBATCH --(partition|mem|time)/    \1/p' "$1" >>"$STAND_IN/submitted"
echo 'Submitted batch job 42'
END_OF_SBATCH
printf '#!/bin/bash\necho "JobId=42 JobState=FAILED Reason=NonZeroExitCode"\n' >bin/scontrol
chmod 755 bin/*
touch key
cat >template <<'END_OF_FLOW'
from metaflow import FlowSpec, slurm, step, timeout
from metaflow.metaflow_environment import MetaflowEnvironment
from metaflow_extensions.slurm_ext.plugins.slurm import slurm as plugin

MetaflowEnvironment.get_package_commands = lambda *arguments, **options: ["true"]
plugin.get_log_tailer = lambda location, datastore: []

class Flow(FlowSpec):
    DECORATOR
    @slurm(partition="main", memory="4G")
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    Flow()
END_OF_FLOW

# metaflow ARGUMENT...: starts the flow.
metaflow() {
    env PATH="$work/bin:$PATH" PYTHONPATH="$work/library" HOME="$work" USERNAME=user STAND_IN="$work" \
        METAFLOW_SLURM_USERNAME=user METAFLOW_SLURM_ADDRESS=host METAFLOW_SLURM_SSH_KEY_FILE="$work/key" \
        METAFLOW_SLURM_REMOTE_WORKDIR="$work/remote" timeout 120 python/bin/python flow.py "$@"
}
# submit DECORATOR: runs the flow with this decorator, and prints the options of the job.
submit() {
    rm -f submitted
    sed "s/DECORATOR/$1/" template >flow.py
    metaflow --no-pylint run >log 2>&1 || :
    printf '%s:\n' "${1:-no decorator}"
    cat submitted
}
{
    submit ''
    submit '@timeout(minutes=30)'
    metaflow slurm step --help 2>/dev/null | sed -n 's/^ *--run-time-limit/slurm step --run-time-limit/p' | tr -s ' '
} | tee output
[[ $(<output) == 'no decorator:
    partition=main
    mem=4G
    time=432000
@timeout(minutes=30):
    partition=main
    mem=4G
    time=432000
slurm step --run-time-limit INTEGER Run time limit in seconds for Slurm job.' ]]
