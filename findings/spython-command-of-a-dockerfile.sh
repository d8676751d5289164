#!/bin/bash
# spython 0.3.14 (PyPI): `spython recipe Dockerfile` starts the CMD of a Dockerfile as a script of bash, and arguments
# of ENTRYPOINT and CMD lose their quotes.
#
# Expected: the %runscript starts what Docker starts: for `CMD ["python3", "app.py"]`, the line `exec python3 app.py`.
#           An argument with spaces stays one argument.
# Actual:   without an ENTRYPOINT, the line is `exec /bin/bash python3 app.py`. bash reads the program as a script:
#           "cannot execute binary file", exit status 126. The lists are joined with spaces: of `["sh", "-c", "tool
#           --all"]`, the shell gets only the command `tool`, and a `;` in the argument ends the line. The conversion
#           exits with 0.
# Affected: definition files of Dockerfiles with a CMD alone, as for many services and interpreters, or with `sh -c`.
#           The image can be built; `apptainer run` fails, or does something else and may exit with 0.
#
# Requires Python with venv, and any user who may use PyPI; nothing is installed. sh runs the %runscript here, as
# Apptainer does in a container.
# Exit status: 0 if spython behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check spython==0.3.14
python/bin/pip list 2>/dev/null | grep spython

# convert NAME INSTRUCTION: converts a Dockerfile with this instruction, and runs the %runscript with one argument.
convert() {
    local status=0
    mkdir "$1"
    printf 'FROM debian:13\n%s\n' "$2" >"$1/Dockerfile"
    python/bin/spython recipe "$1/Dockerfile" >"$1/definition"
    sed '1,/^%runscript/d; /^%startscript/,$d' "$1/definition" >"$1/runscript"
    printf 'Dockerfile: %s\nrunscript:  %s\n' "$2" "$(<"$1/runscript")"
    LC_ALL=C sh "$1/runscript" argument >"$1/output" 2>&1 || status=$?
    printf 'output:     %s\nstatus:     %d\n\n' "$(<"$1/output")" "$status"
}
convert command 'CMD ["/usr/bin/env", "printf", "started"]'
convert entrypoint 'ENTRYPOINT ["printf", "<%s>", "two words"]'
convert shell 'ENTRYPOINT ["sh", "-c", "echo started; exec printf \"<%s>\" \"$@\"", "name"]'
grep -qxF 'exec /bin/bash /usr/bin/env printf started "$@"' command/runscript
grep -q 'cannot execute binary file$' command/output
grep -qxF 'exec printf <%s> two words "$@"' entrypoint/runscript
grep -qxF 'exec sh -c echo started; exec printf "<%s>" "$@" name' shell/runscript
[[ $(<shell/output) != *started* && $(<shell/output) != *argument* ]]
