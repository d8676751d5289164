#!/bin/bash
# pysqa 1.1.1 (PyPI) with Slurm 26.05.5 (Debian sid): of several jobs that a new job depends on, only the first one has
# to succeed.
#
# Expected: sbatch(1): `afterok:1:2:3` starts a job after the success of all of these jobs. A comma begins another
#           condition, with a type of its own. pysqa's template has `afterok` for the whole list.
# Actual:   pysqa writes `afterok:1,2,3`. Slurm takes a number without a type for `afterany`: it stores
#           `afterok:1,afterany:2,afterany:3`. No message of pysqa, sbatch or the controller.
# Affected: workflows that collect the results of several jobs, with `dependency_list` or with repeated options
#           `--dependency`: the new job starts although some of these jobs have failed or were cancelled, and reads
#           results that are missing or incomplete. The order of the list decides.
#
# Slurm's controller runs on loopback, with one node that never answers: no job starts. pysqa calls the real sbatch.
# The template is that of pysqa, without the line `--get-user-env=L`, which this release of Slurm refuses.
# Requires Debian 12 or later on x86_64 with Python 3.10 or later and venv, root, and PyPI; nothing is installed.
# Exit status: 0 if pysqa behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
controller=
finish() {
    [[ -z $controller ]] || { kill "$controller" && wait "$controller"; } 2>/dev/null || :
    rm -rf -- "$work"
}
trap finish EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check pysqa==1.1.1
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^pysqa '
# Slurm comes from Debian sid, with all libraries that it needs.
mkdir -p lists/partial cache/archives/partial root/{etc/slurm,run,state,dev,proc,usr}
ln -s usr/lib usr/lib64 root/
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >sources
apt=(-qq -o APT::Sandbox::User=root -o "Dir::State::lists=$work/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources" -o Dir::Etc::sourceparts=-
    -o Acquire::Languages=none -o Debug::NoLocking=true)
apt-get "${apt[@]}" update
apt-get "${apt[@]}" install --download-only --no-install-recommends --yes \
    slurmctld=26.05.5-1 slurm-client=26.05.5-1 slurm-wlm-basic-plugins=26.05.5-1 >/dev/null
for package in cache/archives/*.deb; do dpkg-deb --extract "$package" root; done
# The controller starts its helper under this name, which update-alternatives would create.
ln -s slurmctld-wlm root/usr/sbin/slurmctld
echo 'root:x:0:0::/:/bin/sh' >root/etc/passwd
echo 'root:x:0:' >root/etc/group
echo '127.0.0.1 localhost controller' >root/etc/hosts
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
: >root/dev/null
cat >root/etc/slurm/slurm.conf <<END_OF_CONFIGURATION
ClusterName=cluster
SlurmctldHost=controller(127.0.0.1)
SlurmctldPort=$port
CommunicationParameters=NoCtldInAddrAny
AuthType=auth/none
CredType=cred/none
SlurmUser=root
StateSaveLocation=/state
SlurmctldPidFile=/run/slurmctld.pid
ProctrackType=proctrack/pgid
SelectType=select/linear
NodeName=n1 NodeAddr=127.0.0.1 Port=1
PartitionName=main Nodes=n1 Default=YES
END_OF_CONFIGURATION
unshare --mount --propagation private --uts --pid --fork --kill-child sh -c '
    hostname controller
    mount -t proc proc root/proc
    mount --bind /dev/null root/dev/null
    exec timeout 100 chroot root /usr/sbin/slurmctld -D
' >controller.log 2>&1 &
controller=$!
mkdir bin
# The last argument is the script, which sbatch reads from its standard input here.
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
exec chroot "$ROOT" sbatch "${@:1:$#-1}" <"${!#}"
END_OF_SBATCH
chmod 755 bin/sbatch
cat >submit.py <<'END_OF_PROGRAM'
import os
from pysqa import QueueAdapter
from pysqa.wrapper.slurm import template
adapter = QueueAdapter(queue_type="SLURM")
def submit(name, dependencies):
    os.makedirs(name)
    return adapter.submit_job(
        job_name=name, working_directory=os.path.abspath(name), command="true", cores=1, partition="main",
        dependency_list=dependencies, submission_template=template.replace("#SBATCH --get-user-env=L\n", ""))
parts = [submit(f"part{number}", None) for number in (1, 2, 3)]
submit("summary", parts)
END_OF_PROGRAM
for ((i = 0; i < 100; i++)); do
    chroot root scontrol ping 2>/dev/null | grep -q 'is UP' && break
    sleep 0.1
done
# queue WORDS: prints the jobs with their conditions.
queue() {
    printf '%s:\n' "$1"
    chroot root squeue --noheader --sort=i --format='    %i %j: %E'
}
{
    chroot root sbatch --version
    env ROOT="$work/root" PATH="$work/bin:$PATH" python/bin/python submit.py
    grep -h dependency summary/*
    chroot root sbatch --quiet --job-name=reference --dependency=afterok:1:2:3 <summary/run_queue.sh
    queue 'four jobs of pysqa, and one of sbatch'
    chroot root scancel 2 3
    for ((i = 0; i < 100; i++)); do
        ! chroot root squeue --noheader --jobs=5 --format=%E | grep -q 'afterok:3(unfulfilled)' && break
        sleep 0.1
    done
    queue 'jobs 2 and 3 are cancelled'
} | tee output
[[ $(<output) == 'slurm-wlm 26.05.5
#SBATCH --dependency=afterok:1,2,3
four jobs of pysqa, and one of sbatch:
    1 part1: (null)
    2 part2: (null)
    3 part3: (null)
    4 summary: afterok:1(unfulfilled),afterany:2(unfulfilled),afterany:3(unfulfilled)
    5 reference: afterok:1(unfulfilled),afterok:2(unfulfilled),afterok:3(unfulfilled)
jobs 2 and 3 are cancelled:
    1 part1: (null)
    4 summary: afterok:1(unfulfilled)
    5 reference: afterok:1(unfulfilled),afterok:2(failed),afterok:3(failed)' ]]
