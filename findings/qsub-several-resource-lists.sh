#!/bin/bash
# qsub of Slurm 26.05.5 (Debian sid): of several options `-l`, only the last one has an effect.
#
# Expected: qsub(1) of Slurm: "It is aimed to be feature-compatible with PBS' qsub". With PBS and Torque, each `-l` adds
#           resources to the request: `-l select=4:ncpus=8 -l walltime=10:00:00` is the usual form.
# Actual:   the last `-l` replaces the others. The job gets one task on one node, the default time limit or the default
#           memory instead of what was requested. No message.
# Affected: commands and programs from clusters with PBS or Torque: with the time limit last, as in most examples, a
#           parallel program runs with one process; with the memory last, it is killed at the default time limit.
#           sbatch itself adds up the lines `#PBS -l` of a script.
#
# With --sbatchline, qsub prints the sbatch command instead of running it.
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if qsub behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
# qsub comes from Debian sid, with Perl, Slurm's module for it and all libraries that they need.
mkdir -p lists/partial cache/archives/partial root
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=-
    -o Acquire::Languages=none -o Debug::NoLocking=true)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" install --download-only --no-install-recommends --yes \
    slurm-wlm-torque=26.05.5-1 slurm-wlm-basic-plugins=26.05.5-1 >/dev/null
for package in cache/archives/*.deb; do dpkg-deb --extract "$package" root; done
dpkg-deb --field cache/archives/slurm-wlm-torque_*.deb Package Version
libraries=$(dirname "$(find "$work/root" -name 'libc.so.6' -print -quit)")
plugins=$(dirname "$(find "$work/root" -name libslurmfull.so -print -quit)")
modules=$(find "$work/root/usr" -type d \( -path '*/perl/5.*[0-9]' -o -name perl-base \) -printf '%p:')
cat >slurm.conf <<END_OF_CONFIGURATION
ClusterName=cluster
SlurmctldHost=localhost(127.0.0.1)
AuthType=auth/none
PluginDir=$plugins
END_OF_CONFIGURATION
# request OPTION...: prints the options and those of sbatch without the names of files.
request() {
    echo "qsub $*"
    env -i PATH="$PATH" SLURM_CONF="$work/slurm.conf" PERL5LIB="$modules" "$libraries/ld-linux-x86-64.so.2" \
        --library-path "$libraries:$plugins" root/usr/bin/perl root/usr/bin/qsub --sbatchline "$@" job.sh |
        sed -E 's/^.*sbatch -e [^ ]+ -o [^ ]+ (.*)$/    sbatch \1/'
}
{
    request -l nodes=4:ppn=8,walltime=10:00:00,mem=4gb
    request -l nodes=4:ppn=8 -l walltime=10:00:00
    request -l nodes=4:ppn=8 -l walltime=10:00:00 -l mem=4gb
    request -l select=4:ncpus=8:mpiprocs=8
    request -l select=4:ncpus=8:mpiprocs=8 -l walltime=10:00:00
} | tee output
[[ $(<output) == 'qsub -l nodes=4:ppn=8,walltime=10:00:00,mem=4gb
    sbatch -N4 -n32 -t600 --mem=4096M job.sh
qsub -l nodes=4:ppn=8 -l walltime=10:00:00
    sbatch -t600 job.sh
qsub -l nodes=4:ppn=8 -l walltime=10:00:00 -l mem=4gb
    sbatch --mem=4096M job.sh
qsub -l select=4:ncpus=8:mpiprocs=8
    sbatch -N4 --mincpus=8 --ntasks-per-node=8 --cpus-per-task=1 job.sh
qsub -l select=4:ncpus=8:mpiprocs=8 -l walltime=10:00:00
    sbatch -t600 job.sh' ]]
