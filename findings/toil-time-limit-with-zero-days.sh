#!/bin/bash
# toil 9.6.0 (PyPI): a time limit with zero days, such as `0-03:00`, becomes a 60th of it.
#
# Expected: sbatch(1): "days-hours:minutes" and "days-hours" are time formats, and 0-03:00 is three hours. Toil's parser
#           lists these formats, too, and reads `1-03:00` correctly.
# Actual:   with zero days, Toil reads the rest as minutes and seconds: with `--time=0-03:00` in TOIL_SLURM_ARGS, it
#           submits `--time=0:180`, three minutes; with 0-12, twelve. --slurmTime has the same effect. No message.
# Affected: users who write limits as D-HH:MM, as the documentation of many sites recommends: each job is killed after a
#           60th of the time. From one day on, the same form is correct.
#
# sbatch, sinfo, squeue and sacct are stand-ins: sbatch records the time limit and runs the job.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if toil behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check toil==9.6.0
python/bin/toil --version 2>/dev/null

mkdir bin
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
for argument; do
    case $argument in
        --time=*) echo "$argument" >>submitted ;;
        --wrap=*) bash -c "${argument#--wrap=}" >>log 2>&1 ;;
    esac
done
echo 'Submitted batch job 1'
END_OF_SBATCH
cat >bin/sinfo <<'END_OF_SINFO'
#!/bin/bash
echo 'PARTITION GRES TIMELIMIT PRIO_JOB_FACTOR CPUS MEMORY'
echo 'main* (null) infinite 1 64 256000'
END_OF_SINFO
cat >bin/sacct <<'END_OF_SACCT'
#!/bin/bash
echo '1|COMPLETED|0:0'
END_OF_SACCT
printf '#!/bin/bash\n' >bin/squeue
chmod 755 bin/*
cat >workflow.py <<'END_OF_WORKFLOW'
import sys
from toil.common import Toil
from toil.job import Job

def work(job):
    return "done"

if __name__ == "__main__":
    options = Job.Runner.getDefaultArgumentParser().parse_args(sys.argv[1:])
    with Toil(options) as toil:
        toil.start(Job.wrapJobFn(work, cores=1, memory="100M", disk="1M"))
END_OF_WORKFLOW

# run TIME: runs a workflow of one job and prints the time limits that Toil submits.
run() {
    rm -rf submitted store
    env PATH="$work/bin:$work/python/bin:$PATH" TOIL_SLURM_ARGS="--time=$1" HOME="$work" \
        timeout 60 python/bin/python workflow.py --batchSystem slurm --statePollingWait 1 --retryCount 0 ./store \
        >>log 2>&1
    echo "$1: $(sort -u submitted)"
}
{
    run 3:00:00
    run 1-03:00
    run 0-03:00
    run 0-12
} | tee output
[[ $(<output) == '3:00:00: --time=0:10800
1-03:00: --time=0:97200
0-03:00: --time=0:180
0-12: --time=0:720' ]]
