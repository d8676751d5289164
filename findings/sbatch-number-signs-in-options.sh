#!/bin/bash
# sbatch of Slurm 26.05.5 (Debian sid): a number sign within a value ends an `#SBATCH` line.
#
# Expected: sbatch(1): "#SBATCH directives are read directly by Slurm, so shell-specific syntax including variable names
#           will be read as literal text". An option has the same value in a script as on the command line. Even in
#           shells, `#` starts a comment only at the start of a word.
# Actual:   sbatch drops `#` and the rest of the line, also in the middle of a word: `--output=run#%j.out` in a script
#           becomes `run`, and options that follow in the line are ignored. No message. Quotes prevent it.
# Affected: names of jobs, files and directories with `#`: all jobs of a script write to the same file, and later ones
#           remove the output of former ones. Jobs have the default time limit or memory instead of those in the line.
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
# show ARGUMENT...: prints the options that sbatch reads.
show() {
    tool sbatch --verbose "$@" >log 2>&1 || :
    sed -nE "s|^sbatch: (job-name\|output\|time) +: ($work/)?|\1=|p" log | grep -vx 'job-name=job.sh' | paste -sd' ' |
        sed "s/^/    /"
}
{
    for options in '--job-name=run#5 --time=10' '--output=run#%j.out' '"--output=run#%j.out"'; do
        echo "options: $options"
        printf '#!/bin/bash\n' >job.sh
        read -ra arguments <<<"${options//\"/}"
        show "${arguments[@]}" job.sh
        printf '#SBATCH %s\n' "$options" >>job.sh
        show job.sh
    done
} | tee output
[[ $(<version) == 'slurm-wlm 26.05.5' && $(<output) == 'options: --job-name=run#5 --time=10
    job-name=run#5 time=00:10:00
    job-name=run
options: --output=run#%j.out
    output=run#%j.out
    output=run
options: "--output=run#%j.out"
    output=run#%j.out
    output=run#%j.out' ]]
