#!/bin/bash
# fsl_sub_plugin_slurm 1.7.0 (PyPI) with fsl_sub 2.11.0: the setting `strict_dependencies: True` has no effect.
#
# Expected: README of the plugin: with this setting, a job depends on `afterok`, so that it does not start if the job
#           that it waits for failed. The generated configuration file has the setting, too, and `fsl_sub --show_config`
#           shows its value.
# Actual:   the dependency is `afterany`. The plugin reads `strict_dependancies`, a name that is not documented. Only
#           this spelling and the variable FSLSUB_STRICTDEPS work.
# Affected: sites that keep the behaviour of the releases before 1.6.0, where `afterok` was the default, or that want a
#           pipeline to stop after an error: the next steps run with incomplete files, and each of them may end with
#           COMPLETED.
#
# sbatch and sinfo are stand-ins: sbatch prints the dependency in the script that it gets.
# Requires Python 3.9 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if the plugin behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check fsl_sub_plugin_slurm==1.7.0 fsl_sub==2.11.0
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^fsl_sub'

mkdir bin
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
sed -n 's/^#SBATCH --dependency/dependency/p' >submitted
echo 43
END_OF_SBATCH
cat >bin/sinfo <<'END_OF_SINFO'
#!/bin/bash
case $* in
    *%P*) echo 'main*' ;;
    *%G* | *%f*) echo '(null)' ;;
    *CPUs,*) echo '64 UNLIMITED 256000 1-00:00:00 node1' ;;
    *) echo 'main* up 1-00:00:00 1 idle node1' ;;
esac
END_OF_SINFO
printf '#!/bin/bash\n' >bin/sacct
chmod 755 bin/*
export PATH="$work/bin:$work/python/bin:$PATH" HOME="$work"
unset FSLSUB_CONF FSLSUB_STRICTDEPS SLURM_JOB_ID SLURM_JOBID
fsl_sub_config slurm >default.yml

# submit TEXT NAME=VALUE...: submits a job that waits for the job 42, with these variables, and prints the dependency.
submit() {
    env "${@:2}" fsl_sub --jobhold 42 true >log 2>&1
    printf '%s: %s\n' "$1" "$(<submitted)"
}
sed 's/strict_dependencies: false/strict_dependencies: true/' default.yml >strict.yml
sed 's/strict_dependencies: false/strict_dependancies: true/' default.yml >misspelt.yml
{
    submit 'default configuration' FSLSUB_CONF=default.yml
    submit 'strict_dependencies: true' FSLSUB_CONF=strict.yml
    submit 'strict_dependancies: true' FSLSUB_CONF=misspelt.yml
    submit 'FSLSUB_STRICTDEPS=1' FSLSUB_CONF=default.yml FSLSUB_STRICTDEPS=1
} | tee output
[[ $(<output) == 'default configuration: dependency=afterany:42
strict_dependencies: true: dependency=afterany:42
strict_dependancies: true: dependency=afterok:42
FSLSUB_STRICTDEPS=1: dependency=afterok:42' ]]
