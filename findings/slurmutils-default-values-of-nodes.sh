#!/bin/bash
# slurmutils 1.3.2 (PyPI): a change of one setting in slurm.conf gives nodes and partitions other default values.
#
# Expected: slurm.conf(5): the values of `NodeName=DEFAULT` apply to the nodes that follow, and several such lines can
#           reset them. The same for `PartitionName=DEFAULT`. An edited file has the changed setting and is equal in all
#           other respects.
# Actual:   of several `DEFAULT` lines, the last one replaces the first one, in its place, and the others are lost.
#           All nodes get the processors and the memory of the last kind of node, and all partitions the time limit of
#           the last partition. No message.
# Affected: clusters with several kinds of nodes, as many sites configure them: Slurm gives jobs more processors and
#           memory than a node has, or drains the node.
#
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if slurmutils behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check slurmutils==1.3.2
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^slurmutils '

cat >slurm.conf <<'END_OF_CONFIGURATION'
ClusterName=cluster
SlurmctldHost=controller
NodeName=DEFAULT CPUs=16 RealMemory=64000
NodeName=small[1-2]
NodeName=DEFAULT CPUs=64 RealMemory=512000
NodeName=large[1-2]
PartitionName=DEFAULT MaxTime=60
PartitionName=short Nodes=small[1-2]
PartitionName=DEFAULT MaxTime=INFINITE
PartitionName=long Nodes=large[1-2]
END_OF_CONFIGURATION
cat >edit.py <<'END_OF_PROGRAM'
from slurmutils import slurmconfig
with slurmconfig.edit("slurm.conf") as configuration:
    configuration.max_job_count = 20000
END_OF_PROGRAM
# values NAME KEY: prints what `NAME=...` lines say of KEY, with the default values that Slurm applies to each.
values() {
    awk -v name="$1" -v key="$2" '
        tolower($1) ~ "^" name "=" {
            value = initial
            for (i = 2; i <= NF; i++) if (tolower($i) ~ "^" key "=") value = substr($i, length(key) + 2)
            sub(/^[^=]*=/, "", $1)
            if ($1 == "DEFAULT") initial = value
            else print "    " $1, key "=" value
        }' slurm.conf
}
for state in before after; do
    printf '%s:\n' "$state"
    values nodename cpus
    values nodename realmemory
    values partitionname maxtime
    [[ $state == after ]] || python/bin/python edit.py
done | tee output
cat slurm.conf
grep -qix maxjobcount=20000 slurm.conf
[[ $(<output) == 'before:
    small[1-2] cpus=16
    large[1-2] cpus=64
    small[1-2] realmemory=64000
    large[1-2] realmemory=512000
    short maxtime=60
    long maxtime=INFINITE
after:
    small[1-2] cpus=64
    large[1-2] cpus=64
    small[1-2] realmemory=512000
    large[1-2] realmemory=512000
    short maxtime=INFINITE
    long maxtime=INFINITE' ]]
