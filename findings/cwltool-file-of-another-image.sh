#!/bin/bash
# cwltool 3.3.20260925135507 with cwl-utils 0.45 (PyPI): `cwltool --singularity` starts a file of the user that was pulled
# from another registry or organization, if it is anywhere below the working directory.
#
# Expected: `dockerPull: python:3.9` starts an image that was pulled from docker://python:3.9.
# Actual:   if there is no `python:3.9.sif`, cwltool searches the working directory and all its subdirectories for
#           `python_3.9.sif`, a name that its earlier releases used. This is also the default name of `apptainer pull
#           docker://lab/python:3.9`, because that name omits the registry and the organization. cwltool links the file
#           to `python:3.9.sif`, does not pull, and starts it in all later workflows, too.
# Affected: users who run workflows above a directory of images that they pulled by hand. The only sign is an INFO line,
#           `Using local copy of Singularity image python_3.9.sif`; the workflow succeeds with the wrong image.
#
# The runtime is a stand-in that writes the reference into the file that it pulls, and prints the file that it starts.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if cwltool behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check cwltool==3.3.20260925135507 cwl-utils==0.45
python/bin/cwltool --version

mkdir bin empty home
cat >bin/singularity <<'END_OF_RUNTIME'
#!/bin/bash
case $* in
    --version) echo 'apptainer version 1.4.5' ;;
    pull\ --name*) printf '%s\n' "$4" >"$3" ;;
    *\ run\ *) for argument; do case $argument in *.sif) exec cat "$argument" ;; esac; done ;;
    # A check for user namespaces, which never starts a program.
    *) exit 255 ;;
esac
END_OF_RUNTIME
chmod 755 bin/singularity
cat >tool.cwl <<'END_OF_TOOL'
cwlVersion: v1.2
class: CommandLineTool
requirements: {DockerRequirement: {dockerPull: "python:3.9"}}
baseCommand: [python3, --version]
inputs: []
stdout: started
outputs: {started: stdout}
END_OF_TOOL
# The file that `apptainer pull docker://lab/python:3.9` creates in this directory.
mkdir -p used/project/images
echo docker://lab/python:3.9 >used/project/images/python_3.9.sif

# workflow DIRECTORY: runs the tool in DIRECTORY and prints the reference of the image that was started.
workflow() (
    cd "$1"
    env -u CWL_SINGULARITY_CACHE -u CWL_SINGULARITY_IMAGES HOME="$work/home" PATH="$work/bin:$PATH" \
        "$work/python/bin/cwltool" --singularity --outdir "$work/$1.result" ../tool.cwl >output 2>&1
    { grep 'local copy' output || :; } >&2
    cat "$work/$1.result/started"
)
empty=$(workflow empty)
used=$(workflow used)
printf 'requested:                     docker://python:3.9\n'
printf 'started in an empty directory: %s\n' "$empty"
printf 'started above another image:   %s\n' "$used"
[[ $empty == docker://python:3.9 && $used == docker://lab/python:3.9 ]] &&
    [[ used/python:3.9.sif -ef used/project/images/python_3.9.sif ]]
