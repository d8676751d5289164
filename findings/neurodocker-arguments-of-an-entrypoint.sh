#!/bin/bash
# neurodocker 2.1.2 (PyPI): in an Apptainer recipe, the entry point drops the arguments of `apptainer run`.
#
# Expected: `neurodocker generate docker` and `generate singularity` with the same options describe the same container.
# Actual:   for docker, the entry point is a list, and the arguments of `docker run` follow it. For singularity, it is
#           a line of shell without "$@", which gets the arguments and does not pass them on.
# Affected: tools with an entry point: `apptainer run tool.sif input.nii` starts the tool without its input. What the
#           tool does then, such as printing its help, may succeed.
#
# The %runscript of the recipe is started with sh, as Apptainer does.
# Requires Python 3.9 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if neurodocker behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check neurodocker==2.1.2
python/bin/neurodocker --version

# generate FORMAT: prints the recipe for an image with this entry point.
generate() {
    python/bin/neurodocker generate "$1" --pkg-manager apt --base-image debian:12 --entrypoint echo tool
}
generate singularity | sed -n '/^%runscript/,/^%/{/^%/!p}' >runscript
{
    generate docker | grep '^ENTRYPOINT'
    printf '%%runscript: %s\n' "$(<runscript)"
    printf 'with the argument input.nii: %s\n' "$(sh runscript input.nii)"
} | tee output
[[ $(<output) == 'ENTRYPOINT ["echo", "tool"]
%runscript: echo tool
with the argument input.nii: tool' ]]
