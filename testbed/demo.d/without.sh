# shellcheck shell=bash
# Step 1: the situation without the plugin. Sets the values for the table in step 3: alice_without
# and bob_without (hundredths of a second), and home_without (as printed by du).

without_plugin() {
    next_step 'without the plugin'
    fails_without_hub
    every_user_pulls
    forget_pulled_images
}

fails_without_hub() {
    say 'With docker.io unreachable, as on nodes without internet, the command fails:'
    here 'testbed/testbed hub status'
    promise_line stopped
    by alice "$(user_line "$cpu_image")"
    show_outcome
    promise_status 255
    promise_no_line "$cpu_image"
}

every_user_pulls() {
    say 'With docker.io reachable, every user downloads and converts the same image:'
    here 'testbed/testbed hub start'
    promise_status 0
    runs_image alice "$cpu_image"
    alice_without=$hundredths
    runs_image bob "$cpu_image"
    bob_without=$hundredths
}

# runs_image USER IMAGE
runs_image() {
    by "$1" "$(user_line "$2")"
    show_outcome
    promise_status 0
    promise_line "$2"
}

forget_pulled_images() {
    say 'Before step 3, the image that this left in each home directory is removed:'
    by alice 'du -sh ~' 'rm -r ~/.apptainer'
    promise_status 0
    home_without=$(size_said)
    [[ $home_without == *M ]] || broken "alice's home directory has no image in it, but $home_without"
    by bob 'rm -r ~/.apptainer'
    promise_status 0
}

# The size from the output of du, without the name.
size_said() { sed -n 's/^\([0-9.]\+[KMG]\)\t.*/\1/p' "$scratch/output"; }
