#!/bin/bash
# sbatch and qsub of Slurm 26.05.5 (Debian sid): a higher priority, as PBS scripts request it, delays the job.
#
# Expected: PBS: `-p` is a number from -1024 to 1023, and a higher one means a higher priority. qsub(1) of Slurm:
#           "Specify the priority under which the job should run". A higher number has the same effect.
# Actual:   both programs pass the number to `--nice`, which has the opposite meaning: sbatch(1): "A negative nice
#           value increases the priority, otherwise decreases it". `-p 500` becomes `--nice=500`. No message.
# Affected: PBS scripts that order the jobs of a user: those that should start first start last. A negative number, for
#           jobs that can wait, becomes a negative value of `--nice`, which only privileged users may request.
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
# request PRIORITY: prints the value of --nice that sbatch and qsub request.
request() {
    printf '#!/bin/bash\n#PBS -p %d\nsrun true\n' "$1" >job.sh
    tool sbatch --verbose job.sh >log 2>&1 || :
    printf '%s %4d: sbatch: --nice=%s, qsub: %s\n' -p "$1" "$(sed -n 's/^sbatch: nice *: *//p' log)" \
        "$(tool perl root/usr/bin/qsub -sbatchline -p "$1" job.sh | grep -o -e '--nice=[^ ]*')"
}
{
    request 500
    request -100
} | tee output
[[ $(<version) == 'slurm-wlm 26.05.5' && $(<output) == '-p  500: sbatch: --nice=500, qsub: --nice=500
-p -100: sbatch: --nice=-100, qsub: --nice=-100' ]]
