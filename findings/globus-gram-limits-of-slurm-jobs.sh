#!/bin/bash
# globus-gram-job-manager-slurm 3.0 (Debian sid): the time limit of a job is ignored, and a number of processes on several
# hosts is requested on each of them.
#
# Expected: the attributes of GRAM: max_wall_time sets the time limit in minutes, "If the GRAM scheduler cannot set
#           walltime, then an error will be returned"; host_count is the number of nodes "to distribute the 'count'
#           processes across"; email_on_abort sends a mail if the job fails.
# Actual:   the module for Slurm reads an attribute `wall_time`, which GRAM does not have, so that the script has no time
#           limit. With a host count, `count` becomes the tasks of each node: 16 processes on 4 hosts are 64. The options
#           for mails follow the variables of the job, where sbatch does not read options any more. No message.
# Affected: jobs from a grid: they are killed at the default time limit of the partition. Those with a host count wait for
#           four times the processors and start 64 processes instead of 16.
#
# The module is called as the job manager does. sbatch is a stand-in that keeps the job script.
# Requires Debian 12 or later with Perl, and any user who may use apt; nothing is installed.
# Exit status: 0 if the module behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
mkdir -p lists/partial cache/archives/partial root bin job
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download globus-gram-job-manager-slurm=3.0-4 globus-gram-job-manager-scripts=7.3-3 \
    globus-gram-job-manager/sid globus-common-progs/sid libglobus-common0t64/sid libglobus-gram-protocol3t64/sid >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
dpkg-deb --field globus-gram-job-manager-slurm_*.deb Package Version
# Each attribute in this file is one that the job manager accepts for all schedulers.
attributes=root/usr/share/globus/globus_gram_job_manager/globus-gram-job-manager.rvf
for attribute in max_wall_time wall_time host_count; do
    printf '%s: %s\n' "$attribute" "$(grep -cx "Attribute: $attribute" "$attributes")"
done | tee attributes

cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
cp "$1" "$(dirname "$0")/../submitted"
echo 'Submitted batch job 1'
END_OF_SBATCH
printf '#!/bin/bash\n' >bin/srun
cp bin/srun bin/scancel
cp bin/srun bin/scontrol
chmod 755 bin/*
cat >submit.pl <<'END_OF_PROGRAM'
use Globus::GRAM::JobDescription;
require Globus::GRAM::JobManager::slurm;
my $description = new Globus::GRAM::JobDescription($ARGV[0]) or die "no description";
my $result = (new Globus::GRAM::JobManager::slurm($description))->submit();
ref($result) eq "HASH" or die "not submitted: " . $result->string;
END_OF_PROGRAM
cat >description.pl <<END_OF_DESCRIPTION
\$description = {
    'executable' => ['/bin/true'], 'arguments' => [], 'directory' => ['/'], 'stdin' => ['/dev/null'],
    'stdout' => ['$work/out'], 'stderr' => ['$work/err'], 'jobdir' => ['$work/job'], 'uniqid' => ['1.1'],
    'jobtype' => ['multiple'], 'environment' => [['OMP_NUM_THREADS', '1']],
    'emailaddress' => ['user'], 'emailonabort' => ['yes'],
    'count' => ['16'], 'hostcount' => ['4'], 'maxwalltime' => ['120'], 'maxmemory' => ['4000'],
};
END_OF_DESCRIPTION
PATH=$work/bin:$PATH perl -I root/usr/share/perl5 submit.pl "$work/description.pl" >log 2>&1
sed "s#$work#WORK#" submitted | grep -v -e '^PATH=' -e '^export ' -e '^ *$' -e WORK -e '^cd ' | tee output
[[ $(<attributes) == 'max_wall_time: 1
wall_time: 0
host_count: 1' && $(<output) == '#!/bin/sh
#GRAM job for SLURM
#SBATCH -N 4
#SBATCH --tasks-per-node=16
#SBATCH --mail-user=user
#SBATCH --mem=4000
OMP_NUM_THREADS="1"
#SBATCH --mail-type=FAIL' ]]
