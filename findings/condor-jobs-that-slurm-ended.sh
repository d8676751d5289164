#!/bin/bash
# HTCondor 25.14.1 (Debian sid): a Slurm job that ended at its time limit, or that somebody cancelled, has exit code 0.
#
# Expected: blahp, the part of HTCondor that submits jobs to Slurm, asks sacct for the exit code of a job that left the
#           queue. A job that Slurm ended has not succeeded: it has another exit code, a signal or another state.
# Actual:   blahp reads the number before the colon of sacct's ExitCode, and not the state. For these jobs Slurm's
#           ExitCode is 0:0. blahp reports JobStatus=4, which means completed, and ExitCode=0. No message.
# Affected: jobs with `grid_resource = batch slurm`, and those of HTCondor-CE: incomplete results are used, and jobs are
#           not repeated, because all settings that depend on the exit code count the job as successful.
#
# squeue and sacct are stand-ins that print what Slurm 26.05.5 printed for jobs that ended more than MinJobAge ago:
# job 4 reached its time limit, job 11 was cancelled by its user, and the program of job 12 exited with 3.
# Requires Debian 12 or later, root or user namespaces, and Python; nothing is installed.
# Exit status: 0 if HTCondor behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
mkdir -p lists/partial cache/archives/partial root bin
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download condor=25.14.1+dfsg-1 >/dev/null
dpkg-deb --extract condor_*.deb root
dpkg-deb --field condor_*.deb Package Version
cat >bin/squeue <<'END_OF_SQUEUE'
#!/bin/bash
[[ $* == *-j* ]] || { echo 'JOBID STATE'; exit; }
echo 'slurm_load_jobs error: Invalid job id specified' >&2
exit 1
END_OF_SQUEUE
cat >bin/sacct <<'END_OF_SACCT'
#!/bin/bash
records='4|00:00:00|00:00.005||0:0|1|TIMEOUT
4.batch|00:00:00|00:00.005|5455872|0:15|1|CANCELLED
11|00:00.005|00:00:00||0:0|1|CANCELLED by 1001
11.batch|00:00.005|00:00:00|5283840|0:15|1|CANCELLED
12|00:00:00|00:00.002||3:0|1|FAILED
12.batch|00:00:00|00:00.002||3:0|1|FAILED'
fields=6
[[ $* != *State* ]] || fields=7
{
    echo 'JobID|UserCPU|SystemCPU|MaxRSS|ExitCode|AllocCPUS|State'
    grep -E "^$2(\.|\|)" <<<"$records"
} | cut -d'|' -f1-$fields
END_OF_SACCT
chmod 755 bin/*
printf 'slurm_binpath=%s/bin\n' "$work" >blah.config
# status JOB: prints the state and the exit code that sacct and blahp report. blahp has a cache in /var/tmp.
status() {
    bin/sacct -j "$1" --format State | awk -F'|' -v job="$1" \
        '$1 == job { printf "job %s: sacct: %s, ExitCode %s; blahp: ", job, $7, $5 }'
    # shellcheck disable=SC2016
    BLAHPD_CONFIG_LOCATION=$work/blah.config unshare --user --map-root-user --mount sh -c \
        'mount -t tmpfs none /var/tmp && exec "$@"' sh \
        python3 root/usr/libexec/blahp/slurm_status.py "slurm/20261130/$1" |
        grep -Eo '(JobStatus|ExitCode)=[0-9]+' | paste -sd' '
}
for job in 4 11 12; do status "$job"; done | tee output
[[ $(<output) == 'job 4: sacct: TIMEOUT, ExitCode 0:0; blahp: JobStatus=4 ExitCode=0
job 11: sacct: CANCELLED by 1001, ExitCode 0:0; blahp: JobStatus=4 ExitCode=0
job 12: sacct: FAILED, ExitCode 3:0; blahp: JobStatus=4 ExitCode=3' ]]
