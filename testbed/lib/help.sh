# shellcheck shell=bash
# The output of --help.

# help [COMMAND]
help() {
    local topic=${1:-overview}
    [[ $topic != -* ]] || topic=overview
    declare -F "help_$topic" >/dev/null || usage_error "help $topic: no such command"
    "help_$topic"
}

help_overview() {
    cat <<'END'
testbed: a real Slurm cluster with a real Apptainer, in a directory

Usage: testbed COMMAND [OPTIONS] …

Clusters
  up          start a cluster
  down        stop a cluster
  status      list the running clusters
  with        run a command with a new cluster
  shell       log in; starts the cluster if it is not up
Inside a cluster
  exec        run a command on a host
  entry       print a prefix that runs a command on a host without testbed
  push        copy a file to the controller and the nodes
  hub         start or stop the registry that replaces docker.io
  prometheus  start or stop Prometheus and a node_exporter
  crash boot  kill a host, start it again
  root        print the path of a host's root file system from outside
Without a cluster
  prepare     build the root file system and the hub's storage
  version     print the Slurm release, such as 26.05
  plugindir   print the directory of Slurm's plugins on a host

testbed help COMMAND describes a command. --name NAME selects a cluster; the
default is $SIFCACHE_TESTBED_NAME, or `default` if that is not set.

Hosts: ctl is controller and login node, n1, n2, … are compute nodes, hub is the
registry. Users: root, alice, bob.

Examples
  testbed up
  testbed exec --user alice -- srun -N2 hostname
  testbed push libspank_x.so "$(testbed plugindir)/spank_x.so"
  testbed exec -- sh -c 'echo required spank_x.so >/etc/slurm/plugstack.conf'
  testbed hub start
  testbed exec --user alice -- srun singularity exec docker://alpine cat /etc/image-name
  testbed down

Environment
  SIFCACHE_TESTBED_NAME          the cluster if there is no --name
  SIFCACHE_TESTBED_SUITE         the Debian release if there is no --suite (sid)
  SIFCACHE_TESTBED_HOURS         maximum lifetime of a cluster in hours (12)
  SIFCACHE_TESTBED_SLURMD_DEBUG  slurmd's log level (verbose)
  SIFCACHE_CACHE                 directory of all files (.cache beside testbed/)
END
}

help_up() {
    cat <<'END'
Usage: testbed up [--name NAME] [--nodes N] [--suite SUITE] [--configless]
                  [--accounting] [--reuse]

Starts a cluster with N compute nodes (2) on the Debian release SUITE (sid), and
returns when all nodes are idle. It runs until `testbed down`, at most
$SIFCACHE_TESTBED_HOURS hours (12). Several clusters can run at the same time under
different names. The remains of a killed cluster are removed first. If the cluster is
already up, that is an error; with --reuse, it is used as it is.

With --configless the nodes have an empty /etc/slurm, and slurmd fetches Slurm's
configuration from the controller (--conf-server).

With --accounting, slurmdbd and MariaDB run on the controller, so that sacct and
sacctmgr work. The first time, this installs their packages in a layer above the root
file system of SUITE, which takes about 30 s and 350 MB. Other clusters do not have it.

Suites: bookworm has Slurm 22.05, trixie 24.11, sid the newest release. All have the
Apptainer of sid; on bookworm, it has its own C library.
END
}

help_down() {
    cat <<'END'
Usage: testbed down [--name NAME | --all]

Stops a cluster, or all of them: ends every process, removes every mount and
interface, and deletes the files that the hosts have written.
END
}

help_status() {
    cat <<'END'
Usage: testbed status [--name NAME]

Prints the hosts, process IDs, versions and the hub's state. Without --name and
$SIFCACHE_TESTBED_NAME, it prints this for all clusters.
END
}

