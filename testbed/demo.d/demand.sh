# shellcheck shell=bash
# Step 6: an image that nobody has added.

asked_image=alpine:3.20

on_demand() {
    next_step 'an image that nobody has added'
    start_filler
    two_users_ask
    filled_once
}

start_filler() {
    say 'Jobs can wait until a missing image has been added. The site enables this, says which' \
        'images may be added, and starts a service that follows the logs of all nodes:'
    by root "sed -i 's/on_miss=fail/on_miss=wait/' /etc/slurm/plugstack.conf" \
        'mkdir -p /etc/sifcache' \
        "echo 'allow = [\"docker.io/library/*\"]' >/etc/sifcache/fill.toml" \
        "echo 'unidentified = \"count\"' >>/etc/sifcache/fill.toml" \
        "sifcache fill --check docker://$asked_image" \
        'setsid sifcache fill --follow --log /var/log/syslog >fill.log 2>&1 &' \
        'until [ -e /shared/sif/.sifcache/queue/beat ]; do sleep 0.1; done'
    promise_status 0
    here 'testbed/testbed hub start'
    promise_status 0
}

two_users_ask() {
    say 'Two users start the same image. Their jobs wait until it is there:'
    by alice "sbatch --output job.out --wrap 'singularity run docker://$asked_image cat /etc/image-name'"
    promise_status 0
    by bob "$(user_line "$asked_image")"
    show_outcome
    promise_status 0
    promise_line "library/$asked_image"
    # shellcheck disable=SC2016 # The user's shell expands it.
    by alice 'until [ -z "$(squeue --noheader --me)" ]; do sleep 0.1; done' 'cat job.out'
    promise_line "library/$asked_image"
}

filled_once() {
    say 'The image was added once, for everybody:'
    by root 'until grep added fill.log; do sleep 0.1; done'
    promise_status 0
    [[ $(grep -c added "$scratch/output") == 2 ]] || broken 'the image was not added exactly once'
    by root 'sifcache list'
    promise_text 'alpine:3.20'
}
