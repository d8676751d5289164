# shellcheck shell=bash
# Step 5: a workflow engine.

# Installs cwltool in the background, because the other steps take longer. It belongs to bob, because
# step 3 shows the size of alice's home directory.
install_engine() {
    local python
    # shellcheck source=tests/engines/packages.sh
    source "$project/tests/engines/packages.sh"
    python=$("$testbed_dir/testbed" exec -- python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    {
        install_packages cwltool "$python"
        push_environment cwltool "$python" bob
        # The first start compiles cwltool's modules.
        "$testbed_dir/testbed" exec --user bob -- venv/cwltool/bin/cwltool --version
    } >"$scratch/engine.log" 2>&1 </dev/null &
    engine=$!
}

workflow_engine() {
    next_step 'a workflow engine'
    wait "$engine" || broken "cwltool could not be installed: $(cat -- "$scratch/engine.log")"
    show_workflow
    fails_without_plugin
    runs_with_plugin
}

show_workflow() {
    say 'Workflow engines such as cwltool, Nextflow and Snakemake pull each image into a file of' \
        'their own, and start that file. This workflow has one task:'
    "$testbed_dir/testbed" exec --user bob -- tee hello.cwl >/dev/null <<END
cwlVersion: v1.2
class: CommandLineTool
hints: {DockerRequirement: {dockerPull: "$cpu_image"}}
baseCommand: [cat, /etc/image-name]
inputs: []
outputs: {name: stdout}
stdout: name.txt
END
    "$testbed_dir/testbed" exec --user bob -- tee hello.sh >/dev/null <<'END'
#!/bin/bash
~/venv/cwltool/bin/cwltool --singularity hello.cwl
END
    by bob 'cat hello.cwl' 'cat hello.sh'
    promise_status 0
}

run_workflow() {
    by bob 'srun bash hello.sh >hello.out 2>&1'
    show_outcome
}

fails_without_plugin() {
    say 'Without the plugin, the workflow fails while docker.io is unreachable:'
    here 'testbed/testbed hub stop'
    by root "sed -i 's/^/#/' /etc/slurm/plugstack.conf"
    promise_status 0
    run_workflow
    ((status != 0)) || broken 'the workflow does not fail'
    by bob 'grep -o "dial tcp .* connection refused" hello.out'
    promise_text 'connection refused'
}

runs_with_plugin() {
    local shim=${plugin%/*}/sifcache-shim
    say 'Launches and pulls inside a job script are handled by the shim, a small program that' \
        'comes before the runtime in the job'"'"'s PATH. It is copied to every host, too:'
    here "packaging/shims $(from_project "$shim") $scratch/tree/usr/libexec/sifcache" \
        "testbed/testbed push $scratch/tree /"
    promise_status 0
    say 'With the plugin, the same workflow runs. Its pull is answered with a copy of the SIF file' \
        'in the image root:'
    by root "sed -i 's/^#//' /etc/slurm/plugstack.conf"
    promise_status 0
    run_workflow
    promise_status 0
    by bob 'cat name.txt'
    promise_line "$cpu_image"
}
