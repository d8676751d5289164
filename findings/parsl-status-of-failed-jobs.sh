#!/bin/bash
# parsl 2026.10.26 (PyPI): with Slurm, a job that failed, timed out or was cancelled has the status COMPLETED as soon as
# the status is queried again.
#
# Expected: JobState: FAILED, TIMEOUT and CANCELLED are terminal states, and a terminal state is final. The provider for
#           LSF keeps it.
# Actual:   SlurmProvider queries only jobs that are not in a terminal state. It then takes every known job that is not
#           in the answer, and thus every job that ended before, for a job that has left the queue, and sets COMPLETED.
#           No message. This happens as long as one other job is pending or running.
# Affected: workflows with several blocks, whose workers die from lack of memory or at the time limit one after the
#           other. The error handlers count only failed jobs, find none, and let parsl submit further blocks. The
#           monitoring database gets COMPLETED as the last state of these blocks.
#
# sbatch, sacct, bsub and bjobs are stand-ins: they number the jobs and print a state for each job that is queried.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if parsl behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check parsl==2026.10.26
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^parsl '

mkdir bin
cat >bin/sbatch <<'END_OF_SUBMIT'
#!/bin/bash
echo >>jobs
number=$(wc -l <jobs)
case $0 in
    *sbatch) echo "Submitted batch job $number" ;;
    *bsub) echo "Job <$number> is submitted to default queue <normal>." ;;
esac
END_OF_SUBMIT
# The jobs follow --job in one word for sacct, and are the last words for bjobs. `sacct -X` lists nothing.
cat >bin/sacct <<'END_OF_STATUS'
#!/bin/bash
shopt -s extglob
case $0 in
    *sacct) states=('' FAILED TIMEOUT CANCELLED RUNNING) ;;
    *bjobs) states=('' EXIT EXIT EXIT RUN) ;;
esac
for argument; do
    case $argument in
        +([0-9,])) for job in ${argument//,/ }; do echo "$job ${states[$job]}"; done ;;
    esac
done
END_OF_STATUS
chmod 755 bin/sbatch bin/sacct
ln -s sbatch bin/bsub
ln -s sacct bin/bjobs
cat >status.py <<'END_OF_PROGRAM'
import os, sys
from parsl.providers import LSFProvider, SlurmProvider
provider = {"slurm": SlurmProvider, "lsf": LSFProvider}[sys.argv[1]]()
provider.script_dir = os.getcwd()
jobs = [provider.submit("true", 1) for _ in range(4)]
for query in "first", "second":
    print(f"{sys.argv[1]}, {query} query:", *(status.state.name for status in provider.status(jobs)))
END_OF_PROGRAM
for provider in slurm lsf; do
    rm -f jobs
    env PATH="$work/bin:$PATH" python/bin/python status.py "$provider"
done | tee output
[[ $(<output) == 'slurm, first query: FAILED TIMEOUT CANCELLED RUNNING
slurm, second query: COMPLETED COMPLETED COMPLETED RUNNING
lsf, first query: FAILED FAILED FAILED RUNNING
lsf, second query: FAILED FAILED FAILED RUNNING' ]]
