#!/bin/bash
# simple_slurm 0.3.6 (PyPI): in a script that `sbatch(..., job_file=FILE)` writes, no variable is replaced by its value.
#
# Expected: the option stores the script in a file. The job does the same as without it.
# Actual:   each `$` in the commands gets a backslash, which is necessary in the here-document that simple_slurm uses
#           without `job_file`, but stays in the file. Programs and containers get the text `$SLURM_ARRAY_TASK_ID`.
#           `convert=False` prevents this. With it and without `job_file`, the login node replaces the variables.
# Affected: job arrays with commands like `apptainer run tool.sif sample_$SLURM_ARRAY_TASK_ID`: all tasks use one name.
#           Commands with `$(...)` are syntax errors.
#
# sbatch is a stand-in that starts the script as the task 7 of an array.
# Requires Python 3.8 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if simple_slurm behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check simple_slurm==0.3.6
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^simple_slurm '

mkdir bin
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
cat -- "$@" >script
SLURM_ARRAY_TASK_ID=7 bash script >>output
echo 'Submitted batch job 1'
END_OF_SBATCH
cat >bin/apptainer <<'END_OF_RUNTIME'
#!/bin/bash
printf '    apptainer'
printf ' [%s]' "$@"
echo
END_OF_RUNTIME
chmod 755 bin/sbatch bin/apptainer
cat >submit.py <<'END_OF_PROGRAM'
from simple_slurm import Slurm
command = "apptainer run tool.sif sample_$SLURM_ARRAY_TASK_ID"
for options in {}, {"job_file": "job.sh"}, {"job_file": "job.sh", "convert": False}, {"convert": False}:
    with open("output", "a") as output:
        print(f"options of sbatch(): {options}", file=output)
    Slurm(array=range(1, 9)).sbatch(command, verbose=False, **options)
END_OF_PROGRAM
env -u SLURM_ARRAY_TASK_ID PATH="$work/bin:$PATH" python/bin/python submit.py
cat output
# shellcheck disable=SC2016
[[ $(<output) == 'options of sbatch(): {}
    apptainer [run] [tool.sif] [sample_7]
options of sbatch(): {'\''job_file'\'': '\''job.sh'\''}
    apptainer [run] [tool.sif] [sample_$SLURM_ARRAY_TASK_ID]
options of sbatch(): {'\''job_file'\'': '\''job.sh'\'', '\''convert'\'': False}
    apptainer [run] [tool.sif] [sample_7]
options of sbatch(): {'\''convert'\'': False}
    apptainer [run] [tool.sif] [sample_]' ]]
