#!/bin/bash
# torchx 0.7.0 (PyPI): with Slurm, a variable whose value has a comma gets only the text before it.
#
# Expected: torchx.util.types.to_dict, which reads `--env`: "The values may be a list literal", as in
#           `FOO=v1,v2,BAR=v3`. The scheduler local_cwd passes `v1,v2`.
# Actual:   for Slurm, torchx joins all variables with commas in the option --export of srun, without quotes. srun takes
#           the rest of the value for the names of further variables (srun(1), "--export"). No message.
# Affected: lists of devices, interfaces and paths, such as CUDA_VISIBLE_DEVICES=0,1 and NCCL_IB_HCA=mlx5_0,mlx5_1: a
#           job uses one device of several, and is only slower.
#
# sbatch is a stand-in that runs the script. srun is one that splits --export at commas, and starts the program.
# Requires Python 3.8 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if torchx behaves as described, 1 otherwise.
# shellcheck disable=SC2016
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check torchx==0.7.0
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^torchx '

mkdir bin
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
SLURM_JOB_ID=42 bash "${@: -1}" >log 2>&1
echo 42
END_OF_SBATCH
cat >bin/srun <<'END_OF_SRUN'
#!/bin/bash
while [[ $1 == --* ]]; do
    if [[ $1 == --export=ALL,* ]]; then
        IFS=, read -ra variables <<<"${1#--export=ALL,}"
        for variable in "${variables[@]}"; do
            [[ $variable != *=* ]] || export "${variable?}"
        done
    fi
    shift
done
exec "$@"
END_OF_SRUN
cat >bin/sacct <<'END_OF_SACCT'
#!/bin/bash
printf '%s\n' 'JobID|JobName|State' '42|sh-0|COMPLETED'
END_OF_SACCT
printf '#!/bin/bash\nexit 1\n' >bin/sinfo
chmod 755 bin/*
echo 'echo "    NCCL_IB_HCA=$NCCL_IB_HCA NAME=$NAME" >"$RESULT"' >print.sh

# run SCHEDULER VARIABLES: prints the variables that the job gets.
run() {
    rm -f result
    env -u NCCL_IB_HCA -u NAME PATH="$work/bin:$work/python/bin:$PATH" HOME="$work" RESULT="$work/result" \
        torchx run --scheduler "$1" --wait utils.sh --env "$2" bash "$work/print.sh" >>log 2>&1
    printf '%s, --env %s:\n' "$1" "$2"
    cat result
}
{
    run local_cwd NCCL_IB_HCA=mlx5_0,mlx5_1,NAME=x
    run slurm NCCL_IB_HCA=mlx5_0,NAME=x
    run slurm NCCL_IB_HCA=mlx5_0,mlx5_1,NAME=x
} | tee output
[[ $(<output) == 'local_cwd, --env NCCL_IB_HCA=mlx5_0,mlx5_1,NAME=x:
    NCCL_IB_HCA=mlx5_0,mlx5_1 NAME=x
slurm, --env NCCL_IB_HCA=mlx5_0,NAME=x:
    NCCL_IB_HCA=mlx5_0 NAME=x
slurm, --env NCCL_IB_HCA=mlx5_0,mlx5_1,NAME=x:
    NCCL_IB_HCA=mlx5_0 NAME=x' ]]
