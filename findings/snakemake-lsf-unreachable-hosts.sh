#!/bin/bash
# snakemake-executor-plugin-lsf 0.3.3 (PyPI) with snakemake 9.27.1: a job on a host that LSF cannot reach counts as
# completed, and a suspended job as failed.
#
# Expected: LSF, bjobs, "STAT": UNKWN means that mbatchd has lost contact with the host, USUSP that the owner or an
#           administrator has suspended the running job. In both states, the job can go on: the next query tells.
# Actual:   the plugin takes UNKWN for a job that has left the queue, and reports success. Snakemake accepts what the job
#           has written so far as its output, and exits with 0. USUSP and PSUSP are in the list of failures.
# Affected: all users of LSF: a network fault or an overloaded host of some minutes is enough, while a job writes its
#           output file. The next steps read a part of the file, or write it together with the job when the step is
#           repeated. `bstop` and `bresume` of a job, by an administrator, too, end the workflow.
#
# The commands of LSF are stand-ins. A query of the state is also the work of the job: it writes the first line of the
# output when it is RUN, and the second line when it is DONE.
# Requires Python 3.11 or later with venv, and PyPI; nothing is installed. It takes two minutes.
# Exit status: 0 if the plugin behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1 snakemake-executor-plugin-lsf==0.3.3
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep -E '^snakemake(-executor-plugin-lsf)? '

mkdir -p bin lsf/lsbatch/cluster/configdir
touch lsf/lsbatch/cluster/configdir/lsb.params
cat >bin/badmin <<'END_OF_BADMIN'
#!/bin/bash
printf '%s\n' 'MBD configuration at Mon Nov 30 12:00:00 2026' "LSB_SHAREDIR = $LSF" "LSF_CONFDIR = $LSF"
END_OF_BADMIN
cat >bin/lsclusters <<'END_OF_LSCLUSTERS'
#!/bin/bash
printf '%s\n' 'CLUSTER_NAME STATUS MASTER_HOST ADMIN HOSTS SERVERS' 'cluster ok host1 admin 2 2'
END_OF_LSCLUSTERS
cat >bin/bsub <<'END_OF_BSUB'
#!/bin/bash
echo 'Job <1> is submitted to queue <normal>.'
END_OF_BSUB
cat >bin/bjobs <<'END_OF_BJOBS'
#!/bin/bash
read -r state rest <states
echo "$rest" >states
echo "1 $state"
case $state in
    RUN) echo 'line 1 of 2' >result.txt ;;
    DONE) echo 'line 2 of 2' >>result.txt ;;
esac
END_OF_BJOBS
chmod 755 bin/*

# run DIRECTORY STATE...: runs a workflow of one job that has these states, and prints what Snakemake makes of it.
run() {
    local status=0
    mkdir "$1"
    cd "$1"
    echo "${*:2}" >states
    cat >Snakefile <<'END_OF_WORKFLOW'
rule simulate:
    output: "result.txt"
    resources: runtime=60, mem_mb=1000, lsf_project="project", lsf_queue="normal"
    shell: "simulate >{output}"
END_OF_WORKFLOW
    env PATH="$work/bin:$work/python/bin:$PATH" HOME="$work" LSF="$work/lsf" snakemake --executor lsf --jobs 1 \
        --seconds-between-status-checks 1 --latency-wait 1 >log 2>&1 || status=$?
    printf '%s: exit status %s, output: %s\n' "${*:2}" "$status" "$(paste -sd, result.txt 2>/dev/null || echo none)"
    grep -oE "[0-9] of [0-9] steps \([0-9]+%\) done|failed, LSF status is: '[A-Z]*'" log | sort -u | sed 's/^/    /'
    cd ..
}
# The plugin waits for 20 seconds or more before each query.
run 1 RUN DONE >1.txt &
run 2 RUN UNKWN RUN DONE >2.txt &
run 3 RUN USUSP RUN DONE >3.txt &
wait
cat 1.txt 2.txt 3.txt | tee output
[[ $(<output) == 'RUN DONE: exit status 0, output: line 1 of 2,line 2 of 2
    1 of 1 steps (100%) done
RUN UNKWN RUN DONE: exit status 0, output: line 1 of 2
    1 of 1 steps (100%) done
RUN USUSP RUN DONE: exit status 1, output: none
    failed, LSF status is: '\''USUSP'\''' ]]
