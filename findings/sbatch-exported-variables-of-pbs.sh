#!/bin/bash
# sbatch of Slurm 26.05.5 (Debian sid): in a script for PBS, `-v` removes all variables that `-V` requests.
#
# Expected: PBS: `-V` exports all variables of the environment, and `-v` adds further ones. The wrapper qsub, which Slurm
#           contains, submits `--export=all,NAME=VALUE` for both options.
# Actual:   with `#PBS -V -v NAME=VALUE` in a script, in any order, sbatch exports NAME alone. No message.
# Affected: PBS scripts that rely on loaded modules and add a parameter: PATH and LD_LIBRARY_PATH are those of a login.
#           Programs are missing, or other versions than the loaded ones start.
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
# options ARGUMENT...: prints the value of --export that sbatch and qsub use with these options of PBS.
options() {
    printf '#!/bin/bash\n#PBS %s\nsrun true\n' "$*" >job.sh
    tool sbatch --verbose job.sh >log 2>&1 || :
    tool perl root/usr/bin/qsub -sbatchline "$@" job.sh >line
    printf '%s: sbatch: %s, qsub: %s\n' "$*" "$(sed -n 's/^sbatch: export *: *//p' log)" \
        "$(sed -n 's/.* --export=\([^ ]*\) .*/\1/p' line)"
}
{
    options -v CASE=7
    options -V -v CASE=7
    options -v CASE=7 -V
} | tee output
[[ $(<version) == 'slurm-wlm 26.05.5' && $(<output) == '-v CASE=7: sbatch: CASE=7, qsub: none,CASE=7
-V -v CASE=7: sbatch: CASE=7, qsub: all,CASE=7
-v CASE=7 -V: sbatch: CASE=7, qsub: all,CASE=7' ]]