help_with() {
    cat <<'END'
Usage: testbed with [--nodes N] [--clusters N] [--suite SUITE] [--accounting] [--] COMMAND…

Starts a new cluster and runs COMMAND on this machine, not on a host. The name of
the cluster is in $SIFCACHE_TESTBED_NAME, its suite in $SIFCACHE_TESTBED_SUITE. The
cluster always ends with COMMAND. The exit status is that of COMMAND.

--clusters starts several clusters, for tests that run in parallel.
$SIFCACHE_TESTBED_NAMES contains their names, separated by blanks, and
$SIFCACHE_TESTBED_NAME contains the first of them.

Example: testbed with --nodes 4 -- cargo test --test end_to_end
END
}

help_shell() {
    cat <<'END'
Usage: testbed shell [--name NAME] [--on HOST] [--user USER]

Starts a login shell as USER (alice) on HOST (ctl). If the cluster is not up, it is
started, and ends with the shell.
END
}

help_exec() {
    cat <<'END'
Usage: testbed exec [--name NAME] [--on HOST] [--user USER] [--cwd DIR]
                    [--env K=V]… [--] COMMAND…

Runs COMMAND on HOST (ctl) as USER (root), with the environment of a new login and
K=V, in DIR (by default the user's home, / for root). Input, output and the exit
status are those of COMMAND; after signal n, the exit status is 128 + n.

Example: testbed exec --on n1 -- tail /var/log/syslog
END
}

help_entry() {
    cat <<'END'
Usage: testbed entry [--name NAME] [--on HOST] [--user USER] [--cwd DIR] [--env K=V]…

Prints the words that `testbed exec` puts before its command, each terminated by a
NUL. With them, a program that runs many commands on a host does not start testbed
each time. They are valid until the host ends.
END
}

help_push() {
    cat <<'END'
Usage: testbed push [--name NAME] SRC DEST [MODE]

Copies the file SRC to the absolute path DEST on ctl and on every node, with MODE
(644). It replaces an old file by a rename, so a process that has the old file open
keeps it. If SRC is a directory, its content is copied below DEST with its modes.

Example: testbed push target/release/libspank_x.so "$(testbed plugindir)/spank_x.so"
END
}

help_prometheus() {
    cat <<'END'
Usage: testbed prometheus start|stop|status [--name NAME]

Starts or stops node_exporter on ctl, port 9100, and Prometheus on host hub, port
9090, which scrapes it every second. Both run as the user prometheus. node_exporter
reads the files *.prom in /var/lib/prometheus/node-exporter on ctl, and Prometheus
the rules in /etc/prometheus/rules.yml on hub, if there are any. Their logs are
/var/log/node-exporter.log on ctl and /var/log/prometheus.log on hub.
END
}

help_hub() {
    cat <<'END'
Usage: testbed hub start|stop|status [--name NAME]

The registry that replaces docker.io and registry.example.org. It is stopped after
`testbed up`: connections are refused, as without a network, so a docker:// run can
succeed only with a local image. Its log is /var/log/registry.log on host hub. A
cluster can push to it; other and later clusters do not see the pushed images.

Images
END
    local n
    for ((n = 0; n < ${#hub_images[@]}; n += 2)); do
        printf '  docker://%s\n' "${hub_images[n]#library/}"
    done
}

help_crash() {
    cat <<'END'
Usage: testbed crash [--name NAME] HOST
       testbed boot [--name NAME] HOST

crash kills all processes of a host at once. boot starts it again, with the files
that it had written to disk.
END
}

help_boot() { help_crash; }

help_root() {
    cat <<'END'
Usage: testbed root [--name NAME] HOST

Prints the path of the host's root file system from outside. It is valid until the
host ends.

Example: cat "$(testbed root n1)/var/log/slurm/slurmd.log"
END
}

help_prepare() {
    cat <<'END'
Usage: testbed prepare [--suite SUITE]

Builds the root file system of the hosts and fills the hub's storage if they do not
exist; the other commands do this when necessary. It takes about a minute, and needs
access to a Debian mirror and 1 GB in the cache directory. It installs mmdebstrap on
this machine if that is missing.
END
}

help_version() {
    printf 'Usage: testbed version [--suite SUITE]\n\nPrints MAJOR.MINOR of the Slurm in the root file system.\n'
}

help_plugindir() {
    printf 'Usage: testbed plugindir [--suite SUITE]\n\nPrints the directory in which Slurm searches for plugins on a host.\n'
}
