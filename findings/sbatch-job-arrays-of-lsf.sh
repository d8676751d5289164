#!/bin/bash
# sbatch of Slurm 26.05.5 (Debian sid): a job array in a script for LSF becomes one job with brackets in its name.
#
# Expected: LSF: `-J "name[1-100]"` submits an array of 100 elements, `[1-100]%10` at most 10 at the same time. sbatch
#           reads `-J 1-100` in a `#PBS` line as an array. It creates an array here, too, or refuses the line.
# Actual:   sbatch reads `#BSUB -J "name[1-100]"` as the name of the job and starts the script once. No message.
# Affected: scripts from LSF that process one of many inputs in each element: the job succeeds, and 99 of 100 results are
#           missing.
#
# With --verbose, sbatch prints its options before it contacts the controller. No controller runs here, so that it then
# ends with an error.
# Requires Debian 12 or later on x86_64, and any user who may use apt; nothing is installed.
# Exit status: 0 if sbatch behaves as described, 1 otherwise.
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
    slurm-client=26.05.5-1 slurm-wlm-basic-plugins=26.05.5-1 >/dev/null
for package in cache/archives/*.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find "$work/root" -name 'libc.so.6' -print -quit)")
plugins=$(dirname "$(find "$work/root" -name libslurmfull.so -print -quit)")
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
    env -i PATH="$PATH" SLURM_CONF="$work/slurm.conf" "$libraries/ld-linux-x86-64.so.2" \
        --library-path "$libraries:$plugins" "root/usr/bin/$1" "${@:2}"
}
tool sbatch --version | tee version
# options LINE: prints the name and the array that sbatch reads from a script with LINE.
options() {
    printf '#!/bin/bash\n%s\nsrun true\n' "$1" >job.sh
    tool sbatch --verbose job.sh >log 2>&1 || :
    printf '%s\n' "$1"
    sed -nE 's/^sbatch: (array|job-name) +: /    \1=/p' log
}
{
    options '#SBATCH --array=1-100'
    options '#PBS -J 1-100'
    options '#BSUB -J "name[1-100]"'
    options '#BSUB -J "name[1-100]%10"'
} | tee output
[[ $(<version) == 'slurm-wlm 26.05.5' && $(<output) == '#SBATCH --array=1-100
    array=1-100
#PBS -J 1-100
    array=1-100
#BSUB -J "name[1-100]"
    job-name=name[1-100]
#BSUB -J "name[1-100]%10"
    job-name=name[1-100]%10' ]]
