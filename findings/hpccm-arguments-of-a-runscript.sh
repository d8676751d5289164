#!/bin/bash
# hpccm 26.5.0 (PyPI): in a Dockerfile, arguments of `runscript` that have spaces or special characters get quotes that
# belong to no shell.
#
# Expected: one recipe describes the same program for Docker and for Apptainer.
# Actual:   for Apptainer, the command is a line of shell, and `'two words'` is the argument `two words`. For Docker,
#           hpccm splits the command, quotes each word for a shell, and writes the result as a JSON list, which no shell
#           reads. The program gets the quotes as part of the argument.
# Affected: recipes with `runscript(commands=["tool --label 'two words'"])`, patterns or `sh -c '...'`: the container of
#           Docker does something else than that of Apptainer, or does not start.
#
# The entry point and the %runscript are started here, without a container.
# Requires Python 3.8 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if hpccm behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check hpccm==26.5.0
python/bin/hpccm --version

cat >recipe.py <<'END_OF_RECIPE'
Stage0 += baseimage(image="ubuntu:24.04")
Stage0 += runscript(commands=["printf %s, --label 'two words' '*.fasta'"])
END_OF_RECIPE
python/bin/hpccm --recipe recipe.py --format docker >Dockerfile
python/bin/hpccm --recipe recipe.py --format singularity >Apptainer.def
{
    sed -n '/^ENTRYPOINT/{p; s/^ENTRYPOINT //w entrypoint.json
}' Dockerfile
    python3 -c 'import json, subprocess; subprocess.run(json.load(open("entrypoint.json")))'
    echo
    sed -n '/^%runscript/,/^$/p' Apptainer.def | sed '1d; /^$/d; s/^ *//' | tee runscript
    sh runscript
    echo
} | tee output
cat >expected <<'END_OF_OUTPUT'
ENTRYPOINT ["printf", "%s,", "--label", "'two words'", "'*.fasta'"]
--label,'two words','*.fasta',
exec printf %s, --label 'two words' '*.fasta' "$@"
--label,two words,*.fasta,
END_OF_OUTPUT
cmp output expected
