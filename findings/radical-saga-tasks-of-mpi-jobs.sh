#!/bin/bash
# radical.saga 1.103.0 (PyPI): with Slurm, an MPI job requests one task, whatever its number of processes is.
#
# Expected: a job description with 128 processes requests 128 tasks, also with SPMDVariation "MPI", which only says how the
#           processes are started. Without this attribute, the adaptor requests them.
# Actual:   with SPMDVariation, the adaptor leaves out all options for tasks, nodes and processors. The script has only
#           `mpirun -n 128`, and Slurm gives it one processor on one node. No message.
# Affected: MPI jobs: Open MPI reports that there are not enough slots, other implementations start all processes on one
#           processor. ProcessesPerHost and TotalCPUCount change nothing.
#
# sbatch, squeue, scancel and scontrol are stand-ins: sbatch keeps the job script, scontrol shows two nodes.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if radical.saga behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check radical.saga==1.103.0
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^radical.saga '

mkdir bin
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
cp "$1" "$(dirname "$0")/../submitted"
echo 'Submitted batch job 1'
END_OF_SBATCH
cat >bin/scontrol <<'END_OF_SCONTROL'
#!/bin/bash
case $* in
    --version) echo 'slurm 26.05.5' ;;
    'show nodes') printf 'NodeName=n%d CPUAlloc=0 CPUEfctv=64 CPUTot=64 CPULoad=0.0\n' 1 2 ;;
    *) echo 'JobId=1 JobName=job JobState=PENDING ExitCode=0:0 RunTime=00:00:00 NodeList=(null)' ;;
esac
END_OF_SCONTROL
printf '#!/bin/bash\n' >bin/squeue
cp bin/squeue bin/scancel
chmod 755 bin/*
cat >submit.py <<'END_OF_PROGRAM'
import sys
import radical.saga as saga

service = saga.job.Service("slurm://localhost")
description = saga.job.Description()
description.executable = "/opt/model"
description.queue = "main"
description.wall_time_limit = 60
description.total_cpu_count = 128
description.number_of_processes = 128
description.system_architecture = {}
for setting in sys.argv[1:]:
    name, value = setting.split("=")
    setattr(description, name, int(value) if value.isdigit() else value)
job = service.create_job(description)
job.run()
service.close()
END_OF_PROGRAM
# submit SETTING...: submits a job with these settings, and prints the requested resources and the command.
submit() {
    printf '128 processes%s:\n' "${*:+, $*}"
    rm -f submitted
    PATH=$work/bin:$PATH HOME=$work timeout 60 python/bin/python submit.py "$@" >>log 2>&1
    grep -e '^#SBATCH' -e /opt/model submitted | grep -v -e --output -e --error | sed 's/^/    /; s/ *$//'
}
{
    submit
    submit spmd_variation=MPI
    submit spmd_variation=MPI processes_per_host=32
} | tee output
[[ $(<output) == '128 processes:
    #SBATCH --ntasks=128
    #SBATCH --ntasks-per-node=64
    #SBATCH --partition "main"
    #SBATCH --time 01:00:00
    /opt/model
128 processes, spmd_variation=MPI:
    #SBATCH --partition "main"
    #SBATCH --time 01:00:00
    mpirun -n 128 /opt/model
128 processes, spmd_variation=MPI processes_per_host=32:
    #SBATCH --partition "main"
    #SBATCH --time 01:00:00
    mpirun -n 128 /opt/model' ]]
