# shellcheck shell=bash
# The Slurm configuration of a cluster.

# write_slurm_conf DIR NODES DEBUG-LEVEL
write_slurm_conf() {
    local dir=$1 nodes=$2 level=$3
    mkdir -p "$dir"
    {
        slurm_conf "$nodes" "$level"
        if [[ -n $option_accounting ]]; then slurm_conf_of_accounting; fi
    } >"$dir/slurm.conf"
    if [[ -n $option_accounting ]]; then write_slurmdbd_conf "$dir"; fi
    # Control groups would be those of the machine. Before 23.02 there is no `disabled`, but without
    # a plugin that needs control groups, Slurm does not touch them.
    case $(slurm_release) in
        2[0-2].*) printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' ;;
        *) printf 'CgroupPlugin=disabled\n' ;;
    esac >"$dir/cgroup.conf"
    : >"$dir/plugstack.conf"
}

# The nodes have more processors than the machine, and jobs share them, so that no job ever waits
# for another. Intervals are short for the same reason: otherwise a batch job would start up to 3 s
# after its submission.
slurm_conf() {
    local nodes=$1 level=$2
    cat <<END
ClusterName=testbed
SlurmctldHost=ctl
SlurmUser=root
AuthType=auth/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
MailProg=/bin/true

StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
SlurmctldDebug=verbose
SlurmdDebug=$level

SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
LaunchParameters=use_interactive_step
KillWait=2
${option_configless:+SlurmctldParameters=enable_configless}
InactiveLimit=0
MinJobAge=300

NodeName=n[1-$nodes] CPUs=8 RealMemory=16000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE OverSubscribe=FORCE:8 State=UP
END
}
