#!/bin/bash
# sbatch and qsub of Slurm 26.05.5 (Debian sid): nodes with different numbers of processors, as PBS scripts request
# them, become a multiple of the tasks.
#
# Expected: PBS: `nodes=2:ppn=4+1:ppn=8` is two nodes with 4 processors and one with 8, together 16.
# Actual:   both programs add the numbers behind `ppn=` and multiply the sum by the number of all nodes: 3 nodes and 36
#           tasks. For named nodes, `n1:ppn=4+n2:ppn=4`, sbatch counts 8 tasks, and qsub 16. No message.
# Affected: PBS scripts with a main process on a node of its own, `1:ppn=1+3:ppn=16`: MPI starts 68 processes instead of
#           49. Either the job does not start, or nodes are overloaded, or a fixed decomposition does not fit.
#
# With --verbose, sbatch prints its options before it contacts the controller. No controller runs here, so that it then
# ends with an error. With -sbatchline, qsub prints the command that it would start.
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if sbatch and qsub behave as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
# Slurm comes from Debian sid, with all libraries that it needs.
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=-
    -o Acquire::Languages=none -o Debug::NoLocking=true)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" install --download-only --no-install-recommends --yes \
    slurm-client=26.05.5-1 slurm-wlm-basic-plugins=26.05.5-1 slurm-wlm-torque=26.05.5-1 >/dev/null
for package in cache/archives/*.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find "$work/root" -name 'libc.so.6' -print -quit)")
plugins=$(dirname "$(find "$work/root" -name libslurmfull.so -print -quit)")
modules=$(printf '%s:' root/usr/{lib/*/perl5,lib/*/perl,share/perl}/5.* root/usr/lib/*/perl-base)
cat >slurm.conf <<END_OF_CONFIGURATION
ClusterName=cluster
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=1
AuthType=auth/none
MessageTimeout=2
PluginDir=$plugins
END_OF_CONFIGURATION
# tool NAME ARGUMENT...: runs a program from these packages.
tool() {
    env -i PATH="$PATH" SLURM_CONF="$work/slurm.conf" PERL5LIB="$modules" "$libraries/ld-linux-x86-64.so.2" \
        --library-path "$libraries:$plugins" "root/usr/bin/$1" "${@:2}"
}
tool sbatch --version | tee version
# request NODES: prints the number of tasks that sbatch and qsub request.
request() {
    printf '#!/bin/bash\n#PBS -l nodes=%s\nsrun true\n' "$1" >job.sh
    tool sbatch --verbose job.sh >log 2>&1 || :
    tool perl root/usr/bin/qsub -sbatchline -l "nodes=$1" job.sh >line
    printf '%-20s sbatch: %d, qsub: %d\n' "$1" "$(sed -n 's/^sbatch: ntasks *: *//p' log)" \
        "$(sed -n 's/.* -n\([0-9]*\) .*/\1/p' line)"
}
{
    request 2:ppn=4
    request 2:ppn=4+1:ppn=8
    request 1:ppn=1+3:ppn=16
    request n1:ppn=4+n2:ppn=4
} | tee output
[[ $(<version) == 'slurm-wlm 26.05.5' && $(<output) == '2:ppn=4              sbatch: 8, qsub: 8
2:ppn=4+1:ppn=8      sbatch: 36, qsub: 36
1:ppn=1+3:ppn=16     sbatch: 68, qsub: 68
n1:ppn=4+n2:ppn=4    sbatch: 8, qsub: 16' ]]
