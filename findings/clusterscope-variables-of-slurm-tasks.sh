#!/bin/bash
# clusterscope 0.0.32 (PyPI): the variables for torch.distributed say that one process runs on each node, and that it
# has other GPUs than those of the job.
#
# Expected: `set_torch_distributed_env_from_slurm` sets all variables of torch.distributed. LOCAL_WORLD_SIZE is the
#           number of processes on the node, and each process uses a GPU that Slurm has allocated.
# Actual:   LOCAL_WORLD_SIZE is SLURM_NTASKS_PER_NODE, which Slurm sets only for `--ntasks-per-node`, or 1: with
#           `srun -N2 -n4`, it is 1 for all tasks, although LOCAL_RANK goes up to 2. CUDA_VISIBLE_DEVICES, which Slurm
#           sets to the job's GPUs, is replaced with the number of the task on its node. No message.
# Affected: programs that place processes with LOCAL_WORLD_SIZE. Where several jobs share a node without control groups
#           for devices, processes use GPUs of other jobs. With `--gpus-per-task=1` and control groups, where the GPU of
#           each task has the number 0, all tasks but the first one have no GPU.
#
# The variables SLURM_* are those of the four tasks of `srun -N2 -n4` with Slurm 26.05.5. CUDA_VISIBLE_DEVICES has the
# value that Slurm gives it in a job with these GPUs (gres.html).
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if clusterscope behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check clusterscope==0.0.32
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^clusterscope '

mkdir bin
# scontrol show hostnames 'n[1-2]'
printf '#!/bin/bash\nprintf "n1\\nn2\\n"\n' >bin/scontrol
chmod 755 bin/scontrol
cat >task.py <<'END_OF_PROGRAM'
import os, clusterscope
print(f"task {os.environ['SLURM_PROCID']}, GPUs {os.environ['CUDA_VISIBLE_DEVICES']}:")
clusterscope.get_job().set_torch_distributed_env_from_slurm()
names = "WORLD_SIZE", "RANK", "LOCAL_WORLD_SIZE", "LOCAL_RANK", "CUDA_VISIBLE_DEVICES"
print("   ", *(f"{name}={os.environ[name]}" for name in names))
END_OF_PROGRAM
# task NUMBER NUMBER-ON-NODE GPUS
task() {
    env -i PATH="$work/bin:$PATH" HOME="$work" SLURM_JOB_ID=15 SLURM_JOB_NODELIST='n[1-2]' SLURM_NTASKS=4 \
        SLURM_TASKS_PER_NODE=3,1 SLURM_STEP_TASKS_PER_NODE=3,1 SLURM_PROCID="$1" SLURM_LOCALID="$2" \
        CUDA_VISIBLE_DEVICES="$3" python/bin/python task.py
}
{
    task 0 0 2,3,4
    task 1 1 2,3,4
    task 2 2 2,3,4
    task 3 0 2
} | tee output
[[ $(<output) == 'task 0, GPUs 2,3,4:
    WORLD_SIZE=4 RANK=0 LOCAL_WORLD_SIZE=1 LOCAL_RANK=0 CUDA_VISIBLE_DEVICES=0
task 1, GPUs 2,3,4:
    WORLD_SIZE=4 RANK=1 LOCAL_WORLD_SIZE=1 LOCAL_RANK=1 CUDA_VISIBLE_DEVICES=1
task 2, GPUs 2,3,4:
    WORLD_SIZE=4 RANK=2 LOCAL_WORLD_SIZE=1 LOCAL_RANK=2 CUDA_VISIBLE_DEVICES=2
task 3, GPUs 2:
    WORLD_SIZE=4 RANK=3 LOCAL_WORLD_SIZE=1 LOCAL_RANK=0 CUDA_VISIBLE_DEVICES=0' ]]
