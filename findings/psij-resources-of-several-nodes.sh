#!/bin/bash
# psij-python 0.9.11 (PyPI): the memory of a job is requested for each node, and the cores of a process only from Slurm.
#
# Expected: ResourceSpecV1: `memory` is "the total amount, in bytes, of memory requested for the job", and
#           `cpu_cores_per_process` is the number of cores for each process, with each batch system.
# Actual:   for Slurm, all memory of the job goes to `--mem`, a limit for each node, and for PBS Pro to `mem=` of each
#           chunk. With 4 nodes, 64 GiB become 256 GiB. The scripts for PBS Pro and LSF omit the cores: with PBS Pro, 2
#           processes with 8 cores each get `ncpus=2`. No message.
# Affected: programs that use PSI/J to be independent of the batch system: jobs with several nodes wait for memory that
#           they do not use, and with PBS Pro or LSF, the threads of a process share one core.
#
# sbatch, qsub and bsub are stand-ins that copy the script which they get.
# Requires Python 3.8 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if psij-python behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check psij-python==0.9.11
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^psij-python '

mkdir bin home
# The script is the last argument of each command.
cat >bin/sbatch <<'END_OF_COMMAND'
#!/bin/bash
cat "${@: -1}" >"$STAND_IN.script"
case $STAND_IN in
    slurm) echo 'Submitted batch job 1' ;;
    lsf) echo 'Job <1> is submitted to default queue <normal>.' ;;
    *) echo 1.server ;;
esac
END_OF_COMMAND
chmod 755 bin/sbatch
ln -s sbatch bin/qsub
ln -s sbatch bin/bsub
cat >submit.py <<'END_OF_PROGRAM'
import os, sys
from psij import Job, JobExecutor, JobSpec, ResourceSpecV1

resources = ResourceSpecV1(node_count=4, processes_per_node=2, cpu_cores_per_process=8, memory=64 * 2**30)
JobExecutor.get_instance(sys.argv[1]).submit(Job(JobSpec(executable="/bin/true", resources=resources)))
os._exit(0)
END_OF_PROGRAM
for name in slurm pbs lsf; do
    env PATH="$work/bin:$PATH" HOME="$work/home" STAND_IN="$name" timeout 60 python/bin/python submit.py "$name"
    printf '%s:\n' "$name"
    grep -E '^#(SBATCH|PBS|BSUB) .*(nodes|tasks|cpus|mem|-n|-M)' "$name.script" | sed 's/^/    /'
done | tee output
[[ $(<output) == 'slurm:
    #SBATCH --nodes=4
    #SBATCH --ntasks=8
    #SBATCH --ntasks-per-node=2
    #SBATCH --cpus-per-task=8
    #SBATCH --mem=67108864K
pbs:
    #PBS -l select=4:ncpus=2:mpiprocs=2:mem=68719476736
lsf:
    #BSUB -nnodes 4
    #BSUB -n 8
    #BSUB -M 67108864KB' ]]
