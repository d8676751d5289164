#!/bin/bash
# qbatch 2.3.2 (PyPI): with Slurm, `--depend PATTERN` takes the pattern for a regular expression. A job does not wait for
# the jobs that the pattern matches, or waits for others.
#
# Expected: `qbatch --help`: "Wait for successful completion of job(s) with name matching given glob pattern or job id
#           matching given job id(s) before starting". With PBS, qbatch does so.
# Actual:   with Slurm, `sub-*_recon` is searched for as a regular expression, in a line with the name and the number of
#           each job. It finds neither sub-01_recon nor sub-02_recon. The job has no dependency then, and starts at once,
#           without a message. A name or a number matches all names and numbers that contain it.
# Affected: pipelines of qbatch that move from PBS or SGE to Slurm: a step starts before the files of the previous one
#           exist. With names that are part of others, a failure of an unrelated job keeps a step from starting.
#
# squeue, sbatch, qstat and qsub are stand-ins: they list the same five jobs, and print the dependency in the script that
# they get. GNU parallel is a stand-in that is not started.
# Requires Python 3.8 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if qbatch behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check qbatch==2.3.2
echo "qbatch $(python/bin/qbatch --version)"

mkdir bin
printf '%s\n' 'sub-01_recon 11' 'sub-02_recon 12' 'recon 13' 'recon_qc 14' 'prerecon 15' >list
cat >bin/squeue <<'END_OF_SQUEUE'
#!/bin/bash
cat list
END_OF_SQUEUE
cat >bin/qstat <<'END_OF_QSTAT'
#!/bin/bash
sed -E '1i <Data>
    $a </Data>
    s,(.*) (.*),<Job><Job_Id>\2</Job_Id><Job_Name>\1</Job_Name><job_state>R</job_state></Job>,' list
END_OF_QSTAT
cat >bin/sbatch <<'END_OF_SUBMIT'
#!/bin/bash
grep -oE 'afterok:[0-9:]+' "${@: -1}" || echo none
END_OF_SUBMIT
printf '#!/bin/bash\n' >bin/parallel
chmod 755 bin/*
ln -s sbatch bin/qsub
printf '%s\n' 'analyse 1' 'analyse 2' >commands

for pattern in 'sub-*_recon' 'recon' '1'; do
    for system in pbs slurm; do
        printf -- '--depend %s, %s: ' "$pattern" "$system"
        env PATH="$work/bin:$PATH" USER=user \
            python/bin/qbatch --system "$system" --env none --depend "$pattern" commands 2>&1
    done
done | tee output
[[ $(<output) == '--depend sub-*_recon, pbs: afterok:11:12
--depend sub-*_recon, slurm: none
--depend recon, pbs: afterok:13
--depend recon, slurm: afterok:11:12:13:14:15
--depend 1, pbs: none
--depend 1, slurm: afterok:11:12:13:14:15' ]]
