#!/bin/bash
# signac-flow 0.29.1 (PyPI): with Slurm, `submit --after JOB` waits for the end of each job that it submits, and a job
# that fails counts as a submission that failed.
#
# Expected: `submit --help`: "Schedule this job to be executed after completion of a cluster job with this id." Only the
#           new jobs wait for the job.
# Actual:   signac-flow adds `-W` to the dependency, as for `qsub -W depend=` of PBS. For sbatch, this is `--wait`: it
#           does not return before the job ends, and then exits with the job's exit code (sbatch(1)).
# Affected: projects that submit several operations behind another job: the second one is submitted when the first one
#           has ended, so they run one after the other, and the command blocks the login shell for hours. If the first
#           job fails, the others are not submitted at all; the message is that of a failed submission.
#
# sbatch and squeue are stand-ins: each submitted job fails, and with -W, sbatch exits with 1 for that reason.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if signac-flow behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check signac-flow==0.29.1
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^signac-flow '

mkdir bin
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
[[ $* != --version ]] || exit 0
{ printf '    sbatch'; printf ' %s' "${@:1:$#-1}" SCRIPT; echo; } >>submitted
echo 'Submitted batch job 43'
[[ " $* " != *' -W '* ]]
END_OF_SBATCH
printf '#!/bin/bash\n' >bin/squeue
chmod 755 bin/*
cat >project.py <<'END_OF_PROGRAM'
import signac
from flow import FlowProject
from flow.environment import DefaultSlurmEnvironment

class Environment(DefaultSlurmEnvironment):
    @classmethod
    def is_present(cls):
        return True

class Project(FlowProject):
    pass

@Project.post.isfile("done")
@Project.operation
def simulate(job):
    pass

if __name__ == "__main__":
    for temperature in 1, 2:
        signac.init_project().open_job({"temperature": temperature}).init()
    Project().main()
END_OF_PROGRAM

# submit OPTION...: submits the operation for both jobs of the project, and prints the arguments of sbatch.
submit() {
    local status=0
    rm -rf submitted .signac workspace
    env PATH="$work/bin:$PATH" HOME="$work" USER=user python/bin/python project.py submit "$@" >log 2>&1 || status=$?
    printf 'submit %s: exit status %s\n' "$*" "$status"
    cat submitted
}
{
    submit
    submit --after 42
    sed -n 's/^flow\.errors\.SubmitError/    SubmitError/p' log
} | tee output
[[ $(<output) == 'submit : exit status 0
    sbatch SCRIPT
    sbatch SCRIPT
submit --after 42: exit status 1
    sbatch -W -d afterok:42 SCRIPT
    SubmitError: Error when calling submission command sbatch -W -d afterok:42:' ]]
