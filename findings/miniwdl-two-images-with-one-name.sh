#!/bin/bash
# miniwdl 1.16.0 (PyPI): with the Singularity backend and an image cache, two images of one workflow share a file, and the
# second task runs in the image of the first one.
#
# Expected: each task starts the image of its `container`.
# Actual:   the file name is the reference with `_` for each `/` and `:`. org/tool:2_1 and org/tool_2:1 are both
#           docker___org_tool_2_1.sif. The second task finds the file, does not pull, and starts it; the workflow succeeds.
# Affected: workflows with such a pair of references, and everybody who shares a cache: a file is never compared with
#           the reference that it was pulled from. miniwdl-slurm and Toil (for WDL) use the same names, and always have
#           a cache.
#
# The runtime is a stand-in that writes the reference into the file that it pulls, and makes the content of the file that
# it starts the output of the task.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if miniwdl behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
# miniwdl imports pkg_resources.
python/bin/pip install --quiet --disable-pip-version-check miniwdl==1.16.0 'setuptools<81'
python/bin/miniwdl --version

mkdir bin home
cat >bin/singularity <<'END_OF_RUNTIME'
#!/bin/bash
case $1 in
    --version) echo 'apptainer version 1.4.5' ;;
    pull) printf '%s\n' "$3" >"$2" ;;
    exec)
        for argument; do
            case $argument in
                *.sif) image=$argument ;;
                *:/mnt/miniwdl_task_container/stdout.txt) output=${argument%%:*} ;;
            esac
        done
        cat "$image" >"$output"
        ;;
esac
END_OF_RUNTIME
chmod 755 bin/singularity
cat >two.wdl <<'END_OF_WORKFLOW'
version 1.1
workflow two {
    call started as first { input: image = "org/tool:2_1" }
    call started as second { input: image = "org/tool_2:1", after = first.reference }
    output {
        String tool_2_1 = first.reference
        String tool_2 = second.reference
    }
}
task started {
    input {
        String image
        String? after
    }
    command <<< true >>>
    runtime { container: image }
    output { String reference = read_string(stdout()) }
}
END_OF_WORKFLOW

# outputs [CACHE]: runs the workflow, with an image cache if one is given.
outputs() {
    env HOME="$work/home" PATH="$work/bin:$PATH" MINIWDL__SCHEDULER__CONTAINER_BACKEND=singularity \
        MINIWDL__SINGULARITY__IMAGE_CACHE="${1-}" \
        python/bin/miniwdl run two.wdl --dir "$work/run" 2>log | tee output | sed -n 's/^ *"two\./    "/p'
}
printf 'without a cache:\n'
outputs
grep -q '"two.tool_2": "docker://org/tool_2:1"' output
printf 'with a cache:\n'
outputs "$work/cache"
ls cache
grep -q '"two.tool_2_1": "docker://org/tool:2_1"' output
grep -q '"two.tool_2": "docker://org/tool:2_1"' output
