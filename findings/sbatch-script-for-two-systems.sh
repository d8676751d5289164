#!/bin/bash
# sbatch of Slurm 26.05.5 (Debian sid): in a script for two batch systems, `#PBS` and `#BSUB` lines override `#SBATCH`
# lines.
#
# Expected: Slurm follows its own `#SBATCH` lines. If the lines of another system count at all, they fill in what is
#           missing, or the last line counts, as with two `#SBATCH` lines.
# Actual:   a `#PBS` or `#BSUB` line replaces the value of the `#SBATCH` line, wherever it is in the script. The options
#           of both systems are mixed: here, Slurm's tasks per node with the nodes of PBS. No message.
# Affected: scripts that are kept for two clusters, or that still contain the lines of the former one. Jobs get the
#           time, nodes and partition of the other cluster. `--ignore-pbs` prevents it.
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
# options NAME LINE...: prints the options that sbatch reads from a script with these lines.
options() {
    { echo '#!/bin/bash'; printf '%s\n' "${@:2}"; echo 'srun true'; } >job.sh
    tool sbatch --verbose job.sh >log 2>&1 || :
    printf '%s:\n' "$1"
    sed -nE '/verbose/d; s/^sbatch: ([a-z-]+) +: /    \1=/p' log
}
slurm=('#SBATCH --time=02:00:00' '#SBATCH --nodes=4' '#SBATCH --ntasks-per-node=2' '#SBATCH --partition=long')
pbs=('#PBS -l walltime=00:10:00' '#PBS -l nodes=1:ppn=16' '#PBS -q short')
lsf=('#BSUB -W 10' '#BSUB -q short')
{
    options 'two lines of Slurm' '#SBATCH --time=00:10:00' '#SBATCH --time=02:00:00'
    options 'PBS, Slurm' "${pbs[@]}" "${slurm[@]}"
    options 'Slurm, PBS' "${slurm[@]}" "${pbs[@]}"
    options 'LSF, Slurm' "${lsf[@]}" "${slurm[@]}"
} | tee output
[[ $(<version) == 'slurm-wlm 26.05.5' && $(<output) == 'two lines of Slurm:
    time=02:00:00
PBS, Slurm:
    nodes=1
    ntasks=16
    ntasks-per-node=2
    partition=short
    time=00:10:00
Slurm, PBS:
    nodes=1
    ntasks=16
    ntasks-per-node=2
    partition=short
    time=00:10:00
LSF, Slurm:
    nodes=4
    ntasks-per-node=2
    partition=short
    time=00:10:00' ]]
