#!/bin/bash
# troika 0.2.7 (PyPI): `#SBATCH` lines anywhere in a job script become options of the job, also those of another script
# that the job writes.
#
# Expected: sbatch(1): "Once the first non-comment, non-whitespace line has been reached in the script, no more #SBATCH
#           directives will be processed"; `# SBATCH` with a space is a comment. Troika keeps the options of the script,
#           and the rest of it as it is.
# Actual:   Troika takes all lines with `#SBATCH` or `# SBATCH` out of the script, keeps the last one for each option, and
#           puts these in front. The job gets the options of a script in a here-document, which has none any more. A line
#           that is disabled with a space replaces the active line of this option. No message, exit status 0.
# Affected: jobs that write and submit further jobs, such as tasks of ecFlow suites: the first job waits for the nodes of
#           the second one, which runs with the defaults. Troika submits the changed script under the name of the original.
#
# sbatch is a stand-in that keeps the job script.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if troika behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check troika==0.2.7
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^troika '

mkdir bin
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
cat >submitted
echo 'Submitted batch job 1'
END_OF_SBATCH
chmod 755 bin/sbatch
printf 'sites:\n    cluster:\n        type: slurm\n        connection: local\n' >troika.yml
cat >writes-a-script.job <<'END_OF_SCRIPT'
#!/bin/bash
#SBATCH --nodes=1
#SBATCH --time=10
cat >model.job <<'END_OF_JOB'
#!/bin/bash
#SBATCH --nodes=100
#SBATCH --time=48:00:00
srun model
END_OF_JOB
sbatch model.job
END_OF_SCRIPT
cat >has-a-disabled-option.job <<'END_OF_SCRIPT'
#!/bin/bash
#SBATCH --nodes=4
#SBATCH --time=24:00:00
# SBATCH --time=10
srun model
END_OF_SCRIPT
for script in writes-a-script has-a-disabled-option; do
    printf '== %s\n' "$script"
    PATH=$work/bin:$PATH python/bin/troika --config troika.yml submit --output "$work/job.out" cluster "$script.job" \
        2>>messages
    grep -v '^#SBATCH --output=' submitted
done | tee output
cat messages >&2
[[ ! -s messages && $(<output) == '== writes-a-script
#!/bin/bash
#SBATCH --nodes=100
#SBATCH --time=48:00:00
cat >model.job <<'\''END_OF_JOB'\''
#!/bin/bash
srun model
END_OF_JOB
sbatch model.job
== has-a-disabled-option
#!/bin/bash
#SBATCH --nodes=4
# SBATCH --time=10
srun model' ]]
