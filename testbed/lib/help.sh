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
  up          bring a cluster up
  down        end it
  status      what is up
  with        run a command with a cluster of its own
  shell       log in, to a cluster brought up for it if need be
Inside a cluster
  exec        run a command on a host
  entry       what to put before a command to run it there, without testbed
  push        put a file on the controller and the nodes
  hub         start or stop the registry that stands for docker.io
  crash boot  kill a host, start it again
  root        where a host's root file system can be reached from outside
Without one
  prepare     build what every cluster starts from, once
  version     the Slurm release, such as 26.05
  plugindir   where Slurm looks for plugins on a host

testbed help COMMAND tells more. --name NAME chooses a cluster; without it,
$SIFCACHE_TESTBED_NAME or else `default` is meant.

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
  SIFCACHE_TESTBED_NAME          the cluster meant when there is no --name
  SIFCACHE_TESTBED_SUITE         the Debian release when there is no --suite, sid
  SIFCACHE_TESTBED_HOURS         how long `up` lets a cluster live, 12
  SIFCACHE_TESTBED_SLURMD_DEBUG  slurmd's log level, verbose
  SIFCACHE_CACHE                 where everything is kept, .cache beside testbed/
END
}

help_up() {
    cat <<'END'
Usage: testbed up [--name NAME] [--nodes N] [--suite SUITE] [--configless] [--reuse]

Brings up a cluster of N compute nodes (2) on the Debian release SUITE (sid), and
returns when all are idle. It lives until `testbed down`, at most
$SIFCACHE_TESTBED_HOURS hours (12). Several can be up side by side under different
names. One that was killed is cleared away first; one that is up is an error,
unless --reuse says to be content with it.

With --configless the nodes have an empty /etc/slurm, and slurmd fetches Slurm's
configuration from the controller (--conf-server).

Suites: bookworm has Slurm 22.05, trixie 24.11, sid the newest. All have sid's
Apptainer; on bookworm it brings a C library of its own.
END
}

help_down() {
    cat <<'END'
Usage: testbed down [--name NAME | --all]

Ends a cluster, or all of them: every process, mount and interface, and what the
hosts have written.
END
}

help_status() {
    cat <<'END'
Usage: testbed status [--name NAME]

Hosts, process numbers, versions and the hub's state; of all clusters if neither
--name nor $SIFCACHE_TESTBED_NAME says which.
END
}

help_with() {
    cat <<'END'
Usage: testbed with [--nodes N] [--clusters N] [--suite SUITE] [--] COMMAND…

Runs COMMAND, here and not on a host, with a new cluster whose name is in
$SIFCACHE_TESTBED_NAME and its suite in $SIFCACHE_TESTBED_SUITE, and takes the
cluster down whatever happens. The exit status is that of COMMAND.

With --clusters, several come up side by side, for tests that run in parallel.
$SIFCACHE_TESTBED_NAMES holds their names, separated by blanks, and
$SIFCACHE_TESTBED_NAME the first of them.

Example: testbed with --nodes 4 -- cargo test --test end_to_end
END
}

help_shell() {
    cat <<'END'
Usage: testbed shell [--name NAME] [--on HOST] [--user USER]

A login shell as USER (alice) on HOST (ctl). If that cluster is not up, it is
brought up and ends with the shell.
END
}

help_exec() {
    cat <<'END'
Usage: testbed exec [--name NAME] [--on HOST] [--user USER] [--cwd DIR]
                    [--env K=V]… [--] COMMAND…

Runs COMMAND on HOST (ctl) as USER (root), with the environment of a fresh login
and K=V, in DIR (the user's home; / for root). Input and output are passed
through, and so is the exit status: 128 + n after signal n.

Example: testbed exec --on n1 -- tail /var/log/syslog
END
}

help_entry() {
    cat <<'END'
Usage: testbed entry [--name NAME] [--on HOST] [--user USER] [--cwd DIR] [--env K=V]…

Prints the words that `testbed exec` puts before its command, each ended by a NUL.
Programs that run many commands on a host save the start of testbed that way. The
words are good until the host ends.
END
}

help_push() {
    cat <<'END'
Usage: testbed push [--name NAME] SRC DEST [MODE]

Puts the file SRC at the absolute path DEST on ctl and on every node, with MODE
(644). It is renamed into place, so that whoever has the old one open keeps it.
If SRC is a directory, what is in it is put below DEST, with the modes it has.

Example: testbed push target/release/libspank_x.so "$(testbed plugindir)/spank_x.so"
END
}

help_hub() {
    cat <<'END'
Usage: testbed hub start|stop|status [--name NAME]

The registry that stands for docker.io, and for registry.example.org. It is
stopped after `testbed up`: connections are refused, as without a network, and
only a local image can make a docker:// run succeed. It tells what was asked of it in
/var/log/registry.log on host hub. A cluster may push to it; other clusters and
later ones do not see that.

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

Kills all processes of a host at once; starts it again, with what it had written
to disk.
END
}

help_boot() { help_crash; }

help_root() {
    cat <<'END'
Usage: testbed root [--name NAME] HOST

Prints a path through which the host's root file system can be reached from
outside. It is good until the host ends.

Example: cat "$(testbed root n1)/var/log/slurm/slurmd.log"
END
}

help_prepare() {
    cat <<'END'
Usage: testbed prepare [--suite SUITE]

Builds the root file system of the hosts and fills the hub's storage, unless that
is done already; every other command does so by itself. Takes about a minute, a
Debian mirror within reach, and 1 GB in the cache directory. Installs mmdebstrap
here if it is missing.
END
}

help_version() {
    printf 'Usage: testbed version [--suite SUITE]\n\nPrints MAJOR.MINOR of the Slurm in the root file system.\n'
}

help_plugindir() {
    printf 'Usage: testbed plugindir [--suite SUITE]\n\nPrints the directory on a host where Slurm looks for plugins.\n'
}
