#!/bin/bash
# maestrowf 1.2.1 (PyPI): a step fails if its Slurm job is seen while its nodes boot (CF, CONFIGURING) or while it is
# suspended (S, SUSPENDED). The job runs on.
#
# Expected: squeue(1), "JOB STATE CODES": in both states, the job has an allocation. The step is finished when the job
#           ends.
# Actual:   the adapter for Slurm has no entry for these states and reports UNKNOWN, which Maestro takes for the end of
#           the step. It marks the step and all steps that depend on it as FAILED, and ends with exit status 2. It
#           neither cancels the job nor queries it again.
# Affected: clusters with power saving or nodes in a cloud, where a job is in CF for minutes until its nodes are up, and
#           partitions with gang scheduling or preemption by suspension. The job completes, and its results are not
#           used; if the study is started again, the step is computed a second time.
#
# sbatch and squeue are stand-ins: the first job has one state of the list after the other, the second has completed.
# Requires Python 3.8 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if maestrowf behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check maestrowf==1.2.1
python/bin/maestro --version

mkdir bin
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
echo >>"$STAND_IN/submitted"
echo "Submitted batch job $(wc -l <"$STAND_IN/submitted")"
END_OF_SBATCH
cat >bin/squeue <<'END_OF_SQUEUE'
#!/bin/bash
printf '%18s %8s %8s %2s\n' JOBID NAME USER ST
[[ -e $STAND_IN/submitted ]] || exit 0
read -r state rest <"$STAND_IN/states"
[[ -z $rest ]] || echo "$rest" >"$STAND_IN/states"
printf '%18s %8s %8s %2s\n' 1 simulate user "$state"
[[ $(wc -l <"$STAND_IN/submitted") == 1 ]] || printf '%18s %8s %8s %2s\n' 2 analyse user CD
END_OF_SQUEUE
chmod 755 bin/*
cat >study.yaml <<'END_OF_STUDY'
description: {name: study, description: two steps}
batch: {type: slurm, host: cluster, bank: bank, queue: main}
study:
    - name: simulate
      description: the first step
      run: {cmd: "srun simulate", nodes: 1, procs: 1, walltime: "01:00:00"}
    - name: analyse
      description: a step that needs the first one
      run: {cmd: "srun analyse", depends: [simulate], nodes: 1, procs: 1, walltime: "01:00:00"}
END_OF_STUDY

# run STATE...: runs the study while the first job has these states, and prints the results and the number of jobs.
run() {
    local status=0
    rm -rf results submitted
    echo "$*" >states
    env PATH="$work/bin:$PATH" HOME="$work" USER=user STAND_IN="$work" \
        timeout 60 python/bin/maestro run --autoyes -fg --sleeptime 1 --out results study.yaml >log 2>&1 || status=$?
    printf '%s: exit status %s, jobs submitted: %s\n' "$*" "$status" "$(wc -l <submitted)"
    awk -F, 'NR > 1 { print "    " $1, $4 }' results/status.csv
}
{
    run PD R CD
    run PD CF R CD
    run PD R S R CD
} | tee output
[[ $(<output) == 'PD R CD: exit status 0, jobs submitted: 2
    simulate FINISHED
    analyse FINISHED
PD CF R CD: exit status 2, jobs submitted: 1
    simulate FAILED
    analyse FAILED
PD R S R CD: exit status 2, jobs submitted: 1
    simulate FAILED
    analyse FAILED' ]]
