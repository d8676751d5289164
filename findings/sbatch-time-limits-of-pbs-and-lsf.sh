#!/bin/bash
# sbatch of Slurm 26.05.5 (Debian sid): a time limit in a `#BSUB` or `#PBS` line is read in Slurm's units, not in
# those of LSF and PBS.
#
# Expected: LSF: `-W [hour:]minute`. PBS: `walltime` is a number of seconds, or [[HH:]MM:]SS. The wrapper qsub, which
#           Slurm contains, converts `-l walltime=3600` to 60 minutes.
# Actual:   sbatch reads `#BSUB -W 24:00` as 24 minutes, and `#PBS -l walltime=3600` as 3600 minutes, 2.5 days. A limit
#           with hours, minutes and seconds is correct. No message.
# Affected: scripts from LSF: their jobs are killed after a 60th of the time. Scripts from PBS with a number of seconds:
#           partitions reject their jobs, or the jobs wait for a gap of 60 times the length.
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
# limit LINE: prints the time limit that sbatch reads from a script with LINE.
limit() {
    printf '#!/bin/bash\n%s\nsrun true\n' "$1" >job.sh
    tool sbatch --verbose job.sh >log 2>&1 || :
    printf '%-29s %s\n' "$1" "$(sed -n 's/^sbatch: time *: *//p' log)"
}
{
    limit '#BSUB -W 90'
    limit '#BSUB -W 24:00'
    limit '#PBS -l walltime=3600'
    limit '#PBS -l walltime=01:00:00'
    printf 'qsub -l walltime=3600         sbatch %s\n' \
        "$(tool perl root/usr/bin/qsub -sbatchline -l walltime=3600 job.sh | grep -o -e ' -t[^ ]*')"
} | tee output
[[ $(<version) == 'slurm-wlm 26.05.5' && $(<output) == '#BSUB -W 90                   01:30:00
#BSUB -W 24:00                00:24:00
#PBS -l walltime=3600         2-12:00:00
#PBS -l walltime=01:00:00     01:00:00
qsub -l walltime=3600         sbatch  -t60' ]]
