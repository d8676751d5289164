#!/bin/bash
# MPICH 5.0.2 (Debian sid): in a Slurm job whose list of nodes ends with a single name, such as `cpu[1-3],gpu1`, mpiexec
# starts all processes on this node.
#
# Expected: in a Slurm job, mpiexec starts as many processes on each node as SLURM_TASKS_PER_NODE says. It ends with
#           "node list format not recognized" if it cannot read the list.
# Actual:   mpiexec searches SLURM_NODELIST for the first name without brackets, and drops all names before it. Without
#           `-n`, only the processes of the remaining nodes start. With `-n 8`, all 8 start there. No message. The lists
#           `gpu1,cpu[1-3]` and `cpu[1-3],gpu[1-2]` are read correctly.
# Affected: jobs on nodes with different names, when one of the names occurs once: some nodes of the job are idle, and
#           the program has too few processes, or the other nodes have too many of them.
#
# srun is a stand-in. Debian builds MPICH without Slurm's library, which mpiexec would use to read the list.
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if mpiexec behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
# MPICH comes from Debian sid, with all libraries that it needs.
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=-
    -o Acquire::Languages=none -o Debug::NoLocking=true)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" install --download-only --no-install-recommends --yes mpich=5.0.2-2 >/dev/null
for package in cache/archives/*.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find "$work/root" -name 'libc.so.6' -print -quit)")
mpiexec() {
    env -i PATH="$PATH" "${job[@]}" timeout --signal=KILL 5 "$libraries/ld-linux-x86-64.so.2" \
        --library-path "$libraries" root/usr/bin/mpiexec.hydra "$@"
}
job=()
mpiexec -info | sed -n 's/^ *Version: */mpiexec.hydra /p'
printf '#!/bin/bash\n' >srun
chmod 755 srun
# processes NODES LIST TASKS ARGUMENT...: prints how many processes mpiexec starts on which nodes of a job. Without a
# real srun it ends with an error after that, or waits.
processes() {
    job=(SLURM_JOB_ID=1 SLURM_NODEID=0 SLURM_NNODES="$1" SLURM_JOB_NUM_NODES="$1" SLURM_NODELIST="$2"
        SLURM_JOB_NODELIST="$2" SLURM_TASKS_PER_NODE="$3")
    echo "SLURM_NODELIST=$2 SLURM_TASKS_PER_NODE=$3: mpiexec" "${@:4}" program
    { mpiexec -launcher slurm -launcher-exec "$work/srun" -verbose "${@:4}" program 2>&1 || :; } |
        sed -nE 's/^.*\] proxy: ([^ ]+) .*$/\1/p; s/^.*Exec list: program \(([0-9]+) processes\);.*$/\1/p' |
        paste -d: - - | paste -sd' ' | sed 's/^/    /'
}
{
    processes 3 'cpu[1-3]' '2(x3)'
    processes 4 'gpu1,cpu[1-3]' '2(x4)'
    processes 5 'cpu[1-3],gpu[1-2]' '2(x5)'
    processes 4 'cpu[1-3],gpu1' '2(x4)'
    processes 4 'cpu[1-3],gpu1' '2(x4)' -n 8
    processes 6 'cpu[1-3],gpu1,mem[1-2]' '2(x6)'
    processes 2 'login,cpu1' '2(x2)'
} | tee output
[[ $(<output) == 'SLURM_NODELIST=cpu[1-3] SLURM_TASKS_PER_NODE=2(x3): mpiexec program
    cpu1:2 cpu2:2 cpu3:2
SLURM_NODELIST=gpu1,cpu[1-3] SLURM_TASKS_PER_NODE=2(x4): mpiexec program
    gpu1:2 cpu1:2 cpu2:2 cpu3:2
SLURM_NODELIST=cpu[1-3],gpu[1-2] SLURM_TASKS_PER_NODE=2(x5): mpiexec program
    cpu1:2 cpu2:2 cpu3:2 gpu1:2 gpu2:2
SLURM_NODELIST=cpu[1-3],gpu1 SLURM_TASKS_PER_NODE=2(x4): mpiexec program
    gpu1:2
SLURM_NODELIST=cpu[1-3],gpu1 SLURM_TASKS_PER_NODE=2(x4): mpiexec -n 8 program
    gpu1:8
SLURM_NODELIST=cpu[1-3],gpu1,mem[1-2] SLURM_TASKS_PER_NODE=2(x6): mpiexec program
    gpu1:2 mem1:2 mem2:2
SLURM_NODELIST=login,cpu1 SLURM_TASKS_PER_NODE=2(x2): mpiexec program
    cpu1:2' ]]
