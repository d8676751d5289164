#!/bin/bash
# qtoolkit 0.1.7 (PyPI): with Slurm, a job on several nodes requests its number of GPUs on each of them.
#
# Expected: QResources, `gpus_per_job`: the number of GPUs of the job. sbatch(1), `--gpus`, is the option for it.
# Actual:   qtoolkit writes `--gres=gpu:NUMBER`. sbatch(1), `--gres`: the resources are those of each node. A job of 4
#           nodes with `gpus_per_job=8` requests 32 GPUs. No message.
# Affected: jobs on several nodes, also those of jobflow-remote, which submits with qtoolkit. On nodes with 8 GPUs, this
#           job gets and is charged for four times as many GPUs as requested; on nodes with fewer GPUs, it is refused.
#
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if qtoolkit behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check qtoolkit==0.1.7
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^qtoolkit '

cat >scripts.py <<'END_OF_PROGRAM'
from qtoolkit.core.data_objects import ProcessPlacement, QResources
from qtoolkit.io.slurm import SlurmIO
for nodes in 1, 2, 4:
    resources = QResources(nodes=nodes, processes_per_node=8 // nodes, gpus_per_job=8,
                           process_placement=ProcessPlacement.EVENLY_DISTRIBUTED)
    lines = SlurmIO().get_submission_script("srun model", resources).splitlines()
    print("8 GPUs per job:", *(line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")))
END_OF_PROGRAM
python/bin/python scripts.py | tee output
[[ $(<output) == '8 GPUs per job: --nodes=1 --ntasks-per-node=8 --gres=gpu:8
8 GPUs per job: --nodes=2 --ntasks-per-node=4 --gres=gpu:8
8 GPUs per job: --nodes=4 --ntasks-per-node=2 --gres=gpu:8' ]]
