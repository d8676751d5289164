#!/bin/bash
# reframe-hpc 4.10.4 (PyPI): with Slurm, a job array counts as completed while some of its tasks are pending.
#
# Expected: the check of a test begins when all tasks of its array have ended.
# Actual:   of the pending tasks, which sacct prints in one line, ReFrame knows `7_[2-3]`, but not `7_[3]`, `7_[3,5]` or
#           `7_[2-3%1]`. It ignores these lines, and takes the array for completed as soon as the tasks that run or have
#           run are completed. Without a message, it checks the output of these tasks and removes the directory in which
#           the others are to run.
# Affected: arrays with a limit such as `--array=1-100%4` or with a list of tasks, and the last task of each array: a test
#           passes with the results of some tasks, or fails although all of them succeed. Pull request 3707 is open.
#
# sbatch, sacct, scontrol and squeue are stand-ins: with each call of sacct, one more task has ended, as on a node that can
# run one task at a time.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if reframe-hpc behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check reframe-hpc==4.10.4
export WORK=$work HOME=$work RFM_SAVE_LOG_FILES=n
printf 'reframe-hpc %s\n' "$(python/bin/reframe --version)"

mkdir bin
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
: >"$WORK/calls"
echo 'Submitted batch job 7'
END_OF_SBATCH
# The file `pending` has a line with the pending tasks for each number of completed ones.
cat >bin/sacct <<'END_OF_SACCT'
#!/bin/bash
echo >>"$WORK/calls"
ended=$(wc -l <"$WORK/calls")
stage=$(find "$WORK/prefix/stage" -type d -name check)
echo 'JobID|State|ExitCode|End|NodeList'
for task in $(head -n "$ended" "$WORK/tasks"); do
    echo "7_$task|COMPLETED|0:0|1800000000|n1"
    echo "result of task $task" >"$stage/rfm_job.out_$task"
    : >"$stage/rfm_job.err_$task"
done
pending=$(sed -n "${ended}p" "$WORK/pending")
[[ -z $pending ]] || echo "7_[$pending]|PENDING|0:0|Unknown|None assigned"
END_OF_SACCT
printf '#!/bin/bash\n' >bin/squeue
cp bin/squeue bin/scontrol
chmod 755 bin/*
cat >settings.py <<'END_OF_SETTINGS'
site_configuration = {
    "systems": [{
        "name": "cluster",
        "hostnames": [".*"],
        "modules_system": "nomod",
        "partitions": [{"name": "main", "scheduler": "slurm", "launcher": "srun", "environs": ["builtin"]}],
    }],
    "environments": [{"name": "builtin"}],
}
END_OF_SETTINGS
cat >check.py <<'END_OF_TESTS'
import reframe as rfm
import reframe.utility.sanity as sn

@rfm.simple_test
class check(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    executable = "model"
    array = variable(str)

    @run_before("run")
    def add_option(self):
        self.job.options = [f"--array={self.array}"]

    @sanity_function
    def has_results(self):
        return sn.assert_found("result of task", self.stdout)
END_OF_TESTS
# run ARRAY TASKS PENDING...: runs the check, and prints the output that it gets.
run() {
    local output
    printf '%s\n' "${2//,/$'\n'}" >tasks
    printf '%s\n' "${@:3}" '' >pending
    rm -rf prefix
    PATH=$work/bin:$PATH timeout 60 python/bin/reframe --config-file=settings.py --checkpath=check.py --prefix=prefix \
        --run --setvar="array=$1" >>log 2>&1 || { cat log; return 1; }
    output=$(sed -n 's/^result of task //p' prefix/output/cluster/main/builtin/check/rfm_job.out | sort | xargs)
    printf 'array %s: passed, with the results of %s\n' "$1" "${output// /, }"
}
{
    run 1-3 1,2,3 2-3 3
    run 1,3,5 1,3,5 3,5 5
    run 1-3%1 1,2,3 2-3%1 3%1
} | tee output
[[ $(<output) == 'array 1-3: passed, with the results of 1, 2
array 1,3,5: passed, with the results of 1
array 1-3%1: passed, with the results of 1' ]]
