#!/bin/bash
# ipyparallel 9.2.0 (PyPI): the setting `options` of the launchers for Slurm has no effect.
#
# Expected: its help: "Extra Slurm options". The options are in the job script, as are those of `account`, `qos`, `queue`
#           and `timelimit`.
# Actual:   the value is stored for a template, but the default templates have no place for it, and no code adds it, as for
#           the other settings. No message.
# Affected: users who set `c.SlurmEngineSetLauncher.options = "--mem-per-cpu=8G --constraint=nvme"`: the engines get the
#           default memory on nodes of any kind.
#
# sbatch is a stand-in that keeps the job script.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if ipyparallel behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check ipyparallel==9.2.0
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^ipyparallel '

mkdir bin
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
cp "$1" submitted
echo 'Submitted batch job 1'
END_OF_SBATCH
chmod 755 bin/sbatch
cat >launch.py <<'END_OF_PROGRAM'
import os, sys
from ipyparallel.cluster import launcher
from traitlets.config import Config

kind = getattr(launcher, sys.argv[1])
print("help:", kind.options.help)
config = Config()
config[kind.__name__].account = "project"
config[kind.__name__].qos = "high"
config[kind.__name__].timelimit = "2:00:00"
config[kind.__name__].options = "--mem-per-cpu=8G --constraint=nvme"
kind(config=config, work_dir=os.getcwd(), profile_dir=os.getcwd(), cluster_id="c").start(*map(int, sys.argv[2:]))
END_OF_PROGRAM
for kind in 'SlurmEngineSetLauncher 4' SlurmControllerLauncher; do
    printf '%s\n' "$kind"
    # shellcheck disable=SC2086
    PATH=$work/bin:$PATH python/bin/python launch.py $kind
    grep '^#SBATCH' submitted | grep -v -e --output -e --job-name | sort
done | tee output
[[ $(<output) == 'SlurmEngineSetLauncher 4
help: Extra Slurm options
#SBATCH --account=project
#SBATCH --export=ALL
#SBATCH --ntasks=4
#SBATCH --qos=high
#SBATCH --time=2:00:00
SlurmControllerLauncher
help: Extra Slurm options
#SBATCH --account=project
#SBATCH --export=ALL
#SBATCH --ntasks=1
#SBATCH --qos=high
#SBATCH --time=2:00:00' ]]
