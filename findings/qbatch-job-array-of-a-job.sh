#!/bin/bash
# qbatch 2.3.2 (PyPI): if a task of a Slurm job array submits a job array with qbatch, all tasks of the new array run the
# same command. Variables with a dollar sign get other values.
#
# Expected: each task of the array runs its own command. `--env copied`, the default, "records your environment settings
#           in the job submission script".
# Actual:   the script sets the variables of the shell that submits it, among them SLURM_ARRAY_TASK_ID, before it reads
#           its own index from this variable. The corresponding variables of SGE and PBS are excluded. In values, `$`
#           becomes `$$`, which is the number of the process in a shell: a$b becomes a1234b. No message.
# Affected: pipelines in which a step for each subject or sample submits further arrays: one command runs as often as the
#           array has tasks, at the same time and with the same files, and the others never run. All jobs succeed.
#           SLURM_JOB_ID and the sizes of the job are those of the submitting job, too.
#
# sbatch and qsub are stand-ins that run the script as the tasks 1 to 3 of an array, and parallel is one that runs the
# commands.
# Requires Python 3.8 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if qbatch behaves as described, 1 otherwise.
# shellcheck disable=SC2016
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check qbatch==2.3.2
echo "qbatch $(python/bin/qbatch --version)"

mkdir bin
cat >bin/sbatch <<'END_OF_SUBMIT'
#!/bin/bash
for task in 1 2 3; do
    printf 'task %s: ' "$task"
    case $0 in
        *sbatch) env -i PATH="$PATH" SLURM_ARRAY_TASK_ID="$task" bash "${@: -1}" ;;
        *qsub) env -i PATH="$PATH" SGE_TASK_ID="$task" bash "${@: -1}" ;;
    esac
done
END_OF_SUBMIT
printf '#!/bin/bash\nexec bash\n' >bin/parallel
printf '#!/bin/bash\n' | tee bin/squeue bin/qstat >/dev/null
chmod 755 bin/*
ln -s sbatch bin/qsub
printf 'echo analyse %s $TEXT\n' 1 2 3 >commands

# submit SYSTEM NAME=VALUE...: submits an array from a shell with these variables.
submit() {
    printf '%s:\n' "$*"
    env -i PATH="$work/bin:$PATH" USER=user "${@:2}" \
        python/bin/qbatch --system "$1" --chunksize 1 commands 2>&1 | sed 's/a[0-9]\+b/aNUMBERb/; s/^/    /'
}
{
    submit slurm
    submit sge SGE_TASK_ID=3
    submit slurm SLURM_ARRAY_TASK_ID=3
    submit slurm 'TEXT=a$b'
} | tee output
[[ $(<output) == 'slurm:
    task 1: analyse 1
    task 2: analyse 2
    task 3: analyse 3
sge SGE_TASK_ID=3:
    task 1: analyse 1
    task 2: analyse 2
    task 3: analyse 3
slurm SLURM_ARRAY_TASK_ID=3:
    task 1: analyse 3
    task 2: analyse 3
    task 3: analyse 3
slurm TEXT=a$b:
    task 1: analyse 1 aNUMBERb
    task 2: analyse 2 aNUMBERb
    task 3: analyse 3 aNUMBERb' ]]
