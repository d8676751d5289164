#!/bin/bash
# nemo_run 0.11.1 (PyPI): with Slurm, variables get names in upper case, and values end at the first space.
#
# Expected: the setting `env_vars` has the same effect with each executor. LocalExecutor passes names and values as they
#           are.
# Actual:   SlurmExecutor writes `export NAME=value` into the job script, with the name in upper case and the value
#           without quotes. A space ends the value, and the rest is taken for names of further variables. No message.
# Affected: http_proxy, of which curl and other programs read only the lower case, and all other variables with lower
#           case: they are not set, and `container_env=["http_proxy"]` passes nothing into the container. Options such
#           as XLA_FLAGS="--one --two" lose all but the first one.
#
# sbatch and srun are stand-ins that run the script and the command.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed. It takes some minutes.
# Exit status: 0 if nemo_run behaves as described, 1 otherwise.
# shellcheck disable=SC2016
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
# nemo_run imports a module that leptonai 0.47 does not have any more.
python/bin/pip install --quiet --disable-pip-version-check nemo_run==0.11.1 leptonai==0.27.3
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^nemo_run '

mkdir bin
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
SLURM_JOB_ID=42 SLURM_JOB_NODELIST=node1 bash "${@: -1}" >/dev/null 2>&1
echo 42
END_OF_SBATCH
cat >bin/srun <<'END_OF_SRUN'
#!/bin/bash
while [[ $1 == -* ]]; do
    case $1 in
        --output | --chdir | -w) shift 2 ;;
        *) shift ;;
    esac
done
exec "$@"
END_OF_SRUN
printf '#!/bin/bash\necho node1\n' >bin/scontrol
printf '#!/bin/bash\n' | tee bin/sacct bin/squeue >/dev/null
chmod 755 bin/*
cat >submit.py <<'END_OF_PROGRAM'
import os, sys, nemo_run as run
variables = {"http_proxy": "http://proxy:3128", "XLA_FLAGS": "--one --two"}
if sys.argv[1] == "slurm":
    executor = run.SlurmExecutor(account="account", partition="main", env_vars=variables, packager=run.Packager(),
                                 tunnel=run.LocalTunnel(job_dir=f"{os.environ['NEMORUN_HOME']}/experiments"))
else:
    executor = run.LocalExecutor(env_vars=variables)
script = run.Script(inline=f'echo "[$http_proxy] [$HTTP_PROXY] [$XLA_FLAGS]" >{os.getcwd()}/result')
if __name__ == "__main__":
    run.run(script, executor=executor, name="job", detach=sys.argv[1] == "slurm")
END_OF_PROGRAM
echo 'values of http_proxy, HTTP_PROXY and XLA_FLAGS:'
for executor in local slurm; do
    rm -f result
    env -u http_proxy -u HTTP_PROXY -u XLA_FLAGS PATH="$work/bin:$PATH" HOME="$work" NEMORUN_HOME="$work/nemo" \
        timeout 200 python/bin/python submit.py "$executor" >log 2>&1
    printf '%s: %s\n' "$executor" "$(<result)"
done | tee output
[[ $(<output) == 'local: [http://proxy:3128] [] [--one --two]
slurm: [] [http://proxy:3128] [--one]' ]]
