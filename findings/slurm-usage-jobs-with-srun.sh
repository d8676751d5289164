#!/bin/bash
# slurm-usage 3.1.0 (PyPI): jobs that start their program with srun have an efficiency of 0 %, and nodes are missing.
#
# Expected: README: "CPU efficiency % (actual CPU time / allocated CPU time)", "Memory efficiency % (peak memory /
#           allocated memory)", and a table of the CPU hours of each node.
# Actual:   - The CPU time and the memory are those of the batch script alone, without the programs that srun starts.
#             The time of the whole job, in the first line of sacct, is ignored. The time counts as wasted, and the user
#             is listed as "resource waster".
#           - Of a list of nodes such as `cpu[1-2],gpu1`, everything after the first bracket is dropped. The other nodes
#             get the hours of the missing ones. `gpu1,cpu[1-2]` and `cpu1,cpu3` become nodes with these names.
#           No message.
# Affected: all MPI programs and other programs with several processes, as most sites want them to be started.
#
# sacct is a stand-in. For jobs 17 and 18 it prints what Slurm 26.05.5 printed for two programs that use the processor
# for 15 s each: job 17 starts them with srun, job 18 in the background.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed. It takes a minute.
# Exit status: 0 if slurm-usage behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check slurm-usage==3.1.0
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^slurm-usage '

mkdir bin
printf '#!/bin/bash\n' >bin/sinfo
cat >bin/sacct <<'END_OF_SACCT'
#!/usr/bin/env python3
import datetime, sys
today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
if "-S" not in sys.argv or not sys.argv[sys.argv.index("-S") + 1].startswith(today):
    sys.exit()
fields = next(argument for argument in sys.argv if argument.startswith("--format="))[9:].split(",")
#       JobID, ElapsedRaw, AllocCPUS, TotalCPU, MaxRSS, ReqMem, NodeList
for record in """17|37|2|00:30.050||16000M|n1
17.batch|37|2|00:00.014|14548K||n1
17.0|37|2|00:30.035|9288K||n1
18|31|2|00:30.030||16000M|n1
18.batch|31|2|00:30.030|21892K||n1
19|3600|3|03:00:00||3000M|cpu[1-2],gpu1
20|3600|3|03:00:00||3000M|gpu1,cpu[1-2]
21|3600|2|02:00:00||2000M|cpu1,cpu3""".splitlines():
    names = "JobID", "ElapsedRaw", "AllocCPUS", "TotalCPU", "MaxRSS", "ReqMem", "NodeList"
    job = dict(zip(names, record.split("|")), State="COMPLETED", User="" if "." in record.split("|")[0] else "alice")
    job |= dict(JobName="job", **dict.fromkeys(("Submit", "Eligible", "Start", "End"), f"{today}T00:00:00"))
    print("|".join(job.get(field, "") for field in fields))
END_OF_SACCT
chmod 755 bin/*
PATH="$work/bin:$PATH" COLUMNS=150 python/bin/slurm-usage collect --days 0 --data-dir data >log 2>&1
cat >efficiency.py <<'END_OF_PROGRAM'
import glob, polars
for job in polars.read_parquet(glob.glob("data/processed/*.parquet")).sort("job_id").head(2).iter_rows(named=True):
    print(f"job {job['job_id']}: CPU efficiency {job['cpu_efficiency']:.1f} %, "
          f"CPU time wasted {job['cpu_hours_wasted'] * 3600:.0f} s")
END_OF_PROGRAM
{
    python/bin/python efficiency.py
    sed -nE '/Node Resource Usage/,/╯/s/^│ ([^ ]+) +│ +([0-9]+) │ +([0-9]+) │.*/node \1: jobs \2, CPU hours \3/p' log |
        LC_ALL=C sort
} | tee output
[[ $(<output) == 'job 17: CPU efficiency 0.0 %, CPU time wasted 74 s
job 18: CPU efficiency 48.4 %, CPU time wasted 32 s
node cpu1,cpu3: jobs 1, CPU hours 2
node cpu1: jobs 1, CPU hours 2
node cpu2: jobs 1, CPU hours 2
node gpu1,cpu1: jobs 1, CPU hours 2
node gpu1,cpu2: jobs 1, CPU hours 2
node n1: jobs 2, CPU hours 0' ]]
