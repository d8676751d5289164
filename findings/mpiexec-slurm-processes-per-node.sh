#!/bin/bash
# mpiexec.slurm of Slurm 26.05.5 (Debian sid): `-pernode` has no effect, and `-nostdout` names one file for
# both streams.
#
# Expected: mpiexec.slurm(1): `-pernode`: "Allocate only one process per compute node". `-nostdout`: "Standard output
#           and error will be respectively written in files of the form job.ojobid and job.ejobid".
# Actual:   `-pernode` is accepted, and srun starts with the same options as without it. With `-nostdout`, srun gets the
#           single argument `-o job.o%j -e job.e%j`, in which the text after -o is the name of one file. No message.
# Affected: hybrid programs with one process per node and threads in it: in a job of 2 nodes and 64 tasks, 64 processes
#           start, each with all threads or all memory of a node.
#
# srun is a stand-in that prints its arguments.
# Requires Debian 12 or later on x86_64, perl, and any user who may use apt; nothing is installed.
# Exit status: 0 if mpiexec.slurm behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download slurm-wlm-torque=26.05.5-1 >/dev/null
dpkg-deb --extract slurm-wlm-torque_*.deb root
dpkg-deb --field slurm-wlm-torque_*.deb Package Version
# mpiexec.slurm starts the srun in its own directory.
cat >root/usr/bin/srun <<'END_OF_SRUN'
#!/bin/bash
printf 'srun'
printf ' <%s>' "$@"
echo
END_OF_SRUN
chmod 755 root/usr/bin/srun
# start ARGUMENT...: prints the arguments of mpiexec.slurm and those of srun.
start() {
    echo "mpiexec.slurm $*"
    printf '    '
    root/usr/bin/mpiexec.slurm "$@"
}
{
    start ./program
    start -pernode ./program
    start -n 2 ./program
    start -nostdout ./program
} | tee output
[[ $(<output) == 'mpiexec.slurm ./program
    srun <-i0> <./program>
mpiexec.slurm -pernode ./program
    srun <-i0> <./program>
mpiexec.slurm -n 2 ./program
    srun <-i0> <-n2> <./program>
mpiexec.slurm -nostdout ./program
    srun <-o job.o%j -e job.e%j> <-i0> <./program>' ]]
