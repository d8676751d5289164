#!/bin/bash
# reframe-hpc 4.10.4 (PyPI): with Slurm, some constraints of a test or of the command line are left out of the job script.
#
# Expected: the configuration reference, on `access`: constraints of a partition "will be AND'ed with any additional
#           constraints passed either through the test job options or the -J command-line option".
# Actual:   if a partition has a constraint, one in the test that is written as `--constraint nvme` is left out, and only
#           `-C nvme` and `--constraint=nvme` are added. If a test has a constraint, that of the option -J is left out. No
#           message; the script is the same as without them.
# Affected: partitions whose `access` has a constraint, as of one Slurm partition with several kinds of nodes. A benchmark
#           runs on other nodes than requested, and its results are stored as those of the requested ones.
#
# With --dry-run, ReFrame writes the job scripts and submits nothing.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if reframe-hpc behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check reframe-hpc==4.10.4
export HOME=$work RFM_SAVE_LOG_FILES=n
printf 'reframe-hpc %s\n' "$(python/bin/reframe --version)"

cat >settings.py <<'END_OF_SETTINGS'
site_configuration = {
    "systems": [{
        "name": "cluster",
        "hostnames": [".*"],
        "modules_system": "nomod",
        "partitions": [{
            "name": "gpu",
            "scheduler": "slurm",
            "launcher": "srun",
            "environs": ["builtin"],
            "access": ["--constraint=gpu"],
        }],
    }],
    "environments": [{"name": "builtin"}],
}
END_OF_SETTINGS
cat >check.py <<'END_OF_TESTS'
import reframe as rfm
import reframe.utility.sanity as sn

@rfm.simple_test
class check(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    executable = "true"
    option = variable(str, value="")

    @run_before("run")
    def add_option(self):
        self.job.options = [self.option] if self.option else []

    @sanity_function
    def succeeds(self):
        return sn.assert_true(True)
END_OF_TESTS
# constraint TEST [OPTION]: writes the script with TEST as an option of the test, and OPTION as one of the command line.
# It prints the constraints in the script.
constraint() {
    printf 'partition: --constraint=gpu; test: %s; command line: %s\n' "${1:-none}" "${2:-none}"
    rm -rf prefix
    python/bin/reframe --config-file=settings.py --checkpath=check.py --prefix=prefix --dry-run --quiet \
        ${1:+--setvar="option=$1"} ${2:+--job-option="$2"} >>log 2>&1
    grep -h -e -C -e --constraint prefix/stage/cluster/gpu/builtin/check/rfm_job.sh | sed 's/^/    /'
}
{
    constraint --constraint=nvme
    constraint '-C nvme'
    constraint '--constraint nvme'
    constraint '' constraint=nvme
    constraint --constraint=nvme constraint=large
} | tee output
[[ $(<output) == 'partition: --constraint=gpu; test: --constraint=nvme; command line: none
    #SBATCH --constraint=(gpu)&(nvme)
partition: --constraint=gpu; test: -C nvme; command line: none
    #SBATCH --constraint=(gpu)&(nvme)
partition: --constraint=gpu; test: --constraint nvme; command line: none
    #SBATCH --constraint=gpu
partition: --constraint=gpu; test: none; command line: constraint=nvme
    #SBATCH --constraint=(gpu)&(nvme)
partition: --constraint=gpu; test: --constraint=nvme; command line: constraint=large
    #SBATCH --constraint=(gpu)&(nvme)' ]]
