# shellcheck shell=bash
# Step 3: the same commands with the plugin.

with_plugin() {
    next_step 'the same with the plugin'
    install_plugin
    same_lines
    little_at_home
    compare
    verbose_says_so
    every_task
    syslog_has_it
}

install_plugin() {
    local installed
    installed=$("$testbed_dir/testbed" plugindir)/spank_sifcache.so
    say 'The plugin is copied to the directory of Slurm'"'"'s plugins on every host, and one' \
        'line is added to plugstack.conf. No restart is needed. Then docker.io becomes' \
        'unreachable again:'
    here "testbed/testbed push $(from_project "$plugin") $installed"
    promise_status 0
    by root "echo 'optional spank_sifcache.so image_root=/shared/sif' >>/etc/slurm/plugstack.conf"
    promise_status 0
    here 'testbed/testbed hub stop' 'testbed/testbed hub status'
    promise_line stopped
}

same_lines() {
    say 'The commands of step 1, unchanged, start from the SIF file, and so does the other image:'
    runs_image alice "$cpu_image"
    alice_with=$hundredths
    runs_image bob "$cpu_image"
    bob_with=$hundredths
    runs_image alice "$gpu_image"
}

little_at_home() {
    say 'The home directory contains only the files that Apptainer always creates:'
    by alice 'du -sh ~'
    promise_status 0
    home_with=$(size_said)
    [[ $home_with == *K ]] || broken "alice's home directory has grown to $home_with"
}

# Shows the times, but does not check that they are shorter, because the machine may be loaded.
compare() {
    say 'The results so far; the image is a small one:'
    row '' 'without' 'with the plugin'
    row 'alice, first run' "$(seconds "$alice_without")" "$(seconds "$alice_with")"
    row 'bob, first run' "$(seconds "$bob_without")" "$(seconds "$bob_with")"
    row 'docker.io out of reach' 'fails' 'runs'
    row 'in the home directory' "$home_without" "$home_with"
}

row() {
    printf '    %-24s %10s   %15s\n' "$@"
    at_gap=
}

verbose_says_so() {
    say 'srun -v shows the file that is used:'
    by alice "srun -v singularity run docker://$cpu_image cat /etc/image-name 2>&1 | grep sifcache"
    promise_text "/shared/sif/$cpu_image"
}

every_task() {
    local task
    say 'This works in every task of a job, on every node:'
    by alice "srun --label -N2 --ntasks-per-node=2 singularity run docker://$cpu_image cat /etc/image-name | sort"
    promise_status 0
    for task in 0 1 2 3; do promise_line "$task: $cpu_image"; done
}

syslog_has_it() {
    say 'Each node logs one line to its syslog:'
    on n2 'grep sifcache /var/log/syslog | tail -n 1'
    promise_text event=hit
    promise_text "image=/shared/sif/$cpu_image"
}
