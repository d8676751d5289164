#!/bin/bash
# simple_slurm 0.3.6 (PyPI): `srun()` drops options without a value, so `test_only=True` starts the command.
#
# Expected: the same options in `srun()` as in the `#SBATCH` lines of `sbatch()`.
# Actual:   options that have a value are passed, but `--exclusive`, `--contiguous` and `--test-only` are not. No
#           message, and `print(slurm)` shows them.
# Affected: programs that use `srun()` with such an option: steps share nodes in spite of `exclusive=True`, and what was
#           meant as a check of the options runs the command.
#
# srun and sbatch are stand-ins that print their arguments and the script.
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
cat >bin/srun <<'END_OF_SRUN'
#!/bin/bash
echo "srun $*" >>output
END_OF_SRUN
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
sed -n 's/^#SBATCH/sbatch/p' | tr -s ' ' | sed 's/ *$//' >>output
echo 'Submitted batch job 1'
END_OF_SBATCH
chmod 755 bin/srun bin/sbatch
cat >submit.py <<'END_OF_PROGRAM'
from simple_slurm import Slurm
options = {"ntasks": 2, "exclusive": True, "test_only": True}
Slurm(**options).sbatch("apptainer run tool.sif", verbose=False)
Slurm(**options).srun("apptainer run tool.sif")
END_OF_PROGRAM
env PATH="$work/bin:$PATH" python/bin/python submit.py
cat output
[[ $(<output) == 'sbatch --exclusive
sbatch --ntasks 2
sbatch --test-only
srun --ntasks=2 apptainer run tool.sif' ]]
